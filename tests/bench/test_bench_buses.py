"""Rounds of frames between processes: what is made of their samples, and that none of it stays."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.bench.buses import Buses, begin_round, end_round, in_turns, percentile, warm_up
from tests.bench.clusterwatch import Unexpected
from tests.bench.throughput import rate_of_each


@pytest.fixture
def directory() -> Iterator[Path]:
    """One with a short name: a socket path has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="operatord-buses-") as path:
        yield Path(path)


@pytest.mark.parametrize(("percent", "told"), [(50, 50.0), (99, 99.0), (99.5, 100.0), (100, 100.0), (0, 1.0)])
def test_a_percentile_is_a_sample_that_was_measured(percent: float, told: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == told


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(Unexpected, match="nothing was measured"):
        percentile([], 50)


def test_a_rate_lasts_until_the_slowest_has_its_last_frame() -> None:
    told = [{"count": 100, "began": 10.0, "ended": 11.0}, {"count": 100, "began": 10.5, "ended": 12.0}]
    assert rate_of_each(told) == 50.0


def test_those_that_are_compared_take_turns() -> None:
    assert list(in_turns(2, ["ours", "theirs"])) == ["ours", "theirs", "ours", "theirs"]


def command(process: psutil.Process) -> str:
    """Its command line; empty for one that has ended, as others' children do while they are looked at."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_every_frame_of_a_round_arrives_over_the_bus_and_over_its_peers_and_nobody_stays(directory: Path) -> None:
    with Buses(directory) as buses:
        endpoint = buses.bus()
        raw, upstream, hop = buses.address("raw"), buses.address("upstream"), buses.address("hop")
        worker, plain = buses.source("worker", endpoint.ingest), buses.source("raw", raw)
        behind = buses.source("raw", upstream)
        buses.source("hop", upstream, hop)
        count = buses.reader("count", endpoint.frames, raw, hop)
        for source in (worker, plain, behind):
            warm_up(source, [count])
            assert end_round(begin_round(source, 500), [count], 10)[0]["count"] == 500
        followers = [buses.reader("delay", endpoint.frames), buses.reader("follow", str(directory))]
        warm_up(worker, followers)
        for told in end_round(begin_round(worker, 50, 500), followers, 10):
            assert len(told["delays"]) == 50
            assert min(told["delays"]) > 0
        crowd = buses.reader("crowd", str(directory), "5")
        warm_up(worker, [crowd])
        assert end_round(begin_round(worker, 50, 500), [crowd], 10)[0]["received"] == [50] * 5
    assert [
        line for one in psutil.Process().children(recursive=True) if "tests.bench.bus" in (line := command(one))
    ] == []


def test_a_reader_that_does_not_tell_of_its_round_is_named(directory: Path) -> None:
    with Buses(directory) as buses:
        reader = buses.reader("delay", buses.address("nobody"))
        with pytest.raises(Unexpected, match="did not tell of its round"):
            end_round(1, [reader], 0.1)
