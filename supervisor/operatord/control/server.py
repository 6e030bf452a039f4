"""The control socket: takes commands in, executes each id once, answers.

A command that takes long is answered ``accepted`` and runs on; its outcome is published as ``command.finished`` and
remembered, so that a client that lost the answer may send the command again and be told how it ended.
"""

import asyncio
import traceback
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body, pack, unpack_map
from operator_protocol.errors import (
    BadRequest,
    DeadlineExceeded,
    InternalError,
    OperatorError,
    UnknownCommand,
    VersionMismatch,
)
from operator_protocol.topics import COMMAND_FINISHED
from operatord.control.context import Context
from operatord.control.registry import Command
from operatord.zmq_loop import Context as ZmqContext
from operatord.zmq_loop import SocketPump

_REMEMBERED = 10_000
"""Command ids whose outcome is kept for a second asking."""
_MAX_WIRE_BYTES = 16 << 20
"""A peer that sends more than this is cut off by ZeroMQ; between 1 MiB and this it gets a typed error."""
_DEFAULT_DEADLINE_S = 10.0
_MAX_DEADLINE_S = 86_400.0
_UNLOGGED = {"ping", "hello", "snapshot", "status", "processes", "tickets", "ticket"}


@dataclass(slots=True)
class _Record:
    reply: Body | None = None
    """None while it runs; ``accepted`` has been said if it is long."""
    long: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    id: str
    cmd: str
    args: Mapping[str, Any]
    deadline_s: float
    actor: str


class ControlServer:
    """Commands of all clients."""

    def __init__(self, zmq_context: ZmqContext, commands: Iterable[Command[Any]]) -> None:
        self._commands = {command.name: command for command in commands}
        self._socket = zmq_context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.RCVHWM, 1_000)
        self._socket.setsockopt(zmq.SNDHWM, 1_000)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_WIRE_BYTES)
        self._pump: SocketPump | None = None
        self._context: Context | None = None
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = 0
        """Messages that were not even a command."""

    def bind(self, address: str) -> None:
        """Open the socket for clients."""
        self._socket.bind(address)

    def serve(self, context: Context) -> None:
        """Begin to answer; commands that came before wait in the socket."""
        self._context = context
        self._pump = SocketPump(self._socket, self._message)

    async def close(self) -> None:
        """Cancel what still runs and close; answers already sent have a moment to leave."""
        if self._pump is not None:
            self._pump.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()

    def _message(self, parts: list[bytes]) -> None:
        envelope, data = parts[:-1], parts[-1]
        try:
            request = _parse(data)
        except OperatorError as error:
            self.refused += 1
            self._log(f"refused a message from peer {parts[0].hex()}: {error.message}")
            self._send(envelope, {"v": PROTOCOL_VERSION, "id": _id_of(data), "ok": False, "error": error.to_wire()})
            return
        record = self._records.get(request.id)
        if record is not None:
            if record.reply is not None or record.long:
                self._send(envelope, record.reply or _accepted(request.id))
            return
        self._begin(envelope, request)

    def _begin(self, envelope: list[bytes], request: _Request) -> None:
        command = self._commands.get(request.cmd)
        record = self._records[request.id] = _Record(long=command is not None and command.long)
        while len(self._records) > _REMEMBERED:
            self._records.popitem(last=False)
        if request.cmd not in _UNLOGGED:
            self._log(f"command {request.cmd} {dict(request.args)} from {request.actor} (declared)")
        if record.long:
            self._send(envelope, _accepted(request.id))
        task = asyncio.create_task(self._execute(envelope, request, command, record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(
        self, envelope: list[bytes], request: _Request, command: Command[Any] | None, record: _Record
    ) -> None:
        reply: Body = {"v": PROTOCOL_VERSION, "id": request.id, "ok": True}
        try:
            reply["result"] = await self._run(request, command)
        except OperatorError as error:
            reply |= {"ok": False, "error": error.to_wire()}
        except Exception as error:
            # A defect of ours: the client gets a typed error, the log the traceback.
            self._log(f"defect in command {request.cmd}:\n{traceback.format_exc()}")
            reply |= {"ok": False, "error": InternalError(f"{type(error).__name__}: {error}").to_wire()}
        record.reply = reply
        if record.long and self._context is not None:
            outcome = {key: value for key, value in reply.items() if key != "v"} | {"cmd": request.cmd}
            self._context.broker.publish(COMMAND_FINISHED, outcome)
        elif not record.long:
            self._send(envelope, reply)

    async def _run(self, request: _Request, command: Command[Any] | None) -> Body:
        if command is None:
            raise UnknownCommand(f"no command {request.cmd!r}", f"there are {', '.join(sorted(self._commands))}")
        if self._context is None:
            raise InternalError("a command came in before the daemon was assembled")
        work = asyncio.ensure_future(command(self._context, request.args))
        try:
            # The deadline bounds the answer; what was begun is finished, or a recovery would be left half-way.
            return await asyncio.wait_for(asyncio.shield(work), request.deadline_s)
        except TimeoutError:
            work.add_done_callback(_swallow)
            raise DeadlineExceeded(
                f"{request.cmd} was not done within {request.deadline_s:g} s", "it goes on; follow it with: events -f"
            ) from None
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise

    def _send(self, envelope: list[bytes], reply: Body) -> None:
        if self._pump is not None:
            self._pump.send([*envelope, pack(reply)])

    def _log(self, line: str) -> None:
        if self._context is not None:
            self._context.log(line)


def _accepted(command_id: str) -> Body:
    return {"v": PROTOCOL_VERSION, "id": command_id, "ok": True, "result": {"accepted": True, "id": command_id}}


def _id_of(data: bytes) -> str | None:
    try:
        value = unpack_map(data).get("id")
    except BadRequest:
        return None
    return value if isinstance(value, str) else None


def _parse(data: bytes) -> _Request:
    body = unpack_map(data)
    version = body.get("v")
    if version != PROTOCOL_VERSION:
        raise VersionMismatch(f"command of protocol version {version!r}, this daemon speaks {PROTOCOL_VERSION}")
    command_id, cmd = body.get("id"), body.get("cmd")
    args, deadline_s, actor = body.get("args", {}), body.get("deadline", _DEFAULT_DEADLINE_S), body.get("actor", "")
    if not (isinstance(command_id, str) and 0 < len(command_id) <= 128):
        raise BadRequest("a command needs an id: text of at most 128 characters")
    if not isinstance(cmd, str) or not isinstance(actor, str):
        raise BadRequest("cmd and actor of a command are text")
    if not isinstance(args, dict) or not all(isinstance(key, str) for key in args):
        raise BadRequest("args of a command is a map with string keys")
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float) or not 0 < deadline_s <= _MAX_DEADLINE_S:
        raise BadRequest(f"deadline of a command is a number of seconds up to {_MAX_DEADLINE_S:g}")
    return _Request(command_id, cmd, args, float(deadline_s), actor[:200])


def _swallow(task: "asyncio.Future[Body]") -> None:
    if not task.cancelled():
        task.exception()
