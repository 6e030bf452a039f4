"""A real cluster under a real process table, with a fault desk over it, and what measures a server from outside."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from operator_protocol.codec import Body
from operator_protocol.models import Node, ProcessState
from operatord.faults.desk import FaultDesk
from operatord.faults.undo_journal import UndoJournal
from operatord.injectors.base import Injector
from operatord.injectors.local import local_injectors
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable
from operatord.subjects.base import Observation
from operatord.subjects.valkey.control import ValkeyControl
from operatord.subjects.valkey.probe import ValkeyProbe
from operatord.subjects.valkey.wire import NodeClient, NodeGone, NodeSilent

DEADLINE_S = 30.0


class Stage:
    """All parts that a fault needs, and none that it does not."""

    probe: ValkeyProbe

    def __init__(self, directory: Path, injectors: Sequence[Injector] = ()) -> None:
        self.directory = directory
        self.frames: list[tuple[str, Body]] = []
        self.states: list[ProcessState] = []
        self.table = ProcessTable(
            on_state=self.states.append,
            on_log=lambda *_: None,
            records=ServerRecords(directory / "servers.json"),
        )
        self.control = ValkeyControl(
            self.table, directory, {}, keep=False, injectors=[*local_injectors(self.table), *injectors]
        )
        self.journal = UndoJournal(directory / "undo.journal")
        self.desk = self._new_desk()

    def _new_desk(self) -> FaultDesk:
        return FaultDesk(self.control, self.journal, lambda topic, body: self.frames.append((topic, body)), self.look)

    async def another_daemon(self) -> None:
        """The desk of the next daemon, on the same journal."""
        await self.desk.release()
        self.journal.close()
        self.journal = UndoJournal(self.directory / "undo.journal")
        self.desk = self._new_desk()

    async def look(self) -> Observation:
        return await self.probe.observe(0.5)

    async def note(self) -> Observation:
        """What the monitor does twice a second."""
        seen = await self.look()
        self.desk.note(seen)
        return seen

    async def node(self, name: str) -> Node:
        node = (await self.look()).node(name)
        assert node is not None
        return node

    def client(self, name: str) -> NodeClient:
        member = next(member for member in self.control.spec.members if member.id == name)
        return NodeClient(member.id, member.host, member.port)

    def life(self, name: str) -> str:
        """State letter of the process; empty when it does not run."""
        pid = self.table.pid(name)
        return "" if pid is None else Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    async def waits_ms(self, name: str, clients: int = 32, count: int = 6, spread_s: float = 0.2) -> float:
        """The median time that clients wait for an answer, in milliseconds: what stalls once does not count.

        They ask at random moments, up to ``spread_s`` apart: over less than a period the answer to one question would
        tell when the next one is asked.
        """

        async def took() -> list[float]:
            client = self.client(name)
            waited = []
            for _ in range(count):
                await asyncio.sleep(random.uniform(0, spread_s))
                begun = time.monotonic()
                await client.command("PING", deadline_s=10)
                waited.append(time.monotonic() - begun)
            client.close()
            return waited

        waits = await asyncio.gather(*(took() for _ in range(clients)))
        return statistics.median(one for each in waits for one in each) * 1000

    async def answers(self, name: str, within_s: float = 1.0) -> bool:
        client = self.client(name)
        try:
            await client.command("PING", deadline_s=within_s)
        except (NodeSilent, NodeGone):
            return False
        finally:
            client.close()
        return True

    async def until(self, done: Callable[[], Awaitable[bool]]) -> None:
        end = time.monotonic() + DEADLINE_S
        while not await done():
            assert time.monotonic() < end, "not in time"
            await asyncio.sleep(0.02)

    def helpers(self) -> list[str]:
        """Processes that run and are no servers of the subject."""
        names = {member.id for member in self.control.spec.members} | {"forkserver"}
        return [state.name for state in self.table.states() if state.pid is not None and state.name not in names]


def on_stage(directory: Path, story: Callable[[Stage], Awaitable[None]], injectors: Sequence[Injector] = ()) -> None:
    """Play ``story``, and see that nothing is owed and no helper is left when the desk has closed."""

    async def play() -> None:
        stage = Stage(directory, injectors)
        await stage.table.start()
        try:
            await stage.control.start(lambda _: None)
            stage.probe = ValkeyProbe(stage.control.spec)
            try:
                await story(stage)
                await stage.desk.close()
                assert stage.journal.owed() == []
                assert stage.helpers() == []
            finally:
                await stage.desk.release()
                await stage.probe.close()
        finally:
            await stage.control.stop()
            await stage.table.stop_all()
            stage.journal.close()

    asyncio.run(play())
