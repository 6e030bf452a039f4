"""Who may speak on the ingest line: the workers that this daemon started, each in its present incarnation.

A ROUTER believes the identity that a peer declares, and lets a newcomer take over a name, as it must when a worker is
replaced. So the identity proves what it says: it holds a secret that the daemon made for this run and hands to a worker
when it forks it, and the worker's pid, which the daemon knows from the kernel.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Protocol

from operatord.rpc import worker_identity


class Admission(Protocol):
    """Decides about peers."""

    def name_of(self, identity: bytes) -> str | None:
        """The worker that this peer is; None if it is none of ours, or one that has been replaced."""

    def is_current(self, name: str, pid: int) -> bool:
        """Whether process ``pid`` is what worker ``name`` runs as now."""


class Passes:
    """The admission of a daemon that starts its workers itself; ``pid_of`` tells what a worker runs as now."""

    def __init__(self, pid_of: Callable[[str], int | None]) -> None:
        self.secret = secrets.token_hex(16)
        self._pid_of = pid_of

    def name_of(self, identity: bytes) -> str | None:
        """See ``Admission``."""
        name, _, rest = identity.partition(b"/")
        try:
            pid = self._pid_of(name.decode("ascii"))
        except UnicodeDecodeError:
            return None
        if pid is None or not rest:
            return None
        expected = worker_identity(name.decode("ascii"), self.secret, pid)
        return name.decode("ascii") if hmac.compare_digest(identity, expected) else None

    def is_current(self, name: str, pid: int) -> bool:
        """See ``Admission``."""
        return self._pid_of(name) == pid


class ByName:
    """The admission of a bus without processes of its own, as tests and measurements use it: an identity is a name."""

    def name_of(self, identity: bytes) -> str | None:
        """See ``Admission``."""
        try:
            return identity.decode("ascii") if identity[:1] != b"\0" else None
        except UnicodeDecodeError:
            return None

    def is_current(self, name: str, pid: int) -> bool:
        """See ``Admission``."""
        return bool(name) and pid > 0
