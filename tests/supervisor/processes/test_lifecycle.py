"""The table of states and events, and the policies around it."""

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_protocol.models import ProcessPhase
from operatord.processes.backoff import BackoffPolicy, History, after_death
from operatord.processes.lifecycle import LIVE, TRANSITIONS, Action, Event, Overdue, Patience, Step, overdue

PHASES: tuple[ProcessPhase, ...] = get_args(ProcessPhase)

MOVES: dict[tuple[ProcessPhase, Event], Step] = {
    ("stopped", Event.START): Step(Action.SPAWN, "starting"),
    ("backoff", Event.START): Step(Action.SPAWN, "starting"),
    ("backoff", Event.RETRY): Step(Action.SPAWN, "starting"),
    ("failed", Event.START): Step(Action.SPAWN, "starting"),
    ("starting", Event.READY): Step(Action.NOTHING, "ready"),
    ("starting", Event.START_OVERDUE): Step(Action.KILL, "starting"),
    ("ready", Event.BEATS_OVERDUE): Step(Action.KILL, "ready"),
    ("starting", Event.DIED): Step(Action.WAIT, "backoff"),
    ("ready", Event.DIED): Step(Action.WAIT, "backoff"),
    ("starting", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "failed"),
    ("ready", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "failed"),
    ("starting", Event.ENDED): Step(Action.NOTHING, "stopped"),
    ("ready", Event.ENDED): Step(Action.NOTHING, "stopped"),
    ("starting", Event.STOP): Step(Action.TERMINATE, "stopping"),
    ("ready", Event.STOP): Step(Action.TERMINATE, "stopping"),
    ("stopping", Event.GONE): Step(Action.NOTHING, "stopped"),
    ("backoff", Event.STOP): Step(Action.CANCEL_WAIT, "stopped"),
    ("failed", Event.STOP): Step(Action.NOTHING, "stopped"),
}
"""All that ever happens; every other pair of state and event changes nothing."""


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, Event)))
def test_every_event_in_every_state_does_what_is_written_and_nothing_else(phase: ProcessPhase, event: Event) -> None:
    assert TRANSITIONS[phase, event] == MOVES.get((phase, event), Step(Action.NOTHING, phase))


def test_the_table_has_no_entry_beyond_states_and_events() -> None:
    assert set(TRANSITIONS) == set(product(PHASES, Event))


@given(st.lists(st.sampled_from(Event)))
def test_whatever_happens_a_process_is_only_spawned_when_there_is_none(events: list[Event]) -> None:
    phase: ProcessPhase = "stopped"
    for event in events:
        step = TRANSITIONS[phase, event]
        if step.action is Action.SPAWN:
            assert phase not in LIVE
        if step.action in (Action.KILL, Action.TERMINATE):
            assert phase in LIVE
        if phase in LIVE and step.next not in LIVE:
            assert event in (Event.DIED, Event.DIED_FOR_GOOD, Event.ENDED, Event.GONE)
        phase = step.next


@given(st.lists(st.sampled_from(Event)))
def test_whatever_happened_a_process_can_be_stopped_and_started(events: list[Event]) -> None:
    phase: ProcessPhase = "stopped"
    for event in (*events, Event.STOP, Event.GONE):
        phase = TRANSITIONS[phase, event].next
    assert phase == "stopped"
    assert TRANSITIONS[phase, Event.START] == Step(Action.SPAWN, "starting")


def test_the_first_restart_is_immediate_and_the_next_ones_wait_longer_up_to_the_cap() -> None:
    policy = BackoffPolicy(base_s=0.5, cap_s=3.0, jitter=0.0)
    assert [policy.delay_s(step, 0.5) for step in range(6)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    assert policy.delay_s(100_000, 0.5) == 3.0


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_fraction(step: int, chance: float) -> None:
    policy = BackoffPolicy(base_s=0.5, cap_s=3.0, jitter=0.2)
    plain = min(3.0, 0.5 * 2 ** (step - 1))
    assert 0.8 * plain - 1e-9 <= policy.delay_s(step, chance) <= 1.2 * plain + 1e-9


def test_a_worker_that_was_ready_long_enough_starts_over_from_the_first_step() -> None:
    policy = BackoffPolicy(base_s=1.0, jitter=0.0, stable_after_s=5.0)
    history = History(step=4)
    assert after_death(policy, history, now=100.0, ready_since=96.0, chance=0.0).delay_s == 8.0
    assert after_death(policy, history, now=100.0, ready_since=None, chance=0.0).delay_s == 8.0
    verdict = after_death(policy, history, now=100.0, ready_since=95.0, chance=0.0)
    assert verdict.delay_s == 0.0
    assert verdict.history.step == 1


def test_a_worker_that_dies_too_often_within_the_window_is_given_up() -> None:
    policy = BackoffPolicy(flap_deaths=3, flap_window_s=10.0)
    verdict = after_death(policy, History(), now=0.0, ready_since=None, chance=0.0)
    verdict = after_death(policy, verdict.history, now=5.0, ready_since=None, chance=0.0)
    late = after_death(policy, verdict.history, now=10.0, ready_since=None, chance=0.0)
    assert late.delay_s is not None
    soon = after_death(policy, verdict.history, now=9.9, ready_since=None, chance=0.0)
    assert soon.delay_s is None
    assert soon.history == History()


def test_what_is_never_given_up_keeps_no_list_of_its_deaths() -> None:
    policy = BackoffPolicy(flap_deaths=None)
    history = History()
    for now in range(1000):
        verdict = after_death(policy, history, now=float(now), ready_since=None, chance=0.5)
        assert verdict.delay_s is not None
        history = verdict.history
    assert history.deaths == ()


def test_silence_is_judged_by_state() -> None:
    patience = Patience(start_s=10.0, beat_s=1.0, missed_beats=3)
    assert overdue(patience, "starting", now=9.9, last_sign=0.0) == Overdue(due_at=10.0)
    assert overdue(patience, "starting", now=10.0, last_sign=0.0).event is Event.START_OVERDUE
    assert overdue(patience, "ready", now=2.9, last_sign=0.0) == Overdue(due_at=3.0)
    assert overdue(patience, "ready", now=3.0, last_sign=0.0).event is Event.BEATS_OVERDUE
    for phase in set(PHASES) - {"starting", "ready"}:
        assert overdue(patience, phase, now=1e9, last_sign=0.0) == Overdue()


def test_what_does_not_beat_is_never_silent_for_too_long() -> None:
    patience = Patience(start_s=10.0, beat_s=None)
    assert overdue(patience, "ready", now=1e9, last_sign=0.0) == Overdue()
    assert overdue(patience, "starting", now=10.0, last_sign=0.0).event is Event.START_OVERDUE
