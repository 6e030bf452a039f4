"""The control socket: takes commands in, executes each id once, answers. What is no command is refused and counted.

A command that takes long is answered ``accepted`` and runs on; its outcome is published as ``command.finished`` and
remembered, so that a client that lost the answer may send the command again and be told how it ended.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body, pack
from operator_protocol.errors import (
    DeadlineExceeded,
    InternalError,
    OperatorError,
    Unauthorized,
    Unavailable,
    UnknownCommand,
)
from operator_protocol.topics import COMMAND_FINISHED
from operatord.audit import AuditLog
from operatord.bus.intake import Intake
from operatord.control.access import Access, Caller, Peer, peer_of, require
from operatord.control.context import Context
from operatord.control.incoming import Incoming, NoCommand, check_envelope, parse
from operatord.control.ledger import OK, Ledger
from operatord.control.outcomes import Entry, Key, Outcomes
from operatord.control.registry import Command
from operatord.zmq_loop import Context as ZmqContext
from operatord.zmq_loop import Socket, SocketPump

_MAX_WIRE_BYTES = 16 << 20
"""A peer that sends more than this is cut off by ZeroMQ; between 1 MiB and this it gets a typed error."""
_SEND_HWM = 256
"""Replies queued for one client: more than it may have commands under way, and so many snapshots at most are what one
costs that asks and never reads."""
_MAX_RUNNING = 200
"""Commands of one connection that run at once; one more is told to try again, and nobody else is held up by it."""
_MAX_TEXT_CHARS = 1_000
"""Of what an error says: a message may quote an argument, and that may be a megabyte."""
_BATCH = 50
"""Commands taken in before those that were begun get a turn: a flood waits in the socket, not in memory."""


@dataclass(frozen=True, slots=True)
class _Request:
    sent: Incoming
    caller: Caller
    command: Command[Any]

    @property
    def id(self) -> str:
        return self.sent.id

    @property
    def cmd(self) -> str:
        return self.sent.cmd


class ControlServer:
    """Commands of all clients."""

    def __init__(
        self,
        zmq_context: ZmqContext,
        commands: Iterable[Command[Any]],
        *,
        access: Access | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self._access = access or Access()
        self._ledger = Ledger(self._log, audit)
        self._peer = Peer()
        self._commands = {command.name: command for command in commands}
        self._socket = zmq_context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.RCVHWM, 1_000)
        self._socket.setsockopt(zmq.SNDHWM, _SEND_HWM)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_WIRE_BYTES)
        self._pump: SocketPump | None = None
        self._context: Context | None = None
        self._outcomes = Outcomes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: Counter[bytes] = Counter()
        """How many of them are of which connection."""
        self.intake = Intake("control", self._log)

    def bind(self, address: str) -> None:
        """Open the socket for clients."""
        self._socket.bind(address)

    @property
    def socket(self) -> Socket:
        """For another address to be bound."""
        return self._socket

    def serve(self, context: Context) -> None:
        """Begin to answer; commands that came before wait in the socket."""
        self._context = context
        self._pump = SocketPump(self._socket, self._message, batch=_BATCH, first_part=self._receive_first)

    async def close(self) -> None:
        """Cancel what still runs and answer no more."""
        if self._pump is not None:
            self._pump.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hang_up(self) -> None:
        """Close the socket, due a while after ``close``.

        A client loses the answer that it has not read yet when it is cut off (``ZMQ_IMMEDIATE`` drops what is unread
        with the connection), and the answer to ``shutdown`` is always the last.
        """
        self._socket.close()

    def _message(self, parts: list[bytes]) -> None:
        envelope = parts[:-1]
        try:
            check_envelope(envelope)
            sent = parse(parts[-1])
        except NoCommand as refused:
            caller = self._access.caller(self._peer, "")
            self._ledger.malformed(caller, refused.error)
            self.intake.refuse(refused.reason, caller.where, refused.error.message)
            # What is no envelope is answered to who sent it.
            self._send(envelope if len(envelope) <= 2 else envelope[:1], _failed(refused.command_id, refused.error))
            return
        caller = self._access.caller(self._peer, sent.declared)
        command = self._commands.get(sent.cmd)
        try:
            require(caller, sent.cmd, reads=command is None or command.reads)
            if command is None:
                raise UnknownCommand(f"no command {sent.cmd!r}", f"there are {', '.join(sorted(self._commands))}")
        except (Unauthorized, UnknownCommand) as error:
            self._refuse(envelope, sent, caller, error)
            return
        self._take(envelope, _Request(sent, caller, command))

    def _refuse(self, envelope: list[bytes], sent: Incoming, caller: Caller, error: OperatorError) -> None:
        if isinstance(error, Unauthorized):
            self.intake.refusals[error.code] += 1
            self._ledger.refused(caller, sent.id, sent.cmd, sent.args, error)
        else:
            self.intake.refuse(error.code, str(caller), error.message)
            self._ledger.read(caller, sent.id, sent.cmd, sent.args, error.code)
        self._send(envelope, _failed(sent.id, error))

    def _take(self, envelope: list[bytes], request: _Request) -> None:
        """Run it, unless this is not the first time that it was sent."""
        entry = self._outcomes.find(_key(request))
        if entry is None:
            if self._running[envelope[0]] >= _MAX_RUNNING:
                self._busy(envelope, request, f"{_MAX_RUNNING} commands of this client are under way")
                return
            self.intake.accepted += 1
            self._begin(envelope, request)
            return
        if entry.reply is not None:
            self._send_packed(envelope, entry.reply)
        elif entry.long:
            self._send(envelope, _accepted(request.id))
        elif not entry.wait(envelope):
            self._busy(envelope, request, "too many wait for the end of this command")
            return
        self.intake.repeated += 1

    def _busy(self, envelope: list[bytes], request: _Request, why: str) -> None:
        error = Unavailable(why, "try again in a moment")
        self.intake.refuse("busy", str(request.caller), error.message)
        self._ledger.read(request.caller, request.id, request.cmd, request.sent.args, error.code)
        self._send(envelope, _failed(request.id, error))

    def _receive_first(self, flags: int) -> bytes:
        part = self._socket.recv(flags, copy=False)
        self._peer = peer_of(part)
        return part.bytes

    def _begin(self, envelope: list[bytes], request: _Request) -> None:
        entry = Entry(long=request.command.long)
        if not request.command.reads:
            self._outcomes.begin(_key(request), entry)
            self._ledger.begun(request.caller, request.id, request.cmd, request.sent.args)
        if entry.long:
            self._send(envelope, _accepted(request.id))
        else:
            entry.wait(envelope)
        task = asyncio.create_task(self._execute(request, entry))
        self._tasks.add(task)
        self._running[envelope[0]] += 1
        task.add_done_callback(lambda _: self._ended(task, envelope[0]))

    def _ended(self, task: "asyncio.Task[None]", connection: bytes) -> None:
        self._tasks.discard(task)
        self._running[connection] -= 1
        if not self._running[connection]:
            del self._running[connection]

    async def _execute(self, request: _Request, entry: Entry) -> None:
        reply: Body = {"v": PROTOCOL_VERSION, "id": request.id, "ok": True}
        try:
            reply["result"] = await self._run(request)
            packed = pack(reply)
        except OperatorError as error:
            packed = pack(reply := _failed(request.id, error))
        except Exception as error:
            # A defect of ours: the client gets a typed error, the log the traceback.
            self._log(f"defect in command {request.cmd}:\n{traceback.format_exc()}")
            packed = pack(reply := _failed(request.id, InternalError(f"{type(error).__name__}: {error}")))
        note = self._ledger.read if request.command.reads else self._ledger.ended
        note(request.caller, request.id, request.cmd, request.sent.args, _outcome(reply))
        if not request.command.reads:
            self._outcomes.end(_key(request), packed)
        if entry.long and self._context is not None:
            outcome = {key: value for key, value in reply.items() if key != "v"} | {"cmd": request.cmd}
            self._context.broker.publish(COMMAND_FINISHED, outcome)
        for envelope in entry.waiting:
            self._send_packed(envelope, packed)

    async def _run(self, request: _Request) -> Body:
        if self._context is None:
            raise InternalError("a command came in before the daemon was assembled")
        deadline_s = request.sent.deadline_s
        if request.command.reads:
            return await _read(request.command, self._context, request.sent)
        context = self._context.called_by(request.caller.actor or request.caller.where)
        work = asyncio.ensure_future(request.command(context, request.sent.args))
        try:
            # The deadline bounds the answer; what was begun is finished, or a recovery would be left half-way.
            return await asyncio.wait_for(asyncio.shield(work), deadline_s)
        except TimeoutError:
            work.add_done_callback(_swallow)
            raise DeadlineExceeded(
                f"{request.cmd} was not done within {deadline_s:g} s", "it goes on; follow it with: events -f"
            ) from None
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise

    def _send(self, envelope: list[bytes], reply: Body) -> None:
        self._send_packed(envelope, pack(reply))

    def _send_packed(self, envelope: list[bytes], reply: bytes) -> None:
        if self._pump is not None:
            self._pump.send([*envelope, reply])

    def _log(self, line: str) -> None:
        if self._context is not None:
            self._context.log(line)


async def _read(command: Command[Any], context: Context, sent: Incoming) -> Body:
    """Nothing of it needs to be finished, so it needs no task of its own, which took longer than a ``ping``."""
    try:
        async with asyncio.timeout(sent.deadline_s):
            return await command(context, sent.args)
    except TimeoutError:
        raise DeadlineExceeded(f"{sent.cmd} was not done within {sent.deadline_s:g} s") from None


def _key(request: _Request) -> Key:
    return Key(request.caller.key, request.id)


def _failed(command_id: str | None, error: OperatorError) -> Body:
    wire = {
        name: value[:_MAX_TEXT_CHARS] if isinstance(value, str) else value for name, value in error.to_wire().items()
    }
    return {"v": PROTOCOL_VERSION, "id": command_id, "ok": False, "error": wire}


def _accepted(command_id: str) -> Body:
    return {"v": PROTOCOL_VERSION, "id": command_id, "ok": True, "result": {"accepted": True, "id": command_id}}


def _outcome(reply: Body) -> str:
    return OK if reply["ok"] else str(reply["error"]["code"])


def _swallow(task: "asyncio.Future[Body]") -> None:
    if not task.cancelled():
        task.exception()
