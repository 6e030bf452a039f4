"""The contract between the daemon, its workers and a subject.

A subject has two halves built from one ``SubjectSpec``: ``SubjectControl`` lives in the daemon and changes things,
``SubjectProbe`` lives in workers and looks. An ``Observation`` is what one look yields; an ``Invariant`` turns
observations into breaches. A node that does not answer is part of an observation, not an exception; an observation
that could not be made at all has ``ok`` None, and closes nothing. It opens nothing either, save what is judged on the
very blindness (``Invariant.on_unknown``).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from operator_protocol.models import Action, ActionKind, EvidenceItem, Fault, FaultKind, Node, Scalar, Severity


@dataclass(frozen=True, slots=True)
class Member:
    """One server of the subject: where it listens and what its process is called."""

    id: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SubjectSpec:
    """Everything that both halves must agree on; travels to workers as a map (``records.to_body``)."""

    name: str
    members: list[Member]
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Thresholds and grace periods by name, from the configuration."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the subject."""

    subject: str
    ok: bool | None
    """True healthy, False not, None could not be told."""
    reason: str
    nodes: list[Node]
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Figures of the whole, by name (``slots_covered``); those of a node are in its ``detail``."""
    observed_at: float = 0.0
    """Wall clock, seconds."""
    observed_mono: float = 0.0
    """Monotonic clock of this machine at the *start* of the look, seconds: what it shows is at least that fresh."""

    def node(self, node_id: str) -> Node | None:
        """The node of that id, if it was part of the look."""
        return next((node for node in self.nodes if node.id == node_id), None)


@dataclass(frozen=True, slots=True)
class Breach:
    """One invariant broken in one observation, before grace periods."""

    node: str | None
    message: str
    value: float | None = None
    threshold: float | None = None
    unit: str = ""


OnUnknown = Literal["skipped", "checked", "explains"]
"""What an invariant does on an observation with ``ok`` None. ``checked``: it may open there, and never closes (a
process that is gone is gone, whatever else is not known). ``explains``: besides, its breach is why nothing is known,
so that the blindness needs no violation of its own."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold, with the time for which a breach is tolerated."""

    name: str
    severity: Severity
    grace_s: float
    """A breach must last this long before it is a violation."""
    check: Callable[[Observation], Sequence[Breach]]
    runbook: str = ""
    """What a person should do, one or two sentences."""
    clear_s: float = 1.0
    """It must hold again for this long before the violation is closed."""
    on_unknown: OnUnknown = "skipped"


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What must never be broken without ``--force``."""

    voting_role: str
    """Nodes of this role vote; their majority must stay (``primary``, ``pd``)."""
    copies_needed: Mapping[str, int] = field(default_factory=dict)
    """Group name to the number of live nodes that must stay; a group not named needs one."""
    losable: Mapping[str, int] = field(default_factory=dict)
    """Role to how many of its nodes may be down at once, where copies of the data are spread over all of them."""


@dataclass(frozen=True, slots=True)
class WorkloadSource:
    """Where the load comes from: a command that runs it and prints status lines."""

    command: list[str]
    rate: float
    """Target operations per second."""
    description: str
    """For people: ``YCSB workload A, 8 threads, 2,000 ops/s``."""
    line_format: str = "ycsb"
    """``ycsb`` (our client's status lines), ``go-ycsb``, or ``any`` (Java YCSB or go-ycsb, whichever it is)."""
    warmup_samples: int = 2
    """Samples dropped before the tracker sees any."""
    passive: bool = False
    """It only reads what a load prints that somebody else runs."""


class Servers(Protocol):
    """What a subject may ask of the supervisor: processes by name, started by exec, each in its own group."""

    async def launch(self, name: str, argv: Sequence[str], *, cwd: Path | None = None, guarded: bool = False) -> int:
        """Start ``name`` and return its pid. Raises ``Conflict`` if it runs already, ``Unavailable`` if exec fails.

        A ``guarded`` one is no server but a tool of the daemon: it is never kept, adopted or left behind.
        """

    async def terminate(self, name: str, *, timeout_s: float = 5.0) -> None:
        """TERM, then KILL after ``timeout_s``, until the group is empty. Not running is success."""

    def signal(self, name: str, signum: int) -> None:
        """Signal the process (never a recycled pid). Raises ``NotFound`` if it is not running."""

    def pid(self, name: str) -> int | None:
        """The pid of ``name`` while it runs."""

    def start_time(self, name: str) -> float | None:
        """Kernel start time of ``name`` in clock ticks since boot (``/proc/PID/stat`` field 22) while it runs."""


Progress = Callable[[str], None]
"""Called with one line for a person at each step of a long start."""


class SubjectControl(Protocol):
    """The half that changes things; lives in the daemon, on its event loop, and never blocks it."""

    name: str
    default_fault_role: str

    @property
    def spec(self) -> SubjectSpec:
        """The spec of what runs now; complete once ``start`` returned."""

    @property
    def instance(self) -> str:
        """Which cluster this is: a name that changes when it is built anew, not when it is adopted."""

    @property
    def guard(self) -> GuardRules:
        """The rules that the guard applies to this subject."""

    async def start(self, progress: Progress) -> None:
        """Bring the subject up (or adopt what runs already) and return when it is healthy."""

    async def stop(self) -> None:
        """Take down what ``start`` brought up."""

    def faults(self) -> Mapping[str, FaultKind]:
        """The catalogue: what ``inject`` accepts."""

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        """What an undo from outside will need to know; written to the undo journal before ``inject``."""

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Do it; ``memo`` is what ``prepare`` returned. Raises ``Unavailable`` if it cannot be done honestly."""

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Take it back; idempotent, and works whatever became of the target meanwhile."""

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        """What of the fault is still there in ``observation``, in one line; empty when nothing is."""

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What of the fault is still there outside the subject (rules, files, stopped processes); empty when nothing.

        Asked after an undo, beside ``remains``; unlike it, it may take a moment and run commands.
        """

    async def clear(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """Take back what is outside the subject, touching no server of it: they may all be gone.

        Idempotent. Returns what is left, in one line; empty when nothing is.
        """

    async def revive(self, node_id: str) -> None:
        """Bring a server that died back (``operatorctl restart``)."""

    def workload(self) -> WorkloadSource:
        """The load that belongs to this subject."""


@runtime_checkable
class Outliving(Protocol):
    """A control whose servers are no processes of the daemon: they do not end because it does."""

    @property
    def stands(self) -> bool:
        """Whether any of them may still be there; then what was done to them is still owed."""

    @property
    def stop_budget_s(self) -> float:
        """How long ``stop`` may take."""


@runtime_checkable
class Acting(Protocol):
    """A control that executes actions."""

    def actions(self) -> Mapping[str, ActionKind]:
        """The catalogue: what ``act`` accepts."""

    async def check(self, action: Action) -> str:
        """What would be done, in one line, without side effects. Raises what stands against it now, typed."""

    async def act(self, action: Action) -> str:
        """Check again, do it, and say in one line what was done."""


@runtime_checkable
class Restricted(Protocol):
    """A control that may not execute all of its actions here."""

    def by_hand(self) -> Mapping[str, str]:
        """What only a person can do at the moment, and why: by kind, or by kind and parameters (``resume what=grpc``),
        which goes first; an empty reason is none."""


class SubjectProbe(Protocol):
    """The half that looks; lives in workers. Created from a ``SubjectSpec``."""

    async def observe(self, deadline_s: float) -> Observation:
        """One look, finished within ``deadline_s`` whatever the nodes do."""

    async def evidence(self, node_id: str | None, deadline_s: float) -> list[EvidenceItem]:
        """Facts that only the subject can tell (``INFO``, slot maps, the other nodes' view), numbered from 1."""

    def invariants(self) -> Sequence[Invariant]:
        """What must hold for this subject."""

    async def close(self) -> None:
        """Give connections back."""


@runtime_checkable
class TakesContainers(Protocol):
    """A probe of servers in containers; what the engine says of them is handed in."""

    def tell_containers(self, states: Mapping[str, Mapping[str, Scalar]], trouble: str = "") -> None:
        """By node id: ``state`` as the engine words it, ``exit_code``, ``oom_killed``, ``since_at``.

        ``trouble`` is what is wrong with the engine; empty while it answers.

        It takes the place of all that was told before: a node that is not named has no container that is known of.
        """


Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Answers one request between daemon and worker."""
