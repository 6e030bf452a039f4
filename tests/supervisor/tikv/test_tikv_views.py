"""The merging of three signals: the table is whole, and each row is what it should be."""

import itertools

import pytest

from operator_protocol.models import NodeState, SignalState
from operatord.subjects.tikv import health
from operatord.subjects.tikv.answers import Directory, Scrape, StoreSeen
from operatord.subjects.tikv.pd.models import Store
from operatord.subjects.tikv.roster import StoreSlot
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


def test_of_a_store_that_is_down_no_rate_of_the_last_minute_is_shown() -> None:
    told = Store(1, "tikv0:20160", "tikv0:20180", "Up")
    figures = {"p99": 0.3, "ops": 15.0, "up": 0.0}
    shown = {}
    for word in ("running", "exited"):
        seen = StoreSeen(
            "tikv0", "tikv0:20160", told, reach=Reach("answered"), container=Container(word), figures=figures
        )
        (node,) = health.observation(Directory("led"), [], [seen], Scrape(True), silence_s=1.0, at=0.0, mono=0.0).nodes
        shown[word] = {"p99_ms", "ops_per_sec"} & set(node.detail)
    assert shown == {"running": {"p99_ms", "ops_per_sec"}, "exited": set()}


def test_a_heartbeat_counts_only_if_it_is_newer_than_what_pd_told_after_the_silence_began() -> None:
    slot = StoreSlot("tikv0", failing_since=100.0)

    def told(beat: float, now: float) -> bool:
        slot.heard(Store(4, "tikv0:20160", "", "Up", last_heartbeat_at=beat), now)
        return slot.beats()

    assert not told(beat=5_000.0, now=103.0), "PD was silent, too, and this may be from before"
    assert not told(beat=4_990.0, now=104.0), "another PD leads, and knows of an older one only"
    assert not told(beat=5_000.0, now=105.0)
    assert told(beat=5_010.0, now=110.0)
    slot.failing_since = 120.0
    assert not told(beat=5_015.0, now=122.0)
