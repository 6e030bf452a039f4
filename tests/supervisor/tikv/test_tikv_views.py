"""The merging of three signals: the table is whole, and each row is what it should be."""

import itertools

import pytest

from operator_protocol.models import NodeState, SignalState
from operatord.subjects.tikv.views import (
    RULES,
    SIGHTS,
    SIGNALS,
    Container,
    Reach,
    Sight,
    member_signal,
    merge,
    probe_signal,
    store_signal,
)

EVERYTHING = list(itertools.product(SIGNALS, SIGHTS, SIGNALS, (True, False)))


def test_every_combination_of_signs_has_a_rule_and_every_rule_a_use() -> None:
    used = {merge(container, probe, cluster, beats=beats) for container, probe, cluster, beats in EVERYTHING}
    assert used == set(RULES)


@pytest.mark.parametrize(("container", "probe", "cluster", "beats"), EVERYTHING)
def test_whatever_pd_says_a_container_that_does_not_run_is_down(
    container: SignalState, probe: Sight, cluster: SignalState, beats: bool
) -> None:
    state = merge(container, probe, cluster, beats=beats).state
    if container == "down":
        assert state == "down"
    elif probe == "up":
        assert state in ("up", "degraded")
    elif state == "down":
        # Nothing is down for want of knowledge.
        assert probe == "gone" or cluster == "down"


@pytest.mark.parametrize(
    ("container", "probe", "cluster", "state"),
    [
        ("up", "up", "up", "up"),
        ("down", "gone", "up", "down"),  # killed; PD says Up for 10 to 20 s more
        ("down", "up", "up", "down"),
        ("up", "gone", "up", "down"),  # the program in it died, or hangs
        ("up", "late", "up", "degraded"),
        ("up", "up", "down", "degraded"),  # cut off from PD, not from us
        ("up", "up", "unknown", "up"),  # PD has no leader
        ("unknown", "gone", "unknown", "down"),
        ("up", "unknown", "up", "up"),  # its port cannot be reached from here, and never could
        ("up", "unknown", "down", "down"),
        ("up", "lost", "up", "degraded"),
        ("unknown", "lost", "down", "down"),
        ("up", "unknown", "unknown", "unknown"),
        ("unknown", "unknown", "unknown", "unknown"),
    ],
)
def test_the_rule(container: SignalState, probe: Sight, cluster: SignalState, state: NodeState) -> None:
    assert merge(container, probe, cluster, beats=False).state == state


def test_a_silent_port_of_a_store_that_pd_still_hears_from_is_not_a_lost_store() -> None:
    assert merge("up", "gone", "up", beats=True).state == "degraded"
    assert merge("up", "gone", "up", beats=False).state == "down"


def test_a_port_that_is_silent_is_late_first_and_gone_after_a_while() -> None:
    assert Reach("silent", 0.9).sight(1.0) == "late"
    assert Reach("silent", 1.0).sight(1.0) == "gone"
    assert Reach("refused").sight(1.0) == "gone"
    assert Reach("unreachable", 60.0).sight(1.0) == "unknown"
    assert Reach("unreachable", 60.0, answered_before=True).sight(1.0) == "lost"
    assert Reach().sight(1.0) == "unknown"
    assert [probe_signal(sight) for sight in SIGHTS] == ["up", "down", "down", "unknown", "unknown"]


def test_pds_word_on_a_store_that_is_being_drained_is_that_it_lives() -> None:
    assert store_signal("Offline") == store_signal("Up") == "up"
    assert store_signal("Disconnected") == store_signal("Down") == store_signal("Tombstone") == "down"
    assert store_signal(None) == member_signal(None) == "unknown"
    assert (member_signal(True), member_signal(False)) == ("up", "down")


def test_a_container_is_read_leniently_and_a_word_that_is_not_known_is_unknown() -> None:
    read = Container.read({"state": "exited", "exit_code": 137, "oom_killed": True, "since_at": 12.5, "more": 1})
    assert read == Container("exited", 137, True, 12.5)
    assert Container.read({"state": "hibernating", "exit_code": "x"}) == Container("unknown")
    assert Container.read({}).signal == "unknown"
    words = {"running": "up", "paused": "down", "restarting": "down", "missing": "down", "dead": "down"}
    assert {word: Container.read({"state": word}).signal for word in words} == words
