"""Undoing without a daemon, and faults on real processes."""

import asyncio
import signal
from pathlib import Path

import pytest

from operator_protocol.errors import DeadlineExceeded, Unavailable
from operatord.faults.recovery import CLUSTER_GONE, recover_offline
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import read_owed
from operatord.subjects.base import SubjectProbe, SubjectSpec

from .toy_cluster import NODES, Bench, sleepers

# Offline there is no injected time: these run on the clock of the machine, so they look often and give up soon.
LIMITS = Limits(recover_s=0.5, poll_s=0.01, undo_again_s=0.1)


async def leave_owed(bench: Bench, *targets: str) -> None:
    for target in targets:
        await bench.desk.inject("kill", target, countdown_s=0, force=True)
    await bench.desk.release()
    bench.restart()
    bench.timeline.clock = asyncio.get_running_loop().time  # type: ignore[method-assign]  # real time from here on


async def recover(bench: Bench, exists: bool | None = None) -> list[tuple[str, str]]:
    def make_probe(spec: SubjectSpec) -> SubjectProbe:
        assert len(spec.members) == len(NODES)
        return bench.cluster

    faults = await recover_offline(bench.cluster, bench.journal, make_probe, exists=exists, limits=LIMITS)
    return [(fault.target, fault.recovered_by) for fault in faults]


def test_what_a_dead_daemon_owed_is_undone_and_verified(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await leave_owed(bench, "node-0", "node-4")
        assert sorted(await recover(bench)) == [("node-0", "sweep"), ("node-4", "sweep")]
        assert (bench.down(), read_owed(bench.path), bench.cluster.closed) == ([], [], True)
        assert await recover(bench) == []

    asyncio.run(run())


def test_a_server_that_is_down_for_a_reason_of_its_own_is_not_waited_for(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await leave_owed(bench, "node-0")
        bench.cluster.engine.signal("node-4", signal.SIGKILL)
        assert await recover(bench, exists=True) == [("node-0", "sweep")]
        assert (bench.down(), read_owed(bench.path)) == (["node-4"], [])

    asyncio.run(run())


def test_a_cluster_that_went_with_its_daemon_is_not_started_again(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await leave_owed(bench, "node-0")
        for node in NODES:
            bench.cluster.engine.signal(node, signal.SIGKILL)
        assert await recover(bench) == [("node-0", CLUSTER_GONE)]
        assert bench.down() == list(NODES)
        assert read_owed(bench.path) == []

    asyncio.run(run())


@pytest.mark.parametrize("known", ["told", "no members"])
def test_nothing_is_asked_of_a_cluster_that_is_known_to_be_gone(tmp_path: Path, known: str) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await leave_owed(bench, "node-0")
        if known == "no members":
            bench.cluster.members = []
        bench.cluster.log.clear()
        assert await recover(bench, exists=False if known == "told" else None) == [("node-0", CLUSTER_GONE)]
        assert bench.cluster.log == ["clear kill node-0"]

    asyncio.run(run())


def test_what_a_fault_left_outside_a_cluster_that_is_gone_is_still_owed_until_it_is_gone_too(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await leave_owed(bench, "node-0")
        bench.cluster.left_outside = "table inet operator"
        with pytest.raises(DeadlineExceeded, match="kill node-0 is still owed: table inet operator"):
            await recover(bench, exists=False)
        assert len(read_owed(bench.path)) == 1
        bench.cluster.left_outside = ""
        assert await recover(bench, exists=False) == [("node-0", CLUSTER_GONE)]

    asyncio.run(run())


def test_what_cannot_be_undone_offline_stays_owed_and_says_why(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await leave_owed(bench, "node-0")
        bench.cluster.refuses_undo = Unavailable("the data directory is not writable")
        with pytest.raises(DeadlineExceeded, match="the data directory is not writable"):
            await recover(bench)
        assert len(read_owed(bench.path)) == 1

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["kill", "stop", "pause", "restart"])
def test_every_kind_is_done_to_and_undone_from_a_real_process(tmp_path: Path, kind: str) -> None:
    async def run() -> None:
        with sleepers() as engine:
            bench = Bench(tmp_path, engine)
            fault = await bench.timeline.run(bench.desk.inject(kind))
            expected = {"pause": "paused", "restart": "up"}.get(kind, "dead")
            assert engine.life(fault.target) == expected
            await bench.timeline.run(bench.desk.recover())
            assert bench.down() == []
            assert read_owed(bench.path) == []

    asyncio.run(run())
