"""The load as the daemon sees it: wanted or not, at what rate; the ``ycsb`` worker does it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.records import to_body
from operator_protocol.state import State
from operatord.bus.ingest import Ingest
from operatord.subjects.base import SubjectControl, WorkloadSource

WORKER = "ycsb"
_START_TIMEOUT_S = 30.0
_REQUEST_TIMEOUT_S = 10.0


class LoadDesk:
    """Starts, stops and paces the load, and has it come back when its worker was replaced."""

    def __init__(self, ingest: Ingest, subject: SubjectControl, state: Callable[[], State]) -> None:
        self._ingest = ingest
        self._subject = subject
        self._state = state
        self._wanted: WorkloadSource | None = None
        self._rate: float | None = None
        self._broken: set[str] = set()
        """Ids of faults that are in force: what is normal for the load is not measured meanwhile."""
        self._telling: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        """A stop that comes during a start waits for it, or the two would disagree on what is wanted."""
        self._pending: asyncio.Task[None] | None = None
        """A start that waits for its time."""

    @property
    def running(self) -> bool:
        """Whether the load is wanted."""
        return self._wanted is not None

    @property
    def rate(self) -> float | None:
        """The target rate of the load that runs, in operations per second; None when none does, or it has none."""
        return (self._rate or None) if self.running else None

    def configuration(self) -> Body:
        """What a new ``ycsb`` worker is told: the source to take up again, if there is one."""
        return {
            "source": to_body(self._wanted) if self._wanted is not None else None,
            "rate": self._rate,
            "disturbed": bool(self._broken),
        }

    def see(self, topic: str, body: Body) -> None:
        """Take in a frame: from ``fault.`` it learns whether the subject is disturbed."""
        if not topic.startswith("fault.") or "id" not in body:
            return
        before = bool(self._broken)
        (self._broken.add if body.get("owed") else self._broken.discard)(str(body["id"]))
        if bool(self._broken) != before and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell())

    async def start(self, rate: float | None = None) -> None:
        """Start the load, or pace it when it runs. Raises ``Unavailable`` if its worker cannot."""
        if self._wanted is not None:
            if rate is not None:
                await self.pace(rate)
            return
        async with self._turn:
            await self._start(rate)

    async def start_after(
        self, due: Callable[[], Awaitable[None]], log: Callable[[str], None], *, patience_s: float = 5.0
    ) -> None:
        """Start the load as soon as ``due()`` is done. Returns when it runs, or without it after ``patience_s``.

        Raises ``Unavailable`` like ``start``; an error that comes later goes to the log.
        """

        async def start() -> None:
            await due()
            await self.start()

        pending = self._pending = asyncio.create_task(start())
        done, _ = await asyncio.wait([pending], timeout=patience_s)
        if done:
            await pending
            return
        log("the load starts as soon as the cluster is healthy")

        def late(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and task.exception() is not None:
                log(f"the load could not be started: {task.exception()}")

        pending.add_done_callback(late)

    async def _start(self, rate: float | None) -> None:
        source = self._subject.workload()
        self._rate = rate or source.rate
        await self._ingest.request(
            WORKER, "start", {"source": to_body(source), "rate": self._rate}, timeout_s=_START_TIMEOUT_S
        )
        self._wanted = source

    async def _tell(self) -> None:
        """Tell the worker until it knows how it is now; a new worker is told with its configuration."""
        told: bool | None = None
        while told != bool(self._broken) and self._ingest.is_connected(WORKER):
            told = bool(self._broken)
            with contextlib.suppress(OperatorError):
                await self._ingest.request(WORKER, "disturbed", {"disturbed": told}, timeout_s=_REQUEST_TIMEOUT_S)

    async def stop(self) -> None:
        """Stop the load; not running is success."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        async with self._turn:
            self._wanted = None
            if self._ingest.is_connected(WORKER):
                await self._ingest.request(WORKER, "stop", {}, timeout_s=_REQUEST_TIMEOUT_S)

    async def pace(self, rate: float) -> None:
        """Change the target rate, in operations per second."""
        if self._wanted is None:
            raise Unavailable("no load is running", "start it with: operatorctl workload start")
        await self._ingest.request(WORKER, "rate", {"ops_per_sec": rate}, timeout_s=_REQUEST_TIMEOUT_S)
        self._rate = rate

    def status(self) -> Body:
        """``{running, rate, command, sample}``; the sample is the last one of a load that runs."""
        window = self._state().workload
        return {
            "running": self.running,
            "rate": self.rate,
            "command": self._wanted.description if self._wanted else "",
            "sample": to_body(window[-1]) if window and self.running else None,
        }
