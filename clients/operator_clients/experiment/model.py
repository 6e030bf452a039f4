"""What an experiment is: the parsed file, as data. ``reading`` makes it, ``engine`` runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from operator_clients.experiment.conditions import Condition, Product
from operator_protocol.models import Scalar

TARGET = "target"
"""``$target``: the node that the last fault of the run was injected into."""
START = "start"
"""Where a wait may count from, besides the names of steps: the begin of the run."""
HOLD_S = 3.0
WITHIN_S = 30.0
AGAIN_WITHIN_S = 60.0
"""Defaults: how long a steady state holds, how long it or a step may take, how long it may take to come back."""


@dataclass(frozen=True, slots=True)
class SteadyCondition:
    """A condition of the steady state, and whether it is watched while the steps run."""

    condition: Condition
    during: bool = False
    tolerate_s: float = 0.0
    """Broken this long in a row it is still put up with, while the steps run."""


@dataclass(frozen=True, slots=True)
class SteadyState:
    """What must hold before anything is done, and again when everything is undone."""

    conditions: tuple[SteadyCondition, ...]
    hold_s: float = HOLD_S
    """All of them at once, this long without a break."""
    within_s: float = WITHIN_S
    again_within_s: float = AGAIN_WITHIN_S

    @property
    def all(self) -> tuple[Condition, ...]:
        """The conditions themselves."""
        return tuple(one.condition for one in self.conditions)


@dataclass(frozen=True, slots=True)
class Load:
    """The load that the experiment needs; put back to what it was when the run ends."""

    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every step has."""

    name: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStep(Head):
    """Start, pace or stop the load."""

    do: Literal["start", "rate", "stop"]
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStep(Head):
    """Inject a fault, and go on when it is in force."""

    kind: str
    target: str | None = None
    params: Mapping[str, Scalar] = field(default_factory=dict)
    countdown_s: float = 0.0
    for_s: float | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverStep(Head):
    """Undo one fault of this run, or all of them, and go on when that is verified."""

    fault: str | None = None
    """Name of the step that injected it."""
    within_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStep(Head):
    """Wait for a frame."""

    event: str
    match: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """Path into the body → the texts that its value may have."""
    timeout_s: float = WITHIN_S
    within_s: float | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldStep(Head):
    """Let time pass, watching."""

    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectStep(Head):
    """Conditions that must come true."""

    that: tuple[Condition, ...]
    within_s: float = WITHIN_S
    hold_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartStep(Head):
    """Restart a process, or bring a dead server back, as a person would."""

    process: str


Step: TypeAlias = LoadStep | FaultStep | RecoverStep | WaitStep | HoldStep | ExpectStep | RestartStep
ACTIONS: Mapping[type[Step], str] = {
    LoadStep: "load",
    FaultStep: "fault",
    RecoverStep: "recover",
    WaitStep: "wait",
    HoldStep: "hold",
    ExpectStep: "expect",
    RestartStep: "restart",
}


@dataclass(frozen=True, slots=True)
class Expectations:
    """What must be true of the run as a whole; None where nothing is expected."""

    max_detection_s: float | None = None
    max_recovery_s: float | None = None
    max_outage_s: float | None = None
    lowest_throughput: Product | None = None
    max_errors: int | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One file."""

    path: str
    title: str
    steps: tuple[Step, ...]
    description: str = ""
    load: Load | None = None
    steady_state: SteadyState | None = None
    expect: Expectations = field(default_factory=Expectations)
