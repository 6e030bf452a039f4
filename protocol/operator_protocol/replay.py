"""A recording played through the same state and the same events as a live daemon, with a clock of its own.

``Replay`` has the face of a ``Follower`` as far as looking goes, so that a client draws both with one code. Its time
runs from 0 to ``duration_s``; ``poll`` hands out what has happened by now. A jump over many frames applies only those
that the state after them depends on, from the last entry on that does not need what is before it (a checkpoint, the
first frame of a boot), so that it takes milliseconds, forward or backward.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import BadRequest, Unavailable
from operator_protocol.events import Event, FrameSeen, Joined, Resynced, Status
from operator_protocol.frames import Frame, header_from_wire
from operator_protocol.journal import CHECKPOINT
from operator_protocol.recording import Recording
from operator_protocol.state import State

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SOUGHT = "moved within the recording"
"""Reason of the ``Resynced`` that follows a jump."""
TAIL_FRAMES = 1_000
_BATCH = 2_000
"""Frames handed out at once; who cannot keep up with the speed slows the clock down."""
_PLAYED_THROUGH = 500
"""A way forward of at most this many frames is no jump: each of them is seen."""
_NAP_S = 0.25


class Replay:
    """Plays one recording. Begins paused at ``at_s`` if ``paused``, else it runs from the first ``poll`` on."""

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float = 1.0,
        at_s: float = 0.0,
        paused: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.recording = recording
        self.endpoint = Endpoint("", "", "", str(recording.path))
        self.state = State()
        self.status: Status = "live"
        self.boot_id: str | None = None
        self.seq = 0
        """Sequence number of the last frame that was applied."""
        self.tail: deque[Frame] = deque(maxlen=TAIL_FRAMES)
        """Recent frames that a list of events shows, oldest first."""
        self.speed = speed
        self.paused = paused
        self.position_s = 0.0
        self._clock = clock
        self._sleep = sleep
        self._looked_at: float | None = None
        self._next = 0
        self._pending: list[Event] = []
        self._begun = False
        if at_s > 0:
            self._jump(min(at_s, self.duration_s))

    @property
    def duration_s(self) -> float:
        """Seconds from the first entry to the last."""
        return self.recording.duration_s

    @property
    def ended(self) -> bool:
        """True when everything has been handed out."""
        return self._next >= len(self.recording) and self.position_s >= self.duration_s and not self._pending

    @property
    def wall(self) -> float:
        """What the wall clock of the daemon showed, seconds."""
        return self.recording.wall_at(self.position_s)

    # the face of a follower

    def fds(self) -> list[int]:
        """Nothing to wait on: call ``poll`` again after a while."""
        return []

    def age_s(self) -> float:
        """What is shown is as it was at that time."""
        return 0.0

    def poll(self, timeout_s: float) -> list[Event]:
        """What has happened by now, waiting up to ``timeout_s`` seconds for it."""
        until = self._clock() + timeout_s
        while True:
            events = self._take()
            left_s = until - self._clock()
            if events or left_s <= 0:
                return events
            self._sleep(min(left_s, self.due_in_s()))

    def send(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> str:
        """Raises ``Unavailable``: what was recorded cannot be changed."""
        del args, deadline_s
        raise Unavailable(f"this is a replay: {cmd} needs a daemon that runs", "leave out --replay to see one")

    # its own

    def due_in_s(self) -> float:
        """Seconds until the next entry, at most 0.25."""
        if self.paused or self._next >= len(self.recording):
            return _NAP_S
        return min(_NAP_S, max(0.001, (self.recording.index.at_s[self._next] - self.position_s) / self.speed))

    def pause(self) -> None:
        """Let time stand still."""
        self._settle()
        if not self.paused:
            self._play_to(self.position_s)
            self.paused = True

    def resume(self) -> None:
        """Let time go on; from the beginning, if this is the end."""
        if self.ended:
            self.seek(0.0)
        self._settle()
        self.paused = False

    def faster(self) -> None:
        """The next higher speed."""
        self._settle()
        self.speed = next((speed for speed in SPEEDS if speed > self.speed), self.speed)

    def slower(self) -> None:
        """The next lower speed."""
        self._settle()
        self.speed = next((speed for speed in reversed(SPEEDS) if speed < self.speed), self.speed)

    def step(self) -> Frame | None:
        """Pause, and go on by one frame of those that change what is drawn; returns it, or None at the end."""
        self.pause()
        seen: Frame | None = None
        while self._next < len(self.recording) and seen is None:
            entry = self._next
            before = len(self._pending)
            self._advance(self._pending)
            if self.recording.is_visible(entry):
                seen = next((one.frame for one in self._pending[before:] if isinstance(one, FrameSeen)), None)
        self.position_s = self.recording.index.at_s[self._next - 1]
        return seen

    def step_second(self) -> None:
        """Pause, and go on by one second."""
        self.pause()
        self._play_to(min(self.position_s + 1.0, self.duration_s))

    def seek(self, at_s: float) -> None:
        """Go to that time, forward or backward; what lies beyond an end is that end."""
        self._settle()
        at_s = min(max(at_s, 0.0), self.duration_s)
        between = range(self._next, self.recording.stop_at(at_s))
        near = at_s >= self.position_s and len(between) <= _PLAYED_THROUGH
        if near and not any(self.recording.turn(entry) for entry in between):
            self._play_to(at_s)
        else:
            self._jump(at_s)

    # time

    def _settle(self) -> None:
        """Let the time pass that has passed since the last look."""
        now = self._clock()
        if not self.paused and self._looked_at is not None:
            self.position_s = min(self.duration_s, self.position_s + (now - self._looked_at) * self.speed)
        self._looked_at = now

    def _take(self) -> list[Event]:
        self._settle()
        events, self._pending = self._pending, []
        if self.paused and self._begun:
            return events  # a step may have stopped between two entries of the same instant
        stop = self.recording.stop_at(self.position_s)
        if stop - self._next > _BATCH:
            stop = self._next + _BATCH
            self.position_s = self.recording.index.at_s[stop - 1]
        while self._next < stop:
            self._advance(events)
        if self._next >= len(self.recording) and self.position_s >= self.duration_s:
            self.paused = True
        return events

    def _play_to(self, at_s: float) -> None:
        stop = self.recording.stop_at(at_s)
        while self._next < stop:
            self._advance(self._pending)
        self.position_s = at_s

    # entries

    def _advance(self, events: list[Event]) -> None:
        """Take in the next entry."""
        entry, self._next = self._next, self._next + 1
        turn, frame = self.recording.turn(entry), self.recording.read(entry)
        if turn is not None:
            if turn.begins:
                self._begin(turn.boot_id, frame)
            events.append(Resynced(turn.reason) if self._begun else Joined(turn.boot_id))
            self._begun = True
        if frame is not None and frame.topic != CHECKPOINT:
            self._apply(entry, frame)
            events.append(FrameSeen(frame))

    def _begin(self, boot_id: str, frame: Frame | None) -> None:
        """Start from a checkpoint, or from nothing."""
        self.state, self.boot_id, self.seq = State(), boot_id, 0
        self.tail.clear()
        if frame is not None and frame.topic == CHECKPOINT:
            self.seq = frame.header.seq
            # One that this version cannot read is like one that is not there: frames will tell.
            with contextlib.suppress(BadRequest, KeyError, TypeError, ValueError, AttributeError):
                self.state = State.from_wire(frame.body["state"])
                tails = frame.body.get("tails") or []
                self.tail.extend(Frame(topic, header_from_wire(header), body) for topic, header, body in tails)

    def _apply(self, entry: int, frame: Frame) -> None:
        self.seq = frame.header.seq
        with contextlib.suppress(BadRequest):
            self.state.apply(frame.topic, frame.body)
        if self.recording.is_telling(entry):
            self.tail.append(frame)

    def _jump(self, at_s: float) -> None:
        """The state at that time without what led to it; what was pending is overtaken."""
        recording = self.recording
        stop = recording.stop_at(at_s)
        base = recording.base(stop)
        start = self._next if base < self._next <= stop else base
        if start == base:
            self._begin(recording.boot_of(base), recording.read(base))
        for entry in recording.needed(start, stop):
            frame = recording.read(entry)
            if frame is not None:
                self._apply(entry, frame)
        last = recording.read(stop - 1)
        if last is not None:
            self.seq = last.header.seq
        self._next, self.position_s = stop, at_s
        self._pending = [Resynced(SOUGHT) if self._begun else Joined(self.boot_id or "")]
        self._begun = True
