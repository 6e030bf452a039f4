"""The dossier: what the agent is handed about one ticket, and all that it is handed.

It holds what an engineer could have seen from outside: observations, the lives of the subject's processes, their log
lines, the load, earlier tickets. Which fault was injected, which chapter runs and what the daemon itself logs is not
in it, or a diagnosis would be a look at the answer sheet. It travels to the agent worker as one map
(``operator_protocol.records``), so every list in it is bounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from operator_protocol.models import ClusterEvent, ClusterHealth, ProcessState, Ticket, Violation, WorkloadSample

WINDOW_S = 60.0
"""How far around the onset the dossier reaches, to either side."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a process wrote."""

    at: float
    """When the daemon read it, wall clock, seconds."""
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of one node over time, from the ``detail`` of the observations."""

    node: str
    name: str
    at: list[float]
    """Wall clock, seconds; as long as ``values``."""
    values: list[float]


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything about one ticket."""

    ticket: Ticket
    onset_at: float
    """When the trouble was first seen, wall clock, seconds."""
    built_at: float
    violations: list[Violation] = field(default_factory=list)
    """Those open now."""
    ended: list[Violation] = field(default_factory=list)
    """Those that were open within the window and are not any more."""
    health_history: list[ClusterHealth] = field(default_factory=list)
    """Changes, oldest first: the last one from before the window, those inside it, and the present one."""
    process_events: list[ProcessState] = field(default_factory=list)
    """Changes of the subject's processes, oldest first; of each also the last state from before the window."""
    logs: Mapping[str, list[LogLine]] = field(default_factory=dict)
    """By process name, oldest first."""
    events: list[ClusterEvent] = field(default_factory=list)
    """What the servers' logs told of the cluster; oldest first. Their lines may have been too many for ``logs``."""
    workload: list[WorkloadSample] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    """Figures that changed within the window."""
    previous: list[Ticket] = field(default_factory=list)
    """Earlier tickets alike, newest first, their diagnoses without evidence and Markdown."""
