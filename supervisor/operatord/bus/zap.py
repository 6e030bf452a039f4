"""Who may connect over TCP: the handler that ZeroMQ asks during each handshake (ZAP, ZeroMQ RFC 27).

ZeroMQ sends ``version, request id, domain, address, identity, mechanism, credentials...`` to a fixed address within
the context and waits with the handshake until it is answered. What we answer as the user id (the client's public key)
is then attached to every message of that connection.
"""

from collections.abc import Callable
from dataclasses import dataclass

import zmq
from zmq.utils import z85

from operatord.zmq_loop import Context, SocketPump

_ADDRESS = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_CURVE = "CURVE"
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Attempt:
    """One peer in its handshake."""

    domain: str
    address: str
    mechanism: str
    key: str
    """Public key in Z85 that it has proved to hold; empty under another mechanism than CURVE."""


class ZapHandler:
    """Answers with what ``admit`` says: True to let the peer in."""

    def __init__(self, context: Context, admit: Callable[[Attempt], bool]) -> None:
        self._admit = admit
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(_ADDRESS)
        self._pump = SocketPump(self._socket, self._asked)

    def close(self) -> None:
        """From now on nobody is let in any more."""
        self._pump.close()
        self._socket.close()

    def _asked(self, parts: list[bytes]) -> None:
        # Only ZeroMQ itself can reach this address.
        envelope, (version, request_id, domain, address, _identity, mechanism, *credentials) = parts[:2], parts[2:]
        attempt = Attempt(_text(domain), _text(address), _text(mechanism), _key(mechanism, credentials))
        if version == _VERSION and attempt.key and self._admit(attempt):
            answer = [b"200", b"OK", attempt.key.encode(), b""]
        else:
            answer = [b"400", b"this key is not known here", b"", b""]
        self._pump.send([*envelope, _VERSION, request_id, *answer])


def _key(mechanism: bytes, credentials: list[bytes]) -> str:
    if mechanism != _CURVE.encode() or len(credentials) != 1 or len(credentials[0]) != 32:
        return ""
    return z85.encode(credentials[0]).decode()


def _text(data: bytes) -> str:
    return data[:_MAX_TEXT].decode("utf-8", "replace")
