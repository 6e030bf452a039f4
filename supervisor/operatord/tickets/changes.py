"""What each change makes of a ticket, and what its history says of that: values in, values out.

``lifecycle`` is the table of what may follow what; nothing here changes a status otherwise.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, get_args

from operator_protocol.errors import BadRequest
from operator_protocol.models import Diagnosis, Ticket, TicketEvent, TicketStatus, Violation
from operator_protocol.records import to_body
from operatord.tickets.lifecycle import Event, move

STATUSES: tuple[TicketStatus, ...] = get_args(TicketStatus)
MAX_NOTES = 100
DAEMON = "operatord"
AGENT = "agent"
_WAYS: Mapping[TicketStatus, Event] = {
    "open": "reopen",
    "acting": "act",
    "resolved": "resolve",
    "escalated": "escalate",
    "held": "hold",
}
"""How a ticket gets to a status that is asked for by its name."""


class Origin(NamedTuple):
    """Where tickets are from."""

    host: str = ""
    cluster: str = ""
    boot: str = ""


NOWHERE = Origin()


class Change(NamedTuple):
    """A ticket as it becomes, and the entry of its history that says so."""

    ticket: Ticket
    said: TicketEvent


def opened(violation: Violation, origin: Origin, now: float) -> Change:
    """The ticket of a trouble that has none; its id is for the database to give."""
    ticket = Ticket(
        id=0,
        invariant=violation.invariant,
        node=violation.node,
        severity=violation.severity,
        status="open",
        message=violation.message,
        opened_at=now,
        updated_at=now,
        **origin._asdict(),
    )
    return Change(ticket, say("opened", {"violation": to_body(violation), **origin._asdict()}, DAEMON, now))


def repeated(ticket: Ticket, violation: Violation, now: float, *, told_before: bool) -> Change:
    """The trouble of ``ticket`` again, or more of the same violation that it was told of before."""
    again = replace(
        ticket,
        occurrences=ticket.occurrences + (0 if told_before else 1),
        message=violation.message,
        severity=violation.severity,
        updated_at=now,
    )
    told = {"violation": to_body(violation), "occurrences": again.occurrences}
    return Change(again, say("repeated", told, DAEMON, now))


def moved(ticket: Ticket, event: Event, now: float, who: str, note: str = "") -> Change | None:
    """What ``event`` makes of it; None if it changes nothing. Raises ``Conflict`` for what the table does not allow."""
    status = move(ticket.id, ticket.status, event)
    if status == ticket.status and not note:
        return None
    became = replace(
        ticket,
        status=status,
        updated_at=now,
        resolved_at=(ticket.resolved_at or now) if status == "resolved" else None,
        reopened=ticket.reopened + (event == "reopen" and status != ticket.status),
    )
    told = {"event": event, "from": ticket.status, "to": status} | ({"note": note} if note else {})
    return Change(_with_note(became, note, who, now) if note else became, say("status", told, who, now))


def answered(ticket: Ticket, diagnosis: Diagnosis, now: float) -> Change:
    """With this diagnosis; the one before it stays in the history."""
    status = move(ticket.id, ticket.status, "answered")
    told = {"diagnosis": to_body(diagnosis), "from": ticket.status, "to": status}
    return Change(
        replace(ticket, diagnosis=diagnosis, status=status, updated_at=now), say("diagnosis", told, AGENT, now)
    )


def noted(ticket: Ticket, text: str, now: float, who: str) -> Change:
    """With one line more."""
    return Change(replace(_with_note(ticket, text, who, now), updated_at=now), say("note", {"text": text}, who, now))


def say(what: str, data: Mapping[str, Any], who: str, now: float) -> TicketEvent:
    """An entry of a history, which numbers it."""
    return TicketEvent(0, now, who, what, data)


def read_status(status: str) -> TicketStatus:
    """``status`` as one of those that there are. Raises ``BadRequest`` naming them."""
    for known in STATUSES:
        if status == known:
            return known
    raise BadRequest(f"unknown ticket status {status!r}", f"one of {', '.join(STATUSES)}")


def way_to(status: str) -> Event:
    """What brings a ticket to ``status``. Raises ``BadRequest`` for one that nobody is moved to."""
    event = _WAYS.get(read_status(status))
    if event is None:
        raise BadRequest(f"a ticket becomes {status} by its diagnosis only", f"one of {', '.join(_WAYS)}")
    return event


def way_back(ticket: Ticket) -> Event:
    """What it is again when nobody is at it."""
    return "back_to_open" if ticket.diagnosis is None else "back_to_diagnosed"


def _with_note(ticket: Ticket, text: str, who: str, now: float) -> Ticket:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    by = "" if who == DAEMON else f"{who}: "
    return replace(ticket, notes=[*ticket.notes, f"{stamp} {by}{text}"][-MAX_NOTES:])
