"""The status lines of Java YCSB, which our own client prints too.

``2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634.74 current ops/sec; est completion in 2 minutes [READ: …]``

The figures are those of the interval, latencies in microseconds. What occurs in the wild and is put up with: a label
before the time; no "current ops/sec" while there is no operation; percentiles that older releases lack; an average of
NaN or U+FFFD and a nonsensical minimum in an empty interval; a decimal comma, as the locale wants it; measurement
types without a histogram (``[READ AverageLatency(us)=512.3]``).

Our client counts only successes in "operations" and "current ops/sec", Java everything. The counts by operation tell
the two apart, so that a reading never counts a failure as an operation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from operator_protocol.models import LatencySummary
from operatord.workers.ycsb.reading import Reading

_NUMBER = r"[-\d.,\u066b\u00a0\u202f]{1,40}"
_HEAD = re.compile(
    r"(?<!\d)(?P<elapsed>\d{1,9}) sec: (?P<operations>\d{1,15}) operations;"
    rf"(?:\s*(?P<current>{_NUMBER}) current ops/sec;?)?"
)
_OPERATION = re.compile(r"\[(?P<name>[A-Z][A-Z0-9_-]*):? (?P<figures>[^\]]*)\]")
_FIGURE = re.compile(r"([^\s=,]+)=([^\s=]+?)(?=,?\s|,?$)")

_MOST = 1e15

_FAILED = "-FAILED"
_READ_MODIFY_WRITE = "READ-MODIFY-WRITE"


@dataclass(frozen=True, slots=True)
class OperationFigures:
    """One ``[READ: Count=…]``: microseconds; None where the line has no figure, or not a number."""

    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Operations in the interval."""
        return max(0, int(self.figures.get("Count", 0)))

    def milliseconds(self, name: str) -> float | None:
        """A latency by its name in the line (``99``, ``Max``); None for an empty interval."""
        value = self.figures.get(name)
        return None if value is None or self.count == 0 else value / 1000.0

    def summary(self) -> LatencySummary:
        """The latencies as they are published."""
        return LatencySummary(
            count=self.count,
            p50=self.milliseconds("50"),
            p90=self.milliseconds("90"),
            p95=self.milliseconds("95"),
            p99=self.milliseconds("99"),
            max=self.milliseconds("Max"),
        )


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A whole status line."""

    elapsed_s: int
    operations: int
    current_ops: float | None
    """None while there is no operation at all."""
    latencies: Mapping[str, OperationFigures]


def parse_number(text: str) -> float | None:
    """A number as any locale writes it (``1234.5``, ``1234,5``, ``1.234,5``); None for NaN and nonsense.

    Nonsense is also what no load can come to, such as the minimum of nothing, which is the greatest number there is.
    """
    digits = text.replace("\u00a0", "").replace("\u202f", "").replace("\u066b", ".").strip()
    if digits.rfind(",") > digits.rfind("."):
        digits = digits.replace(".", "").replace(",", ".")
    else:
        digits = digits.replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return None
    return value if abs(value) < _MOST else None


def parse_status_line(line: str) -> StatusLine | None:
    """Parse a status line; None for any other line."""
    head = _HEAD.search(line)
    if head is None:
        return None
    latencies = {
        operation["name"]: _operation_figures(operation["figures"])
        for operation in _OPERATION.finditer(line, head.end())
    }
    return StatusLine(
        elapsed_s=int(head["elapsed"]),
        operations=int(head["operations"]),
        current_ops=None if head["current"] is None else parse_number(head["current"]),
        latencies=latencies,
    )


class StatusLineReader:
    """Readings from status lines, one for each."""

    def __init__(self) -> None:
        self._elapsed_s = 0
        self._operations = 0
        self._failed_in_them = 0
        self._errors = 0

    def feed(self, line: str) -> Reading | None:
        """Take a line; a reading if it is a status line."""
        status = parse_status_line(line)
        if status is None:
            return None
        if status.operations < self._operations or status.elapsed_s < self._elapsed_s:
            self._begin_again()
        fresh = status.operations - self._operations
        current = max(0.0, status.current_ops or 0.0)
        failed = _failures(status.latencies)
        included = min(failed, fresh) if failed and _counts_failures(status.latencies, fresh) else 0
        interval_s = self._interval_s(status, fresh, current)
        self._elapsed_s, self._operations = status.elapsed_s, status.operations
        self._failed_in_them += included
        self._errors += failed
        return Reading(
            ops_per_sec=current * (fresh - included) / fresh if fresh else current,
            errors_per_sec=failed / interval_s,
            elapsed=float(status.elapsed_s),
            operations=status.operations - self._failed_in_them,
            errors=self._errors,
            latency={name: figures.summary() for name, figures in status.latencies.items()},
        )

    def flush(self) -> Reading | None:
        """Each line is complete by itself."""
        return None

    def _begin_again(self) -> None:
        self._elapsed_s = self._operations = self._failed_in_them = self._errors = 0

    def _interval_s(self, status: StatusLine, fresh: int, current: float) -> float:
        # The line does not say how long its interval was, but the rate times it is the number of operations.
        if fresh and current:
            return fresh / current
        return float(max(status.elapsed_s - self._elapsed_s, 1))


def _operation_figures(text: str) -> OperationFigures:
    values = ((name, parse_number(value)) for name, value in _FIGURE.findall(text))
    return OperationFigures({name: value for name, value in values if value is not None})


def _failures(latencies: Mapping[str, OperationFigures]) -> int:
    # A failed read-modify-write also shows as the read or update that failed in it.
    return sum(
        figures.count
        for name, figures in latencies.items()
        if name.endswith(_FAILED) and not name.startswith(_READ_MODIFY_WRITE)
    )


def _counts_failures(latencies: Mapping[str, OperationFigures], fresh: int) -> bool:
    """True when the ``fresh`` operations of the interval are more than those that succeeded by the counts."""
    succeeded = sum(
        figures.count * (-1 if name == _READ_MODIFY_WRITE else 1)
        for name, figures in latencies.items()
        if not name.endswith(_FAILED) and name != "CLEANUP"
    )
    # Java takes the two figures a moment apart; so the line is drawn in the middle.
    return fresh - succeeded > _failures(latencies) / 2
