"""Each invariant against observations that break it, and against those that only look as if they did."""

from dataclasses import replace

from operator_protocol.models import Node, NodeState, Scalar, SignalState
from operatord.subjects.base import Observation
from operatord.subjects.tikv import invariants
from operatord.subjects.tikv.settings import Settings


def store(number: int = 0, state: NodeState = "up", cluster: SignalState = "up", **detail: Scalar) -> Node:
    told: dict[str, Scalar] = {"problem": "is down" if state == "down" else "", "contact": "answered"}
    told |= {"pd_state": "Up", "leaders": 10, "regions": 30, "available_share": 0.5, "available": 1e9}
    told |= detail
    return Node(f"tikv{number}", "tikv", "", "a:1", state, signals={"cluster": cluster}, detail=told)


def pd(number: int = 0, state: NodeState = "up", cluster: SignalState = "up") -> Node:
    return Node(f"pd{number}", "pd", "pd", "a:1", state, signals={"cluster": cluster}, detail={"problem": "is gone"})


def seen(*nodes: Node, **metrics: float) -> Observation:
    return Observation("tikv", True, "", list(nodes), metrics)


def broken(observation: Observation, settings: Settings | None = None) -> dict[str, list[str | None]]:
    """Invariant to the nodes that break it."""
    found = {one.name: [b.node for b in one.check(observation)] for one in invariants.of(settings or Settings())}
    return {name: nodes for name, nodes in found.items() if nodes}


def well() -> list[Node]:
    return [pd(0), pd(1), pd(2), store(0), store(1), store(2)]


def test_a_healthy_cluster_breaks_nothing() -> None:
    assert broken(seen(*well(), pd_leader=1.0, regions=30, regions_miss_peer=0)) == {}
    assert broken(seen()) == {}


def test_a_store_that_is_down_is_not_disconnected_besides() -> None:
    assert broken(seen(store(0, "down", "down"))) == {"store_down": ["tikv0"]}
    assert broken(seen(store(0, "degraded", "down"))) == {"store_disconnected": ["tikv0"]}
    assert broken(seen(store(0, "unknown", "down"))) == {}


def test_a_drain_is_stuck_only_when_no_region_leaves() -> None:
    assert broken(seen(store(draining_still_s=1_700.0))) == {}
    assert broken(seen(store(draining_still_s=1_900.0))) == {"store_offline_stuck": ["tikv0"]}


def test_one_pd_lost_leaves_no_margin_and_of_five_there_is_one() -> None:
    three = [pd(0), pd(1, "down", "down"), pd(2)]
    assert broken(seen(*three)) == {"pd_member_unhealthy": ["pd1"], "quorum_margin": [None]}
    five = [*three, pd(3), pd(4)]
    assert broken(seen(*five)) == {"pd_member_unhealthy": ["pd1"]}
    # A single PD never had a margin; one that is not known to live is no finding about the margin.
    assert broken(seen(pd(0))) == {}
    assert broken(seen(pd(0), pd(1), pd(2, "unknown", "unknown"))) == {}


def test_a_pd_that_answers_us_but_not_its_peers_is_unhealthy() -> None:
    assert broken(seen(pd(0), pd(1, "degraded", "down"), pd(2))) == {"pd_member_unhealthy": ["pd1"]}


def test_no_leader_is_a_finding_only_where_pd_could_be_reached() -> None:
    assert broken(seen(pd_leader=0.0, pds=3, pds_down=2, pd_quorum=2)) == {"no_pd_leader": [None]}
    assert broken(seen(pds=3)) == {}


def test_latency_lag_and_queues_are_told_in_their_units_and_no_figure_is_no_finding() -> None:
    assert broken(seen(store(p99_ms=201.0))) == {"p99_latency": ["tikv0"]}
    assert broken(seen(store(p99_ms=None))) == broken(seen(store(p99_ms=199.0))) == {}
    assert broken(seen(store(raft_log_lag=5_001))) == {"raft_log_lag": ["tikv0"]}
    assert broken(seen(store(scheduler_pending=1_001, ops_per_sec=500))) == {"scheduler_stuck": ["tikv0"]}
    assert broken(seen(store(scheduler_pending=3, ops_per_sec=0))) == {"scheduler_stuck": ["tikv0"]}
    assert broken(seen(store(scheduler_pending=3))) == broken(seen(store(ops_per_sec=0))) == {}


def test_space_is_judged_by_what_is_available() -> None:
    assert broken(seen(store(available_share=0.19, used=0.0))) == {"low_space": ["tikv0"]}
    assert broken(seen(store(available_share=0.2, used=1e12))) == {}
    assert broken(seen(store(available_share=None))) == {}
    (breach,) = invariants.low_space(seen(store(available_share=0.1, available=5 * (1 << 30))), Settings())
    assert breach.message == "tikv0 has 5.0 GiB left on its disk (10%)"


def test_regions_with_a_problem_are_counted() -> None:
    found = seen(regions=30, regions_miss_peer=2, regions_down_peer=3)
    assert broken(found) == {"miss_peer_regions": [None], "down_peer_regions": [None]}


def test_replicas_of_a_store_that_is_down_are_told_by_the_store() -> None:
    lost = {"regions": 30, "regions_down_peer": 30}
    assert broken(seen(store(0), store(1, "down", "down"), **lost)) == {"store_down": ["tikv1"]}
    assert broken(seen(store(0), store(1, "degraded", "down"), **lost)) == {"store_disconnected": ["tikv1"]}
    assert broken(seen(store(0), store(1), **lost)) == {"down_peer_regions": [None]}


def test_leaders_are_out_of_balance_among_those_that_may_lead() -> None:
    stores = [store(0, leaders=0), store(1, leaders=15), store(2, leaders=15)]
    assert broken(seen(*stores)) == {"leader_imbalance": ["tikv0", "tikv1", "tikv2"]}
    assert broken(seen(*stores), Settings(leader_imbalance_share=0.9)) == {"leader_imbalance": ["tikv0"]}
    evicted = [store(0, leaders=0, evicting=True), *stores[1:]]
    assert broken(seen(*evicted)) == {"leaders_evicted": ["tikv0"]}
    down = [store(0, "down", leaders=0), *stores[1:]]
    assert "leader_imbalance" not in broken(seen(*down))
    assert broken(seen(store(0, leaders=2), store(1, leaders=6))) == {}  # too few to tell


def test_clients_that_are_not_served_are_told_while_the_status_port_answers() -> None:
    assert broken(seen(store(state="degraded", data_port="silent"))) == {"data_port": ["tikv0"]}
    assert broken(seen(store(state="up", data_port="silent"))) == {}  # not for long enough
    assert broken(seen(store(state="degraded", data_port="unreachable"))) == {}


def test_stale_metrics_are_a_violation_of_their_own() -> None:
    assert broken(seen(*well())) == {}  # there is no Prometheus
    assert broken(seen(*well(), prometheus_silent_s=61.0)) == {"stale_metrics": [None]}
    fresh = {"prometheus_silent_s": 1.0}
    assert broken(seen(store(scrape_age_s=61.0), **fresh)) == {"stale_metrics": ["tikv0"]}
    assert broken(seen(store(scraped=False), **fresh)) == {"stale_metrics": ["tikv0"]}
    # A store that is down is not scraped, and that is not the scrape's fault.
    assert broken(seen(store(0, "down", scraped=False, scrape_age_s=100.0), **fresh)) == {"store_down": ["tikv0"]}


def test_on_an_observation_that_is_unknown_only_what_is_sure_is_judged() -> None:
    checked = [one for one in invariants.of(Settings()) if one.on_unknown != "skipped"]
    unknown = replace(seen(pd(0), store(0, "unknown", "unknown"), store(1, "down", "unknown")), ok=None)
    assert {one.name: [b.node for b in one.check(unknown)] for one in checked} == {
        "store_down": ["tikv1"],
        "pd_member_unhealthy": [],
        "no_pd_leader": [],
        "engine_lost": [],
    }
