"""Moments of a demo, as records: what a daemon would have published by then."""

from collections.abc import Callable
from dataclasses import replace

from operator_clients.viewer.story import Story
from operator_clients.viewer.view import View
from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body
from operator_protocol.frames import Frame, Header
from operator_protocol.models import (
    Action,
    AgentState,
    AgentStep,
    Alternative,
    ChapterState,
    ClusterEvent,
    ClusterHealth,
    Diagnosis,
    EvidenceItem,
    Fault,
    InvariantKind,
    InvariantTable,
    LatencySummary,
    Node,
    NodeState,
    ProcessState,
    Recommendation,
    SignalState,
    Ticket,
    TicketStatus,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import to_body
from operator_protocol.state import State

BOOT = "b00t"
EPOCH = 1_700_000_000.0
VICTIM = "valkey-1"
Record = (
    Action
    | AgentState
    | AgentStep
    | ChapterState
    | ClusterEvent
    | ClusterHealth
    | Fault
    | InvariantTable
    | ProcessState
    | Ticket
    | Violation
    | WorkloadSample
    | Body
)

STAGES = [
    ("Welcome", "A real Valkey Cluster of six nodes runs on this machine: three primaries, three replicas."),
    ("Stage 1: Cluster Health", "Six processes, watched twice a second. Every primary has one replica."),
    ("Stage 2: Load Generation", "YCSB workload A reads and updates at 2,000 ops/s. Watch the line become steady."),
    ("Stage 3: Fault Injection", "A random primary gets SIGKILL when the countdown ends. Watch its shard."),
    ("Stage 4: Detection", "Waiting for detection... 2 s"),
    ("Stage 5: AI Diagnosis", "The agent reads the evidence, names a cause, and rules the others out."),
    ("Stage 6: Recovery", "The node is started again and follows the primary that took over."),
    ("Demo Complete", "Broken, found, explained and repaired, on a cluster under load."),
]


INVARIANTS = (
    *("node_down", "node_cut_off", "cluster_state", "slot_uncovered", "primary_without_replica"),
    *("replication_link", "replication_lag", "memory", "memory_headroom", "disk_used"),
    *("cpu_throttled", "stopped_at_times", "retransmissions", "p99_latency"),
)


class Film:
    """Frames in order, applied to a state and told to a story as the client library would."""

    def __init__(self) -> None:
        self.state = State()
        self.story = Story()
        self.story.resume(BOOT, self.state, [])
        self.mono = 100.0
        self._seq = 0

    def frame(self, topic: str, record: Record) -> Frame:
        body = record if isinstance(record, dict) else to_body(record)
        self._seq += 1
        header = Header(PROTOCOL_VERSION, BOOT, self._seq, self._seq, EPOCH + self.mono, self.mono, "test")
        return Frame(topic, header, body)

    def show(self, topic: str, record: Record, *, after_s: float = 0.0) -> "Film":
        self.mono += after_s
        frame = self.frame(topic, record)
        self.state.apply(frame.topic, frame.body)
        self.story.see(frame, self.mono)
        return self

    def view(self, *, after_s: float = 0.0, animate: bool = False) -> View:
        self.mono += after_s
        return View(self.state, self.story, EPOCH + self.mono, self.mono, animate)


def node(number: int, state: NodeState = "up", role: str = "") -> Node:
    signal = "up" if state == "up" else "down"
    return Node(
        id=f"valkey-{number}",
        role=role or ("primary" if number < 3 else "replica"),
        group=f"shard-{number % 3}",
        address=f"127.0.0.1:{7000 + number}",
        state=state,
        leader=number < 3 and not role,
        signals={"process": signal, "probe": signal, "cluster": signal},  # type: ignore[dict-item]  # two of its literals
        detail={"slots": 5461, "p99_ms": 0.31, "memory": "2.1 MiB", "offset": 12345},
    )


def cluster(*down: int, ok: bool | None = None, reason: str = "") -> ClusterHealth:
    nodes = [node(number, "down" if number in down else "up") for number in range(6)]
    healthy = not down if ok is None else ok
    return ClusterHealth("valkey", healthy, reason or (f"{VICTIM} is down" if down else ""), nodes, EPOCH)


def chapter(index: int, **more: object) -> ChapterState:
    title, narration = STAGES[index]
    state = ChapterState(index, len(STAGES), title, narration, "SPACE goes on")
    return replace(state, **more)  # type: ignore[arg-type]  # members by name, as the test wants them


def process(name: str, state: str = "ready", **more: object) -> ProcessState:
    base = ProcessState(name, state, pid=4000 + len(name), cpu_percent=1.5, rss=31 << 20, since_at=EPOCH)  # type: ignore[arg-type]
    return replace(base, **more)  # type: ignore[arg-type]  # members by name, as the test wants them


def sample(second: int, ops: float = 2000.0, *, baseline: float | None = 2000.0) -> WorkloadSample:
    threshold = None if baseline is None else baseline / 2
    return WorkloadSample(
        ops_per_sec=ops,
        errors_per_sec=0.0 if ops > 1000 else 12.0,
        degraded=threshold is not None and ops < threshold,
        elapsed=float(second),
        operations=second * 2000,
        baseline=baseline,
        threshold=threshold,
        latency={
            "READ": LatencySummary(900, 0.1, 0.2, 0.3, 0.41, 2.0),
            "UPDATE": LatencySummary(900, 0.1, 0.2, 0.3, 0.52),
        },
        sampled_at=EPOCH + second,
    )


def fault(state: str = "active", **more: object) -> Fault:
    base = Fault("f1", "kill", VICTIM, state, role="primary", owed=state != "countdown")  # type: ignore[arg-type]
    return replace(base, **more)  # type: ignore[arg-type]  # members by name, as the test wants them


def violation(invariant: str = "node_down", target: str | None = VICTIM, *, at: float = EPOCH) -> Violation:
    return Violation(f"{invariant}:{target}", invariant, target, "critical", f"{target} does not answer", at, at)


def ticket(number: int = 1, status: TicketStatus = "open", diagnosed: Diagnosis | None = None) -> Ticket:
    base = Ticket(number, "node_down", VICTIM, "critical", status, "does not answer", EPOCH, EPOCH)
    return replace(base, diagnosis=diagnosed)


STEPS = [
    AgentStep(1, "tool", "reads CLUSTER NODES from the five nodes that answer"),
    AgentStep(1, "evidence", "[1] the process of valkey-1 ended by SIGKILL at 14:03:07"),
    AgentStep(1, "evidence", "[2] all five other nodes mark valkey-1 as fail"),
    AgentStep(1, "thought", "a partition would leave the process alive, so the process itself must have ended"),
    AgentStep(1, "result", "process_killed fits all four observations"),
]


def diagnosis() -> Diagnosis:
    return Diagnosis(
        summary="valkey-1, primary of shard-1, was killed; valkey-4 took over after 1.6 s.",
        component=VICTIM,
        cause="process_killed",
        explanation="The process ended by a signal that nothing inside it raises. Its replica took its place.",
        confidence=0.94,
        source="rules",
        evidence=[
            EvidenceItem(1, "process", "the process of valkey-1 ended by SIGKILL"),
            EvidenceItem(2, "topology", "all five other nodes mark valkey-1 as fail"),
            EvidenceItem(3, "metric", "used memory of valkey-1 was 2.1 MiB, no limit is near"),
            EvidenceItem(4, "metric", "ops/s fell from 2,000 to 410 for 1.6 s"),
        ],
        cited=[1, 2, 4],
        alternatives=[
            Alternative("network_partition", "the process is gone, not only unreachable", [1]),
            Alternative("out_of_memory", "memory was far from any limit", [3]),
        ],
        actions=[Recommendation("start_node", VICTIM, risk="safe")],
        markdown="# Diagnosis",
    )


def invariants() -> InvariantTable:
    kinds = [
        InvariantKind(name, "critical" if number < 4 else "warning", 0.0) for number, name in enumerate(INVARIANTS)
    ]
    return InvariantTable("valkey", kinds)


def healthy(film: Film | None = None) -> Film:
    """Stage 2: everything is up, the load is steady."""
    film = film or Film()
    film.state.version = {"operatord": "0.1.0", "subject": "valkey"}
    film.show("cluster.invariants", invariants())
    film.show("cluster.health", cluster())
    for name in ("monitor", "agent", "ycsb"):
        film.show(f"process.{name}.state", process(name))
    for number in range(6):
        film.show(f"process.valkey-{number}.state", process(f"valkey-{number}", kind="server"))
    film.show("demo.chapter", chapter(2))
    for second in range(40):
        film.show("workload.sample", sample(int(film.mono) + 1, 1990.0 + second % 3 * 8), after_s=1.0)
    return film


def counting(film: Film | None = None, remaining: int = 3) -> Film:
    """Stage 3: the countdown runs."""
    film = film or healthy()
    film.show("demo.chapter", chapter(3, busy=True, key_hint="r stops it"))
    return film.show("fault.countdown", fault("countdown", remaining=remaining))


def broken(film: Film | None = None) -> Film:
    """Stage 4: a primary was killed and the monitor has noticed."""
    film = film or counting()
    film.show("fault.injected", fault("active", injected_at=EPOCH + film.mono))
    film.show("process.valkey-1.state", process(VICTIM, "failed", kind="server", signal=9))
    film.show("violation.opened", violation(at=EPOCH + film.mono), after_s=0.2)
    film.show("cluster.health", cluster(1))
    film.show("ticket.opened", ticket())
    film.show("demo.chapter", chapter(4))
    return film.show("workload.sample", sample(int(film.mono) + 1, 410.0), after_s=0.8)


def diagnosing(film: Film | None = None) -> Film:
    """Stage 5: the agent is at work."""
    film = film or broken()
    film.show("demo.chapter", chapter(5))
    film.show("ticket.updated", ticket(status="diagnosing"))
    for step in STEPS:
        film.show("agent.step", step, after_s=0.1)
    return film


def diagnosed(film: Film | None = None) -> Film:
    """Stage 5: the agent has answered."""
    film = film or diagnosing()
    film.show("agent.diagnosis", {"ticket": 1, "diagnosis": to_body(diagnosis())})
    return film.show("ticket.updated", ticket(status="diagnosed", diagnosed=diagnosis()))


def recovered(film: Film | None = None) -> Film:
    """Stage 6: everything is up again, with roles swapped."""
    film = film or diagnosed()
    film.show("demo.chapter", chapter(6))
    film.show("fault.recovering", fault("recovering"), after_s=1.0)
    nodes = [node(number) for number in range(6)]
    nodes[1], nodes[4] = node(1, role="replica"), node(4, role="primary")
    film.show("cluster.health", ClusterHealth("valkey", True, "", nodes, EPOCH))
    film.show("violation.closed", replace(violation(), last_seen_at=EPOCH + 5.0))
    film.show("ticket.resolved", ticket(status="resolved", diagnosed=diagnosis()))
    film.show("fault.recovered", fault("recovered", owed=False, recovered_by="undo"))
    return film.show("workload.sample", sample(int(film.mono) + 1, 1998.0), after_s=1.0)


def overdue(film: Film | None = None) -> Film:
    """Stage 4: what should have been found has not been."""
    film = film or counting()
    film.show("fault.injected", fault("active", injected_at=EPOCH + film.mono))
    words = "Waiting for detection.\nThis should have happened within 30 s; go back to stage 3, which undoes the fault."
    late = chapter(4, narration=words, expectation_met=False, overdue=True, key_hint="← goes back, SPACE goes on")
    return film.show("demo.chapter", late, after_s=30.0)


def stores(*, failing: bool = False) -> Film:
    """A TiKV cluster of eleven nodes that lost one, under a load that dipped for three seconds."""
    film = Film()
    film.state.version = {"operatord": "0.1.0", "subject": "tikv"}
    film.show(
        "cluster.health", ClusterHealth("tikv", False, "tikv2 is down", [*map(pd, range(3)), *map(store, range(8))])
    )
    film.show("demo.chapter", chapter(4))
    for second in range(125):
        dip = 80 <= second < 83
        if second == 80:
            film.show("fault.injected", replace(fault(injected_at=EPOCH + film.mono), target="tikv2"))
            film.show("violation.opened", violation("store_down", "tikv2", at=EPOCH + film.mono), after_s=0.4)
        taken = sample(int(film.mono) + 1, 3_000.0 if dip else 31_000.0 + second * 7_919 % 2_500, baseline=31_200.0)
        latency = {**taken.latency, "SCAN": LatencySummary(400, 1.2, 2.0, 3.0, 14.1, 30.0)}
        if failing and second == 124:
            latency |= {"READ-FAILED": LatencySummary(70), "UPDATE-FAILED": LatencySummary(50)}
        errors = 120.0 if dip or "READ-FAILED" in latency else 0.0
        film.show("workload.sample", replace(taken, latency=latency, errors_per_sec=errors), after_s=1.0)
    return film


def pd(number: int) -> Node:
    signals: dict[str, SignalState] = {"container": "up", "probe": "up", "cluster": "up"}
    return Node(f"pd{number}", "pd", "pd", f"10.0.0.{number}:2379", "up", leader=number == 0, signals=signals)


def store(number: int) -> Node:
    up: SignalState = "down" if number == 2 else "up"
    signals: dict[str, SignalState] = {"container": up, "probe": up, "cluster": "up"}
    figures = {"regions": 120, "leaders": 40, "apply_p99_ms": 12.5}
    return Node(f"tikv{number}", "tikv", "tikv", f"10.0.1.{number}:20160", up, signals=signals, detail=figures)


ALL: dict[str, Callable[[], Film]] = {
    "nothing": Film,
    "healthy": healthy,
    "counting": counting,
    "broken": broken,
    "diagnosing": diagnosing,
    "diagnosed": diagnosed,
    "recovered": recovered,
    "overdue": overdue,
    "stores": stores,
}
"""Every moment by name."""
