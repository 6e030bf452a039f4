"""Findings: numbered evidence together with the fact that each item states.

Rules see facts only through findings. Take an item away and the fact is gone with it: what a diagnosis does not cite
it cannot have used.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from operator_protocol.codec import Body
from operator_protocol.models import EvidenceItem, Scalar, Ticket
from operator_protocol.records import to_body
from operatord.workers.agent.redaction import without_secrets

EvidenceKind = Literal["topology", "violation", "metric", "process", "log", "ticket"]

Fact = Literal[
    "violation",
    "violation_ended",
    "member",
    "bystanders_up",
    "bystanders_down",
    "node_down",
    "node_returned",
    "node_up",
    "node_unknown",
    "isolated",
    "group_lost",
    "group_member_up",
    "failover",
    "new_identity",
    "all_clear",
    "process_ended",
    "process_started",
    "process_lives",
    "stopped_by_command",
    "kernel_state",
    "log_shutdown",
    "log_crash",
    "log_memory",
    "log_silent",
    "log_peers_noticed",
    "log_election",
    "log_other",
    "load_dipped",
    "load_steady",
    "load_absent",
    "memory_low",
    "figure",
    "earlier_ticket",
    "subject",
    "quorum_lost",
    "leaderless",
    "leaders_moved",
    "evicting",
    "disk_short",
    "log_disk",
    "clients_unserved",
    "oom_killed",
    "looked_up",
    "cpu_waiting",
    "cpu_free",
    "stop_and_go",
    "never_stopped",
    "line_late",
    "line_narrow",
    "line_lossy",
    "line_clean",
    "line_dead",
    "line_strained",
    "small_answers",
    "quick_pings",
    "host_pressed",
    "headroom_gone",
    "disk_grown",
    "handed_over",
]

MAX_TEXT_CHARS = 600
MAX_ITEMS = 80
MAX_TEXT_BYTES = 32 << 10
"""Of all items together. What comes later is left out, and counted: the first items are the weightiest."""
MAX_LOOKED_UP = 120
MAX_LOOKED_UP_BYTES = 32 << 10
"""What an investigation may add to them."""
_UNPRINTABLE = re.compile(r"[^\S ]+|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One item of evidence."""

    id: int
    kind: EvidenceKind
    fact: Fact
    text: str
    node: str | None = None
    group: str | None = None
    at: float | None = None
    """When it happened, wall clock, seconds; None for what has no moment."""
    data: Mapping[str, Scalar] = field(default_factory=dict)

    def item(self) -> EvidenceItem:
        """As it stands in the diagnosis."""
        return EvidenceItem(self.id, self.kind, self.text)


@dataclass(frozen=True, slots=True)
class Focus:
    """What the trouble is about: found in the dossier before anything is weighed."""

    node: str | None
    group: str | None
    """What ``node`` votes or shares data with."""
    role: str
    """The role of ``node`` before the onset."""
    peers: tuple[str, ...] = ()
    """The other nodes of the group."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The evidence of one ticket."""

    subject: str
    ticket: Ticket
    focus: Focus
    onset_at: float
    findings: tuple[Finding, ...]
    omitted: int = 0
    """Items that were too many."""

    def items(self) -> list[EvidenceItem]:
        """As they stand in the diagnosis."""
        return [one.item() for one in self.findings]

    def looked_up(self, kind: EvidenceKind, texts: Sequence[str], node: str | None = None) -> "Bundle":
        """With further items at its end, as many as there is room for."""
        known = [one for one in self.findings if one.fact == "looked_up"]
        room = MAX_LOOKED_UP_BYTES - sum(_weight(one.text) for one in known)
        count, added = len(known), []
        fit = (one_line(without_secrets(text)) for text in texts)
        for number, text in enumerate(fit, start=max(self.ids(), default=0) + 1):
            room -= _weight(text)
            if room < 0 or count >= MAX_LOOKED_UP:
                break
            count += 1
            added.append(Finding(number, kind, "looked_up", text, node))
        left_out = len(texts) - len(added)
        return replace(self, findings=(*self.findings, *added), omitted=self.omitted + left_out)

    def export(self) -> Body:
        """The whole of it, as it is kept with the ticket; ``operator_protocol.records.from_body`` reads it back."""
        return to_body(self)

    def of(self, fact: Fact, node: str | None = None) -> list[Finding]:
        """The findings that state ``fact`` (about ``node``, if one is named), in order."""
        return [one for one in self.findings if one.fact == fact and (node is None or one.node == node)]

    def about(self, fact: Fact) -> list[Finding]:
        """The findings that state ``fact`` about the node in focus."""
        return self.of(fact, self.focus.node) if self.focus.node is not None else []

    def without(self, ids: Collection[int]) -> "Bundle":
        """The same bundle with items taken away; the numbers of the others stay."""
        return replace(self, findings=tuple(one for one in self.findings if one.id not in ids))

    def ids(self) -> frozenset[int]:
        """The numbers that may be cited."""
        return frozenset(one.id for one in self.findings)

    def moment(self, at: float) -> str:
        """``at`` relative to the onset: ``T+1.6 s``."""
        return moment(at, self.onset_at)


class Pad:
    """Where findings are written down and numbered."""

    def __init__(self, onset_at: float) -> None:
        self.onset_at = onset_at
        self.findings: list[Finding] = []
        self.omitted = 0
        self._room = MAX_TEXT_BYTES

    def add(
        self,
        kind: EvidenceKind,
        fact: Fact,
        text: str,
        *,
        node: str | None = None,
        group: str | None = None,
        at: float | None = None,
        data: Mapping[str, Scalar] | None = None,
    ) -> None:
        """Number one finding, if there is room for it."""
        text = one_line(without_secrets(text))
        if len(self.findings) >= MAX_ITEMS or _weight(text) > self._room:
            self.omitted += 1
            return
        self._room -= _weight(text)
        number = len(self.findings) + 1
        self.findings.append(Finding(number, kind, fact, text, node, group, at, dict(data or {})))

    def moment(self, at: float) -> str:
        """``at`` relative to the onset: ``T+1.6 s``."""
        return moment(at, self.onset_at)


def moment(at: float, onset_at: float) -> str:
    """A time relative to the onset, to a tenth of a second: ``T+1.6 s``, ``T-12.0 s``."""
    return f"T{round(at - onset_at, 1) + 0.0:+.1f} s"


def _weight(text: str) -> int:
    return len(text.encode(errors="replace"))


def one_line(text: str, most: int = MAX_TEXT_CHARS) -> str:
    """``text`` on one line, without what a terminal would obey, cut to ``most`` characters."""
    clean = _UNPRINTABLE.sub(" ", text).strip()
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
