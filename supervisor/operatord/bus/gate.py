"""The way in over TCP: doors for frames and control, who may pass them, and the end of revoked keys.

A revoked key is refused at each new connection, and at each command on a connection that it has. Its subscription
alone would live on: ZeroMQ asks for a key only in the handshake. So all TCP connections of the frames socket are
closed then; those with a key are back, and in step again, within a tenth of a second.
"""

import asyncio
from collections.abc import Callable, Sequence

from operator_protocol.endpoint import tcp_endpoint
from operatord.audit import MAX_KINDS, AuditLog
from operatord.bus.handshakes import FailedHandshake, HandshakeWatch
from operatord.bus.tcp import TcpDoor
from operatord.bus.zap import Attempt, ZapHandler
from operatord.keys import Key, KeyRing, KeyStore
from operatord.zmq_loop import Context, Socket

FRAMES, CONTROL = "frames", "control"
_MAX_STRANGERS = 20
"""Told apart in one minute, or a stranger with a new key each time would soon fill the log of what others did."""
_LOOK_S = 0.25
"""How often the list of keys is looked at when nobody asks."""


class Gate:
    """Lets keys in and puts revoked ones out."""

    def __init__(
        self, context: Context, address: str, store: KeyStore, *, audit: AuditLog, log: Callable[[str], None]
    ) -> None:
        self._endpoint = tcp_endpoint(address)
        self._keys = store.server()
        self._audit = audit
        self._log = log
        self._looking: asyncio.TimerHandle | None = None
        self._doors: list[TcpDoor] = []
        self._watches: list[HandshakeWatch] = []
        self._subscribers: set[str] = set()
        """Keys that were let in to frames since the door was last opened."""
        self.ring = KeyRing(store, on_revoked=self._revoked, on_error=log)
        # Before any door: a socket whose handler is missing refuses everybody.
        self._zap = ZapHandler(context, self._admit)

    def open(self, frames: Socket, control: Socket, *, nudge_frames: Callable[[], None]) -> None:
        """Listen. Raises ``Unavailable`` when one of the two ports is not to be had."""
        self._frames = TcpDoor(frames, self._endpoint.frames, FRAMES, self._keys, nudge=nudge_frames)
        # Nobody reads control yet, and closing its connections is never needed: each command is checked.
        self._doors = [self._frames, TcpDoor(control, self._endpoint.control, CONTROL, self._keys, nudge=_nothing)]
        for door in self._doors:
            self._watches.append(HandshakeWatch(door.socket, door.domain, self._failed))
            door.open()
        self._look()
        self._log(
            f"listening at {self._endpoint.frames} (frames) and {self._endpoint.control} (control), for keys only"
        )

    def close(self) -> None:
        """Stop looking; due while the sockets are still open. Connections live on until those are closed."""
        if self._looking is not None:
            self._looking.cancel()
        for door in self._doors:
            door.close()
        for watch in self._watches:
            watch.close()
        self._watches.clear()

    def shut(self) -> None:
        """Let nobody in any more; due before the context ends."""
        self._zap.close()

    def _look(self) -> None:
        self.ring.refresh()
        self._looking = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _admit(self, attempt: Attempt) -> bool:
        if self.ring.find(attempt.key) is not None:
            if attempt.domain == FRAMES:
                self._subscribers.add(attempt.key)
            return True
        name = self.ring.name_of(attempt.key)
        reason = "the key is revoked" if name else "the key is not known"
        self._denied(attempt.domain, attempt.address, reason, mechanism=attempt.mechanism, key=attempt.key, name=name)
        return False

    def _failed(self, failed: FailedHandshake) -> None:
        self._denied(failed.domain, failed.address, failed.reason)

    def _denied(
        self, domain: str, address: str, reason: str, *, mechanism: str = "", key: str = "", name: str = ""
    ) -> None:
        record = {"event": "denied", "domain": domain, "address": address or None, "mechanism": mechanism or None}
        record |= {"key": key or None, "actor": name or None, "reason": reason}
        kind = ("denied", domain, address, key, reason)
        if self._audit.write_first(kind, record, max_kinds=MAX_KINDS if name else _MAX_STRANGERS):
            who = f"key {name or key}" if key else "a peer without a key"
            self._log(f"refused {who} from {address or 'an address that is gone'} at {domain}: {reason}")

    def _revoked(self, keys: Sequence[Key]) -> None:
        names = ", ".join(key.name for key in keys)
        if self._subscribers.isdisjoint(key.public for key in keys):
            self._log(f"revoked: {names}")
            return
        self._log(f"revoked: {names}; every TCP subscription is closed, those with a key come back")
        self._subscribers.clear()
        self._frames.reopen(self._log)


def _nothing() -> None:
    pass
