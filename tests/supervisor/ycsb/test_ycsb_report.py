"""Pace, measurements and printed lines."""

import math
from datetime import datetime

import pytest

from operatord.ycsb.binding import Status
from operatord.ycsb.control import parse_rate
from operatord.ycsb.measurements import Latency, Measurements
from operatord.ycsb.pacing import CATCH_UP_S, Pacer
from operatord.ycsb.report import decimal, final_block, remaining, status_line


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_starts_are_spaced_by_the_rate() -> None:
    pacer = Pacer(1000.0, Time())
    assert [pacer.reserve() for _ in range(4)] == pytest.approx([100.0, 100.001, 100.002, 100.003])


def test_no_more_than_a_tenth_of_a_second_is_caught_up_or_an_outage_would_not_show() -> None:
    clock = Time()
    pacer = Pacer(100.0, clock)
    pacer.reserve()
    clock.now += 60.0
    due = 0
    while pacer.reserve() <= clock.now:
        due += 1
    assert due == pytest.approx(CATCH_UP_S * 100 + 1, abs=1)


def test_a_short_stall_is_caught_up_completely() -> None:
    clock = Time()
    pacer = Pacer(512.0, clock)
    pacer.reserve()
    clock.now += 0.0625
    assert [pacer.reserve() <= clock.now for _ in range(33)] == [True] * 32 + [False]


def test_without_a_rate_every_start_is_now() -> None:
    clock = Time()
    pacer = Pacer(0.0, clock)
    assert {pacer.reserve() for _ in range(10)} == {100.0}


def test_a_new_rate_voids_what_was_reserved_and_owed() -> None:
    clock = Time()
    pacer = Pacer(0.1, clock)
    pacer.reserve()
    epoch = pacer.epoch
    clock.now += 0.5
    pacer.set_rate(10.0)
    assert pacer.epoch != epoch
    assert [pacer.reserve() for _ in range(2)] == pytest.approx([100.5, 100.6])


@pytest.mark.parametrize("line", ["rate", "rate x", "rate -1", "rate nan", "rate inf", "speed 4", ""])
def test_a_line_that_is_no_rate_is_refused_with_what_to_type(line: str) -> None:
    with pytest.raises(ValueError, match="rate N"):
        parse_rate(line)


def test_a_rate_is_read() -> None:
    assert parse_rate("rate 2500.5\n") == 2500.5
    assert parse_rate("rate 0") == 0.0


def test_numbers_are_written_as_java_does() -> None:
    assert [decimal(value) for value in (37634.744, 2000.0, 0.0, 0.5, 12.3, math.nan)] == [
        "37634.74",
        "2000",
        "0",
        "0.5",
        "12.3",
        "NaN",
    ]


def test_the_status_line_is_javas() -> None:
    latency = Latency(
        188431, 157, 154495, 548.39, {50.0: 500, 90.0: 739, 95.0: 1200, 99.0: 3513, 99.9: 15359, 99.99: 44991}
    )
    line = status_line(
        now=datetime.fromisoformat("2017-05-20T18:55:44.512+00:00"),
        elapsed_s=10.0004,
        operations=376385,
        current_ops=37634.744,
        remaining_s=120,
        latencies={"READ": latency},
    )
    assert line == (
        "2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634.74 current ops/sec; est completion in 2 minutes "
        "[READ: Count=188431, Max=154495, Min=157, Avg=548.39, 50=500, 90=739, 95=1200, 99=3513, 99.9=15359, "
        "99.99=44991]"
    )


def test_an_endless_run_estimates_no_end_and_a_label_comes_first() -> None:
    line = status_line(
        now=datetime.fromisoformat("2026-01-02T03:04:05+00:00"),
        elapsed_s=1,
        operations=0,
        current_ops=0.0,
        remaining_s=None,
        latencies={},
        label="mine ",
    )
    assert line == "mine 2026-01-02 03:04:05:000 1 sec: 0 operations; 0 current ops/sec;"


def test_the_time_that_remains_is_said_in_words() -> None:
    assert [remaining(s) for s in (0, 1, 59.5, 61, 3600, 3660, 90_000, math.inf)] == [
        "0 seconds ",
        "1 second ",
        "1 minute ",
        "1 minute 1 second ",
        "1 hour ",
        "1 hour 1 minute ",
        "1 day 1 hour ",
        "unknown time ",
    ]


def test_intervals_are_told_apart_and_add_up_to_the_total() -> None:
    measurements = Measurements()
    for latency_us in range(1, 1001):
        measurements.record("READ", latency_us, Status.OK)
    first = measurements.take_interval()
    measurements.record("READ", 5000, Status.OK)
    measurements.record("READ", 5_000_000, Status.SERVICE_UNAVAILABLE)
    second = measurements.take_interval()
    assert (first["READ"].count, first["READ"].lowest, first["READ"].highest) == (1000, 1, 1000)
    assert first["READ"].average == 500.5
    assert first["READ"].percentiles[99.0] == pytest.approx(990, abs=1)
    assert (second["READ"].count, second["READ-FAILED"].count) == (1, 1)
    assert second["READ"].highest == pytest.approx(5000, rel=0.001)
    empty = measurements.take_interval()["READ"]
    assert empty.count == 0
    assert math.isnan(empty.average)
    totals = {name: latency.count for name, latency, _ in measurements.totals()}
    assert totals == {"READ": 1001, "READ-FAILED": 1}


def test_the_final_block_is_javas_and_tells_return_codes_apart() -> None:
    measurements = Measurements()
    measurements.record("READ", 100, Status.OK)
    measurements.record("READ", 300, Status.OK)
    measurements.record("READ", 9, Status.NOT_FOUND)
    assert list(final_block(10.0, 2, measurements)) == [
        "[OVERALL], RunTime(ms), 10000",
        "[OVERALL], Throughput(ops/sec), 0.2",
        "[READ], Operations, 2",
        "[READ], AverageLatency(us), 200.0",
        "[READ], MinLatency(us), 100",
        "[READ], MaxLatency(us), 300",
        "[READ], 50thPercentileLatency(us), 100",
        "[READ], 95thPercentileLatency(us), 300",
        "[READ], 99thPercentileLatency(us), 300",
        "[READ], Return=OK, 2",
        "[READ], Return=NOT_FOUND, 1",
        "[READ-FAILED], Operations, 1",
        "[READ-FAILED], AverageLatency(us), 9.0",
        "[READ-FAILED], MinLatency(us), 9",
        "[READ-FAILED], MaxLatency(us), 9",
        "[READ-FAILED], 50thPercentileLatency(us), 9",
        "[READ-FAILED], 95thPercentileLatency(us), 9",
        "[READ-FAILED], 99thPercentileLatency(us), 9",
    ]
