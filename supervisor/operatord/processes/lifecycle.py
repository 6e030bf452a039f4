"""The life of a supervised process as one table: from state and event to action and next state.

The table says everything there is to say about order; what an action does is in ``supervision``, when a death
is retried and when it is final in ``restarting``, and which event a silent one gets in ``overdue`` below.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from operator_protocol.models import ProcessPhase


class Event(Enum):
    """What can happen to a process."""

    START = auto()
    """Someone wants it to run."""
    READY = auto()
    """It said that it is ready."""
    START_OVERDUE = auto()
    """It has been starting for too long."""
    BEATS_OVERDUE = auto()
    """It was ready and has fallen silent."""
    DIED = auto()
    """It ended, or could not be started, and will be tried again."""
    DIED_FOR_GOOD = auto()
    """It ended and is not tried again: a server, one that keeps dying, one whose end says that trying is useless."""
    ENDED = auto()
    """It did what it was for, and ended."""
    RETRY = auto()
    """Its pause is over."""
    STOP = auto()
    """Someone wants it to stop."""
    GONE = auto()
    """Nothing of its process group is left."""


class Action(Enum):
    """What the table does about it."""

    NOTHING = auto()
    SPAWN = auto()
    KILL = auto()
    """SIGKILL to the group; its death is the next event."""
    TERMINATE = auto()
    """TERM, a deadline, KILL; the empty group is the next event."""
    WAIT = auto()
    """Start the timer that ends in RETRY."""
    CANCEL_WAIT = auto()
    """Stop that timer."""


class Step(NamedTuple):
    """An entry of the table."""

    action: Action
    next: ProcessPhase


TRANSITIONS: dict[tuple[ProcessPhase, Event], Step] = {
    ("stopped", Event.START): Step(Action.SPAWN, "starting"),
    ("stopped", Event.READY): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.START_OVERDUE): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.BEATS_OVERDUE): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.DIED): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.ENDED): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.RETRY): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.STOP): Step(Action.NOTHING, "stopped"),
    ("stopped", Event.GONE): Step(Action.NOTHING, "stopped"),
    ("starting", Event.START): Step(Action.NOTHING, "starting"),
    ("starting", Event.READY): Step(Action.NOTHING, "ready"),
    ("starting", Event.START_OVERDUE): Step(Action.KILL, "starting"),
    ("starting", Event.BEATS_OVERDUE): Step(Action.NOTHING, "starting"),
    ("starting", Event.DIED): Step(Action.WAIT, "backoff"),
    ("starting", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "failed"),
    ("starting", Event.ENDED): Step(Action.NOTHING, "stopped"),
    ("starting", Event.RETRY): Step(Action.NOTHING, "starting"),
    ("starting", Event.STOP): Step(Action.TERMINATE, "stopping"),
    ("starting", Event.GONE): Step(Action.NOTHING, "starting"),
    ("ready", Event.START): Step(Action.NOTHING, "ready"),
    ("ready", Event.READY): Step(Action.NOTHING, "ready"),
    ("ready", Event.START_OVERDUE): Step(Action.NOTHING, "ready"),
    ("ready", Event.BEATS_OVERDUE): Step(Action.KILL, "ready"),
    ("ready", Event.DIED): Step(Action.WAIT, "backoff"),
    ("ready", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "failed"),
    ("ready", Event.ENDED): Step(Action.NOTHING, "stopped"),
    ("ready", Event.RETRY): Step(Action.NOTHING, "ready"),
    ("ready", Event.STOP): Step(Action.TERMINATE, "stopping"),
    ("ready", Event.GONE): Step(Action.NOTHING, "ready"),
    # Its death alone does not end the stopping: its group may outlive it.
    ("stopping", Event.START): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.READY): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.START_OVERDUE): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.BEATS_OVERDUE): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.DIED): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.ENDED): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.RETRY): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.STOP): Step(Action.NOTHING, "stopping"),
    ("stopping", Event.GONE): Step(Action.NOTHING, "stopped"),
    ("backoff", Event.START): Step(Action.SPAWN, "starting"),
    ("backoff", Event.READY): Step(Action.NOTHING, "backoff"),
    ("backoff", Event.START_OVERDUE): Step(Action.NOTHING, "backoff"),
    ("backoff", Event.BEATS_OVERDUE): Step(Action.NOTHING, "backoff"),
    ("backoff", Event.DIED): Step(Action.NOTHING, "backoff"),
    ("backoff", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "backoff"),
    ("backoff", Event.ENDED): Step(Action.NOTHING, "backoff"),
    ("backoff", Event.RETRY): Step(Action.SPAWN, "starting"),
    ("backoff", Event.STOP): Step(Action.CANCEL_WAIT, "stopped"),
    ("backoff", Event.GONE): Step(Action.NOTHING, "backoff"),
    ("failed", Event.START): Step(Action.SPAWN, "starting"),
    ("failed", Event.READY): Step(Action.NOTHING, "failed"),
    ("failed", Event.START_OVERDUE): Step(Action.NOTHING, "failed"),
    ("failed", Event.BEATS_OVERDUE): Step(Action.NOTHING, "failed"),
    ("failed", Event.DIED): Step(Action.NOTHING, "failed"),
    ("failed", Event.DIED_FOR_GOOD): Step(Action.NOTHING, "failed"),
    ("failed", Event.ENDED): Step(Action.NOTHING, "failed"),
    ("failed", Event.RETRY): Step(Action.NOTHING, "failed"),
    ("failed", Event.STOP): Step(Action.NOTHING, "stopped"),
    ("failed", Event.GONE): Step(Action.NOTHING, "failed"),
}
"""Every state with every event: what is not possible is written down as nothing, so that nothing is forgotten."""

LIVE: frozenset[ProcessPhase] = frozenset({"starting", "ready", "stopping"})
"""The states in which there is, or may be, a process."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a process may be silent."""

    start_s: float = 10.0
    """From its start to ``ready``."""
    beat_s: float | None = 1.0
    """Between two beats; None for one that does not beat."""
    missed_beats: int = 3


class Overdue(NamedTuple):
    """``event`` is due now, for ``reason``; or one will be at ``due_at`` unless something is heard; or neither."""

    event: Event | None = None
    reason: str = ""
    due_at: float | None = None


def overdue(patience: Patience, phase: ProcessPhase, *, now: float, last_sign: float) -> Overdue:
    """What is due to a process whose last sign of life (its start, or a beat) was at ``last_sign``."""
    if phase == "starting":
        due_at = last_sign + patience.start_s
        if now >= due_at:
            return Overdue(Event.START_OVERDUE, f"not ready after {now - last_sign:.1f} s")
        return Overdue(due_at=due_at)
    if phase == "ready" and patience.beat_s is not None:
        due_at = last_sign + patience.beat_s * patience.missed_beats
        if now >= due_at:
            return Overdue(Event.BEATS_OVERDUE, f"no sign of life for {now - last_sign:.1f} s")
        return Overdue(due_at=due_at)
    return Overdue()
