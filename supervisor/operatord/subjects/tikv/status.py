"""Whether one server answers for itself: the status port of a store, the local ``/ping`` of a PD, a data port.

One connection is kept and asked again. What was asked and not answered is not asked anew: a frozen server has a short
queue of connections, and a monitor that opened another one twice a second would fill it in a minute and then take the
silence for a network that is cut. Written on bare connections: a thousand of these are asked in one look.
"""

import asyncio
import contextlib
import ssl
from typing import Literal

from operatord.clock import Clock

Contact = Literal["answered", "refused", "silent", "unreachable", "unasked"]
"""``refused`` is the word of a kernel, or of a proxy that cannot reach it: nobody listens there. ``silent`` accepts
connections and does not answer. ``unreachable`` does neither: it may be the server, or the way to it."""

STATUS = "/status"
PING = "/pd/api/v1/ping"
OWN_WORD = "PD-Allow-follower-handle"
"""A header: answer yourself. There are PDs (before 8.5) that forward even this question to the one that leads; while
that one is frozen, all of them would seem to be."""
# The preface of HTTP/2 (RFC 9113, 3.4) and an empty SETTINGS frame; a gRPC server sends its own SETTINGS at once.
GRPC_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


def http_question(host: str, path: str) -> bytes:
    """A request whose answer says that the server lives."""
    own_word = f"{OWN_WORD}: true\r\n" if path == PING else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{own_word}\r\n".encode("ascii", "replace")


class Pulse:
    """One server. ``question`` is sent, and any answer to it counts, whatever it says."""

    def __init__(
        self,
        host: str,
        port: int,
        question: bytes,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        keep: bool = True,
    ) -> None:
        self.host, self.port = host, port
        self._question = question
        self._clock = clock
        self._tls = tls
        self._keep = keep
        self._line: _Line | None = None
        self._asked_at = clock()
        self.contact: Contact = "unasked"
        self.answered_at: float | None = None
        """When it answered last, on the clock; None if it never did."""
        self._answers_since = clock()

    @property
    def silent_for_s(self) -> float:
        """Seconds since the question that it has not answered; 0 when there is none."""
        return 0.0 if self.contact in ("answered", "unasked") else self._clock() - self._asked_at

    @property
    def answering_for_s(self) -> float:
        """Seconds for which it has answered each time; 0 while it does not."""
        return self._clock() - self._answers_since if self.contact == "answered" else 0.0

    @property
    def waits(self) -> bool:
        """Whether an answer to a former question is still awaited."""
        return self.contact == "silent"

    async def beat(self, deadline_s: float) -> Contact:
        """Ask, and wait up to ``deadline_s``; returns how it went, which is kept in ``contact``."""
        before = self.contact
        if before in ("answered", "unasked"):
            self._asked_at = self._clock()
        try:
            async with asyncio.timeout(deadline_s):
                self.contact = await self._beat()
        except TimeoutError:
            if self._line is None:
                self.contact = "unreachable"
            else:
                # The answer may have come while we ourselves were busy.
                self.contact = self._answered() if self._line.take_answer() else "silent"
        if self.contact == "answered":
            self.answered_at = self._clock()
            self._answers_since = self._answers_since if before == "answered" else self.answered_at
        return self.contact

    async def _beat(self) -> Contact:
        if self._line is not None:
            answered = await self._line.ask(self._question)
            if answered:
                return self._answered()
            # A kept connection that breaks says that a server ended, not whether another one took its place.
            self.close()
        line = _Line()
        try:
            await asyncio.get_running_loop().create_connection(lambda: line, self.host, self.port)
        except ConnectionRefusedError:
            return "refused"
        except (OSError, ValueError, OverflowError):  # no such name or port, or none that could be
            return "unreachable"
        # From here on it is known to accept: whoever gives up waiting finds it silent, not out of reach.
        self._line = line
        if self._tls is not None:
            line.encrypt(self._tls, self.host)
        if await line.ask(self._question):
            return self._answered()
        self.close()
        return "refused"

    def _answered(self) -> Contact:
        if self._line is not None and (not self._keep or self._line.spent):
            self.close()
        return "answered"

    def close(self) -> None:
        """Give the connection back."""
        if self._line is not None:
            self._line.close()
            self._line = None


class _Line(asyncio.Protocol):
    """A connection on which one question at a time is asked."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[asyncio.Transport | None] | None = None
        self._answer: asyncio.Future[bool] | None = None
        self._received = b""
        self._introduced = False
        """TLS stands, and nothing was said over it yet."""
        self.spent = False
        """Whether no further question can be asked here."""

    def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Begin to speak TLS, before the first question."""
        if self._transport is not None:
            loop = asyncio.get_running_loop()
            self._handshake = loop.create_task(
                loop.start_tls(self._transport, self, tls, server_hostname=host, ssl_handshake_timeout=_HANDSHAKE_S)
            )

    async def _encrypted(self, handshake: "asyncio.Task[asyncio.Transport | None]") -> bool:
        """Whether TLS stands. If not, ``spent`` is true of a server that speaks it, but not with us."""
        await asyncio.wait((handshake,))
        self._handshake = None
        self.spent = isinstance(handshake.exception(), ssl.SSLError)
        self._transport = None if handshake.exception() else handshake.result()
        self._introduced = self._transport is not None
        return self._introduced

    async def ask(self, question: bytes) -> bool:
        """True when an answer came, False when the connection is gone. Cancelled, it goes on where it was left."""
        if self._handshake is not None and not await self._encrypted(self._handshake):
            return self.spent
        if self._answer is None:
            if self._transport is None or self._transport.is_closing():
                return self._introduced
            self._answer = asyncio.get_running_loop().create_future()
            self._received = b""
            self._transport.write(question)
        await asyncio.wait((self._answer,))
        return self.take_answer()

    def take_answer(self) -> bool:
        """Whether an answer came to the question that was asked; then another one may be asked."""
        if self._answer is None or not self._answer.done():
            return False
        answered = self._answer.result()
        self._answer = None
        return answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._introduced = False
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1."):
            self.spent = True  # no HTTP of this kind, but somebody speaks
        elif end:
            length = _length(head)
            self.spent = length is None or b"connection: close" in head.lower()
            if length is not None and len(body) < length:
                return
        elif len(self._received) < _LONGEST_HEAD:
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self.spent = True
        if self._answer is not None and not self._answer.done():
            # TLS 1.3: a server that refuses our certificate, or the want of one, says so after the handshake, which
            # only a server that lives can have held. Its word may be lost: it closes with our question unread.
            self._answer.set_result(self._introduced)

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed already
            if self._handshake is not None:
                self._handshake.cancel()
            if self._transport is not None:
                self._transport.abort()


_LONGEST_HEAD = 16_384
_HANDSHAKE_S = 300.0
"""Of a server that is frozen; it is not to be dropped, since the next attempt would queue behind it."""


def _length(head: bytes) -> int | None:
    """Content-Length, None where there is none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None
