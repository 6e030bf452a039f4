"""Where messages, activities and presence lie: tables in the file of the tickets.

Everything that is older than the retention is left out by the query itself, so what is read is right whenever the
cleaning last ran. A message and what it makes of its operation are one transaction.
"""

import secrets
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from operator_protocol.errors import NotFound
from operator_protocol.models import CoordinationMessage, DevOpsActivity, MessagePayload, Presence
from operator_protocol.records import from_body, to_body
from operatord.coordination.schema import ActivityRow, MessageRow, PresenceRow
from operatord.coordination.wanted import Wanted
from operatord.tickets.sessions import Sessions

MAX_MESSAGES = 10_000
MAX_ACTIVITIES = 1_000
MAX_PRESENT = 200
_TRIM_EVERY = 256
"""Messages between two looks at how many there are: to count them takes longer than to add one."""
_IN_PROGRESS = "in_progress"


class CoordinationStore:
    """Messages, activities and presence. Calls block for well under a millisecond each, as those of the tickets."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    # messages

    def add(self, message: CoordinationMessage, activity: DevOpsActivity | None) -> CoordinationMessage:
        """Store a message, with an id of its own, and what it makes of its operation, both or none."""
        with self._sessions.writing() as session:
            named = replace(message, id=_free_id(session))
            row = _message_row(named)
            session.add(row)
            if activity is not None:
                session.merge(_activity_row(activity))
            session.flush()
            if row.number % _TRIM_EVERY == 0:
                _trim_all(session)
        return named

    def message(self, message_id: str, since: float) -> CoordinationMessage:
        """One message. Raises ``NotFound``, also for one from before ``since``."""
        with self._sessions.reading() as session:
            return _message(_found(session, message_id, since))

    def acknowledge(
        self, message_id: str, by: str, comment: str | None, *, at: float, since: float
    ) -> CoordinationMessage:
        """Note that ``by`` has it; the first acknowledgement stands. Raises ``NotFound``."""
        with self._sessions.writing() as session:
            row = _found(session, message_id, since)
            if not row.acknowledged:
                row.acknowledged, row.ack_by, row.ack_at, row.ack_comment = True, by, at, comment
            return _message(row)

    def newest(self, wanted: Wanted, limit: int, since: float) -> list[CoordinationMessage]:
        """The newest ``limit`` of those that are wanted, newest first."""
        query = select(MessageRow).where(MessageRow.at >= since)
        if wanted.to is not None:
            query = query.where(MessageRow.recipient == wanted.to)
        if wanted.sender is not None:
            query = query.where(MessageRow.sender == wanted.sender)
        if wanted.type is not None:
            query = query.where(MessageRow.type == wanted.type)
        if wanted.pending_only:
            query = query.where(MessageRow.requires_ack, ~MessageRow.acknowledged)
        with self._sessions.reading() as session:
            return [_message(row) for row in session.scalars(query.order_by(MessageRow.number.desc()).limit(limit))]

    def take_notifications(self, to: str, limit: int, since: float) -> list[CoordinationMessage]:
        """The oldest ``limit`` messages to ``to`` that were not handed out so before, nor acknowledged."""
        query = (
            select(MessageRow)
            .where(MessageRow.recipient == to, MessageRow.at >= since, ~MessageRow.notified, ~MessageRow.acknowledged)
            .order_by(MessageRow.number)
            .limit(limit)
        )
        with self._sessions.writing() as session:
            rows = list(session.scalars(query))
            for row in rows:
                row.notified = True
            return [_message(row) for row in rows]

    # activities

    def activity(self, activity_id: str, since: float) -> DevOpsActivity | None:
        """One operation, None if nothing was heard of it ``since``."""
        query = select(ActivityRow).where(ActivityRow.id == activity_id, ActivityRow.updated_at >= since)
        with self._sessions.reading() as session:
            row = session.scalar(query)
            return None if row is None else _activity(row)

    def activities(self, limit: int, since: float) -> tuple[DevOpsActivity | None, list[DevOpsActivity]]:
        """The operation under way that began last, and the newest ``limit`` of the others, newest first."""
        alive = select(ActivityRow).where(ActivityRow.updated_at >= since).order_by(ActivityRow.started_at.desc())
        with self._sessions.reading() as session:
            current = session.scalar(alive.where(ActivityRow.status == _IN_PROGRESS).limit(1))
            others = alive if current is None else alive.where(ActivityRow.id != current.id)
            recent = [_activity(row) for row in session.scalars(others.limit(limit))]
            return None if current is None else _activity(current), recent

    # presence

    def register(self, presence: Presence) -> Presence:
        """Note who takes part, in place of what was known of that role."""
        with self._sessions.writing() as session:
            session.merge(
                PresenceRow(
                    role=presence.role,
                    registered_at=presence.registered_at,
                    last_heartbeat=presence.last_heartbeat,
                    worktree_path=presence.worktree_path,
                    session_id=presence.session_id,
                )
            )
            _trim(session, PresenceRow, PresenceRow.last_heartbeat, MAX_PRESENT)
        return presence

    def heard(self, role: str, at: float) -> Presence | None:
        """A sign of life; None if nobody of that role is registered."""
        with self._sessions.writing() as session:
            row = session.get(PresenceRow, role)
            if row is None:
                return None
            row.last_heartbeat = at
            return _presence(row)

    def deregister(self, role: str) -> Presence | None:
        """Forget somebody; None if nobody of that role was there."""
        with self._sessions.writing() as session:
            row = session.get(PresenceRow, role)
            if row is None:
                return None
            gone = _presence(row)
            session.delete(row)
            return gone

    def present(self, since: float) -> list[Presence]:
        """All who take part, by role."""
        query = select(PresenceRow).where(PresenceRow.last_heartbeat >= since).order_by(PresenceRow.role)
        with self._sessions.reading() as session:
            return [_presence(row) for row in session.scalars(query)]

    # retention

    def clean(self, before: float) -> None:
        """Delete what is older."""
        with self._sessions.writing() as session:
            session.execute(delete(MessageRow).where(MessageRow.at < before))
            session.execute(delete(ActivityRow).where(ActivityRow.updated_at < before))
            session.execute(delete(PresenceRow).where(PresenceRow.last_heartbeat < before))
            _trim_all(session)


def _free_id(session: Session) -> str:
    """Eight digits are few enough that two may be the same one day."""
    while True:
        made = f"msg-{secrets.token_hex(4)}"
        if session.scalar(select(MessageRow.number).where(MessageRow.id == made)) is None:
            return made


def _trim_all(session: Session) -> None:
    _trim(session, MessageRow, MessageRow.number, MAX_MESSAGES)
    _trim(session, ActivityRow, ActivityRow.updated_at, MAX_ACTIVITIES)


def _trim(session: Session, rows: type[Any], order: Any, most: int) -> None:
    """Delete the oldest above ``most``."""
    session.flush()
    above = (session.scalar(select(func.count()).select_from(rows)) or 0) - most
    if above <= 0:
        return
    key = rows.__table__.primary_key.columns.values()[0]
    oldest: Select[Any] = select(key).order_by(order).limit(above)
    session.execute(delete(rows).where(key.in_(oldest)), execution_options={"synchronize_session": False})


def _found(session: Session, message_id: str, since: float) -> MessageRow:
    row = session.scalar(select(MessageRow).where(MessageRow.id == message_id, MessageRow.at >= since))
    if row is None:
        raise NotFound(f"there is no message {message_id!r} of the last 24 h", "operatorctl coord messages lists them")
    return row


def _message_row(message: CoordinationMessage) -> MessageRow:
    return MessageRow(
        id=message.id,
        type=message.type,
        sender=message.sender,
        recipient=message.recipient,
        at=message.timestamp,
        subject=message.payload.subject,
        description=message.payload.description,
        requires_ack=message.requires_ack,
        acknowledged=message.acknowledged,
        ack_by=message.ack_by,
        ack_at=message.ack_timestamp,
        ack_comment=message.ack_comment,
        notified=False,
    )


def _message(row: MessageRow) -> CoordinationMessage:
    return CoordinationMessage(
        id=row.id,
        type=row.type,
        sender=row.sender,
        recipient=row.recipient,
        timestamp=row.at,
        payload=MessagePayload(row.subject, row.description),
        requires_ack=row.requires_ack,
        acknowledged=row.acknowledged,
        ack_by=row.ack_by,
        ack_timestamp=row.ack_at,
        ack_comment=row.ack_comment,
    )


def _activity_row(activity: DevOpsActivity) -> ActivityRow:
    return ActivityRow(
        id=activity.id,
        status=activity.status,
        started_at=activity.started_at,
        updated_at=activity.updated_at,
        body=to_body(activity),
    )


def _activity(row: ActivityRow) -> DevOpsActivity:
    return from_body(DevOpsActivity, row.body)


def _presence(row: PresenceRow) -> Presence:
    return Presence(row.role, row.registered_at, row.last_heartbeat, row.worktree_path, row.session_id)
