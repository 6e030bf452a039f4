"""The ticket desk: one ticket for one trouble, resolved when it ends, and never on a guess."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operator_protocol.models import Diagnosis, Ticket
from operator_protocol.records import from_body

from .ticket_cases import Bench, violation

DIAGNOSIS = Diagnosis("it was killed", "valkey-0", "process_killed", "signal 9", 0.9, "rules")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.db.close()


def test_a_violation_opens_a_ticket_and_its_end_resolves_it(bench: Bench) -> None:
    opened = bench.desk.opened(violation())
    bench.now = 1_007.0
    resolved = bench.desk.closed(violation())
    assert (opened.status, opened.opened_at, opened.occurrences) == ("open", 1_000.0, 1)
    assert resolved is not None
    assert (resolved.id, resolved.status, resolved.resolved_at) == (opened.id, "resolved", 1_007.0)
    assert bench.topics() == ["ticket.opened", "ticket.resolved"]
    assert from_body(Ticket, bench.frames[-1][1]) == resolved == bench.desk.get(opened.id)


def test_a_repeat_updates_the_ticket_that_is_there(bench: Bench) -> None:
    first = bench.desk.opened(violation(1, severity="warning"))
    again = bench.desk.opened(violation(2, severity="critical"))
    assert (again.id, again.occurrences, again.severity) == (first.id, 2, "critical")
    assert bench.topics() == ["ticket.opened", "ticket.updated"]
    assert bench.db.count() == 1


def test_a_violation_that_is_told_twice_counts_once(bench: Bench) -> None:
    bench.desk.opened(violation(1))
    assert bench.desk.opened(violation(1)).occurrences == 1


def test_the_same_invariant_on_another_node_is_another_ticket(bench: Bench) -> None:
    one = bench.desk.opened(violation(1, node="valkey-0"))
    other = bench.desk.opened(violation(2, node="valkey-1"))
    whole = bench.desk.opened(violation(3, node=None))
    assert len({one.id, other.id, whole.id}) == 3
    assert [ticket.id for ticket in bench.desk.unresolved()] == [one.id, other.id, whole.id]


def test_the_same_trouble_after_its_end_is_a_new_ticket(bench: Bench) -> None:
    first = bench.desk.opened(violation(1))
    bench.desk.closed(violation(1))
    second = bench.desk.opened(violation(2))
    assert second.id != first.id
    assert [ticket.id for ticket in bench.desk.alike(second)] == [first.id]


def test_the_end_of_a_violation_without_a_ticket_is_no_event(bench: Bench) -> None:
    assert bench.desk.closed(violation()) is None
    assert bench.frames == []


def test_a_held_ticket_stays_held_through_repeats_and_ends(bench: Bench) -> None:
    ticket = bench.desk.opened(violation(1))
    bench.desk.set_status(ticket.id, "held", "looking at it myself")
    bench.desk.closed(violation(1))
    for number in range(2, 5):
        bench.desk.opened(violation(number))
        bench.desk.closed(violation(number))
    held = bench.desk.get(ticket.id)
    assert (held.status, held.occurrences) == ("held", 4)
    assert "the violation ended" in held.notes[-1]
    assert bench.db.count() == 1


def test_an_escalated_ticket_is_not_reopened_by_repeats(bench: Bench) -> None:
    ticket = bench.desk.opened(violation(1))
    bench.desk.set_status(ticket.id, "escalated")
    assert bench.desk.opened(violation(2)).status == "escalated"
    ended = bench.desk.closed(violation(2))
    assert ended is not None
    assert ended.status == "resolved"


def test_a_resolved_ticket_can_be_reopened_by_hand_unless_another_took_its_place(bench: Bench) -> None:
    first = bench.desk.opened(violation(1))
    bench.desk.closed(violation(1))
    reopened = bench.desk.set_status(first.id, "open", "it was not over")
    assert (reopened.status, reopened.resolved_at) == ("open", None)
    assert bench.desk.closed(violation(1)) is not None
    bench.desk.opened(violation(2))
    with pytest.raises(Conflict):
        bench.desk.set_status(first.id, "open")


def test_a_diagnosis_is_kept_with_the_ticket(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    assert bench.desk.begin_diagnosis(ticket.id).status == "diagnosing"
    assert bench.desk.attach_diagnosis(ticket.id, DIAGNOSIS).status == "diagnosed"
    assert bench.restart().get(ticket.id).diagnosis == DIAGNOSIS


def test_a_diagnosis_that_comes_late_does_not_reopen_what_is_resolved(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    bench.desk.begin_diagnosis(ticket.id)
    bench.desk.closed(violation())
    late = bench.desk.attach_diagnosis(ticket.id, DIAGNOSIS)
    assert (late.status, late.diagnosis) == ("resolved", DIAGNOSIS)
    assert bench.desk.unresolved() == []
    with pytest.raises(Conflict):
        bench.desk.begin_diagnosis(ticket.id)


def test_a_diagnosis_that_fails_leaves_the_ticket_as_it_was(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    bench.desk.begin_diagnosis(ticket.id)
    assert bench.desk.give_up_diagnosis(ticket.id).status == "open"
    bench.desk.attach_diagnosis(ticket.id, DIAGNOSIS)
    bench.desk.begin_diagnosis(ticket.id)
    assert bench.desk.give_up_diagnosis(ticket.id).status == "diagnosed"


def test_diagnosing_does_not_take_a_held_ticket_out_of_a_persons_hands(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    bench.desk.set_status(ticket.id, "held")
    assert bench.desk.begin_diagnosis(ticket.id).status == "held"
    assert bench.desk.attach_diagnosis(ticket.id, DIAGNOSIS).status == "held"


def test_notes_are_dated_and_bounded(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    for number in range(120):
        bench.desk.note(ticket.id, f"line {number}")
    notes = bench.restart().get(ticket.id).notes
    assert len(notes) == 100
    assert notes[-1] == "1970-01-01T00:16:40Z line 119"


def test_tickets_survive_a_restart_and_are_published_again(bench: Bench) -> None:
    open_one = bench.desk.opened(violation(1))
    done = bench.desk.opened(violation(2, node="valkey-1"))
    bench.desk.closed(violation(2, node="valkey-1"))
    resumed = bench.restart().resume()
    assert [ticket.id for ticket in resumed] == [open_one.id]
    assert bench.topics() == ["ticket.updated"]
    assert bench.desk.get(done.id).status == "resolved"
    assert bench.desk.opened(violation(1)).occurrences == 1


def test_what_was_being_diagnosed_when_the_daemon_died_is_open_again(bench: Bench) -> None:
    ticket = bench.desk.opened(violation())
    bench.desk.begin_diagnosis(ticket.id)
    assert [one.status for one in bench.restart().resume()] == ["open"]
    assert "interrupted" in bench.desk.get(ticket.id).notes[-1]


def test_what_ended_while_the_daemon_was_gone_is_resolved_once_the_subject_is_healthy(bench: Bench) -> None:
    gone = bench.desk.opened(violation(1, node="valkey-0"))
    still = bench.desk.opened(violation(2, node="valkey-1"))
    desk = bench.restart()
    desk.resume()
    assert desk.reconcile([violation(2, node="valkey-1")], healthy=False) == []
    assert desk.reconcile([violation(2, node="valkey-1")], healthy=None) == []
    assert [ticket.id for ticket in desk.reconcile([violation(2, node="valkey-1")], healthy=True)] == [gone.id]
    assert desk.get(gone.id).status == "resolved"
    assert desk.get(still.id).status == "open"


def test_lists_are_newest_first_and_by_status(bench: Bench) -> None:
    for number in range(5):
        bench.desk.opened(violation(number, node=f"valkey-{number}"))
    bench.desk.closed(violation(3, node="valkey-3"))
    assert [ticket.id for ticket in bench.desk.list(limit=2)] == [5, 4]
    assert [ticket.id for ticket in bench.desk.list("resolved")] == [4]
    assert len(bench.desk.list("open")) == 4


def test_unknown_tickets_and_statuses_are_refused(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.desk.get(42)
    with pytest.raises(BadRequest):
        bench.desk.list("broken")
    ticket = bench.desk.opened(violation())
    with pytest.raises(BadRequest):
        bench.desk.set_status(ticket.id, "broken")


def test_a_change_that_cannot_be_written_is_refused_and_not_published(bench: Bench) -> None:
    ticket = bench.desk.opened(violation(1))
    bench.frames.clear()
    other = sqlite3.connect(bench.db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        bench.desk.closed(violation(1))
    with pytest.raises(Unavailable, match="locked"):
        bench.desk.opened(violation(2, node="valkey-1"))
    other.execute("ROLLBACK")
    other.close()
    assert bench.frames == []
    assert [one.id for one in bench.desk.unresolved()] == [ticket.id]
    assert bench.desk.closed(violation(1)) is not None


def test_the_worst_ticket_is_looked_at_first(bench: Bench) -> None:
    bench.desk.opened(violation(1, node="valkey-0", severity="warning"))
    worst = bench.desk.opened(violation(2, node="valkey-1", severity="critical"))
    bench.desk.opened(violation(3, node="valkey-2", severity="critical"))
    latest = bench.desk.latest()
    assert latest is not None
    assert latest.id == worst.id
