"""Latencies and return codes of a run, by operation: for the interval since the last status line, and for all of it.

What succeeded and what failed are different operations here (``READ`` and ``READ-FAILED``), as in Java YCSB: a
failure after five seconds must not look like a slow success.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from operatord.ycsb.binding import Status

FAILED_SUFFIX = "-FAILED"

_LOWEST_US = 1
_HIGHEST_US = 3_600_000_000
_SIGNIFICANT_DIGITS = 3
"""As in Java YCSB (``new Recorder(3)``)."""

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)


@dataclass(frozen=True, slots=True)
class Latency:
    """A summary of latencies, in microseconds."""

    count: int
    lowest: int
    highest: int
    average: float
    percentiles: Mapping[float, int]


class LatencyHistogram:
    """An HDR histogram and the exact sum of what went into it."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(_LOWEST_US, _HIGHEST_US, _SIGNIFICANT_DIGITS)
        self._sum_us = 0

    @property
    def count(self) -> int:
        """How many latencies there are."""
        return int(self._histogram.get_total_count())

    def record(self, latency_us: int) -> None:
        """Add one latency."""
        self._histogram.record_value(min(max(latency_us, _LOWEST_US), _HIGHEST_US))
        self._sum_us += latency_us

    def add_to(self, total: "LatencyHistogram") -> None:
        """Add all of these latencies to ``total``."""
        total.merge(self._histogram, self._sum_us)

    def merge(self, histogram: HdrHistogram, sum_us: int) -> None:
        """Add what another histogram holds."""
        self._histogram.add(histogram)
        self._sum_us += sum_us

    def summary(self) -> Latency:
        """The figures; zero, and an average that is not a number, when nothing was recorded."""
        count = self.count
        if count == 0:
            return Latency(0, 0, 0, float("nan"), dict.fromkeys(PERCENTILES, 0))
        by_percentile = self._histogram.get_percentile_to_value_dict(list(PERCENTILES))
        return Latency(
            count=count,
            lowest=int(self._histogram.get_min_value()),
            highest=int(self._histogram.get_max_value()),
            average=self._sum_us / count,
            percentiles={percentile: int(by_percentile[percentile]) for percentile in PERCENTILES},
        )


class Measurements:
    """Takes every measurement of a run."""

    def __init__(self) -> None:
        self._interval: dict[str, LatencyHistogram] = {}
        self._total: dict[str, LatencyHistogram] = {}
        self._returned: dict[str, Counter[Status]] = {}

    def record(self, operation: str, latency_us: int, status: Status) -> None:
        """One operation ended."""
        name = operation if status is Status.OK else operation + FAILED_SUFFIX
        histogram = self._interval.get(name)
        if histogram is None:
            histogram = self._interval[name] = LatencyHistogram()
            self._total.setdefault(name, LatencyHistogram())
        histogram.record(latency_us)
        returned = self._returned.get(operation)
        if returned is None:
            returned = self._returned[operation] = Counter()
        returned[status] += 1

    def take_interval(self) -> dict[str, Latency]:
        """The figures since the last call, by operation; one that was seen before stays, with a count of zero."""
        interval, self._interval = self._interval, {}
        for name, histogram in interval.items():
            histogram.add_to(self._total[name])
        nothing = LatencyHistogram()
        return {name: interval.get(name, nothing).summary() for name in sorted(self._total, key=_order)}

    def totals(self) -> Iterator[tuple[str, Latency, Mapping[Status, int]]]:
        """The figures of the whole run: operation, latencies, and how often which status was returned."""
        self.take_interval()
        for name in sorted({*self._total, *self._returned}, key=_order):
            total = self._total.get(name, None) or LatencyHistogram()
            yield name, total.summary(), self._returned.get(name, {})


def _order(name: str) -> tuple[bool, str]:
    return name.endswith(FAILED_SUFFIX), name
