"""The docker worker as the daemon sees it: asked for what is to be done, listened to, its news handed on.

It runs only for a subject whose servers are containers, from the moment that subject knows which ones they are.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operatord.bus.ingest import Ingest
from operatord.processes.table import ProcessTable

WORKER = "docker"
STATE, PROGRESS = "container.state", "container.progress"
LOOKERS = ("monitor", "agent")
"""Workers whose probes want to know what the engine says."""

_READY_S = 30.0
_TELL_S = 2.0
_AGAIN_S = 0.1
_TOLD = ("state", "exit_code", "oom_killed", "since_at")


class ContainerDesk:
    """``Engine`` of a subject, through the worker."""

    def __init__(
        self,
        ingest: Ingest,
        processes: Callable[[], ProcessTable],
        pass_for_workers: Callable[[], Body],
        log: Callable[[str], None],
        *,
        on_back: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_back`` is called when the engine answers again after it was lost."""
        self._ingest = ingest
        self._processes = processes
        self._pass = pass_for_workers
        self._log = log
        self._on_back = on_back
        self._spec: Body | None = None
        self._states: dict[str, Body] = {}
        self._trouble = ""
        """What is wrong with the engine; empty while it answers."""
        self._version = 0
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._bringing_up = 0

    def configuration(self) -> Body | None:
        """What the worker is told when it starts, or starts anew."""
        return self._spec

    async def open(self, spec: Mapping[str, Any]) -> None:
        """Have the worker run for this project. Raises ``DeadlineExceeded`` when it does not come up."""
        processes = self._processes()
        known = self._spec is not None
        self._spec = dict(spec)
        if known:
            await processes.restart(WORKER)
        else:
            args = {"name": WORKER, "module": f"operatord.workers.{WORKER}.worker", **self._pass()}
            processes.add_worker(WORKER, "operatord.workers.runtime:run", args)
            await processes.start_worker(WORKER)
        await processes.wait_ready([WORKER], _READY_S)

    async def ask(self, cmd: str, args: Mapping[str, Any], *, timeout_s: float = 40.0) -> Mapping[str, Any]:
        """Have it done. What a long command says meanwhile goes to the log."""
        self._bringing_up += cmd == "up"
        try:
            return await self._ingest.request(WORKER, cmd, args, timeout_s=timeout_s)
        finally:
            self._bringing_up -= cmd == "up"

    def see(self, topic: str, body: Body) -> None:
        """Take in a frame."""
        if topic == PROGRESS and self._bringing_up:
            self._log(str(body.get("line", "")))
        elif topic == STATE and isinstance(found := body.get("containers"), Mapping):
            states = {str(name): {key: about.get(key) for key in _TOLD} for name, about in found.items()}
            before, self._trouble = self._trouble, _trouble(body)
            self._learn(states)
            if before and not self._trouble:
                self._on_back()

    def lost(self) -> None:
        """The worker ended: what it said may not be true any more."""
        self._learn({})

    def introduce(self, worker: str) -> None:
        """A worker that has just been configured knows nothing yet."""
        if self._spec is not None and worker in LOOKERS:
            self._tell([worker])

    async def close(self) -> None:
        """Tell nobody any more."""
        for task in self._telling.values():
            task.cancel()
        await asyncio.gather(*self._telling.values(), return_exceptions=True)

    def _learn(self, states: dict[str, Body]) -> None:
        self._states = states
        self._version += 1
        self._tell(worker for worker in LOOKERS if self._ingest.is_connected(worker))

    def _tell(self, workers: Iterable[str]) -> None:
        for worker in workers:
            running = self._telling.get(worker)
            if running is None or running.done():
                self._telling[worker] = asyncio.create_task(self._tell_one(worker), name=f"tell {worker}")

    async def _tell_one(self, worker: str) -> None:
        """Until it knows the newest; one that is just starting does not take it yet."""
        told = -1
        while told != self._version:
            version, told_now = self._version, {"states": dict(self._states), "trouble": self._trouble}
            with contextlib.suppress(OperatorError):
                await self._ingest.request(worker, "containers", told_now, timeout_s=_TELL_S)
                told = version
                continue
            await asyncio.sleep(_AGAIN_S)
            if not self._ingest.is_connected(worker):
                return  # its successor will be introduced


def _trouble(body: Body) -> str:
    """What the worker says is wrong with the engine, in one line."""
    if body.get("engine") != "down":
        return ""
    return " ".join(str(body.get("reason") or "").split()) or "it does not answer"
