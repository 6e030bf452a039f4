"""What one report of a load generator says, whichever it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from operator_protocol.models import LatencySummary


@dataclass(frozen=True, slots=True)
class Reading:
    """The load over one interval."""

    ops_per_sec: float
    """Successful operations only."""
    errors_per_sec: float
    elapsed: float
    """Seconds since the load began."""
    operations: int
    """Successful operations since the load began."""
    errors: int
    """Failed ones."""
    latency: Mapping[str, LatencySummary] = field(default_factory=dict)


class LineReader(Protocol):
    """Turns the lines of a load generator into readings; one object for one run of it."""

    def feed(self, line: str) -> Reading | None:
        """Take a line. A reading comes out when one is complete."""

    def flush(self) -> Reading | None:
        """No line came for a moment: what was collected is complete now."""
