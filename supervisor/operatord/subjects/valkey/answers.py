"""What one node answered in one look, before anything is made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from operatord.subjects.base import Member
from operatord.subjects.valkey.host import HostView
from operatord.subjects.valkey.latency import DATA_READS, DATA_WRITES
from operatord.subjects.valkey.procfs import ProcessLife
from operatord.subjects.valkey.views import Peer

Contact = Literal["answered", "refused", "silent", "unreachable"]
"""``silent``: something accepted the connection and says nothing; ``unreachable``: not even that, nor a refusal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One node in one look."""

    member: Member
    contact: Contact
    silent_for_s: float = 0.0
    """Since the first question that it did not answer; without the time in which nobody asked, or listened."""
    answered_ago_s: float | None = None
    """Since its last answer, for a node that does not answer now; None if it never answered who looks."""
    process: ProcessLife | None = None
    """What the kernel says about its process; None when that cannot be seen from here."""
    info: Mapping[str, str] = field(default_factory=dict)
    cluster: Mapping[str, str] = field(default_factory=dict)
    """``CLUSTER INFO``; empty while the node loads its data."""
    view: tuple[Peer, ...] = ()
    """``CLUSTER NODES``; empty while the node loads its data."""
    ops_per_sec: float | None = None
    """Reads and writes of data since the look before; of a replica, the writes it copies. Our own looks do not count,
    as they do in the ``instantaneous_ops_per_sec`` of the server."""
    pings_p99_ms: float | None = None
    commands_p99_ms: float | None = None
    pings_own_p99_ms: float | None = None
    asked_least_ms: float | None = None
    pings_least_ms: float | None = None
    """The quickest of the last few pings: what the line itself takes."""
    pings_median_ms: float | None = None
    pinged: bool = False
    """It answered a ping at the beginning of the look, whatever became of the rest."""
    asked_ms: float | None = None
    """What the questions of this look took, and how many characters their answers have."""
    asked_chars: int = 0
    host: HostView = field(default_factory=HostView)

    @property
    def answered(self) -> bool:
        """True when the node answered in this look."""
        return self.contact == "answered"

    @property
    def myself(self) -> Peer | None:
        """The node's line about itself."""
        return next((peer for peer in self.view if "myself" in peer.flags), None)

    @property
    def loading(self) -> bool:
        """True while the node reads its data from disk or from its primary."""
        return self.info.get("loading") == "1" or self.info.get("async_loading") == "1"

    @property
    def link_up(self) -> bool:
        """For a replica: connected to its primary and in sync."""
        return self.info.get("master_link_status") == "up" and self.info.get("master_sync_in_progress") == "0"

    @property
    def told_role(self) -> str:
        """``primary`` or ``replica`` as the node says itself, empty when it did not answer."""
        return {"master": "primary", "slave": "replica"}.get(self.info.get("role", ""), "")

    def number(self, key: str) -> int:
        """A whole number of ``INFO``; 0 when it is not there."""
        value = self.info.get(key, "")
        return int(value) if value.lstrip("-").isdigit() else 0

    @property
    def offset(self) -> int:
        """Replication offset: of a replica what it has taken in, of a primary what it has sent."""
        return self.number("slave_repl_offset" if self.told_role == "replica" else "master_repl_offset")

    @property
    def reads(self) -> int:
        """Reads of data since the node started."""
        return calls(self.info, DATA_READS)

    @property
    def writes(self) -> int:
        """Writes of data since the node started; a replica counts those of its primary."""
        return calls(self.info, DATA_WRITES)

    @property
    def p99_ms(self) -> float | None:
        """The worse of the two latencies that are known of it (``latency``)."""
        return _worse(self.pings_p99_ms, self.commands_p99_ms)

    @property
    def own_p99_ms(self) -> float | None:
        """The same without the time that pings spent in a queue for a processor."""
        return _worse(self.pings_own_p99_ms, self.commands_p99_ms)


def _worse(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def calls(info: Mapping[str, str], commands: Iterable[str]) -> int:
    """Calls of ``commands`` since the node started (``INFO commandstats``)."""
    return sum(_calls(info.get(f"cmdstat_{command}", "")) for command in commands)


def _calls(stat: str) -> int:
    """``calls=203,usec=…`` to 203."""
    calls = stat.partition(",")[0].removeprefix("calls=")
    return int(calls) if calls.isdigit() else 0
