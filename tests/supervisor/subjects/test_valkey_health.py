"""From answers to an observation: who is up, who owns what, and what cannot be told."""

from dataclasses import replace

import pytest

from operatord.subjects.base import Member, Observation
from operatord.subjects.valkey.answers import Answer
from operatord.subjects.valkey.health import observation
from operatord.subjects.valkey.layout import node_id, slot_range
from operatord.subjects.valkey.views import Peer

_HOST = "127.0.0.1"


def _line(viewer: int, index: int, *, failed: frozenset[int] = frozenset()) -> Peer:
    replica = index >= 3
    flags = {"slave" if replica else "master"} | ({"myself"} if viewer == index else set())
    return Peer(
        node_id=f"id{index}",
        host=_HOST,
        port=7000 + index,
        flags=frozenset(flags | ({"fail"} if index in failed and index != viewer else set())),
        primary_id=f"id{index - 3}" if replica else "",
        epoch=7 + index % 3,
        connected=index not in failed,
        slots=() if replica else (slot_range(index),),
    )


def _answer(index: int, *, failed: frozenset[int] = frozenset()) -> Answer:
    replica = index >= 3
    info = {"role": "slave" if replica else "master", "loading": "0", "process_id": str(100 + index)}
    if replica:
        info |= {"master_link_status": "up", "master_sync_in_progress": "0", "slave_repl_offset": "500"}
    else:
        info |= {"master_repl_offset": "700", "connected_slaves": "1"}
    return Answer(
        Member(node_id(index), _HOST, 7000 + index),
        contact="answered",
        process="running",
        info=info,
        cluster={"cluster_state": "fail" if failed else "ok", "cluster_current_epoch": "9"},
        view=tuple(_line(index, other, failed=failed) for other in range(6)),
    )


def _answers(*, failed: frozenset[int] = frozenset()) -> list[Answer]:
    return [_answer(index, failed=failed) for index in range(6)]


def _missing(index: int, contact: str = "refused", *, silent_for_s: float = 0.0) -> Answer:
    assert contact in ("refused", "silent", "unreachable")
    return Answer(
        Member(node_id(index), _HOST, 7000 + index),
        contact=contact,  # type: ignore[arg-type]  # checked just above
        silent_for_s=silent_for_s,
    )


def _see(answers: list[Answer]) -> Observation:
    return observation(answers, silence_s=1.0, at=1000.0, mono=50.0)


def _states(seen: Observation) -> list[str]:
    return [node.state for node in seen.nodes]


def test_a_healthy_cluster_is_ok_with_roles_groups_and_slots() -> None:
    seen = _see(_answers())
    assert (seen.ok, seen.reason) == (True, "")
    assert _states(seen) == ["up"] * 6
    assert [node.role for node in seen.nodes] == ["primary"] * 3 + ["replica"] * 3
    assert [node.group for node in seen.nodes] == ["shard-0", "shard-1", "shard-2"] * 2
    assert [node.detail["slots"] for node in seen.nodes][:3] == ["0-5460", "5461-10922", "10923-16383"]
    assert seen.nodes[3].detail["repl_lag"] == 200
    assert (seen.observed_at, seen.observed_mono) == (1000.0, 50.0)


def test_a_primary_that_refuses_connections_is_down_at_once_with_the_slots_it_leaves_uncovered() -> None:
    answers = _answers()
    answers[2] = _missing(2)
    seen = _see(answers)
    assert seen.ok is False
    assert seen.reason == "valkey-2 is down; slots 10923-16383 uncovered"
    assert seen.nodes[2].state == "down"
    assert seen.nodes[2].role == "primary"
    assert seen.nodes[2].signals == {"process": "down", "probe": "down", "cluster": "up"}
    assert seen.metrics["slots_served"] == 10923


def test_after_a_failover_the_new_primary_has_role_and_slots_though_the_old_one_is_still_listed() -> None:
    failed = frozenset({2})
    answers = []
    for index in (0, 1, 3, 4, 5):
        answer = _answer(index)
        view = [_line(index, other, failed=failed) for other in range(6)]
        view[2] = replace(view[2], slots=())
        view[5] = replace(
            view[5], flags=view[5].flags - {"slave"} | {"master"}, primary_id="", epoch=12, slots=(slot_range(2),)
        )
        info = {**answer.info, "role": "master"} if index == 5 else answer.info
        answers.append(replace(answer, view=tuple(view), info=info))
    answers.insert(2, _missing(2))
    seen = _see(answers)
    assert [node.role for node in seen.nodes] == ["primary", "primary", "replica", "replica", "replica", "primary"]
    assert seen.nodes[5].group == "shard-2"
    assert seen.nodes[2].signals["cluster"] == "down"
    assert seen.reason == "valkey-2 is down"
    assert seen.metrics["slots_served"] == 16384


def test_an_isolated_primary_that_still_calls_itself_primary_is_not_believed() -> None:
    failed = frozenset({0})
    answers = []
    for index in range(6):
        answer = _answer(index)
        if index == 0:
            suspicious = [replace(peer, flags=peer.flags | {"fail?"}) for peer in answer.view[1:]]
            answers.append(replace(answer, view=(answer.view[0], *suspicious), cluster={"cluster_state": "fail"}))
            continue
        view = [_line(index, other, failed=failed) for other in range(6)]
        view[0] = replace(view[0], slots=())
        view[3] = replace(
            view[3], flags=view[3].flags - {"slave"} | {"master"}, primary_id="", epoch=12, slots=(slot_range(0),)
        )
        info = {**answer.info, "role": "master"} if index == 3 else answer.info
        answers.append(replace(answer, view=tuple(view), info=info))
    seen = _see(answers)
    assert seen.nodes[0].role == "replica"
    assert seen.nodes[0].state == "degraded"
    assert seen.nodes[0].detail["told_role"] == "primary"
    assert seen.nodes[0].signals == {"process": "up", "probe": "up", "cluster": "down"}
    assert seen.nodes[3].role == "primary"
    assert [node.state for node in seen.nodes[1:]] == ["up"] * 5


def test_six_refusals_are_a_cluster_that_is_down_not_one_that_is_unknown() -> None:
    seen = _see([_missing(index) for index in range(6)])
    assert seen.ok is False
    assert _states(seen) == ["down"] * 6


@pytest.mark.parametrize("contact", ["silent", "unreachable"])
def test_when_nothing_answered_and_nothing_refused_the_state_is_unknown(contact: str) -> None:
    seen = _see([_missing(index, contact, silent_for_s=0.4) for index in range(6)])
    assert (seen.ok, seen.reason) == (None, "no node answered")
    assert "down" not in _states(seen)


def test_a_node_that_others_hold_for_well_but_cannot_be_reached_from_here_is_unknown() -> None:
    answers = _answers()
    answers[4] = _missing(4, "unreachable", silent_for_s=9.0)
    seen = _see(answers)
    assert seen.ok is None
    assert seen.nodes[4].state == "unknown"
    assert seen.reason == "valkey-4 cannot be reached from here"


def test_a_short_silence_degrades_a_node_and_a_long_one_takes_it_down() -> None:
    answers = _answers()
    answers[1] = _missing(1, "silent", silent_for_s=0.5)
    assert _see(answers).nodes[1].state == "degraded"
    answers[1] = _missing(1, "silent", silent_for_s=1.0)
    seen = _see(answers)
    assert seen.nodes[1].state == "down"
    assert seen.nodes[1].signals == {"process": "up", "probe": "down", "cluster": "up"}


def test_a_process_that_is_seen_stopped_is_down_without_waiting() -> None:
    answers = _answers()
    answers[1] = replace(_missing(1, "silent", silent_for_s=0.1), process="stopped")
    assert _see(answers).nodes[1].state == "down"


def test_a_replica_without_its_link_is_degraded_and_the_cluster_not_ok() -> None:
    answers = _answers()
    answers[3] = replace(answers[3], info={**answers[3].info, "master_link_status": "down"})
    seen = _see(answers)
    assert (seen.ok, seen.reason) == (False, "valkey-3 has lost the link to its primary")


def test_a_loading_node_is_degraded_even_while_it_says_nothing_of_the_cluster() -> None:
    answers = _answers()
    answers[3] = replace(answers[3], info={**answers[3].info, "loading": "1"}, cluster={}, view=())
    seen = _see(answers)
    assert seen.nodes[3].state == "degraded"
    assert seen.nodes[3].role == "replica"


def test_a_restarted_primary_in_its_first_two_seconds_does_not_serve() -> None:
    answers = _answers()
    answers[0] = replace(answers[0], cluster={"cluster_state": "fail"})
    seen = _see(answers)
    assert seen.nodes[0].state == "degraded"
    assert seen.metrics["slots_served"] == 16384 - 5461


def test_a_lost_shard_makes_the_whole_cluster_fail_but_not_the_nodes_of_the_others() -> None:
    failed = frozenset({1, 4})
    answers = _answers(failed=failed)
    answers[1], answers[4] = _missing(1), _missing(4)
    seen = _see(answers)
    assert _states(seen) == ["up", "down", "up", "up", "down", "up"]
    assert seen.reason == "valkey-1 is down; valkey-4 is down; slots 5461-10922 uncovered; cluster_state is fail"
