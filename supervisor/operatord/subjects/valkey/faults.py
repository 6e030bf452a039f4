"""The faults that are done to a server by signals, and when a server is back from a fault of any kind.

An undo of these needs nothing but the process table and the layout. The memo (what goes to the undo journal) is for
``remains``: a look that is older than the fault says nothing about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from operator_protocol.models import Fault, FaultKind, Node, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.valkey.health import REPLICA
from operatord.subjects.valkey.procfs import stopped_by_signal

KILL, STOP, PAUSE, RESTART = "kill", "stop", "pause", "restart"

CATALOGUE: Mapping[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind(
            KILL,
            "SIGKILL: the server is gone from one moment to the next, as after a crash",
            "starting the server again on its data and waiting until it is in sync",
            outage=True,
        ),
        FaultKind(
            STOP,
            "SIGTERM: the server shuts down in good order",
            "starting the server again on its data and waiting until it is in sync",
            outage=True,
        ),
        FaultKind(
            PAUSE,
            "SIGSTOP: the server keeps its connections and answers nothing, as in a long stall",
            "SIGCONT",
            outage=True,
        ),
        FaultKind(
            RESTART,
            "SIGKILL, and the server is started again at once",
            "nothing more than waiting until it is in sync",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Trace:
    """When a fault was last worked on, by the monotonic clock: what is older cannot speak of it."""

    since_mono: float


def memo(pid: int | None, mono: float) -> dict[str, Scalar]:
    """What to remember of the target before the fault: the monotonic clock is that of this boot of the machine."""
    return {"pid": pid, "since_mono": mono}


def remains(
    fault: Fault,
    saved: Mapping[str, Scalar],
    seen: Observation,
    *,
    trace: Trace | None,
    pid: int | None,
    now_mono: float,
) -> str:
    """What of ``fault`` is still there, in one line; empty when nothing is.

    The target must run, answer, be well in its own eyes and in those of the others, and its shard must have one
    primary that serves and a replica in sync. The whole cluster must be well, unless a node of another shard is down:
    that is a fault of its own.
    """
    name = fault.target
    if pid is None:
        return f"{name} is not running"
    if stopped_by_signal(pid):
        return f"{name} is stopped by a signal"
    since = trace.since_mono if trace else _number(saved.get("since_mono"))
    # A clock that reads more than now is that of an earlier boot of the machine.
    if since <= now_mono and seen.observed_mono <= since:
        return "no look at the cluster since then"
    if seen.ok is None:
        return f"the cluster could not be observed: {seen.reason}"
    target = seen.node(name)
    if target is None:
        return f"{name} was not part of the last look"
    if target.detail.get("pid") not in (None, pid):
        return f"the last look still saw pid {target.detail['pid']} as {name}"
    if target.state != "up":
        return _problem(target)
    if target.signals.get("cluster") == "down":
        return f"the other nodes hold {name} for failed"
    return _shard_remains(target, seen)


def _shard_remains(target: Node, seen: Observation) -> str:
    shard = [node for node in seen.nodes if node.group == target.group]
    owners = [node for node in shard if node.leader]
    if not owners:
        return f"{target.group} has no primary"
    if not any(node.detail.get("serves") for node in owners):
        return _problem(owners[0])
    if target.role == REPLICA and target.detail.get("link") != "up":
        return f"{target.id} is not in sync"
    for partner in shard:
        if partner.role == REPLICA and partner.state == "degraded":
            return _problem(partner)
    if any(node.state in ("down", "unknown") for node in seen.nodes if node.id != target.id):
        return ""
    return "" if seen.ok else seen.reason


def _problem(node: Node) -> str:
    return f"{node.id} {node.detail.get('problem') or 'does not serve'}"


def _number(value: Scalar) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
