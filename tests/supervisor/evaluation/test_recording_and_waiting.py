"""What a trial shows comes from frames; what it waits for next, and what it may begin on, follow from that."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.supervisor.faults.catalogue_page import kinds as catalogue

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame, Header
from operator_protocol.models import (
    Action,
    ClusterHealth,
    Fault,
    Node,
    Ticket,
    TicketDiagnosis,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import to_body
from operator_protocol.state import State
from operatord.cli.main import main
from operatord.evaluation.campaign import Limits, read_campaign
from operatord.evaluation.choosing import campaign_file, only
from operatord.evaluation.plan import check_plan, choose_nodes, make_plan
from operatord.evaluation.recording import Recording
from operatord.evaluation.score import score
from operatord.evaluation.waiting import awaited, unfit

from .trials import CAMPAIGN, RIGHT, TRIAL, campaign

BEGAN = 1_000.0
PRIMARY = Node("valkey-1", "primary", "shard-1", "127.0.0.1:1", "up")
REPLICA = Node("valkey-4", "replica", "shard-1", "127.0.0.1:2", "up")
NODES = [
    Node(f"valkey-{one}", "primary" if one < 3 else "replica", f"shard-{one % 3}", "127.0.0.1:1", "up")
    for one in range(6)
]
LIMITS = Limits(detect=20.0, diagnose=30.0, recover=10.0)


def recording(*, with_answers: bool = True) -> Recording:
    made = Recording(TRIAL, BEGAN, healthy=True, with_answers=with_answers)
    made.struck("kill", PRIMARY, [PRIMARY, REPLICA], 1.0)
    return made


def show(made: Recording, at: float, topic: str, record: object) -> None:
    header = Header(PROTOCOL_VERSION, "boot", 1, 1, 0.0, BEGAN + at, "test")
    made.take(Frame(topic, header, record if isinstance(record, dict) else to_body(record)))


def ticket(number: int = 1, node: str | None = "valkey-1") -> Ticket:
    return Ticket(number, "node_down", node, "critical", "open", "it is down", 0.0, 0.0)


def waits(made: Recording, now: float, *, agent: bool = True) -> str:
    return awaited(made, LIMITS, now, agent=agent)


def test_a_trial_waits_for_ticket_answer_and_recovery_in_turn() -> None:
    made = recording()
    assert waits(made, 1.5) == "a ticket on valkey-1"
    show(made, 1.6, "cluster.health", ClusterHealth("valkey", False))
    show(made, 1.7, "ticket.opened", ticket())
    assert waits(made, 1.8) == "a diagnosis of ticket 1"
    show(made, 1.9, "agent.diagnosis", TicketDiagnosis(1, replace(RIGHT, preliminary=True)))
    assert waits(made, 2.0) == "a diagnosis of ticket 1", "a first answer is looked at again"
    show(made, 4.0, "agent.diagnosis", TicketDiagnosis(1, RIGHT))
    assert waits(made, 4.1) == "recovery"
    assert waits(made, 14.1) == ""
    show(made, 6.0, "cluster.health", ClusterHealth("valkey", True))
    show(made, 6.5, "ticket.resolved", ticket())
    assert (waits(made, 7.0), waits(made, 8.6)) == ("whether it stays well", "")
    seen = made.seen(9.0, None)
    told = score(TRIAL, seen, agent=True)
    assert told is not None
    assert (told.detected, told.localised, told.cause_right, told.mitigated) == (True, True, True, True)
    assert (told.detect_s, told.diagnose_s, told.recover_s) == pytest.approx((0.7, 2.3, 5.5))


def test_no_wait_is_for_ever() -> None:
    made = recording()
    assert waits(made, 21.1) == "", "nobody saw anything of it"
    show(made, 2.0, "ticket.opened", ticket())
    assert waits(made, 31.9) == "a diagnosis of ticket 1"
    assert waits(made, 32.1) == "", "an answer that does not come is not waited for"
    for number in range(2, 60):
        show(made, number * 2.0, "ticket.opened", ticket(number))
        show(made, number * 2.0 + 0.1, "agent.diagnosis", TicketDiagnosis(number, RIGHT))
    assert waits(made, 118.5) == "", "tickets that keep coming do not hold it up"


def test_a_ticket_elsewhere_is_not_the_one_that_is_waited_for() -> None:
    made = recording()
    show(made, 2.0, "ticket.opened", ticket(1, "valkey-0"))
    assert waits(made, 3.0) == "a ticket on valkey-1"
    show(made, 2.5, "ticket.opened", ticket(2, "valkey-4"))
    assert waits(made, 3.0) == "a diagnosis of ticket 1, 2"


def test_a_baseline_waits_for_no_answer_and_has_none() -> None:
    made = recording(with_answers=False)
    show(made, 2.0, "ticket.opened", ticket())
    assert waits(made, 3.0, agent=False) == "recovery"
    show(made, 4.0, "agent.diagnosis", TicketDiagnosis(1, RIGHT))
    assert made.answers() == []


def test_an_action_that_runs_is_waited_for_and_its_end_begins_the_wait_for_recovery() -> None:
    made = recording()
    show(made, 2.0, "ticket.opened", ticket())
    show(made, 4.0, "agent.diagnosis", TicketDiagnosis(1, RIGHT))
    action = Action(1, 1, "start_server", "valkey-1", "running")
    show(made, 4.5, "action.started", action)
    assert waits(made, 20.0) == "the end of an action"
    show(made, 21.0, "action.finished", replace(action, status="succeeded"))
    assert (waits(made, 30.0), waits(made, 31.5)) == ("recovery", "")
    assert made.seen(1.0, None).actions[0].status == "succeeded"


def test_frames_that_cannot_be_read_and_tickets_of_an_earlier_trial_are_passed_over() -> None:
    made = recording()
    show(made, 2.0, "ticket.opened", {"id": "no number"})
    show(made, 2.0, "ticket.resolved", ticket(99))
    show(made, 2.0, "agent.diagnosis", TicketDiagnosis(99, RIGHT))
    show(made, 2.0, "action.finished", Action(7, None, "start_server", "valkey-1", "succeeded"))
    assert (made.tickets, made.actions) == ({}, {})


SAMPLE = WorkloadSample(2000.0, 0.0, False, 10.0, 20_000, baseline=2000.0)


def fit_state() -> State:
    state = State()
    state.cluster = ClusterHealth("valkey", True)
    state.nodes = {"valkey-1": PRIMARY}
    state.workload.append(SAMPLE)
    return state


def test_a_trial_begins_on_nothing_but_a_healthy_subject_under_its_usual_load() -> None:
    assert unfit(fit_state()) == ""
    assert "nobody has looked" in unfit(State())
    for change, says in (
        (lambda state: setattr(state, "cluster", ClusterHealth("valkey", None, "no look")), "not healthy: no look"),
        (lambda state: state.nodes.update(x=replace(REPLICA, state="degraded")), "not up: valkey-4"),
        (lambda state: state.faults.update(a=Fault("a", "slow", "valkey-1", "active")), "owed: slow on valkey-1"),
        (lambda state: state.tickets.update({3: ticket(3)}), "unresolved: ticket 3"),
        (
            lambda state: state.violations.update(v=Violation("v", "p99", "valkey-1", "warning", "it is late", 0, 0)),
            "violated: it is late",
        ),
        (
            lambda state: state.actions.update({1: Action(1, 1, "failover", "valkey-1", "running")}),
            "an action is not over: failover",
        ),
        (lambda state: state.workload.append(replace(SAMPLE, baseline=None)), "the load has no baseline yet"),
        (lambda state: state.workload.append(replace(SAMPLE, degraded=True)), "the load is degraded"),
        (lambda state: state.workload.append(replace(SAMPLE, errors_per_sec=3.0)), "the load has errors"),
    ):
        state = fit_state()
        change(state)
        assert says in unfit(state)


def test_rules_that_answer_for_a_model_are_not_its_merit() -> None:
    made = recording()
    show(made, 2.0, "ticket.opened", ticket())
    show(made, 4.0, "agent.diagnosis", TicketDiagnosis(1, RIGHT))
    seen = made.seen(9.0, None)
    fallen_back = score(TRIAL, seen, agent=True, by_model=True)
    assert fallen_back is not None
    assert (fallen_back.detected, fallen_back.cause_right) == (True, False)


def test_trials_are_chosen_by_what_they_are() -> None:
    plan = make_plan(campaign())
    assert {trial.case for trial in only(plan, ["kind=pause"])} == {"two-at-once"}
    assert {trial.is_control for trial in only(plan, ["part=controls"])} == {True}
    chosen = only(plan, ["variant=rules", "case=kill", "target=replica", "repeat=1,2"])
    assert [(one.case, one.target, one.variant) for one in chosen] == [("kill", "replica", "rules")] * 2
    assert [trial.number for trial in chosen] == sorted(trial.number for trial in chosen)
    for wrong, says in (
        ("colour=red", "KEY=VALUE"),
        ("kind=", "KEY=VALUE"),
        ("kind=kil", "no trial has kind kil"),
    ):
        with pytest.raises(BadRequest, match=says):
            only(plan, [wrong])
    with pytest.raises(BadRequest, match="no trial is"):
        only(plan, ["part=controls", "kind=kill"])


def test_a_second_fault_can_be_told_to_meet_a_role_of_another_group() -> None:
    text = 'target = "replica of another group"'
    plan = make_plan(campaign(CAMPAIGN.replace('target = "other group"', text)))
    mixed = [trial for trial in plan if trial.case == "two-at-once"]
    pairs = [choose_nodes(trial, NODES) for trial in mixed]
    assert {(one.role, other.role, one.group == other.group) for one, other in pairs} == {("primary", "replica", False)}


def test_shipped_campaigns_are_found_by_name_and_cover_every_fault_on_every_role() -> None:
    quick, shipped = (make_plan(read_campaign(campaign_file(name))[0]) for name in ("quick", "valkey"))
    assert len(quick) == 3
    kinds = catalogue()
    check_plan(shipped, kinds, NODES)
    seen = only(shipped, ["part=seen"])
    for role in ("primary", "replica"):
        assert {kind.name for kind in kinds} - {one.injections[0].kind for one in only(seen, [f"target={role}"])} <= (
            {"failover"} if role == "replica" else set()  # there is nothing that a replica could hand over
        )
    assert {trial.repeat for trial in seen} == {1, 2, 3}
    assert len(only(shipped, ["part=controls", "variant=rules"])) == 10
    held_out = only(shipped, ["part=held-out"])
    assert any(len(trial.injections) > 1 for trial in held_out)
    assert any(injection.after_s for trial in held_out for injection in trial.injections)
    assert campaign_file("no-such-campaign.toml") == Path("no-such-campaign.toml")


@pytest.mark.parametrize("what", ["plan", "run"])
def test_a_campaign_that_is_not_there_is_answered_with_those_that_are(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path)] if what == "run" else []
    assert main(["eval", what, "no-such-campaign", *out]) == 1
    assert "shipped are quick, valkey" in capsys.readouterr().err


def test_a_plan_is_made_of_a_shipped_campaign_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "plan", "quick"]) == 0
    assert capsys.readouterr().out.endswith("3 trials\n")
    assert main(["eval", "plan", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["trials"]) for one in listed if one["name"] == "quick"] == [("quick", 3)]
