"""Where the next number comes from: the distributions of YCSB, each drawing from a ``random.Random`` it is given.

The zipfian generator is the one of Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD
1994), as YCSB uses it. It is exact for the two most popular ranks and an approximation for the others: of 1,000 items
it gives the top 1 % a mass of 0.3983 where Zipf's law says 0.3825, and the top 20 % 0.7866 instead of 0.7789.
``mass_below`` tells what it really does; ``ExactZipfianGenerator`` is there for those who want the law itself.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Protocol

from operatord.ycsb.hashing import fnv_hash64

ZIPFIAN_THETA = 0.99
"""Skew of YCSB's zipfian distribution (``ZipfianGenerator.ZIPFIAN_CONSTANT``)."""

SCRAMBLED_ITEMS = 10_000_000_000
"""Items of the zipfian distribution below the scrambled one (``ScrambledZipfianGenerator.ITEM_COUNT``)."""

SCRAMBLED_ZETA = 26.46902820178302
"""``zeta(SCRAMBLED_ITEMS)``, published with YCSB because it takes minutes to sum up."""


class NumberGenerator(Protocol):
    """Something that yields whole numbers."""

    def next(self) -> int:
        """The next number."""


@lru_cache(maxsize=64)
def zeta(n: int, theta: float = ZIPFIAN_THETA) -> float:
    """The generalised harmonic number: the sum of ``i ** -theta`` for i from 1 to n. ``zeta(1000)`` is 7.728953217."""
    return math.fsum(i**-theta for i in range(1, n + 1))


def extend_zeta(known: float, known_n: int, n: int, theta: float = ZIPFIAN_THETA) -> float:
    """``zeta(n)`` from ``zeta(known_n)``, summing only what is new."""
    return known + math.fsum(i**-theta for i in range(known_n + 1, n + 1))


class UniformGenerator:
    """Every number from ``low`` to ``high``, both included, equally often."""

    def __init__(self, low: int, high: int, rng: Random) -> None:
        self._low = low
        self._span = high - low + 1
        self._random = rng.random

    def next(self) -> int:
        """The next number."""
        return self._low + int(self._random() * self._span)


class ZipfianGenerator:
    """Ranks from 0 (the most popular) to ``items - 1``, shifted by ``low``.

    ``zeta_n`` may be given when ``items`` is too large to sum up. The number of items may grow: ``next_of(n)`` adds
    the new terms to zeta instead of starting over.
    """

    def __init__(
        self, items: int, rng: Random, *, low: int = 0, theta: float = ZIPFIAN_THETA, zeta_n: float | None = None
    ) -> None:
        if items < 1:
            raise ValueError(f"a zipfian distribution needs at least one item, not {items}")
        self._random = rng.random
        self._low = low
        self._theta = theta
        self._alpha = 1.0 / (1.0 - theta)
        self._second: float = 1.0 + 0.5**theta
        self.items = items
        self.zeta_n = zeta(items, theta) if zeta_n is None else zeta_n
        self.eta = self._eta()

    def _eta(self) -> float:
        if self.items <= 2:
            return 0.0  # the first two ranks are drawn without it
        distance: float = (2.0 / self.items) ** (1.0 - self._theta)
        return (1.0 - distance) / (1.0 - zeta(2, self._theta) / self.zeta_n)

    def next(self) -> int:
        """The next rank, plus ``low``."""
        u = self._random()
        uz = u * self.zeta_n
        if uz < 1.0:
            return self._low
        if uz < self._second:
            return self._low + 1
        rank = int(self.items * (self.eta * u - self.eta + 1.0) ** self._alpha)
        return self._low + min(rank, self.items - 1)

    def next_of(self, items: int) -> int:
        """The next rank after the number of items grew to ``items``; it never shrinks."""
        if items > self.items:
            self.zeta_n = extend_zeta(self.zeta_n, self.items, items, self._theta)
            self.items = items
            self.eta = self._eta()
        return self.next()

    def mass_below(self, rank: int) -> float:
        """The share of draws that this generator, not Zipf's law, puts below ``rank`` (0 to ``items``)."""
        if rank <= 0:
            return 0.0
        if rank == 1:
            return 1.0 / self.zeta_n
        if rank >= self.items:
            return 1.0
        solved: float = ((rank / self.items) ** (1.0 / self._alpha) - 1.0 + self.eta) / self.eta
        return max(solved, self._second / self.zeta_n)


class ExactZipfianGenerator:
    """Ranks that follow Zipf's law exactly, by bisection in the summed weights: O(log n), and a table of n floats."""

    def __init__(self, items: int, rng: Random, *, low: int = 0, theta: float = ZIPFIAN_THETA) -> None:
        if items < 1:
            raise ValueError(f"a zipfian distribution needs at least one item, not {items}")
        self._random = rng.random
        self._low = low
        self._sums = list(accumulate(i**-theta for i in range(1, items + 1)))

    def next(self) -> int:
        """The next rank, plus ``low``."""
        rank = bisect_right(self._sums, self._random() * self._sums[-1])
        return self._low + min(rank, len(self._sums) - 1)


class ScrambledZipfianGenerator:
    """Zipfian popularity, spread over the numbers from ``low`` to ``high``, both included, by a hash.

    The ranks come from 10^10 items with the published zeta, so which numbers are popular does not depend on how many
    there are: the most popular one gets 0.0378 of the draws, the next 0.0190, plus its share of the long tail.
    """

    def __init__(self, low: int, high: int, rng: Random) -> None:
        self._low = low
        self._span = high - low + 1
        # Java passes 0 and ITEM_COUNT as inclusive bounds, so there is one item more than the name says.
        self._ranks = ZipfianGenerator(SCRAMBLED_ITEMS + 1, rng, zeta_n=SCRAMBLED_ZETA)

    def next(self) -> int:
        """The next number."""
        return self._low + fnv_hash64(self._ranks.next()) % self._span


class LatestGenerator:
    """The newest is the most popular: the last number of ``newest`` minus a zipfian rank."""

    def __init__(self, newest: Callable[[], int], rng: Random) -> None:
        self._newest = newest
        self._ranks = ZipfianGenerator(max(newest(), 1), rng)

    def next(self) -> int:
        """The next number."""
        newest = self._newest()
        return newest - self._ranks.next_of(newest) if newest > 0 else newest


class HotspotGenerator:
    """``hot_operations`` of the draws go to the first ``hot_data`` of the numbers from ``low`` to ``high``."""

    def __init__(self, low: int, high: int, rng: Random, *, hot_data: float = 0.2, hot_operations: float = 0.8) -> None:
        split = low + max(1, int((high - low + 1) * hot_data))
        self._hot = UniformGenerator(low, split - 1, rng)
        self._cold = UniformGenerator(split, high, rng) if split <= high else self._hot
        self._hot_operations = hot_operations
        self._random = rng.random

    def next(self) -> int:
        """The next number."""
        return self._hot.next() if self._random() < self._hot_operations else self._cold.next()
