"""Tables of go-ycsb: cumulative figures, and what they say about the interval."""

import pytest

from operatord.workers.ycsb.go_ycsb import GoYcsbReader, parse_line
from operatord.workers.ycsb.reading import Reading

SAMPLE = (
    "READ   - Takes(s): 10.0, Count: 9211, OPS: 921.3, Avg(us): 540, Min(us): 200, Max(us): 9000, 50th(us): 500, "
    "90th(us): 739, 95th(us): 900, 99th(us): 3513, 99.9th(us): 8000, 99.99th(us): 9000"
)
SAMPLE_OLD = "UPDATE - Takes(s): 10.0, Count: 300, Avg(us): 540, Min(us): 200, Max(us): 9000, 99th(us): 3513"


def row(name: str, takes_s: float, count: int) -> str:
    return f"{name:<6} - Takes(s): {takes_s}, Count: {count}, OPS: {count / max(takes_s, 0.1):.1f}, Avg(us): 540"


def table(takes_s: float, **counts: int) -> list[str]:
    return [row(name, takes_s, count) for name, count in sorted(counts.items())]


def readings(*tables: list[str]) -> list[Reading]:
    reader = GoYcsbReader()
    found = [reader.feed(line) for lines in tables for line in lines]
    found.append(reader.flush())
    return [reading for reading in found if reading is not None]


def test_the_sample_lines_are_read_by_name() -> None:
    line = parse_line(SAMPLE)
    assert line is not None
    assert (line.operation, line.takes_s, line.count) == ("READ", 10.0, 9211)
    assert line.figures["OPS"] == 921.3
    assert line.figures["99.99th(us)"] == 9000
    old = parse_line(SAMPLE_OLD)
    assert old is not None
    assert (old.operation, old.count, "OPS" in old.figures) == ("UPDATE", 300, False)


@pytest.mark.parametrize(
    "line",
    [
        "***************** properties *****************",
        '"recordcount"="1000"',
        "**********************************************",
        "Run finished, takes 1m2.3s",
        "READ   - nothing of the kind",
        "",
    ],
)
def test_other_lines_are_no_rows(line: str) -> None:
    assert parse_line(line) is None


def test_the_rate_is_the_difference_of_two_tables() -> None:
    first, second = readings(
        table(10.0, READ=5000, TOTAL=10_000, UPDATE=5000), table(20.0, READ=5500, TOTAL=11_000, UPDATE=5500)
    )
    assert first.ops_per_sec == pytest.approx(1000)
    assert second.ops_per_sec == pytest.approx(100), "its own OPS would still say 550"
    assert (second.operations, second.elapsed) == (11_000, 20.0)
    assert second.latency["READ"].count == 500
    assert second.latency["READ"].p99 is None


def test_an_outage_is_a_rate_of_zero() -> None:
    _, outage = readings(table(10.0, READ=5000, TOTAL=5000), table(20.0, READ=5000, TOTAL=5000))
    assert outage.ops_per_sec == 0


def test_without_a_total_the_operations_are_summed_up_once() -> None:
    (reading,) = readings(table(10.0, READ=1000, READ_MODIFY_WRITE=500, UPDATE=500))
    assert reading.ops_per_sec == pytest.approx(150)
    assert reading.operations == 1500


def test_errors_are_no_operations() -> None:
    _, reading = readings(
        table(10.0, READ=1000, TOTAL=1000), table(20.0, READ=1200, READ_ERROR=300, TOTAL=1200, UPDATE_ERROR=100)
    )
    assert reading.ops_per_sec == pytest.approx(20)
    assert reading.errors_per_sec == pytest.approx(40)
    assert reading.errors == 400


def test_updates_are_believed_only_as_far_as_reads_succeed() -> None:
    _, reading = readings(
        table(10.0, READ=1000, TOTAL=2000, UPDATE=1000),
        table(20.0, READ=1000, READ_ERROR=500, TOTAL=2500, UPDATE=1500),
    )
    assert reading.ops_per_sec == 0, "every read failed, so every update's read failed too"


def test_the_next_table_completes_the_one_before() -> None:
    reader = GoYcsbReader()
    for line in table(10.0, READ=1000, TOTAL=1000):
        assert reader.feed(line) is None
    assert reader.feed(row("READ", 20.0, 1500)) is not None


def test_the_table_after_the_end_is_not_an_interval() -> None:
    last = table(10.0, READ=1000, TOTAL=1000)
    assert len(readings(last, ["Run finished, takes 10.002s"], table(10.002, READ=1001, TOTAL=1001))) == 1


def test_another_run_is_counted_from_zero() -> None:
    _, again = readings(table(100.0, READ=9000, TOTAL=9000), table(10.0, READ=500, TOTAL=500))
    assert again.ops_per_sec == pytest.approx(50)


def test_in_a_file_that_is_followed_one_run_may_come_after_the_other() -> None:
    first = [*table(1.0, READ=100, TOTAL=100), *table(2.0, READ=200, TOTAL=200), "Run finished, takes 2.1s"]
    header = ["*" * 46 + " properties " + "*" * 48, '"recordcount"="1000"', "*" * 108]
    again = [*table(1.0, READ=300, TOTAL=300), *table(2.0, READ=600, TOTAL=600)]
    rates = [reading.ops_per_sec for reading in readings(first, table(2.1, READ=201, TOTAL=201), header, again)]
    assert rates == pytest.approx([100, 100, 300, 300])


def test_a_run_whose_time_begins_anew_is_another_one_whatever_it_counts() -> None:
    _, again = readings(table(100.0, READ=50, TOTAL=50), table(1.0, READ=60, TOTAL=60))
    assert again.ops_per_sec == pytest.approx(60)
