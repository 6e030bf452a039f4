"""What the daemon remembers of its own frames: the state, and the last frames of topics that read like a log."""

from collections import deque
from collections.abc import Iterator, Mapping

from operator_protocol.codec import is_shallow
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame
from operator_protocol.state import State
from operator_protocol.topics import CLUSTER_EVENT

_TAIL_LENGTHS: Mapping[str, int] = {
    "violation": 200,
    "ticket": 50,
    "agent": 200,
    "action": 100,
    "fault": 200,
    "demo": 50,
}
"""Frames kept by first word of the topic."""
_FAMILIES = (
    *(f"{family}." for family in _TAIL_LENGTHS),
    "process.",
    "cluster.",
    "workload.",
    "coordination.",
    "devops.",
)
_EVENT_TAIL = 200
"""Events of the cluster; its health is in the state."""
_LOG_TAIL = 100
"""Log lines kept for each process."""
_PROCESS_STATE_TAIL = 200
_TAIL_BYTES = 1 << 20
"""What one tail may hold; all of them are in each snapshot, which a client refuses above 64 MiB."""


class Tail:
    """The last frames of one kind, bounded by number and by size."""

    def __init__(self, length: int) -> None:
        self._frames: deque[tuple[Frame, int]] = deque()
        self._length = length
        self._bytes = 0

    def append(self, frame: Frame, size: int) -> None:
        """Add the newest; the oldest go."""
        self._frames.append((frame, size))
        self._bytes += size
        while len(self._frames) > self._length or (self._bytes > _TAIL_BYTES and len(self._frames) > 1):
            self._bytes -= self._frames.popleft()[1]

    def __iter__(self) -> Iterator[Frame]:
        return (frame for frame, _ in self._frames)

    def __reversed__(self) -> Iterator[Frame]:
        return (frame for frame, _ in reversed(self._frames))


class Memory:
    """State and tails; answers ``snapshot``."""

    def __init__(self) -> None:
        self.state = State()
        self.rejected = 0
        """Bodies that were not what their topic promises."""
        self._tails: dict[str, Tail] = {}

    def wants(self, topic: str) -> bool:
        """Whether a frame of this topic has any bearing on the state or the tails."""
        return topic.startswith(_FAMILIES)

    def take(self, frame: Frame, size: int = 0) -> bool:
        """Apply one frame with a body of ``size`` bytes; False for a malformed one, which nobody here should see.

        It is counted, never fatal: it has been forwarded as it came.
        """
        try:
            self.state.apply(frame.topic, frame.body)
        except BadRequest:
            self.rejected += 1
            return False
        if (tail := self._tail_of(frame)) is None:
            return True
        if not is_shallow(frame.body):
            # Within a snapshot it would be nested deeper than a client can decode: nobody could join any more.
            self.rejected += 1
            return False
        tail.append(frame, size)
        return True

    def tails(self) -> list[list[object]]:
        """``[topic, header, body]`` of every remembered frame, in the order of the bus."""
        frames = sorted((frame for tail in self._tails.values() for frame in tail), key=lambda frame: frame.header.seq)
        return [[frame.topic, list(frame.header), frame.body] for frame in frames]

    def log_lines(self, process: str) -> list[Frame]:
        """The last captured lines of one process."""
        return list(self._tails.get(f"process.{process}.log", ()))

    def _tail_of(self, frame: Frame) -> Tail | None:
        topic = frame.topic
        family = topic.split(".", 1)[0]
        if family == "process":
            if topic.endswith(".log"):
                return self._tails.setdefault(topic, Tail(_LOG_TAIL))
            return self._process_states(frame)
        if topic == CLUSTER_EVENT:
            return self._tails.setdefault(topic, Tail(_EVENT_TAIL))
        if topic == "fault.countdown" or family not in _TAIL_LENGTHS:
            return None
        return self._tails.setdefault(family, Tail(_TAIL_LENGTHS[family]))

    def _process_states(self, frame: Frame) -> Tail | None:
        """Only changes of state are worth keeping; the once-a-second figures are not."""
        tail = self._tails.setdefault("process", Tail(_PROCESS_STATE_TAIL))
        for known in reversed(tail):
            if known.topic == frame.topic:
                same = all(known.body.get(key) == frame.body.get(key) for key in ("state", "pid", "restarts"))
                return None if same else tail
        return tail
