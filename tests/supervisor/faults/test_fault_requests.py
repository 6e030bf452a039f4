"""What the desk refuses before anybody counts down, and what it says about it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operatord.faults.undo_journal import read_owed

from .toy_cluster import Bench

Scenario = Callable[[Bench], Awaitable[None]]


def play(tmp_path: Path, scenario: Scenario, cooldown_s: float = 0.0) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        bench.desk = bench.new_desk(cooldown_s)
        await scenario(bench)
        await bench.desk.release()
        bench.journal.close()

    asyncio.run(run())


def test_the_fault_carries_all_its_parameters_to_the_journal(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        fault = await bench.desk.inject("slow", "node-0", 0, for_s=30, params={"percent": "50%"})
        assert fault.params == {"percent": 50.0, "for_s": 30}
        assert read_owed(bench.path)[0].fault.params == fault.params
        assert (await bench.desk.inject("slow", "node-4", 0)).params == {"percent": 70.0}

    play(tmp_path, scenario)


def test_parameters_that_make_no_sense_are_refused_before_the_countdown(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        for params in ({"percent": 99}, {"procent": 9}):
            with pytest.raises(BadRequest):
                await bench.desk.inject("slow", "node-0", params=params)
        with pytest.raises(BadRequest, match="kill has no parameter"):
            await bench.desk.inject(params={"percent": 9})
        assert bench.frames == []

    play(tmp_path, scenario)


def test_a_kind_that_this_host_cannot_do_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(Unavailable, match="latency cannot be injected here: this kernel has no netem"):
            await bench.desk.inject("latency", "node-0")
        with pytest.raises(NotFound, match="'earthquake'"):
            await bench.desk.inject("earthquake", "node-0")
        assert (bench.frames, bench.cluster.log) == ([], [])

    play(tmp_path, scenario)


def test_what_the_subject_has_against_it_is_said_before_the_countdown_and_holds_no_node(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        bench.cluster.refuses_to_prepare = Conflict("node-0 is a replica")
        with pytest.raises(Conflict, match="node-0 is a replica"):
            await bench.desk.inject("kill", "node-0")
        assert bench.frames == []
        bench.cluster.refuses_to_prepare = None
        await bench.timeline.run(bench.desk.inject("kill", "node-0"))

    play(tmp_path, scenario)


def test_faults_on_different_nodes_are_in_force_together_each_with_an_end_of_its_own(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        first, second = await asyncio.gather(
            bench.desk.inject("pause", "node-0", 0, for_s=10), bench.desk.inject("slow", "node-4", 0)
        )
        assert bench.desk.owed() == [first, second]
        with pytest.raises(Conflict, match="has a fault already: slow"):
            await bench.desk.inject("kill", "node-4", 0)
        await bench.timeline.advance(12)
        assert bench.desk.owed() == [second]

    play(tmp_path, scenario)


def test_without_a_cooldown_the_next_fault_may_follow_at_once(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(2):
            await bench.desk.inject("kill", "node-0", 0)
            await bench.timeline.run(bench.desk.recover())

    play(tmp_path, scenario)


def test_within_the_cooldown_a_fault_is_refused_with_how_long_it_still_takes(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.desk.inject("kill", "node-0", 0)
        # It counts from a recovery: several faults at once are no matter of it.
        await bench.desk.inject("kill", "node-4", 0)
        await bench.timeline.run(bench.desk.recover())
        await bench.timeline.advance(20)
        with pytest.raises(Conflict, match=r"less than 1 min ago: the cooldown takes (39|40) s more") as refused:
            await bench.desk.inject("kill", "node-1", 0)
        assert refused.value.hint == "wait, or --force"
        assert bench.down() == []
        await bench.timeline.advance(41)
        await bench.desk.inject("kill", "node-1", 0)

    play(tmp_path, scenario, cooldown_s=60)


def test_force_overrides_the_cooldown_and_an_aborted_countdown_does_not_begin_one(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(bench.desk.inject("kill", "node-0", 3))
        await bench.timeline.advance(1)
        bench.desk.abort_countdowns()
        with pytest.raises(Conflict):
            await task
        await bench.desk.inject("kill", "node-0", 0)
        await bench.timeline.run(bench.desk.recover())
        await bench.desk.inject("kill", "node-0", 0, force=True)

    play(tmp_path, scenario, cooldown_s=60)
