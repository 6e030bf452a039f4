"""From what was gathered to one observation: who is up, who leads, whether the cluster is well.

Without a word of PD the observation is unknown (``ok`` None), whatever the servers' own ports say: which of them hold
which regions, and whether those have leaders, is then not to be known. It is never "all stores down" either: a store
is down only by its container, by its own port, or by the word of a PD that leads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from operator_protocol.models import Node, NodeState, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv import views
from operatord.subjects.tikv.answers import Directory, PDSeen, Scrape, StoreSeen
from operatord.subjects.tikv.pd.models import Store
from operatord.subjects.tikv.views import Reach, Sight

SUBJECT = "tikv"
PD, TIKV = "pd", "tikv"

_CONTAINER_WORDS = {"exited": "has exited", "missing": "is gone", "removing": "is being removed"}
_FIGURES = {"p99": ("p99_ms", 1_000.0), "ops": ("ops_per_sec", 1.0), "cpu": ("cpu_cores", 1.0)}
"""Queries whose figure is shown by another name or in another unit, with the factor."""
_NOT_SHOWN = frozenset({"up", "scrape_age", "leaders", "regions", "available", "capacity", "slow_score"})
"""Told by PD, or of use only to judge the scrape."""


@dataclass(frozen=True, slots=True)
class _Finding:
    state: NodeState
    problem: str = ""


def observation(
    directory: Directory,
    pds: Sequence[PDSeen],
    stores: Sequence[StoreSeen],
    scrape: Scrape,
    *,
    silence_s: float,
    at: float,
    mono: float,
) -> Observation:
    """Merge it. ``at`` and ``mono`` are the wall and monotonic clocks at the start of the look."""
    nodes = [_pd_node(one, silence_s) for one in pds]
    nodes += [_store_node(one, directory, scrape, silence_s) for one in stores]
    ok, reason = _judge(directory, nodes)
    return Observation(SUBJECT, ok, reason, nodes, _metrics(directory, nodes, scrape), at, mono)


def quorum(members: int) -> int:
    """How many of so many must live."""
    return members // 2 + 1


def _pd_node(seen: PDSeen, silence_s: float) -> Node:
    sight = seen.reach.sight(silence_s)
    cluster = views.member_signal(seen.healthy)
    rule = views.merge(seen.container.signal, sight, cluster, beats=False)
    problem = _worded(rule.problem, seen.container.state, seen.reach, "unhealthy")
    return Node(
        id=seen.id,
        role=PD,
        group=PD,
        address=seen.address,
        state=rule.state,
        leader=bool(seen.leads) and rule.state != "down",
        signals={"container": seen.container.signal, "probe": views.probe_signal(sight), "cluster": cluster},
        detail={
            "problem": problem,
            "healthy": seen.healthy,
            "member_id": str(seen.member.member_id) if seen.member else "",
            "version": seen.member.version if seen.member else "",
            "scrape_age_s": _rounded(seen.scrape_age_s),
            **_look_detail(seen.reach, seen.container),
        },
    )


def _store_node(seen: StoreSeen, directory: Directory, scrape: Scrape, silence_s: float) -> Node:
    store = seen.store
    sight = seen.reach.sight(silence_s)
    cluster = "down" if seen.unknown_to_pd else views.store_signal(store.state if store else None)
    rule = views.merge(seen.container.signal, sight, cluster, beats=seen.beats)
    word = store.state if store else "no member"
    finding = _Finding(rule.state, _worded(rule.problem, seen.container.state, seen.reach, word))
    if finding.state == "up":
        finding = _closer(seen, sight, silence_s)
    figures: dict[str, Scalar] = {}
    for name, value in seen.figures.items():
        # A rate over a minute goes on for a minute: of a store that is down it tells what was.
        if name not in _NOT_SHOWN and finding.state != "down":
            shown, factor = _FIGURES.get(name, (name, 1.0))
            figures[shown] = round(value * factor, 3)
    return Node(
        id=seen.id,
        role=TIKV,
        group="",
        address=seen.address,
        state=finding.state,
        signals={"container": seen.container.signal, "probe": views.probe_signal(sight), "cluster": cluster},
        detail={
            "problem": finding.problem,
            # In the order of what a person looks for: where there is no room for all, the first are shown.
            **(_load_detail(store, directory) if store else {}),
            **figures,
            **(_store_detail(seen, store) if store else {}),
            "store_id": str(seen.store_id) if seen.store_id is not None else "",
            **_look_detail(seen.reach, seen.container),
            "data_port": seen.data,
            "scraped": _scraped(seen, scrape),
            "scrape_age_s": _rounded(seen.scrape_age_s),
        },
    )


def _scraped(seen: StoreSeen, scrape: Scrape) -> bool | None:
    """Whether Prometheus reaches it. A scrape that failed before it answered here says nothing of now: a store that
    was brought back is scraped again only when its turn comes."""
    up = seen.figures.get("up")
    if up is None or not scrape.fresh:
        return None
    failed_since = seen.scrape_age_s is not None and seen.scrape_age_s < seen.reach.answering_for_s
    return True if up else False if failed_since else None


def _closer(seen: StoreSeen, sight: Sight, silence_s: float) -> _Finding:
    """A store that lives may still not do its work."""
    if sight == "up" and seen.data == "refused":
        return _Finding("degraded", "answers on its status port, but refuses clients")
    if sight == "up" and seen.data == "silent" and seen.data_silent_for_s >= silence_s:
        return _Finding("degraded", "answers on its status port, but not its clients")
    if seen.store is not None and seen.store.state == "Offline":
        return _Finding("up", "is being drained")
    if seen.evicting:
        return _Finding("up", "may lead nothing: its leaders are being evicted")
    return _Finding("up")


def _worded(problem: str, container: str, reach: Reach, word: str) -> str:
    if not problem:
        return ""
    silence = (
        "refuses connections" if reach.contact == "refused" else f"has not answered for {reach.silent_for_s:.1f} s"
    )
    said = _CONTAINER_WORDS.get(container, f"is {container}")
    return problem.format(container=said, silence=silence, word=word)


def _look_detail(reach: Reach, container: views.Container) -> dict[str, Scalar]:
    detail: dict[str, Scalar] = {"contact": reach.contact, "silent_for_s": round(reach.silent_for_s, 3)}
    if container.trouble:
        detail["container_trouble"] = container.trouble
    if container.state != "unknown":
        detail["container_state"] = container.state
        detail["container_since_at"] = container.since_at
        detail["exit_code"] = container.exit_code
        detail["oom_killed"] = container.oom_killed
    return detail


def _load_detail(store: Store, directory: Directory) -> dict[str, Scalar]:
    stats = directory.stats
    return {
        "leaders": stats.leaders.get(store.id, 0) if stats else store.leader_count,
        "regions": stats.peers.get(store.id, 0) if stats else store.region_count,
        "pd_state": store.state,
    }


def _store_detail(seen: StoreSeen, store: Store) -> dict[str, Scalar]:
    share = store.available / store.capacity if store.capacity and store.available is not None else None
    return {
        "status_address": store.status_address,
        "version": store.version,
        "capacity": store.capacity,
        "available": store.available,
        "used": store.used,
        "available_share": _rounded(share),
        "heartbeat_age_s": _rounded(seen.heartbeat_age_s),
        "slow_score": store.slow_score,
        "pending_peers": store.pending_peers,
        "busy": store.busy,
        "evicting": seen.evicting,
        "draining_still_s": _rounded(seen.draining_still_s),
    }


def _judge(directory: Directory, nodes: Sequence[Node]) -> tuple[bool | None, str]:
    lost = _problems(nodes, PD, ("down",))
    if not directory.known:
        return None, "; ".join([directory.trouble, *lost, *_problems(nodes, TIKV, ("down",))])
    if not directory.bootstrapped:
        return False, "no store has joined the cluster yet"
    wrong = [*lost, *_problems(nodes, TIKV, ("down",)), *_problems(nodes, None, ("degraded", "unknown"))]
    return (False, "; ".join(wrong)) if wrong else (True, "")


def _problems(nodes: Sequence[Node], role: str | None, states: tuple[NodeState, ...]) -> list[str]:
    return [
        f"{node.id} {node.detail['problem']}" for node in nodes if node.state in states and role in (None, node.role)
    ]


def _metrics(directory: Directory, nodes: Sequence[Node], scrape: Scrape) -> dict[str, float]:
    pds = [node for node in nodes if node.role == PD]
    metrics = {
        "pds": float(len(pds)),
        "pds_up": float(sum(node.state == "up" for node in pds)),
        "pds_down": float(sum(node.state == "down" for node in pds)),
        "pd_quorum": float(quorum(len(pds))),
        "stores": float(len(nodes) - len(pds)),
        "stores_up": float(sum(node.state == "up" for node in nodes if node.role == TIKV)),
    }
    if directory.leadership != "unknown":
        metrics["pd_leader"] = float(directory.leadership == "led")
    if (stats := directory.stats) is not None:
        metrics |= {"regions": float(stats.count), "regions_empty": float(stats.empty)}
        metrics |= {"leaders": float(sum(stats.leaders.values())), "data_bytes": stats.size, "keys": float(stats.keys)}
    for problem, count in (directory.problems or {}).items():
        metrics[f"regions_{problem.replace('-', '_')}"] = float(count)
    if scrape.configured:
        metrics |= {"prometheus_silent_s": round(scrape.silent_for_s, 3), "prometheus_fresh": float(scrape.fresh)}
        metrics["prometheus_empty_s"] = round(scrape.empty_for_s, 3)
    return metrics


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
