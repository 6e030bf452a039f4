"""Recorded troubles of a six-node cluster, told frame by frame: what the bus carried, and so what a dossier holds.

Times are seconds from the moment of the trouble; the wall clock is ``T0`` then.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from operator_protocol.models import ClusterHealth, Node, ProcessState, Scalar, Ticket, Violation, WorkloadSample
from operator_protocol.records import from_body, to_body
from operatord.tickets.dossier import Dossier
from operatord.tickets.history import History

T0 = 1_700_000_000.0
SLOTS = ("0-5460", "5461-10922", "10923-16383")


def server(number: int) -> Node:
    """Node ``number`` of a healthy cluster, with the detail that the probe of the subject tells."""
    primary = number < 3
    return Node(
        id=f"valkey-{number}",
        role="primary" if primary else "replica",
        group=f"shard-{number % 3}",
        address=f"127.0.0.1:{7000 + number}",
        state="up",
        leader=primary,
        signals={"process": "up", "probe": "up", "cluster": "up"},
        detail={
            "problem": "",
            "slots": SLOTS[number] if primary else "",
            "contact": "answered",
            "process_state": "running",
            "run_id": f"{number:x}" * 40,
            "used_memory": 3 << 20,
            "maxmemory": 0,
            "p99_ms": 0.2,
            "repl_lag": 0,
        },
    )


def dead(node: Node, *, cluster: str = "down") -> Node:
    """Its port refuses connections."""
    return changed(node, "down", process="down", cluster=cluster, contact="refused", process_state="gone")


def frozen(node: Node, *, cluster: str = "up", process_state: Scalar = "stopped") -> Node:
    """Its port accepts connections and nothing answers."""
    return changed(node, "down", process="up", cluster=cluster, contact="silent", process_state=process_state)


def unreachable(node: Node) -> Node:
    """Neither we nor its peers get through to it."""
    return changed(node, "down", process="up", cluster="down", contact="unreachable", process_state="running")


def changed(node: Node, state: str, *, process: str, cluster: str, contact: str, process_state: Scalar) -> Node:
    """``node`` when it does not answer: what only it can tell is missing then."""
    kept = {name: node.detail[name] for name in ("slots",)}
    body = to_body(node) | {
        "state": state,
        "signals": {"process": process, "probe": "down", "cluster": cluster},
        "detail": {**kept, "problem": "is down", "contact": contact, "process_state": process_state},
    }
    return from_body(Node, body)


class Story:
    """A cluster that ran well for two minutes, and what became of it."""

    def __init__(self, *, load: bool = True) -> None:
        self._now = -120.0
        self.history = History(lambda: T0 + self._now)
        self.nodes = {f"valkey-{number}": server(number) for number in range(6)}
        self._ended: dict[str, Violation] = {}
        self._violations = 0
        for number in range(6):
            self.process(-119.0, f"valkey-{number}", "starting", pid=100 + number)
            self.process(-118.9, f"valkey-{number}", "ready", pid=100 + number)
            self.log(-118.0, f"valkey-{number}", "100:M 01 Jan 2026 * Ready to accept connections tcp")
        self.look(-100.0)
        if load:
            for second in range(-30, 1):
                self.sample(second - 0.2, 2_000.0)

    def see(self, at: float, topic: str, record: object) -> None:
        self._now = at
        self.history.see(topic, to_body(record))

    def look(self, at: float, change: Mapping[str, Node | Callable[[Node], Node]] | None = None) -> None:
        """An observation; ``change`` says what is different from here on."""
        for name, new in (change or {}).items():
            self.nodes[name] = new(self.nodes[name]) if callable(new) else new
        down = [node.id for node in self.nodes.values() if node.state == "down"]
        reason = ", ".join(f"{name} is down" for name in down)
        health = ClusterHealth("valkey", not down, reason, list(self.nodes.values()), T0 + at)
        self.see(at, "cluster.health", health)

    def process(self, at: float, name: str, state: str, *, pid: int | None = None, **end: int | str) -> None:
        body = {"name": name, "state": state, "kind": "server", "pid": pid, "since_at": T0 + at, **end}
        self.see(at, f"process.{name}.state", from_body(ProcessState, body))

    def log(self, at: float, name: str, line: str) -> None:
        self._now = at
        self.history.see(f"process.{name}.log", {"stream": "stdout", "line": line, "dropped": 0})

    def sample(self, at: float, ops: float, errors: int = 0) -> None:
        sample = WorkloadSample(ops, 0.0, ops < 1_000.0, at + 200, 1, 2_000.0, 1_000.0, errors, sampled_at=T0 + at)
        self.see(at, "workload.sample", sample)

    def violate(self, at: float, invariant: str, node: str | None, *, value: float | None = None) -> Violation:
        self._violations += 1
        violation = Violation(
            f"v-{self._violations}",
            invariant,
            node,
            "critical",
            f"{node or 'the cluster'}: {invariant}",
            T0 + at,
            T0 + at,
            value,
            10.0 if value else None,
            "ms" if value else "",
        )
        self.see(at, "violation.opened", violation)
        return violation

    def close(self, at: float, violation: Violation) -> None:
        self.see(at, "violation.closed", replace(violation, last_seen_at=T0 + at - 1.0))

    def failover(self, at: float, old: str, new: str) -> None:
        """``new`` takes the slots of ``old``."""
        slots = self.nodes[old].detail["slots"]
        heir, former = self.nodes[new], self.nodes[old]
        self.look(
            at,
            {
                new: replace(heir, role="primary", leader=True, detail={**heir.detail, "slots": slots}),
                old: replace(former, role="replica", leader=False, detail={**former.detail, "slots": ""}),
            },
        )
        self.log(at, new, "103:S 01 Jan 2026 * Failover election won: I'm the new primary.")

    def dossier(self, at: float, invariant: str, node: str | None, opened: float = 0.4) -> Dossier:
        """As the daemon builds it at ``at`` for the ticket of that violation."""
        self._now = at
        ticket = Ticket(7, invariant, node, "critical", "diagnosing", "x", T0 + opened, T0 + opened)
        return self.history.dossier(ticket)


def primary_killed(at: float = 2.5) -> Dossier:
    """kill -9 of a primary under load; its replica takes over."""
    return _primary_killed().dossier(at, "node_down", "valkey-0")


def _primary_killed() -> Story:
    story = Story()
    story.process(0.0, "valkey-0", "failed", signal=9)
    story.look(0.02, {"valkey-0": lambda node: dead(node, cluster="up")})
    story.violate(0.02, "node_down", "valkey-0")
    story.sample(0.8, 600.0)
    story.look(1.2, {"valkey-0": dead})
    story.log(1.2, "valkey-1", "101:M 01 Jan 2026 * Marking node 0000 () as failing (quorum reached).")
    story.failover(1.7, "valkey-0", "valkey-3")
    story.sample(1.8, 580.0, errors=12)
    story.sample(2.8, 2_003.0, errors=12)
    return story


def primary_killed_symptom_elsewhere() -> Dossier:
    """The same, seen in the ticket about the primary that is left without a replica."""
    story = _primary_killed()
    story.violate(1.7, "primary_without_replica", "valkey-3")
    return story.dossier(8.0, "primary_without_replica", "valkey-3", opened=6.8)


def primary_killed_found_by_its_slots() -> Dossier:
    """The same, seen in a ticket that names no node."""
    story = _primary_killed()
    story.violate(0.02, "cluster_state", None)
    return story.dossier(4.0, "cluster_state", None, opened=3.1)


def primary_killed_and_brought_back_later() -> Dossier:
    """Diagnosed only after somebody had started it again."""
    story = _primary_killed()
    story.process(20.0, "valkey-0", "starting", pid=200)
    story.process(20.0, "valkey-0", "ready", pid=200)
    story.look(21.0, {"valkey-0": replace(server(0), role="replica", leader=False)})
    return story.dossier(25.0, "node_down", "valkey-0")


def replica_killed() -> Dossier:
    story = Story()
    story.process(0.0, "valkey-4", "failed", signal=9)
    story.look(0.02, {"valkey-4": dead})
    story.violate(0.02, "node_down", "valkey-4")
    for second in range(1, 4):
        story.sample(second, 1_998.0)
    return story.dossier(3.0, "node_down", "valkey-4")


def primary_stopped(reason: str = "") -> Dossier:
    """SIGTERM: the server says goodbye and exits with 0. Of a ``reason`` the supervisor's own state tells."""
    story = Story()
    story.log(0.0, "valkey-1", "101:signal-handler (1) Received SIGTERM scheduling shutdown...")
    story.log(0.01, "valkey-1", "101:M 01 Jan 2026 * User requested shutdown...")
    story.log(0.02, "valkey-1", "101:M 01 Jan 2026 # Valkey is now ready to exit, bye bye...")
    story.process(0.0, "valkey-1", "stopping", pid=101, reason=reason)
    story.process(0.05, "valkey-1", "stopped", exit_code=0, reason=reason)
    story.look(0.07, {"valkey-1": dead})
    story.violate(0.07, "node_down", "valkey-1")
    story.failover(1.7, "valkey-1", "valkey-4")
    return story.dossier(2.5, "node_down", "valkey-1")


def primary_crashed() -> Dossier:
    story = Story()
    story.log(0.0, "valkey-2", "=== VALKEY BUG REPORT START: Cut & paste starting from here ===")
    story.log(0.0, "valkey-2", "102:M 01 Jan 2026 # Valkey 9.0.0 crashed by signal: 11, si_code: 1")
    story.process(0.1, "valkey-2", "failed", signal=11)
    story.look(0.12, {"valkey-2": dead})
    story.violate(0.12, "node_down", "valkey-2")
    return story.dossier(1.0, "node_down", "valkey-2")


def primary_paused() -> Dossier:
    """SIGSTOP: the process is there, its port accepts connections, nobody answers."""
    story = Story()
    story.look(0.3, {"valkey-1": frozen})
    story.violate(0.3, "node_down", "valkey-1")
    story.sample(0.8, 620.0)
    story.look(1.3, {"valkey-1": lambda node: frozen(node, cluster="down")})
    story.failover(1.7, "valkey-1", "valkey-4")
    story.sample(1.8, 700.0)
    return story.dossier(2.5, "node_down", "valkey-1")


def primary_paused_and_resumed() -> Dossier:
    """Diagnosed after it went on: the same process, and it was stopped while it was silent."""
    story = Story()
    story.look(0.3, {"valkey-1": frozen})
    violation_ = story.violate(0.3, "node_down", "valkey-1")
    story.look(4.0, {"valkey-1": server(1)})
    story.close(5.2, violation_)
    return story.dossier(6.0, "node_down", "valkey-1")


def node_paused_of_which_the_kernel_tells_nothing() -> Dossier:
    """As on another host: the process has not ended, and it accepts but does not answer."""
    story = Story()
    story.look(0.3, {"valkey-1": lambda node: frozen(node, process_state=None)})
    story.violate(0.3, "node_down", "valkey-1")
    return story.dossier(2.5, "node_down", "valkey-1")


def node_hangs() -> Dossier:
    """Alive, running, reachable, silent: a long script, a debugger's sleep. The rules have no name for it."""
    story = Story()
    story.look(0.3, {"valkey-1": lambda node: frozen(node, process_state="running")})
    story.violate(0.3, "node_down", "valkey-1")
    return story.dossier(2.5, "node_down", "valkey-1")


def node_restarted() -> Dossier:
    story = Story()
    story.log(0.0, "valkey-4", "104:signal-handler (1) Received SIGTERM scheduling shutdown...")
    story.process(0.05, "valkey-4", "stopped", exit_code=0)
    story.look(0.06, {"valkey-4": dead})
    violation_ = story.violate(0.06, "node_down", "valkey-4")
    story.process(0.6, "valkey-4", "starting", pid=204)
    story.process(0.6, "valkey-4", "ready", pid=204)
    fresh = server(4)
    story.look(1.6, {"valkey-4": replace(fresh, detail={**fresh.detail, "run_id": "f" * 40})})
    story.close(2.7, violation_)
    return story.dossier(3.0, "node_down", "valkey-4")


def shard_lost() -> Dossier:
    """Primary and replica of one shard killed together."""
    story = Story()
    for name in ("valkey-2", "valkey-5"):
        story.process(0.0, name, "failed", signal=9)
    story.look(0.05, {"valkey-2": dead, "valkey-5": dead})
    story.violate(0.05, "node_down", "valkey-2")
    story.violate(0.05, "node_down", "valkey-5")
    story.violate(0.05, "slot_uncovered", "valkey-2")
    for second in range(1, 5):
        story.sample(second, 30.0, errors=400 * second)
    return story.dossier(4.0, "slot_uncovered", "valkey-2", opened=3.1)


def slow_node(*names: str) -> Dossier:
    """Stopped and continued all the time: it answers, late."""
    names = names or ("valkey-1",)
    story = Story()
    at = 0.0
    for tick in range(14):
        at = tick * 0.5
        slowed = {
            name: replace(story.nodes[name], detail={**story.nodes[name].detail, "p99_ms": 13.0 + tick / 10})
            for name in names
        }
        story.look(at, slowed)
        story.sample(at, 1_990.0)
    for name in names:
        story.violate(0.1, "p99_latency", name, value=13.7)
    return story.dossier(at, "p99_latency", names[0], opened=5.2)


def replication_broken() -> Dossier:
    story = Story()
    node = story.nodes["valkey-3"]
    story.look(0.2, {"valkey-3": replace(node, state="degraded", detail={**node.detail, "link": "down"})})
    story.violate(0.2, "replication_link", "valkey-3")
    story.log(0.3, "valkey-3", "103:S 01 Jan 2026 # Error condition on socket for SYNC: Connection refused")
    return story.dossier(6.0, "replication_link", "valkey-3", opened=5.3)


def memory_pressure() -> Dossier:
    story = Story()
    for tick in range(12):
        node = story.nodes["valkey-0"]
        story.look(
            tick * 0.5, {"valkey-0": replace(node, detail={**node.detail, "used_memory": (240 + 8 * tick) << 20})}
        )
    story.violate(0.5, "memory", "valkey-0", value=300.0)
    return story.dossier(6.0, "memory", "valkey-0", opened=5.6)


def cut_off() -> Dossier:
    story = Story()
    story.look(0.3, {"valkey-2": unreachable})
    story.violate(0.3, "node_down", "valkey-2")
    return story.dossier(2.5, "node_down", "valkey-2")


def isolated() -> Dossier:
    """It answers us, and its peers hold it for failed."""
    story = Story()
    node = replace(server(2), state="degraded", signals={"process": "up", "probe": "up", "cluster": "down"})
    story.look(0.3, {"valkey-2": node})
    story.violate(0.3, "cluster_state", None)
    story.failover(1.8, "valkey-2", "valkey-5")
    return story.dossier(4.0, "cluster_state", None, opened=3.4)


def no_fault() -> Dossier:
    """A violation that came and went, and nothing to show for it."""
    story = Story()
    violation_ = story.violate(0.0, "replication_lag", "valkey-3")
    story.close(3.0, violation_)
    for second in range(1, 5):
        story.sample(second, 2_001.0)
    story.look(4.0)
    return story.dossier(5.0, "replication_lag", "valkey-3")


def ended_without_a_status() -> Dossier:
    """A server that an earlier daemon had started: its death is noticed, its status is not to be had."""
    story = Story()
    story.history = History(lambda: T0 + 1.0)
    story.nodes["valkey-0"] = server(0)
    story.look(-50.0)
    story.process(-50.0, "valkey-0", "ready", pid=100)
    story.process(0.0, "valkey-0", "failed")
    story.look(0.02, {"valkey-0": dead})
    story.violate(0.02, "node_down", "valkey-0")
    return story.history.dossier(Ticket(7, "node_down", "valkey-0", "critical", "diagnosing", "x", T0 + 0.1, T0 + 0.1))


def blind() -> Dossier:
    """The cluster could not be observed, and nothing else is known."""
    story = Story()
    story.see(0.5, "cluster.health", ClusterHealth("valkey", None, "no node answered", [], T0 + 0.5))
    story.violate(0.5, "observation_unknown", None)
    return story.dossier(3.0, "observation_unknown", None, opened=2.5)
