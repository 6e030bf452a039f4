"""Commands that are run to their end: by a daemon that reaps orphans meanwhile, and without a daemon."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import psutil
import pytest

from operator_protocol.errors import DeadlineExceeded, Unavailable
from operatord.injectors.commands import Commands
from operatord.processes.commands import ChildCommands
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable


@asynccontextmanager
async def _of_a_daemon(directory: Path) -> AsyncIterator[Commands]:
    table = ProcessTable(
        on_state=lambda _: None, on_log=lambda *_: None, records=ServerRecords(directory / "servers.json")
    )
    await table.start()
    try:
        yield table.commands
    finally:
        await table.stop_all()


@asynccontextmanager
async def _alone(_: Path) -> AsyncIterator[Commands]:
    yield ChildCommands()


Owner = Callable[[Path], AbstractAsyncContextManager[Commands]]
owners = pytest.mark.parametrize("owner", [_of_a_daemon, _alone], ids=["daemon", "alone"])


def _python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@owners
def test_output_and_status_of_each_command_are_its_own(owner: Owner, tmp_path: Path) -> None:
    async def run() -> None:
        async with owner(tmp_path) as commands:
            codes = range(20)
            done = await asyncio.gather(
                *(commands.run(["sh", "-c", f"echo out {code}; echo err {code} >&2; exit {code}"]) for code in codes)
            )
            assert [one.returncode for one in done] == list(codes)
            assert [one.stdout for one in done] == [f"out {code}\n" for code in codes]
            assert [one.stderr for one in done] == [f"err {code}\n" for code in codes]

    asyncio.run(run())


@owners
def test_a_command_reads_what_it_is_given_and_otherwise_nothing(owner: Owner, tmp_path: Path) -> None:
    async def run() -> None:
        async with owner(tmp_path) as commands:
            text = "line\n" * 100_000
            assert (await commands.run(["wc", "-l"], stdin=text)).stdout.strip() == "100000"
            assert (await commands.run(["cat"])).stdout == ""

    asyncio.run(run())


@owners
def test_a_command_that_prints_without_end_is_neither_blocked_nor_kept(owner: Owner, tmp_path: Path) -> None:
    async def run() -> None:
        async with owner(tmp_path) as commands:
            done = await commands.run(["head", "-c", "20000000", "/dev/zero"])
            assert done.returncode == 0
            assert len(done.stdout) == 1 << 20

    asyncio.run(run())


@owners
def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(owner: Owner, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def run() -> None:
        async with owner(tmp_path) as commands:
            for timeout_s in (0.5, 2, 8):
                with pytest.raises(DeadlineExceeded, match="killed"):
                    await commands.run(["sh", "-c", f"sleep 60 & echo $$ $! > {pids}; wait"], timeout_s=timeout_s)
                if pids.exists() and len(pids.read_text().split()) == 2:
                    return
            raise AssertionError("it was never late enough to have begun")

    asyncio.run(run())
    _require_gone(pids)


@owners
def test_what_a_command_leaves_behind_goes_with_it(owner: Owner, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def run() -> None:
        async with owner(tmp_path) as commands:
            done = await commands.run(["sh", "-c", f"sleep 60 & echo $! > {pids}; echo done"])
            assert done.stdout == "done\n"

    asyncio.run(run())
    _require_gone(pids)


@owners
def test_a_caller_that_gives_up_ends_the_command(owner: Owner, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def run() -> None:
        async with owner(tmp_path) as commands:
            task = asyncio.create_task(commands.run(["sh", "-c", f"echo $$ > {pids}; exec sleep 60"]))
            while not pids.exists() or not pids.read_text():
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            _require_gone(pids)

    asyncio.run(run())


@owners
def test_a_signal_shows_as_a_negative_code_and_a_missing_command_is_named(owner: Owner, tmp_path: Path) -> None:
    async def run() -> None:
        async with owner(tmp_path) as commands:
            done = await commands.run(_python("import os; os.kill(os.getpid(), 15)"))
            assert done.returncode == -signal.SIGTERM
            with pytest.raises(Unavailable, match="no-such-command"):
                await commands.run(["no-such-command"])

    asyncio.run(run())


def test_a_daemon_that_stopped_runs_no_commands(tmp_path: Path) -> None:
    async def run() -> None:
        async with _of_a_daemon(tmp_path) as commands:
            pass
        with pytest.raises(Unavailable):
            await commands.run(["true"])

    asyncio.run(run())


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    async def run() -> None:
        async with _of_a_daemon(tmp_path) as commands:
            await commands.run(["true"])
            before = _descriptors()
            for _ in range(10):
                await commands.run(["cat"], stdin="x")
            assert _descriptors() == before

    asyncio.run(run())


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _require_gone(pids: Path) -> None:
    end = time.monotonic() + 30
    for pid in map(int, pids.read_text().split()):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, f"process {pid} still runs"
            time.sleep(0.01)
