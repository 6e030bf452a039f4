"""From figures to a verdict on a service: healthy, degraded or unhealthy, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from operator_clients.web.encoding import iso
from operator_clients.web.services.catalogue import Metric
from operator_clients.web.services.thresholds import Level, Thresholds, worst

Status = Literal["healthy", "degraded", "unhealthy"]
Figures = Mapping[Metric, float | None]
_JUDGED: tuple[tuple[Literal["cpu", "memory", "pods", "latency"], str], ...] = (
    ("cpu", "CPU {value:.0f} % of its limit"),
    ("memory", "memory {value:.0f} % of its limit"),
    ("pods", "{value:.0f} pods running"),
    ("latency", "median latency {value:.0f} ms"),
)
_END_OF_CALENDAR_S = 253402300800.0
"""The year 10000."""
_STATUS_OF: dict[Level, Status] = {"ok": "healthy", "warning": "degraded", "critical": "unhealthy"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a service is."""

    status: Status
    reasons: tuple[str, ...]
    """Empty for a healthy one."""


def judge(figures: Figures, thresholds: Thresholds) -> Verdict:
    """How a service with these figures is.

    What is not known is not held against it, but a service of which nothing at all is known is not called healthy.
    """
    levels: list[Level] = []
    reasons = []
    for metric, words in _JUDGED:
        value = figures.get(metric)
        level = getattr(thresholds, metric).level(value)
        levels.append(level)
        if level in ("warning", "critical"):
            reasons.append(words.format(value=value))
    found = worst(*levels)
    if found == "unknown":
        return Verdict("degraded", ("there is no data on it",))
    return Verdict(_STATUS_OF[found], tuple(reasons))


def restarted_at(figure: float | None) -> str | None:
    """A restart's time, in seconds since the epoch, as ISO 8601; None for what is no time."""
    return iso(figure) if figure is not None and 0 < figure < _END_OF_CALENDAR_S else None
