"""How the cluster is as a whole. The thresholds are here and nowhere else."""

from collections.abc import Sequence
from typing import NamedTuple

from .convert import percent, quantity
from .model import ClusterStatus, Node, Pod
from .objects import NodeMetrics

USED_MUCH_PERCENT = 85.0
"""Of CPU or memory of all nodes: from here on the loss of a few nodes cannot be taken up any more."""
IN_TROUBLE_SHARE = 0.1
"""Of the pods. A few that failed or wait are there in every large cluster at any time."""
NODES_LOST_SHARE = 0.5
"""Of the nodes: with more of them not ready the node controller itself stops moving pods away."""
_PRESSURES = ("DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable")


class Load(NamedTuple):
    """Percent of what all nodes that are measured can give to pods; None where none is measured."""

    cpu_percent: float | None
    memory_percent: float | None


class Verdict(NamedTuple):
    """And why it is not healthy."""

    status: ClusterStatus
    reasons: Sequence[str]


def load(nodes: Sequence[Node], metrics: Sequence[NodeMetrics]) -> Load:
    """Nodes without figures count on neither side, so that they do not make the cluster look idle."""
    measured = {one.metadata.name: one.usage for one in metrics}
    known = [(measured[one.name], one.allocatable) for one in nodes if one.name in measured]
    used, whole = [0.0, 0.0], [0.0, 0.0]
    for usage, allocatable in known:
        for index, (name, text) in enumerate((("cpu", allocatable.cpu), ("memory", allocatable.memory))):
            one, of = quantity(usage.get(name)), quantity(text)
            if one is not None and of:
                used[index] += one
                whole[index] += of
    return Load(percent(used[0], whole[0]), percent(used[1], whole[1]))


def judge(nodes: Sequence[Node], pods: Sequence[Pod], load: Load) -> Verdict:
    """Critical is what takes the cluster's work away, degraded what somebody should look at."""
    gone = [one.name for one in nodes if one.status != "Ready"]
    leading = [one for one in nodes if "control-plane" in one.roles]
    critical = []
    if not nodes:
        critical.append("there are no nodes")
    elif len(gone) > NODES_LOST_SHARE * len(nodes):
        critical.append(f"{len(gone)} of {len(nodes)} nodes are not ready")
    if leading and all(one.status != "Ready" for one in leading):
        critical.append("no node of the control plane is ready")
    if critical:
        return Verdict("critical", critical)
    degraded = [f"{_some(gone)} not ready"] if gone else []
    pressed = [one.name for one in nodes if any(c.type in _PRESSURES and c.status == "True" for c in one.conditions)]
    if pressed:
        degraded.append(f"{_some(pressed)} under pressure")
    troubled = sum(one.status in ("Pending", "Failed", "Unknown") for one in pods)
    if troubled > IN_TROUBLE_SHARE * len(pods):
        degraded.append(f"{troubled} of {len(pods)} pods are pending, failed or unknown")
    for what, used in (("CPU", load.cpu_percent), ("memory", load.memory_percent)):
        if used is not None and used >= USED_MUCH_PERCENT:
            degraded.append(f"{what} is used to {used:.0f} %")
    return Verdict("degraded", degraded) if degraded else Verdict("healthy", ())


def ready(nodes: Sequence[Node]) -> int:
    """How many are."""
    return sum(one.status == "Ready" for one in nodes)


def count(pods: Sequence[Pod], status: str) -> int:
    """How many pods are so."""
    return sum(one.status == status for one in pods)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return (
        f"{shown} and {len(names) - 3} more are" if len(names) > 3 else f"{shown} {'is' if len(names) == 1 else 'are'}"
    )
