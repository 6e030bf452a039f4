"""The tables of the coordination, in the database of the tickets; ``tickets.migrations`` makes them."""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from operatord.tickets.schema import BIG, Base


class MessageRow(Base):
    """One message; ``number`` is the order in which they came, which no clock can turn round."""

    __tablename__ = "coordination_messages"

    number: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=True)
    id: Mapped[str]
    type: Mapped[str]
    sender: Mapped[str]
    recipient: Mapped[str]
    at: Mapped[float]
    subject: Mapped[str]
    description: Mapped[str]
    requires_ack: Mapped[bool]
    acknowledged: Mapped[bool]
    ack_by: Mapped[str | None]
    ack_at: Mapped[float | None]
    ack_comment: Mapped[str | None]
    notified: Mapped[bool]
    """Its recipient has fetched it among the notifications."""

    __table_args__ = (
        Index("coordination_messages_by_id", "id", unique=True),
        Index("coordination_messages_by_recipient", "recipient", "number"),
        Index("coordination_messages_by_type", "type", "number"),
        Index("coordination_messages_by_time", "at"),
        {"sqlite_autoincrement": True},
    )


class ActivityRow(Base):
    """One operation, as its messages have told it so far."""

    __tablename__ = "devops_activities"

    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    started_at: Mapped[float]
    updated_at: Mapped[float]
    body: Mapped[dict[str, Any]]

    __table_args__ = (
        Index("devops_activities_by_start", "started_at"),
        Index("devops_activities_by_update", "updated_at"),
    )


class PresenceRow(Base):
    """Somebody who takes part."""

    __tablename__ = "coordination_presence"

    role: Mapped[str] = mapped_column(primary_key=True)
    registered_at: Mapped[float]
    last_heartbeat: Mapped[float]
    worktree_path: Mapped[str | None]
    session_id: Mapped[str | None]
