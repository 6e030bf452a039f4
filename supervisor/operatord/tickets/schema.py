"""The tables of the ticket database.

Schema version 1. What is asked for by a query has a column of its own; a diagnosis and the notes are read and written
whole, so each is one JSON value.
"""

from typing import Any

from sqlalchemy import JSON, Index
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = 1


class Base(DeclarativeBase):
    """Base of the tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 - the name and form SQLAlchemy reads


class SchemaRow(Base):
    """One row: the version of the schema that wrote this database."""

    __tablename__ = "schema_version"

    version: Mapped[int] = mapped_column(primary_key=True)


class TicketRow(Base):
    """One ticket; the columns are the fields of ``operator_protocol.models.Ticket``."""

    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
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

    __table_args__ = (
        Index("tickets_by_status", "status", "id"),
        Index("tickets_by_key", "invariant", "node", "id"),
        # Ids are cited in notes and reports: one that was given is never given again.
        {"sqlite_autoincrement": True},
    )
