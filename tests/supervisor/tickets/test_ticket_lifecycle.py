"""The table of a ticket's life: complete, and what people decided stays decided."""

from typing import get_args

import pytest

from operator_protocol.errors import Conflict
from operator_protocol.models import TicketStatus
from operatord.tickets.lifecycle import TRANSITIONS, Event, move

STATUSES: tuple[TicketStatus, ...] = get_args(TicketStatus)
EVENTS: tuple[Event, ...] = get_args(Event)


def after(status: TicketStatus, event: Event) -> str:
    try:
        return move(7, status, event)
    except Conflict as refusal:
        assert f"ticket 7 is {status}" in refusal.message
        assert refusal.hint
        return "refused"


def test_every_status_has_an_answer_to_every_event() -> None:
    assert set(TRANSITIONS) == set(STATUSES)
    for status in STATUSES:
        for event in EVENTS:
            assert after(status, event) in (*STATUSES, "refused")


def test_only_people_take_a_ticket_out_of_held() -> None:
    assert {event for event in EVENTS if after("held", event) not in ("held", "refused")} == {"resolve", "reopen"}


def test_only_the_end_of_its_trouble_people_and_what_they_order_take_a_ticket_out_of_escalated() -> None:
    left = {event: after("escalated", event) for event in EVENTS if after("escalated", event) != "escalated"}
    assert left == {"ended": "resolved", "act": "acting", "hold": "held", "resolve": "resolved", "reopen": "open"}


def test_a_resolved_ticket_is_only_ever_reopened_by_hand() -> None:
    assert {event for event in EVENTS if after("resolved", event) not in ("resolved", "refused")} == {"reopen"}


@pytest.mark.parametrize("status", STATUSES)
def test_whatever_the_agent_was_at_is_open_again_after_the_daemon_died(status: TicketStatus) -> None:
    assert after(status, "interrupted") == ("open" if status in ("diagnosing", "acting") else status)


def test_the_whole_way() -> None:
    status: TicketStatus = "open"
    way: list[TicketStatus] = []
    events: tuple[Event, ...] = ("diagnose", "answered", "act", "failed", "reopen", "diagnose", "answered", "ended")
    for event in events:
        status = move(1, status, event)
        way.append(status)
    assert way == ["diagnosing", "diagnosed", "acting", "escalated", "open", "diagnosing", "diagnosed", "resolved"]
