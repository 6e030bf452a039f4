"""What the coordination tools answer. Field names are those of the messages themselves, which have a ``from``."""

import time

from pydantic import BaseModel, ConfigDict, Field

from operator_protocol.models import CoordinationMessage


def _absent(value: object) -> bool:
    return value is None


class Payload(BaseModel):
    """What a message says."""

    subject: str
    description: str


class Message(BaseModel):
    """A coordination message."""

    model_config = ConfigDict(populate_by_name=True, use_attribute_docstrings=True)

    id: str
    type: str
    sender: str = Field(alias="from")
    receiver: str = Field(alias="to")
    timestamp: str
    """ISO 8601, UTC."""
    requires_ack: bool
    acknowledged: bool
    payload: Payload
    ack_by: str | None = Field(default=None, exclude_if=_absent)
    ack_timestamp: str | None = Field(default=None, exclude_if=_absent)
    ack_comment: str | None = Field(default=None, exclude_if=_absent)


class Success(BaseModel):
    """Base of the answers of calls that succeeded; a failure is ``{success: false, error, hint | valid_types}``."""

    model_config = ConfigDict(populate_by_name=True, use_attribute_docstrings=True)

    success: bool = True


class Published(Success):
    """The message is kept, and on its way to whoever follows the bus."""

    message_id: str
    type: str
    sender: str = Field(alias="from")
    receiver: str = Field(alias="to")
    timestamp: str
    requires_ack: bool


class Messages(Success):
    """Messages that match."""

    count: int
    messages: list[Message]
    left_out: int | None = Field(default=None, exclude_if=_absent)
    """Messages that match as well and that this answer had no room for; absent when there are none."""


class Acknowledged(Success):
    """The message is acknowledged."""

    message_id: str
    acknowledged_by: str


class Notification(BaseModel):
    """That a message was published to this instance."""

    model_config = ConfigDict(populate_by_name=True)

    event: str
    message_id: str
    type: str
    sender: str = Field(alias="from")
    receiver: str = Field(alias="to")
    requires_ack: bool
    timestamp: str


class Notifications(Success):
    """What came since the last call; the call has cleared it."""

    count: int
    notifications: list[Notification]


class Instance(BaseModel):
    """An instance that registered."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    instance_id: str
    active: bool
    """Always true: one that said goodbye is not listed."""
    last_heartbeat: str
    session_id: str | None = None
    worktree_path: str | None = Field(default=None, exclude_if=_absent)
    stale: bool
    """Nothing was heard of it for 300 seconds."""
    seconds_since_heartbeat: int


class Presence(Success):
    """Who is there."""

    instances: dict[str, Instance]
    """By the name under which it registered."""


class Registered(Success):
    """The instance is there."""

    role: str
    registered_at: str
    worktree_path: str | None = Field(default=None, exclude_if=_absent)
    session_id: str | None = Field(default=None, exclude_if=_absent)


class Deregistered(Success):
    """The instance has gone."""

    role: str


class Beat(Success):
    """The instance is still there."""

    role: str
    last_heartbeat: str


def message_of(message: CoordinationMessage) -> Message:
    """A message of the bus, its times written as the contract has them."""
    return Message.model_validate(
        {
            "id": message.id,
            "type": message.type,
            "from": message.sender,
            "to": message.recipient,
            "timestamp": iso(message.timestamp),
            "requires_ack": message.requires_ack,
            "acknowledged": message.acknowledged,
            "payload": {"subject": message.payload.subject, "description": message.payload.description},
            "ack_by": message.ack_by,
            "ack_timestamp": None if message.ack_timestamp is None else iso(message.ack_timestamp),
            "ack_comment": message.ack_comment,
        }
    )


def notification_of(message: CoordinationMessage) -> Notification:
    """That ``message`` came."""
    return Notification.model_validate(
        {
            "event": "message_published",
            "message_id": message.id,
            "type": message.type,
            "from": message.sender,
            "to": message.recipient,
            "requires_ack": message.requires_ack,
            "timestamp": iso(message.timestamp),
        }
    )


def iso(wall_s: float) -> str:
    """``2026-01-23T12:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_s))
