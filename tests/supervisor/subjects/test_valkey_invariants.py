"""Invariants on constructed observations: each fires on its own breach and on nothing else."""

from dataclasses import replace

import pytest

from operator_protocol.models import Node, Scalar
from operatord.subjects.base import Breach, Observation
from operatord.subjects.valkey import invariants
from operatord.subjects.valkey.settings import MIB, Settings

_SLOTS = {"valkey-0": ("0-5460", 5461), "valkey-1": ("5461-10922", 5462), "valkey-2": ("10923-16383", 5461)}


def _node(index: int) -> Node:
    name = f"valkey-{index}"
    detail: dict[str, Scalar] = {"cluster_state": "ok", "used_memory": 3 * MIB, "maxmemory": 0, "p99_ms": 0.4}
    if index < 3:
        slots, count = _SLOTS[name]
        detail |= {"slots": slots, "slots_count": count, "serves": True}
    else:
        detail |= {"slots": "", "slots_count": 0, "serves": False, "link": "up", "repl_lag": 10}
        detail |= {"primary": f"valkey-{index - 3}"}
    return Node(
        id=name,
        role="primary" if index < 3 else "replica",
        group=f"shard-{index % 3}",
        address=f"127.0.0.1:{7000 + index}",
        state="up",
        leader=index < 3,
        detail=detail,
    )


def _seen(**changes: dict[str, object]) -> Observation:
    """A healthy cluster but for ``valkey_1={"state": "down", "detail": {…}}``."""
    nodes = []
    for node in map(_node, range(6)):
        change = dict(changes.get(node.id.replace("-", "_"), {}))
        detail = {**node.detail, **change.pop("detail", {})}  # type: ignore[dict-item]  # a map in these tests
        nodes.append(replace(node, detail=detail, **change))  # type: ignore[arg-type]  # fields by name
    served = sum(int(node.detail["slots_count"] or 0) for node in nodes if node.detail["serves"])
    assigned = sum(int(node.detail["slots_count"] or 0) for node in nodes)
    metrics = {"slots_served": float(served), "slots_assigned": float(assigned), "cluster_ok": 1.0}
    return Observation(subject="valkey", ok=True, reason="", nodes=nodes, metrics=metrics)


def _breaches(seen: Observation, settings: Settings | None = None) -> dict[str, list[Breach]]:
    found = {one.name: list(one.check(seen)) for one in invariants.of(settings or Settings())}
    return {name: breaches for name, breaches in found.items() if breaches}


def test_a_healthy_cluster_breaks_nothing() -> None:
    assert _breaches(_seen()) == {}


def test_a_dead_replica_is_down_and_leaves_its_primary_alone() -> None:
    found = _breaches(_seen(valkey_4={"state": "down", "detail": {"link": None, "problem": "is down"}}))
    assert set(found) == {"node_down", "primary_without_replica"}
    assert found["node_down"] == [Breach("valkey-4", "valkey-4 (replica) is down")]
    assert [breach.node for breach in found["primary_without_replica"]] == ["valkey-1"]


def test_a_dead_primary_is_down_and_its_slots_are_uncovered() -> None:
    found = _breaches(_seen(valkey_1={"state": "down", "detail": {"serves": False, "problem": "is down"}}))
    assert set(found) == {"node_down", "slot_uncovered"}
    (uncovered,) = found["slot_uncovered"]
    assert uncovered.node == "valkey-1"
    assert uncovered.message == "slots 5461-10922 are uncovered: their owner valkey-1 is down"
    assert (uncovered.value, uncovered.threshold) == (16384 - 5462, 16384)


def test_slots_without_any_owner_are_nobodys_breach() -> None:
    found = _breaches(_seen(valkey_1={"detail": {"slots": "", "slots_count": 0, "serves": False}}))
    assert [(breach.node, breach.message) for breach in found["slot_uncovered"]] == [(None, "5462 slots have no owner")]


def test_a_failed_cluster_state_is_one_breach_for_the_whole() -> None:
    fail: dict[str, object] = {"detail": {"cluster_state": "fail"}}
    seen = _seen(valkey_0=fail, valkey_1=fail, valkey_2=fail, valkey_3=fail, valkey_4=fail, valkey_5=fail)
    seen = replace(seen, metrics={**seen.metrics, "cluster_ok": 0.0})
    (breach,) = _breaches(seen)["cluster_state"]
    assert (breach.node, breach.value) == (None, 6)


def test_a_node_that_only_we_reach_is_cut_off_and_no_copy_to_rely_on() -> None:
    found = _breaches(
        _seen(
            valkey_4={
                "state": "degraded",
                "signals": {"process": "up", "probe": "up", "cluster": "down"},
                "detail": {"problem": "answers here but not to the other nodes"},
            }
        )
    )
    assert set(found) == {"node_cut_off", "primary_without_replica"}
    assert found["node_cut_off"] == [Breach("valkey-4", "valkey-4 (replica) answers here but not to the other nodes")]
    assert [breach.node for breach in found["primary_without_replica"]] == ["valkey-1"]


def test_a_node_that_is_silent_to_all_is_down_and_not_cut_off() -> None:
    silent: dict[str, object] = {"state": "down", "signals": {"process": "up", "probe": "down", "cluster": "down"}}
    assert "node_cut_off" not in _breaches(_seen(valkey_4=silent))


def test_a_replica_out_of_sync_is_a_broken_link_but_still_a_replica() -> None:
    found = _breaches(_seen(valkey_5={"state": "degraded", "detail": {"link": "down"}}))
    assert set(found) == {"replication_link"}
    assert found["replication_link"][0].message == "valkey-5 is not in sync with its primary valkey-2"


def test_a_replica_whose_primary_is_dead_has_no_broken_link_of_its_own() -> None:
    dead: dict[str, object] = {"state": "down", "detail": {"serves": False}}
    found = _breaches(_seen(valkey_2=dead, valkey_5={"state": "degraded", "detail": {"link": "down"}}))
    assert set(found) == {"node_down", "slot_uncovered"}


@pytest.mark.parametrize(
    ("detail", "invariant", "threshold"),
    [
        ({"repl_lag": 4 * MIB + 1}, "replication_lag", 4 * MIB),
        ({"used_memory": 257 * MIB}, "memory", 256 * MIB),
        ({"used_memory": 95, "maxmemory": 100}, "memory", 90),
        ({"p99_ms": 13.7}, "p99_latency", 10),
    ],
)
def test_a_figure_above_its_limit_is_a_breach_with_value_and_threshold(
    detail: dict[str, Scalar], invariant: str, threshold: float
) -> None:
    found = _breaches(_seen(valkey_3={"detail": detail}))
    assert set(found) == {invariant}
    (breach,) = found[invariant]
    assert (breach.node, breach.threshold) == ("valkey-3", threshold)
    assert breach.value is not None
    assert breach.value > threshold


def test_a_figure_that_is_not_known_is_no_breach() -> None:
    assert _breaches(_seen(valkey_3={"detail": {"p99_ms": None, "repl_lag": None, "used_memory": None}})) == {}


def test_an_unknown_node_breaks_nothing() -> None:
    assert _breaches(_seen(valkey_1={"state": "unknown", "detail": {"serves": False}})) == {}


def test_thresholds_and_grace_periods_come_from_the_options() -> None:
    settings = Settings.read({"p99_ms": 0.1, "p99_grace_s": 0.5, "node_down_grace_s": 2})
    graces = {one.name: one.grace_s for one in invariants.of(settings)}
    assert (graces["p99_latency"], graces["node_down"]) == (0.5, 2.0)
    assert len(_breaches(_seen(valkey_1={"detail": {"p99_ms": 1.3}}), settings)["p99_latency"]) == 1


def test_every_invariant_says_what_to_do() -> None:
    assert all(one.runbook for one in invariants.of(Settings()))


def test_nodes_that_are_late_together_say_something_about_the_host_and_not_about_a_node() -> None:
    late: dict[str, dict[str, object]] = {f"valkey_{index}": {"detail": {"p99_ms": 14.0 + index}} for index in range(6)}
    assert "p99_latency" not in _breaches(_seen(**late))
    very_late: dict[str, dict[str, object]] = {
        f"valkey_{index}": {"detail": {"p99_ms": 70.0 + index}} for index in range(6)
    }
    assert len(_breaches(_seen(**very_late))["p99_latency"]) == 6


def test_a_node_that_only_waited_for_a_processor_is_not_slow_by_itself() -> None:
    """On a busy host one of six is always the unluckiest."""
    queued: dict[str, dict[str, object]] = {"valkey_3": {"detail": {"p99_ms": 24.0, "own_p99_ms": 0.6}}}
    assert _breaches(_seen(**queued)) == {}
    itself: dict[str, dict[str, object]] = {"valkey_3": {"detail": {"p99_ms": 24.0, "own_p99_ms": 14.0}}}
    assert set(_breaches(_seen(**itself))) == {"p99_latency"}


def test_a_node_that_is_late_beyond_all_measure_is_slow_whatever_the_reason() -> None:
    queued: dict[str, dict[str, object]] = {"valkey_3": {"detail": {"p99_ms": 70.0, "own_p99_ms": 0.6}}}
    assert set(_breaches(_seen(**queued))) == {"p99_latency"}
