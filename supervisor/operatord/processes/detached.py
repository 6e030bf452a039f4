"""The subject's servers without a daemon: for ``operatord recover``, which undoes what is owed and goes away.

What it starts gets a session of its own and outlives it; what it stops, it knows from the records of the daemon.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from operator_protocol.errors import Conflict, NotFound, Unavailable
from operatord import procfs
from operatord.processes.commands import ChildCommands
from operatord.processes.groups import end_group, signal_process
from operatord.processes.records import ServerRecord, ServerRecords
from operatord.processes.spawn import Spawned, spawn
from operatord.procfs import ProcessId


class DetachedServers:
    """The ``Servers`` of ``subjects.base``, on top of the records alone: nothing is supervised, output is discarded."""

    def __init__(self, records: ServerRecords) -> None:
        self._records = records
        self._children: dict[int, Spawned] = {}
        self.commands = ChildCommands()

    async def launch(self, name: str, argv: Sequence[str], *, cwd: Path | None = None, guarded: bool = False) -> int:
        """Start ``name`` and return its pid. Raises ``Conflict`` if it runs already, ``Unavailable`` if exec fails.

        What has to be ``guarded`` is refused: nobody stays here who could guard it.
        """
        if guarded:
            raise Unavailable(f"{name} would be left behind", "start the daemon for that")
        running = self.pid(name)
        if running is not None:
            raise Conflict(f"{name} runs already, as process {running}")
        spawned = spawn(argv, cwd=cwd, output="discard", death_signal=None, new_session=True)
        spawned.settle()
        self._children[spawned.pid] = spawned
        self._records.add(ServerRecord(name, *spawned.id, argv=list(argv), cwd=None if cwd is None else str(cwd)))
        return spawned.pid

    async def terminate(self, name: str, *, timeout_s: float = 5.0) -> None:
        """TERM, then KILL after ``timeout_s``, until the group is empty. Not running is success."""
        record = self._records.get(name)
        if record is not None and await end_group(record.id, timeout_s=timeout_s, reap=self._reap):
            self._records.remove(name)

    def signal(self, name: str, signum: int) -> None:
        """Signal the process (never a recycled pid). Raises ``NotFound`` if it is not running."""
        process = self._running(name)
        if process is None or not signal_process(process, signum):
            raise NotFound(f"{name} is not running")

    def pid(self, name: str) -> int | None:
        """The pid of ``name`` while it runs."""
        process = self._running(name)
        return None if process is None else process.pid

    def start_time(self, name: str) -> float | None:
        """Kernel start time of ``name`` in clock ticks since boot while it runs."""
        process = self._running(name)
        return None if process is None else process.start_time

    def _running(self, name: str) -> ProcessId | None:
        record = self._records.get(name)
        return record.id if record is not None and procfs.is_alive(record.id) else None

    def _reap(self) -> None:
        """Those started here are children of this process until it ends."""
        for pid in list(self._children):
            with suppress(ChildProcessError):
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is None:
                    continue
            del self._children[pid]
