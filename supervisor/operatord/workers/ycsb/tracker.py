"""What is normal for this load, and whether it is below that now.

The mean of the first five samples is the baseline; a sample under half of it (by default) counts as degraded. The
baseline does not follow the load afterwards: an outage that lasts must not become the new normal. Nor is it taken
while something is known to be broken: what is measured then is not normal.
"""

import re
from collections import deque
from collections.abc import Sequence

_CURRENT_OPS = re.compile(r"(\d+\.?\d*)\s+current ops/sec")

BASELINE_SAMPLES = 5


class WorkloadTracker:
    """Judges samples of operations per second, one after another."""

    def __init__(self, window_size: int = 30, degradation_threshold: float = 0.5) -> None:
        self.degradation_threshold = degradation_threshold
        self._window: deque[float] = deque(maxlen=window_size)
        self._first: list[float] = []

    def parse_line(self, line: str) -> float | None:
        """The current operations per second of a YCSB status line; None if it has no such figure."""
        found = _CURRENT_OPS.search(line)
        return float(found.group(1)) if found else None

    def update(self, ops_per_sec: float, *, disturbed: bool = False) -> None:
        """Take the next sample; one that was ``disturbed`` does not count for the baseline."""
        self._window.append(ops_per_sec)
        if len(self._first) < BASELINE_SAMPLES and not disturbed:
            self._first.append(ops_per_sec)

    def is_degraded(self) -> bool:
        """True when the last sample is below the threshold; false while there is no baseline."""
        threshold, current = self.threshold, self.current
        return threshold is not None and current is not None and current < threshold

    @property
    def baseline(self) -> float | None:
        """The mean of the first five samples; None until there are five."""
        return sum(self._first) / BASELINE_SAMPLES if len(self._first) == BASELINE_SAMPLES else None

    @property
    def threshold(self) -> float | None:
        """Below this a sample is degraded."""
        return None if self.baseline is None else self.baseline * self.degradation_threshold

    @property
    def current(self) -> float | None:
        """The last sample."""
        return self._window[-1] if self._window else None

    @property
    def samples(self) -> Sequence[float]:
        """The last ``window_size`` samples, oldest first."""
        return tuple(self._window)
