"""One connection to one node: commands out, replies in, in order.

Built on asyncio and libvalkey's parser. ``valkey-py``'s cluster client costs several times as much per operation; this
needs 11 microseconds of CPU (measured), which is what lets one process ask for more than the cluster can give.
"""

import asyncio
from collections.abc import Sequence

from libvalkey import ProtocolError, Reader, pack_command

from operatord.ycsb.topology import Address

_READ_BUFFER_BYTES = 65_536


class ConnectionLost(OSError):
    """The node closed the connection, spoke nonsense, or did not answer in time."""


class ErrorReply(Exception):
    """An error that the node answered. ``kind`` is its first word (``MOVED``, ``CLUSTERDOWN``, ``WRONGTYPE``)."""

    @property
    def kind(self) -> str:
        """First word of the error."""
        return str(self).partition(" ")[0]


class Connection(asyncio.BufferedProtocol):
    """Sends one batch of commands at a time and collects its replies."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.deadline = float("inf")
        """Loop time at which what was asked last is given up; whoever keeps the connections watches it."""
        self._buffer = memoryview(bytearray(_READ_BUFFER_BYTES))
        self._reader = Reader(protocolError=ProtocolError, replyError=ErrorReply)
        self._transport: asyncio.Transport | None = None
        self._replies: list[object] = []
        self._expected = 0
        self._waiting: asyncio.Future[list[object]] | None = None

    @property
    def closed(self) -> bool:
        """True once the connection is of no more use."""
        return self._transport is None

    async def ask(self, payload: bytes, replies: int, timeout_s: float) -> list[object]:
        """Send packed commands and return their replies; errors among them are values. Raises ``ConnectionLost``."""
        if self._transport is None:
            raise ConnectionLost(f"{self.address}: not connected")
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        self._expected = replies
        self.deadline = loop.time() + timeout_s
        self._transport.write(payload)
        answered: list[object] = await waiting
        return answered

    def give_up(self, reason: str) -> None:
        """Fail what is being waited for and close: a late reply would be taken for the next one's."""
        transport, self._transport = self._transport, None
        self.deadline = float("inf")
        if transport is not None:
            transport.abort()
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(ConnectionLost(f"{self.address}: {reason}"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_connection makes
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.give_up(str(exc or "closed by the node"))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Called by asyncio."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Called by asyncio: ``nbytes`` have arrived in the buffer."""
        reader = self._reader
        try:
            reader.feed(bytes(self._buffer[:nbytes]))
            while (reply := reader.gets()) is not False:
                self._replies.append(reply)
        except ProtocolError as error:
            self.give_up(f"not the Valkey protocol: {error}")
            return
        if len(self._replies) >= self._expected and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            replies, self._replies = self._replies, []
            self.deadline = float("inf")
            if not waiting.done():
                waiting.set_result(replies)


async def connect(address: Address, timeout_s: float) -> Connection:
    """Connect to a node. Raises ``OSError`` when it refuses or does not answer."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(lambda: Connection(address), address.host, address.port)
    except TimeoutError as error:
        raise ConnectionLost(f"{address}: no connection within {timeout_s:g} s") from error
    return connection


def pack(*words: str | bytes | float) -> bytes:
    """One command, packed."""
    return pack_command(words)


def pack_all(commands: Sequence[bytes]) -> bytes:
    """Commands that were packed, as one write."""
    return b"".join(commands)
