"""A process table in this process, with a record of all it said."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from operator_protocol.models import ProcessState
from operatord.processes.backoff import BackoffPolicy
from operatord.processes.records import ServerRecords
from operatord.processes.supervision import Policies
from operatord.processes.table import ProcessTable

HERE = Path(__file__).parent

QUICK = Policies(backoff=BackoffPolicy(base_s=0.02, cap_s=0.1))


class Host:
    """The table and what it published; waits for things with a deadline."""

    def __init__(self, records: ServerRecords, policies: Policies, *, keep_servers: bool) -> None:
        self.clock_ahead_s = 0.0
        self.states: list[ProcessState] = []
        self.logs: list[tuple[str, str, str, int]] = []
        self.exits: list[tuple[str, ProcessState]] = []
        self._moved = asyncio.Event()
        self.records = records
        self.table = ProcessTable(
            on_state=self._state,
            on_log=self._log,
            records=records,
            keep_servers=keep_servers,
            policies=policies,
            clock=lambda: time.monotonic() + self.clock_ahead_s,
        )
        self.table.on_exit(lambda name, state: self.exits.append((name, state)))

    def _state(self, state: ProcessState) -> None:
        self.states.append(state)
        self._moved.set()

    def _log(self, name: str, stream: str, line: str, dropped: int) -> None:
        self.logs.append((name, stream, line, dropped))
        if line == "ready":
            self.table.mark_ready(name)
        if line == "beat":
            self.table.beat(name)
        self._moved.set()

    async def until(self, condition: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
        """Wait until ``condition`` holds; looks again whenever something happened."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._moved.clear()
                try:
                    await asyncio.wait_for(self._moved.wait(), 0.02)
                except TimeoutError:
                    continue

    async def worker(self, name: str, body: str, **args: object) -> int:
        """Add a worker, start it, wait until it is ready; its pid."""
        self.table.add_worker(name, f"process_bodies:{body}", args)
        await self.table.start_worker(name)
        await self.table.wait_ready([name], 15)
        return self.pid(name)

    def pid(self, name: str) -> int:
        pid = self.table.pid(name)
        assert pid is not None
        return pid

    def lines(self, name: str, stream: str = "stdout") -> list[str]:
        return [line for who, where, line, _ in self.logs if (who, where) == (name, stream)]

    def phases(self, name: str) -> list[str]:
        return [state.state for state in self.states if state.name == name]


class MakeHost(Protocol):
    """Makes a running ``Host``; everything is stopped at the end."""

    def __call__(
        self, policies: Policies = QUICK, *, keep_servers: bool = False
    ) -> AbstractAsyncContextManager[Host]: ...


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeHost:
    """Call it within ``async with`` to get a running ``Host``."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))

    @asynccontextmanager
    async def make(policies: Policies = QUICK, *, keep_servers: bool = False) -> AsyncIterator[Host]:
        running = Host(ServerRecords(tmp_path / "servers.json"), policies, keep_servers=keep_servers)
        await running.table.start()
        try:
            yield running
        finally:
            await running.table.stop_all()

    return make
