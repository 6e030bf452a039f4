"""What a fault workflow works with: the subject, the journal, the bus, eyes, clocks, and limits."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from operator_protocol.codec import Body
from operatord.clock import Clock
from operatord.faults.undo_journal import UndoJournal
from operatord.subjects.base import Observation, SubjectControl

Publish = Callable[[str, Body], None]
"""Put a body on a topic of the bus."""
Observe = Callable[[], Awaitable[Observation]]
"""Take a fresh look: the observation returned began after the call."""
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds."""

    inject_s: float = 30.0
    recover_s: float = 30.0
    """From the beginning of an undo to its verification."""
    look_s: float = 5.0
    """For one look at the subject."""
    poll_s: float = 0.2
    """Between two looks while a recovery is verified, or a node is waited for that has not answered."""
    answer_s: float = 3.0
    """A node that is silent, or a look that tells something, is waited for so long before a fault is judged."""
    undo_again_s: float = 5.0
    """The undo is idempotent: while something remains, it is repeated after this long."""
    retry_s: float = 5.0
    """Between two tries of the recovery that ``--for`` ordered: nobody else would try again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a workflow works with."""

    control: SubjectControl
    journal: UndoJournal
    publish: Publish
    observe: Observe
    instance: Callable[[], str]
    """Which cluster runs now."""
    clock: Clock = time.monotonic
    """The clock of ``Observation.observed_mono``."""
    wall: Clock = time.time
    sleep: Sleep = asyncio.sleep
    limits: Limits = field(default_factory=Limits)
