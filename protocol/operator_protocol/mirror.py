"""Following a daemon without I/O: join, apply, notice what is missing, join again.

Subscribing and then asking for a snapshot loses frames: the subscription is on its way while the snapshot is made.
So a join subscribes to a topic of its own as well, ``join.<nonce>``, tells the daemon the nonce, and asks for the
snapshot only when the daemon's echo came in on that topic, which proves that the subscriptions before it are in
force. Frames that arrive meanwhile are kept, and those newer than the snapshot are applied on top of it.

A ``Mirror`` is fed with what arrived and with the time, and says what it wants done (``take_actions``) and what
happened (``take_events``). The sockets are in ``link``.
"""

import contextlib
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, OperatorError, Unauthorized, VersionMismatch
from operator_protocol.events import Event, FrameSeen, Joined, Resynced, Status, StatusChanged
from operator_protocol.frames import Frame, Header, header_from_wire
from operator_protocol.journal import checkpoint
from operator_protocol.requests import new_id
from operator_protocol.state import State
from operator_protocol.topics import HEARTBEAT, join_echo, matches

STALE_AFTER_S = 3.0
"""Three missed heartbeats."""
LOST_AFTER_S = 6.0
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 2.0
_MAX_BUFFERED = 100_000
"""Frames kept while a snapshot is on its way; more than ten seconds of a very busy bus."""
TAIL_FRAMES = 2_000


class Subscribe(NamedTuple):
    """Subscribe the frames socket to a topic."""

    topic: str


class Unsubscribe(NamedTuple):
    """Take a subscription back."""

    topic: str


class Ask(NamedTuple):
    """Send ``cmd`` on the control socket; the reply goes to ``Mirror.answered``."""

    id: str
    cmd: str
    args: Body


Action: TypeAlias = Subscribe | Unsubscribe | Ask


class Mirror:
    """What one client knows of one daemon."""

    def __init__(self, topics: Iterable[str] | None = None) -> None:
        self.topics = None if topics is None else (*topics, HEARTBEAT, "command.finished")
        self.state = State()
        self.status: Status = "joining"
        self.boot_id: str | None = None
        self.seq = 0
        self.snapshot_seq = 0
        """The last frame that the last snapshot included."""
        self.tail: deque[Frame] = deque(maxlen=TAIL_FRAMES)
        self.last_frame_mono: float | None = None
        """Local monotonic time of the last frame from the daemon."""
        self.checkpoints: deque[Frame] | None = None
        """The snapshot of each ``Joined`` and ``Resynced``, as a journal has it; None where nobody takes them out."""
        self.refused: OperatorError | None = None
        """Why the daemon does not let us join, when trying again will not help until one side is changed."""
        self._topic_seqs: dict[str, int] = {}
        self._buffer: list[Frame] = []
        self._nonce = ""
        self._echoed: Header | None = None
        self._ask_id = ""
        self._joined_once = False
        self._reason = ""
        self._retry_at = 0.0
        self._retry_s = _FIRST_RETRY_S
        self._started_at = 0.0
        self._actions: list[Action] = []
        self._events: list[Event] = []

    # what the owner of the sockets calls

    def start(self, now: float) -> None:
        """Begin the first join."""
        self._started_at = now
        for topic in self.topics if self.topics is not None else ("",):
            self._actions.append(Subscribe(topic))
        self._begin_join("", now)

    def take_actions(self) -> list[Action]:
        """What is to be done now; each action is handed out once."""
        actions, self._actions = self._actions, []
        return actions

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def received(self, frame: Frame, now: float) -> None:
        """Take in one frame."""
        self.last_frame_mono = now
        if frame.topic == join_echo(self._nonce):
            self._echo(frame.header, now)
        elif self.status == "live":
            self._follow(frame, now)
        elif len(self._buffer) < _MAX_BUFFERED:
            self._buffer.append(frame)

    def answered(self, ask_id: str, result: Body | None, now: float, error: OperatorError | None = None) -> bool:
        """Take in the reply to an ``Ask`` (None for a failed one); False if the id is none of ours."""
        if ask_id != self._ask_id:
            return False
        self._ask_id = ""
        self.refused = error if isinstance(error, VersionMismatch | Unauthorized) else None
        if result is None:
            self._retry_at = now + self._retry_s
        elif "state" in result:
            self._load(result, now)
        return True

    def tick(self, now: float) -> None:
        """Let time pass: silence, and joins that got no answer."""
        silent_s = now - (self.last_frame_mono if self.last_frame_mono is not None else self._started_at)
        if self.status == "live" and silent_s >= STALE_AFTER_S:
            self._set_status("stale")
            self._retry_s = _FIRST_RETRY_S
            self._begin_join(f"silent for {silent_s:.0f} s", now)
        elif self.status == "joining" and self._joined_once and silent_s >= STALE_AFTER_S:
            self._set_status("stale")
        elif self.status == "stale" and silent_s >= LOST_AFTER_S:
            self._set_status("lost")
        if self.status != "live" and now >= self._retry_at:
            self._retry_s = min(self._retry_s * 2, _LAST_RETRY_S)
            self._begin_join(self._reason, now)

    def lose(self, reason: str, now: float) -> None:
        """Frames are known to be missing: take a new snapshot."""
        if self.status == "live":
            self._set_status("joining")
            self._retry_s = _FIRST_RETRY_S
            self._begin_join(reason, now)

    # the join

    def _begin_join(self, reason: str, now: float) -> None:
        if self._nonce and self._echoed is None:
            self._actions.append(Unsubscribe(join_echo(self._nonce)))
        self._reason = reason
        self._nonce = new_id()
        self._echoed = None
        self._buffer.clear()
        self._retry_at = now + self._retry_s
        self._actions.append(Subscribe(join_echo(self._nonce)))
        self._ask("hello", {"version": PROTOCOL_VERSION, "nonce": self._nonce})

    def _echo(self, header: Header, now: float) -> None:
        if self._echoed is not None:
            return
        self._echoed = header
        self._retry_at = now + 2 * _LAST_RETRY_S
        self._actions.append(Unsubscribe(join_echo(self._nonce)))
        self._ask("snapshot", {})

    def _ask(self, cmd: str, args: Body) -> None:
        self._ask_id = new_id()
        self._actions.append(Ask(self._ask_id, cmd, args))

    def _load(self, snapshot: Body, now: float) -> None:
        try:
            state = State.from_wire(snapshot["state"])
            tails = [Frame(topic, header_from_wire(header), body) for topic, header, body in snapshot.get("tails", [])]
            boot_id, seq = str(snapshot["boot_id"]), int(snapshot["seq"])
            topic_seqs = {str(topic): int(last) for topic, last in dict(snapshot.get("topic_seqs") or {}).items()}
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, OperatorError) as error:
            self._reason = f"unreadable snapshot: {error}"
            self._retry_at = now + self._retry_s
            return
        restarted = self.boot_id is not None and boot_id != self.boot_id
        self.state, self.boot_id, self.seq, self.snapshot_seq = state, boot_id, seq, seq
        self._topic_seqs = topic_seqs
        self.tail.clear()
        self.tail.extend(frame for frame in tails if matches(frame.topic, self.topics))
        if self.checkpoints is not None and self._echoed is not None:
            self.checkpoints.append(checkpoint(snapshot, self._echoed, lambda topic: matches(topic, self.topics)))
        self._set_status("live")
        self._events.append(
            Resynced("the daemon restarted" if restarted else self._reason) if self._joined_once else Joined(boot_id)
        )
        self._joined_once = True
        buffered, self._buffer = self._buffer, []
        for frame in buffered:
            if frame.header.boot_id == boot_id and frame.header.seq > seq and self.status == "live":
                self._follow(frame, now)

    # following

    def _follow(self, frame: Frame, now: float) -> None:
        header = frame.header
        if header.boot_id != self.boot_id:
            self.lose("the daemon restarted", now)
            return
        if header.seq <= self.seq:
            return
        if (missing := self._missing(frame.topic, header)) > 0:
            self.lose(f"{missing} frame{'s' if missing > 1 else ''} lost", now)
            return
        self.seq = header.seq
        if frame.topic.startswith("join."):
            return
        self._topic_seqs[frame.topic] = header.topic_seq
        if not matches(frame.topic, self.topics):
            return
        if frame.topic == HEARTBEAT and (lost := self._missing_at_tail(frame.body)):
            self.lose(f"frames of {lost} lost", now)
            return
        # A frame that this side cannot read must not end the following; a later snapshot carries its effect.
        with contextlib.suppress(BadRequest):
            self.state.apply(frame.topic, frame.body)
        if frame.topic != HEARTBEAT:
            self.tail.append(frame)
        self._events.append(FrameSeen(frame))

    def _missing(self, topic: str, header: Header) -> int:
        if self.topics is None:
            return header.seq - self.seq - 1
        return header.topic_seq - self._topic_seqs.get(topic, 0) - 1 if matches(topic, self.topics) else 0

    def _missing_at_tail(self, heartbeat: Body) -> str:
        """Name of a topic whose last frames never came; ZeroMQ keeps order, so they are not just late."""
        moved = heartbeat.get("topics")
        for topic, last in (moved if isinstance(moved, dict) else {}).items():
            behind = isinstance(last, int) and last > self._topic_seqs.get(topic, 0)
            if behind and topic != HEARTBEAT and matches(topic, self.topics):
                return str(topic)
        return ""

    def _set_status(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self._events.append(StatusChanged(status))
