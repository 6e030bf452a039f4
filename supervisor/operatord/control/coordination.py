"""Commands of the coordination: ``publish, messages, ack, notifications, devops, activity`` and ``presence``."""

from dataclasses import dataclass, field
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.coordination import RETENTION_S
from operator_protocol.errors import BadRequest
from operator_protocol.models import CoordinationMessage, DevOpsActivity, MessagePayload, Presence
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command, NoArgs
from operatord.coordination.wanted import Wanted

_MAX_LISTED = 1_000
_MAX_ACTIVITIES = 100
_MAX_HOURS = RETENTION_S / 3600.0


@dataclass(frozen=True, slots=True)
class PublishArgs:
    """A message; from the sender of the command unless it says otherwise."""

    type: str
    payload: MessagePayload
    sender: str = field(default="", metadata={"wire": "from"})
    recipient: str = field(default="orchestrator", metadata={"wire": "to"})
    requires_ack: bool = True


@dataclass(frozen=True, slots=True)
class MessagesArgs:
    """Which messages, newest first."""

    recipient: str | None = field(default=None, metadata={"wire": "to"})
    sender: str | None = field(default=None, metadata={"wire": "from"})
    type: str | None = None
    pending_only: bool = False
    limit: int = 100
    since: float | None = None


@dataclass(frozen=True, slots=True)
class AckArgs:
    """Which message, and who has it; the sender of the command unless it says otherwise."""

    id: str
    by: str = ""
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class NotificationsArgs:
    """Whose."""

    recipient: str = field(metadata={"wire": "to"})
    limit: int = 100


@dataclass(frozen=True, slots=True)
class DevOpsArgs:
    """How many, and how far back."""

    limit: int = 10
    hours: float = 24.0


@dataclass(frozen=True, slots=True)
class ActivityArgs:
    """One operation."""

    id: str


@dataclass(frozen=True, slots=True)
class RegisterArgs:
    """Who takes part, and where from."""

    role: str
    worktree_path: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class RoleArgs:
    """Who."""

    role: str


async def publish(context: Context, args: PublishArgs) -> Body:
    """Take a message."""
    message, activity = context.coordination.publish(
        args.type, args.sender or context.caller, args.recipient, args.payload, requires_ack=args.requires_ack
    )
    return {"message": to_body(message), "activity": _or_nil(activity)}


async def messages(context: Context, args: MessagesArgs) -> Body:
    """List messages."""
    wanted = Wanted(args.recipient, args.sender, args.type, args.pending_only)
    return _listed(context.coordination.messages(wanted, _limit(args.limit, _MAX_LISTED), args.since))


async def ack(context: Context, args: AckArgs) -> Body:
    """Note that somebody has a message."""
    message = context.coordination.acknowledge(args.id, args.by or context.caller, args.comment)
    return {"message": to_body(message)}


async def notifications(context: Context, args: NotificationsArgs) -> Body:
    """Hand out, once each, what came for somebody."""
    return _listed(context.coordination.notifications(args.recipient, _limit(args.limit, _MAX_LISTED)))


async def devops(context: Context, args: DevOpsArgs) -> Body:
    """The operation under way, and the last ones."""
    if not 0 < args.hours <= _MAX_HOURS:
        raise BadRequest(f"hours must be above 0, up to {_MAX_HOURS:g}")
    current, recent = context.coordination.activities(_limit(args.limit, _MAX_ACTIVITIES), args.hours)
    return {"current": _or_nil(current), "recent": [to_body(one) for one in recent]}


async def activity(context: Context, args: ActivityArgs) -> Body:
    """One operation."""
    return {"activity": to_body(context.coordination.activity(args.id))}


async def presence(context: Context, _: NoArgs) -> Body:
    """Who takes part."""
    return {"present": [to_body(one) for one in context.coordination.present()]}


async def register(context: Context, args: RegisterArgs) -> Body:
    """Somebody takes part."""
    return {"presence": to_body(context.coordination.register(args.role, args.worktree_path, args.session_id))}


async def deregister(context: Context, args: RoleArgs) -> Body:
    """Somebody left."""
    return {"presence": _or_nil(context.coordination.deregister(args.role))}


async def heartbeat(context: Context, args: RoleArgs) -> Body:
    """Somebody is still there."""
    return {"presence": to_body(context.coordination.heartbeat(args.role))}


def _listed(found: list[CoordinationMessage]) -> Body:
    return {"messages": [to_body(message) for message in found]}


def _or_nil(record: DevOpsActivity | Presence | None) -> Body | None:
    return None if record is None else to_body(record)


def _limit(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise BadRequest(f"limit must be from 1 to {most}")
    return limit


COMMANDS: tuple[Command[Any], ...] = (
    Command("publish", PublishArgs, publish),
    Command("messages", MessagesArgs, messages, reads=True),
    Command("ack", AckArgs, ack),
    Command("notifications", NotificationsArgs, notifications),
    Command("devops", DevOpsArgs, devops, reads=True),
    Command("activity", ActivityArgs, activity, reads=True),
    Command("presence", NoArgs, presence, reads=True),
    Command("presence.register", RegisterArgs, register),
    Command("presence.deregister", RoleArgs, deregister),
    Command("presence.heartbeat", RoleArgs, heartbeat),
)
