"""Between rows and the records of the wire."""

from collections.abc import Mapping
from typing import Any

from operator_protocol.models import Diagnosis, Ticket, TicketEvent
from operator_protocol.records import from_body, to_body
from operatord.tickets.schema import EventRow, TicketRow

_HEAVY = ("evidence", "markdown")
"""Of a diagnosis: nearly all of its size."""
_PLAIN = (
    "invariant",
    "node",
    "severity",
    "status",
    "message",
    "opened_at",
    "updated_at",
    "resolved_at",
    "occurrences",
    "reopened",
    "host",
    "cluster",
    "boot",
)
"""Fields of a ticket that are columns as they are."""


def ticket_values(ticket: Ticket, violation_id: str) -> dict[str, Any]:
    """The columns of a ticket, without its number."""
    whole = to_body(ticket.diagnosis) if ticket.diagnosis is not None else None
    return {
        **{name: getattr(ticket, name) for name in _PLAIN},
        "diagnosis": whole,
        "brief": None if whole is None else {name: value for name, value in whole.items() if name not in _HEAVY},
        "notes": list(ticket.notes),
        "violation_id": violation_id,
    }


def ticket_of(row: TicketRow, *, whole: bool = True) -> Ticket:
    """The ticket in a row; unless ``whole``, its diagnosis without evidence and Markdown."""
    told: Mapping[str, Any] | None = row.diagnosis if whole else row.brief
    values = {name: getattr(row, name) for name in _PLAIN}
    return Ticket(
        **values,
        id=row.id if row.number is None else row.number,
        diagnosis=None if told is None else from_body(Diagnosis, told),
        notes=list(row.notes),
    )


def event_of(row: EventRow) -> TicketEvent:
    """The event in a row."""
    return TicketEvent(row.id if row.number is None else row.number, row.at, row.who, row.what, row.data)


def event_values(event: TicketEvent) -> dict[str, Any]:
    """The columns of an event, without its number and its ticket."""
    return {"at": event.at, "who": event.who, "what": event.what, "data": dict(event.data)}
