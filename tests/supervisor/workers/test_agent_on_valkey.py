"""From a real signal to a diagnosis: a real cluster, the monitor and the agent as they run in their workers."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from operator_protocol.codec import Body
from operator_protocol.models import ClusterHealth, Diagnosis, ProcessState, Violation
from operator_protocol.records import from_body, to_body
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable
from operatord.subjects.valkey.control import ValkeyControl
from operatord.tickets.db import TicketDB
from operatord.tickets.desk import TicketDesk
from operatord.tickets.history import History
from operatord.workers.agent import worker as agent
from operatord.workers.monitor import worker as monitor

from .worker_bench import MemoryContext, running, until


class Site:
    """A cluster with its monitor, its agent and its tickets; frames go where the daemon would send them."""

    def __init__(self, directory: Path) -> None:
        self.history = History()
        self.db = TicketDB(directory / "tickets.sqlite")
        self.desk = TicketDesk(self.db, self.frame)
        self.health: ClusterHealth | None = None
        self.table = ProcessTable(
            on_state=self._state, on_log=self._log, records=ServerRecords(directory / "servers.json")
        )
        self.control = ValkeyControl(self.table, directory, {}, keep=False)

    def frame(self, topic: str, body: Body) -> None:
        self.history.see(topic, body)
        if topic == "violation.opened":
            self.desk.opened(from_body(Violation, body))
        elif topic == "violation.closed":
            self.desk.closed(from_body(Violation, body))
        elif topic == "cluster.health":
            self.health = from_body(ClusterHealth, body)

    def _state(self, state: ProcessState) -> None:
        self.frame(f"process.{state.name}.state", to_body(state))

    def _log(self, name: str, stream: str, line: str, dropped: int) -> None:
        self.frame(f"process.{name}.log", {"stream": stream, "line": line, "dropped": dropped})

    def state(self, name: str) -> str:
        return next((node.state for node in self.health.nodes if node.id == name), "") if self.health else ""

    def role(self, name: str) -> str:
        return next((node.role for node in self.health.nodes if node.id == name), "") if self.health else ""

    async def diagnose(self, invariant: str, node: str) -> Diagnosis:
        """The ticket of that violation, through the agent, as ``operatorctl diagnose`` would."""
        ticket = next(one for one in self.desk.list() if (one.invariant, one.node) == (invariant, node))
        reply = await self.agent.ask("diagnose", {"dossier": to_body(self.history.dossier(ticket))})
        return from_body(Diagnosis, reply["diagnosis"])

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        await self.table.start()
        try:
            await self.control.start(lambda line: None)
            subject = to_body(self.control.spec)
            self.monitor = MemoryContext({"subject": subject, "interval_s": 0.5, "open_violations": []}, self.frame)
            self.agent = MemoryContext({"subject": subject}, self.frame)
            self.table.on_exit(lambda _name, _state: self._nudge())
            async with running(monitor.main(self.monitor)), running(agent.main(self.agent)):
                await until(lambda: self.health is not None and self.health.ok is True and self.agent.is_ready.is_set())
                yield
        finally:
            await self.control.stop()
            await self.table.stop_all()
            self.db.close()

    def _nudge(self) -> None:
        """The daemon asks for a look when a process ends."""
        observe = self.monitor.handlers.get("observe")
        if observe is not None:
            self._asked = asyncio.ensure_future(observe({}))


Break = Callable[[Site], Awaitable[None]]


def on_a_site(tmp_path: Path, story: Break) -> None:
    async def scenario() -> None:
        site = Site(tmp_path)
        async with site.up():
            await story(site)

    asyncio.run(scenario())


def test_a_killed_primary_is_found_and_named(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.table.signal("valkey-0", signal.SIGKILL)
        await until(lambda: any(one.node == "valkey-0" for one in site.desk.unresolved()))
        await until(lambda: site.role("valkey-0") == "replica")
        diagnosis = await site.diagnose("node_down", "valkey-0")
        assert (diagnosis.cause, diagnosis.component) == ("process_killed", "valkey-0")
        assert diagnosis.confidence > 0.85
        assert len(diagnosis.cited) >= 3
        assert len(diagnosis.alternatives) >= 2
        assert "took over after" in diagnosis.summary
        assert "slots 0-5460 of shard-0" in diagnosis.blast_radius
        assert diagnosis.actions[0].kind == "start_server"
        await site.control.revive("valkey-0")
        await until(lambda: not site.desk.unresolved())
        assert {one.status for one in site.desk.list()} == {"resolved"}

    on_a_site(tmp_path, story)


def test_a_paused_primary_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.table.signal("valkey-1", signal.SIGSTOP)
        await until(lambda: any(one.node == "valkey-1" for one in site.desk.unresolved()))
        diagnosis = await site.diagnose("node_down", "valkey-1")
        assert (diagnosis.cause, diagnosis.component) == ("process_paused", "valkey-1")
        assert diagnosis.actions[0].kind == "resume_server"
        site.table.signal("valkey-1", signal.SIGCONT)
        await until(lambda: not site.desk.unresolved())

    on_a_site(tmp_path, story)


@pytest.mark.parametrize("node", ["valkey-2", "valkey-5"])
def test_a_server_that_was_asked_to_stop_is_told_from_a_killed_one(tmp_path: Path, node: str) -> None:
    async def story(site: Site) -> None:
        await site.table.terminate(node)
        await until(lambda: any(one.node == node for one in site.desk.unresolved()))
        diagnosis = await site.diagnose("node_down", node)
        assert (diagnosis.cause, diagnosis.component) == ("process_stopped", node)
        assert "process_killed" in {rival.cause for rival in diagnosis.alternatives}

    on_a_site(tmp_path, story)


def test_a_restarted_server_is_not_reported_as_lost(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        site.table.signal("valkey-4", signal.SIGKILL)
        await until(lambda: any(one.node == "valkey-4" for one in site.desk.unresolved()))
        await site.control.revive("valkey-4")
        await until(lambda: site.state("valkey-4") == "up")
        diagnosis = await site.diagnose("node_down", "valkey-4")
        assert (diagnosis.cause, diagnosis.component) == ("process_restarted", "valkey-4")
        assert diagnosis.actions == []

    on_a_site(tmp_path, story)


def test_both_nodes_of_a_shard_killed_is_one_shard_lost(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        for name in ("valkey-2", "valkey-5"):
            site.table.signal(name, signal.SIGKILL)
        await until(lambda: any(one.invariant == "slot_uncovered" for one in site.desk.unresolved()))
        diagnosis = await site.diagnose("slot_uncovered", "valkey-2")
        assert (diagnosis.cause, diagnosis.component) == ("shard_lost", "shard-2")
        assert {action.target for action in diagnosis.actions} == {"valkey-2", "valkey-5"}
        assert (await site.diagnose("node_down", "valkey-5")).cause == "process_killed"

    on_a_site(tmp_path, story)
