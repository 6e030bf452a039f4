"""The asyncio client: the same link, waiting on the event loop."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Self

import zmq

from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import OperatorError
from operator_protocol.events import Event, Outcome, Status
from operator_protocol.frames import Frame
from operator_protocol.link import Link
from operator_protocol.requests import unreachable
from operator_protocol.state import State

_TICK_S = 0.25
_MAX_QUEUED_EVENTS = 100_000
"""Events kept for a slow ``events`` loop; the oldest go first, the state stays right."""


class AsyncFollower:
    """Follows one daemon from a running event loop: ``async with AsyncFollower(endpoint) as follower``."""

    def __init__(self, endpoint: Endpoint, *, topics: Iterable[str] | None = None, actor: str | None = None) -> None:
        self.endpoint = endpoint
        self._topics = topics
        self._actor = actor
        self._events: deque[Event] = deque(maxlen=_MAX_QUEUED_EVENTS)
        self._happened = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[Body]] = {}
        self._link: Link | None = None
        self._refused: OperatorError | None = None
        self._ticker: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._link = Link(self.endpoint, topics=self._topics, actor=self._actor)
        loop = asyncio.get_running_loop()
        for socket in (self._link.frames, self._link.control):
            loop.add_reader(int(socket.getsockopt(zmq.FD)), self._pump)
        self._tick()
        return self

    async def __aexit__(self, *exc: object) -> None:
        link = self._opened()
        loop = asyncio.get_running_loop()
        if self._ticker is not None:
            self._ticker.cancel()
        for socket in (link.frames, link.control):
            loop.remove_reader(int(socket.getsockopt(zmq.FD)))
        for future in self._waiting.values():
            future.cancel()
        link.close()
        self._link = None

    @property
    def state(self) -> State:
        """What the daemon last said; replaced by a new object at each resync."""
        return self._opened().mirror.state

    @property
    def status(self) -> Status:
        """How good the link is."""
        return self._opened().mirror.status

    @property
    def boot_id(self) -> str | None:
        """The daemon's boot that the state belongs to."""
        return self._opened().mirror.boot_id

    @property
    def seq(self) -> int:
        """Sequence number of the last frame that was applied to the state."""
        return self._opened().mirror.seq

    @property
    def snapshot_seq(self) -> int:
        """Sequence number of the last frame that the last snapshot included."""
        return self._opened().mirror.snapshot_seq

    def age_s(self) -> float:
        """Seconds since the last frame; infinite before the first."""
        last = self._opened().mirror.last_frame_mono
        return float("inf") if last is None else time.monotonic() - last

    @property
    def tail(self) -> deque[Frame]:
        """Recent frames, oldest first."""
        return self._opened().mirror.tail

    async def join(self, timeout_s: float) -> None:
        """Wait until the state is live.

        Raises ``DaemonUnreachable`` after ``timeout_s`` seconds, or as soon as the daemon refuses our key;
        ``VersionMismatch`` if it speaks another version.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.status != "live" and self._refusal() is None:
                    self._happened.clear()
                    await self._happened.wait()
        if (refused := self._refusal()) is not None:
            raise refused
        if self.status != "live":
            raise unreachable(self.endpoint)

    async def perform(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 60.0) -> Body:
        """Send a command and wait for its outcome, that of a long one included. Raises its typed error."""
        if self._refused is not None:
            raise self._refused
        future: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._waiting[self._opened().call(cmd, args, deadline_s)] = future
        self._pump()
        return await future

    async def events(self) -> AsyncIterator[Event]:
        """What happens, in order, for ever; one loop at a time.

        Raises ``DaemonUnreachable`` if the daemon refuses our key, or does so from now on: waiting would not help.
        """
        while True:
            while self._events:
                yield self._events.popleft()
            if self._refused is not None:
                raise self._refused
            self._happened.clear()
            await self._happened.wait()

    def _opened(self) -> Link:
        if self._link is None:
            raise RuntimeError("AsyncFollower is used outside of `async with`")
        return self._link

    def _refusal(self) -> OperatorError | None:
        return self._refused or self._opened().mirror.refused

    def _tick(self) -> None:
        # First the next one: a defect in this round must not end the heartbeats and the resyncs.
        self._ticker = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        self._pump()

    def _pump(self) -> None:
        link = self._link
        if link is None:
            return
        events = link.pump()
        for event in events:
            if isinstance(event, Outcome) and (future := self._waiting.pop(event.id, None)) is not None:
                _settle(future, event)
            else:
                self._events.append(event)
        if self._refused is None and (refused := link.refusal()) is not None:
            self._refused = refused
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(refused)
            self._waiting.clear()
            self._happened.set()
        if events or link.mirror.refused is not None:
            self._happened.set()
        # ZeroMQ's descriptor is edge-triggered: what a batch left behind would not wake the loop again.
        if link.more_is_waiting():
            asyncio.get_running_loop().call_soon(self._pump)


def _settle(future: "asyncio.Future[Body]", outcome: Outcome) -> None:
    if future.done():
        return
    if outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.result or {})
