"""Confidence intervals, 95 %: a rate of twelve trials is not a rate."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many. With none there is no rate."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The rate itself."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's (E. B. Wilson, JASA 22, 1927): it holds for few trials and for rates of 0 and 1, too."""
        if not self.of:
            return 0.0, 1.0
        share, square = self.hits / self.of, _Z**2 / self.of
        middle = (share + square / 2) / (1 + square)
        half = _Z / (1 + square) * math.sqrt(share * (1 - share) / self.of + square / (4 * self.of))
        low = 0.0 if self.hits == 0 else middle - half
        high = 1.0 if self.hits == self.of else middle + half
        return low, high


@dataclass(frozen=True, slots=True)
class Middle:
    """The median of samples."""

    of: int
    value: float | None
    interval: tuple[float, float] | None
    """Between two of the samples, free of assumptions about them; None for fewer than six, which cannot tell."""


def middle(samples: Sequence[float]) -> Middle:
    """The median with its interval from order statistics (binomial, p = 1/2)."""
    ordered = sorted(samples)
    count = len(ordered)
    if not count:
        return Middle(0, None, None)
    below, rank = 0.0, -1
    for position in range(count // 2):
        below += math.comb(count, position) / 2**count
        if below > 0.025:
            break
        rank = position
    interval = (ordered[rank], ordered[count - 1 - rank]) if rank >= 0 else None
    return Middle(count, statistics.median(ordered), interval)


def difference(one: Rate, other: Rate) -> tuple[float, float, float] | None:
    """How much higher ``one`` is, with its interval (Newcombe, Stat. Med. 17, 1998, method 10); None without both."""
    if one.value is None or other.value is None:
        return None
    (low_1, high_1), (low_2, high_2) = one.interval, other.interval
    found = one.value - other.value
    low = found - math.hypot(one.value - low_1, high_2 - other.value)
    high = found + math.hypot(high_1 - one.value, other.value - low_2)
    return found, max(-1.0, low), min(1.0, high)
