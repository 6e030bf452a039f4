"""The guard rails, as tables of clusters and what may be done to them."""

from dataclasses import replace

import pytest

from operator_protocol.models import Node, NodeState, Scalar
from operatord.faults.guard import is_undecided, refusals, refuse, unexplained
from operatord.subjects.base import GuardRules, Observation

from .toy_cluster import RULES, look, node

PD = [Node(f"pd{number}", "pd", "pd", "", "up") for number in range(1, 4)]
STORES = [Node(f"tikv{number}", "tikv", "tikv", "", "up") for number in range(1, 4)]
LAST_COPY = "it is the last live copy of shard-0: nobody would be left to serve its data"
NO_MAJORITY = (
    "only 1 of 3 votes ({}) would be left, and 2 are a majority: nobody could be elected any more, and {} would stop"
    " serving"
)
TOO_FEW = (
    "only 1 live members of tikv would be left, and 2 are needed: some of its data would have too few copies"
    " to be served"
)
TIKV_RULES = GuardRules("pd", {"tikv": 2})


@pytest.mark.parametrize("victim", ["node-0", "node-1", "node-2", "node-3", "node-4", "node-5"])
def test_any_single_node_of_a_healthy_cluster_may_be_taken(victim: str) -> None:
    assert refusals(node(victim), look(), RULES, ()) == []


def test_the_last_live_member_of_a_shard_is_refused_by_name() -> None:
    seen = look(node("node-3", "down"), ok=False, reason="replica down")
    assert refusals(node("node-0"), seen, RULES, {"node-3"}) == [LAST_COPY]


def test_a_node_that_was_told_to_die_counts_as_dead_even_while_it_still_looks_alive() -> None:
    assert refusals(node("node-0"), look(), RULES, {"node-3"}) == [LAST_COPY]


def test_a_replica_that_lags_is_no_copy_to_rely_on() -> None:
    seen = look(node("node-3", "degraded"))
    assert refusals(node("node-0"), seen, RULES, ()) == [LAST_COPY]


def test_a_degraded_primary_still_holds_its_data() -> None:
    assert refusals(node("node-3"), look(node("node-0", "degraded")), RULES, ()) == []


def test_the_second_of_three_primaries_is_refused_until_the_first_was_succeeded() -> None:
    killed = node("node-0", "down")
    before = look(killed, ok=False)
    assert refusals(node("node-1"), before, RULES, {"node-0"}) == [NO_MAJORITY.format("primary", "toy")]
    after = look(node("node-0", "down", role="replica"), node("node-3", role="primary"), ok=False)
    assert refusals(node("node-1"), after, RULES, {"node-0"}) == []


def test_a_replica_may_be_taken_while_a_primary_is_owed_in_another_shard() -> None:
    seen = look(node("node-0", "down"), ok=False)
    assert refusals(node("node-4"), seen, RULES, {"node-0"}) == []


def test_a_subject_whose_voters_share_one_group_counts_them_one_by_one() -> None:
    seen = Observation("tikv", True, "", [*PD, *STORES])
    assert refusals(PD[0], seen, TIKV_RULES, ()) == []
    assert refusals(PD[0], seen, TIKV_RULES, {"pd2"}) == [NO_MAJORITY.format("pd", "tikv")]


def test_stores_are_taken_only_as_far_as_their_replicas_can_spare() -> None:
    seen = Observation("tikv", True, "", [*PD, *STORES])
    assert refusals(STORES[0], seen, TIKV_RULES, ()) == []
    assert refusals(STORES[0], seen, TIKV_RULES, {"tikv2"}) == [TOO_FEW]


@pytest.mark.parametrize(
    ("seen", "owed", "reason"),
    [
        (look(), (), ""),
        (look(ok=None, reason="monitor is gone"), (), "its state is unknown (monitor is gone)"),
        (look(ok=None, reason="monitor is gone"), ("node-0",), "its state is unknown (monitor is gone)"),
        (look(ok=False, reason="16 slots have no owner"), (), "16 slots have no owner"),
        (look(ok=False, reason="16 slots have no owner"), ("node-0",), ""),
        (look(node("node-0", "down"), ok=False), ("node-0",), ""),
        (look(node("node-5", "down"), ok=True), (), "node-5 is not up, and no fault of ours explains it"),
        (
            look(node("node-0", "down"), node("node-5", "down"), ok=False),
            ("node-0",),
            "node-5 is not up, and no fault of ours explains it",
        ),
        (
            look(node("node-1", "unknown"), node("node-5", "down"), ok=False),
            (),
            "node-1 is not up, node-5 is not up, and no fault of ours explains it",
        ),
        (
            look(replace(node("node-5", "down"), detail={"problem": "is down: its process is stopped"})),
            (),
            "node-5 is down: its process is stopped, and no fault of ours explains it",
        ),
        (look(node("node-3", "degraded"), ok=False), ("node-0",), ""),
        (look(node("node-3", "degraded"), ok=True), (), ""),
    ],
)
def test_ill_health_is_excused_only_as_far_as_owed_faults_explain_it(
    seen: Observation, owed: tuple[str, ...], reason: str
) -> None:
    assert unexplained(seen, owed) == reason


def test_a_sick_start_is_refused_with_the_reason() -> None:
    seen = look(node("node-5", "down"), ok=False)
    assert refusals(node("node-0"), seen, RULES, ()) == [
        "toy is not healthy to begin with: node-5 is not up, and no fault of ours explains it"
    ]


def test_every_reason_is_given_and_the_way_past_them() -> None:
    seen = look(node("node-3", "down"), node("node-1", "down"), ok=False)
    reasons = refusals(node("node-0"), seen, RULES, ())
    assert len(reasons) == 3
    error = refuse(node("node-0"), "kill", reasons)
    assert error.code == "conflict"
    assert error.message.startswith("kill node-0 is refused: toy is not healthy")
    assert error.hint == "--force overrides"


@pytest.mark.parametrize(
    ("state", "told", "undecided"),
    [
        ("up", {}, False),
        ("degraded", {"contact": "answered"}, False),
        ("degraded", {"contact": "silent"}, True),
        ("down", {"contact": "silent"}, True),
        ("down", {"contact": "refused"}, False),
        ("down", {"contact": "silent", "process_state": "stopped"}, False),
    ],
)
def test_only_time_tells_of_a_node_that_is_silent_and_nothing_else(
    state: NodeState, told: dict[str, Scalar], undecided: bool
) -> None:
    one = replace(node("node-4", state), detail=told)
    assert is_undecided(look(one, ok=False), ()) is undecided
    assert not is_undecided(look(one, ok=False), {"node-4"}), "a fault of ours explains it"
    assert not is_undecided(look(replace(one, signals={"cluster": "down"}), ok=False), ()), "its peers know better"
    assert is_undecided(replace(look(), ok=None), ())
    assert not is_undecided(replace(look(), ok=None), {"node-0"})
