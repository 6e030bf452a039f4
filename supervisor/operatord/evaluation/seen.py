"""What a trial showed, as its runner saw it from outside; kept as it is, and scored later.

Times are seconds since the trial began, on one monotonic clock.
"""

from dataclasses import dataclass, field
from typing import Literal

from operator_protocol.models import Diagnosis

Status = Literal["ran", "not_run"]


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that came into force. In the order of the trial's injections."""

    at: float
    kind: str
    node: str
    group: str
    peers: list[str] = field(default_factory=list)
    """The other nodes of its group."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the subject was from this moment on; one for each change."""

    at: float
    ok: bool | None
    """None: it could not be told, which is never healthy."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A diagnosis of a ticket."""

    at: float
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class SeenTicket:
    """A ticket that was opened during the trial."""

    id: int
    invariant: str
    node: str | None
    opened_at: float
    resolved_at: float | None = None
    answers: list[Answer] = field(default_factory=list)

    @property
    def settled(self) -> list[Answer]:
        """The answers that stand: a preliminary one is looked at again, and nobody is judged by it."""
        return [one for one in self.answers if not one.diagnosis.preliminary]


@dataclass(frozen=True, slots=True)
class SeenAction:
    """An action that the agent took."""

    kind: str
    target: str
    status: str
    began_at: float
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything about one trial."""

    status: Status
    reason: str = ""
    """Why it was not run."""
    took_s: float = 0.0
    injected: list[Injected] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    tickets: list[SeenTicket] = field(default_factory=list)
    actions: list[SeenAction] = field(default_factory=list)
    undone_at: float | None = None
    """When the trial itself began to undo its faults: what is well after that is nobody's merit. None: it need not."""


def not_run(reason: str, took_s: float = 0.0) -> Seen:
    """A trial that could not be run: no verdict about anybody."""
    return Seen("not_run", reason, took_s)
