"""A TCP address of a socket that serves plain ipc as well.

ZeroMQ takes over a socket's options at each ``bind``: what is bound before the CURVE options are set stays plain, what
is bound after them is encrypted and asks the ZAP handler.
"""

import asyncio
import os
from collections.abc import Callable

import zmq

from operator_protocol.codec import MAX_MESSAGE_BYTES
from operator_protocol.errors import Unavailable
from operatord.keys import ServerKeys
from operatord.zmq_loop import Socket

_HANDSHAKE_MS = 5_000
"""A connection that has not proved its key by then is closed."""
_MAX_WIRE_BYTES = MAX_MESSAGE_BYTES + (64 << 10)
"""A peer that sends more than this in one part is cut off, and so is one that has not shown a key yet: without a limit
each stranger could have us hold as much as a client on ipc may send."""
_KEEPALIVE_IDLE_S = 30
_KEEPALIVE_INTERVAL_S = 10
_KEEPALIVE_COUNT = 3
_AGAIN_S = 0.002
_LATER_S = 0.1
_SAY_AFTER_S = 1.0
_TAKEN = "is the port taken? set another one in the configuration: [listen] tcp"


class TcpDoor:
    """Opens the address for clients with keys; ``reopen`` puts all of them out, and those with a key come back."""

    def __init__(
        self, socket: Socket, address: str, domain: str, keys: ServerKeys, *, nudge: Callable[[], None]
    ) -> None:
        self.socket = socket
        self.address = address
        self.domain = domain
        self._keys = keys
        self._nudge = nudge
        self._bound = ""
        self._opening: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Set the options and bind. Raises ``Unavailable`` when the address is not to be had."""
        socket = self.socket
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._keys.secret.encode())
        socket.setsockopt(zmq.ZAP_DOMAIN, self.domain.encode())
        # Without a handler (we are stopping) nobody is let in, instead of everybody.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        if not 0 <= int(socket.getsockopt(zmq.MAXMSGSIZE)) <= _MAX_WIRE_BYTES:
            socket.setsockopt(zmq.MAXMSGSIZE, _MAX_WIRE_BYTES)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _KEEPALIVE_IDLE_S)
        socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, _KEEPALIVE_INTERVAL_S)
        socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, _KEEPALIVE_COUNT)
        if "[" in self.address:
            socket.setsockopt(zmq.IPV6, 1)
        try:
            self._bind()
        except zmq.ZMQError as error:
            raise Unavailable(
                f"cannot listen at {self.address} ({self.domain}): {os.strerror(error.errno or 0)}", _TAKEN
            ) from error

    def reopen(self, on_error: Callable[[str], None]) -> None:
        """Close every connection and listen again; ``on_error`` is told if that takes longer than a moment."""
        if not self._bound:
            return
        self.socket.unbind(self._bound)
        self._bound = ""
        self._again(asyncio.get_running_loop().time() + _SAY_AFTER_S, on_error)

    def close(self) -> None:
        """Reopen no more; the socket is closed by its owner."""
        self._bound = ""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None

    def _again(self, say_at: float, on_error: Callable[[str], None]) -> None:
        # ZeroMQ's own thread closes the old listener in its own time, most often within a millisecond.
        loop = asyncio.get_running_loop()
        self._opening = None
        try:
            self._bind()
        except zmq.ZMQError as error:
            if loop.time() >= say_at:
                on_error(f"cannot listen at {self.address} again: {os.strerror(error.errno or 0)}; trying on")
                say_at = float("inf")
            wait_s = _AGAIN_S if loop.time() < say_at < float("inf") else _LATER_S
            self._opening = loop.call_later(wait_s, self._again, say_at, on_error)

    def _bind(self) -> None:
        try:
            self.socket.bind(self.address)
            self._bound = bytes(self.socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()
        finally:
            # Commands of ZeroMQ's thread were taken in meanwhile, and with them the edge of the descriptor.
            self._nudge()
