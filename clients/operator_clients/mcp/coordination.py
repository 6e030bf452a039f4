"""Coordination tools: publish, check and acknowledge messages, and take notifications.

Names, parameters and results are those that agents already know from the coordination servers on Redis; the messages
are in the daemon's store here. They change no cluster, so a server has these tools without control rights, too.
"""

import json
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from pydantic import BeforeValidator, Field, WithJsonSchema

from operator_clients.mcp.answers import fitting, record, records
from operator_clients.mcp.daemon import Daemon
from operator_clients.mcp.messages import (
    Acknowledged,
    Message,
    Messages,
    Notifications,
    Published,
    message_of,
    notification_of,
)
from operator_protocol.coordination import MESSAGE_TYPES
from operator_protocol.errors import BadRequest
from operator_protocol.models import CoordinationMessage

MAX_MESSAGES = 1_000
MAX_NOTIFICATIONS = 200
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
REPEATS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
# An enum in the schema only: a value that is none of them is answered with the list, not with the words of a validator.
_Type = Annotated[
    str, WithJsonSchema({"type": "string", "enum": list(MESSAGE_TYPES)}), Field(description="the message's type")
]
_Limit = Annotated[int, Field(ge=1, description=f"at most so many; above {MAX_MESSAGES} counts as {MAX_MESSAGES}")]


class UnknownType(BadRequest):
    """There is no such type of message."""

    valid_types = MESSAGE_TYPES


def add(server: MCPServer[Any], daemon: Daemon) -> None:
    """Give ``server`` the tools of this area."""

    @server.tool(title="Publish a coordination message", annotations=WRITES)
    async def coord_publish_message(
        msg_type: _Type,
        subject: Annotated[str, Field(description="brief subject line")],
        description: Annotated[str, Field(description="the message; of a DEVOPS_ type the JSON of docs/devops.md")],
        to_instance: Annotated[str, Field(description="who it is for, or `all`")] = "orchestrator",
        requires_ack: Annotated[bool, Field(description="whether it is to be acknowledged")] = True,
    ) -> Published:
        """Publish a coordination message to another agent; it is kept for 24 hours."""
        _check(msg_type)
        message = await _message(
            daemon,
            "publish",
            {
                "type": msg_type,
                "from": own_name(daemon),
                "to": to_instance,
                "requires_ack": requires_ack,
                "payload": {"subject": subject, "description": description},
            },
        )
        fields = message.model_dump(by_alias=True, include={"type", "sender", "receiver", "timestamp", "requires_ack"})
        return Published.model_validate({"message_id": message.id, **fields})

    @server.tool(title="Check coordination messages", annotations=READS)
    async def coord_check_messages(
        to_instance: Annotated[str | None, Field(description="only those for this instance")] = None,
        from_instance: Annotated[str | None, Field(description="only those from this instance")] = None,
        msg_type: Annotated[_Type | None, Field(description="only those of this type")] = None,
        pending_only: Annotated[bool, Field(description="only those that are not acknowledged")] = False,
        limit: _Limit = 100,
    ) -> Messages:
        """The coordination messages of the last 24 hours that match."""
        if msg_type is not None:
            _check(msg_type)
        found = await daemon.ask(
            "messages",
            {
                "to": to_instance,
                "from": from_instance,
                "type": msg_type,
                "pending_only": pending_only,
                "limit": min(limit, MAX_MESSAGES),
            },
        )
        messages, left_out = fitting([message_of(one) for one in records(CoordinationMessage, found.get("messages"))])
        return Messages(count=len(messages), messages=messages, left_out=left_out or None)

    @server.tool(title="Acknowledge a coordination message", annotations=REPEATS)
    async def coord_ack_message(
        message_id: Annotated[str, Field(description="its id, like msg-1a2b3c4d")],
        comment: Annotated[
            str | None, BeforeValidator(_as_text), Field(description="what to tell the sender with it")
        ] = None,
    ) -> Acknowledged:
        """Acknowledge a coordination message."""
        name = own_name(daemon)
        message = await _message(daemon, "ack", {"id": message_id, "by": name, "comment": comment})
        return Acknowledged(message_id=message.id, acknowledged_by=message.ack_by or name)

    @server.tool(title="Take notifications", annotations=WRITES)
    async def coord_get_notifications(
        limit: Annotated[
            int, Field(ge=1, description=f"at most so many, and {MAX_NOTIFICATIONS}; the others wait for the next call")
        ] = 100,
    ) -> Notifications:
        """Which messages were published for this instance since the last call, oldest first; the call clears them."""
        # What is taken is told once, so nothing of it may be cut: a short answer takes fewer.
        wanted = {"to": own_name(daemon), "limit": min(limit, MAX_NOTIFICATIONS)}
        taken = records(CoordinationMessage, (await daemon.ask("notifications", wanted)).get("messages"))
        return Notifications(count=len(taken), notifications=[notification_of(one) for one in taken])


def own_name(daemon: Daemon) -> str:
    """Who this agent is. Raises ``BadRequest`` when nobody has said so: a message from nobody helps nobody."""
    if not daemon.instance:
        raise BadRequest(
            "this server does not know who it speaks for",
            "start it with: operator-mcp --instance NAME, or set $OPERATOR_INSTANCE",
        )
    return daemon.instance


def _as_text(value: object) -> object:
    """Text that is JSON comes parsed, where it may be something else than text: the SDK's help for careless clients."""
    return json.dumps(value) if isinstance(value, dict | list) else value


async def _message(daemon: Daemon, cmd: str, args: dict[str, Any]) -> Message:
    done = await daemon.ask(cmd, args)
    return message_of(record(CoordinationMessage, done.get("message")))


def _check(msg_type: str) -> None:
    if msg_type not in MESSAGE_TYPES:
        raise UnknownType(f"Invalid message type: {msg_type}")
