"""What a benchmark measured: samples, what they should be, and what others needed for the same in the same run."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

_DIGITS = 4
"""Significant digits of what is printed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured several times."""

    name: str
    unit: str
    """``s``, ``ms`` or ``ops/s``."""
    samples: Sequence[float]
    better: Literal["lower", "higher"] = "lower"
    target: float | None = None
    """At most this much, or at least where higher is better; None for what is only told."""
    peers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Samples of others that do the same, by name, in the same unit."""
    note: str = ""

    @property
    def median(self) -> float:
        """The figure itself."""
        return statistics.median(self.samples)

    @property
    def worst(self) -> float:
        """The largest sample, or the smallest where higher is better."""
        return max(self.samples) if self.better == "lower" else min(self.samples)

    def meets(self, value: float) -> bool | None:
        """Whether ``value`` is within the target; None without one."""
        if self.target is None:
            return None
        return value <= self.target if self.better == "lower" else value >= self.target

    def to_json(self) -> dict[str, Any]:
        """For the report. ``ratio`` is ours divided by the peer's, of the medians."""
        told: dict[str, Any] = {"name": self.name, "unit": self.unit, "better": self.better, **_summary(self.samples)}
        if self.target is not None:
            told |= {"target": self.target, "met": self.meets(self.median), "met_by_worst": self.meets(self.worst)}
        if self.peers:
            told["peers"] = {
                name: {**_summary(samples), "ratio": rounded(self.median / statistics.median(samples))}
                for name, samples in self.peers.items()
            }
        if self.note:
            told["note"] = self.note
        return told


def rounded(value: float) -> float:
    """``value`` to four significant digits."""
    return float(f"{value:.{_DIGITS}g}")


def _summary(samples: Sequence[float]) -> dict[str, Any]:
    return {
        "n": len(samples),
        "median": rounded(statistics.median(samples)),
        "min": rounded(min(samples)),
        "max": rounded(max(samples)),
        "samples": [rounded(sample) for sample in samples],
    }
