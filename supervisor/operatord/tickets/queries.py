"""What is asked of tickets, wherever they lie: in the file of a daemon, or in a database that several hosts share."""

from typing import NamedTuple, TypeAlias, get_args

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from operator_protocol.errors import NotFound
from operator_protocol.models import Ticket, TicketEvent, TicketRecord, TicketStatus
from operatord.tickets.rows import event_of, ticket_of
from operatord.tickets.schema import EventRow, TicketRow
from operatord.tickets.sessions import Sessions

RESOLVED: TicketStatus = "resolved"
_UNRESOLVED = tuple(status for status in get_args(TicketStatus) if status != RESOLVED)

Tickets: TypeAlias = list[Ticket]


class StoredTicket(NamedTuple):
    """A ticket, and the id of the violation that it last heard of."""

    ticket: Ticket
    violation_id: str


class Page(NamedTuple):
    """Some tickets, newest first, and where the next page begins: None when this was the last."""

    tickets: Tickets
    next: int | None


class TicketQueries(Sessions):
    """Reads tickets through an engine."""

    def get(self, ticket_id: int) -> StoredTicket:
        """One ticket. Raises ``NotFound``."""
        with self.reading() as session:
            row = found(session, ticket_id)
            return StoredTicket(ticket_of(row), row.violation_id)

    def unresolved(self) -> list[StoredTicket]:
        """Every ticket that is not resolved, oldest first."""
        # Named one by one they are found by the index; "not resolved" would read a hundred thousand that are.
        query = select(TicketRow).where(TicketRow.status.in_(_UNRESOLVED)).order_by(TicketRow.id)
        with self.reading() as session:
            return [StoredTicket(ticket_of(row), row.violation_id) for row in session.scalars(query)]

    def page(
        self,
        status: TicketStatus | None = None,
        limit: int = 50,
        *,
        since: float | None = None,
        before: int | None = None,
        reopened: bool = False,
    ) -> Page:
        """The newest ``limit`` tickets, newest first, their diagnoses without evidence and Markdown.

        Of one ``status``; changed ``since`` that moment (wall clock); numbered ``before``; unresolved ones that were
        ``reopened``.
        """
        query = select(TicketRow).options(defer(TicketRow.diagnosis, raiseload=True))
        query = query.order_by(TicketRow.id.desc()).limit(limit + 1)
        if status is not None:
            query = query.where(TicketRow.status == status)
        if reopened:
            query = query.where(TicketRow.reopened > 0, TicketRow.status.in_(_UNRESOLVED))
        if since is not None:
            query = query.where(TicketRow.updated_at >= since)
        if before is not None:
            query = query.where(TicketRow.id < _within_range(before))
        with self.reading() as session:
            rows = list(session.scalars(query))
            more = rows[limit - 1].id if len(rows) > limit else None
            return Page([ticket_of(row, whole=False) for row in rows[:limit]], more)

    def alike(self, ticket: Ticket, limit: int = 3) -> Tickets:
        """Resolved tickets of the same invariant and node that came before ``ticket``, newest first."""
        query = (
            select(TicketRow)
            .where(TicketRow.invariant == ticket.invariant, TicketRow.node.is_(ticket.node))
            .where(TicketRow.status == RESOLVED, TicketRow.id < ticket.id)
            .order_by(TicketRow.id.desc())
            .limit(limit)
        )
        return self._tickets(query)

    def history(self, ticket_id: int) -> list[TicketEvent]:
        """Everything that was said of a ticket, oldest first."""
        query = select(EventRow).where(EventRow.ticket == ticket_id).order_by(EventRow.id)
        with self.reading() as session:
            return [event_of(row) for row in session.scalars(query)]

    def record(self, ticket_id: int) -> TicketRecord:
        """A ticket with its history. Raises ``NotFound``."""
        stored = self.get(ticket_id)
        return TicketRecord(stored.ticket, stored.violation_id, self.history(ticket_id))

    def count(self) -> int:
        """How many tickets there are in all."""
        with self.reading() as session:
            return session.scalar(select(func.count()).select_from(TicketRow)) or 0

    def _tickets(self, query: Select[TicketRow]) -> Tickets:
        with self.reading() as session:
            return [ticket_of(row) for row in session.scalars(query)]


def found(session: Session, ticket_id: int) -> TicketRow:
    """The row of a ticket. Raises ``NotFound``."""
    row = session.get(TicketRow, ticket_id) if ticket_id == _within_range(ticket_id) else None
    if row is None:
        raise NotFound(f"there is no ticket {ticket_id}", "operatorctl tickets lists them")
    return row


def _within_range(ticket_id: int) -> int:
    """SQLite and PostgreSQL have no larger integers, and fail instead of finding nothing."""
    return max(0, min(ticket_id, (1 << 63) - 1))
