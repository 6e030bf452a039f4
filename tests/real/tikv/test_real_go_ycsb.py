"""The real go-ycsb, read by what reads the load: its load is on the etcd inside three real PDs, which then die.

Its binding for TiKV needs a TiKV, which cannot be run here. The lines are the same whatever it talks to.
"""

import base64
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.real.tikv.cluster import RealCluster, real_cluster
from tests.real.tikv.programs import LOAD_MODULE, Programs
from tests.standins.serving import ask

from operator_protocol.models import WorkloadSample
from operatord.subjects.tikv.load import _INSERTED
from operatord.workers.ycsb.go_ycsb import GoYcsbReader, parse_line
from operatord.workers.ycsb.samples import READERS, Sampler
from operatord.workers.ycsb.tracker import BASELINE_SAMPLES

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

WORKLOADS = LOAD_MODULE.parent / "workloads"
RECORDS = 200
RATE = 200
PATIENCE_S = 90.0


@pytest.fixture
def etcd(programs: Programs) -> Iterator[RealCluster]:
    with real_cluster(programs, stores=False) as cluster:
        yield cluster


@contextmanager
def load(
    programs: Programs, cluster: RealCluster, command: str, workload: str, *words: str
) -> Iterator[subprocess.Popen[str]]:
    endpoints = ",".join(url.removeprefix("http://") for url in cluster.pd_urls.values())
    line = [str(programs.go_ycsb), command, "etcd", "-P", str(WORKLOADS / f"workload{workload}")]
    line += ["-p", f"etcd.endpoints={endpoints}", "-p", f"recordcount={RECORDS}", "-p", "debug.pprof=127.0.0.1:0"]
    line += ["--threads=8", "--interval=1", *words]
    with (cluster.directory / f"{command}.log").open("a") as errors:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """It reports every second, whatever becomes of its requests."""
    assert process.stdout is not None
    until = time.monotonic() + PATIENCE_S
    for line in process.stdout:
        yield line.rstrip("\n")
        assert time.monotonic() < until


def loaded(programs: Programs, cluster: RealCluster) -> list[str]:
    with load(programs, cluster, "load", "a") as process:
        lines = list(lines_of(process))
        assert process.wait(PATIENCE_S) == 0
    return lines


def test_the_load_phase_tells_of_its_progress_and_of_every_record(programs: Programs, etcd: RealCluster) -> None:
    inserted = [found[1] for line in loaded(programs, etcd) if (found := _INSERTED.search(line))]
    assert inserted[-1] == str(RECORDS)


def test_a_steady_load_reads_as_the_rate_that_was_asked_for(
    programs: Programs, etcd: RealCluster, figure: Callable[[str], None]
) -> None:
    loaded(programs, etcd)
    reader, readings, counted = GoYcsbReader(), [], 0
    words = ["-p", "operationcount=1000000000000", f"--target={RATE}"]
    with load(programs, etcd, "run", "a", *words) as process:
        for line in lines_of(process):
            reading = reader.feed(line)
            if reading is not None:
                assert reading.operations == counted
                readings.append(reading)
                if len(readings) == 6:
                    process.terminate()
            parsed = parse_line(line)
            if parsed is not None and parsed.operation == "TOTAL":
                counted = parsed.count
        assert process.wait(PATIENCE_S) == 0
    figure(f"go-ycsb at {RATE} ops/s: " + ", ".join(f"{one.ops_per_sec:.0f}" for one in readings[:6]))
    assert all(one.ops_per_sec > 0 for one in readings[:6])
    # It counts its records from 0 to 200 and has 200 of them: now and then it asks for the one that is not there.
    assert all(one.errors_per_sec < one.ops_per_sec / 4 for one in readings[:6])
    assert set(readings[0].latency) == {"READ", "UPDATE"}
    # What it says after it was told to end repeats the last table, and is no reading.
    assert len(readings) <= 7


def disturbed(
    process: subprocess.Popen[str], disturb: Callable[[], None], mend: Callable[[], None], enough: Callable[[str], bool]
) -> WorkloadSample:
    """Run the load until it has a baseline, disturb it until a line is ``enough`` and the load is degraded, mend it.

    Returns the sample that was degraded; fails if the load does not come back.
    """
    sampler = Sampler(READERS["go-ycsb"](), 1, time.time)
    samples = 0
    told = False
    worst: WorkloadSample | None = None
    for line in lines_of(process):
        sample = sampler.feed(line)
        told = told or (samples > BASELINE_SAMPLES + 1 and enough(line))
        if sample is None:
            continue
        samples += 1
        if samples == BASELINE_SAMPLES + 2:
            assert not sample.degraded
            disturb()
        elif worst is None and told and sample.degraded:
            worst = sample
            mend()
        elif worst is not None and not sample.degraded:
            return worst
    raise AssertionError(f"it did not come back: {worst}")


def test_an_outage_is_a_degraded_load_at_once_while_its_own_figure_sinks_slowly(
    programs: Programs, etcd: RealCluster, figure: Callable[[str], None]
) -> None:
    loaded(programs, etcd)
    dead = [name for name in etcd.pd_urls if name != etcd.leader()]
    counts: list[tuple[int, float]] = []
    stood: list[int] = []

    def reads_stand_still(line: str) -> bool:
        parsed = parse_line(line)
        if parsed is not None and parsed.operation == "READ":
            counts.append((parsed.count, parsed.figures["OPS"]))
        still = len(counts) >= 3 and counts[-1][0] == counts[-2][0] == counts[-3][0]
        stood.extend([counts[-1][0]] if still else [])
        return still

    words = ["-p", "operationcount=1000000000000", f"--target={RATE}"]
    with load(programs, etcd, "run", "a", *words) as process:
        worst = disturbed(process, lambda: etcd.kill(*dead), lambda: etcd.start(*dead), reads_stand_still)
    own = min(ops for count, ops in counts if count == stood[0])
    figure(f"go-ycsb, no majority: {worst.ops_per_sec:.0f} ops/s by the difference; its own OPS of READ said {own:.0f}")


def test_reads_that_fail_are_read_errors_and_a_degraded_load(
    programs: Programs, etcd: RealCluster, figure: Callable[[str], None]
) -> None:
    loaded(programs, etcd)
    url = etcd.pd_urls[etcd.leader()]
    table = {"key": base64.b64encode(b"usertable:").decode(), "range_end": base64.b64encode(b"usertable;").decode()}

    def lose_all_records() -> None:
        assert ask("POST", f"{url}/v3/kv/deleterange", table, timeout_s=10)[0] == 200

    def load_again() -> None:
        loaded(programs, etcd)

    def is_error(line: str) -> bool:
        parsed = parse_line(line)
        return parsed is not None and parsed.operation == "READ_ERROR"

    words = ["-p", "operationcount=1000000000000", f"--target={RATE}"]
    with load(programs, etcd, "run", "c", *words) as process:
        worst = disturbed(process, lose_all_records, load_again, is_error)
    assert worst.errors_per_sec > 0
    figure(f"go-ycsb, records lost: {worst.ops_per_sec:.0f} ops/s, {worst.errors_per_sec:.0f} errors/s, degraded")
