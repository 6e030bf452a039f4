"""A slow server: late in the measure of its duty cycle, well in the eyes of the others, left running by every end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest
from operatord.injectors import duty_cycle
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable

from .fault_stage import Stage, on_stage

PARENT = """
import os, subprocess, sys
argv = sys.argv[1:]
argv[4] = str(os.getpid())
child = subprocess.Popen(argv)
print(child.pid, flush=True)
child.wait()
"""
"""Starts the driver and waits, as a daemon would."""


def stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@contextmanager
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def driver(target: int, *, parent: int | None = None, start_time: str | None = None) -> list[str]:
    figures = [parent or os.getpid(), target, start_time or stat(target)[19], 90, 200]
    return [sys.executable, "-I", "-S", duty_cycle.__file__, *map(str, figures)]


def until_stopped(pid: int) -> None:
    end = time.monotonic() + 20
    while stat(pid)[0] != "T":
        assert time.monotonic() < end, "it was never stopped"
        time.sleep(0.001)


def until_continued(pid: int) -> None:
    end = time.monotonic() + 20
    while stat(pid)[0] == "T":
        assert time.monotonic() < end, "it was never continued"
        time.sleep(0.001)


def stays_continued(pid: int) -> bool:
    """Over more than a period nobody stops it again."""
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        if stat(pid)[0] == "T":
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize(("percent", "period_ms", "expected"), [(70, 20, (0.014, 0.006)), (50, 200, (0.1, 0.1))])
def test_the_duty_cycle_is_a_share_of_the_period(
    percent: float, period_ms: float, expected: tuple[float, float]
) -> None:
    assert duty_cycle.phases(percent, period_ms) == pytest.approx(expected)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_driver_leaves_its_target_continued_when_it_is_told_to_end(signum: signal.Signals) -> None:
    with sleeper() as target:
        process = subprocess.Popen(driver(target.pid))
        until_stopped(target.pid)
        process.send_signal(signum)
        assert process.wait(30) == 0
        assert stays_continued(target.pid)


def test_the_driver_leaves_its_target_continued_when_its_parent_is_killed() -> None:
    with sleeper() as target:
        command = driver(target.pid)
        parent = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PARENT,
                *command,
            ],
            stdout=subprocess.PIPE,
        )
        assert parent.stdout is not None
        with parent.stdout:
            child = int(parent.stdout.readline())
            until_stopped(target.pid)
            parent.kill()
            parent.wait()
        end = time.monotonic() + 30
        with suppress(FileNotFoundError):
            while stat(child)[0] != "Z":
                assert time.monotonic() < end, "the driver goes on without its parent"
                time.sleep(0.005)
        assert stays_continued(target.pid)


def test_a_driver_that_stood_still_itself_goes_on() -> None:
    with sleeper() as target:
        process = subprocess.Popen(driver(target.pid))
        for _ in range(5):
            until_stopped(target.pid)
            process.send_signal(signal.SIGSTOP)
            until_stopped(process.pid)
            time.sleep(0.2)  # longer than any wait of its
            process.send_signal(signal.SIGCONT)
            until_continued(target.pid)
        until_stopped(target.pid)
        process.terminate()
        assert process.wait(30) == 0
        assert stays_continued(target.pid)


def test_the_driver_ends_with_its_target() -> None:
    with sleeper() as target:
        process = subprocess.Popen(driver(target.pid))
        until_stopped(target.pid)
        target.kill()
        target.wait()
        assert process.wait(30) == duty_cycle.EXIT_TARGET_GONE


def test_the_driver_does_not_touch_a_process_that_only_has_the_pid_of_its_target() -> None:
    with sleeper() as stranger:
        process = subprocess.Popen(driver(stranger.pid, start_time="12345"))
        assert process.wait(30) == duty_cycle.EXIT_TARGET_GONE
        assert stays_continued(stranger.pid)


def test_latency_rises_as_the_duty_cycle_says_and_nobody_holds_the_server_for_failed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        waits = {}
        for percent in (30, 80):
            fault = await stage.desk.inject(
                "slow", "valkey-0", countdown_s=0, params={"percent": percent, "period": "200ms"}
            )
            assert fault.params == {"percent": float(percent), "period": 200.0}
            assert stage.helpers() == ["slow-valkey-0"]
            waits[percent] = await stage.waits_ms("valkey-0")
            seen = await stage.note()
            assert [node.id for node in seen.nodes if node.signals["cluster"] == "down"] == []
            assert seen.node("valkey-0") is not None
            assert [one.id for one in stage.desk.owed()] == [fault.id], "it looks well, but is still held"
            await stage.desk.recover()
            assert stage.life("valkey-0") != "T"
        # Who comes at any moment finds it stopped with a probability of 80 %, and then waits 80 ms on average.
        assert waits[80] > 0.4 * 0.8 * 80
        assert waits[80] > 2 * waits[30]
        assert await stage.waits_ms("valkey-0") < waits[80] / 2

    on_stage(tmp_path, story)


def test_a_server_that_somebody_restarts_is_slow_no_more_and_nothing_is_owed(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.desk.inject("slow", "valkey-3", countdown_s=0)
        stage.table.signal("valkey-3", signal.SIGKILL)
        await stage.until(lambda: _is(stage.helpers() == []))
        await stage.control.revive("valkey-3")

        async def struck() -> bool:
            await stage.note()
            return not stage.desk.owed()

        await stage.until(struck)
        assert stage.frames[-1][1]["recovered_by"] == "observation"

    on_stage(tmp_path, story)


def test_a_driver_that_was_killed_leaves_a_stopped_server_which_the_undo_wakes(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.desk.inject("slow", "valkey-4", countdown_s=0, params={"percent": 95, "period": 500})
        await stage.until(lambda: _is(stage.life("valkey-4") == "T"))
        stage.table.signal("slow-valkey-4", signal.SIGKILL)
        await stage.until(lambda: _is(stage.helpers() == []))
        stage.table.signal("valkey-4", signal.SIGSTOP)
        (fault,) = stage.desk.owed()
        assert await stage.control.leftovers(fault, stage.journal.owed()[0].memo) == "valkey-4 is stopped by a signal"
        (recovered,) = await stage.desk.recover()
        assert recovered.recovered_by == "undo"

    on_stage(tmp_path, story)


def test_servers_on_different_nodes_are_slow_at_once_each_in_its_own_measure(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await asyncio.gather(
            stage.desk.inject("slow", "valkey-0", countdown_s=0, params={"percent": 50}),
            stage.desk.inject("slow", "valkey-4", countdown_s=0, params={"percent": 60}),
        )
        assert sorted(stage.helpers()) == ["slow-valkey-0", "slow-valkey-4"]
        assert len(await stage.desk.recover()) == 2

    on_stage(tmp_path, story)


def test_parameters_out_of_range_are_refused_by_name_and_unit(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(BadRequest, match="slow: percent is 1 to 95 %, not 99"):
            await stage.desk.inject("slow", "valkey-0", countdown_s=0, params={"percent": 99})

    on_stage(tmp_path, story)


def test_a_tool_of_the_daemon_ends_with_it_even_where_servers_are_kept(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        records = ServerRecords(tmp_path / "servers.json")
        table = ProcessTable(on_state=lambda _: None, on_log=lambda *_: None, records=records, keep_servers=True)
        await table.start()
        server = await table.launch("valkey-0", ["sleep", "600"])
        tool = await table.launch("slow-valkey-0", ["sleep", "600"], guarded=True)
        assert [record.name for record in records.servers()] == ["valkey-0"]
        await table.stop_all()
        return server, tool

    server, tool = asyncio.run(scenario())
    try:
        assert stat(server)[0] not in "ZXT"
        assert not Path(f"/proc/{tool}").exists()
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


async def _is(value: bool) -> bool:
    return value
