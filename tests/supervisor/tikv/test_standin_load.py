"""The stand-in for go-ycsb, held against lines that the real one (v1.0.1) printed, and against stores that die."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.standins.cluster import ROOT, StandInCluster, standin_cluster
from tests.standins.containers import pd_words, tikv_words

from operatord.workers.ycsb.go_ycsb import GoYcsbReader
from operatord.workers.ycsb.reading import Reading

REAL = (ROOT / "tests/standins/real/go-ycsb.txt").read_text().splitlines()
"""``go-ycsb run basic -P workloads/workloada … --threads=4 --target=100 --interval=1``, ended by TERM after 4 s."""

WORKLOAD = ROOT / "deploy/tikv/workloads/workloada"
TIMEOUT_S = 30.0


@contextmanager
def load(cluster: StandInCluster, command: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    pds = ",".join(url.removeprefix("http://") for url in cluster.pd_urls.values())
    line = [sys.executable, "-m", "tests.standins.ycsb", command, "tikv", "-P", str(WORKLOAD), "-p", f"tikv.pd={pds}"]
    line += ["-p", "tikv.type=raw", "-p", "recordcount=200", "--threads=4", "--interval=1", *words]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def output(process: subprocess.Popen[str]) -> list[str]:
    return process.communicate(timeout=TIMEOUT_S)[0].splitlines()


def shape(line: str) -> str:
    """The line with every figure replaced."""
    if "Takes(s)" not in line:
        return re.sub(r"[\d.]+m?s$", "N", line)
    name, figures = line.split(" - ", 1)
    return f"{name} - " + re.sub(r": [\d.]+", ": N", figures)


def shapes(lines: list[str]) -> set[str]:
    """Of all but the properties and the blank line."""
    return {shape(line) for line in lines if line and not line.startswith('"')}


@pytest.fixture(scope="module")
def shared() -> Iterator[StandInCluster]:
    with standin_cluster() as cluster:
        yield cluster


def test_its_lines_are_those_of_the_real_one(shared: StandInCluster) -> None:
    with load(shared, "run", "-p", "operationcount=1000000000000", "--target=100") as process:
        assert process.stdout is not None
        lines: list[str] = []
        while sum(line.startswith("TOTAL") for line in lines) < 3:
            lines.append(process.stdout.readline().rstrip("\n"))
        process.terminate()
        lines += output(process)
    assert process.returncode == 0
    assert shapes(lines) == shapes(REAL)
    assert [line for line in lines if line.startswith("*")] == [line for line in REAL if line.startswith("*")]
    assert '"operationcount"="1000000000000"' in lines


def test_the_load_phase_writes_every_record_once_and_ends(shared: StandInCluster) -> None:
    with load(shared, "load") as process:
        lines = output(process)
    assert process.returncode == 0
    inserted = [line for line in lines if line.startswith("INSERT ")]
    assert "Count: 200," in inserted[-1]


def test_the_real_lines_read_as_the_rate_that_was_asked_for() -> None:
    reader = GoYcsbReader()
    readings = [reading for line in REAL if (reading := reader.feed(line))]
    assert [round(reading.ops_per_sec, -1) for reading in readings[:3]] == [100, 100, 100]


def test_a_dead_store_holds_the_load_up_until_its_regions_have_another_leader() -> None:
    with (
        standin_cluster("--raft-election-s", "4", "--election-s", "0.2") as cluster,
        load(cluster, "run", "-p", "operationcount=1000000000000", "--target=200") as process,
    ):
        assert process.stdout is not None
        reader, readings, killed_at, stalled = GoYcsbReader(), list[Reading](), 0, False
        until = time.monotonic() + TIMEOUT_S
        for line in process.stdout:
            assert time.monotonic() < until
            reading = reader.feed(line.rstrip("\n"))
            if reading is None:
                continue
            readings.append(reading)
            if len(readings) == 3:
                cluster.kill("tikv0")
                killed_at = 3
            stalled = stalled or (killed_at > 0 and reading.ops_per_sec < 20)
            if stalled and reading.ops_per_sec > 100:
                break
    assert stalled


def test_the_flags_of_the_compose_file_are_understood(tmp_path: Path) -> None:
    config = tmp_path / "x.toml"
    config.touch()
    words = ["--name=pd1", f"--data-dir={tmp_path}/pd", "--client-urls=http://0.0.0.0:2379", f"--config={config}"]
    words += ["--advertise-client-urls=http://pd1:2379", "--initial-cluster=pd0=http://pd0:2380,pd1=http://pd1:2380"]
    assert pd_words(words)[:6] == [
        "--name", "pd1", "--listen", "0.0.0.0:2379", "--peers", "pd0=http://pd0:2379,pd1=http://pd1:2379",
    ]  # fmt: skip
    words = ["--addr=0.0.0.0:20160", "--advertise-addr=tikv2:20160", "--status-addr=0.0.0.0:20180"]
    words += ["--advertise-status-addr=tikv2:20180", f"--data-dir={tmp_path}/kv", "--pd-endpoints=pd0:2379,pd1:2379"]
    found = tikv_words(words)
    assert found[found.index("--store-id") + 1] == "9007199254740994"
    assert found[found.index("--pd") + 1] == "http://pd0:2379,http://pd1:2379"
    with pytest.raises(SystemExit):
        tikv_words([*words, "--config=/nowhere.toml"])
