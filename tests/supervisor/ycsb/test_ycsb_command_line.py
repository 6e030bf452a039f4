"""The program from outside: its help, and what it says to nonsense."""

import socket
import subprocess
import sys

import pytest


def ycsb(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "operatord.ycsb", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_help_explains_workloads_formats_and_exit_codes() -> None:
    done = ycsb("--help")
    assert done.returncode == 0
    for word in ("--hosts", "READ-FAILED", "rate 3000", "update heavy", "exit codes"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["run"], "--hosts"),
        (["run", "--hosts", "127.0.0.1"], "'127.0.0.1' is not HOST:PORT"),
        (["run", "--hosts", ","], "at least one HOST:PORT"),
        (["run", "--hosts", "h:1", "--workload", "z"], "--workload"),
        (["run", "--hosts", "h:1", "--threads", "0"], "--threads"),
        (["run", "--hosts", "h:1", "--target", "-5"], "--target"),
        (["run", "--hosts", "h:1", "--target", "nan"], "--target"),
        (["run", "--hosts", "h:1", "--status-interval", "0"], "--status-interval"),
        (["run", "--hosts", "h:1", "--record-count", "many"], "'many' is not a whole number"),
        (["run", "--hosts", "h:1", "--binding", "tikv"], "--binding"),
        (["run", "--hosts", "h:1", "--min-scan-length", "200"], "--min-scan-length"),
        (["load", "--hosts", "h:1", "--load-first"], "--load-first"),
        (["walk", "--hosts", "h:1"], "walk"),
        (["run", "--hosts", "h:1", "--nonsense"], "--nonsense"),
    ],
)
def test_nonsense_is_one_line_and_exit_code_2(args: list[str], named: str) -> None:
    done = ycsb(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr
    assert "--help" in done.stderr


def test_a_cluster_that_is_not_there_is_one_line_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: connections are refused
        port = taken.getsockname()[1]
        done = ycsb("run", "--hosts", f"127.0.0.1:{port}", "--connect-timeout", "0.2")
    assert done.returncode == 1
    assert done.stderr == (
        f"operatord.ycsb: no node of 127.0.0.1:{port} can be used "
        f"(127.0.0.1:{port}: connection refused); is the cluster up?\n"
    )
