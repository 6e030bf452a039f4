"""When the next operation may start: a schedule that all clients share, so that the rate holds for the whole run.

A run that fell behind (an outage, a machine that stalled) makes up for at most ``CATCH_UP_S`` of it. Java YCSB
catches up without bound, and after ten seconds of outage would run flat out for as long as it takes: the load after a
fault would say nothing about the database.
"""

from operatord.clock import Clock

CATCH_UP_S = 0.1
"""A primary's outage is 1.2 s at least. It falls into two samples of a second, so in one of them 0.6 s or more are
missing, and what is caught up in the same second must not fill that gap to above half of the baseline: that leaves
room for 0.2 s of catching up. (With 1 s, three of fifteen runs showed no sample under half the baseline.)"""


class Pacer:
    """Hands out starting times, ``1 / rate`` apart. A rate of 0 is unthrottled."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._clock = clock
        self.epoch = 0
        """Changes with the rate: a start that was reserved under another epoch is void."""
        self.rate = rate
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next = clock()

    def set_rate(self, rate: float) -> None:
        """Go on at ``rate`` operations per second from now; nothing is owed from before."""
        self.rate = rate
        self._interval = 1.0 / rate if rate > 0 else 0.0
        self._next = self._clock()
        self.epoch += 1

    def restart(self) -> None:
        """Forget what was owed: the schedule begins now."""
        self.set_rate(self.rate)

    def reserve(self) -> float:
        """Take the next start: a time of the clock, which may be past."""
        now = self._clock()
        if self._interval == 0.0:
            return now
        start = max(self._next, now - CATCH_UP_S)
        self._next = start + self._interval
        return start
