"""The scene of a ticket: which node it is about, when it began, who was what before.

A ticket names where a symptom showed, which need not be where the trouble is: a primary without a replica is a matter
of the replica, an uncovered slot names no node at all. So the node in focus is looked for first, by the rawest facts
there are: whose process ended, who stopped answering.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from operator_protocol.models import ClusterHealth, Node, ProcessState
from operatord.tickets.dossier import Dossier
from operatord.workers.agent.bundle.containers import with_containers
from operatord.workers.agent.bundle.findings import Focus

LOOKBACK_S = 10.0
"""A symptom with a grace period of its own, or one behind a failover, shows this long after its cause at most."""
LOOK_S = 0.5
"""A look is dated by its beginning: one that began this long before the onset at most may show what came of it."""
_FOLLOWS_S = 3.0
"""A symptom elsewhere shows this long after its cause at most: a failover takes 1.5 to 1.8 s."""
_RAN: tuple[str, ...] = ("starting", "ready", "stopping")
NODE_SYMPTOMS = frozenset(
    {
        "node_down", "memory", "p99_latency",
        "store_down", "store_disconnected", "store_offline_stuck", "pd_member_unhealthy", "low_space",
        "leaders_evicted", "raft_log_lag", "scheduler_stuck", "data_port",
        "memory_headroom", "disk_used", "leader_moved",
        "cpu_throttled", "stopped_at_times", "retransmissions", "slow_transfers",
    }
)  # fmt: skip
"""Invariants whose ticket is about the very node that it names."""
STOPPED_SHARE = 0.15
"""A process that runs is not once found stopped by a signal; one that is resumed for good soon is not any more."""
THROTTLED_SHARE = 0.5
LOSSY_SHARE = 0.1
"""So much a line loses that the losses of whoever talks over it show elsewhere, too."""
_SHOWN_BY_OTHERS = ("p99_latency", "replication_link", "replication_lag")
"""Invariants that are also broken at a node for what is wrong with another one of its group."""


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


def strained(node: Node) -> bool:
    """True for a node with a figure that has no other reason than what is done to this very node."""
    limits = {"stopped_share": STOPPED_SHARE, "throttled_share": THROTTLED_SHARE, "retrans_share": LOSSY_SHARE}
    values = ((node.detail.get(name), limit) for name, limit in limits.items())
    return any(isinstance(value, int | float) and value >= limit for value, limit in values)


def set_scene(dossier: Dossier) -> Scene:
    """Find the node in focus, the onset, and the states before it and now."""
    dossier = with_containers(dossier)
    seen = [health for health in dossier.health_history if health.nodes]
    now = seen[-1] if seen else None
    ends = _ends(dossier)
    focus_node = _focus_node(dossier, seen, ends)
    if focus_node in ends and _was_well_since(seen, focus_node, ends[focus_node].since_at, dossier.onset_at):
        del ends[focus_node]
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
    return _since(seen, focus_node, found_at, silent) or found_at


def _since(seen: list[ClusterHealth], name: str, at: float, shows: Callable[[Node], bool]) -> float | None:
    """When that began which the node shows at that moment; None if it does not show it then."""
    since_at = None
    for health in reversed([one for one in seen if one.observed_at <= at]):
        node = _node(health, name)
        if node is None or not shows(node):
            break
        since_at = health.observed_at
    return since_at


def _was_well_since(seen: list[ClusterHealth], name: str, ended_at: float, found_at: float) -> bool:
    """Whether the node was up between that end and what was found: an end explains no silence after that."""
    began_at = _since(seen, name, found_at, lambda node: silent(node) or isolated(node))
    between = [one for one in seen if began_at is not None and ended_at < one.observed_at < began_at]
    return any((node := _node(one, name)) is not None and node.state == "up" for one in between)


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
        return next(iter(troubled), None)
    groups = {node.id: node.group for health in seen for node in health.nodes}
    if ticket.invariant in _SHOWN_BY_OTHERS and (culprit := _strained_elsewhere(seen, ticket.node, groups)):
        return culprit
    if ticket.invariant in NODE_SYMPTOMS:
        return ticket.node
    group = groups.get(ticket.node)
    nearby = [name for name in troubled if name == ticket.node or (group and groups.get(name) == group)]
    if ticket.node in nearby and troubled[nearby[0]][0] == troubled[ticket.node][0]:
        return ticket.node
    return nearby[0] if nearby else ticket.node


def _strained_elsewhere(seen: list[ClusterHealth], name: str, groups: Mapping[str, str]) -> str | None:
    """The one other node of the group of ``name`` that something is done to, if nothing is done to ``name``."""
    latest = {node.id: node for node in seen[-1].nodes} if seen else {}
    own = latest.get(name)
    if own is None or silent(own) or strained(own):
        return None
    found = [node.id for node in latest.values() if strained(node) and groups.get(node.id) == groups.get(name)]
    return found[0] if len(found) == 1 else None


def _troubled(
    dossier: Dossier, seen: list[ClusterHealth], ends: Mapping[str, ProcessState]
) -> dict[str, tuple[int, float]]:
    """Nodes that something plainly happened to, the likeliest first, with their rank.

    Ended, silent, cut off, then what had come back before the onset; among equals the nearest to it.
    """
    nodes = {node.id for health in seen for node in health.nodes}
    ranked: dict[str, tuple[int, float]] = {}

    def note(name: str, rank: int, at: float) -> None:
        place = (rank, abs(at - dossier.onset_at))
        ranked[name] = min(place, ranked.get(name, place))

    for name, event in ends.items():
        if not nodes or name in nodes:
            back_at = _back_at(seen, name, event.since_at)
            note(name, 0 if back_at >= dossier.onset_at - _FOLLOWS_S else 3, event.since_at)
    for number, health in enumerate(seen):
        # Only changes are kept: what a look shows holds until the next one.
        until_at = seen[number + 1].observed_at if number + 1 < len(seen) else float("inf")
        if until_at < dossier.onset_at - LOOKBACK_S:
            continue
        is_past = until_at < dossier.onset_at - _FOLLOWS_S
        for node in health.nodes:
            if silent(node):
                note(node.id, 3 if is_past else 1, health.observed_at)
            elif isolated(node):
                note(node.id, 3 if is_past else 2, health.observed_at)
    return dict(sorted(ranked.items(), key=lambda entry: (*entry[1], entry[0])))


def _back_at(seen: list[ClusterHealth], name: str, ended_at: float) -> float:
    """When it answered again after it had ended; never, if it did not."""
    for health in seen:
        node = _node(health, name)
        if node is not None and health.observed_at > ended_at and not silent(node):
            return health.observed_at
    return float("inf")


def _node(health: ClusterHealth, name: str) -> Node | None:
    return next((node for node in health.nodes if node.id == name), None)


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
