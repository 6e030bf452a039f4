"""One daemon's frames on their way to the browsers: a ring to replay from, and a bounded queue for each tab.

Each frame is encoded once and the bytes are shared by all tabs. A tab that comes back says the last id that it saw:
what the ring still has after it is sent, otherwise a snapshot. A tab that does not read loses its queue and gets a
snapshot when it reads again: nobody waits for it, and it is never shown a story with a hole in it.

Ids are ``<epoch>-<seq>``: ``seq`` is the daemon's number of the frame, and an epoch is a stretch in which this gateway
has missed none. The state may be ahead of what was sent: frames are applied as they arrive and sent as their turn
comes. So a snapshot says which frame it includes, and a tab is not sent what its snapshot had.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from fastapi.sse import format_sse_event

from operator_clients.web.encoding import age_seconds, iso, json_bytes
from operator_clients.web.tail import Tail
from operator_protocol.frames import Frame
from operator_protocol.state import State
from operator_protocol.topics import FAULT_COUNTDOWN

HEARTBEAT_S = 5.0
"""A browser that hears nothing for 12 s says that the connection is lost."""
RING_BYTES = 4 << 20
RING_FRAMES = 5_000
"""Some minutes of a busy demo."""
TAB_BYTES = 2 << 20
"""What a tab may leave unread before it is given a snapshot instead; a snapshot is some 100 KiB."""
_TOLD = ("action.", "agent.", "cluster.event", "coordination.", "demo.", "devops.", "fault.", "ticket.", "violation.")


class Source(Protocol):
    """What the stream tells of besides frames."""

    name: str

    @property
    def connection(self) -> str:
        """``live``, ``joining`` or ``lost``."""

    @property
    def state(self) -> State:
        """What the daemon last said."""

    @property
    def seq(self) -> int:
        """The last frame in ``state``."""

    @property
    def age_s(self) -> float:
        """Seconds since the last frame."""


class _Kept(NamedTuple):
    seq: int
    data: bytes


@dataclass(slots=True)
class StreamCounters:
    """For ``/metrics``."""

    opened: int = 0
    snapshots: int = 0
    replays: int = 0
    overrun: int = 0
    frames: int = 0


@dataclass(slots=True, eq=False)
class _Tab:
    waiting: deque[bytes] = field(default_factory=deque)
    size: int = 0
    behind: bool = False
    """It lost something: the next that it reads is a snapshot."""
    after: int = -1
    """The frame that its snapshot includes."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Stream:
    """The tabs that watch one daemon. All methods belong to one event loop."""

    def __init__(self, source: Source, *, wall: Callable[[], float] = time.time) -> None:
        self._source = source
        self._wall = wall
        self._epoch = secrets.token_hex(4)
        self._ring: deque[_Kept] = deque()
        self._ring_bytes = 0
        self._floor = 0
        """Every frame of this epoch above it is in the ring."""
        self._told = Tail()
        self._seen = 0
        """The last frame that was taken in here; the state may be a moment ahead."""
        self._tabs: set[_Tab] = set()
        self._ended = False
        self._snapshot: tuple[str, int, bytes] = ("", -1, b"")
        self.counters = StreamCounters()

    @property
    def tabs(self) -> int:
        """Browsers that listen now."""
        return len(self._tabs)

    # what happens

    def joined(self, seq: int, tail: "list[Frame]") -> None:
        """A snapshot of the daemon replaced what was known; it includes frame ``seq``."""
        self._epoch = secrets.token_hex(4)
        self._ring.clear()
        self._ring_bytes = 0
        self._floor = seq
        self._told.clear()
        for frame in tail:
            if frame.header.seq <= seq and _reads_like_a_log(frame):
                document = self._frame_document(frame)
                self._told.add(document, len(json_bytes(document)))
        self._seen = seq
        for tab in self._tabs:
            self._restart(tab)

    def frame(self, frame: Frame) -> None:
        """One frame was applied."""
        self._seen = frame.header.seq
        if frame.topic.startswith("process.") and frame.topic.endswith(".log"):
            return
        seq = frame.header.seq
        document = self._frame_document(frame)
        data = event("frame", document, id=f"{self._epoch}-{seq}")
        if _reads_like_a_log(frame):
            self._told.add(document, len(data))
        self.counters.frames += 1
        self._ring.append(_Kept(seq, data))
        self._ring_bytes += len(data)
        while len(self._ring) > RING_FRAMES or self._ring_bytes > RING_BYTES:
            oldest = self._ring.popleft()
            self._ring_bytes -= len(oldest.data)
            self._floor = oldest.seq
        for tab in self._tabs:
            if seq > tab.after:
                self._give(tab, data)

    def connection_changed(self, reason: str = "") -> None:
        """The link to the daemon got better or worse."""
        source = self._source
        document = {
            "daemon": source.name,
            "connection": source.connection,
            "ageSeconds": age_seconds(source.age_s),
            "reason": reason,
        }
        self._tell_all(event("connection", document))

    def changed(self, what: str) -> None:
        """What a page asks for by itself has changed."""
        self._tell_all(event("changed", {"what": what}))

    def heartbeat(self) -> None:
        """Every five seconds, so that a browser can tell silence from a lost connection."""
        self._tell_all(event("heartbeat", {"now": iso(self._wall())}))

    def end(self) -> None:
        """The gateway stops: no tab keeps it waiting."""
        self._ended = True
        for tab in self._tabs:
            tab.woken.set()

    # the tabs

    async def follow(self, last_event_id: str = "") -> AsyncIterator[bytes]:
        """The events of one tab, in chunks, for as long as it reads them."""
        tab = _Tab()
        self._tabs.add(tab)
        self.counters.opened += 1
        try:
            if not self._replay(tab, last_event_id):
                self._restart(tab)
            while not self._ended:
                await tab.woken.wait()
                tab.woken.clear()
                if tab.behind:
                    await self._catch_up()
                if chunk := self._take(tab):
                    yield chunk
        finally:
            self._tabs.discard(tab)

    async def _catch_up(self) -> None:
        """Let the frames that the state has already been taken in, or the tail of a snapshot would lack them."""
        for _ in range(3):
            if self._source.seq <= self._seen:
                return
            await asyncio.sleep(0)

    def _replay(self, tab: _Tab, last_event_id: str) -> bool:
        """Queue what the ring has after that id; False if it has not all of it."""
        epoch, _, digits = last_event_id.rpartition("-")
        if epoch != self._epoch or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            return False
        seen = int(digits)
        if not self._floor <= seen <= max(self._source.seq, self._floor):
            return False
        tab.after = seen
        self.counters.replays += 1
        self._give(tab, event("connection", self._connection()))
        for kept in self._ring:
            if kept.seq > seen:
                self._give(tab, kept.data)
        return True

    def _take(self, tab: _Tab) -> bytes:
        if tab.behind:
            tab.behind = False
            tab.after = self._source.seq
            return self._fresh_snapshot()
        chunk = b"".join(tab.waiting)
        tab.waiting.clear()
        tab.size = 0
        return chunk

    def _give(self, tab: _Tab, data: bytes) -> None:
        if tab.behind:
            return
        if tab.size + len(data) > TAB_BYTES:
            self.counters.overrun += 1
            self._restart(tab)
            return
        tab.waiting.append(data)
        tab.size += len(data)
        tab.woken.set()

    def _restart(self, tab: _Tab) -> None:
        tab.waiting.clear()
        tab.size = 0
        tab.behind = True
        tab.woken.set()

    def _tell_all(self, data: bytes) -> None:
        for tab in self._tabs:
            self._give(tab, data)

    # what is sent

    def _connection(self) -> dict[str, Any]:
        source = self._source
        return {"daemon": source.name, "connection": source.connection, "ageSeconds": age_seconds(source.age_s)}

    def _fresh_snapshot(self) -> bytes:
        source = self._source
        self.counters.snapshots += 1
        if self._snapshot[:2] != (self._epoch, source.seq) or source.connection != "live":
            document = {
                **self._connection(),
                "state": source.state.to_wire(),
                "tail": self._told.documents(),
            }
            data = event("snapshot", document, id=f"{self._epoch}-{source.seq}")
            self._snapshot = (self._epoch, source.seq, data)
        return self._snapshot[2]

    def _frame_document(self, frame: Frame) -> dict[str, Any]:
        header = frame.header
        return {
            "daemon": self._source.name,
            "topic": frame.topic,
            "seq": header.seq,
            "at": iso(header.wall_ts),
            "body": frame.body,
        }


def event(name: str, document: Any, *, id: str | None = None) -> bytes:  # noqa: A002 -- the format's own word
    """One Server-Sent Event (WHATWG HTML, section 9.2) with JSON as its data."""
    return format_sse_event(event=name, data_str=json_bytes(document).decode(), id=id)


def _reads_like_a_log(frame: Frame) -> bool:
    return frame.topic.startswith(_TOLD) and frame.topic != FAULT_COUNTDOWN
