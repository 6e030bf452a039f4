"""The distributions, against the figures published with YCSB and by the law of large numbers."""

import math
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from operatord.ycsb.counters import AcknowledgedCounter
from operatord.ycsb.generators import (
    SCRAMBLED_ZETA,
    ExactZipfianGenerator,
    HotspotGenerator,
    LatestGenerator,
    NumberGenerator,
    ScrambledZipfianGenerator,
    UniformGenerator,
    ZipfianGenerator,
    extend_zeta,
    zeta,
)
from operatord.ycsb.hashing import fnv_hash64

DRAWS = 1_000_000

P0, P1 = 0.12938362697857167, 0.06514178063627049
"""1 / zeta(1000) and 0.5^0.99 / zeta(1000): the .1294 and .0651 of the literature, with all their digits."""

TOP_1, TOP_20 = 0.38247191222472887, 0.7789296967298818
"""Mass of the top 1 % and 20 % of 1,000 items by Zipf's law: .3825 and .7789."""


def counted(generator: NumberGenerator, draws: int = DRAWS) -> Counter[int]:
    draw = generator.next
    return Counter(draw() for _ in range(draws))


def share_below(counts: Counter[int], rank: int) -> float:
    return sum(count for number, count in counts.items() if number < rank) / counts.total()


def within_3_sigma(measured: float, expected: float, draws: int = DRAWS) -> bool:
    return abs(measured - expected) <= 3 * math.sqrt(expected * (1 - expected) / draws)


@pytest.fixture(scope="module")
def zipfian_counts() -> Counter[int]:
    return counted(ZipfianGenerator(1000, Random(7)))


@pytest.mark.parametrize(
    ("n", "expected"),
    [(2, 1.503477775), (100, 5.294568831), (1000, 7.728953217), (10_000, 10.22436146)],
)
def test_zeta_has_the_published_values(n: int, expected: float) -> None:
    assert zeta(n) == pytest.approx(expected, rel=1e-9)


def test_eta_has_the_published_value() -> None:
    assert ZipfianGenerator(1000, Random(0)).eta == pytest.approx(0.0748060867, abs=1e-10)


def test_zeta_can_be_extended_instead_of_summed_up_again() -> None:
    assert extend_zeta(zeta(100), 100, 1000) == pytest.approx(zeta(1000), rel=1e-14)


def test_the_facts_figures_are_zipfs_law() -> None:
    assert (round(P0, 4), round(P1, 4)) == (0.1294, 0.0651)
    assert round(zeta(10) / zeta(1000), 4) == round(TOP_1, 4) == 0.3825
    assert round(zeta(200) / zeta(1000), 4) == round(TOP_20, 4) == 0.7789


def test_the_two_most_popular_ranks_of_the_zipfian_generator_are_exact(zipfian_counts: Counter[int]) -> None:
    assert within_3_sigma(zipfian_counts[0] / DRAWS, P0)
    assert within_3_sigma(zipfian_counts[1] / DRAWS, P1)


def test_the_masses_of_the_zipfian_generator_are_those_of_grays_formula(zipfian_counts: Counter[int]) -> None:
    generator = ZipfianGenerator(1000, Random(0))
    # What the formula does beyond the second rank is not Zipf's law, and no number of draws brings it there.
    assert generator.mass_below(10) == pytest.approx(0.39834556)
    assert generator.mass_below(200) == pytest.approx(0.78657410)
    assert generator.mass_below(3) - generator.mass_below(2) == pytest.approx(0.0510, abs=5e-5)
    assert within_3_sigma(share_below(zipfian_counts, 10), generator.mass_below(10))
    assert within_3_sigma(share_below(zipfian_counts, 200), generator.mass_below(200))
    assert not within_3_sigma(share_below(zipfian_counts, 10), TOP_1)


def test_the_exact_generator_follows_zipfs_law_in_all_four_figures() -> None:
    counts = counted(ExactZipfianGenerator(1000, Random(7)))
    assert within_3_sigma(counts[0] / DRAWS, P0)
    assert within_3_sigma(counts[1] / DRAWS, P1)
    assert within_3_sigma(share_below(counts, 10), TOP_1)
    assert within_3_sigma(share_below(counts, 200), TOP_20)


def test_zipfian_ranks_stay_within_the_items() -> None:
    for items in (1, 2, 3, 10):
        assert set(counted(ZipfianGenerator(items, Random(1), low=5), 20_000)) == set(range(5, 5 + items))


def test_a_zipfian_generator_that_grew_is_like_one_that_was_made_so() -> None:
    grown, made = ZipfianGenerator(10, Random(3)), ZipfianGenerator(1000, Random(3))
    assert [grown.next_of(1000) for _ in range(500)] == [made.next() for _ in range(500)]
    assert grown.eta == pytest.approx(made.eta)


def test_fnv_hashes_the_little_endian_bytes_as_java_does() -> None:
    assert fnv_hash64(0) == 6284781860667377211
    assert fnv_hash64(1) == 8517097267634966620
    assert all(0 <= fnv_hash64(value) < 1 << 63 for value in range(1000))


def test_the_scrambled_generator_spreads_the_ranks_of_ten_billion_items() -> None:
    low, items = 100, 1 << 40  # so many that no two of the popular ranks fall together
    counts = counted(ScrambledZipfianGenerator(low, low + items - 1, Random(11)))
    hottest, second = (low + fnv_hash64(rank) % items for rank in (0, 1))
    assert [number for number, _ in counts.most_common(2)] == [hottest, second]
    assert within_3_sigma(counts[hottest] / DRAWS, 1 / SCRAMBLED_ZETA)
    assert within_3_sigma(counts[second] / DRAWS, 0.5**0.99 / SCRAMBLED_ZETA)
    assert (round(1 / SCRAMBLED_ZETA, 4), round(0.5**0.99 / SCRAMBLED_ZETA, 4)) == (0.0378, 0.0190)


def test_the_scrambled_generator_reaches_both_ends() -> None:
    assert set(counted(ScrambledZipfianGenerator(3, 12, Random(2)), 5_000)) == set(range(3, 13))


def test_the_latest_is_the_most_popular() -> None:
    newest = 999
    generator = LatestGenerator(lambda: newest, Random(5))
    counts = counted(generator, 100_000)
    # Zipfian over as many items as the last number says, so the very first record is never drawn.
    assert counts.most_common(1)[0][0] == 999
    assert within_3_sigma(counts[999] / 100_000, 1 / zeta(999), 100_000)
    assert min(counts) >= 1
    newest = 1999
    assert counted(generator, 10_000).most_common(1)[0][0] == 1999


def test_the_latest_of_a_single_record_is_that_record() -> None:
    assert LatestGenerator(lambda: 0, Random(5)).next() == 0


def test_uniform_numbers_are_equally_frequent_at_both_ends() -> None:
    counts = counted(UniformGenerator(1, 100, Random(4)), 200_000)
    assert set(counts) == set(range(1, 101))
    assert all(within_3_sigma(counts[number] / 200_000, 0.01, 200_000) for number in (1, 100))


def test_a_hotspot_gets_four_fifths_of_the_draws() -> None:
    counts = counted(HotspotGenerator(0, 999, Random(6)), 200_000)
    assert within_3_sigma(share_below(counts, 200), 0.8, 200_000)
    assert max(counts) <= 999


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: UniformGenerator(0, 999, rng),
        lambda rng: ZipfianGenerator(1000, rng),
        lambda rng: ExactZipfianGenerator(1000, rng),
        lambda rng: ScrambledZipfianGenerator(0, 1000, rng),
        lambda rng: LatestGenerator(lambda: 999, rng),
        lambda rng: HotspotGenerator(0, 999, rng),
    ],
)
def test_the_same_seed_draws_the_same_numbers(make: Callable[[Random], NumberGenerator]) -> None:
    first, second, other = make(Random(1)), make(Random(1)), make(Random(2))
    drawn = [first.next() for _ in range(200)]
    assert drawn == [second.next() for _ in range(200)]
    assert drawn != [other.next() for _ in range(200)]


def test_an_acknowledged_counter_ends_where_the_first_gap_is() -> None:
    counter = AcknowledgedCounter(10)
    assert counter.last() == 9
    taken = [counter.next() for _ in range(4)]
    assert taken == [10, 11, 12, 13]
    counter.acknowledge(11)
    counter.acknowledge(12)
    assert counter.last() == 9
    counter.acknowledge(10)
    assert counter.last() == 12
