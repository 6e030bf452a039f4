"""Whom a target means."""

import random

import pytest

from operator_protocol.errors import NoTarget, NotFound, Unavailable
from operator_protocol.models import Node
from operatord.faults.targets import candidates, may_be_broken
from operatord.subjects.base import Observation

from .toy_cluster import look, node


def ids(target: str, seen: Observation, taken: tuple[str, ...] = (), seed: int = 1) -> list[str]:
    found = candidates(target, seen, default_role="primary", taken=taken, rng=random.Random(seed))
    return [one.id for one in found]


def test_a_node_means_itself() -> None:
    assert ids("node-4", look()) == ["node-4"]


def test_a_role_means_its_living_nodes() -> None:
    seen = look(node("node-4", "down"))
    assert sorted(ids("replica", seen)) == ["node-3", "node-5"]


def test_random_means_a_primary_and_every_one_of_them_in_time() -> None:
    firsts = {ids("random", look(), seed=seed)[0] for seed in range(40)}
    assert firsts == {"node-0", "node-1", "node-2"}


def test_the_same_seed_chooses_the_same_node() -> None:
    assert ids("random", look(), seed=7) == ids("random", look(), seed=7)


def test_what_is_broken_already_is_not_chosen_again() -> None:
    assert sorted(ids("primary", look(), taken=("node-1",))) == ["node-0", "node-2"]


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(NotFound) as refused:
        ids("node-9", look())
    assert "node-9" in refused.value.message
    assert refused.value.hint == ("there are node-0, node-1, node-2, node-3, node-4, node-5, primary, replica, random")


def test_a_role_without_a_living_node_has_no_target() -> None:
    seen = look(*(node(f"node-{n}", "down") for n in (3, 4, 5)))
    with pytest.raises(NoTarget):
        ids("replica", seen)


def test_a_named_node_that_is_down_already_has_nothing_to_break() -> None:
    with pytest.raises(NoTarget, match="down already"):
        ids("node-2", look(node("node-2", "down")))


def test_a_cluster_that_cannot_be_seen_has_no_names_to_offer() -> None:
    with pytest.raises(Unavailable, match="monitor is away"):
        ids("random", Observation("toy", None, "monitor is away", []))


def test_a_node_that_hangs_still_has_a_process_to_kill() -> None:
    hanging = Node("a", "primary", "g", "", "down", signals={"process": "up", "probe": "down"})
    assert may_be_broken(hanging)
    assert not may_be_broken(Node("a", "primary", "g", "", "down", signals={"container": "down"}))
