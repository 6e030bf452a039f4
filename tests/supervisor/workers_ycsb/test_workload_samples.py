"""From lines to published samples: warm-up, baseline, degradation."""

import pytest

from operator_protocol.models import WorkloadSample
from operatord.workers.ycsb.samples import READERS, Sampler


def sampler(warmup_samples: int = 2) -> Sampler:
    return Sampler(READERS["ycsb"](), warmup_samples, lambda: 1_700_000_000.0)


def feed(one: Sampler, *rates: float, start: int = 0) -> list[WorkloadSample]:
    samples, operations = [], start * 100_000
    for second, rate in enumerate(rates, start + 1):
        operations += int(rate)
        sample = one.feed(f"x {second} sec: {operations} operations; {rate:g} current ops/sec; [READ: Count={rate:g}]")
        assert sample is not None
        samples.append(sample)
    return samples


def test_every_status_line_is_a_sample_and_nothing_else_is() -> None:
    one = sampler()
    assert one.feed("YCSB load: 1000 records in 0.06 s") is None
    (sample,) = feed(one, 1234)
    assert (sample.ops_per_sec, sample.operations, sample.elapsed) == (1234, 1234, 1)
    assert sample.sampled_at == 1_700_000_000.0
    assert one.flush() is None


def test_the_warm_up_is_published_but_not_part_of_the_baseline() -> None:
    samples = feed(sampler(), 10, 20, 100, 100, 100, 100, 100)
    assert [sample.baseline for sample in samples] == [None] * 6 + [100]
    assert samples[-1].threshold == 50


def test_a_load_that_has_not_begun_does_not_spoil_the_baseline() -> None:
    samples = feed(sampler(), 0, 0, 0, 10, 20, 0, 100, 100, 100, 100, 100)
    assert samples[-1].baseline == 100


def test_an_outage_is_published_as_degraded_down_to_zero() -> None:
    one = sampler(0)
    feed(one, 100, 100, 100, 100, 100)
    outage = feed(one, 30, 0, 100, start=5)
    assert [(sample.ops_per_sec, sample.degraded) for sample in outage] == [(30, True), (0, True), (100, False)]


def test_a_new_rate_begins_a_new_baseline() -> None:
    one = sampler(1)
    feed(one, 100, 100, 100, 100, 100, 100)
    one.restart_baseline()
    samples = feed(one, 70, 20, 20, 20, 20, 20, start=6)
    assert [sample.baseline for sample in samples] == [None] * 5 + [20]
    assert not any(sample.degraded for sample in samples)


def test_no_baseline_is_taken_while_something_is_broken_on_purpose() -> None:
    one = sampler(0)
    feed(one, 100, 100)
    one.disturb(True)
    during = feed(one, 10, 0, 0, 20, start=2)
    one.disturb(False)
    # The first one after it began while it was in force.
    after = feed(one, 50, 100, 100, 100, start=6)
    assert [sample.baseline for sample in during + after] == [None] * 7 + [100]
    assert not any(sample.degraded for sample in during + after)


def test_a_baseline_that_is_known_stays_while_something_is_broken() -> None:
    one = sampler(0)
    feed(one, 100, 100, 100, 100, 100)
    one.disturb(True)
    assert [sample.degraded for sample in feed(one, 10, 60, start=5)] == [True, False]


@pytest.mark.parametrize("line_format", ["ycsb", "go-ycsb"])
def test_there_is_a_reader_for_each_format(line_format: str) -> None:
    assert READERS[line_format]().flush() is None
