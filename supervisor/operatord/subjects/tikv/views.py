"""Three independent signs of life of each server, and the rule that makes one state of them.

*container* is what the container engine says, *probe* what the server's own port says to us, *cluster* what PD says.
They fail in different ways: PD holds a killed store for Up for 10 to 20 s more; a container runs while the program in
it is frozen; a port that cannot be reached from here may be reached by everybody else. So all three are shown, and
``RULES`` is the whole of the merging.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from operator_protocol.models import NodeState, Scalar, SignalState
from operatord.subjects.tikv.pd.models import StoreState
from operatord.subjects.tikv.status import Contact

ContainerWord = Literal[
    "running", "paused", "restarting", "created", "exited", "dead", "removing", "missing", "unknown"
]
"""As Docker has it (``State.Status``), and ``missing`` for one that there is no more."""
CONTAINER_WORDS: tuple[ContainerWord, ...] = (
    "running", "paused", "restarting", "created", "exited", "dead", "removing", "missing", "unknown",
)  # fmt: skip

Sight = Literal["up", "late", "gone", "lost", "unknown"]
"""What our own look at the server's port comes to: it answers; it accepts and is late; it is not there or has been
silent for too long; it answered before and cannot be reached now; it never could be."""
SIGHTS: tuple[Sight, ...] = ("up", "late", "gone", "lost", "unknown")
SIGNALS: tuple[SignalState, ...] = ("up", "down", "unknown")


@dataclass(frozen=True, slots=True)
class Container:
    """What the engine says of one container."""

    state: ContainerWord
    exit_code: int | None = None
    """Of the last end; 137 is SIGKILL."""
    oom_killed: bool = False
    since_at: float = 0.0
    """When this state began, wall clock, seconds; 0 where it is not known."""
    trouble: str = ""
    """What is wrong with the engine; then nothing else is known of the container."""

    @classmethod
    def read(cls, fields: Mapping[str, Scalar]) -> "Container":
        """From a map with the names of the attributes; a word that is not known reads as ``unknown``."""
        word = fields.get("state")
        known: ContainerWord = next((one for one in CONTAINER_WORDS if one == word), "unknown")
        code, since_at = fields.get("exit_code"), fields.get("since_at")
        return cls(
            state=known,
            exit_code=code if isinstance(code, int) else None,
            oom_killed=fields.get("oom_killed") is True,
            since_at=float(since_at) if isinstance(since_at, int | float) else 0.0,
        )

    @property
    def signal(self) -> SignalState:
        """A paused container is down: nothing in it runs."""
        if self.state == "unknown":
            return "unknown"
        return "up" if self.state == "running" else "down"


UNTOLD = Container("unknown")


@dataclass(frozen=True, slots=True)
class Reach:
    """How a port was found in this look."""

    contact: Contact = "unasked"
    silent_for_s: float = 0.0
    answered_before: bool = False
    answering_for_s: float = 0.0

    def sight(self, silence_s: float) -> Sight:
        """What it comes to."""
        match self.contact:
            case "answered":
                return "up"
            case "refused":
                return "gone"
            case "silent":
                return "gone" if self.silent_for_s >= silence_s else "late"
            case "unreachable":
                return "lost" if self.answered_before else "unknown"
            case _:
                return "unknown"


UNASKED = Reach()


def through_engine(reach: Reach, container: Container, silence_s: float) -> Reach:
    """How a published port was found, in the light of what the engine says.

    The way to it leads through the engine, which takes its proxies along when it ends: that nobody listens there then
    says nothing of the server. And since the engine tells of the end of a container, and we notice its own, a moment
    later, a port that refuses while the container runs is for that moment merely late.
    """
    if reach.contact != "refused":
        return reach
    if container.trouble:
        return replace(reach, contact="unreachable")
    late = container.state == "running" and reach.silent_for_s < silence_s
    return replace(reach, contact="silent") if late else reach


def probe_signal(sight: Sight) -> SignalState:
    """As it is shown: what cannot be reached is not known to be down."""
    if sight == "up":
        return "up"
    return "down" if sight in ("late", "gone") else "unknown"


def store_signal(state: StoreState | None) -> SignalState:
    """PD's word on a store: one that is being drained (Offline) lives."""
    if state is None:
        return "unknown"
    return "up" if state in ("Up", "Offline") else "down"


def member_signal(healthy: bool | None) -> SignalState:
    """PD's word on one of its own."""
    if healthy is None:
        return "unknown"
    return "up" if healthy else "down"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: ``*`` stands for anything. ``beats``: PD has heard from it since it fell silent to us."""

    container: SignalState | Literal["*"]
    probe: Sight | Literal["*"]
    cluster: SignalState | Literal["*"]
    beats: bool | Literal["*"]
    state: NodeState
    problem: str
    """What follows the name; ``{container}``, ``{silence}`` and ``{word}`` (PD's) are filled in."""


RULES: tuple[Rule, ...] = (
    Rule("down", "*", "*", "*", "down", "is down: its container {container}"),
    Rule("*", "gone", "up", True, "degraded", "{silence}, though PD still hears from it"),
    Rule("*", "gone", "*", "*", "down", "is down: it {silence}"),
    Rule("*", "late", "*", "*", "degraded", "{silence}"),
    Rule("*", "up", "down", "*", "degraded", "answers here, but PD holds it for {word}"),
    Rule("*", "up", "*", "*", "up", ""),
    Rule("*", "lost", "down", "*", "down", "is down: PD holds it for {word}, and it cannot be reached from here"),
    Rule("*", "lost", "*", "*", "degraded", "cannot be reached from here any more"),
    Rule("*", "unknown", "down", "*", "down", "is down: PD holds it for {word}"),
    Rule("*", "unknown", "up", "*", "up", ""),
    Rule("*", "unknown", "unknown", "*", "unknown", "is not known to live: neither PD nor its own port tells"),
)
"""The first row that fits counts. What the engine says of a container that does not run is final; after it comes what
we see ourselves, since it is the newest; PD's word decides where we cannot see."""


@functools.cache
def merge(container: SignalState, probe: Sight, cluster: SignalState, *, beats: bool) -> Rule:
    """The row of ``RULES`` that fits."""
    signs = (container, probe, cluster, beats)
    return next(
        rule
        for rule in RULES
        if all(
            wanted in ("*", sign)
            for wanted, sign in zip((rule.container, rule.probe, rule.cluster, rule.beats), signs, strict=True)
        )
    )
