"""Latency of one node between looks: how long its commands ran, and how long a client waits for it.

Both are needed. The server's own histogram counts every operation of the load, but only the time inside the command:
a node that is starved or stopped again and again shows nothing there, because it is stopped between commands. So
each look also sends a few pings one after another and times them. The two histograms of a server are cumulative; what
counts is the difference between two looks.
"""

import math
import statistics
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from operatord.subjects.valkey.wire import Reply

DATA_READS = ("hgetall", "hmget", "hget", "get", "mget", "zrange", "zrangebyscore", "zrangebylex")
DATA_WRITES = ("hset", "hmset", "hsetnx", "set", "del", "unlink", "zadd", "zrem")
DATA_COMMANDS = DATA_READS + DATA_WRITES
"""What a load consists of; everything else is housekeeping, ours included."""

PINGS_PER_LOOK = 8
_LEAST_OF = 32
"""Pings of which the quickest counts: those of four looks."""
PING_WINDOW = 128
"""Pings remembered: 8 s at two looks a second. The nearest-rank p99 of 128 leaves out the slowest one, so that a
single hiccup (of this machine as likely as of the node) does not count."""

_MIN_COMMANDS = 50
"""Below this many operations between two looks their p99 says nothing."""

_LOOKS = 8
"""Looks of which the quickest counts: 4 s of them."""


class Ping(NamedTuple):
    """One round trip, in seconds."""

    took_s: float
    waited_s: float = 0.0
    """Of it, what the node or the one who asks spent in a queue for a processor (``runqueue``)."""

    @property
    def own_s(self) -> float:
        """What is left without the host's load."""
        return max(0.0, self.took_s - self.waited_s)


def p99(values: Iterable[float]) -> float | None:
    """Nearest-rank 99th percentile; None of nothing."""
    ordered = sorted(values)
    return ordered[math.ceil(0.99 * len(ordered)) - 1] if ordered else None


def histogram(reply: Reply) -> dict[int, int]:
    """Sum the reply of ``LATENCY HISTOGRAM`` over its commands: upper bound of a bucket, in microseconds, to count."""
    total: dict[int, int] = {}
    entries = reply if isinstance(reply, list) else []
    for entry in entries[1::2]:
        if not isinstance(entry, list) or len(entry) < 4 or not isinstance(entry[3], list):
            continue
        for bound, below in _filled(entry[3]):
            total[bound] = total.get(bound, 0) + below
    return total


def _filled(pairs: list[Reply]) -> Iterable[tuple[int, int]]:
    """``(upper bound, count of this bucket alone)`` of one command's cumulative buckets."""
    before = 0
    for bound, cumulative in zip(pairs[::2], pairs[1::2], strict=False):
        if isinstance(bound, int) and isinstance(cumulative, int):
            yield bound, cumulative - before
            before = cumulative


def p99_between(before: Mapping[int, int], after: Mapping[int, int]) -> float | None:
    """The 99th percentile, in milliseconds, of what ran between two histograms.

    An upper bound, as good as the server's buckets (each twice the one before). None when too little ran, or when
    the node was restarted in between and counts from nothing.
    """
    ran = {bound: count - before.get(bound, 0) for bound, count in after.items()}
    total = sum(ran.values())
    if total < _MIN_COMMANDS or any(count < 0 for count in ran.values()):
        return None
    rank, seen = math.ceil(0.99 * total), 0
    for bound in sorted(ran):
        seen += ran[bound]
        if seen >= rank:
            return bound / 1000
    return None


class LatencyTrack:
    """What is remembered of one node from look to look."""

    def __init__(self) -> None:
        self._pings: deque[Ping] = deque(maxlen=PING_WINDOW)
        self._asked_s: deque[float] = deque(maxlen=_LOOKS)
        self._buckets: dict[int, int] | None = None
        self._run_id = ""
        self.commands_p99_ms: float | None = None

    def pinged(self, pings: Iterable[Ping]) -> None:
        """Add the round trips of one look."""
        self._pings.extend(pings)

    def looked(self, run_id: str, reply: Reply, asked_s: float) -> None:
        """Take in a fresh ``LATENCY HISTOGRAM`` of the server instance ``run_id``, and how long the look took."""
        buckets = histogram(reply)
        same = self._buckets is not None and run_id == self._run_id
        self.commands_p99_ms = p99_between(self._buckets or {}, buckets) if same else None
        if run_id != self._run_id:
            self._pings.clear()
            self._asked_s.clear()
        self._asked_s.append(asked_s)
        self._buckets, self._run_id = buckets, run_id

    @property
    def pings_least_ms(self) -> float | None:
        """The quickest of the last ``_LEAST_OF`` pings; None until there are as many."""
        if len(self._pings) < _LEAST_OF:
            return None
        return min(ping.took_s for ping in list(self._pings)[-_LEAST_OF:]) * 1000

    @property
    def pings_median_ms(self) -> float | None:
        """The middle one of the same."""
        if len(self._pings) < _LEAST_OF:
            return None
        return statistics.median(ping.took_s for ping in list(self._pings)[-_LEAST_OF:]) * 1000

    @property
    def asked_least_ms(self) -> float | None:
        """The quickest of the last ``_LOOKS`` looks, which are answered at length; None until there are as many."""
        return min(self._asked_s) * 1000 if len(self._asked_s) == _LOOKS else None

    @property
    def pings_p99_ms(self) -> float | None:
        """Of the pings remembered; None until half of the window is filled."""
        return self._worst_ms(ping.took_s for ping in self._pings)

    @property
    def pings_own_p99_ms(self) -> float | None:
        """The same of what the pings took without the time in a queue for a processor."""
        return self._worst_ms(ping.own_s for ping in self._pings)

    def _worst_ms(self, seconds: Iterable[float]) -> float | None:
        if len(self._pings) < PING_WINDOW // 2:
            return None
        worst = p99(seconds)
        return None if worst is None else worst * 1000
