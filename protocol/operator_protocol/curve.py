"""The client's end of an encrypted TCP connection: the options of the socket, and noticing that the key is refused.

A daemon that does not know a key says so once, during the handshake, and ZeroMQ then gives the connection up without a
word to the application: it would wait for ever. Only the socket's monitor tells.
"""

import sys
from typing import Any

import zmq

from operator_protocol.endpoint import Endpoint
from operator_protocol.errors import DaemonUnreachable
from operator_protocol.keyfile import CurveKeys

_HEARTBEAT_MS = 2_000
_SILENCE_MS = 6_000
"""A daemon whose host vanished without a word is given up after this long, and connected to again."""


def secure(socket: "zmq.Socket[bytes]", keys: CurveKeys, address: str) -> None:
    """Set what a socket needs before it connects to ``address``."""
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public.encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret.encode())
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
    if "[" in address:
        socket.setsockopt(zmq.IPV6, 1)


class Refusal:
    """Watches one socket, from before it connects, for a daemon that refuses its key."""

    def __init__(self, socket: "zmq.Socket[bytes]", endpoint: Endpoint) -> None:
        self._socket = socket
        self._endpoint = endpoint
        self._monitor: zmq.Socket[Any] = socket.get_monitor_socket(int(zmq.EVENT_HANDSHAKE_FAILED_AUTH))
        self.seen = False

    def look(self) -> bool:
        """True once the key was refused."""
        while not self.seen:
            try:
                event = self._monitor.recv_multipart(zmq.DONTWAIT)[0]
            except zmq.Again:
                break
            self.seen = int.from_bytes(event[:2], sys.byteorder) == zmq.EVENT_HANDSHAKE_FAILED_AUTH
        return self.seen

    def wait(self, events: int, timeout_ms: int) -> bool:
        """Poll the socket for ``events``. Raises ``DaemonUnreachable`` if the key is refused meanwhile."""
        poller = zmq.Poller()
        poller.register(self._socket, events)
        poller.register(self._monitor, zmq.POLLIN)
        ready = dict(poller.poll(timeout_ms))
        if self.look():
            raise self.error()
        return self._socket in ready

    def error(self) -> DaemonUnreachable:
        """What to tell a person."""
        return refused(self._endpoint)

    def close(self) -> None:
        """Due before the socket's context can end."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)


def refused(endpoint: Endpoint) -> DaemonUnreachable:
    """The error for a key that the daemon does not know, or does not know any more."""
    name = endpoint.curve.name if endpoint.curve else ""
    return DaemonUnreachable(
        f"the daemon at {endpoint.label} refuses the key {name!r}",
        "it is unknown there, or revoked; on that host: operatord keys list",
    )
