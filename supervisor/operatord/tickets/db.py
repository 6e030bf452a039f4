"""The tickets of a daemon: SQLAlchemy on SQLite in WAL mode.

Importing this module costs a quarter of a second (SQLAlchemy); nothing on the path of a start may import it eagerly.
Calls block, for well under a millisecond each: one writer, WAL, no fsync per commit. SQLite's own promise for
``synchronous=NORMAL`` in WAL mode is that a crash of the program loses nothing and a power failure may lose the last
commits, never the file (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError

from operator_protocol.errors import Conflict
from operator_protocol.models import Ticket, TicketEvent, TicketRecord
from operatord.clock import Clock
from operatord.tickets import sqlite_file
from operatord.tickets.migrating import NewerSchema
from operatord.tickets.queries import Page, StoredTicket, TicketQueries, found
from operatord.tickets.rows import event_values, ticket_values
from operatord.tickets.schema import EventRow, StoreRow, TicketRow
from operatord.tickets.sqlite_file import StoreUnwritable

__all__ = ["FILE_NAME", "NewerSchema", "Page", "StoreUnwritable", "StoredTicket", "TicketDB"]

FILE_NAME = "tickets.sqlite"


class TicketDB(TicketQueries):
    """The tickets on disk. ``message`` is a line to show when a damaged file had to be moved aside, else empty."""

    def __init__(self, path: Path, *, wall: Clock = time.time) -> None:
        """Open or make the database at ``path``, and bring it up to date.

        Raises ``NewerSchema`` for one that a newer version wrote and ``StoreUnwritable`` where nothing can be written.
        A damaged file is moved aside, never deleted, and a fresh one made.
        """
        self.path = path
        self.message = ""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise sqlite_file.unwritable(path, error.strerror or str(error)) from error
        try:
            engine = sqlite_file.open_engine(path)
        except DBAPIError as error:
            if not sqlite_file.is_damage(error):
                raise sqlite_file.unwritable(path, str(error.orig)) from error
            aside = sqlite_file.move_aside(path, wall())
            self.message = (
                f"the ticket database was damaged ({error.orig}); it is kept as {aside.name}, a fresh one was made"
            )
            engine = sqlite_file.open_engine(path)
        super().__init__(engine, str(path), "check the free space and the rights of its folder")
        with self.reading() as session:
            self.store = session.scalars(select(StoreRow.id)).one()
            """Random, and this file's alone."""

    def add(self, ticket: Ticket, violation_id: str, *events: TicketEvent) -> Ticket:
        """Store a new ticket, and what is said of it; the result is ``ticket`` with the id that it was given."""
        with self.writing() as session:
            row = TicketRow(**ticket_values(ticket, violation_id), store=None, number=None)
            session.add(row)
            session.flush()
            for event in events:
                session.add(EventRow(ticket=row.id, **event_values(event), store=None, number=None))
            return replace(ticket, id=row.id)

    def save(self, ticket: Ticket, violation_id: str, *events: TicketEvent) -> None:
        """Store every field of a ticket that exists, and what is said of it. Raises ``NotFound`` if it does not."""
        with self.writing() as session:
            row = found(session, ticket.id)
            for name, value in ticket_values(ticket, violation_id).items():
                setattr(row, name, value)
            for event in events:
                session.add(EventRow(ticket=row.id, **event_values(event), store=None, number=None))

    def say(self, ticket_id: int, event: TicketEvent) -> None:
        """Add to the history of a ticket, which is itself not changed. Raises ``NotFound``."""
        with self.writing() as session:
            found(session, ticket_id)
            session.add(EventRow(ticket=ticket_id, **event_values(event), store=None, number=None))

    def events_after(self, number: int, limit: int) -> Sequence[EventRow]:
        """What was said after event ``number``, of any ticket, oldest first."""
        query = select(EventRow).where(EventRow.id > number).order_by(EventRow.id).limit(limit)
        with self.reading() as session:
            rows = session.scalars(query).all()
            session.expunge_all()
            return rows

    def last_event(self) -> int:
        """The number of what was said last."""
        with self.reading() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0

    def restore(self, records: Sequence[TicketRecord]) -> int:
        """Put exported tickets back under their numbers, all or none; how many were not there already.

        Raises ``Conflict`` if a number is taken, of a ticket or of what was said of one.
        """
        added = 0
        with self.writing() as session:
            newest = session.scalar(select(func.max(EventRow.id))) or 0
            for record in records:
                row = session.get(TicketRow, record.ticket.id)
                if row is not None:
                    if (row.invariant, row.node, row.opened_at) != _identity(record.ticket):
                        raise _taken(f"number {record.ticket.id} is taken by another ticket")
                    continue
                if any(event.number <= newest for event in record.history):
                    raise _taken(f"the numbers of what was said of ticket {record.ticket.id} are taken")
                values = ticket_values(record.ticket, record.violation)
                session.execute(insert(TicketRow).values(id=record.ticket.id, **values, store=None, number=None))
                for event in record.history:
                    session.execute(
                        insert(EventRow).values(
                            id=event.number, ticket=record.ticket.id, **event_values(event), store=None, number=None
                        )
                    )
                added += 1
        return added


def _identity(ticket: Ticket) -> tuple[str, str | None, float]:
    return ticket.invariant, ticket.node, ticket.opened_at


def _taken(what: str) -> Conflict:
    return Conflict(what, "import into a fresh --state-dir")
