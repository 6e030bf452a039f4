"""Who sends a command, and whether that one may.

Over ipc the runtime directory decides who gets in, and the kernel says which process it is; the name is what the
sender declares. Over TCP the connection carries the key that was proved in the handshake, and the list of keys says at
each command what its name is and what it may do.
"""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

import zmq

from operator_protocol.errors import Unauthorized
from operatord.keys import KeyRing

_LOCAL = re.compile(r"[^:]*:(\d+):\d+:(\d+)")
"""How libzmq writes the credentials of an ipc peer: ``host:uid:gid:pid``."""
_PID = re.compile(r"\[\d+\]$")


class Peer(NamedTuple):
    """What ZeroMQ knows of the sender of a message."""

    key: str = ""
    """Public key in Z85; empty over ipc."""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of one command."""

    actor: str
    """The key's name; over ipc what the sender calls itself."""
    rights: Literal["all", "read", "none"]
    where: str
    """Address over TCP; over ipc user and process, as the kernel says."""
    group: str
    """The same for commands of the same origin: the key, or over ipc the user and the name without its pid."""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.actor} (key, {self.where})" if self.key else f"{self.actor} (declared, {self.where})"


class Access:
    """Decides with the list of keys; without one, only who comes over ipc may send anything."""

    def __init__(self, ring: KeyRing | None = None) -> None:
        self._ring = ring

    def caller(self, peer: Peer, declared: str) -> Caller:
        """Who that is, as of now."""
        # The address is the daemon's own word. Over ipc nobody proves a key, but a peer may claim one (ZMTP metadata).
        if local := _LOCAL.fullmatch(peer.address):
            group = f"{local[1]} {_PID.sub('', declared)}"
            return Caller(declared, "all", f"uid {local[1]}, pid {local[2]}", group)
        if not peer.key:
            return Caller(declared, "none", peer.address, peer.address)
        key = self._ring.find(peer.key) if self._ring is not None else None
        if key is None:
            name = self._ring.name_of(peer.key) if self._ring is not None else ""
            return Caller(name, "none", peer.address, peer.key, peer.key)
        return Caller(key.name, "all" if key.role == "control" else "read", peer.address, peer.key, peer.key)


def require(caller: Caller, cmd: str, *, reads: bool) -> None:
    """Raise ``Unauthorized`` unless ``caller`` may send ``cmd``, which only ``reads`` or changes something."""
    if caller.rights == "none":
        raise Unauthorized(f"the key {caller.actor!r} is revoked", "a new one is made with: operatord keys new NAME")
    if caller.rights == "read" and not reads:
        raise Unauthorized(
            f"{cmd} changes something, and {caller.actor!r} is a read key",
            "a control key is made with: operatord keys new NAME --control",
        )


def peer_of(part: zmq.Frame) -> Peer:
    """The sender of the message that ``part`` belongs to."""
    return Peer(_property(part, "User-Id"), _property(part, "Peer-Address"))


def _property(part: zmq.Frame, name: str) -> str:
    try:
        return str(part.get(name))
    except zmq.ZMQError:
        return ""
