"""The tables of tickets, the same in the file of a daemon and in a database that several hosts share.

What is asked for by a query has a column of its own; a diagnosis and the notes are read and written whole, so each is
one JSON value. The migrations in ``migrations`` make these tables; a test holds the two together.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BIG = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite counts up only what is called INTEGER, and has 64 bits there."""


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, float: Double}  # noqa: RUF012 - what SQLAlchemy reads


class SchemaRow(Base):
    """One row: the number of the schema, for versions of this program from before there were migrations."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True)


class StoreRow(Base):
    """A file of tickets. A daemon's own has one row, itself; a shared database one for each file that is sent to it."""

    __tablename__ = "stores"

    id: Mapped[str] = mapped_column(primary_key=True)
    """Random, made with the file."""
    host: Mapped[str]
    cluster: Mapped[str]
    sent: Mapped[int] = mapped_column(BIG)
    """In a shared database: the last event of that file that is in here."""


class TicketRow(Base):
    """One ticket; most columns are the fields of ``operator_protocol.models.Ticket``."""

    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    invariant: Mapped[str]
    node: Mapped[str | None]
    severity: Mapped[str]
    status: Mapped[str]
    message: Mapped[str]
    opened_at: Mapped[float]
    updated_at: Mapped[float]
    resolved_at: Mapped[float | None]
    occurrences: Mapped[int]
    diagnosis: Mapped[dict[str, Any] | None]
    notes: Mapped[list[str]]
    violation_id: Mapped[str]
    """The violation that opened or last updated it, so that one told twice is counted once."""
    reopened: Mapped[int]
    brief: Mapped[dict[str, Any] | None]
    """The diagnosis without its evidence and its Markdown, which are most of it: what a list shows."""
    host: Mapped[str]
    cluster: Mapped[str]
    boot: Mapped[str]
    store: Mapped[str | None]
    """In a shared database: the file that it is from. Empty in that file itself."""
    number: Mapped[int | None] = mapped_column(BIG)
    """In a shared database: its id in that file, which is what people call it."""

    __table_args__ = (
        Index("tickets_by_status", "status", "id"),
        Index("tickets_by_key", "invariant", "node", "id"),
        Index("tickets_by_update", "updated_at"),
        Index("tickets_by_store", "store", "number", unique=True),
        # Ids are cited in notes and reports: one that was given is never given again.
        {"sqlite_autoincrement": True},
    )


class EventRow(Base):
    """Something that was said of a ticket. Rows are added and never changed: the database itself refuses it."""

    __tablename__ = "ticket_events"

    id: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    ticket: Mapped[int] = mapped_column(BIG, ForeignKey("tickets.id"))
    at: Mapped[float]
    who: Mapped[str]
    what: Mapped[str]
    data: Mapped[dict[str, Any]]
    store: Mapped[str | None]
    number: Mapped[int | None] = mapped_column(BIG)
    """As in ``TicketRow``."""

    __table_args__ = (
        Index("ticket_events_by_ticket", "ticket", "id"),
        Index("ticket_events_by_store", "store", "number", unique=True),
        {"sqlite_autoincrement": True},
    )
