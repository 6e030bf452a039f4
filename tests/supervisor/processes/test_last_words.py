"""What a process printed before it died, and what a flood of output does to the daemon: nothing."""

import asyncio
import os
import signal

import psutil

from operator_protocol.errors import Unavailable
from operatord.processes.backoff import BackoffPolicy
from operatord.processes.spec import EX_CONFIG, ProcessSpec
from operatord.processes.supervision import Policies

from .conftest import MakeHost

SLOWLY = Policies(backoff=BackoffPolicy(base_s=30, cap_s=30, flap_deaths=1))
"""The first death is the last."""


def test_the_last_lines_are_in_the_state_of_what_failed_also_while_a_grandchild_holds_the_pipe(host: MakeHost) -> None:
    async def story() -> None:
        async with host(SLOWLY) as h:
            h.table.add_worker("ycsb", "process_bodies:crashing", {"lines": 5_000})
            await h.table.start_worker("ycsb")
            await h.until(lambda: bool(h.exits))
            state = h.table.state("ycsb")
            assert (state.state, state.signal) == ("failed", signal.SIGKILL)
            # The other may have ended the half line: the pipe is the same.
            own = [line.removesuffix("noise") for line in state.last_lines if line != "noise"]
            assert own[-3:] == ["line 4999", "my last words", "and half a l"]
            # They were delivered before the news of the death, and published with it.
            assert h.exits[0][1].last_lines == state.last_lines
            said = [line.removesuffix("noise") for line in h.lines("ycsb") if line != "noise"]
            assert said[-2:] == ["my last words", "and half a l"]

    asyncio.run(story())


def test_last_lines_are_few_and_short_and_gone_with_the_next_start(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            text = "for n in $(seq 99); do echo line $n; done; head -c 60000 /dev/zero | tr '\\0' x; exit 1"
            h.table.add_process(ProcessSpec("helper", ("sh", "-c", text), restart="never"))
            await h.table.start_worker("helper")
            await h.until(lambda: h.table.state("helper").state == "failed")
            assert h.table.state("helper").last_lines == [*(f"line {n}" for n in range(81, 100)), "x" * 500]
            h.table.add_process(ProcessSpec("other", ("sh", "-c", "[ -e stop ] || exec sleep 60")))
            await h.table.start_worker("other")
            assert h.table.state("other").last_lines == []

    asyncio.run(story())


def test_a_worker_that_says_its_configuration_is_wrong_is_not_tried_again(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("agent", "process_bodies:exits", {"code": EX_CONFIG})
            await h.table.start_worker("agent")
            await h.until(lambda: bool(h.exits))
            state = h.table.state("agent")
            assert (state.state, state.restarts, state.exit_code) == ("failed", 0, EX_CONFIG)
            assert state.reason == "exited with 78, which another start would not change"
            assert state.last_lines == ["leaving with 78"]

    asyncio.run(story())


def test_a_worker_that_is_configured_with_nonsense_says_so_and_is_given_up_at_once(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            args = {"name": "agent", "module": "process_bodies", "ingest": "inproc://nobody"}
            h.table.add_worker("agent", "operatord.workers.runtime:run", args)
            await h.table.start_worker("agent")
            await h.until(lambda: bool(h.exits))
            state = h.table.state("agent")
            assert (state.state, state.restarts, state.exit_code) == ("failed", 0, EX_CONFIG)
            assert state.last_lines == ["cannot work with this configuration: SubjectSpec.name is missing"]

    asyncio.run(story())


def test_a_flood_neither_blocks_the_child_nor_fills_the_memory_of_the_daemon(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            h.table.add_worker("ycsb", "process_bodies:flooding")
            await h.table.start_worker("ycsb")

            def counted() -> int:
                return sum(1 + dropped for name, _, _, dropped in list(h.logs) if name == "ycsb")

            await h.until(lambda: counted() > 200_000, timeout_s=60)
            before, lines = psutil.Process().memory_info().rss, counted()
            # 200 MB more, of which hardly anything is kept.
            await h.until(lambda: counted() > lines + 2_000_000, timeout_s=60)
            assert psutil.Process().memory_info().rss - before < 16 << 20
            assert len(h.logs) < 50_000
            os.kill(h.pid("ycsb"), signal.SIGSTOP)
            assert (await h.table.stop("ycsb")).state == "stopped"

    asyncio.run(story())


def test_what_cannot_be_told_to_stop_is_killed_and_comes_to_rest(host: MakeHost) -> None:
    async def story() -> None:
        async with host() as h:
            # There is no such signal: the stop fails half way.
            h.table.add_process(ProcessSpec("helper", ("sleep", "60"), stop_signal=999))
            await h.table.start_worker("helper")
            state = await h.table.stop("helper")
            assert (state.state, state.signal, state.pid) == ("stopped", signal.SIGKILL, None)
            assert (await h.table.restart("helper")).state == "ready"
            try:
                await h.table.wait_ready(["helper"], 5)
            except Unavailable:
                raise AssertionError("it does not come back") from None

    asyncio.run(story())
