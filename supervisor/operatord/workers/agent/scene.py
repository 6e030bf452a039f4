"""The scene of a ticket: which node it is about, when it began, who was what before.

A ticket names where a symptom showed, which need not be where the trouble is: a primary without a replica is a matter
of the replica, an uncovered slot names no node at all. So the node in focus is looked for first, by the rawest facts
there are: whose process ended, who stopped answering.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from operator_protocol.models import ClusterHealth, Node, ProcessState
from operatord.tickets.dossier import Dossier
from operatord.workers.agent.containers import with_containers
from operatord.workers.agent.findings import Focus

LOOKBACK_S = 10.0
"""A symptom with a grace period of its own, or one behind a failover, shows this long after its cause at most."""
LOOK_S = 0.5
"""A look is dated by its beginning: one that began this long before the onset at most may show what came of it."""
_RAN: tuple[str, ...] = ("starting", "ready", "stopping")
NODE_SYMPTOMS = frozenset(
    {
        "node_down", "memory", "p99_latency",
        "store_down", "store_disconnected", "store_offline_stuck", "pd_member_unhealthy", "low_space",
        "leaders_evicted", "raft_log_lag", "scheduler_stuck", "data_port",
    }
)  # fmt: skip
"""Invariants whose ticket is about the very node that it names."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the gatherers start from."""

    dossier: Dossier
    focus: Focus
    onset_at: float
    before: Mapping[str, Node]
    """Every node as it was last seen before the onset."""
    now: Mapping[str, Node]
    now_at: float
    ends: Mapping[str, ProcessState]
    """By process: how it ended, for those that ended around the onset."""

    def looks(self) -> list[ClusterHealth]:
        """The observations from the onset on."""
        since = self.onset_at - LOOK_S
        return [one for one in self.dossier.health_history if one.nodes and one.observed_at >= since]

    def group_of(self, node: str) -> str:
        """The group of a node; empty when it was never seen."""
        known = self.before.get(node) or self.now.get(node)
        return known.group if known is not None else ""

    def describe(self, node: str) -> str:
        """``valkey-0, the primary of shard-0``, as it was before the onset."""
        known = self.before.get(node)
        return f"{node}, the {known.role} of {known.group}," if known is not None else node


def silent(node: Node) -> bool:
    """True for a node that does not answer."""
    return node.state == "down" or node.signals.get("probe") == "down"


def isolated(node: Node) -> bool:
    """True for a node that answers us while its peers hold it for failed."""
    return node.signals.get("probe") == "up" and node.signals.get("cluster") == "down"


def set_scene(dossier: Dossier) -> Scene:
    """Find the node in focus, the onset, and the states before it and now."""
    dossier = with_containers(dossier)
    seen = [health for health in dossier.health_history if health.nodes]
    now = seen[-1] if seen else None
    ends = _ends(dossier)
    focus_node = _focus_node(dossier, seen, ends)
    onset_at = _onset(dossier, seen, ends, focus_node)
    before = _last_before(seen, onset_at)
    return Scene(
        dossier=dossier,
        focus=_focus(focus_node, before, now),
        onset_at=onset_at,
        before=_nodes(before),
        now=_nodes(now),
        now_at=now.observed_at if now is not None else dossier.built_at,
        ends=ends,
    )


def _onset(
    dossier: Dossier, seen: list[ClusterHealth], ends: Mapping[str, ProcessState], focus_node: str | None
) -> float:
    """When it began: the end of the process, or the first look of the silence that the violation was found in."""
    found_at = dossier.onset_at
    if focus_node is None:
        return found_at
    end = ends.get(focus_node)
    if end is not None and end.since_at <= found_at + 1.0:
        return end.since_at
    onset_at = found_at
    for health in reversed([one for one in seen if one.observed_at <= found_at]):
        node = next((node for node in health.nodes if node.id == focus_node), None)
        if node is None or not silent(node):
            break
        onset_at = health.observed_at
    return onset_at


def _ends(dossier: Dossier) -> dict[str, ProcessState]:
    """Of each process the end that is nearest to the onset."""
    found: dict[str, ProcessState] = {}
    for event in dossier.process_events:
        if not has_ended(event) or event.since_at < dossier.onset_at - LOOKBACK_S:
            continue
        known = found.get(event.name)
        if known is None or abs(event.since_at - dossier.onset_at) < abs(known.since_at - dossier.onset_at):
            found[event.name] = event
    return found


def has_ended(event: ProcessState) -> bool:
    """True for a state that a process is in after it ended."""
    return event.state not in _RAN and event.kind == "server" and bool(event.since_at)


def _focus_node(dossier: Dossier, seen: list[ClusterHealth], ends: Mapping[str, ProcessState]) -> str | None:
    ticket = dossier.ticket
    troubled = _troubled(dossier, seen, ends)
    if ticket.node is None:
        return troubled[0] if troubled else None
    if ticket.node in troubled or ticket.invariant in NODE_SYMPTOMS:
        return ticket.node
    groups = {node.id: node.group for health in seen for node in health.nodes}
    group = groups.get(ticket.node)
    return next((name for name in troubled if group and groups.get(name) == group), ticket.node)


def _troubled(dossier: Dossier, seen: list[ClusterHealth], ends: Mapping[str, ProcessState]) -> list[str]:
    """Nodes that something plainly happened to, the likeliest first: ended, silent, cut off; then the nearest."""
    nodes = {node.id for health in seen for node in health.nodes}
    ranked: dict[str, tuple[int, float]] = {}
    for name, event in ends.items():
        if not nodes or name in nodes:
            ranked[name] = (0, abs(event.since_at - dossier.onset_at))
    for health in seen:
        if health.observed_at < dossier.onset_at - LOOKBACK_S and health is not seen[-1]:
            continue
        for node in health.nodes:
            if silent(node):
                ranked.setdefault(node.id, (1, abs(health.observed_at - dossier.onset_at)))
            elif isolated(node):
                ranked.setdefault(node.id, (2, abs(health.observed_at - dossier.onset_at)))
    return sorted(ranked, key=lambda name: (*ranked[name], name))


def _last_before(seen: list[ClusterHealth], onset_at: float) -> ClusterHealth | None:
    """The last healthy look before the onset, else the last one of any kind, else the first there is."""
    earlier = [health for health in seen if health.observed_at < onset_at]
    healthy = [health for health in earlier if health.ok]
    return next(iter([*healthy[-1:], *earlier[-1:], *seen[:1]]), None)


def _nodes(health: ClusterHealth | None) -> dict[str, Node]:
    return {node.id: node for node in health.nodes} if health is not None else {}


def _focus(name: str | None, before: ClusterHealth | None, now: ClusterHealth | None) -> Focus:
    nodes = _nodes(before) or _nodes(now)
    node = nodes.get(name) if name is not None else None
    if name is None or node is None:
        return Focus(name, None, "")
    return Focus(name, node.group, node.role, tuple(_others(nodes.values(), node)))


def _others(nodes: Iterable[Node], node: Node) -> list[str]:
    return [other.id for other in nodes if other.group == node.group and other.id != node.id]
