"""What must hold for a TiKV cluster, as one table.

One trouble should be one violation: a store that is down is not reported again as disconnected when PD finds out
20 s later, and one that may not lead by decree is not out of balance besides.
"""

import statistics
from collections.abc import Callable, Sequence

from operator_protocol.models import Node
from operatord.subjects.base import Breach, Invariant, Observation
from operatord.subjects.tikv.health import PD, TIKV, quorum
from operatord.subjects.tikv.settings import Settings

GIB = 1 << 30


def of(settings: Settings) -> list[Invariant]:
    """The table, with the thresholds and grace periods of ``settings``."""

    def within(check: Callable[[Observation, Settings], Sequence[Breach]]) -> Callable[[Observation], Sequence[Breach]]:
        return lambda seen: check(seen, settings)

    return [
        Invariant(
            "store_down",
            "critical",
            settings.store_down_grace_s,
            store_down,
            "Start the store's container (or operatorctl recover, if a fault took it down). Its regions elect other"
            " leaders within 10 to 20 s; PD rebuilds the lost replicas only after max-store-down-time (30 min).",
            on_unknown="checked",
        ),
        Invariant(
            "store_disconnected",
            "critical",
            settings.store_disconnected_grace_s,
            store_disconnected,
            "The store lives but PD hears nothing from it: look at the network between them, and at its log for"
            " connections to PD.",
        ),
        Invariant(
            "store_offline_stuck",
            "warning",
            0.0,
            within(store_offline_stuck),
            "The store is being drained and loses no more regions: are there enough other stores with space for the"
            " replicas, and are the schedulers running? Setting its state back to Up stops the drain.",
        ),
        Invariant(
            "pd_member_unhealthy",
            "critical",
            settings.pd_unhealthy_grace_s,
            pd_member_unhealthy,
            "Start the PD's container. The cluster goes on while a majority of PDs lives.",
            on_unknown="checked",
        ),
        Invariant(
            "no_pd_leader",
            "critical",
            settings.pd_leader_grace_s,
            no_pd_leader,
            "Nothing is known of the stores until PD has a leader, and clients get no timestamps: bring back as many"
            " PDs as the majority needs. Stores that run go on; do not restart them.",
            on_unknown="explains",
        ),
        Invariant(
            "quorum_margin",
            "warning",
            settings.quorum_margin_grace_s,
            within(quorum_margin),
            "The next PD that fails stops the cluster. Bring the lost one back before anything else is done.",
        ),
        Invariant(
            "p99_latency",
            "warning",
            settings.p99_grace_s,
            within(p99_latency),
            "Requests to this store are slow: look at its CPU, its disk, and whether it leads more hot regions than"
            " the others.",
        ),
        Invariant(
            "low_space",
            "critical",
            settings.low_space_grace_s,
            within(low_space),
            "Free the disk: files that are not TiKV's count, too. Under its reserved space (5 GiB) the store refuses"
            " writes.",
        ),
        Invariant(
            "miss_peer_regions",
            "warning",
            settings.region_grace_s,
            lambda seen: _regions(seen, "miss_peer", "have too few replicas"),
            "PD adds the missing replicas by itself while enough stores with space are up: count them.",
        ),
        Invariant(
            "down_peer_regions",
            "warning",
            settings.region_grace_s,
            down_peer_regions,
            "Bring the store of those replicas back; PD replaces them after max-store-down-time.",
        ),
        Invariant(
            "leaders_evicted",
            "warning",
            settings.leaders_evicted_grace_s,
            leaders_evicted,
            "An evict-leader scheduler is set, and stays across restarts. If no maintenance is under way, remove it"
            " (pd-ctl scheduler remove evict-leader-scheduler-ID).",
        ),
        Invariant(
            "leader_imbalance",
            "warning",
            settings.leader_imbalance_grace_s,
            within(leader_imbalance),
            "Look at the store's weights and at balance-leader-scheduler: is it there, is it paused?",
        ),
        Invariant(
            "raft_log_lag",
            "warning",
            settings.raft_log_lag_grace_s,
            within(raft_log_lag),
            "Followers of this store's regions fall behind: look at the disks of the other stores, and at snapshots"
            " under way.",
        ),
        Invariant(
            "scheduler_stuck",
            "warning",
            settings.scheduler_grace_s,
            within(scheduler_stuck),
            "Writes wait in this store and do not get through: look at its disk, at RocksDB's write stalls, and for"
            " one hot region.",
        ),
        Invariant(
            "data_port",
            "critical",
            settings.data_port_grace_s,
            data_port,
            "The store lives and serves no client: its gRPC server is paused or hangs. Resume it (PUT /resume_grpc on"
            " its status port), or restart the store.",
        ),
        Invariant(
            "engine_lost",
            "critical",
            settings.engine_lost_grace_s,
            engine_lost,
            "Start the container engine again. Until then no container is known to live, none can be started, and what"
            " faults owe there is undone when it is back; the containers themselves may well run on.",
            on_unknown="explains",
        ),
        Invariant(
            "stale_metrics",
            "warning",
            settings.stale_metrics_grace_s,
            within(stale_metrics),
            "What Prometheus tells is of the past, so latency and lag are not watched: is it running, and does it"
            " reach its targets?",
        ),
    ]


def store_down(seen: Observation) -> Sequence[Breach]:
    """Every store lives."""
    return [Breach(node.id, f"{node.id} {_problem(node)}") for node in _stores(seen) if node.state == "down"]


def store_disconnected(seen: Observation) -> Sequence[Breach]:
    """PD hears from every store that lives."""
    return [
        Breach(node.id, f"{node.id} {_problem(node)}")
        for node in _stores(seen)
        if node.state not in ("down", "unknown") and node.signals.get("cluster") == "down"
    ]


def store_offline_stuck(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """A store that is being drained loses regions."""
    limit = settings.offline_stuck_s
    return [
        Breach(node.id, f"{node.id} is being drained and has lost no region for {still:,.0f} s", still, limit, "s")
        for node in _stores(seen)
        if (still := _number(node, "draining_still_s") or 0.0) > limit
    ]


def pd_member_unhealthy(seen: Observation) -> Sequence[Breach]:
    """Every PD lives, and its peers hold it for healthy."""
    return [
        Breach(node.id, f"{node.id} {_problem(node)}")
        for node in seen.nodes
        if node.role == PD and (node.state == "down" or node.signals.get("cluster") == "down")
    ]


def no_pd_leader(seen: Observation) -> Sequence[Breach]:
    """Somebody leads PD. When nothing of PD can be reached, that is not known."""
    if seen.metrics.get("pd_leader") != 0.0:
        return []
    alive, needed = seen.metrics.get("pds", 0.0) - seen.metrics.get("pds_down", 0.0), seen.metrics.get("pd_quorum", 0.0)
    told = f"PD has no leader: {alive:.0f} of {seen.metrics.get('pds', 0.0):.0f} PDs live, {needed:.0f} are needed"
    return [Breach(None, told, alive, needed, "PDs")]


def quorum_margin(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """So many PDs can be lost without losing the majority; not asked of clusters that never could lose one."""
    members = [node for node in seen.nodes if node.role == PD]
    needed = quorum(len(members))
    alive = sum(node.state not in ("down", "unknown") for node in members)
    margin, wanted = alive - needed, min(settings.quorum_margin, len(members) - needed)
    if margin >= wanted or any(node.state == "unknown" for node in members):
        return []
    told = f"{alive} of {len(members)} PDs live and {needed} are needed: {max(0, margin)} may be lost"
    return [Breach(None, told, float(margin), float(wanted), "PDs")]


def p99_latency(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """No store keeps its clients waiting."""
    return _above(seen, "p99_ms", settings.p99_ms, "ms", "is slow: p99 is {:,.1f} ms")


def low_space(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """Every store's disk has room: what is *available*, whoever filled the rest."""
    breaches = []
    for node in _stores(seen):
        share, available = _number(node, "available_share"), _number(node, "available") or 0.0
        if share is not None and share < settings.low_space_share and node.state != "down":
            told = f"{node.id} has {available / GIB:,.1f} GiB left on its disk ({share:.0%})"
            breaches.append(Breach(node.id, told, share, settings.low_space_share, "of the disk"))
    return breaches


def down_peer_regions(seen: Observation) -> Sequence[Breach]:
    """No replica is down on a store that PD hears from. Those of a store that is down are told by that."""
    if any(node.state == "down" or node.signals.get("cluster") == "down" for node in _stores(seen)):
        return []
    return _regions(seen, "down_peer", "have a replica that is down")


def leaders_evicted(seen: Observation) -> Sequence[Breach]:
    """No store is forbidden to lead."""
    return [
        Breach(
            node.id,
            f"leaders of {node.id} are being evicted: it leads {_number(node, 'leaders') or 0:.0f} regions",
            _number(node, "leaders"),
        )
        for node in _stores(seen)
        if node.detail.get("evicting")
    ]


def leader_imbalance(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """The stores that live and may lead do so alike."""
    led = {
        node.id: leaders
        for node in _stores(seen)
        if node.state == "up" and not node.detail.get("evicting") and node.detail.get("pd_state") == "Up"
        if (leaders := _number(node, "leaders")) is not None
    }
    if len(led) < 2:
        return []
    mean = statistics.fmean(led.values())
    limit = max(settings.leader_imbalance_share * mean, float(settings.leader_imbalance_least))
    return [
        Breach(name, f"{name} leads {count:.0f} regions, the mean is {mean:.0f}", abs(count - mean), limit, "regions")
        for name, count in led.items()
        if abs(count - mean) >= limit
    ]


def raft_log_lag(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """Followers keep up."""
    limit = float(settings.raft_log_lag)
    return _above(seen, "raft_log_lag", limit, "entries", "has followers that are {:,.0f} log entries behind")


def scheduler_stuck(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """Writes get through: not too many wait, and while some wait some are served."""
    breaches = []
    for node in _stores(seen):
        pending, ops = _number(node, "scheduler_pending") or 0.0, _number(node, "ops_per_sec")
        if pending > settings.scheduler_pending or (pending > 0 and ops == 0.0):
            served = "" if ops is None else f", {ops:,.0f} requests a second are served"
            told = f"{pending:,.0f} writes wait in {node.id}{served}"
            breaches.append(Breach(node.id, told, pending, float(settings.scheduler_pending), "writes"))
    return breaches


def data_port(seen: Observation) -> Sequence[Breach]:
    """A store that answers on its status port answers its clients as well."""
    return [
        Breach(node.id, f"{node.id} {_problem(node)}")
        for node in _stores(seen)
        if node.state == "degraded"
        and node.detail.get("contact") == "answered"
        and node.detail.get("data_port") in ("refused", "silent")
    ]


def engine_lost(seen: Observation) -> Sequence[Breach]:
    """The engine that our containers run on answers."""
    troubles = (node.detail.get("container_trouble") for node in seen.nodes)
    trouble = next((trouble for trouble in troubles if trouble), "")
    return [Breach(None, f"the container engine does not answer: {trouble}")] if trouble else []


def stale_metrics(seen: Observation, settings: Settings) -> Sequence[Breach]:
    """What Prometheus tells is of now. A server that is down is not scraped, which is no trouble of the scrape."""
    limit = settings.stale_metrics_s
    silent = seen.metrics.get("prometheus_silent_s")
    if silent is None:
        return []
    if silent > limit:
        return [Breach(None, f"Prometheus has not answered for {silent:,.0f} s", silent, limit, "s")]
    if (empty := seen.metrics.get("prometheus_empty_s", 0.0)) > limit:
        told = f"Prometheus answers, and has had nothing of these servers for {empty:,.0f} s: is it theirs?"
        return [Breach(None, told, empty, limit, "s")]
    breaches = []
    for node in seen.nodes:
        age = _number(node, "scrape_age_s")
        if node.state == "down":
            continue
        if age is not None and age > limit:
            breaches.append(Breach(node.id, f"the metrics of {node.id} are {age:,.0f} s old", age, limit, "s"))
        elif node.detail.get("scraped") is False and node.detail.get("contact") == "answered":
            breaches.append(Breach(node.id, f"Prometheus cannot scrape {node.id}, which answers here"))
    return breaches


def _regions(seen: Observation, problem: str, told: str) -> Sequence[Breach]:
    count = seen.metrics.get(f"regions_{problem}", 0.0)
    if not count:
        return []
    of_all = f" of {seen.metrics['regions']:,.0f}" if "regions" in seen.metrics else ""
    return [Breach(None, f"{count:,.0f}{of_all} regions {told}", count, 0.0, "regions")]


def _above(seen: Observation, key: str, limit: float, unit: str, told: str) -> Sequence[Breach]:
    return [
        Breach(node.id, f"{node.id} {told.format(value)}", value, limit, unit)
        for node in _stores(seen)
        if (value := _number(node, key)) is not None and value > limit
    ]


def _stores(seen: Observation) -> list[Node]:
    return [node for node in seen.nodes if node.role == TIKV]


def _number(node: Node, key: str) -> float | None:
    value = node.detail.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _problem(node: Node) -> str:
    return str(node.detail.get("problem") or "does not answer")
