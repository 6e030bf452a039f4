"""A small subject for these tests: six nodes in three shards, held by an engine, with time that is told what it is.

Two engines: one is a table in memory, the other six real ``sleep`` processes that are killed, stopped and continued.
"""

import asyncio
import contextlib
import heapq
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError
from operator_protocol.models import EvidenceItem, Fault, FaultKind, FaultParam, Node, NodeState, Scalar
from operator_protocol.records import from_body
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal
from operatord.subjects.base import (
    GuardRules,
    Invariant,
    Member,
    Observation,
    Progress,
    SubjectSpec,
    WorkloadSource,
)

T = TypeVar("T")
Life = Literal["up", "paused", "dead"]

NODES = ("node-0", "node-1", "node-2", "node-3", "node-4", "node-5")
RULES = GuardRules("primary")
WALL_OFFSET_S = 1_700_000_000.0
_QUIET_TURNS = 4
"""What is woken by something that is not in the loop's queue (a future of a future) is there by then."""


class Timeline:
    """A clock that moves when told, and sleeps that end when it gets there."""

    def __init__(self) -> None:
        self.now = 100.0
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + WALL_OFFSET_S

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._due, (self.now + seconds, self._count, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while self._due and self._due[0][0] <= end:
            self.now, _, future = heapq.heappop(self._due)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now = end
        await settle()

    async def run(self, work: Awaitable[T], *, at_most_s: float = 600.0) -> T:
        """Let time pass until ``work`` is done."""
        task = asyncio.ensure_future(work)
        end = self.now + at_most_s
        await settle()
        while not task.done() and self.now < end:
            await self.advance(0.05)
        assert task.done(), "not done in time"
        return await task


async def settle() -> None:
    """Let everything happen that needs no time: until nobody else has had anything to do for a few turns."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # asked, a turn costs nothing more
    quiet = 0
    for _ in range(40):
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1
        if quiet == _QUIET_TURNS:
            return


class Engine(Protocol):
    def life(self, node: str) -> Life: ...
    def signal(self, node: str, signum: signal.Signals) -> None: ...
    def launch(self, node: str) -> None: ...


class TableEngine:
    """Nodes as entries of a table."""

    def __init__(self) -> None:
        self.lives: dict[str, Life] = dict.fromkeys(NODES, "up")

    def life(self, node: str) -> Life:
        return self.lives[node]

    def signal(self, node: str, signum: signal.Signals) -> None:
        if self.lives[node] == "dead":
            return
        after: dict[signal.Signals, Life] = {signal.SIGSTOP: "paused", signal.SIGCONT: "up"}
        self.lives[node] = after.get(signum, "dead")

    def launch(self, node: str) -> None:
        if self.lives[node] == "dead":
            self.lives[node] = "up"


class ProcessEngine:
    """Nodes as ``sleep`` processes."""

    def __init__(self) -> None:
        self._processes = {node: self._spawn() for node in NODES}

    def life(self, node: str) -> Life:
        process = self._processes[node]
        if process.poll() is not None:
            return "dead"
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        return "paused" if stat.rpartition(")")[2].split()[0] == "T" else "up"

    def signal(self, node: str, signum: signal.Signals) -> None:
        process = self._processes[node]
        process.send_signal(signum)
        if signum in (signal.SIGKILL, signal.SIGTERM):
            process.wait(30)
        if signum == signal.SIGSTOP:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)

    def launch(self, node: str) -> None:
        if self._processes[node].poll() is not None:
            self._processes[node] = self._spawn()

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(30)

    @staticmethod
    def _spawn() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)


@contextlib.contextmanager
def sleepers() -> Iterator[ProcessEngine]:
    engine = ProcessEngine()
    try:
        yield engine
    finally:
        engine.close()


class ToyCluster:
    """Both halves of the subject. What the tests want to go wrong is said in its attributes."""

    name = "toy"
    default_fault_role = "primary"

    def __init__(self, timeline: Timeline, engine: Engine | None = None) -> None:
        self.timeline = timeline
        self.engine: Engine = engine or TableEngine()
        self.instance = "cluster-1"
        self.members = [Member(node, "127.0.0.1", 7000 + number) for number, node in enumerate(NODES)]
        self.roles = {node: "primary" if number < 3 else "replica" for number, node in enumerate(NODES)}
        self.log: list[str] = []
        """What was asked of it, in order."""
        self.breaks_after_injecting: Exception | None = None
        self.refuses_undo: OperatorError | None = None
        self.refuses_to_prepare: OperatorError | None = None
        self.left_outside = ""
        """What of a fault is left outside the cluster, and cannot be taken back."""
        self.looks_until_healthy = 0
        """After an undo, this many looks still show a cluster that is not healthy."""
        self.blind: OperatorError | None = None
        self.silent_until: dict[str, float] = {}
        self.unknown_until = 0.0
        """Nodes that have taken a question and do not answer it before then, on the clock of the timeline."""
        self.unwell = ""
        """A reason for which the cluster is not healthy, beyond its nodes."""
        self.gate: asyncio.Event | None = None
        """An injection waits for it, half done."""
        self.closed = False

    @property
    def spec(self) -> SubjectSpec:
        return SubjectSpec("toy", list(self.members))

    @property
    def guard(self) -> GuardRules:
        return RULES

    async def start(self, progress: Progress) -> None:
        progress("up")

    async def stop(self) -> None:
        self.log.append("stop")

    def faults(self) -> Mapping[str, FaultKind]:
        share = FaultParam("percent", "share", 70.0, "%", 1.0, 95.0)
        return {kind: FaultKind(kind, kind, "undone") for kind in ("kill", "stop", "pause", "restart")} | {
            "slow": FaultKind("slow", "slow", "undone", [share]),
            "latency": FaultKind("latency", "late", "undone", missing="this kernel has no netem"),
        }

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        self.log.append(f"prepare {fault.kind} {fault.target}")
        if self.refuses_to_prepare is not None:
            raise self.refuses_to_prepare
        return {"was": self.roles[fault.target]}

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        self.log.append(f"inject {fault.kind} {fault.target}")
        how = {"stop": signal.SIGTERM, "pause": signal.SIGSTOP}.get(fault.kind, signal.SIGKILL)
        self.engine.signal(fault.target, how)
        if self.gate is not None:
            await self.gate.wait()
        if self.breaks_after_injecting is not None:
            raise self.breaks_after_injecting
        if fault.kind == "restart":
            self.engine.launch(fault.target)

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        self.log.append(f"undo {fault.kind} {fault.target} {memo['was']}")
        if self.refuses_undo is not None:
            raise self.refuses_undo
        await self.revive(fault.target)

    async def clear(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        self.log.append(f"clear {fault.kind} {fault.target}")
        return self.left_outside

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        return ""

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        node = observation.node(fault.target)
        return "" if node is not None and node.state == "up" else f"{fault.target} is not up"

    async def revive(self, node_id: str) -> None:
        self.engine.signal(node_id, signal.SIGCONT)
        self.engine.launch(node_id)

    def workload(self) -> WorkloadSource:
        return WorkloadSource(["true"], 1000.0, "nothing")

    async def observe(self, deadline_s: float = 1.0) -> Observation:
        begun = self.timeline.clock()
        await asyncio.sleep(0)
        if self.blind is not None:
            raise self.blind
        if self.unknown_until > begun:
            return Observation(
                "toy", None, "no look came back", [], observed_at=self.timeline.wall(), observed_mono=begun
            )
        self._fail_over()
        nodes = [self._node(number, node) for number, node in enumerate(NODES)]
        reason = self.unwell
        if any(node.state != "up" for node in nodes):
            reason = "not all nodes are up"
        elif self.looks_until_healthy > 0:
            self.looks_until_healthy -= 1
            reason = "still syncing"
        return Observation("toy", not reason, reason, nodes, observed_at=self.timeline.wall(), observed_mono=begun)

    async def evidence(self, node_id: str | None, deadline_s: float) -> list[EvidenceItem]:
        return []

    def invariants(self) -> list[Invariant]:
        return []

    async def close(self) -> None:
        self.closed = True

    def _fail_over(self) -> None:
        for primary, replica in zip(NODES[:3], NODES[3:], strict=True):
            for one, other in ((primary, replica), (replica, primary)):
                if self.roles[one] == "primary" and self.engine.life(one) != "up" and self.engine.life(other) == "up":
                    self.roles.update({other: "primary", one: "replica"})

    def _node(self, number: int, node: str) -> Node:
        life = self.engine.life(node)
        silent = self.silent_until.get(node, 0.0) > self.timeline.clock()
        states: dict[Life, NodeState] = {"up": "up", "paused": "down", "dead": "down"}
        return Node(
            id=node,
            role=self.roles[node],
            group=f"shard-{number % 3}",
            address=f"127.0.0.1:{7000 + number}",
            state="degraded" if silent else states[life],
            detail={"contact": "silent" if silent else "answered"},
            signals={"process": "down" if life == "dead" else "up"},
        )


class Bench:
    """A desk over a toy cluster, and everything that it published."""

    def __init__(self, state_dir: Path, engine: Engine | None = None) -> None:
        self.timeline = Timeline()
        self.cluster = ToyCluster(self.timeline, engine)
        self.path = state_dir / "undo.journal"
        self.frames: list[tuple[str, Body]] = []
        self.listener: Callable[[str, Body], None] | None = None
        self.journal = UndoJournal(self.path, wall=self.timeline.wall)
        self.desk = self.new_desk()

    def new_desk(self, cooldown_s: float = 0.0) -> FaultDesk:
        return FaultDesk(
            self.cluster,
            self.journal,
            self.publish,
            self.cluster.observe,
            clock=self.timeline.clock,
            wall=self.timeline.wall,
            sleep=self.timeline.sleep,
            limits=Limits(),
            cooldown_s=cooldown_s,
        )

    def restart(self) -> None:
        """The daemon died; another one opens the same journal."""
        self.journal.close()
        self.journal = UndoJournal(self.path, wall=self.timeline.wall)
        self.desk = self.new_desk()

    def publish(self, topic: str, body: Body) -> None:
        self.frames.append((topic, body))
        if self.listener is not None:
            self.listener(topic, body)

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.frames]

    def last(self, topic: str) -> Fault:
        """The fault in the last frame of ``topic``."""
        return next(from_body(Fault, body) for seen, body in reversed(self.frames) if seen == topic)

    async def note(self) -> None:
        """A look by the monitor, told to the desk."""
        self.desk.note(await self.cluster.observe())

    def down(self) -> list[str]:
        return [node for node in NODES if self.cluster.engine.life(node) != "up"]


def healthy_nodes() -> list[Node]:
    """Six nodes, up."""
    return [
        Node(node, "primary" if number < 3 else "replica", f"shard-{number % 3}", "", "up")
        for number, node in enumerate(NODES)
    ]


def look(*changed: Node, ok: bool | None = True, reason: str = "") -> Observation:
    """An observation of six nodes, with those in ``changed`` as given."""
    by_id = {one.id: one for one in changed}
    return Observation("toy", ok, reason, [by_id.get(one.id, one) for one in healthy_nodes()])


def node(node_id: str, state: NodeState = "up", role: str = "") -> Node:
    """One of the six, in ``state``."""
    found = next(one for one in healthy_nodes() if one.id == node_id)
    return replace(found, state=state, role=role or found.role)
