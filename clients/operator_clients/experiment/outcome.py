"""How a run went: what the report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from operator_clients.ctl.exits import DONE, INTERRUPTED, NO_DAEMON, REFUSED, TERMINATED, TIMED_OUT
from operator_clients.experiment.conditions import Verdict
from operator_protocol.models import Scalar

VerdictWord = Literal["passed", "failed", "refused", "timed_out", "daemon_lost", "interrupted", "terminated"]
StepState = Literal["done", "failed", "refused", "timed_out", "cut_short", "not_run"]
Bound = Literal["at most", "at least", "exactly"]

EXIT_CODES: Mapping[VerdictWord, int] = {
    "passed": DONE,
    "failed": REFUSED,
    "refused": REFUSED,
    "timed_out": TIMED_OUT,
    "daemon_lost": NO_DAEMON,
    "interrupted": INTERRUPTED,
    "terminated": TERMINATED,
}


class Stop(Exception):
    """The run ends here, with this verdict."""

    def __init__(self, verdict: VerdictWord, reason: str) -> None:
        super().__init__(reason)
        self.verdict: VerdictWord = verdict
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that had to be so, and what was measured."""

    what: str
    where: str
    """``steady_state``, ``step 3``, or the key of ``[expect]``."""
    met: bool
    bound: Bound = "at most"
    limit: Scalar = None
    measured: Scalar = None
    unit: str = ""
    note: str = ""


@dataclass(slots=True)
class StepResult:
    """One step. Times in seconds since the run began."""

    number: int
    action: str
    name: str
    line: int
    plan: str
    """What it was to do."""
    state: StepState = "not_run"
    began_s: float | None = None
    took_s: float | None = None
    told: str = ""
    """What came of it."""


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """A condition of the steady state at the end of the wait for it."""

    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SteadyResult:
    """The steady state before or after the steps."""

    held: bool
    took_s: float
    conditions: tuple[ConditionResult, ...]


@dataclass(slots=True)
class Rollback:
    """How what the run had injected was undone at its end."""

    needed: bool = False
    recovered: list[str] = field(default_factory=list)
    """What was undone here: ``kill valkey-1``."""
    verified: bool = True
    """Nothing of this run is owed any more, and the daemon (or ``operatord recover``) said so."""
    message: str = "nothing of this run was owed"


@dataclass(slots=True)
class Outcome:
    """The whole run."""

    verdict: VerdictWord = "passed"
    reason: str = ""
    started_at: float = 0.0
    """Wall clock."""
    began: float = 0.0
    """The daemon's monotonic clock: zero of all times in the report."""
    took_s: float = 0.0
    subject: str = ""
    version: str = ""
    boot_id: str = ""
    steps: list[StepResult] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    before: SteadyResult | None = None
    after: SteadyResult | None = None
    rollback: Rollback = field(default_factory=Rollback)
    gaps: list[str] = field(default_factory=list)
    """Frames were lost here: what was measured across these may be incomplete."""

    @property
    def exit_code(self) -> int:
        """For the shell."""
        return EXIT_CODES[self.verdict]
