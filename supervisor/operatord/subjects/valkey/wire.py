"""One connection to one server: pipelined commands with a deadline, replies parsed by libvalkey.

The client that comes with the ``valkey`` package follows redirections, keeps pools and retries: what an application
wants, and what hides the very things an operator must see. This one says plainly which of two things happened to a
node that did not answer: nobody listens (``NodeGone``), or somebody does and is silent (``NodeSilent``).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

from libvalkey import ProtocolError, Reader, ReplyError, pack_command

from operator_protocol.errors import DeadlineExceeded, OperatorError, Unavailable

Reply: TypeAlias = str | int | float | bool | list["Reply"] | ReplyError | None
"""What a server answers. An error reply is a value, because the other replies of the batch stand."""

Command: TypeAlias = tuple[str | int, ...]


class NodeGone(Unavailable):
    """Nobody listens there, or the connection was cut: the process ended or was never there."""


class NodeSilent(DeadlineExceeded):
    """The node did not answer in time. ``connected`` tells whether something accepted the connection."""

    def __init__(self, message: str, *, connected: bool) -> None:
        super().__init__(message)
        self.connected = connected


class CommandRefused(OperatorError):
    """The server answered the command with an error."""


class _Batch:
    __slots__ = ("done", "due", "replies")

    def __init__(self, due: int, done: asyncio.Future[list[Reply]]) -> None:
        self.due = due
        self.done = done
        self.replies: list[Reply] = []


class _Wire(asyncio.Protocol):
    """The transport's side: matches replies to the batches that wait for them, in order."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._reader = Reader(encoding="utf-8", errors="replace")
        self._batches: deque[_Batch] = deque()
        self._lost = False

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self._lost and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection makes for TCP
        self.transport = transport

    def send(self, commands: tuple[Command, ...]) -> asyncio.Future[list[Reply]]:
        done: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        if not self.usable or self.transport is None:
            done.set_exception(ConnectionResetError("the connection is closed"))
            return done
        self._batches.append(_Batch(len(commands), done))
        self.transport.write(b"".join(pack_command(command) for command in commands))
        return done

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while self._batches and (reply := self._reader.gets()) is not False:
                self._deliver(reply)
        except ProtocolError as error:
            self._fail(ConnectionResetError(f"not the Valkey protocol: {error}"))
            self.abort()

    def _deliver(self, reply: Reply) -> None:
        batch = self._batches[0]
        batch.replies.append(reply)
        if len(batch.replies) == batch.due:
            self._batches.popleft()
            if not batch.done.done():
                batch.done.set_result(batch.replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        while self._batches:
            batch = self._batches.popleft()
            if not batch.done.done():
                batch.done.set_exception(error)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class NodeClient:
    """Asks one server; the connection is made when needed, kept, and made anew after it broke."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, *commands: Command, deadline_s: float) -> list[Reply]:
        """Send ``commands`` in one go and return their replies, error replies among them.

        Raises ``NodeGone`` or ``NodeSilent``. A connection that was silent is dropped: after a partition a new one is
        through at once, while the old one waits for its next retransmission.
        """
        wire: _Wire | None = None
        replies: asyncio.Future[list[Reply]] | None = None
        try:
            async with asyncio.timeout(deadline_s):
                wire = await self._connected()
                replies = wire.send(commands)
                return await replies
        except TimeoutError:
            if replies is not None and _came(replies):
                # While we ourselves were busy: it was not the node that was late.
                return replies.result()
            self._drop(wire)
            raise NodeSilent(
                f"{self.name} ({self.host}:{self.port}) did not answer within {deadline_s:.2g} s",
                connected=wire is not None,
            ) from None
        except OSError as error:
            self._drop(wire)
            raise NodeGone(f"{self.name} ({self.host}:{self.port}): {_plain(error)}") from error
        except asyncio.CancelledError:
            self._drop(wire)
            raise

    async def command(self, *command: str | int, deadline_s: float) -> Reply:
        """One command; an error reply is raised as ``CommandRefused``."""
        (reply,) = await self.ask(command, deadline_s=deadline_s)
        if isinstance(reply, ReplyError):
            raise CommandRefused(f"{self.name}: {' '.join(map(str, command))}: {reply}")
        return reply

    def close(self) -> None:
        """Give the connection back."""
        self._drop(self._wire)

    async def _connected(self) -> _Wire:
        async with self._connecting:
            if self._wire is None or not self._wire.usable:
                _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, self.host, self.port)
            return self._wire

    def _drop(self, wire: _Wire | None) -> None:
        if wire is not None:
            wire.abort()
            if self._wire is wire:
                self._wire = None


def _came(replies: asyncio.Future[list[Reply]]) -> bool:
    return replies.done() and not replies.cancelled() and replies.exception() is None


@asynccontextmanager
async def connection(name: str, host: str, port: int) -> AsyncIterator[NodeClient]:
    """A client for a few questions."""
    client = NodeClient(name, host, port)
    try:
        yield client
    finally:
        client.close()


def _plain(error: OSError) -> str:
    """``connection refused`` instead of asyncio's rendering of it."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return error.strerror or str(error) or type(error).__name__


def text(reply: Reply) -> str:
    """The reply as text; empty when it is an error or something else."""
    return reply if isinstance(reply, str) else ""
