"""What counts as detected, right and mended; and what two bugs of an earlier harness would have made of it."""

from dataclasses import replace

import pytest

from operator_protocol.models import Alternative
from operatord.evaluation.plan import make_plan
from operatord.evaluation.score import Score, recovered_after, score
from operatord.evaluation.seen import Injected, Look, Seen, not_run
from operatord.evaluation.summary import score_all, summarise

from .trials import CONTROL, KILL, KILLED, PAUSE, RIGHT, TRIAL, WRONG_CAUSE, WRONG_NODE, campaign, seen, ticket


def graded(what: Seen, *, agent: bool = True) -> Score:
    found = score(TRIAL, what, agent=agent)
    assert found is not None
    return found


def test_a_right_diagnosis_is_right_in_everything() -> None:
    found = graded(seen(ticket(RIGHT)))
    assert (found.detected, found.localised, found.cause_right, found.evidence_valid) == (True, True, True, True)
    assert (found.detect_s, found.diagnose_s, found.precision, found.strays) == (1.0, 2.5, 1.0, 0)
    assert (found.tokens, found.cost_usd) == (1200, 0.004)


def test_the_right_node_with_the_wrong_cause_is_only_half_of_it() -> None:
    found = graded(seen(ticket(WRONG_CAUSE)))
    assert (found.localised, found.cause_right) == (True, False)


def test_the_right_cause_on_the_wrong_node_is_wrong() -> None:
    found = graded(seen(ticket(WRONG_NODE)))
    assert (found.localised, found.cause_right, found.precision) == (False, False, 0.0)


def test_of_several_answers_the_last_before_the_undoing_counts_and_all_are_paid_for() -> None:
    late = ticket(WRONG_CAUSE, RIGHT, WRONG_NODE)
    late = replace(late, answers=[*late.answers[:2], replace(late.answers[2], at=26.0)])
    found = graded(seen(late))
    assert (found.cause_right, found.tokens) == (True, 3600)


def test_a_preliminary_answer_counts_for_nothing() -> None:
    found = graded(seen(ticket(replace(RIGHT, preliminary=True), WRONG_CAUSE)))
    assert (found.cause_right, found.diagnose_s) == (False, 3.5)
    only = graded(seen(ticket(replace(RIGHT, preliminary=True))))
    assert (only.localised, only.diagnose_s) == (False, None)


def test_what_is_not_detected_is_neither_localised_nor_explained() -> None:
    found = graded(seen())
    assert (found.detected, found.localised, found.cause_right, found.evidence_valid) == (False, False, False, None)
    assert found.detect_s is None


def test_a_ticket_from_before_the_fault_detects_nothing() -> None:
    assert graded(seen(ticket(RIGHT, opened_at=9.0))).detected is False


def test_a_ticket_about_the_group_detects_and_one_elsewhere_is_a_stray() -> None:
    found = graded(seen(ticket(number=1, node="valkey-4"), ticket(number=2, node="valkey-2")))
    assert (found.detected, found.strays) == (True, 1)


@pytest.mark.parametrize(
    "unfounded",
    [
        replace(RIGHT, cited=[1, 7]),
        replace(RIGHT, cited=[]),
        replace(RIGHT, explanation="As [9] shows."),
        replace(RIGHT, alternatives=[Alternative("slow_node", "it is not")]),
    ],
)
def test_a_citation_of_what_is_not_there_makes_the_evidence_invalid_and_nothing_else(unfounded: object) -> None:
    found = graded(seen(ticket(unfounded)))  # type: ignore[arg-type]  # parametrized values are objects to mypy
    assert (found.evidence_valid, found.cause_right) == (False, True)


def test_with_two_faults_both_have_to_be_found() -> None:
    trial = replace(TRIAL, injections=(KILL, PAUSE))
    paused = Injected(12.0, "pause", "valkey-2", "shard-2", ["valkey-5"])
    other = replace(RIGHT, component="valkey-2", cause="process_paused")
    one = replace(seen(ticket(RIGHT)), injected=[KILLED, paused])
    both = replace(
        seen(ticket(RIGHT), ticket(other, number=2, node="valkey-2", opened_at=14.0)), injected=[KILLED, paused]
    )
    half, whole = score(trial, one, agent=True), score(trial, both, agent=True)
    assert half is not None
    assert whole is not None
    assert (half.detected, half.localised, half.cause_right, half.detect_s) == (False, False, False, None)
    assert (whole.detected, whole.localised, whole.cause_right, whole.detect_s) == (True, True, True, 2.0)


def test_in_a_control_a_ticket_is_a_false_positive_and_nothing_else_is_asked() -> None:
    quiet = score(CONTROL, Seen("ran", looks=[Look(0.0, True)]), agent=True)
    alarmed = score(CONTROL, Seen("ran", looks=[Look(0.0, True)], tickets=[ticket(RIGHT)]), agent=True)
    assert quiet is not None
    assert alarmed is not None
    assert (quiet.false_positive, alarmed.false_positive) == (False, True)
    assert (alarmed.detected, alarmed.localised, alarmed.mitigated) == (None, None, None)


def test_a_trial_that_was_not_run_has_no_score_and_is_in_no_rate() -> None:
    assert score(TRIAL, not_run("429: too many requests"), agent=True) is None
    file = campaign()
    trials = [trial for trial in make_plan(file) if trial.case == "kill" and trial.variant == "rules"][:3]
    results = [(trials[0], seen(ticket(RIGHT))), (trials[1], not_run("429")), (trials[2], seen(ticket(WRONG_CAUSE)))]
    summary = summarise(score_all(file, results))
    assert (summary.trials, summary.not_run) == (3, 1)
    assert (summary.rates["cause_right"].hits, summary.rates["cause_right"].of) == (1, 2)


def test_mended_before_the_trial_undid_anything_is_mitigated() -> None:
    found = graded(seen(ticket(RIGHT, resolved_at=20.0), undone_at=None, back_at=18.0))
    assert (found.mitigated, found.recover_s) == (True, 10.0)


def test_what_is_well_after_the_undoing_only_is_nobodys_merit() -> None:
    found = graded(seen(ticket(RIGHT)))
    assert (found.mitigated, found.recover_s) == (False, None)


def test_a_ticket_that_stays_open_is_not_well_whatever_the_looks_say() -> None:
    assert graded(seen(ticket(RIGHT, resolved_at=None), undone_at=None)).mitigated is False


def test_what_cannot_be_looked_at_is_not_well() -> None:
    blind = replace(seen(), looks=[Look(0.0, True), Look(10.5, False), Look(20.0, None)], undone_at=None)
    assert recovered_after(blind) is None
    assert graded(blind).mitigated is False


def test_a_relapse_counts_from_its_end() -> None:
    looks = [Look(0.0, True), Look(11.0, False), Look(14.0, True), Look(15.0, False), Look(22.0, True)]
    assert recovered_after(replace(seen(), looks=looks, undone_at=None)) == 12.0


# Of the earlier harness (bug 5): it wrote the variant on the tickets 2 s after the injection, before any could exist.


def test_a_ticket_twenty_seconds_after_the_injection_belongs_to_the_variant_of_its_trial() -> None:
    """It would have counted for no variant at all, and the variant would have detected nothing."""
    file = campaign()
    mine = next(trial for trial in make_plan(file) if trial.case == "kill" and trial.variant == "rules")
    late = seen(ticket(RIGHT, opened_at=30.0, resolved_at=45.0), undone_at=40.0, back_at=44.0)
    (scored,) = score_all(file, [(mine, late)])
    assert scored.trial.variant == "rules"
    assert scored.score is not None
    assert (scored.score.detected, scored.score.detect_s, scored.score.cause_right) == (True, 20.0, True)


# And bug 6: baselines were "healed" at once, because the dead container was not listed and PD still called it up; they
# could never succeed, because only an agent wrote the time of the end; and those of a campaign injected "none".


def test_a_baseline_is_not_healed_at_once_because_its_fault_has_not_shown_yet() -> None:
    """It would have been healed after 0 s, with every look still saying that all is well."""
    not_yet = [Look(0.0, True), Look(10.1, True), Look(12.0, True), Look(25.0, False), Look(60.0, True)]
    baseline = replace(seen(undone_at=40.0), looks=not_yet)
    found = graded(baseline, agent=False)
    assert (found.mitigated, found.recover_s) == (False, None)
    never = graded(replace(baseline, looks=not_yet[:3]), agent=False)
    assert (never.mitigated, never.recover_s) == (None, None)


def test_a_baseline_whose_subject_heals_by_itself_succeeds_although_no_agent_wrote_that_down() -> None:
    """It could never have: without an agent nobody set the time of the end."""
    found = graded(seen(ticket(resolved_at=13.0), undone_at=None, back_at=12.5), agent=False)
    assert (found.detected, found.mitigated, found.recover_s) == (True, True, 3.0)
    assert (found.localised, found.cause_right, found.evidence_valid, found.diagnose_s) == (None, None, None, None)


def test_the_baseline_of_a_campaign_injects_what_the_others_do() -> None:
    """It would have injected the fault "none", which does not exist, and failed."""
    plan = make_plan(campaign())
    of = {
        name: sorted(
            (one.case, one.target, one.repeat, one.seed, one.injections) for one in plan if one.variant == name
        )
        for name in ("rules", "nobody")
    }
    assert of["nobody"] == of["rules"]
    assert all(one.injections for one in plan if one.variant == "nobody" and one.case != "control")
