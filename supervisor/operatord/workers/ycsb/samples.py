"""From readings to what is published: warm-up, baseline, degradation."""

from collections.abc import Callable, Iterable

from operator_protocol.models import WorkloadSample
from operatord.clock import Clock
from operatord.workers.ycsb.go_ycsb import GoYcsbReader
from operatord.workers.ycsb.reading import LineReader, Reading
from operatord.workers.ycsb.status_line import StatusLineReader
from operatord.workers.ycsb.tracker import WorkloadTracker

OWN_FORMAT = "ycsb"
"""What our own client prints, which also takes a new rate on stdin."""


class AnyReader:
    """Of a load of which it is not known which it is: no line of one is a line of the other."""

    def __init__(self) -> None:
        self._readers: tuple[LineReader, ...] = (StatusLineReader(), GoYcsbReader())

    def feed(self, line: str) -> Reading | None:
        """Take a line."""
        return self._first(reader.feed(line) for reader in self._readers)

    def flush(self) -> Reading | None:
        """No line came for a moment."""
        return self._first(reader.flush() for reader in self._readers)

    def _first(self, readings: Iterable[Reading | None]) -> Reading | None:
        # Each of them sees the line, also when another one has read something.
        return next((reading for reading in list(readings) if reading is not None), None)


READERS: dict[str, Callable[[], LineReader]] = {
    OWN_FORMAT: StatusLineReader,
    "go-ycsb": GoYcsbReader,
    "any": AnyReader,
}
"""By ``WorkloadSource.line_format``."""

_SETTLING_SAMPLES = 1
"""The first sample after a fault began while it was in force."""


class Sampler:
    """Makes one ``WorkloadSample`` of each reading of one run of the load."""

    def __init__(self, reader: LineReader, warmup_samples: int, wall_clock: Clock) -> None:
        self._reader = reader
        self._warmup_samples = warmup_samples
        self._wall_clock = wall_clock
        self._disturbed = False
        self._settling = 0
        self.restart_baseline()

    def restart_baseline(self) -> None:
        """Forget what was normal: the load is another one now."""
        self._tracker = WorkloadTracker()
        self._warmup_left = self._warmup_samples

    def disturb(self, disturbed: bool) -> None:
        """Say that something is broken on purpose, or that it no longer is."""
        if self._disturbed and not disturbed:
            self._settling = _SETTLING_SAMPLES
        self._disturbed = disturbed

    def feed(self, line: str) -> WorkloadSample | None:
        """Take a line of the load's output; a sample if it completed a reading."""
        return self._sample(self._reader.feed(line))

    def flush(self) -> WorkloadSample | None:
        """No line came for a moment."""
        return self._sample(self._reader.flush())

    def _sample(self, reading: Reading | None) -> WorkloadSample | None:
        if reading is None:
            return None
        # A load that has done nothing yet has not even begun to warm up; zero would spoil the baseline for good.
        if self._warmup_left > 0:
            self._warmup_left -= 1 if reading.ops_per_sec > 0 else 0
        elif self._tracker.samples or reading.ops_per_sec > 0:
            self._tracker.update(reading.ops_per_sec, disturbed=self._disturbed or self._settling > 0)
            if not self._disturbed:
                self._settling = max(0, self._settling - 1)
        return WorkloadSample(
            ops_per_sec=reading.ops_per_sec,
            errors_per_sec=reading.errors_per_sec,
            degraded=self._tracker.is_degraded(),
            elapsed=reading.elapsed,
            operations=reading.operations,
            baseline=self._tracker.baseline,
            threshold=self._tracker.threshold,
            errors=reading.errors,
            latency=reading.latency,
            sampled_at=self._wall_clock(),
        )
