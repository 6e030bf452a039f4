"""The one table of which figures are bad: the server judges by it, and browsers are sent it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Level = Literal["ok", "warning", "critical", "unknown"]
"""Of a figure; ``unknown`` where there is none."""

_SEVERITY: dict[Level, int] = {"unknown": 0, "ok": 1, "warning": 2, "critical": 3}


class Threshold(BaseModel):
    """From where on a figure is bad. A figure that is equal to a threshold has reached it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    unit: Literal["percent", "milliseconds", "count", "1/s"] = Field(description="Of the figure and the thresholds.")
    direction: Literal["above", "below"] = Field(
        default="above", description="On which side of the thresholds it is bad."
    )
    warning: float | None = Field(default=None, description="Bad from here on; null: there is no such threshold.")
    critical: float | None = Field(default=None, description="Very bad from here on; null: there is no such threshold.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.warning is not None and self.critical is not None:
            first, last = sorted((self.warning, self.critical), reverse=self.direction == "below")
            if (first, last) != (self.warning, self.critical):
                raise ValueError(f"warning must be reached before critical, going {self.direction}")
        return self

    def level(self, value: float | None) -> Level:
        """How bad ``value`` is."""
        if value is None:
            return "unknown"
        if self._reached(value, self.critical):
            return "critical"
        return "warning" if self._reached(value, self.warning) else "ok"

    def _reached(self, value: float, threshold: float | None) -> bool:
        if threshold is None:
            return False
        return value >= threshold if self.direction == "above" else value <= threshold


class Thresholds(BaseModel):
    """A threshold for each metric. The defaults are those of the shipped catalogues."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    # 70 and 85 are what the cluster's own figures turn yellow and red at in the Kubernetes story (P05-F09).
    cpu: Threshold = Threshold(unit="percent", warning=70.0, critical=85.0)
    memory: Threshold = Threshold(unit="percent", warning=70.0, critical=85.0)
    disk: Threshold = Threshold(unit="percent", warning=70.0, critical=85.0)
    """Of Kubernetes nodes; no service has a disk of its own here."""
    requests: Threshold = Threshold(unit="1/s")
    """How many requests are too many nobody knows."""
    latency: Threshold = Threshold(unit="milliseconds", warning=500.0, critical=2000.0)
    pods: Threshold = Threshold(unit="count", direction="below", critical=0.0)
    """A service without a pod is down."""


def worst(*levels: Level) -> Level:
    """The worst of ``levels``; what is unknown is better than what is known to be well."""
    return max(levels, key=_SEVERITY.__getitem__, default="unknown")
