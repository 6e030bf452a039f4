"""Status lines of Java YCSB, as they are found in the wild, and of our own client."""

from datetime import UTC, datetime

import pytest

from operatord.workers.ycsb.reading import Reading
from operatord.workers.ycsb.samples import READERS
from operatord.workers.ycsb.status_line import StatusLineReader, parse_number, parse_status_line
from operatord.ycsb.binding import Status
from operatord.ycsb.measurements import Measurements
from operatord.ycsb.report import status_line

JAVA = (
    "2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634.74 current ops/sec; est completion in 2 minutes "
    "[READ: Count=188431, Max=154495, Min=157, Avg=548.39, 50=500, 90=739, 99=3513, 99.9=15359, 99.99=44991] "
    "[INSERT: Count=187954, Max=154623, Min=163, Avg=547.2, 50=500, 90=740, 99=3514, 99.9=15360, 99.99=44990] "
)
JAVA_OLD = (
    "2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634.74 current ops/sec; est completion in 2 minutes "
    "[READ: Count=188431, Max=154495, Min=157, Avg=548.39, 90=739, 99=3513, 99.9=15359, 99.99=44991]"
)
JAVA_NOTHING_YET = "2017-05-20 18:55:34:512 0 sec: 0 operations; est completion in 106751991167300 days 15 hours "
JAVA_EMPTY_INTERVAL = (
    "2017-05-20 18:56:04:512 30 sec: 376385 operations; 0 current ops/sec; est completion in 4 minutes "
    "[READ: Count=0, Max=0, Min=9223372036854775807, Avg={average}, 90=0, 99=0, 99.9=0, 99.99=0]"
)
JAVA_COMMA = (
    "2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634,74 current ops/sec; est completion in 2 minutes "
    "[READ: Count=188431, Max=154495, Min=157, Avg=548,39, 90=739, 99=3513, 99.9=15359, 99.99=44991]"
)
JAVA_TIMESERIES = (
    "2017-05-20 18:55:44:512 10 sec: 1000 operations; 100 current ops/sec; [READ AverageLatency(us)=512.3] "
    "[UPDATE AverageLatency(us)=700.5]"
)


def java(elapsed_s: int, operations: int, current: float, *latencies: str) -> str:
    shown = " ".join(f"[{latency}, Max=9, Min=1, Avg=2, 90=3, 99=4, 99.9=5, 99.99=6]" for latency in latencies)
    return f"2017-05-20 18:55:44:512 {elapsed_s} sec: {operations} operations; {current} current ops/sec; {shown}"


def read(*lines: str) -> Reading:
    reader = StatusLineReader()
    readings = [reader.feed(line) for line in lines]
    assert readings[-1] is not None
    return readings[-1]


def test_a_line_of_java_ycsb_is_read_whole() -> None:
    status = parse_status_line(JAVA)
    assert status is not None
    assert (status.elapsed_s, status.operations, status.current_ops) == (10, 376385, 37634.74)
    assert list(status.latencies) == ["READ", "INSERT"]
    assert status.latencies["READ"].figures == {
        "Count": 188431,
        "Max": 154495,
        "Min": 157,
        "Avg": 548.39,
        "50": 500,
        "90": 739,
        "99": 3513,
        "99.9": 15359,
        "99.99": 44991,
    }


def test_latencies_are_published_in_milliseconds_and_missing_ones_as_none() -> None:
    summary = read(JAVA_OLD).latency["READ"]
    assert (summary.count, summary.p50, summary.p90, summary.p95) == (188431, None, 0.739, None)
    assert (summary.p99, summary.max) == (3.513, 154.495)


def test_a_label_in_front_does_not_matter() -> None:
    assert parse_status_line("host-7 run 3 sec: " + JAVA) == parse_status_line(JAVA)


def test_no_operation_yet_is_a_reading_of_zero() -> None:
    reading = read(JAVA_NOTHING_YET)
    assert (reading.ops_per_sec, reading.operations, reading.elapsed, dict(reading.latency)) == (0, 0, 0, {})


@pytest.mark.parametrize("average", ["NaN", "\ufffd", "?"])
def test_an_empty_interval_has_a_count_of_zero_and_no_latencies(average: str) -> None:
    reading = read(JAVA, JAVA_EMPTY_INTERVAL.format(average=average))
    assert reading.ops_per_sec == 0
    assert reading.operations == 376385
    summary = reading.latency["READ"]
    assert (summary.count, summary.p90, summary.p99, summary.max) == (0, None, None, None)


def test_decimals_follow_the_locale() -> None:
    status = parse_status_line(JAVA_COMMA)
    assert status is not None
    assert status.current_ops == 37634.74
    assert status.latencies["READ"].figures["Avg"] == 548.39
    assert status.latencies["READ"].figures["99.99"] == 44991


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234.5", 1234.5),
        ("1234,5", 1234.5),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1\u202f234,5", 1234.5),
        ("\u0661\u0662\u066b\u0665", 12.5),
        ("9223372036854775807", None),
        ("NaN", None),
        ("\ufffd", None),
        ("inf", None),
        ("", None),
    ],
)
def test_numbers_of_any_locale_are_read(text: str, expected: float | None) -> None:
    assert parse_number(text) == expected


def test_other_measurement_types_have_no_histogram() -> None:
    reading = read(JAVA_TIMESERIES)
    assert reading.ops_per_sec == 100
    assert {name: summary.count for name, summary in reading.latency.items()} == {"READ": 0, "UPDATE": 0}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "YCSB Client 0.18.0",
        "[OVERALL], RunTime(ms), 10110",
        "[OVERALL], Throughput(ops/sec), 98.91",
        "[READ], Operations, 503",
        "[READ], Return=OK, 503",
        "Loading workload...",
        "YCSB load: 300 of 1000 records",
    ],
)
def test_other_lines_are_no_readings(line: str) -> None:
    assert StatusLineReader().feed(line) is None


def java_operation(name: str, count: int) -> str:
    return f"[{name}: Count={count}, Max=9000, Min=157, Avg=548.39, 90=739, 99=3513, 99.9=8000, 99.99=9000] "


JAVA_RUN = [
    "Loading workload...",
    "Starting test.",
    "label 2017-05-20 18:55:34:512 0 sec: 0 operations; est completion in 106751991167300 days 15 hours  ",
    "label 2017-05-20 18:55:44:512 10 sec: 900 operations; 90 current ops/sec; est completion in 2 minutes "
    + java_operation("READ", 450)
    + java_operation("UPDATE", 450),
    "label 2017-05-20 18:55:54:512 20 sec: 1000 operations; 10 current ops/sec; est completion in 3 minutes "
    "[READ: Count=0, Max=0, Min=9223372036854775807, Avg=\ufffd, 90=0, 99=0, 99.9=0, 99.99=0] "
    + java_operation("UPDATE", 40)
    + java_operation("READ-FAILED", 60),
    "[OVERALL], RunTime(ms), 20110",
    "[OVERALL], Throughput(ops/sec), 49.7",
    "[READ], Operations, 450",
    "[READ], 99thPercentileLatency(us), 3513",
    "[READ], Return=OK, 450",
    "[READ-FAILED], Operations, 60",
]


@pytest.mark.parametrize("line_format", ["ycsb", "any"])
def test_a_whole_run_of_java_ycsb_is_three_readings(line_format: str) -> None:
    reader = READERS[line_format]()
    found = [reading for line in JAVA_RUN if (reading := reader.feed(line)) is not None]
    assert [reading.ops_per_sec for reading in found] == [0, 90, 4]
    assert [reading.errors_per_sec for reading in found] == [0, 0, 6]
    assert [(reading.operations, reading.errors) for reading in found] == [(0, 0), (900, 0), (940, 60)]
    assert reader.flush() is None


def test_failures_that_java_counts_as_operations_are_taken_out() -> None:
    before = java(10, 1000, 100, "READ: Count=500", "UPDATE: Count=500")
    reading = read(before, java(20, 2000, 100, "READ: Count=200", "UPDATE: Count=300", "READ-FAILED: Count=500"))
    assert reading.ops_per_sec == pytest.approx(50)
    assert reading.errors_per_sec == pytest.approx(50)
    assert (reading.operations, reading.errors) == (1500, 500)


def test_failures_that_our_client_leaves_out_are_not_taken_out_twice() -> None:
    before = java(1, 100, 100, "READ: Count=50", "UPDATE: Count=50")
    reading = read(before, java(2, 150, 50, "READ: Count=20", "UPDATE: Count=30", "READ-FAILED: Count=50"))
    assert reading.ops_per_sec == pytest.approx(50)
    assert reading.errors_per_sec == pytest.approx(50)
    assert (reading.operations, reading.errors) == (150, 50)


def test_an_interval_in_which_everything_failed_is_zero_for_both() -> None:
    ours = read(java(1, 100, 100, "READ: Count=100"), java(2, 100, 0, "READ: Count=0", "READ-FAILED: Count=8"))
    javas = read(java(1, 100, 100, "READ: Count=100"), java(2, 108, 8, "READ: Count=0", "READ-FAILED: Count=8"))
    for reading in (ours, javas):
        assert (reading.ops_per_sec, reading.errors_per_sec, reading.operations) == (0, 8, 100)


def test_a_read_modify_write_is_one_operation_and_one_failure() -> None:
    reading = read(
        java(1, 100, 100, "READ: Count=100", "UPDATE: Count=50", "READ-MODIFY-WRITE: Count=50"),
        java(2, 190, 90, "READ: Count=90", "UPDATE: Count=45", "READ-MODIFY-WRITE: Count=45")
        + " [READ-FAILED: Count=10] [READ-MODIFY-WRITE-FAILED: Count=5]",
    )
    assert reading.ops_per_sec == pytest.approx(90)
    assert reading.errors == 10


def test_a_load_that_began_again_is_counted_from_zero() -> None:
    reading = read(java(50, 5000, 100, "READ: Count=100"), java(1, 80, 80, "READ: Count=80"))
    assert (reading.ops_per_sec, reading.operations, reading.elapsed) == (80, 80, 1)


def test_what_our_client_prints_is_read_back() -> None:
    measurements = Measurements()
    for latency_us in range(1000, 3000, 2):
        measurements.record("READ", latency_us, Status.OK)
    measurements.record("UPDATE", 5_000_000, Status.SERVICE_UNAVAILABLE)
    line = status_line(
        now=datetime.fromtimestamp(0, UTC),
        elapsed_s=1.0,
        operations=1000,
        current_ops=1000.0,
        remaining_s=None,
        latencies=measurements.take_interval(),
    )
    reading = read(line)
    assert (reading.ops_per_sec, reading.errors_per_sec, reading.operations, reading.errors) == (1000, 1, 1000, 1)
    read_latency = reading.latency["READ"]
    assert read_latency.count == 1000
    assert read_latency.p50 == pytest.approx(2.0, rel=0.01)
    assert read_latency.p95 == pytest.approx(2.9, rel=0.01)
    assert reading.latency["UPDATE-FAILED"].max == pytest.approx(5000, rel=0.01)
