"""The coordination desk: takes messages, keeps them for a day, and tells the bus of each, and of what they tell."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from operator_protocol.codec import Body
from operator_protocol.coordination import (
    MAX_COMMENT_CHARS,
    MAX_DESCRIPTION_CHARS,
    MAX_NAME_CHARS,
    MAX_SUBJECT_CHARS,
    MESSAGE_TYPES,
    RETENTION_S,
    STALE_AFTER_S,
)
from operator_protocol.errors import BadRequest, NotFound, OperatorError
from operator_protocol.models import CoordinationMessage, DevOpsActivity, Expiry, MessagePayload, Presence
from operator_protocol.records import to_body
from operator_protocol.state import ACTIVITIES, MESSAGES, State
from operator_protocol.topics import COORDINATION_EXPIRED, COORDINATION_MESSAGE, DEVOPS_ACTIVITY
from operatord.clock import Clock
from operatord.coordination import activity as devops
from operatord.coordination.wanted import Wanted

if TYPE_CHECKING:  # SQLAlchemy is behind it
    from operatord.coordination.store import CoordinationStore

Messages: TypeAlias = list[CoordinationMessage]

_CLEAN_EVERY_S = 60.0
"""Rows that are too old are left out at reading; this is only for the room they take."""


class CoordinationDesk:
    """Messages and operations. Each change is on disk before it is published."""

    def __init__(
        self,
        store: "CoordinationStore",
        publish: Callable[[str, Body], None],
        state: Callable[[], State],
        log: Callable[[str], None],
        *,
        wall: Clock = time.time,
        clock: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._publish = publish
        self._state = state
        self._log = log
        self._wall = wall
        self._clock = clock
        self._clean_at = clock()

    def resume(self) -> None:
        """Tell what an earlier run left, oldest first, as much of it as the state has room for."""
        since = self._since()
        for message in reversed(self._store.newest(Wanted(), MESSAGES, since)):
            self._publish(COORDINATION_MESSAGE, to_body(message))
        current, recent = self._store.activities(ACTIVITIES - 1, since)
        for activity in (*reversed(recent), *((current,) if current else ())):
            self._publish(DEVOPS_ACTIVITY, to_body(activity))

    # messages

    def publish(
        self, kind: str, sender: str, recipient: str, payload: MessagePayload, *, requires_ack: bool
    ) -> tuple[CoordinationMessage, DevOpsActivity | None]:
        """Take a message; with it what it makes of its operation, if it is about one.

        Raises ``BadRequest`` for an unknown type, for what is too long, and for a ``DEVOPS_*`` description that is not
        what is expected; ``NotFound`` and ``Conflict`` as ``activity.follow``.
        """
        if kind not in MESSAGE_TYPES:
            raise BadRequest(f"there is no message type {kind!r}", f"one of {', '.join(MESSAGE_TYPES)}")
        check_name("from", sender)
        check_name("to", recipient)
        _check_payload(payload)
        now = self._wall()
        telling = devops.read(kind, payload.description)
        activity = None
        if telling is not None:
            activity = devops.follow(self._store.activity(telling.activity_id, now - RETENTION_S), telling, now)
        message = self._store.add(
            CoordinationMessage("", kind, sender, recipient, now, payload, requires_ack=requires_ack), activity
        )
        self._publish(COORDINATION_MESSAGE, to_body(message))
        if activity is not None:
            self._publish(DEVOPS_ACTIVITY, to_body(activity))
        return message, activity

    def messages(self, wanted: Wanted, limit: int, since: float | None = None) -> Messages:
        """The newest ``limit`` of the last 24 h (``since`` that moment), newest first."""
        return self._store.newest(wanted, limit, max(self._since(), since or 0.0))

    def acknowledge(self, message_id: str, by: str, comment: str | None) -> CoordinationMessage:
        """Note that ``by`` has it. Done again it changes nothing. Raises ``NotFound``."""
        check_name("by", by)
        if comment is not None and len(comment) > MAX_COMMENT_CHARS:
            raise BadRequest(f"a comment has at most {MAX_COMMENT_CHARS} characters, this one {len(comment)}")
        since = self._since()
        known = self._store.message(message_id, since)
        if known.acknowledged:
            return known
        message = self._store.acknowledge(message_id, by, comment or None, at=self._wall(), since=since)
        self._publish(COORDINATION_MESSAGE, to_body(message))
        return message

    def notifications(self, to: str, limit: int) -> Messages:
        """Messages to ``to`` that were not fetched so before, oldest first; each is handed out once."""
        check_name("to", to)
        return self._store.take_notifications(to, limit, self._since())

    # operations

    def activities(self, limit: int, hours: float) -> tuple[DevOpsActivity | None, list[DevOpsActivity]]:
        """The operation under way that began last, and the newest ``limit`` of the others, newest first."""
        return self._store.activities(limit, self._wall() - hours * 3600.0)

    def activity(self, activity_id: str) -> DevOpsActivity:
        """One operation. Raises ``NotFound``."""
        found = self._store.activity(activity_id, self._since())
        if found is None:
            raise NotFound(
                f"there is no operation {activity_id!r} of the last 24 h", "operatorctl devops list shows them"
            )
        return found

    # presence

    def register(self, role: str, worktree_path: str | None, session_id: str | None) -> Presence:
        """Somebody takes part from now on."""
        check_name("role", role)
        for name, value in (("worktree_path", worktree_path), ("session_id", session_id)):
            if value is not None and len(value) > MAX_COMMENT_CHARS:
                raise BadRequest(f"{name} has at most {MAX_COMMENT_CHARS} characters, this one {len(value)}")
        now = self._wall()
        return self._store.register(Presence(role, now, now, worktree_path, session_id))

    def heartbeat(self, role: str) -> Presence:
        """A sign of life; who was not registered is from now on."""
        check_name("role", role)
        return self._store.heard(role, self._wall()) or self.register(role, None, None)

    def deregister(self, role: str) -> Presence | None:
        """Somebody left; None if nobody of that role was there."""
        check_name("role", role)
        gone = self._store.deregister(role)
        return None if gone is None else self._told(gone)

    def present(self) -> list[Presence]:
        """All who take part, those included of whom nothing was heard for a while."""
        return [self._told(one) for one in self._store.present(self._since())]

    def tick(self) -> None:
        """Forget what is over 24 h old; due about once a second."""
        before = self._since()
        state = self._state()
        if any(one.timestamp < before for one in state.coordination.values()) or any(
            one.updated_at < before for one in state.devops.values()
        ):
            self._publish(COORDINATION_EXPIRED, to_body(Expiry(before)))
        if self._clock() < self._clean_at:
            return
        self._clean_at = self._clock() + _CLEAN_EVERY_S
        try:
            self._store.clean(before)
        except OperatorError as error:
            self._log(str(error))

    def _told(self, presence: Presence) -> Presence:
        return replace(presence, stale=self._wall() - presence.last_heartbeat > STALE_AFTER_S)

    def _since(self) -> float:
        return self._wall() - RETENTION_S


def check_name(what: str, name: str) -> None:
    """Raise ``BadRequest`` for what cannot be the name of somebody."""
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable() or not name.strip():
        raise BadRequest(f"{what} is 1 to {MAX_NAME_CHARS} printable characters", "like orchestrator, or all")


def _check_payload(payload: MessagePayload) -> None:
    if not 1 <= len(payload.subject) <= MAX_SUBJECT_CHARS:
        raise BadRequest(f"a subject has 1 to {MAX_SUBJECT_CHARS} characters, this one {len(payload.subject)}")
    if len(payload.description) > MAX_DESCRIPTION_CHARS:
        raise BadRequest(
            f"a description has at most {MAX_DESCRIPTION_CHARS} characters, this one {len(payload.description)}",
            "say where the rest is",
        )
