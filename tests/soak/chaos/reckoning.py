"""What it all came to: tickets against violations, memory at the end against memory when warm."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from operator_protocol.errors import OperatorError
from operator_protocol.journal import read_frames
from operator_protocol.models import Violation
from operator_protocol.records import from_body
from operator_protocol.topics import VIOLATION_OPENED

_REOPENED_S = 30.0
"""A daemon that dies between a violation and its ticket: its successor's monitor sees the trouble again."""
_SLACK_S = 2.0
_WARM_S = 60.0
"""By then most of what it remembers, the tails above all, has been filled once."""
_MIB = 1 << 20


@dataclass(frozen=True)
class Seen:
    """A ``violation.opened`` that somebody has recorded."""

    violation: Violation
    at: float


def violations_in(recordings: Iterable[Path]) -> list[Seen]:
    """Each once, by its id."""
    found: dict[str, Seen] = {}
    for recording in recordings:
        try:
            for frame in read_frames(recording):
                if frame.topic == VIOLATION_OPENED:
                    violation = from_body(Violation, frame.body)
                    found.setdefault(violation.id, Seen(violation, frame.header.wall_ts))
        except OperatorError:
            continue  # killed before it had written anything
    return list(found.values())


def without_ticket(seen: Iterable[Seen], database: Path) -> list[Seen]:
    """Violations during which no ticket of their trouble was open."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tickets = connection.execute("select invariant, node, opened_at, resolved_at from tickets").fetchall()
    connection.close()
    return [
        one
        for one in seen
        if not any(
            (invariant, node or None) == (one.violation.invariant, one.violation.node or None)
            and opened_at <= one.at + _REOPENED_S
            and (resolved_at is None or resolved_at >= one.at - _SLACK_S)
            for invariant, node, opened_at, resolved_at in tickets
        )
    ]


@dataclass(frozen=True)
class Memory:
    """Of the last daemon, in MiB."""

    lived_s: float
    warm: float
    end: float
    curve: Sequence[float]
    """Every 15 s."""

    @property
    def grown(self) -> float:
        return self.end - self.warm


def memory_of_last(usage: Sequence[tuple[float, int, int]]) -> Memory:
    """The median of ten seconds when it was warm, and of the last ten."""
    last = [(at, rss / _MIB) for at, pid, rss in usage if pid == usage[-1][1]]
    begun, ended = last[0][0], last[-1][0]
    warm = [rss for at, rss in last if begun + _WARM_S <= at < begun + _WARM_S + 10] or [last[0][1]]
    curve = [rss for number, (_, rss) in enumerate(last) if number % 15 == 0]
    return Memory(ended - begun, median(warm), median([rss for at, rss in last if at >= ended - 10]), curve)
