"""Processes that are exec'd and kept running by policy."""

import asyncio
import os
import pwd
import signal
import sys
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict, Unavailable
from operatord import procfs
from operatord.processes.backoff import BackoffPolicy
from operatord.processes.records import ServerRecords, end_leftovers
from operatord.processes.spawn import CannotRun
from operatord.processes.spec import EX_CONFIG, ProcessSpec, Restart

from .conftest import QUICK, Host, MakeHost

WAITS = (sys.executable, "-S", "-c", "import signal; print('up'); signal.pause()")
QUICKLY = BackoffPolicy(base_s=0.01, cap_s=0.02, flap_deaths=3)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-u", "-c", code)


def exits_with(code: int, *, restart: Restart = "on-failure", no_restart: tuple[int, ...] = ()) -> ProcessSpec:
    text = python(f"print('leaving'); raise SystemExit({code})")
    return ProcessSpec("helper", text, restart=restart, no_restart_codes=no_restart, backoff=QUICKLY)


async def begin(h: Host, spec: ProcessSpec) -> None:
    h.table.add_process(spec)
    await h.table.start_worker(spec.name)


@pytest.mark.parametrize(
    ("spec", "ending", "starts"),
    [
        (exits_with(0), "stopped", 1),
        (exits_with(0, restart="never"), "stopped", 1),
        (exits_with(1, restart="never"), "failed", 1),
        (exits_with(1), "failed", 3),
        (exits_with(0, restart="always"), "failed", 3),
        (exits_with(EX_CONFIG, restart="always", no_restart=(EX_CONFIG,)), "failed", 1),
    ],
)
def test_its_end_is_judged_by_its_policy(host: MakeHost, spec: ProcessSpec, ending: str, starts: int) -> None:
    async def story() -> None:
        async with host() as h:
            await begin(h, spec)
            await h.until(lambda: h.table.state("helper").state == ending)
            state = h.table.state("helper")
            assert (state.kind, state.restarts + 1) == ("declared", starts)
            assert h.lines("helper") == ["leaving"] * starts
            assert state.last_lines == (["leaving"] if ending == "failed" else [])

    asyncio.run(story())


def test_a_killed_one_runs_again_and_a_stopped_one_does_not(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await begin(h, ProcessSpec("helper", WAITS))
            first = h.pid("helper")
            os.kill(first, signal.SIGKILL)
            await h.until(lambda: bool(h.exits) and h.table.state("helper").state == "ready")
            assert h.pid("helper") != first
            assert (await h.table.stop("helper")).state == "stopped"
            assert h.table.pid("helper") is None
            assert (await h.table.restart("helper")).state == "ready"

    asyncio.run(story())


def test_one_that_is_probed_is_ready_when_its_probe_says_so_and_killed_when_it_never_does(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await begin(h, ProcessSpec("helper", WAITS, ready="probed", start_timeout_s=30))
            assert h.table.state("helper").state == "starting"
            h.table.mark_ready("helper", h.pid("helper") + 1)
            assert h.table.state("helper").state == "starting"
            h.table.mark_ready("helper", h.pid("helper"))
            assert h.table.state("helper").state == "ready"
            # What does not beat is not silent.
            h.clock_ahead_s += 3600
            await begin(h, ProcessSpec("other", WAITS, ready="probed", start_timeout_s=0.2))
            await h.until(lambda: bool(h.exits))
            assert h.exits[0][0] == "other"
            assert "not ready after" in h.exits[0][1].reason

    asyncio.run(story())


def test_it_is_stopped_by_the_signal_it_asks_for(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            code = "import signal; signal.signal(15, signal.SIG_IGN); print('ready')\nwhile True: signal.pause()"
            await begin(h, ProcessSpec("helper", python(code), stop_signal=signal.SIGUSR1, stop_timeout_s=30))
            await h.until(lambda: h.lines("helper") == ["ready"])
            assert (await h.table.stop("helper")).signal == signal.SIGUSR1

    asyncio.run(story())


def test_it_gets_its_directory_and_environment(host: MakeHost, tmp_path: Path) -> None:
    async def story() -> None:
        async with host() as h:
            code = "import os; print(os.getcwd(), os.environ['COLOUR'])"
            await begin(h, ProcessSpec("helper", python(code), cwd=tmp_path, env={"COLOUR": "green"}))
            await h.until(lambda: h.lines("helper") == [f"{tmp_path} green"])

    asyncio.run(story())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_it_runs_as_its_user_and_still_dies_with_the_daemon(host: MakeHost) -> None:
    nobody = pwd.getpwnam("nobody")
    # Says its users, then the parent-death signal that it has: PR_GET_PDEATHSIG is 2.
    code = (
        "import ctypes, os; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); "
        "print(os.getresuid(), os.getresgid(), os.environ['USER'], n.value)"
    )

    async def story() -> None:
        async with host() as h:
            # A user who may not enter the directory of our own interpreter gets by with the system's.
            await begin(h, ProcessSpec("helper", ("/usr/bin/python3", "-u", "-c", code), user="nobody"))
            await h.until(lambda: bool(h.exits))
            uid, gid = nobody.pw_uid, nobody.pw_gid
            assert h.lines("helper") == [f"{(uid,) * 3} {(gid,) * 3} nobody {int(signal.SIGKILL)}"]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (ProcessSpec("helper", ("no-such-command-anywhere",)), "no such command"),
        (ProcessSpec("helper", WAITS, cwd=Path("/no/such/directory")), "no directory"),
        (ProcessSpec("helper", WAITS, user="no-such-user-anywhere"), "no such user"),
    ],
)
def test_what_cannot_run_is_refused_at_once_and_not_tried_again(host: MakeHost, spec: ProcessSpec, reason: str) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_process(spec)
            with pytest.raises(CannotRun, match=reason):
                await h.table.start_worker("helper")
            state = h.table.state("helper")
            assert state.state == "failed"
            assert reason in state.reason
            with pytest.raises(Unavailable, match=reason):
                await h.table.wait_ready(["helper"], 1)

    asyncio.run(story())


def test_a_command_that_disappears_ends_the_tries(host: MakeHost, tmp_path: Path) -> None:
    script = tmp_path / "helper.sh"
    script.write_text("#!/bin/sh\nrm $0\nexit 1\n")
    script.chmod(0o755)

    async def story() -> None:
        async with host() as h:
            await begin(h, ProcessSpec("helper", (str(script),), backoff=QUICK.backoff))
            await h.until(lambda: h.table.state("helper").state == "failed")
            assert "no such command" in h.table.state("helper").reason

    asyncio.run(story())


def test_names_are_taken_once(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await begin(h, ProcessSpec("helper", WAITS))
            with pytest.raises(Conflict):
                h.table.add_process(ProcessSpec("helper", WAITS))
            with pytest.raises(Conflict):
                h.table.add_worker("helper", "process_bodies:steady")
            with pytest.raises(Conflict):
                await h.table.launch("helper", WAITS)

    asyncio.run(story())


def test_a_later_daemon_ends_it_also_when_it_keeps_servers(host: MakeHost, tmp_path: Path) -> None:
    async def story() -> None:
        async with host(keep_servers=True) as h:
            await begin(h, ProcessSpec("helper", WAITS))
            pid = h.pid("helper")
            await h.until(lambda: "helper" in (tmp_path / "servers.json").read_text())
            # As the next daemon reads it, while this one still has the process (it was killed, say).
            later = ServerRecords(tmp_path / "servers.json")
            ended = await end_leftovers(later, keep_servers=True)
            assert [(record.name, record.kind, record.pid) for record in ended] == [("helper", "declared", pid)]
            await h.until(lambda: procfs.read_stat(pid) is None)

    asyncio.run(story())
