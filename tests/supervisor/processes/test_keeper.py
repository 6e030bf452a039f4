"""The keeper, around real daemons that are killed, leave, hang, or obey."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from operatord import procfs
from operatord.processes.records import ServerRecords, end_leftovers
from operatord.procfs import ProcessId

HERE = Path(__file__).parent


def daemon(state_dir: Path, mode: str) -> list[str]:
    return [sys.executable, str(HERE / "process_daemon.py"), str(state_dir), mode]


STUBBORN = ["sh", "-c", "trap 'echo told' INT TERM; echo up; while :; do sleep 0.05; done"]


@contextmanager
def keeper(
    state_dir: Path, argv: list[str], *, mode: str = "none", stop_timeout_s: float = 30
) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(HERE / "process_keeper.py"), str(state_dir), mode, str(stop_timeout_s), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def line(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().rstrip("\n")


def daemon_of(running: "subprocess.Popen[str]") -> ProcessId:
    (child,) = procfs.children(running.pid)
    return child.id


def identities(pids: str) -> list[ProcessId]:
    stats = [procfs.read_stat(int(pid)) for pid in pids.split()]
    return [stat.id for stat in stats if stat is not None]


def outcome(running: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = running.communicate(timeout=30)
    return running.returncode, out, err


def test_nothing_is_left_of_a_daemon_that_was_killed(tmp_path: Path) -> None:
    with keeper(tmp_path, daemon(tmp_path, "plain")) as running:
        everyone = identities(line(running))
        assert len(everyone) == 5
        os.kill(daemon_of(running).pid, signal.SIGKILL)
        status, out, err = outcome(running)
        assert (status, out) == (128 + signal.SIGKILL, "after\n")
        assert "killed by SIGKILL" in err
        # Not even as zombies, by the time the keeper is gone.
        assert [process for process in everyone if procfs.start_time(process.pid) == process.start_time] == []


def test_kept_servers_are_spared_and_nothing_else(tmp_path: Path) -> None:
    with keeper(tmp_path, daemon(tmp_path, "keep"), mode="spare") as running:
        server, *others = identities(line(running))
        os.kill(daemon_of(running).pid, signal.SIGKILL)
        assert outcome(running)[:2] == (128 + signal.SIGKILL, "after\n")
        assert procfs.is_alive(server)
        assert [process for process in others if procfs.start_time(process.pid) == process.start_time] == []
    asyncio.run(end_leftovers(ServerRecords(tmp_path / "servers.json")))
    assert not procfs.is_alive(server)


def test_a_daemon_that_leaves_without_stopping_anything_is_cleaned_up_after(tmp_path: Path) -> None:
    with keeper(tmp_path, daemon(tmp_path, "exit")) as running:
        everyone = identities(line(running))
        assert outcome(running)[:2] == (5, "after\n")
        assert not any(procfs.is_alive(process) for process in everyone)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGINT, 128 + signal.SIGTERM),
        (signal.SIGHUP, 128 + signal.SIGTERM),
    ],
)
def test_a_request_to_stop_is_passed_on(tmp_path: Path, sent: int, status: int) -> None:
    with keeper(tmp_path, ["sh", "-c", "echo up; exec sleep 60"]) as running:
        assert line(running) == "up"
        running.send_signal(sent)
        assert outcome(running)[:2] == (status, "after\n")


def test_the_daemon_is_told_once_and_killed_at_the_second_interrupt(tmp_path: Path) -> None:
    with keeper(tmp_path, STUBBORN) as running:
        assert line(running) == "up"
        running.send_signal(signal.SIGTERM)
        assert line(running) == "told"
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)
        assert outcome(running)[:2] == (128 + signal.SIGKILL, "after\n")


def test_a_daemon_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    with keeper(tmp_path, STUBBORN, stop_timeout_s=0.2) as running:
        assert line(running) == "up"
        running.send_signal(signal.SIGTERM)
        status, _, err = outcome(running)
        assert status == 128 + signal.SIGKILL
        assert "did not stop within 0.2 s" in err


def test_the_daemon_is_asked_to_stop_when_the_keeper_is_killed(tmp_path: Path) -> None:
    with keeper(
        tmp_path, ["sh", "-c", "trap 'echo told; exit' TERM; echo up; while :; do sleep 0.05; done"]
    ) as running:
        assert line(running) == "up"
        pidfd = os.pidfd_open(daemon_of(running).pid)
        running.kill()
        assert line(running) == "told"
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)


def test_trouble_while_cleaning_up_is_reported_and_does_not_stop_it(tmp_path: Path) -> None:
    with keeper(tmp_path, ["sh", "-c", "sleep 60 & exit 0"], mode="broken") as running:
        status, out, err = outcome(running)
        assert (status, out) == (1, "after\n")
        assert "nobody knows" in err
        assert "could not recover" in err


def test_the_daemon_has_a_group_of_its_own_and_none_of_the_keepers_signal_handling(tmp_path: Path) -> None:
    script = (
        "import os, signal;"
        "print(os.getpgrp() == os.getpid(), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,"
        "len(signal.pthread_sigmask(signal.SIG_BLOCK, ())), os.readlink('/proc/self/fd/0'))"
    )
    with keeper(tmp_path, [sys.executable, "-c", script]) as running:
        assert outcome(running)[:2] == (0, "True True 0 /dev/null\nafter\n")


def test_a_daemon_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with keeper(tmp_path, ["/no/such/daemon"]) as running:
        status, out, err = outcome(running)
        assert (status, out) == (1, "")
        assert "cannot start /no/such/daemon" in err
