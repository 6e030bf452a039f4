"""The lines that ``demo --auto`` prints while it goes: what happened, in seconds since it began."""

import time
from collections.abc import Callable

from operator_clients.ctl.describe import describe
from operator_protocol import topics
from operator_protocol.frames import Frame

_TOLD = {
    topics.FAULT_INJECTED,
    topics.FAULT_RECOVERING,
    topics.FAULT_RECOVERED,
    topics.FAULT_FAILED,
    topics.VIOLATION_OPENED,
    topics.VIOLATION_CLOSED,
    topics.TICKET_OPENED,
    topics.TICKET_RESOLVED,
    topics.AGENT_DIAGNOSIS,
    topics.ACTION_PROPOSED,
    topics.ACTION_APPROVED,
    topics.ACTION_STARTED,
    topics.ACTION_FINISHED,
}


class Timeline:
    """Tells the frames that matter to a reader, each once."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._started = clock()
        self._chapter = -1
        self._degraded: bool | None = None
        self._has_baseline = False

    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._started

    def say(self, text: str) -> None:
        """One line."""
        self._write(f"{self.elapsed_s():7.2f} s  {text}")

    def see(self, frame: Frame) -> None:
        """Take in one frame."""
        if frame.topic in _TOLD:
            self.say(f"{frame.topic:<17} {describe(frame.topic, frame.body)}")
        elif frame.topic == topics.DEMO_CHAPTER:
            self._see_chapter(frame)
        elif frame.topic == topics.WORKLOAD_SAMPLE:
            self._see_sample(frame)

    def _see_chapter(self, frame: Frame) -> None:
        index = frame.body.get("index")
        if isinstance(index, int) and index != self._chapter:
            self._chapter = index
            self.say(f"--- {describe(frame.topic, frame.body)}")

    def _see_sample(self, frame: Frame) -> None:
        degraded = bool(frame.body.get("degraded"))
        told = describe(frame.topic, frame.body)
        if not self._has_baseline and frame.body.get("baseline") is not None:
            self._has_baseline = True
            self.say(f"load              baseline {frame.body['baseline']:,.0f} ops/s")
        if self._degraded is not None and degraded != self._degraded:
            self.say(f"load              {'' if degraded else 'back at '}{told}")
        self._degraded = degraded
