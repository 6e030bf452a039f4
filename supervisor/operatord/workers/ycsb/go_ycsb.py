"""The report of go-ycsb: a table of lines, one for each operation, every ten seconds.

``READ   - Takes(s): 10.0, Count: 9211, OPS: 921.3, Avg(us): 540, …, 99th(us): 1200, 99.9th(us): …, 99.99th(us): …``

Everything in it is cumulative since that operation's first sample, so a rate is the difference of two tables: the
count's over that of ``Takes``. The OPS it prints itself would sink only slowly in an outage. Percentiles cannot be
taken apart in the same way, so a reading has none. Failures are ``READ_ERROR`` and are not in ``TOTAL``.

In raw mode an UPDATE whose read failed returns success; while reads fail, updates are therefore believed only in the
proportion in which reads succeed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from operator_protocol.models import LatencySummary
from operatord.workers.ycsb.reading import Reading
from operatord.workers.ycsb.status_line import parse_number

_LINE = re.compile(r"\b(?P<name>[A-Z][A-Z_]*)\s+- (?P<figures>Takes\(s\): .*)")
_FIGURE = re.compile(r"([^\s:,][^:,]*): ([^\s,]+)")
_BEGINNING = re.compile(r"\*{4,} properties \*{4,}")
"""In a file that is followed there may be one run after the other."""

_ERROR = "_ERROR"
_TOTAL = "TOTAL"
_READ_MODIFY_WRITE = "READ_MODIFY_WRITE"


@dataclass(frozen=True, slots=True)
class Line:
    """One operation of a table."""

    operation: str
    takes_s: float
    count: int
    figures: Mapping[str, float]
    """Every figure of the line by its name, as far as it is a number."""


def parse_line(line: str) -> Line | None:
    """Parse a line of the table; None for any other line."""
    found = _LINE.search(line)
    if found is None:
        return None
    values = ((name, parse_number(value)) for name, value in _FIGURE.findall(found["figures"]))
    figures = {name: value for name, value in values if value is not None}
    if figures.get("Takes(s)", -1.0) < 0 or figures.get("Count", -1.0) < 0:
        return None
    return Line(found["name"], figures["Takes(s)"], int(figures["Count"]), figures)


class GoYcsbReader:
    """Readings from tables, one for each.

    A table has no end mark. Its lines are sorted, so a name that does not come after the last one begins the next
    table; and they come in one go, so ``flush`` may be called when no line came for a moment.
    """

    def __init__(self) -> None:
        self._before: dict[str, Line] = {}
        self._table: dict[str, Line] = {}
        self._finished = False

    def feed(self, line: str) -> Reading | None:
        """Take a line; a reading if it showed that the table before it was complete."""
        if _BEGINNING.match(line):
            reading = self.flush()
            self._before, self._finished = {}, False
            return reading
        parsed = None if self._finished else parse_line(line)
        if parsed is None:
            # A line of a client's log may stand in the middle of a table, so it says nothing about its end.
            if self._finished or not line.startswith("Run finished"):
                return None
            # The table after the end repeats the last one, a moment later: no interval to speak of.
            self._finished = True
            return self.flush()
        reading = self.flush() if self._table and parsed.operation <= next(reversed(self._table)) else None
        self._table[parsed.operation] = parsed
        return reading

    def flush(self) -> Reading | None:
        """The table is complete; None when there is none."""
        if not self._table:
            return None
        table, self._table = self._table, {}
        if any(name in table and _is_ahead(line, table[name]) for name, line in self._before.items()):
            self._before = {}  # neither counts nor times ever fall: this is another run
        before, self._before = self._before, {**self._before, **table}
        return _difference(before, table)


def _is_ahead(line: Line, other: Line) -> bool:
    return line.count > other.count or line.takes_s > other.takes_s


def _difference(before: Mapping[str, Line], table: Mapping[str, Line]) -> Reading:
    fresh = {name: line.count - (before[name].count if name in before else 0) for name, line in table.items()}
    took = {name: line.takes_s - (before[name].takes_s if name in before else 0.0) for name, line in table.items()}
    # An operation that is new in this table (the first error) has been timed for only a part of the interval.
    interval_s = max((took[name] for name in table if name in before), default=max(took.values()))
    successes = {name: count for name, count in fresh.items() if not name.endswith(_ERROR)}
    errors = sum(count for name, count in fresh.items() if name.endswith(_ERROR))
    done = successes.get(_TOTAL, _sum(successes)) - _disbelieved(fresh)
    longest = max(table.values(), key=lambda line: line.takes_s)
    return Reading(
        ops_per_sec=max(done, 0.0) / interval_s if interval_s > 0 else 0.0,
        errors_per_sec=errors / interval_s if interval_s > 0 else 0.0,
        elapsed=longest.takes_s,
        operations=table[_TOTAL].count if _TOTAL in table else _sum({n: line.count for n, line in table.items()}),
        errors=sum(line.count for name, line in table.items() if name.endswith(_ERROR)),
        latency={name: LatencySummary(count=count) for name, count in successes.items() if name != _TOTAL},
    )


def _sum(counts: Mapping[str, int]) -> int:
    # A read-modify-write is there a second time as its read and its update.
    return sum(
        count
        for name, count in counts.items()
        if not name.endswith(_ERROR) and name not in {_TOTAL, _READ_MODIFY_WRITE}
    )


def _disbelieved(fresh: Mapping[str, int]) -> float:
    """How many of the updates must have failed, going by the reads."""
    failed = fresh.get("READ" + _ERROR, 0)
    if failed <= 0:
        return 0.0
    return fresh.get("UPDATE", 0) * failed / (failed + fresh.get("READ", 0))
