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
from typing import TYPE_CHECKING, Any, Self

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import MAX_MESSAGE_BYTES, MAX_REPLY_BYTES, Body, pack, unpack_map
from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import (
    BadRequest,
    DaemonUnreachable,
    DeadlineExceeded,
    OperatorError,
    error_from_wire,
)

if TYPE_CHECKING:
    from operator_protocol.curve import Refusal

DEFAULT_DEADLINE_S = 10.0
GRACE_S = 0.5
"""The daemon's own word that the deadline is over says more than ours; it has this long to arrive."""
_CONNECT_S = 1.0
_BUSY_S = 5.0
"""A daemon that is there, and does not greet us, is busy or stopped; it is waited for so long at most."""
_CONNECT_TCP_S = 4.0
"""Connecting with keys takes about five times the round trip."""
_START_HINT = "start one with: operatord start"
_SLOW_HINT = "it is there, but busy or stopped; try again"
_ADDRESS_HINT = "an address looks like tcp://127.0.0.1:7411"
_TCP_HINT = "on that host, `operatord status` says where it listens, `operatord keys list` which keys it takes"


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
    """The bytes of one command. Raises ``BadRequest`` for one that the daemon would refuse unread."""
    command = {
        "v": PROTOCOL_VERSION,
        "id": command_id,
        "cmd": cmd,
        "args": dict(args or {}),
        "deadline": deadline_s,
        "actor": actor,
    }
    try:
        data = pack(command)
    except (OverflowError, TypeError, ValueError) as error:
        # What JSON and Python have and msgpack has not: integers of more than 64 bits, halves of surrogate pairs.
        raise BadRequest(f"{cmd} cannot be sent: {error}") from error
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadRequest(f"a command of {len(data)} bytes is larger than {MAX_MESSAGE_BYTES}")
    return data


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
    if endpoint.curve is not None:
        return DaemonUnreachable(f"no daemon answers at {endpoint.label}, or it refuses this key", _TCP_HINT)
    return DaemonUnreachable(f"no daemon answers at {endpoint.label}", _START_HINT)


def too_slow(endpoint: Endpoint, cmd: str, waited_s: float) -> DeadlineExceeded:
    """The error for a daemon that is there, and says nothing."""
    return DeadlineExceeded(f"the daemon at {endpoint.label} did not answer {cmd} within {waited_s:g} s", _SLOW_HINT)


def control_socket(context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
    """A DEALER that never queues a command for a daemon that is not there: it might start later."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, 1_000)
    socket.setsockopt(zmq.RCVHWM, 1_000)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    return socket


def connect(socket: "zmq.Socket[bytes]", address: str, endpoint: Endpoint) -> "Refusal | None":
    """Connect to one of the addresses of ``endpoint``, and again whenever the connection is lost.

    Over TCP returns what notices that the daemon refuses the key.
    """
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    refusal = None
    if endpoint.curve is not None:
        from operator_protocol.curve import Refusal, secure  # only TCP needs it

        secure(socket, endpoint.curve, address)
        refusal = Refusal(socket, endpoint)
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        if refusal is not None:
            refusal.close()
        raise BadRequest(
            f"cannot connect to {endpoint.label}: {os.strerror(error.errno or 0)}", _ADDRESS_HINT
        ) from error
    return refusal


def somebody_listens(address: str) -> bool:
    """True if a process has the ipc socket open: one that is stopped, or too busy to greet us, is no missing daemon."""
    path = address.removeprefix("ipc://")
    if path == address:
        return False
    import socket as sockets  # only who was not answered needs it

    try:
        with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM | sockets.SOCK_NONBLOCK) as probe:
            probe.connect(path)
    except BlockingIOError:
        return True  # so many wait to be let in that there is no room for one more
    except OSError:
        return False
    return True


class Requester:
    """A blocking command client: one socket, one command at a time."""

    def __init__(self, endpoint: Endpoint, *, actor: str | None = None) -> None:
        self.endpoint = endpoint
        self.actor = actor or default_actor()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = control_socket(self._context)
        try:
            self._refusal = connect(self._socket, endpoint.control, endpoint)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def command(
        self,
        cmd: str,
        args: Mapping[str, Any] | None = None,
        *,
        deadline_s: float = DEFAULT_DEADLINE_S,
        command_id: str | None = None,
    ) -> Body:
        """Send ``cmd`` and wait for its reply, at most ``deadline_s`` seconds.

        Raises the typed ``OperatorError`` of the reply, ``DaemonUnreachable`` when there is no daemon or it refuses the
        key, ``DeadlineExceeded`` when it is there and does not take the command, or not answer it, in time.
        """
        wanted = command_id or new_id()
        data = encode_command(cmd, args, command_id=wanted, deadline_s=deadline_s, actor=self.actor)
        if self.endpoint.control.startswith("ipc://") and not Path(self.endpoint.control[6:]).exists():
            raise unreachable(self.endpoint)
        until = time.monotonic() + deadline_s + GRACE_S
        self._send(cmd, data, min(deadline_s, _BUSY_S))
        while (left_s := until - time.monotonic()) > 0 and self._poll(left_s, zmq.POLLIN):
            reply = self._socket.recv_multipart()[-1]
            if reply_id(reply) == wanted:
                return decode_reply(reply)[1]
        if self._poll(0, zmq.POLLOUT):
            raise too_slow(self.endpoint, cmd, deadline_s)
        raise unreachable(self.endpoint)

    def _send(self, cmd: str, data: bytes, patience_s: float) -> None:
        connect_s = _CONNECT_S if self._refusal is None else _CONNECT_TCP_S
        until = time.monotonic() + patience_s
        while (left_s := until - time.monotonic()) > 0:
            if not self._poll(min(left_s, connect_s), zmq.POLLOUT):
                if not somebody_listens(self.endpoint.control):
                    raise unreachable(self.endpoint)
                continue  # it is there, and busy or stopped
            try:
                self._socket.send_multipart([b"", data], zmq.DONTWAIT)
            except zmq.Again:
                continue  # the connection was lost after it was looked at; to wait here would be for ever
            return
        if somebody_listens(self.endpoint.control):
            raise too_slow(self.endpoint, cmd, patience_s)
        raise unreachable(self.endpoint)

    def _poll(self, timeout_s: float, events: int) -> bool:
        timeout_ms = max(1, int(timeout_s * 1000))
        if self._refusal is not None:
            return self._refusal.wait(events, timeout_ms)
        return bool(self._socket.poll(timeout_ms, events))

    def close(self) -> None:
        """Close the socket and its context."""
        if self._refusal is not None:
            self._refusal.close()
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
    "connect",
    "control_socket",
    "decode_reply",
    "default_actor",
    "encode_command",
    "new_id",
    "reply_id",
    "unreachable",
]
