"""The daemons that the gateway follows, by name: what each last said, and commands to it."""

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from operator_clients.web.errors import ApiError
from operator_clients.web.stream import HEARTBEAT_S, Stream
from operator_protocol.aio import AsyncFollower
from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import BadRequest, DeadlineExceeded, OperatorError
from operator_protocol.events import FrameSeen, Joined, Resynced, Status, StatusChanged
from operator_protocol.frames import Frame
from operator_protocol.models import ChapterState
from operator_protocol.records import from_body, to_body
from operator_protocol.requests import default_actor
from operator_protocol.state import State

Connection = Literal["live", "joining", "lost"]
_CONNECTION: Mapping[Status, Connection] = {"joining": "joining", "live": "live", "stale": "lost", "lost": "lost"}
_REFUSED_AGAIN_S = 15.0
"""A key that is refused may be admitted later; ZeroMQ does not try again by itself."""
_GRACE_S = 2.0
"""On top of a command's own deadline: the daemon's word that it is over says more than ours."""
_log = logging.getLogger("operator_web")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@\[\]-]{0,63}")


class DaemonAddress(NamedTuple):
    """Where a daemon is, and what it is called on the pages."""

    name: str
    endpoint: Endpoint


class Daemon:
    """One daemon: its mirror, its stream to the browsers, and commands to it."""

    def __init__(self, address: DaemonAddress) -> None:
        self.name = address.name
        self.endpoint = address.endpoint
        self.stream = Stream(self)
        self.dropped: dict[str, int] = {}
        """Of its last heartbeat; so are the next two."""
        self.subscribers = 0
        self.uptime_s = 0.0
        self.frames = 0
        """Frames that arrived here since the start of the gateway."""
        self.resyncs = 0
        self._follower: AsyncFollower | None = None
        self._refused = ""
        self._stopping = False
        self._titles: dict[int, str] = {}
        self._last_state = State()
        self._last_seq = 0

    @property
    def connection(self) -> Connection:
        """How good the link is."""
        if self._refused or self._follower is None:
            return "lost" if self._refused else "joining"
        return _CONNECTION[self._follower.status]

    @property
    def state(self) -> State:
        """What it last said; empty before the first snapshot."""
        return self._last_state if self._follower is None else self._follower.state

    @property
    def seq(self) -> int:
        """The last frame in ``state``."""
        return self._last_seq if self._follower is None else self._follower.seq

    @property
    def age_s(self) -> float:
        """Seconds since its last frame; infinite before the first."""
        return math.inf if self._follower is None else self._follower.age_s()

    @property
    def boot_id(self) -> str:
        """Of the daemon that was last seen; empty before."""
        return (self._follower.boot_id if self._follower else None) or ""

    def chapters(self) -> dict[str, Any]:
        """The chapters of its story, with the titles that were seen."""
        current = self.state.demo
        if current is not None:
            self._titles[current.index] = current.title
        total = current.total if current is not None else 0
        return {
            "chapters": [{"index": index, "title": self._titles.get(index)} for index in range(total)],
            "current": to_body(current) if current is not None else None,
        }

    @property
    def takes_commands(self) -> bool:
        """False behind a key that may only read."""
        return self.endpoint.curve is None or self.endpoint.curve.role == "control"

    async def perform(self, cmd: str, args: Mapping[str, Any] | None = None, *, deadline_s: float = 10.0) -> Body:
        """Send a command and wait for its outcome, that of a long one included.

        Raises its typed error, ``ApiError`` 503 when the daemon does not answer, ``DeadlineExceeded``.
        """
        follower = self._follower
        if follower is None or self.connection != "live":
            raise self._unreachable()
        try:
            async with asyncio.timeout(deadline_s + _GRACE_S):
                return await follower.perform(cmd, args, deadline_s=deadline_s)
        except TimeoutError:
            raise DeadlineExceeded(f"{cmd}: no answer within {deadline_s:g} s", "what was begun goes on") from None
        except asyncio.CancelledError:
            if follower is self._follower:
                raise
            raise self._unreachable() from None  # the link was closed under the command, not its caller

    async def run(self) -> None:
        """Follow it for ever."""
        while True:
            try:
                await self._follow()
            except OperatorError as error:
                self._refused = error.message
            except Exception as error:
                # A defect here must not leave the pages without this daemon for as long as the gateway runs.
                _log.exception("following %s failed; it is tried again", self.name)
                self._refused = f"following it failed: {type(error).__name__}"
            self.stream.connection_changed(self._refused)
            await asyncio.sleep(_REFUSED_AGAIN_S)
            self._refused = ""

    async def _follow(self) -> None:
        async with AsyncFollower(self.endpoint, actor=f"web {default_actor()}") as follower:
            self._follower = follower
            try:
                async for event in follower.events():
                    if isinstance(event, FrameSeen):
                        self._frame(event.frame)
                    elif isinstance(event, Joined | Resynced):
                        self.resyncs += isinstance(event, Resynced)
                        self.stream.joined(follower.snapshot_seq, list(follower.tail))
                        self.stream.connection_changed(event.reason if isinstance(event, Resynced) else "joined")
                    elif isinstance(event, StatusChanged) and event.status != "live":
                        self.stream.connection_changed(f"the daemon is {event.status}")
            finally:
                self._last_state, self._last_seq, self._follower = follower.state, follower.seq, None

    def _frame(self, frame: Frame) -> None:
        self.frames += 1
        topic, body = frame.topic, frame.body
        if topic == "heartbeat":
            self.dropped = {str(key): value for key, value in _map(body.get("dropped")).items() if _is_count(value)}
            self.subscribers = body["subscribers"] if _is_count(body.get("subscribers")) else 0
            uptime = body.get("uptime")
            self.uptime_s = float(uptime) if isinstance(uptime, int | float) else 0.0
        elif topic == "demo.chapter":
            # Of the frame: the state may be at a later chapter already.
            with contextlib.suppress(BadRequest):
                chapter = from_body(ChapterState, body)
                self._titles[chapter.index] = chapter.title
        self.stream.frame(frame)
        if topic.startswith("devops."):
            self.stream.changed("devops")

    def stop(self) -> None:
        """The gateway ends: no tab and no command keeps it waiting."""
        self._stopping = True
        self.stream.end()

    def _unreachable(self) -> ApiError:
        if self._stopping:
            return ApiError(503, "stopping", "the gateway stops", "what was begun goes on")
        why = self._refused or f"no daemon answers at {self.endpoint.label}"
        return ApiError(503, "daemon_unreachable", why, "start one with: operatord start")


class Daemons:
    """All of them; the first is meant where none is named."""

    def __init__(self, addresses: Iterable[DaemonAddress]) -> None:
        self._by_name = {address.name: Daemon(address) for address in addresses}
        self._tasks: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[Daemon]:
        return iter(self._by_name.values())

    def choose(self, name: str | None = None) -> Daemon:
        """The daemon of that name, or the first. Raises ``ApiError`` 404 with the names there are."""
        if not name:
            name = next(iter(self._by_name), "")
        daemon = self._by_name.get(name)
        if daemon is None:
            known = ", ".join(self._by_name) or "none"
            raise ApiError(404, "not_found", "this gateway follows no daemon of that name", f"known: {known}")
        return daemon

    def stop(self) -> None:
        """The gateway ends: streams do, and commands under way are answered that it does."""
        for daemon in self:
            daemon.stop()
        for task in self._tasks:
            task.cancel()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow them all."""
        self._tasks = [asyncio.create_task(daemon.run(), name=f"follow {daemon.name}") for daemon in self]
        self._tasks.append(asyncio.create_task(self._beat(), name="heartbeats"))
        try:
            yield
        finally:
            self.stop()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for daemon in self:
                daemon.stream.heartbeat()


def is_daemon_name(name: str) -> bool:
    """What may stand in a query string, a label of a metric and a page."""
    return _NAME.fullmatch(name) is not None


def _map(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
