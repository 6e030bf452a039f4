"""Messages: kept for a day, found by what is asked for, acknowledged once, bounded, and there after a restart."""

import sqlite3
import threading
from typing import get_args

import pytest
from tests.supervisor.coordination.coordination_cases import ANY, HOUR_S, Bench

from operator_protocol.coordination import MESSAGE_TYPES
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.models import DevOpsStatus, MessagePayload
from operator_protocol.state import ACTIVITIES, MESSAGES
from operator_protocol.topics import COORDINATION_EXPIRED, COORDINATION_MESSAGE, DEVOPS_ACTIVITY
from operatord.coordination import store as stores
from operatord.coordination.wanted import Wanted
from operatord.tickets.db import FILE_NAME


def test_a_message_has_an_id_its_time_and_what_was_said(bench: Bench) -> None:
    message = bench.say("READY_FOR_REVIEW", "see the branch")
    assert message.id.startswith("msg-")
    assert len(bytes.fromhex(message.id.removeprefix("msg-"))) == 4
    assert (message.timestamp, message.requires_ack, message.acknowledged) == (bench.now, True, False)
    assert bench.desk.messages(ANY, 10) == [message]
    assert [topic for topic, _ in bench.frames] == [COORDINATION_MESSAGE]


def test_every_type_there_is_is_taken_and_another_is_refused_with_the_list(bench: Bench) -> None:
    assert len(MESSAGE_TYPES) == 26
    for kind in MESSAGE_TYPES:
        if not kind.startswith("DEVOPS_"):
            bench.say(kind)
    with pytest.raises(BadRequest) as refusal:
        bench.say("READY")
    assert all(kind in refusal.value.hint for kind in MESSAGE_TYPES)


@pytest.mark.parametrize(
    ("sender", "to", "payload", "told"),
    [
        ("", "all", MessagePayload("s", ""), "from is 1 to 100"),
        ("a", "x\ny", MessagePayload("s", ""), "to is 1 to 100"),
        ("a", "b" * 101, MessagePayload("s", ""), "to is 1 to 100"),
        ("a", "b", MessagePayload("", ""), "a subject has 1 to 500"),
        ("a", "b", MessagePayload("s", "x" * 16_001), "a description has at most 16000"),
    ],
)
def test_what_is_too_long_or_no_name_is_refused(
    bench: Bench, sender: str, to: str, payload: MessagePayload, told: str
) -> None:
    with pytest.raises(BadRequest, match=told):
        bench.desk.publish("GENERAL", sender, to, payload, requires_ack=False)


@pytest.mark.criterion("defect-12", "DevOps messages are asked for, not looked for among the last of all types")
def test_an_operation_would_vanish_behind_a_hundred_other_messages_and_does_not(bench: Bench) -> None:
    bench.start()
    wanted = bench.say("CONTRACT_APPROVED", to="backend")
    for number in range(150):
        bench.say("STATUS_UPDATE", str(number))
    current, _ = bench.desk.activities(1, 24)
    assert current is not None
    assert current.id == "deploy-7"
    assert bench.desk.messages(Wanted(type="CONTRACT_APPROVED"), 1) == [wanted]
    assert bench.desk.messages(Wanted(to="backend"), 1) == [wanted]
    assert [one.type for one in bench.desk.messages(Wanted(type="DEVOPS_STARTED"), 1)] == ["DEVOPS_STARTED"]


def test_messages_are_found_by_who_sent_them_to_whom_and_whether_they_wait_newest_first(bench: Bench) -> None:
    first = bench.say(sender="backend")
    bench.now += 1
    second = bench.say(sender="frontend", requires_ack=False)
    assert bench.desk.messages(ANY, 10) == [second, first]
    assert bench.desk.messages(Wanted(sender="backend"), 10) == [first]
    assert bench.desk.messages(Wanted(pending_only=True), 10) == [first]
    assert bench.desk.messages(ANY, 10, since=bench.now) == [second]


def test_the_first_acknowledgement_stands_and_a_second_changes_nothing(bench: Bench) -> None:
    message = bench.say()
    bench.now += 5
    once = bench.desk.acknowledge(message.id, "orchestrator", "looks good")
    assert (once.ack_by, once.ack_timestamp, once.ack_comment) == ("orchestrator", bench.now, "looks good")
    bench.now += 5
    assert bench.desk.acknowledge(message.id, "somebody", None) == once
    assert bench.desk.messages(Wanted(pending_only=True), 10) == []
    assert len(bench.frames) == 2
    assert bench.state.coordination[message.id] == once
    with pytest.raises(NotFound, match="no message 'msg-00000000'"):
        bench.desk.acknowledge("msg-00000000", "orchestrator", None)


def test_notifications_are_handed_out_once_oldest_first_and_not_what_is_acknowledged(bench: Bench) -> None:
    first, second, third = (bench.say(to="reviewer") for _ in range(3))
    bench.say(to="all")
    bench.desk.acknowledge(second.id, "reviewer", None)
    assert [one.id for one in bench.desk.notifications("reviewer", 1)] == [first.id]
    bench.restart()
    assert [one.id for one in bench.desk.notifications("reviewer", 10)] == [third.id]
    assert bench.desk.notifications("reviewer", 10) == []


@pytest.mark.criterion("defect-7", "24 hours, not 30 days: older ones are left out when read, and deleted")
@pytest.mark.criterion("US-09", "messages are retained for 24 hours")
@pytest.mark.criterion("US-08", "only operations of the last 24 hours")
def test_messages_would_be_kept_for_thirty_days_and_are_gone_after_one(bench: Bench) -> None:
    message = bench.say()
    bench.start()
    bench.devops("COMPLETE")
    bench.now += 24 * HOUR_S
    assert len(bench.desk.messages(ANY, 10)) == 3
    bench.now += 1
    # Nothing was cleaned yet: the query itself leaves them out.
    assert bench.desk.messages(ANY, 10) == []
    assert bench.desk.activities(10, 24) == (None, [])
    with pytest.raises(NotFound):
        bench.desk.acknowledge(message.id, "orchestrator", None)
    bench.desk.tick()
    rows = sqlite3.connect(bench.directory / FILE_NAME)
    assert rows.execute("SELECT count(*) FROM coordination_messages").fetchone() == (0,)
    assert rows.execute("SELECT count(*) FROM devops_activities").fetchone() == (0,)
    rows.close()


@pytest.mark.criterion("defect-7", "what is over 24 hours old leaves the state of every client")
def test_what_expires_is_told_so_that_no_client_goes_on_showing_it(bench: Bench) -> None:
    bench.say()
    bench.start("old")
    bench.now += 23 * HOUR_S
    bench.start("young")
    bench.desk.tick()
    assert COORDINATION_EXPIRED not in [topic for topic, _ in bench.frames]
    bench.now += 2 * HOUR_S
    bench.desk.tick()
    bench.desk.tick()
    assert [topic for topic, _ in bench.frames].count(COORDINATION_EXPIRED) == 1
    assert list(bench.state.devops) == ["young"]
    assert [one.type for one in bench.state.coordination.values()] == ["DEVOPS_STARTED"]


@pytest.mark.criterion("US-08", "the newest of the last 24 hours, as many as are asked for")
def test_of_many_operations_the_newest_are_told_as_many_as_are_asked_for(bench: Bench) -> None:
    for number in range(5):
        bench.now += 1
        bench.start(str(number))
        bench.devops("COMPLETE", str(number))
    assert [one.id for one in bench.desk.activities(3, 24)[1]] == ["4", "3", "2"]


@pytest.mark.criterion("US-08", "activities survive a restart of the daemon")
def test_a_daemon_that_starts_again_has_everything_and_tells_it(bench: Bench) -> None:
    bench.start("over")
    bench.devops("COMPLETE", "over")
    bench.now += 1
    bench.start("under-way")
    bench.devops("STEP_UPDATE", "under-way", step="pull", status="failed", error="no such image")
    told, before = bench.desk.messages(ANY, 10), bench.state.to_wire()
    bench.restart()
    assert bench.desk.messages(ANY, 10) == told
    after = bench.state.to_wire()
    assert after["coordination"] == before["coordination"]
    assert sorted(after["devops"], key=str) == sorted(before["devops"], key=str)
    bench.devops("STEP_UPDATE", "under-way", step="pull", status="running")


def test_the_state_has_the_newest_messages_and_keeps_what_is_under_way(bench: Bench) -> None:
    bench.start("long")
    last = MESSAGES // 2 + 5
    for number in range(last + 1):
        bench.now += 1
        bench.start(str(number))
        bench.devops("COMPLETE", str(number))
    assert len(bench.state.coordination) == MESSAGES
    assert len(bench.state.devops) == ACTIVITIES
    assert list(bench.state.devops)[:2] == ["long", str(last - ACTIVITIES + 2)]
    bench.restart()
    assert set(bench.state.devops) >= {"long", str(last)}
    assert len(bench.frames) == MESSAGES + ACTIVITIES
    assert {topic for topic, _ in bench.frames} == {COORDINATION_MESSAGE, DEVOPS_ACTIVITY}


def test_the_oldest_go_when_there_are_too_many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MAX_MESSAGES", 50)
    monkeypatch.setattr(stores, "MAX_ACTIVITIES", 5)
    monkeypatch.setattr(stores, "_TRIM_EVERY", 8)
    for number in range(70):
        bench.now += 1
        bench.start(str(number))
    assert 50 <= len(bench.desk.messages(ANY, 1_000)) < 58
    bench.desk.tick()
    kept = bench.desk.messages(ANY, 1_000)
    assert (len(kept), kept[0].payload.description.count('"69"')) == (50, 1)
    current, recent = bench.desk.activities(100, 24)
    assert current is not None
    assert [current.id, *(one.id for one in recent)] == ["69", "68", "67", "66", "65"]


def test_a_message_and_what_it_makes_of_its_operation_are_written_both_or_none(bench: Bench) -> None:
    bench.start()
    blocker = sqlite3.connect(bench.directory / FILE_NAME)
    blocker.execute(
        "CREATE TRIGGER no_update BEFORE UPDATE ON devops_activities BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(Exception, match="no room"):
        bench.devops("COMPLETE")
    assert [one.type for one in bench.desk.messages(ANY, 10)] == ["DEVOPS_STARTED"]
    assert bench.state.devops["deploy-7"].status == "in_progress"
    blocker.close()


def test_who_takes_part_is_known_until_they_leave_and_stale_after_five_minutes(bench: Bench) -> None:
    bench.desk.register("backend", "/src/backend", "s-17")
    bench.now += 200
    bench.desk.heartbeat("frontend")
    bench.desk.heartbeat("backend")
    bench.now += 301
    bench.restart()
    backend, frontend = bench.desk.present()
    assert (backend.role, backend.worktree_path, backend.session_id, backend.stale) == (
        "backend",
        "/src/backend",
        "s-17",
        True,
    )
    assert bench.desk.heartbeat("frontend").stale is False
    assert [one.stale for one in bench.desk.present()] == [True, False]
    assert frontend.registered_at < bench.now
    gone = bench.desk.deregister("backend")
    assert gone is not None
    assert bench.desk.deregister("backend") is None
    assert [one.role for one in bench.desk.present()] == ["frontend"]


def test_the_store_is_read_from_another_thread_while_it_is_written(bench: Bench) -> None:
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(50):
                bench.store.newest(ANY, 100, 0.0)
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        bench.say()
    reader.join()
    assert failures == []


def test_the_statuses_that_the_store_asks_for_are_those_of_the_wire() -> None:
    assert stores._IN_PROGRESS in get_args(DevOpsStatus)
