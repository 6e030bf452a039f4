"""The daemon's own workers: which there are, what each needs before it may start, and their end."""

import asyncio

from operator_protocol.codec import Body
from operatord.processes.table import ProcessTable
from operatord.readiness import Milestones, start_in_order

WORKERS = ("monitor", "agent", "ycsb")
PRELOADED = (
    "operatord.workers.runtime",
    *(f"operatord.workers.{name}.worker" for name in WORKERS),
    "operatord.subjects.valkey.probe",
)
"""Imported once by the fork server, so that a worker that is replaced need not."""
WARM_UP = "operatord.workers.runtime:warm_up"

OBSERVED = "observed"
"""Milestone: the monitor has looked at the subject."""
HEALTHY = "healthy"
"""Milestone: and found it healthy."""

_NEEDS: dict[str, tuple[str, ...]] = {"monitor": (), "ycsb": (), OBSERVED: ("monitor",), "agent": (OBSERVED,)}
"""An agent that starts before there is anything to see would answer from nothing."""
_READY_S = 15.0


class Workforce:
    """Starts and stops the workers of one daemon on its process table."""

    def __init__(self, processes: ProcessTable, milestones: Milestones) -> None:
        self._processes = processes
        self._milestones = milestones

    def add(self, args: Body) -> None:
        """Enter them into the table; ``args`` is what ``operatord.workers.runtime`` needs besides their names."""
        for name in WORKERS:
            module = f"operatord.workers.{name}.worker"
            self._processes.add_worker(name, "operatord.workers.runtime:run", {"name": name, "module": module, **args})

    async def start(self) -> None:
        """Start each when what it needs is ready; returns when all are. Raises the first error."""
        failed = await start_in_order(_NEEDS, self._bring_up)
        for error in failed.values():
            raise error

    async def stop(self) -> None:
        """Stop them side by side; not added is fine."""
        known = {state.name for state in self._processes.states()}
        await asyncio.gather(*(self._processes.stop(name) for name in WORKERS if name in known))

    async def _bring_up(self, name: str) -> None:
        if name == OBSERVED:
            await self._milestones.wait(name, _READY_S)
            return
        await self._processes.start_worker(name)
        await self._processes.wait_ready([name], _READY_S)
