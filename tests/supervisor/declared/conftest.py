"""Declared processes on a real process table in this process, with a record of all that was published."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
from tests import ports

from operator_protocol.models import ProcessState
from operatord.config import load_config
from operatord.declared.starter import DeclaredProcesses
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable


class Host:
    """What the daemon does with a table and the declared processes, and nothing else."""

    def __init__(self, directory: Path, text: str) -> None:
        self.directory = directory
        file = directory / "operatord.toml"
        file.write_text(text)
        self.states: list[ProcessState] = []
        self.lines: list[tuple[str, str]] = []
        self.said: list[str] = []
        self._moved = asyncio.Event()
        self.table = ProcessTable(
            on_state=self._state, on_log=self._log, records=ServerRecords(directory / "servers.json")
        )
        self.declared = DeclaredProcesses(
            load_config(str(file), to_start=True).process, self.table, self.table.commands, log=self.said.append
        )

    def _state(self, state: ProcessState) -> None:
        self.states.append(state)
        self.declared.see(state)
        self._moved.set()

    def _log(self, name: str, _stream: str, line: str, _dropped: int) -> None:
        self.lines.append((name, line))
        self.declared.said(name, line)
        self._moved.set()

    async def until(self, condition: Callable[[], object], what: str, *, timeout_s: float = 30.0) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._moved.clear()
                    try:
                        await asyncio.wait_for(self._moved.wait(), 0.02)
                    except TimeoutError:
                        continue
        except TimeoutError:
            pytest.fail(f"waited {timeout_s:g} s for {what}; {self.table.states()}")

    async def until_phase(self, name: str, phase: str) -> ProcessState:
        await self.until(lambda: self.table.state(name).state == phase, f"{name} to be {phase}")
        return self.table.state(name)

    def pid(self, name: str) -> int:
        pid = self.table.pid(name)
        assert pid is not None
        return pid

    def phases(self, name: str) -> list[str]:
        """Each phase once, in order."""
        phases: list[str] = []
        for state in self.states:
            if state.name == name and phases[-1:] != [state.state]:
                phases.append(state.state)
        return phases

    def order(self, phase: str) -> list[str]:
        """Who came to ``phase``, in the order of the first time."""
        return list(dict.fromkeys(one.name for one in self.states if one.state == phase and one.kind == "declared"))

    def reasons(self, name: str) -> list[str]:
        return [state.reason for state in self.states if state.name == name]


class Declare(Protocol):
    """Starts what the text declares; everything is stopped at the end."""

    def __call__(self, text: str) -> AbstractAsyncContextManager[Host]: ...


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    @asynccontextmanager
    async def make(text: str) -> AsyncIterator[Host]:
        host = Host(tmp_path, text.replace("PYTHON", sys.executable))
        await host.table.start()
        try:
            host.declared.start()
            yield host
        finally:
            await host.declared.stop()
            await host.table.stop_all()

    return make


@pytest.fixture
def free_port() -> int:
    return ports.free_port()
