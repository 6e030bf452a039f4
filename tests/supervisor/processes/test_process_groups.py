"""Starting and signalling by hand, without the table."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from operator_protocol.errors import Unavailable
from operatord import procfs
from operatord.processes import prctl
from operatord.processes.groups import end_group, living_members, signal_group, signal_process
from operatord.processes.spawn import Spawned, spawn
from operatord.procfs import ProcessId


@contextmanager
def running(*argv: str) -> Iterator[Spawned]:
    spawned = spawn(argv)
    try:
        yield spawned
    finally:
        signal_group(spawned.id, signal.SIGKILL)
        os.waitid(os.P_PID, spawned.pid, os.WEXITED)
        spawned.settle()
        for fd in spawned.streams.values():
            os.close(fd)


def test_a_child_has_a_group_of_its_own_and_nothing_on_stdin() -> None:
    with running("sh", "-c", "readlink /proc/self/fd/0; sleep 60") as child:
        assert os.read(child.streams["stdout"], 100) == b"/dev/null\n"
        stat = procfs.read_stat(child.pid)
        assert stat is not None
        assert (stat.pgrp, stat.ppid, stat.id) == (child.pid, os.getpid(), child.id)
        assert child.id in [one.id for one in procfs.children(os.getpid())]


def test_a_guarded_child_must_come_from_the_main_thread() -> None:
    problems: list[BaseException] = []

    def elsewhere() -> None:
        try:
            spawn(["true"])
        except RuntimeError as error:
            problems.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(problems) == 1


def test_without_setpriv_nothing_is_started_and_the_hint_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(Unavailable, match="setpriv is missing") as caught:
        spawn(["/bin/sh", "-c", "true"])
    assert caught.value.hint == "install util-linux"


def test_the_wrong_start_time_protects_a_process_from_every_signal() -> None:
    with running("sleep", "60") as child:
        stranger = ProcessId(child.pid, child.id.start_time - 1)
        assert not signal_process(stranger, signal.SIGKILL)
        assert not signal_group(stranger, signal.SIGKILL)
        assert living_members(stranger) == []
        assert asyncio.run(end_group(stranger, timeout_s=1))
        assert procfs.is_alive(child.id)
        assert signal_process(child.id, signal.SIGCONT)


@pytest.mark.parametrize("pid", [0, 1, os.getpgrp()])
def test_some_groups_are_never_signalled(pid: int) -> None:
    with pytest.raises(ValueError, match=f"process group {pid}"):
        signal_group(ProcessId(pid, procfs.start_time(pid) or 0), signal.SIGCONT)


def test_a_process_that_has_ended_is_not_alive_although_it_is_still_there() -> None:
    with running("true") as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        stat = procfs.read_stat(child.pid)
        assert stat is not None
        assert stat.state == "Z"
        assert not procfs.is_alive(child.id)
        assert procfs.command_line(child.pid) == []
        assert not procfs.environment_has(child.pid, f"PATH={os.environ['PATH']}")
    assert procfs.read_stat(child.pid) is None
    assert not signal_process(child.id, signal.SIGCONT)


def test_names_in_proc_may_hold_anything() -> None:
    own = procfs.read_stat(os.getpid())
    assert own is not None
    try:
        prctl.set_process_name("a) R 1 (b")
        renamed = procfs.read_stat(os.getpid())
    finally:
        prctl.set_process_name(own.comm)
    assert renamed is not None
    assert renamed.comm == "a) R 1 (b"
    assert renamed._replace(comm="", state="") == own._replace(comm="", state="")
