"""What travels in frames: the nouns of the whole system, as frozen dataclasses.

Times that end in ``_at`` are wall-clock seconds since the epoch, other times are seconds, sizes bytes, rates per
second. ``records.to_body`` and ``records.from_body`` carry them over the wire; new fields need a default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Scalar = str | int | float | bool | None

SignalState = Literal["up", "down", "unknown"]
NodeState = Literal["up", "degraded", "down", "unknown"]
Severity = Literal["info", "warning", "critical"]
ProcessPhase = Literal["stopped", "starting", "ready", "stopping", "backoff", "failed"]
ProcessKind = Literal["worker", "server", "client", "declared", "internal", "tool"]
TicketStatus = Literal["open", "diagnosing", "diagnosed", "acting", "resolved", "escalated", "held"]
FaultState = Literal["countdown", "injecting", "active", "recovering", "recovered", "failed"]
ActionStatus = Literal["proposed", "approved", "rejected", "expired", "running", "succeeded", "failed"]
Risk = Literal["read", "safe", "disruptive", "destructive"]
Autonomy = Literal["observe", "approve", "execute"]
StepKind = Literal["evidence", "thought", "tool", "result"]
DevOpsStatus = Literal["in_progress", "completed", "failed"]
DevOpsStepStatus = Literal["pending", "running", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class Node:
    """One member of the subject, as last observed."""

    id: str
    role: str
    """``primary``, ``replica``, ``pd`` or ``tikv``."""
    group: str
    """What votes or shares data together: a shard (``shard-0``), ``pd``, ``tikv``."""
    address: str
    state: NodeState
    leader: bool = False
    signals: Mapping[str, SignalState] = field(default_factory=dict)
    """Independent signs of life: ``process`` or ``container``, ``probe``, ``cluster``."""
    detail: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """Body of ``cluster.health``. ``ok`` is None when the observation could not be made, with the ``reason``."""

    subject: str
    ok: bool | None
    reason: str = ""
    nodes: list[Node] = field(default_factory=list)
    observed_at: float = 0.0
    observed_mono: float = 0.0
    """Monotonic clock of the daemon's host when the look began: what it shows is at least that fresh."""


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """Body of ``cluster.event``: something that a server's own log tells about the cluster."""

    node: str
    """Whose log."""
    kind: str
    """``election``, ``leader``, ``unreachable``, ``snapshot``, ``slow_query``, ``disk``, ``fatal``."""
    text: str
    """One line for people."""
    at: float
    """Wall clock of that server, in the line."""
    region: int | None = None
    store: int | None = None
    """The *other* store, where the line names one."""
    held_back: int = 0
    """Events of this node and kind that were not told since the one before this one: there were too many."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold."""

    id: str
    invariant: str
    node: str | None
    severity: Severity
    message: str
    first_seen_at: float
    last_seen_at: float
    value: float | None = None
    threshold: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class InvariantKind:
    """One of the things that must hold."""

    name: str
    severity: Severity
    grace: float
    """Seconds for which a breach is tolerated before it is a violation."""
    runbook: str = ""
    """What a person should do, one or two sentences."""


@dataclass(frozen=True, slots=True)
class InvariantTable:
    """Body of ``cluster.invariants``: what the monitor checks at each look."""

    subject: str
    invariants: list[InvariantKind]


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One numbered observation that a diagnosis may cite."""

    id: int
    kind: str
    """``topology``, ``violation``, ``metric``, ``process``, ``log``, ``ticket``."""
    text: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """A cause that was considered and rejected, and by which evidence."""

    cause: str
    rejected_because: str
    evidence: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A cause that it may be, as long as a diagnosis is preliminary."""

    cause: str
    confidence: float | None = None
    """0 to 1; None for one that nothing rules out and that the evidence does not show yet."""
    waits_for: str = ""
    """What would settle it, or make it surer; empty where nothing more is waited for."""
    evidence: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An action that a diagnosis recommends."""

    kind: str
    target: str
    params: Mapping[str, Scalar] = field(default_factory=dict)
    risk: Risk = "safe"
    expected: str = ""
    verify: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What happened, what speaks for it, what else it could have been and why not."""

    summary: str
    component: str
    cause: str
    explanation: str
    confidence: float
    """0 to 1."""
    source: str
    """``rules`` or the id of the model that answered."""
    timeline: list[str] = field(default_factory=list)
    evidence: list[EvidenceItem] = field(default_factory=list)
    cited: list[int] = field(default_factory=list)
    alternatives: list[Alternative] = field(default_factory=list)
    blast_radius: str = ""
    actions: list[Recommendation] = field(default_factory=list)
    would_change_my_mind: str = ""
    usage: Mapping[str, Scalar] = field(default_factory=dict)
    """What it cost: calls, tokens by kind, ``cost_usd``, ``cost_today_usd``, ``took_s``; empty for rules alone."""
    markdown: str = ""
    remarks: list[str] = field(default_factory=list)
    """What a reader must know about the answer itself: why it is not the model's, which claims cite nothing."""
    preliminary: bool = False
    """A first answer, given at once; the agent looks again when what follows from the onset has shown, too."""
    hypotheses: list[Hypothesis] = field(default_factory=list)
    """Of a preliminary answer: what it may be, the answer first; empty once it stands."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A violation that someone has to look at; deduplicated by invariant and node."""

    id: int
    invariant: str
    node: str | None
    severity: Severity
    status: TicketStatus
    message: str
    opened_at: float
    updated_at: float
    resolved_at: float | None = None
    occurrences: int = 1
    diagnosis: Diagnosis | None = None
    notes: list[str] = field(default_factory=list)
    reopened: int = 0
    """How often it was taken up again after it had been resolved, held or escalated."""
    host: str = ""
    """Of the daemon that opened it, as are ``cluster`` and ``boot``."""
    cluster: str = ""
    boot: str = ""


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """Something that was said of a ticket; its history is all of them, and none is ever changed."""

    number: int
    """Counts those of all tickets of one daemon."""
    at: float
    who: str
    """``operatord``, ``agent``, or who sent the command, as in the audit log."""
    what: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TicketRecord:
    """Everything about one ticket: what an export is made of."""

    ticket: Ticket
    violation: str
    """Id of the violation that it last heard of."""
    history: list[TicketEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Action:
    """Something that changes the subject, with its risk, its decision and its result."""

    id: int
    ticket: int | None
    kind: str
    target: str
    status: ActionStatus
    params: Mapping[str, Scalar] = field(default_factory=dict)
    risk: Risk = "safe"
    reason: str = ""
    proposed_by: str = ""
    decided_by: str = ""
    result: str = ""
    proposed_at: float | None = None
    decided_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    """When it is dropped if nobody decides, or, once approved, if it has not begun."""
    expected: str = ""
    """What should follow."""
    verify_within: float | None = None
    """Seconds from its execution within which the ticket's violation must be over."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault from countdown to verified recovery. ``owed`` is true from the intent until the recovery is verified."""

    id: str
    kind: str
    target: str
    """Node id."""
    state: FaultState
    role: str = ""
    """The target's role when the fault was asked for."""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    owed: bool = False
    requested_at: float | None = None
    injected_at: float | None = None
    recovered_at: float | None = None
    recovered_by: str = ""
    """``undo``, ``observation`` (someone else brought it back), ``sweep`` (a later start), ``rebuild`` (the cluster was
    built anew), or why nothing was left to undo."""
    error: str = ""
    remaining: int | None = None
    """Seconds left, in ``fault.countdown`` only."""


@dataclass(frozen=True, slots=True)
class FaultParam:
    """A parameter of a kind of fault."""

    name: str
    meaning: str
    default: Scalar = None
    """Its type is the type of the parameter; text with ``choices`` is one of those."""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FaultKind:
    """An entry of the fault catalogue."""

    name: str
    description: str
    undone_by: str
    params: list[FaultParam] = field(default_factory=list)
    needs: str = ""
    """What it takes on the host, for people: ``root, nftables and --isolate``."""
    missing: str = ""
    """What of it this daemon lacks, with what to do about it; empty when the fault can be injected."""
    outage: bool = False
    """While it holds, the target serves no client, which a load has to notice."""


@dataclass(frozen=True, slots=True)
class FaultAnswer:
    """What would be answered now to a fault on one node: it is allowed, or why it is not."""

    target: str
    allowed: bool
    reason: str = ""
    """Why not."""
    hint: str = ""
    """What to do about that."""


@dataclass(frozen=True, slots=True)
class ActionKind:
    """An entry of the catalogue of actions."""

    name: str
    description: str
    risk: Risk
    params: list[FaultParam] = field(default_factory=list)
    verify_within: float = 60.0
    """Seconds from its execution within which the violation that it is for must be over."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """Whether the agent may act, and how far."""

    on: bool
    autonomy: Autonomy
    execute_up_to: Risk
    """The highest risk that is run without asking, under ``execute``."""
    off_reason: str = ""
    """Who switched it off, and why; empty while it is on."""
    approval_expires: float = 300.0
    """Seconds."""
    actions_per_minute: int = 6
    cooldown: float = 30.0
    """Seconds on one target from the end of an action to the next."""


STOPPED_BY_COMMAND = "stopped by command"
"""The reason of a process that is down because somebody asked for it: ``operatorctl stop``, or a client's ``stop``."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One supervised process."""

    name: str
    state: ProcessPhase
    kind: ProcessKind = "worker"
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    signal: int | None = None
    """Number of the signal that ended it."""
    next_start_in: float | None = None
    """Seconds until the next try, in ``backoff`` only."""
    cpu_percent: float | None = None
    rss: int | None = None
    since_at: float = 0.0
    """When this state began."""
    reason: str = ""
    """Why it is in this state; in ``failed`` also why it is not started again."""
    descriptors: int | None = None
    """Open file descriptors; None where they may not be counted."""
    threads: int | None = None
    last_lines: list[str] = field(default_factory=list)
    """The last it printed before it died, oldest first; in ``backoff`` and ``failed`` only."""

    @property
    def stopped_by_command(self) -> bool:
        """It was stopped on purpose, and is to stay so until somebody starts it."""
        return self.state in ("stopping", "stopped") and self.reason == STOPPED_BY_COMMAND

    @property
    def gone(self) -> bool:
        """It did the work of a fault and has ended: there is nothing to start again, so it is no longer listed."""
        return self.kind == "tool" and self.state in ("stopped", "failed")


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Latency of one operation type over one sample, in milliseconds; None where the source has no figure."""

    count: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class WorkloadSample:
    """Body of ``workload.sample``: one status line of the load, seen through the tracker."""

    ops_per_sec: float
    """Successful operations only."""
    errors_per_sec: float
    degraded: bool
    elapsed: float
    """Seconds since the load began."""
    operations: int
    """Successful operations since the load began."""
    baseline: float | None = None
    """Mean of the first five samples after warm-up; None until there are five."""
    threshold: float | None = None
    """Below this the load counts as degraded; baseline times the degradation threshold."""
    errors: int = 0
    latency: Mapping[str, LatencySummary] = field(default_factory=dict)
    sampled_at: float = 0.0


@dataclass(frozen=True, slots=True)
class AgentStep:
    """One step of the agent, as it happens."""

    ticket: int
    kind: StepKind
    text: str


@dataclass(frozen=True, slots=True)
class TicketDiagnosis:
    """Body of ``agent.diagnosis``."""

    ticket: int
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class ChapterState:
    """Body of ``demo.chapter``: where the story is."""

    index: int
    total: int
    title: str
    narration: str
    key_hint: str = ""
    busy: bool = False
    """True while the chapter blocks the way on (a countdown, a recovery)."""
    expectation_met: bool | None = None
    """None when the chapter expects nothing, else whether it has come true."""
    entered_at: float = 0.0
    overdue: bool = False
    """True when what the chapter expects has not come true within its time; ``narration`` says the way back."""
    notes: str = ""
    """For the presenter, not for the audience."""
    next_title: str = ""
    """Of the chapter that follows; empty in the last one."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Body of ``heartbeat``, once a second."""

    seq: int
    """The sequence number of this frame itself."""
    topics: Mapping[str, int]
    """Last ``topic_seq`` of each topic that moved since the last heartbeat."""
    uptime: float
    subscribers: int
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessagePayload:
    """What a coordination message says."""

    subject: str
    description: str
    """Of ``DEVOPS_*`` a JSON object, of all others anything."""


@dataclass(frozen=True, slots=True)
class CoordinationMessage:
    """Body of ``coordination.message``: what people, scripts and agents who work on the same thing tell each other."""

    id: str
    """``msg-`` and eight hexadecimal digits."""
    type: str
    """One of ``coordination.MESSAGE_TYPES``; a newer daemon may have more."""
    sender: str = field(metadata={"wire": "from"})
    recipient: str = field(metadata={"wire": "to"})
    """``all`` for everybody."""
    timestamp: float
    """Wall clock of the daemon when it took the message."""
    payload: MessagePayload
    requires_ack: bool = True
    acknowledged: bool = False
    ack_by: str | None = None
    ack_timestamp: float | None = None
    """Wall clock."""
    ack_comment: str | None = None


@dataclass(frozen=True, slots=True)
class Expiry:
    """Body of ``coordination.expired``: messages and activities that were forgotten."""

    before: float
    """Wall clock: those of which nothing was heard since."""


@dataclass(frozen=True, slots=True)
class DevOpsStep:
    """One step of an operation."""

    name: str
    status: DevOpsStepStatus = "pending"
    started_at: float | None = None
    """None also of one that was never told to run, only that it is done."""
    completed_at: float | None = None
    """When it was completed or failed."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class DevOpsActivity:
    """Body of ``devops.activity``: an operation on the platform, as the ``DEVOPS_*`` messages of its id tell it."""

    id: str
    operation: str
    status: DevOpsStatus
    started_at: float
    updated_at: float
    """When the last message of it came; 24 hours later it is forgotten."""
    completed_at: float | None = None
    """When it was completed or failed."""
    steps: list[DevOpsStep] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody who takes part in the coordination."""

    role: str
    registered_at: float
    last_heartbeat: float
    """Wall clock."""
    worktree_path: str | None = None
    session_id: str | None = None
    stale: bool = False
    """Nothing was heard for 300 s."""
