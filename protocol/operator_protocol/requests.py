"""Commands and replies on the ``control`` socket, and the smallest client that can send one.

This module is what a shell command pays for at start-up, so it imports neither dataclasses nor asyncio of its own.
A command is ``{v, id, cmd, args, deadline, actor}``; the daemon remembers ids, so a command that is sent again with
the same id (because the answer was lost) is executed once and answered with the recorded outcome.
"""

import getpass
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import MAX_REPLY_BYTES, Body, pack, unpack_map
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import BadRequest, DaemonUnreachable, OperatorError, error_from_wire

DEFAULT_DEADLINE_S = 10.0
_CONNECT_S = 1.0
_START_HINT = "start one with: operatord start"


def new_id() -> str:
    """A random command id."""
    return os.urandom(8).hex()


def default_actor() -> str:
    """Who sends: ``user[pid]``, shown in the audit log as declared by the sender."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}[{os.getpid()}]"


def encode_command(
    cmd: str, args: Mapping[str, Any] | None, *, command_id: str, deadline_s: float, actor: str
) -> bytes:
    """The bytes of one command."""
    return pack(
        {
            "v": PROTOCOL_VERSION,
            "id": command_id,
            "cmd": cmd,
            "args": dict(args or {}),
            "deadline": deadline_s,
            "actor": actor,
        }
    )


def decode_reply(data: bytes) -> tuple[str, Body]:
    """``(command id, result)`` of a reply; raises the typed error that a failed reply carries."""
    reply = unpack_map(data, MAX_REPLY_BYTES)
    command_id = reply.get("id")
    if not isinstance(command_id, str):
        raise BadRequest("a reply without an id")
    if reply.get("ok") is not True:
        error = reply.get("error")
        raise error_from_wire(error if isinstance(error, dict) else {})
    result = reply.get("result")
    return command_id, result if isinstance(result, dict) else {}


def reply_id(data: bytes) -> str | None:
    """The id of the command that a reply answers, whether it succeeded or not."""
    value = unpack_map(data, MAX_REPLY_BYTES).get("id")
    return value if isinstance(value, str) else None


def unreachable(endpoint: Endpoint) -> DaemonUnreachable:
    """The error that every client shows when no daemon answers."""
    return DaemonUnreachable(f"no daemon answers at {endpoint.label}", _START_HINT)


def control_socket(context: "zmq.Context[zmq.Socket[bytes]]", endpoint: Endpoint) -> "zmq.Socket[bytes]":
    """A DEALER to ``control`` that never queues a command for a daemon that is not there: it might start later."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, 1_000)
    socket.setsockopt(zmq.RCVHWM, 1_000)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    socket.connect(endpoint.control)
    return socket


class Requester:
    """A blocking command client: one socket, one command at a time."""

    def __init__(self, endpoint: Endpoint, *, actor: str | None = None) -> None:
        self.endpoint = endpoint
        self.actor = actor or default_actor()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = control_socket(self._context, endpoint)

    def command(
        self,
        cmd: str,
        args: Mapping[str, Any] | None = None,
        *,
        deadline_s: float = DEFAULT_DEADLINE_S,
        command_id: str | None = None,
    ) -> Body:
        """Send ``cmd`` and wait for its reply, at most ``deadline_s`` seconds.

        Raises the typed ``OperatorError`` of the reply, or ``DaemonUnreachable`` when nobody takes the command within
        a second or answers it within the deadline.
        """
        wanted = command_id or new_id()
        data = encode_command(cmd, args, command_id=wanted, deadline_s=deadline_s, actor=self.actor)
        if self.endpoint.control.startswith("ipc://") and not Path(self.endpoint.control[6:]).exists():
            raise unreachable(self.endpoint)
        if not self._socket.poll(int(min(deadline_s, _CONNECT_S) * 1000), zmq.POLLOUT):
            raise unreachable(self.endpoint)
        self._socket.send_multipart([b"", data])
        until = time.monotonic() + deadline_s
        while (left_s := until - time.monotonic()) > 0 and self._socket.poll(max(1, int(left_s * 1000))):
            reply = self._socket.recv_multipart()[-1]
            if reply_id(reply) == wanted:
                return decode_reply(reply)[1]
        raise unreachable(self.endpoint)

    def close(self) -> None:
        """Close the socket and its context."""
        self._socket.close(linger=0)
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


__all__ = [
    "DEFAULT_DEADLINE_S",
    "OperatorError",
    "Requester",
    "control_socket",
    "decode_reply",
    "default_actor",
    "encode_command",
    "new_id",
    "reply_id",
    "unreachable",
]
