"""Records as a daemon would publish them, with the members that a test cares about."""

import time

from operator_protocol.codec import Body
from operator_protocol.models import (
    Alternative,
    ChapterState,
    ClusterHealth,
    Diagnosis,
    EvidenceItem,
    Fault,
    Node,
    ProcessState,
    Ticket,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import to_body


def node(number: int, role: str = "primary", state: str = "up") -> Node:
    body = {"id": f"valkey-{number}", "role": role, "group": f"shard-{number % 3}", "address": f"127.0.0.1:700{number}"}
    return Node(**body, state=state)  # type: ignore[arg-type]  # the state is one of the literals


def cluster(ok: bool | None = True, reason: str = "") -> ClusterHealth:
    nodes = [node(number, "primary" if number < 3 else "replica") for number in range(6)]
    return ClusterHealth("valkey", ok, reason, nodes, time.time())


def process(name: str = "monitor", state: str = "ready", **rest: object) -> ProcessState:
    return ProcessState(name, state, **({"pid": 4711} | rest))  # type: ignore[arg-type]  # as the test wrote it


def violation(target: str = "valkey-1", number: int = 1) -> Violation:
    now = time.time()
    return Violation(f"v{number}", "node_down", target, "critical", f"{target} does not answer", now, now)


def diagnosis(component: str = "valkey-1") -> Diagnosis:
    return Diagnosis(
        summary=f"{component} was killed",
        component=component,
        cause="process_killed",
        explanation="The process ended by signal 9.",
        confidence=0.9,
        source="rules",
        evidence=[EvidenceItem(1, "process", "ended by signal 9")],
        cited=[1],
        alternatives=[Alternative("network_partition", "the process is gone", [1])],
        markdown=f"# Diagnosis\n\n**{component}** was killed.\n",
    )


def ticket(number: int = 7, status: str = "open", diagnosed: bool = False) -> Ticket:
    now = time.time()
    return Ticket(
        number,
        "node_down",
        "valkey-1",
        "critical",
        status,  # type: ignore[arg-type]  # one of the literals
        "valkey-1 does not answer",
        now,
        now,
        diagnosis=diagnosis() if diagnosed else None,
    )


def fault(fault_id: str = "f1", state: str = "active", target: str = "valkey-1", **rest: object) -> Fault:
    owed = state in ("injecting", "active", "recovering")
    members: dict[str, object] = {"role": "primary", "owed": owed, "injected_at": time.time()} | rest
    return Fault(fault_id, "kill", target, state, **members)  # type: ignore[arg-type]  # as the test wrote it


def sample(rate: float = 2000.0, operations: int = 0, **rest: object) -> WorkloadSample:
    members: dict[str, object] = {
        "errors_per_sec": 0.0,
        "degraded": False,
        "elapsed": 1.0,
        "baseline": 2000.0,
        "threshold": 1000.0,
    } | rest
    return WorkloadSample(rate, operations=operations, **members)  # type: ignore[arg-type]  # as the test wrote it


def chapter(index: int = 0, total: int = 8, title: str = "Welcome", **rest: object) -> ChapterState:
    return ChapterState(index, total, title, "What you see is real.", **rest)  # type: ignore[arg-type]  # as written


def status() -> Body:
    return {
        "version": "0.1.0",
        "subject": "valkey",
        "boot_id": "b",
        "pid": 4242,
        "uptime": 75.0,
        "runtime_dir": "/run/x",
        "state_dir": "/state/x",
        "health": to_body(cluster()),
        "processes": [to_body(process()), to_body(process("agent", "backoff", pid=None, signal=9, next_start_in=0.5))],
        "workload": {"running": True, "rate": 2000.0, "command": "YCSB", "sample": to_body(sample(1998.0, 10))},
        "demo": to_body(chapter(2, title="Stage 2: Load Generation")),
        "faults": [to_body(fault())],
        "violations": [to_body(violation())],
        "tickets_open": 1,
    }
