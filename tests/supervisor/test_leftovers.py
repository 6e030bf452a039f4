"""The detector of leftovers must itself find what is planted for it."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from operatord import procfs
from operatord.leftovers import MARKER, Follower, Leftover, count, find_marked
from operatord.processes import prctl

_SLEEPER = [sys.executable, "-S", "-c", "import signal; signal.pause()"]


@pytest.fixture
def marker() -> str:
    return f"planted-{secrets.token_hex(6)}"


@contextmanager
def watch(marker: str, *arguments: str) -> Iterator[Callable[[], tuple[int, str]]]:
    """Start the detector, without the marker; the call closes its input and returns its status and its report."""
    environment = {name: value for name, value in os.environ.items() if name != MARKER}
    command = [sys.executable, "-m", "operatord.leftovers", "watch", "--marker", marker, "--grace", "0.2", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as running:

        def finish() -> tuple[int, str]:
            out, _ = running.communicate(timeout=30)
            return running.returncode, out

        try:
            yield finish
        finally:
            running.kill()


def marked(marker: str) -> dict[str, str]:
    return {**os.environ, MARKER: marker}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(pid: int) -> str:
    stat = procfs.read_stat(pid)
    return "" if stat is None else stat.state


def test_a_run_that_left_nothing_is_clean(marker: str) -> None:
    with watch(marker, "--json") as finish:
        subprocess.run(["true"], env=marked(marker), check=True)
        assert finish() == (0, '{"zombies": 0, "orphans": 0, "processes": []}\n')


def test_a_planted_orphan_is_found(marker: str) -> None:
    # The child outlives the shell that started it, in another session.
    made = subprocess.run(
        ["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"],
        env=marked(marker),
        check=True,
        capture_output=True,
        text=True,
    )
    pid = int(made.stdout)
    try:
        with watch(marker, "--json") as finish:
            status, out = finish()
        report = json.loads(out)
        assert (status, report["zombies"], report["orphans"]) == (1, 0, 1)
        assert report["processes"][0]["pid"] == pid
        assert "sleep 60" in report["processes"][0]["command"]
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_planted_zombie_is_found(marker: str) -> None:
    follower = Follower(marker)
    planted = subprocess.Popen(_SLEEPER, env=marked(marker))
    until(lambda: bool(find_marked(marker)))  # what it is given is there a moment after the program is
    assert not follower.look()[0].zombie
    planted.kill()
    until(lambda: state(planted.pid) == "Z")
    found = follower.settle(0.2)
    planted.wait()
    assert [(one.pid, one.zombie) for one in found] == [(planted.pid, True)]
    assert count(found)["zombies"] == 1


@pytest.mark.parametrize("leave", ["pass", "os.setpgid(0, 0)"])
def test_a_zombie_that_was_never_seen_alive_is_known_by_its_parent(marker: str, leave: str) -> None:
    script = (
        "import os, sys\n"
        "print('up', flush=True)\n"
        "sys.stdin.readline()\n"
        f"if os.fork() == 0: {leave}; os._exit(0)\n"
        "sys.stdin.readline()\n"
    )
    follower = Follower(marker)
    with subprocess.Popen(
        [sys.executable, "-S", "-c", script],
        env=marked(marker),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as planted:
        assert planted.stdin is not None
        assert planted.stdout is not None
        planted.stdout.readline()
        follower.look()
        planted.stdin.write("fork\n")
        planted.stdin.flush()
        until(lambda: any(not child.alive for child in procfs.children(planted.pid)))
        report = count(follower.look())
        assert (report["zombies"], report["orphans"]) == (1, 1)


def test_a_zombie_whose_parent_is_gone_is_known_by_its_group(marker: str) -> None:
    # Its new parent is this process, which has nothing to do with the run and does not reap it.
    follower = Follower(marker)
    before = prctl.set_child_subreaper(enabled=True)
    try:
        script = "read _; (exec sleep 60 >/dev/null) & echo $!; read _"
        leader = subprocess.Popen(
            ["sh", "-c", script], env=marked(marker), stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )
        until(lambda: bool(find_marked(marker)))
        follower.look()
        out, _ = leader.communicate(b"go\ngo\n")
        child = int(out)
        os.kill(child, signal.SIGKILL)
        until(lambda: state(child) == "Z")
        found = follower.look()
        os.waitpid(child, 0)
    finally:
        prctl.set_child_subreaper(enabled=before)
    assert [(one.pid, one.zombie) for one in found] == [(child, True)]


def test_a_process_that_hides_its_environment_is_known_by_its_parent(marker: str) -> None:
    follower = Follower(marker)
    shell = subprocess.Popen(["sh", "-c", "env -i sleep 60; true"], env=marked(marker))
    until(lambda: [child.comm for child in procfs.children(shell.pid)] == ["sleep"])
    follower.look()
    (sleeper,) = procfs.children(shell.pid)
    shell.kill()
    shell.wait()
    found = follower.look()
    os.kill(sleeper.pid, signal.SIGKILL)
    assert [one.pid for one in found] == [sleeper.pid]


def test_other_runs_are_not_counted(marker: str) -> None:
    other = subprocess.Popen(_SLEEPER, env=marked(f"{marker}-of-another"))
    with watch(marker) as finish:
        assert finish() == (0, "0 zombies, 0 orphans\n")
    other.kill()
    other.wait()


def test_what_is_there_at_one_moment_can_be_asked_for(marker: str) -> None:
    assert find_marked(marker) == []
    planted = subprocess.Popen(_SLEEPER, env=marked(marker))
    until(lambda: bool(find_marked(marker)))
    (found,) = find_marked(marker)
    assert isinstance(found, Leftover)
    assert (found.pid, found.ppid, found.zombie) == (planted.pid, os.getpid(), False)
    planted.kill()
    planted.wait()
    assert find_marked(marker) == []


def test_the_one_who_looks_does_not_count_whatever_it_carries(marker: str) -> None:
    script = "import sys; from operatord.leftovers import find_marked; print(find_marked(sys.argv[1]))"
    made = subprocess.run(
        ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", script, marker],
        env=marked(marker),
        check=True,
        capture_output=True,
        text=True,
    )
    assert made.stdout == "[]\n"
