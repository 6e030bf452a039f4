"""The tracker: what must last before it counts, what must hold again before it is over, and what is not known."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from operator_protocol.models import Violation
from operatord.subjects.base import Breach, Invariant, Observation, OnUnknown
from operatord.workers.monitor.tracker import OBSERVATION_UNKNOWN, UNKNOWN_GRACE_S, Changes, ViolationTracker


def broken_nodes(seen: Observation) -> Sequence[Breach]:
    """``reason`` names the broken nodes of these tests; ``*`` stands for the cluster as a whole."""
    return [Breach(None if name == "*" else name, f"{name} is broken", 1.0) for name in seen.reason.split()]


def invariant(name: str = "node_down", grace_s: float = 0.0, clear_s: float = 1.0) -> Invariant:
    return Invariant(name, "critical", grace_s, broken_nodes, clear_s=clear_s)


class Bench:
    """A tracker whose clock is set by each look."""

    def __init__(self, *invariants: Invariant, open_violations: Sequence[Violation] = ()) -> None:
        self.now = 0.0
        numbers = itertools.count(1)
        self.tracker = ViolationTracker(
            invariants or (invariant(),),
            lambda: self.now,
            open_violations=open_violations,
            new_id=lambda: f"v-{next(numbers)}",
        )

    def look(self, at: float, broken: str = "", *, ok: bool | None = True) -> Changes:
        self.now = at
        return self.tracker.feed(Observation("toy", ok, broken, [], {}, 1_000.0 + at, at))


def test_without_grace_a_breach_is_a_violation_at_once() -> None:
    bench = Bench()
    (opened,) = bench.look(0.0, "a").opened
    assert (opened.id, opened.invariant, opened.node, opened.message) == ("v-1", "node_down", "a", "a is broken")
    assert opened.first_seen_at == opened.last_seen_at == 1_000.0


def test_with_grace_a_breach_must_last() -> None:
    bench = Bench(invariant(grace_s=2.0))
    assert bench.look(0.0, "a").opened == []
    assert bench.look(1.9, "a").opened == []
    (opened,) = bench.look(2.0, "a").opened
    assert (opened.first_seen_at, opened.last_seen_at) == (1_000.0, 1_002.0)


def test_a_breach_that_ends_within_its_grace_starts_over() -> None:
    bench = Bench(invariant(grace_s=2.0))
    bench.look(0.0, "a")
    bench.look(1.0)
    assert bench.look(2.5, "a").opened == []
    assert bench.look(4.5, "a").opened != []


def test_an_open_violation_is_repeated_not_opened_again() -> None:
    bench = Bench()
    bench.look(0.0, "a")
    changes = bench.look(0.5, "a")
    assert (changes.opened, changes.closed) == ([], [])
    (again,) = changes.repeated
    assert (again.id, again.first_seen_at, again.last_seen_at) == ("v-1", 1_000.0, 1_000.5)


def test_it_must_hold_again_for_a_while_before_it_is_closed() -> None:
    bench = Bench(invariant(clear_s=1.0))
    bench.look(0.0, "a")
    assert bench.look(0.5).closed == []
    assert bench.look(1.4).closed == []
    (closed,) = bench.look(1.5).closed
    assert (closed.id, closed.last_seen_at) == ("v-1", 1_000.0)
    assert bench.tracker.open() == []


def test_a_relapse_while_it_clears_keeps_it_open() -> None:
    bench = Bench(invariant(clear_s=1.0))
    bench.look(0.0, "a")
    bench.look(0.5)
    bench.look(1.0, "a")
    assert bench.look(1.5).closed == []
    assert bench.look(2.4).closed == []
    assert len(bench.look(2.5).closed) == 1


def test_nodes_are_tracked_apart_and_so_is_the_whole() -> None:
    bench = Bench()
    assert {one.node for one in bench.look(0.0, "a b *").opened} == {"a", "b", None}
    bench.look(0.5, "b")
    assert {one.node for one in bench.look(1.5, "b").closed} == {"a", None}
    assert [one.node for one in bench.tracker.open()] == ["b"]


def test_an_observation_that_could_not_be_made_closes_nothing() -> None:
    bench = Bench(invariant(clear_s=0.0))
    bench.look(0.0, "a")
    for tick in range(1, 100):
        assert bench.look(tick / 2, ok=None).closed == []
    assert "v-1" in {one.id for one in bench.tracker.open()}
    assert [one.id for one in bench.look(60.0).closed] == ["v-1"]


def test_an_observation_that_could_not_be_made_opens_none_of_the_subjects_violations() -> None:
    bench = Bench()
    assert bench.look(0.0, "a", ok=None).opened == []


def test_what_was_not_seen_to_hold_does_not_count_towards_the_end() -> None:
    bench = Bench(invariant(clear_s=1.0))
    bench.look(0.0, "a")
    bench.look(0.5)
    bench.look(1.0, ok=None)
    assert bench.look(1.6).closed == []
    assert len(bench.look(2.6).closed) == 1


def test_blindness_that_lasts_is_a_violation_of_its_own_and_ends_by_itself() -> None:
    bench = Bench()
    assert bench.look(0.0, "nobody answered", ok=None).opened == []
    (opened,) = bench.look(UNKNOWN_GRACE_S, "nobody answered", ok=None).opened
    assert (opened.invariant, opened.node, opened.severity) == (OBSERVATION_UNKNOWN, None, "warning")
    assert "nobody answered" in opened.message
    assert bench.look(3.0).closed == []
    assert [one.invariant for one in bench.look(4.0).closed] == [OBSERVATION_UNKNOWN]


def test_one_lost_look_is_no_news() -> None:
    bench = Bench()
    for tick in range(20):
        assert bench.look(tick * 0.5, ok=None if tick % 2 else True).opened == []


def test_a_restarted_monitor_goes_on_with_the_same_violations() -> None:
    before = Violation("v-old", "node_down", "a", "critical", "a is broken", 900.0, 950.0)
    bench = Bench(open_violations=[before])
    changes = bench.look(0.0, "a b")
    assert [one.node for one in changes.opened] == ["b"]
    assert changes.repeated == [replace(before, last_seen_at=1_000.0, value=1.0)]
    bench.look(1.0)
    assert "v-old" in {one.id for one in bench.look(2.0).closed}


def test_a_violation_of_an_invariant_that_there_no_longer_is_ends() -> None:
    bench = Bench(open_violations=[Violation("v-old", "retired", None, "info", "", 900.0, 950.0)])
    assert [one.id for one in bench.look(0.0).closed] == ["v-old"]


def test_a_check_that_fails_is_told_and_decides_nothing() -> None:
    def fails(seen: Observation) -> Sequence[Breach]:
        if seen.reason == "boom":
            raise KeyError("slots")
        return broken_nodes(seen)

    bench = Bench(Invariant("fragile", "warning", 0.0, fails, clear_s=0.0), invariant("sturdy", clear_s=0.0))
    bench.look(0.0, "a")
    changes = bench.look(1.0, "boom")
    assert changes.failed_checks == ["fragile: KeyError: 'slots'"]
    assert [one.invariant for one in changes.closed] == ["sturdy"]
    assert "fragile" in {one.invariant for one in bench.tracker.open()}


def test_ids_differ_from_one_tracker_to_the_next() -> None:
    seen = set()
    for _ in range(100):
        tracker = ViolationTracker([invariant()], lambda: 0.0)
        seen |= {one.id for one in tracker.feed(Observation("toy", False, "a b", [])).opened}
    assert len(seen) == 200


def blindness(on_unknown: OnUnknown, grace_s: float = 0.0) -> Invariant:
    return Invariant("no_leader", "critical", grace_s, broken_nodes, on_unknown=on_unknown)


def test_what_explains_the_blindness_opens_while_nothing_is_known_and_closes_nothing() -> None:
    bench = Bench(invariant(clear_s=0.0), blindness("explains", 1.0))
    bench.look(0.0, "a")
    assert bench.look(0.5, "*", ok=None).opened == []
    assert [one.invariant for one in bench.look(1.5, "*", ok=None).opened] == ["no_leader"]
    for tick in range(20):
        changes = bench.look(2.0 + tick, "*", ok=None)
        assert (changes.opened, changes.closed) == ([], [])
        assert [one.invariant for one in changes.repeated] == ["no_leader"]
    # Not to see the breach while nothing is known does not end it; to see that it holds does.
    assert bench.look(30.0, "", ok=None).closed == []
    bench.look(31.0)
    assert {one.invariant for one in bench.look(32.0).closed} == {"no_leader"}


def test_what_is_only_checked_while_nothing_is_known_does_not_explain_it() -> None:
    bench = Bench(blindness("checked"))
    bench.look(0.0, "a", ok=None)
    opened = bench.look(UNKNOWN_GRACE_S, "a", ok=None).opened
    assert [one.invariant for one in opened] == [OBSERVATION_UNKNOWN]
    assert {one.invariant for one in bench.tracker.open()} == {"no_leader", OBSERVATION_UNKNOWN}
