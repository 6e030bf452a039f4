"""Everything that a ticket ever said is kept, can be exported, and reads back the same."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from operator_clients.ctl.ticket_export import write
from operator_clients.ctl.ticket_markdown import ticket_lines
from operator_protocol.errors import BadRequest, Conflict, NotFound
from operator_protocol.models import Diagnosis, EvidenceItem, TicketRecord
from operator_protocol.records import to_body
from operatord.tickets.db import FILE_NAME, TicketDB
from operatord.tickets.exchange import read_export
from operatord.tickets.inbox import TicketInbox

from .ticket_cases import Bench, violation

FIRST = Diagnosis(
    "it was killed", "valkey-0", "process_killed", "signal 9", 0.9, "rules", evidence=[EvidenceItem(1, "log", "a\0b")]
)
SECOND = replace(FIRST, summary="it ran out of memory", cause="out_of_memory", source="a-model", markdown="# Memory\n")
ACTION = {"id": 3, "kind": "start_server", "target": "valkey-0", "status": "succeeded", "result": "it is back"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.db.close()


def told_a_lot(bench: Bench) -> TicketRecord:
    desk = bench.desk
    ticket = desk.opened(violation(1))
    desk.begin_diagnosis(ticket.id)
    desk.say(ticket.id, "step", {"kind": "tool", "text": "read the log"}, who="agent")
    desk.attach_diagnosis(ticket.id, FIRST)
    desk.opened(violation(2))
    desk.attach_diagnosis(ticket.id, SECOND)
    desk.begin_action(ticket.id)
    desk.say(ticket.id, "action", ACTION, who="ann")
    desk.end_action(ticket.id, succeeded=False, note="it did not come back")
    desk.note(ticket.id, "looked at the *disk*", who="ann")
    desk.hold(ticket.id, "mine", who="ann")
    desk.closed(violation(2))
    desk.resolve(ticket.id, who="ann")
    desk.reopen(ticket.id, "it was not over", who="bob")
    return desk.record(ticket.id)


def test_a_diagnosis_that_was_replaced_stays_in_the_history(bench: Bench) -> None:
    record = told_a_lot(bench)
    assert record.ticket.diagnosis == SECOND
    kept = [event.data["diagnosis"] for event in record.history if event.what == "diagnosis"]
    assert kept == [to_body(FIRST), to_body(SECOND)]


def test_the_history_says_who_did_what_in_order(bench: Bench) -> None:
    record = told_a_lot(bench)
    assert [(event.who, event.what, event.data.get("to")) for event in record.history] == [
        ("operatord", "opened", None),
        ("agent", "status", "diagnosing"),
        ("agent", "step", None),
        ("agent", "diagnosis", "diagnosed"),
        ("operatord", "repeated", None),
        ("agent", "diagnosis", "diagnosed"),
        ("agent", "status", "acting"),
        ("ann", "action", None),
        ("agent", "status", "escalated"),
        ("ann", "note", None),
        ("ann", "status", "held"),
        ("operatord", "status", "held"),
        ("ann", "status", "resolved"),
        ("bob", "status", "open"),
    ]
    assert (record.ticket.status, record.ticket.reopened, record.ticket.resolved_at) == ("open", 1, None)
    assert record.ticket.notes[-1].endswith("bob: it was not over")


def test_more_notes_than_a_ticket_shows_are_all_in_its_history(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    for number in range(120):
        bench.desk.note(ticket.id, f"line {number}")
    record = bench.desk.record(ticket.id)
    assert len(record.ticket.notes) == 100
    assert [event.data["text"] for event in record.history[1:]] == [f"line {number}" for number in range(120)]


def test_an_export_reads_back_equal_in_a_fresh_database(bench: Bench, tmp_path: Path) -> None:
    records = [told_a_lot(bench), bench.desk.record(bench.desk.opened(violation(9, node=None)).id)]
    file = tmp_path / "export.json"
    assert write([to_body(record) for record in reversed(records)], "json", str(file)) == 2
    assert read_export(file) == records
    fresh = TicketDB(tmp_path / "fresh" / FILE_NAME)
    assert fresh.restore(read_export(file)) == 2
    assert [fresh.record(record.ticket.id) for record in records] == records
    assert fresh.restore(read_export(file)) == 0
    fresh.close()


def test_an_import_into_a_database_whose_numbers_are_taken_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    record = told_a_lot(bench)
    other = TicketDB(tmp_path / "other" / FILE_NAME)
    other.add(replace(record.ticket, invariant="cluster_state"), "v-1")
    new = replace(record, ticket=replace(record.ticket, id=2))
    with pytest.raises(Conflict, match="number 1 is taken"):
        other.restore([new, record])
    assert other.count() == 1
    other.close()


def test_an_export_does_not_overwrite_a_file_and_leaves_none_that_is_half_done(bench: Bench, tmp_path: Path) -> None:
    record = to_body(told_a_lot(bench))
    file = tmp_path / "export.json"
    write([record], "json", str(file))
    with pytest.raises(Conflict, match=r"export\.json exists"):
        write([record], "json", str(file))

    def breaks_off() -> Iterator[dict[str, object]]:
        yield record
        raise NotFound("the daemon went away")

    with pytest.raises(NotFound):
        write(breaks_off(), "json", str(tmp_path / "other.json"))
    assert sorted(one.name for one in tmp_path.glob("*.json*")) == ["export.json"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("not JSON", "is no JSON"),
        ("[]", "no export of tickets"),
        ('{"format": "operator-tickets", "version": 2, "records": []}', "has version 2"),
        ('{"format": "operator-tickets", "version": 1, "records": {}}', "records is no list"),
        (
            '{"format": "operator-tickets", "version": 1, "records": [{"ticket": {"id": 1}}]}',
            "records[0]: Ticket.invariant is missing",
        ),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "export.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BadRequest) as refusal:
        read_export(file)
    assert says in refusal.value.message


def test_as_markdown_a_ticket_tells_its_story_and_nothing_from_a_log_is_markup(bench: Bench) -> None:
    text = "\n".join(ticket_lines(json.loads(json.dumps(to_body(told_a_lot(bench))))))
    assert "# Ticket 1: node\\_down on valkey-0" in text
    assert "| status | open, reopened 1x |" in text
    assert "### Memory" in text
    assert "**ann** noted: looked at the \\*disk\\*" in text
    assert "**bob** moved it from resolved to open (reopen): it was not over" in text
    assert "action 3, start\\_server valkey-0, succeeded: it is back" in text
    assert "## Earlier diagnosis 1" in text


def test_as_markdown_the_evidence_is_told_in_a_line(bench: Bench) -> None:
    ticket = bench.desk.opened(violation(1))
    findings = [{"id": number, "text": "{'secret': 'of the format'}"} for number in (1, 2)]
    bench.desk.say(ticket.id, "evidence", {"subject": "valkey", "findings": findings, "omitted": 3}, who="agent")
    text = "\n".join(ticket_lines(json.loads(json.dumps(to_body(bench.desk.record(ticket.id))))))
    assert text.splitlines()[-1].endswith("kept the evidence: 2 items, 3 left out")


def test_what_is_said_while_the_database_is_locked_is_kept_for_later(bench: Bench) -> None:
    import sqlite3

    ticket = bench.desk.opened(violation(1))
    log: list[str] = []
    inbox = TicketInbox(bench.desk, log.append)
    other = sqlite3.connect(bench.db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    inbox.said(ticket.id, "step", {"text": "first"}, "agent")
    inbox.said(99, "step", {"text": "of a ticket that there is not"}, "agent")
    inbox.closed(violation(1))
    other.execute("ROLLBACK")
    other.close()
    assert len(log) == 1
    inbox.retry()
    assert [event.what for event in bench.desk.record(ticket.id).history] == ["opened", "step", "status"]
    assert len(log) == 1


def test_pages_go_on_where_the_last_one_ended_and_are_filtered(bench: Bench) -> None:
    for number in range(1, 8):
        bench.now = 1_000.0 + number
        bench.desk.opened(violation(number, node=f"valkey-{number}"))
    bench.desk.reopen(bench.desk.resolve(3).id)
    page = bench.desk.page(limit=3)
    assert ([one.id for one in page.tickets], page.next) == ([7, 6, 5], 5)
    page = bench.desk.page(limit=3, before=page.next)
    assert ([one.id for one in page.tickets], page.next) == ([4, 3, 2], 2)
    assert bench.desk.page(limit=3, before=page.next).next is None
    assert [one.id for one in bench.desk.page(since=1_006.0).tickets] == [7, 6, 3]
    assert [one.id for one in bench.desk.page(reopened=True).tickets] == [3]
