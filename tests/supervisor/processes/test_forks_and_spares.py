"""The ways to fork for a parent, and the worker that is forked ahead."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from operatord import procfs
from operatord.processes import prctl
from operatord.procfs import ProcessStat

from .conftest import Host, MakeHost

HERE = Path(__file__).parent


def spares() -> list[ProcessStat]:
    return [stat for stat in procfs.children(os.getpid()) if stat.comm == "op:spare" and stat.alive]


async def spare(h: Host) -> int:
    await h.until(lambda: len(spares()) == 1)
    return spares()[0].pid


@pytest.mark.parametrize("way", ["sibling", "twice"])
def test_the_child_belongs_to_the_parent_of_who_forked_it(way: str) -> None:
    before = prctl.set_child_subreaper(enabled=True)
    try:
        command = [sys.executable, str(HERE / "process_forks.py"), way]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forker:
            assert forker.stdout is not None
            lines = sorted(forker.stdout.readline().split() for _ in range(2))
            (_, pid, parent, right), (_, told) = lines
            assert (pid, parent, right) == (told, str(os.getpid()), "True")
            assert os.WEXITSTATUS(os.waitpid(int(pid), 0)[1]) == 7
    finally:
        prctl.set_child_subreaper(enabled=before)


def test_a_worker_that_dies_is_replaced_by_the_spare(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            first = await h.worker("monitor", "inspect")
            ahead = await spare(h)
            os.kill(first, signal.SIGKILL)
            await h.until(lambda: bool(h.exits))
            await h.table.wait_ready(["monitor"], 15)
            assert h.pid("monitor") == ahead
            # It is like any other: its name, its group, its clean slate.
            first_life, second_life = (line for line in h.lines("monitor") if line.startswith("stdin="))
            assert first_life == second_life
            stat = procfs.read_stat(ahead)
            assert stat is not None
            assert (stat.comm, stat.pgrp, stat.ppid) == ("op:monitor", ahead, os.getpid())
            assert await spare(h) != ahead

    asyncio.run(story())


def test_a_spare_that_is_killed_is_reaped_and_replaced_and_needed_by_nobody(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await h.worker("monitor", "steady")
            ahead = await spare(h)
            os.kill(ahead, signal.SIGKILL)
            await h.until(lambda: procfs.read_stat(ahead) is None)
            await h.worker("agent", "steady")
            assert await spare(h) != ahead
            assert h.exits == []

    asyncio.run(story())


def test_a_spare_ends_with_its_fork_server_also_when_it_is_stopped(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            await h.worker("monitor", "steady")
            for stopped in (False, True):
                ahead = await spare(h)
                server = h.pid("forkserver")
                if stopped:
                    os.kill(ahead, signal.SIGSTOP)
                os.kill(server, signal.SIGKILL)
                await h.until(lambda gone=server: h.table.pid("forkserver") not in (None, gone))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                await h.worker(f"after-{server}", "steady")
                await h.until(lambda gone=ahead: procfs.read_stat(gone) is None)  # type: ignore[misc]  # as above

    asyncio.run(story())
