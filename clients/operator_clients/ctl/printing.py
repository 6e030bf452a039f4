"""Frames on standard output, as lines or as JSON lines: for ``logs``, ``events`` and ``replay``."""

import select
import sys
from collections.abc import Callable, Iterable, Sequence

from operator_clients.ctl.describe import describe, event_document, event_line
from operator_clients.ctl.exits import Usage
from operator_clients.ctl.session import Session, to_json
from operator_protocol import topics
from operator_protocol.frames import Frame
from operator_protocol.journal import is_log

_REPEATING = (topics.CLUSTER_HEALTH, "process.")
"""Published on a clock; as text only the changes are worth a line."""


class Printer:
    """Prints the frames of one run of the command."""

    def __init__(self, session: Session, wanted: Sequence[str] | None, line: Callable[[Frame], str | None]) -> None:
        self._as_json = session.as_json
        self._wanted = wanted
        self._line = line

    def emit(self, frames: Iterable[Frame]) -> None:
        """Print those that are wanted, and have them seen."""
        for frame in frames:
            if self.wants(frame.topic):
                text = to_json(event_document(frame)) if self._as_json else self._line(frame)
                if text is not None:
                    print(text)
        sys.stdout.flush()

    def wants(self, topic: str) -> bool:
        """Without a choice of topics: everything but the clock of the bus and the output that ``logs`` shows."""
        if self._wanted is None:
            return topic != topics.HEARTBEAT and not is_log(topic)
        return topics.matches(topic, self._wanted)


class Changes:
    """Lines of frames, None for one that repeats what its topic said last."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __call__(self, frame: Frame) -> str | None:
        """The line of ``frame``."""
        if topics.matches(frame.topic, _REPEATING) and not is_log(frame.topic):
            told = describe(frame.topic, frame.body)
            if self._last.get(frame.topic) == told:
                return None
            self._last[frame.topic] = told
        return event_line(frame)


def check_topics(wanted: Iterable[str] | None) -> None:
    """Raise ``Usage`` for what cannot be a topic."""
    for topic in wanted or ():
        if not topic.strip("."):
            raise Usage(f"{topic!r} is not a topic", "a whole topic like fault.injected, or a family like fault.")


def warn(text: str) -> None:
    """Tell of something that is not in the output, on standard error, after what was printed before it."""
    sys.stdout.flush()
    print(f"operatorctl: {text}", file=sys.stderr, flush=True)


def somebody_reads() -> bool:
    """False when standard output is a pipe whose reader has left."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return not any(event & select.POLLERR for _, event in poller.poll(0))
