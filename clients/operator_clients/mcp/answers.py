"""What the looking and the changing tools answer: pydantic models around the records of the wire.

The records themselves (``operator_protocol.models``) are used as they are, so a tool's schema is that of
docs/protocol.md. An answer is bounded: an agent pays for each character of it, and many clients cut what is long.
"""

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field

from operator_protocol.errors import BadRequest, InternalError
from operator_protocol.models import (
    Action,
    ActionKind,
    AgentState,
    ChapterState,
    EvidenceItem,
    Fault,
    FaultKind,
    Node,
    Severity,
    Ticket,
    TicketStatus,
    Violation,
    WorkloadSample,
)
from operator_protocol.records import from_body

MAX_BYTES = 48 * 1024
"""Of the JSON of what a list holds; about twelve thousand tokens."""
_EVIDENCE_BYTES = 24 * 1024
_EVIDENCE_CHARS = 600
"""Of one observation: those of logs and of topology can be pages."""
R = TypeVar("R")


class Answer(BaseModel):
    """Base of all of them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    now: float = Field(default_factory=time.time)
    """When this was answered, in seconds since the epoch, as all times whose names end in _at."""


class Cluster(BaseModel):
    """The subject as a whole."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    ok: bool | None
    """null: it could not be told, or nothing was observed yet."""
    reason: str
    """Why it is not ok."""
    nodes_up: int
    nodes_total: int
    observed_at: float


class Process(BaseModel):
    """A supervised process, in short."""

    name: str
    kind: str
    state: str
    restarts: int
    reason: str


class StatusAnswer(Answer):
    """One page of everything."""

    version: str
    """Of the daemon."""
    subject: str
    """What it operates: valkey, tikv."""
    uptime_s: float
    cluster: Cluster
    nodes_not_up: list[Node]
    workload: "WorkloadNow"
    violations: list[Violation]
    """The invariants that do not hold now."""
    tickets_open: int
    """Tickets that are not resolved; operator_tickets lists them."""
    faults: list[Fault]
    """Those that are in force, or still to be undone."""
    actions: list[Action]
    """Those that wait for a decision or for their turn, or run."""
    agent: AgentState
    chapter: ChapterState | None
    """Where the demo's story is."""
    processes_not_ready: list[Process]


class NodesAnswer(Answer):
    """All members of the cluster."""

    cluster: Cluster
    nodes: list[Node]
    left_out: int
    """Nodes that this answer had no room for."""


class DiagnosisInShort(BaseModel):
    """What a diagnosis comes to."""

    summary: str
    component: str
    cause: str
    confidence: float
    source: str


class TicketInShort(BaseModel):
    """A ticket in a list."""

    id: int
    invariant: str
    node: str | None
    severity: Severity
    status: TicketStatus
    message: str
    opened_at: float
    updated_at: float
    resolved_at: float | None
    occurrences: int
    reopened: int
    diagnosis: DiagnosisInShort | None


class TicketsAnswer(Answer):
    """A page of tickets."""

    tickets: list[TicketInShort]
    """Newest first; operator_ticket has all of one."""
    next: int | None
    """Pass it as `before` for the next page; null: there are no more."""


class TicketAnswer(Answer):
    """One ticket."""

    ticket: Ticket
    """With its diagnosis, if it has one."""
    evidence_left_out: int
    """Observations that this answer had no room for; those that the diagnosis cites come first."""
    history: list[str]
    """What was said of the ticket, oldest first; only if it was asked for."""


class WorkloadNow(BaseModel):
    """The load on the cluster."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    running: bool
    rate: float | None
    """Operations per second that it was told to do; null: as many as it can."""
    sample: WorkloadSample | None
    """The last second; `degraded` while it is below `threshold`, which follows from `baseline`."""


class Second(BaseModel):
    """One second of the load."""

    at: float
    ops_per_sec: float
    errors_per_sec: float
    degraded: bool


class WorkloadAnswer(Answer):
    """The load now and in the last seconds."""

    workload: WorkloadNow
    seconds: list[Second]
    """Oldest first."""


class BusEvent(BaseModel):
    """A frame of the bus, told in one line."""

    seq: int
    at: float
    topic: str
    text: str


class EventsAnswer(Answer):
    """What happened."""

    events: list[BusEvent]
    """Oldest first."""
    left_out: int
    """Older ones that match as well."""


class FaultsAnswer(Answer):
    """The fault catalogue."""

    kinds: list[FaultKind]
    """`missing` says what this daemon lacks for a kind; empty: it can be injected."""
    owed: list[Fault]
    """Faults that are in force, or still to be undone."""


class ActionsAnswer(Answer):
    """Actions, and what kinds there are."""

    actions: list[Action]
    """Newest first."""
    kinds: list[ActionKind]
    agent: AgentState
    left_out: int
    """Older ones that this answer had no room for."""


class FaultAnswer(Answer):
    """A fault that is in force."""

    fault: Fault
    """Its `id` is what operator_recover takes."""


class RecoverAnswer(Answer):
    """What was undone."""

    recovered: list[Fault]
    message: str


class ActionAnswer(Answer):
    """What became of an action."""

    action: Action
    over: bool
    """False: it still runs, or waits for its turn."""
    waits_for: str = ""
    """What keeps an approved one from beginning."""


def record(cls: type[R], body: object) -> R:
    """A record of a reply. Raises ``InternalError`` where the daemon speaks of what this version does not know."""
    try:
        return from_body(cls, body if isinstance(body, Mapping) else {})
    except BadRequest as error:
        hint = "operator-mcp and the daemon are of different versions: install the same one on both sides"
        raise InternalError(f"the daemon's answer is not understood: {error.message}", hint) from error


def records(cls: type[R], bodies: object) -> list[R]:
    """The records of an array in a reply."""
    return [record(cls, body) for body in bodies] if isinstance(bodies, list | tuple) else []


def fitting(items: Sequence[R], budget_bytes: int = MAX_BYTES) -> tuple[list[R], int]:
    """As many of the first ``items`` as fit, at least one, and how many were left out."""
    kept: list[R] = []
    for item in items:
        budget_bytes -= len(pydantic_core.to_json(item))
        if budget_bytes < 0 and kept:
            break
        kept.append(item)
    return kept, len(items) - len(kept)


def in_short(ticket: Ticket) -> TicketInShort:
    """``ticket`` as a list shows it."""
    return TicketInShort.model_validate(ticket, from_attributes=True)


def shortened(ticket: Ticket) -> tuple[Ticket, int]:
    """``ticket`` without what a diagnosis says twice, its evidence cut to size; and how many observations went.

    What the diagnosis cites is kept before what it does not.
    """
    diagnosis = ticket.diagnosis
    if diagnosis is None:
        return ticket, 0
    evidence = [dataclasses.replace(item, text=cut(item.text)) for item in diagnosis.evidence]
    by_weight = sorted(evidence, key=lambda item: item.id not in diagnosis.cited)
    kept, left_out = fitting(by_weight, _EVIDENCE_BYTES)
    ids = {item.id for item in kept}
    shorter = dataclasses.replace(diagnosis, markdown="", evidence=_those(evidence, ids))
    return dataclasses.replace(ticket, diagnosis=shorter), left_out


def cut(text: str, chars: int = _EVIDENCE_CHARS) -> str:
    """``text``, or its beginning and how much is missing."""
    return text if len(text) <= chars else f"{text[:chars]}… ({len(text) - chars} characters more)"


def _those(evidence: Iterable[EvidenceItem], ids: set[int]) -> list[EvidenceItem]:
    return [item for item in evidence if item.id in ids]
