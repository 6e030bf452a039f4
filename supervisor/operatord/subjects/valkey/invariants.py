"""What must hold for a Valkey cluster.

Grace periods keep apart what is an event of its own from what follows from another one: a killed primary is a
violation at once, its shard without an owner only when the failover (1.5 to 1.8 s) does not come.
"""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from operator_protocol.models import Node
from operatord.subjects.base import Breach, Invariant, Observation
from operatord.subjects.valkey.health import PRIMARY, REPLICA
from operatord.subjects.valkey.layout import SLOTS
from operatord.subjects.valkey.settings import MIB, Settings

_MAXMEMORY_SHARE = 0.9
_FEW_SEGMENTS = 20
"""So few sent again in 4 s are no finding, whatever their share."""
_OUT_OF_LINE = 3.0
"""Times the median p99 of the other nodes: from there on a node is slow by itself."""
_TOGETHER = 5.0
"""Times the limit that all nodes may be late together; measured on two busy cores: p99 of 10 to 25 ms, limit 10 ms."""


def of(settings: Settings) -> list[Invariant]:
    """The invariants with the thresholds and grace periods of ``settings``."""
    return [
        Invariant(
            "node_down",
            "critical",
            settings.node_down_grace_s,
            node_down,
            "Bring the server back (operatorctl restart NODE, or operatorctl recover if a fault took it down); it"
            " returns as a replica when its shard has failed over meanwhile.",
        ),
        Invariant(
            "node_cut_off",
            "critical",
            settings.node_cut_off_grace_s,
            node_cut_off,
            "Find out what stands between its host and the others: links, rules, routes, and its bus port.",
        ),
        Invariant(
            "cluster_state",
            "critical",
            settings.cluster_state_grace_s,
            cluster_state,
            "Find the slots without an owner, or the lost majority of primaries, and bring one node of each such"
            " shard back.",
        ),
        Invariant(
            "slot_uncovered",
            "critical",
            settings.slot_uncovered_grace_s,
            slot_uncovered,
            "No replica took over: it is down too, was not in sync, or no majority could elect it. Bring a node of"
            " the shard back, the former primary first.",
        ),
        Invariant(
            "primary_without_replica",
            "warning",
            settings.primary_without_replica_grace_s,
            primary_without_replica,
            "The shard is lost if its primary fails now. Bring its other node back.",
        ),
        Invariant(
            "replication_link",
            "warning",
            settings.replication_link_grace_s,
            replication_link,
            "The replica lives but does not follow: look for errors of the synchronisation in both logs.",
        ),
        Invariant(
            "replication_lag",
            "warning",
            settings.replication_lag_grace_s,
            lambda seen: replication_lag(seen, settings.replication_lag_bytes),
            "The replica takes in less than its primary writes: look at its CPU and disk, or lower the load.",
        ),
        Invariant(
            "memory",
            "warning",
            settings.memory_grace_s,
            lambda seen: memory(seen, settings.memory_bytes),
            "Remove data or raise the limit (maxmemory, or memory_bytes in [subject.valkey]).",
        ),
        Invariant(
            "memory_headroom",
            "warning",
            settings.headroom_grace_s,
            lambda seen: memory_headroom(seen, settings.headroom_bytes),
            "Find out what else takes memory in its cgroup, or raise the limit: the kernel ends a process there soon.",
        ),
        Invariant(
            "disk_used",
            "warning",
            settings.disk_grace_s,
            lambda seen: disk_used(seen, settings.disk_bytes),
            "Look what lies in its data directory; if it belongs there, raise disk_bytes in [subject.valkey].",
        ),
        Invariant(
            "cpu_throttled",
            "warning",
            settings.strain_grace_s,
            lambda seen: cpu_throttled(seen, settings.throttled_share),
            "Raise the quota of its cgroup (cpu.max), or find out who set it.",
        ),
        Invariant(
            "stopped_at_times",
            "warning",
            settings.strain_grace_s,
            lambda seen: stopped_at_times(seen, settings.stopped_share),
            "Find out who sends it SIGSTOP and SIGCONT.",
        ),
        Invariant(
            "retransmissions",
            "warning",
            settings.strain_grace_s,
            lambda seen: retransmissions(seen, settings.retrans_share),
            "Find out where between it and the others packets get lost: interfaces, queues, rules.",
        ),
        Invariant(
            "slow_transfers",
            "warning",
            settings.strain_grace_s,
            lambda seen: slow_transfers(seen, settings.transfer_ms),
            "Find out what narrows its line: a queue, a limit of its interface, or somebody else who fills it.",
        ),
        Invariant(
            "leader_moved",
            "info",
            0.0,
            leader_moved,
            "Nothing, if somebody asked for it: the replica took over in good order, and clients were redirected.",
        ),
        Invariant(
            "p99_latency",
            "warning",
            settings.p99_grace_s,
            lambda seen: p99_latency(seen, settings.p99_ms),
            "The node answers, but late: look for a starved or stopped process, a slow disk, or slow commands"
            " (SLOWLOG GET).",
        ),
    ]


def node_down(seen: Observation) -> Sequence[Breach]:
    """Every node is there and answers."""
    return [Breach(node.id, f"{node.id} ({node.role}) {_problem(node)}") for node in seen.nodes if node.state == "down"]


def node_cut_off(seen: Observation) -> Sequence[Breach]:
    """Every node that answers us is heard by the others, too."""
    return [Breach(node.id, f"{node.id} ({node.role}) {_problem(node)}") for node in seen.nodes if _cut_off(node)]


def cluster_state(seen: Observation) -> Sequence[Breach]:
    """Most nodes that answer say ``cluster_state:ok``."""
    told = [str(node.detail.get("cluster_state") or "") for node in seen.nodes if node.detail.get("cluster_state")]
    failed = told.count("fail")
    if seen.metrics.get("cluster_ok") or not told:
        return []
    return [Breach(None, f"cluster_state is fail on {failed} of the {len(told)} nodes that answer", float(failed))]


def slot_uncovered(seen: Observation) -> Sequence[Breach]:
    """Every slot has an owner that answers for it."""
    if not seen.nodes or all(node.state == "unknown" for node in seen.nodes):
        return []
    breaches = [
        Breach(
            node.id,
            f"slots {node.detail['slots']} are uncovered: their owner {node.id} {_problem(node)}",
            float(seen.metrics.get("slots_served", 0)),
            float(SLOTS),
            "slots",
        )
        for node in seen.nodes
        if node.detail.get("slots_count") and not node.detail.get("serves") and node.state != "unknown"
    ]
    assigned = int(seen.metrics.get("slots_assigned", 0))
    # With nobody left to ask, who owned which slots is not known; that nobody serves them is.
    if assigned < SLOTS:
        told = f"{SLOTS - assigned} slots have no owner" if assigned else "no node is left that serves any slot"
        breaches.append(Breach(None, told, float(assigned), float(SLOTS), "slots"))
    return breaches


def primary_without_replica(seen: Observation) -> Sequence[Breach]:
    """Every primary that serves has a replica that lives; whether that one is in sync is ``replication_link``."""
    safe = {node.group for node in seen.nodes if node.role == REPLICA and node.state != "down" and not _cut_off(node)}
    return [
        Breach(node.id, f"{node.id} is the only live copy of {node.group} (slots {node.detail.get('slots')})")
        for node in seen.nodes
        if node.role == PRIMARY and node.detail.get("serves") and node.group not in safe
    ]


def replication_link(seen: Observation) -> Sequence[Breach]:
    """Every replica that answers is in sync with its primary, if that one is there to be in sync with."""
    down = {node.id for node in seen.nodes if node.state == "down"}
    return [
        Breach(
            node.id, f"{node.id} is not in sync with its primary {node.detail.get('primary') or '(which is unknown)'}"
        )
        for node in seen.nodes
        if node.detail.get("link") == "down" and node.detail.get("primary") not in down
    ]


def replication_lag(seen: Observation, limit_bytes: int) -> Sequence[Breach]:
    """No replica is further behind its primary than ``limit_bytes``."""
    return _above(seen, "repl_lag", float(limit_bytes), "bytes", "is {:,.0f} bytes behind its primary")


def memory(seen: Observation, limit_bytes: int) -> Sequence[Breach]:
    """No node uses more memory than it should: nine tenths of ``maxmemory``, without one ``limit_bytes``."""

    def limit(node: Node) -> float:
        own = _number(node, "maxmemory")
        return own * _MAXMEMORY_SHARE if own else float(limit_bytes)

    return [
        Breach(
            node.id, f"{node.id} uses {used / MIB:,.0f} MiB of {limit(node) / MIB:,.0f} MiB", used, limit(node), "bytes"
        )
        for node in seen.nodes
        if (used := _number(node, "used_memory") or 0.0) > limit(node)
    ]


def memory_headroom(seen: Observation, limit_bytes: int) -> Sequence[Breach]:
    """The cgroup of every node has room to grow, where it has a limit."""
    return [
        Breach(
            node.id,
            f"{node.id} can grow by {room / MIB:,.0f} MiB: that is all its cgroup has left",
            room,
            float(limit_bytes),
            "bytes",
        )
        for node in seen.nodes
        if (room := _number(node, "memory_headroom")) is not None and room < limit_bytes
    ]


def disk_used(seen: Observation, limit_bytes: int) -> Sequence[Breach]:
    """The data directory of no node holds more than it should."""
    return _above(seen, "disk_used", float(limit_bytes), "bytes", "has {:,.0f} bytes in its data directory")


def cpu_throttled(seen: Observation, limit: float) -> Sequence[Breach]:
    """The cgroup of no node holds it back all the time."""
    return _above(
        seen, "throttled_share", limit, "", "used up the processor time of its cgroup in {:.0%} of its periods"
    )


def stopped_at_times(seen: Observation, limit: float) -> Sequence[Breach]:
    """No node that answers is found stopped by a signal again and again; one that does not answer is ``node_down``."""
    answering = [node for node in seen.nodes if node.signals.get("probe") == "up"]
    return _above(
        replace(seen, nodes=answering), "stopped_share", limit, "", "was stopped by a signal at {:.0%} of the glances"
    )


def retransmissions(seen: Observation, limit: float) -> Sequence[Breach]:
    """What the nodes send arrives at the first try; of one that is cut off, other invariants tell."""
    sending = [
        node
        for node in seen.nodes
        if (_number(node, "retransmits") or 0.0) >= _FEW_SEGMENTS
        and node.signals.get("probe") == "up"
        and node.signals.get("cluster") != "down"
    ]
    return _above(replace(seen, nodes=sending), "retrans_share", limit, "", "sends {:.1%} of its segments again")


def slow_transfers(seen: Observation, limit_ms: float) -> Sequence[Breach]:
    """What a node has to say at length does not take much longer than a word of it."""
    breaches = []
    for node in seen.nodes:
        least, ping = _number(node, "asked_least_ms"), _number(node, "ping_median_ms")
        if least is not None and ping is not None and least - ping > limit_ms:
            told = f"{node.id} takes {least:.0f} ms for an answer of {_number(node, 'asked_chars') or 0:,.0f} bytes"
            breaches.append(Breach(node.id, f"{told}, and {ping:.2g} ms for a ping", least, ping + limit_ms, "ms"))
    return breaches


def leader_moved(seen: Observation) -> Sequence[Breach]:
    """No primary handed its slots over a moment ago."""
    return [
        Breach(node.id, f"{node.id} handed its slots over to {node.detail['handed_over_to']}, in good order")
        for node in seen.nodes
        if node.detail.get("handed_over_to")
    ]


def p99_latency(seen: Observation, limit_ms: float) -> Sequence[Breach]:
    """No node is slow to answer: above the limit and out of line with the others, or far above it whatever the reason.

    On a busy host every node is late now and then; that is no finding about any of them. So a node is out of line only
    with what it took itself, without its time in a queue for a processor.
    """
    values = {node.id: value for node in seen.nodes if (value := _number(node, "p99_ms")) is not None}
    own = {node.id: value for node in seen.nodes if (value := _number(node, "own_p99_ms")) is not None}
    breaches = []
    for node_id, value in values.items():
        others = [other for name, other in values.items() if name != node_id]
        out_of_line = not others or value > _OUT_OF_LINE * statistics.median(others)
        alone = out_of_line and own.get(node_id, value) > limit_ms
        limit = limit_ms if alone else limit_ms * _TOGETHER
        if value > limit:
            breaches.append(Breach(node_id, f"{node_id} answers late: p99 is {value:.1f} ms", value, limit, "ms"))
    return breaches


def _above(seen: Observation, key: str, limit: float, unit: str, told: str) -> Sequence[Breach]:
    return [
        Breach(node.id, f"{node.id} {told.format(value)}", value, limit, unit)
        for node in seen.nodes
        if (value := _number(node, key)) is not None and value > limit
    ]


def _number(node: Node, key: str) -> float | None:
    value = node.detail.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _cut_off(node: Node) -> bool:
    """It answers us, and the others hold it for failed."""
    return node.signals.get("probe") == "up" and node.signals.get("cluster") == "down"


def _problem(node: Node) -> str:
    return str(node.detail.get("problem") or "does not answer")
