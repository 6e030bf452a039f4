"""Peers that fail before they have shown a key: another mechanism than CURVE, or the wrong idea of who we are.

The ZAP handler never hears of these; only the socket's monitor does. Its events do not name the peer, so its address
is looked up when it is accepted, by descriptor, and is missing if the peer was quicker to leave than we to look.
"""

import os
import socket as sockets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import zmq

from operatord.zmq_loop import Socket, SocketPump

_REASONS: Final[dict[int, str]] = {
    0x1100_0001: "it does not have this daemon's public key",
    0x1100_0002: "it speaks another mechanism than CURVE: it has no key",
}
"""``ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC`` and ``..._MECHANISM_MISMATCH`` (zmq_socket_monitor(3))."""
_ACCEPTED = int(zmq.EVENT_ACCEPTED)
_PROTOCOL = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
_NO_DETAIL = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
_DISCONNECTED = int(zmq.EVENT_DISCONNECTED)
_MAX_PEERS = 10_000


@dataclass(frozen=True, slots=True)
class FailedHandshake:
    """One peer that did not get as far as a key."""

    domain: str
    address: str
    """Empty if it had gone before we could look."""
    reason: str


class HandshakeWatch:
    """Watches one socket; ``on_failed`` is told of each failure on TCP."""

    def __init__(self, socket: Socket, domain: str, on_failed: Callable[[FailedHandshake], None]) -> None:
        self._socket = socket
        self._domain = domain
        self._on_failed = on_failed
        self._addresses: dict[int, str] = {}
        self._failure = ""
        wanted = _ACCEPTED | _PROTOCOL | _NO_DETAIL | _DISCONNECTED
        self._monitor: Socket = socket.get_monitor_socket(wanted)
        self._pump = SocketPump(self._monitor, self._event)

    def close(self) -> None:
        """Due while the socket is still open."""
        self._pump.close()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)

    def _event(self, parts: list[bytes]) -> None:
        if not parts[1].startswith(b"tcp://"):
            return
        event = int.from_bytes(parts[0][:2], sys.byteorder)
        value = int.from_bytes(parts[0][2:6], sys.byteorder)
        if event == _ACCEPTED:
            if len(self._addresses) < _MAX_PEERS:
                self._addresses[value] = _peer_of(value)
        elif event == _PROTOCOL:
            self._failure = _REASONS.get(value, f"its handshake is malformed ({value:#x})")
        elif event == _NO_DETAIL:
            self._failure = "it left during the handshake; most often it has no key, or is no ZeroMQ peer"
        elif event == _DISCONNECTED:
            # A failure is followed by the end of the same connection, with nothing of ZeroMQ's one thread between.
            address = self._addresses.pop(value, "")
            if self._failure:
                failure, self._failure = self._failure, ""
                self._on_failed(FailedHandshake(self._domain, address, failure))


def _peer_of(fd: int) -> str:
    try:
        with sockets.socket(fileno=os.dup(fd)) as peer:
            name = peer.getpeername()
    except OSError:
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""
