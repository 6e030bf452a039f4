"""What the tests of actions share: a toy cluster that can be acted upon, real tickets, time that is told what it is."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.supervisor.faults.toy_cluster import Timeline, ToyCluster, settle

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound, OperatorError
from operator_protocol.models import (
    STOPPED_BY_COMMAND,
    Action,
    ActionKind,
    Autonomy,
    ClusterHealth,
    Diagnosis,
    FaultParam,
    ProcessState,
    Recommendation,
    Risk,
    Ticket,
    TicketDiagnosis,
    Violation,
)
from operator_protocol.records import from_body, to_body
from operator_protocol.state import State
from operator_protocol.topics import process_state
from operatord.actions.desk import ActionDesk
from operatord.actions.pace import Pace
from operatord.actions.policy import Policy
from operatord.actions.proposing import Terms
from operatord.actions.register import Outlets
from operatord.actions.registry import Registry
from operatord.actions.store import FILE_NAME, ActionStore
from operatord.actions.switch import FILE_NAME as SWITCH_FILE
from operatord.actions.switch import Switch
from operatord.tickets.db import FILE_NAME as TICKETS_FILE
from operatord.tickets.db import TicketDB
from operatord.tickets.desk import TicketDesk

EXPIRES_S = 120.0
COOLDOWN_S = 10.0
VERIFY_S = 5.0

KINDS: Mapping[str, ActionKind] = {
    kind.name: kind
    for kind in (
        ActionKind("start_node", "starts a node", "safe", [], VERIFY_S),
        ActionKind("restart_node", "restarts a node", "disruptive", [], VERIFY_S),
        ActionKind(
            "tune_node", "tunes a node", "safe", [FaultParam("percent", "how much", 50.0, "%", 1, 95)], VERIFY_S
        ),
    )
}


class ToyActor:
    """``Acting`` on a toy cluster. What the tests want to go wrong is said in its attributes."""

    def __init__(self, cluster: ToyCluster) -> None:
        self.cluster = cluster
        self.done: list[str] = []
        """What was really done, in order."""
        self.checks = 0
        self.helps = True
        """Whether starting a node brings it up."""
        self.breaks: Exception | None = None
        self.gate: asyncio.Event | None = None
        """A check waits for it."""
        self.working: asyncio.Event | None = None
        """An action waits for it."""

    def actions(self) -> Mapping[str, ActionKind]:
        return KINDS

    async def check(self, action: Action) -> str:
        self.checks += 1
        if self.gate is not None:
            await self.gate.wait()
        if action.target not in self.cluster.roles:
            raise NotFound(f"there is no node {action.target!r}", "known: node-0 to node-5")
        if action.kind == "start_node" and self.cluster.engine.life(action.target) != "dead":
            raise Conflict(f"{action.target} runs already")
        return f"{action.kind} {action.target}"

    async def act(self, action: Action) -> str:
        await self.check(action)
        self.done.append(f"{action.kind} {action.target}")
        if self.working is not None:
            await self.working.wait()
        if self.breaks is not None:
            raise self.breaks
        if self.helps and action.kind != "tune_node":
            await self.cluster.revive(action.target)
        return f"{action.target} was started"


class ActingBench:
    """A desk, everything it published and wrote down, and a monitor and an agent for it."""

    def __init__(
        self,
        directory: Path,
        autonomy: Autonomy = "approve",
        up_to: Risk = "safe",
        *,
        per_minute: int = 100,
        cooldown_s: float = COOLDOWN_S,
    ) -> None:
        self.directory = directory
        self.terms = Terms(Policy(autonomy, up_to), EXPIRES_S)
        self.timeline = Timeline()
        self.cluster = ToyCluster(self.timeline)
        self.actor = ToyActor(self.cluster)
        self.frames: list[tuple[str, Body]] = []
        self.audit: list[Mapping[str, object]] = []
        self.log: list[str] = []
        self.held = False
        self._per_minute, self._cooldown_s = per_minute, cooldown_s
        self._open: dict[str, Violation] = {}
        self._count = 0
        self.begin()

    def begin(self) -> None:
        """A daemon starts."""
        self.state = State()
        self.db = TicketDB(self.directory / TICKETS_FILE)
        self.tickets = TicketDesk(self.db, self.publish, self.timeline.wall)
        self.store = ActionStore(self.directory / FILE_NAME)
        self.switch = Switch(self.directory / SWITCH_FILE, self.timeline.wall)
        self.desk = ActionDesk(
            Registry([self.actor]),
            self.terms,
            Pace(self._per_minute, self._cooldown_s, self.timeline.clock),
            self.switch,
            Outlets(self.publish, self.audit.append, self.log.append),
            state=lambda: self.state,
            held=lambda: self.held,
            clock=self.timeline.clock,
            wall=self.timeline.wall,
        )
        self.tickets.resume()
        self.desk.open(self.store, self.tickets)

    def die(self) -> None:
        """The daemon is killed: nothing of it is closed in good order, and nothing of it goes on."""
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        copy = (self.directory / FILE_NAME).read_bytes(), _bytes(self.directory / f"{FILE_NAME}-wal")
        self.store.close()
        (self.directory / FILE_NAME).write_bytes(copy[0])
        (self.directory / f"{FILE_NAME}-wal").write_bytes(copy[1])
        self.db.close()
        self.frames.clear()
        self.audit.clear()

    async def close(self) -> None:
        await self.desk.close()
        self.db.close()

    def publish(self, topic: str, body: Body) -> None:
        self.frames.append((topic, body))
        self.state.apply(topic, body)
        asyncio.get_running_loop().call_soon(self.desk.see, topic, body)

    def topics(self, family: str = "action.") -> list[str]:
        return [topic.removeprefix(family) for topic, _ in self.frames if topic.startswith(family)]

    def last(self, topic: str) -> Action:
        """The action in the last frame of ``topic``."""
        return next(from_body(Action, body) for seen, body in reversed(self.frames) if seen == topic)

    async def kill(self, node: str = "node-0") -> Ticket:
        """A node dies, and the monitor sees it."""
        self.cluster.engine.signal(node, signal.SIGKILL)
        await self.look()
        return next(ticket for ticket in self.tickets.unresolved() if ticket.node == node)

    def stopped_by_command(self, node: str) -> None:
        """A person stops it: the process table says so."""
        self.publish(process_state(node), to_body(ProcessState(node, "stopped", "server", reason=STOPPED_BY_COMMAND)))

    async def diagnosed(self, ticket: Ticket, *actions: Recommendation) -> None:
        """The agent answers."""
        diagnosis = Diagnosis(
            f"{ticket.node} is dead", str(ticket.node), "killed", "", 0.9, "rules", actions=list(actions)
        )
        self.tickets.attach_diagnosis(ticket.id, diagnosis)
        self.publish("agent.diagnosis", to_body(TicketDiagnosis(ticket.id, diagnosis)))
        await settle()

    async def killed_and_diagnosed(self, node: str = "node-0") -> Ticket:
        ticket = await self.kill(node)
        await self.diagnosed(ticket, start(node))
        return ticket

    async def look(self) -> None:
        """One look of the monitor, and what it makes of it."""
        try:
            seen = await self.cluster.observe()
        except OperatorError as error:
            now = self.timeline.clock()
            self.publish("cluster.health", to_body(ClusterHealth("toy", None, str(error), [], 0.0, now)))
            await settle()
            return
        self.publish("cluster.health", to_body(seen))
        for node in seen.nodes:
            known = self._open.get(node.id)
            if node.state == "down" and known is None:
                self._count += 1
                at = self.timeline.wall()
                opened = Violation(f"v{self._count}", "node_down", node.id, "critical", f"{node.id} is down", at, at)
                self._open[node.id] = opened
                self.publish("violation.opened", to_body(opened))
                self.tickets.opened(opened)
            elif node.state == "up" and known is not None:
                del self._open[node.id]
                self.publish("violation.closed", to_body(known))
                self.tickets.closed(known)
        await settle()

    async def spend(self, seconds: float) -> None:
        """Time passes, with a look and the chores of each second."""
        for _ in range(round(seconds)):
            self.timeline.now += 1.0
            self.desk.tick()
            await self.look()


def start(node: str = "node-0", risk: Risk = "safe") -> Recommendation:
    return Recommendation("start_node", node, {}, risk, "it serves again", "it is up")


def restart(node: str = "node-0") -> Recommendation:
    return Recommendation("restart_node", node, {}, "disruptive", "it starts anew", "it is up")


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
