"""What messages make of an operation: in order, out of order, repeated, and those that cannot be meant."""

import json

import pytest
from tests.supervisor.coordination.coordination_cases import ANY, HOUR_S, Bench

from operator_protocol.codec import pack
from operator_protocol.errors import BadRequest, Conflict, NotFound
from operator_protocol.models import MessagePayload


def statuses(bench: Bench, activity_id: str = "deploy-7") -> list[str]:
    return [step.status for step in bench.desk.activity(activity_id).steps]


@pytest.mark.criterion("US-09", "STARTED with the step list, STEP_UPDATE per change, COMPLETE; each with its time")
@pytest.mark.criterion("US-08", "activities from STARTED, STEP_UPDATE, COMPLETE and FAILED")
def test_an_operation_is_followed_from_its_start_to_its_end_with_the_time_of_each_change(bench: Bench) -> None:
    begun = bench.now
    assert [step.status for step in bench.start().steps] == ["pending", "pending"]
    bench.now += 1
    bench.devops("STEP_UPDATE", step="pull", status="running")
    bench.now += 5
    pulled = bench.devops("STEP_UPDATE", step="pull", status="completed").steps[0]
    assert (pulled.status, pulled.started_at, pulled.completed_at) == ("completed", begun + 1, begun + 6)
    bench.devops("STEP_UPDATE", step="apply", status="running")
    bench.now += 30
    done = bench.devops("COMPLETE")
    assert (done.status, done.started_at, done.completed_at) == ("completed", begun, begun + 36)
    assert [step.status for step in done.steps] == ["completed", "completed"]
    assert (done.steps[1].started_at, done.steps[1].completed_at) == (begun + 6, begun + 36)


@pytest.mark.criterion("defect-3", "the error of a step is applied to it")
@pytest.mark.criterion("US-06", "a failed step has its error text")
def test_the_error_of_a_failed_step_is_shown_at_that_step(bench: Bench) -> None:
    bench.start()
    bench.devops("STEP_UPDATE", step="pull", status="running")
    failed = bench.devops("STEP_UPDATE", step="pull", status="failed", error="no such image")
    assert [(step.name, step.status, step.error) for step in failed.steps] == [
        ("pull", "failed", "no such image"),
        ("apply", "pending", ""),
    ]


@pytest.mark.criterion("defect-3", "the error of a failure reaches the step that ran")
@pytest.mark.criterion("US-09", "FAILED with the error")
def test_the_error_of_a_failed_operation_is_shown_at_it_and_at_the_step_that_ran(bench: Bench) -> None:
    bench.start()
    bench.devops("STEP_UPDATE", step="pull", status="running")
    failed = bench.devops("FAILED", error="timed out after 300 s")
    assert (failed.status, failed.error) == ("failed", "timed out after 300 s")
    assert [(step.status, step.error) for step in failed.steps] == [
        ("failed", "timed out after 300 s"),
        ("pending", ""),
    ]


def test_a_message_that_is_repeated_changes_nothing(bench: Bench) -> None:
    started = bench.start()
    bench.now += 1
    assert bench.start().started_at == started.started_at
    bench.devops("STEP_UPDATE", step="pull", status="running")
    bench.now += 1
    ran = bench.devops("STEP_UPDATE", step="pull", status="running").steps[0]
    assert ran.started_at == started.started_at + 1
    done = bench.devops("COMPLETE")
    bench.now += 60
    assert bench.devops("COMPLETE").completed_at == done.completed_at


def test_a_step_whose_end_overtook_its_beginning_stays_completed(bench: Bench) -> None:
    bench.start()
    bench.devops("STEP_UPDATE", step="pull", status="completed")
    bench.devops("STEP_UPDATE", step="pull", status="running")
    assert statuses(bench) == ["completed", "pending"]


def test_a_step_that_comes_after_the_end_does_not_begin_to_run_and_does_not_reopen_the_operation(bench: Bench) -> None:
    bench.start()
    bench.devops("FAILED", error="gave up")
    assert bench.devops("STEP_UPDATE", step="apply", status="running").status == "failed"
    assert statuses(bench) == ["pending", "pending"]
    assert bench.devops("STEP_UPDATE", step="pull", status="completed").status == "failed"
    assert statuses(bench) == ["completed", "pending"]


def test_a_step_that_is_tried_again_loses_its_error(bench: Bench) -> None:
    bench.start()
    bench.devops("STEP_UPDATE", step="pull", status="failed", error="no such image")
    tried = bench.devops("STEP_UPDATE", step="pull", status="running").steps[0]
    assert (tried.status, tried.error, tried.completed_at) == ("running", "", None)


def test_an_end_that_contradicts_the_other_is_refused(bench: Bench) -> None:
    bench.start()
    bench.devops("FAILED", error="gave up")
    with pytest.raises(Conflict, match="has failed already"):
        bench.devops("COMPLETE")
    assert bench.desk.activity("deploy-7").status == "failed"


def test_an_id_is_not_given_to_another_operation_nor_to_another_run(bench: Bench) -> None:
    bench.start()
    with pytest.raises(Conflict, match="is taken: 'Deploy deploy-7' is under way"):
        bench.devops("STARTED", operation="Something else", steps=[])
    bench.devops("COMPLETE")
    with pytest.raises(Conflict, match="is completed"):
        bench.start()


def test_two_operations_at_once_are_told_apart(bench: Bench) -> None:
    bench.start("a")
    bench.now += 1
    bench.start("b")
    bench.devops("STEP_UPDATE", "a", step="pull", status="running")
    current, recent = bench.desk.activities(10, 24)
    assert current is not None
    assert (current.id, [one.id for one in recent]) == ("b", ["a"])
    assert recent[0].steps[0].status == "running"


@pytest.mark.criterion("defect-1", "a DEVOPS_* message that is not pure JSON is refused, not dropped")
@pytest.mark.parametrize(
    ("kind", "description", "told"),
    [
        ("STARTED", 'Starting: Deploy\n\nPayload: {"operation": "Deploy", "steps": ["pull"]}', "is not JSON"),
        ("STARTED", '{"operation": "Deploy", "steps": ["pull"]}', "activity_id is missing"),
        ("STARTED", '["deploy-7"]', "is not a JSON object"),
        ("STARTED", '{"activity_id": " ", "operation": "Deploy"}', "has no activity_id"),
        ("STARTED", '{"activity_id": "deploy-8", "operation": "Deploy", "steps": ["a", "a"]}', "names a step twice"),
        ("STARTED", '{"activity_id": "deploy-8", "operation": "", "steps": []}', "has operation that are empty"),
        ("STEP_UPDATE", '{"activity_id": "deploy-7", "step": "pull", "status": "done"}', "status: expected one of"),
        ("FAILED", '{"activity_id": "deploy-7", "error": 7}', "error: expected str"),
        ("COMPLETE", "", "is not JSON"),
    ],
)
def test_prose_with_a_payload_at_its_end_would_be_dropped_and_is_refused_with_what_is_expected(
    bench: Bench, kind: str, description: str, told: str
) -> None:
    bench.start()
    frames = len(bench.frames)
    with pytest.raises(BadRequest) as refusal:
        bench.desk.publish(f"DEVOPS_{kind}", "devops", "all", MessagePayload("s", description), requires_ack=False)
    assert told in refusal.value.message
    assert '"activity_id": "deploy-7"' in refusal.value.hint
    assert len(bench.frames) == frames


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("STARTED", {"operation": "Deploy \ud800", "steps": ["pull"]}),
        ("STARTED", {"operation": "Deploy", "steps": ["pull", "\udfff"]}),
        ("FAILED", {"error": "\ud83d"}),
    ],
)
def test_half_of_a_surrogate_pair_would_stop_every_list_and_the_next_start_and_is_refused(
    bench: Bench, kind: str, said: dict[str, object]
) -> None:
    bench.start()
    with pytest.raises(BadRequest, match="no Unicode"):
        bench.devops(kind, "deploy-7" if kind == "FAILED" else "deploy-8", **said)
    bench.restart()
    assert bench.desk.activity("deploy-7").status == "in_progress"
    assert bench.desk.activities(10, 24.0)[1] == []
    for _, body in bench.frames:
        pack(body)


def test_an_operation_or_a_step_that_there_is_not_is_refused_with_those_there_are(bench: Bench) -> None:
    with pytest.raises(NotFound, match="no operation 'deploy-9'"):
        bench.devops("STEP_UPDATE", "deploy-9", step="pull", status="running")
    bench.start()
    with pytest.raises(NotFound) as refusal:
        bench.devops("STEP_UPDATE", step="pulled", status="running")
    assert refusal.value.hint == "its steps: pull, apply"


def test_an_operation_under_way_is_kept_as_long_as_something_is_heard_of_it_and_a_day_more(bench: Bench) -> None:
    begun = bench.start().started_at
    bench.now += 20 * HOUR_S
    bench.devops("STEP_UPDATE", step="pull", status="running")
    bench.now += 20 * HOUR_S
    current, _ = bench.desk.activities(10, 24)
    assert current is not None
    assert current.started_at == begun
    bench.now += 5 * HOUR_S
    assert bench.desk.activities(10, 24) == (None, [])
    with pytest.raises(NotFound, match="nothing was heard of it for 24 h"):
        bench.devops("COMPLETE")
    assert bench.start().started_at == bench.now


def test_a_long_error_is_cut_where_it_is_shown_and_whole_in_its_message(bench: Bench) -> None:
    bench.start()
    failed = bench.devops("FAILED", error="x" * 5_000)
    assert (len(failed.error), failed.error[-1]) == (1_000, "…")
    (message,) = bench.desk.messages(ANY, 1)
    assert json.loads(message.payload.description)["error"] == "x" * 5_000
