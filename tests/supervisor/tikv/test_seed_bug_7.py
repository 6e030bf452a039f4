"""The seventh bug of the system that this one replaces: a campaign cleaned up only if nothing had gone wrong.

Its clean-up stood behind the code that could fail, what failed in it was passed over, a killed node was never started
again, nothing on disk said what was owed, and its disk fault took four fifths of what the *host* had free.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.supervisor.tikv.toy_engine import GIB, ToyEngine, control_on

from operator_protocol.codec import Body
from operator_protocol.errors import DeadlineExceeded, Unavailable
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal, read_owed
from operatord.subjects.base import Observation

LIMITS = Limits(recover_s=0.5, poll_s=0.01, undo_again_s=0.1)


def with_desk(engine: ToyEngine, state_dir: Path, work: Callable[[FaultDesk], Awaitable[None]]) -> None:
    """A desk on the journal of that directory: its own daemon, which ends without undoing anything."""

    async def observe() -> Observation:
        return engine.look()

    def publish(_topic: str, _body: Body) -> None:
        pass

    async def main() -> None:
        journal = UndoJournal(state_dir / "undo.journal")
        desk = FaultDesk(control_on(engine, state_dir), journal, publish, observe, limits=LIMITS)
        try:
            await work(desk)
        finally:
            await desk.release()
            journal.close()

    asyncio.run(main())


def owed(state_dir: Path) -> list[str]:
    return [f"{one.fault.kind} {one.fault.target}" for one in read_owed(state_dir / "undo.journal")]


def test_bug_7_a_killed_store_was_never_started_again_and_nothing_remembered_that_it_was_owed(tmp_path: Path) -> None:
    engine = ToyEngine()

    async def dies(desk: FaultDesk) -> None:
        await desk.inject("kill", "tikv1", countdown_s=0)
        raise RuntimeError("the harness failed in the middle of a trial")

    with pytest.raises(RuntimeError, match="in the middle"):
        with_desk(engine, tmp_path, dies)
    assert engine.states["tikv1"] == "exited"
    assert owed(tmp_path) == ["kill tikv1"]

    async def comes_after(desk: FaultDesk) -> None:
        assert [fault.recovered_by for fault in await desk.sweep()] == ["sweep"]

    with_desk(engine, tmp_path, comes_after)
    assert engine.states["tikv1"] == "running"
    assert owed(tmp_path) == []


def test_bug_7_a_cleanup_that_failed_said_nothing_and_was_taken_for_done(tmp_path: Path) -> None:
    engine = ToyEngine()

    async def work(desk: FaultDesk) -> None:
        await desk.inject("kill", "tikv1", countdown_s=0)
        engine.refuses["start"] = Unavailable("starting tikv1: no space left on device")
        with pytest.raises(DeadlineExceeded, match="no space left on device"):
            await desk.recover()
        assert [(one.state, one.owed) for one in desk.owed()] == [("failed", True)]
        assert owed(tmp_path) == ["kill tikv1"]
        # Nor is it forgotten then: what stood against it may be over.
        assert await desk.retry() == []
        engine.refuses.clear()
        assert [one.state for one in await desk.retry()] == ["recovered"]

    with_desk(engine, tmp_path, work)
    assert engine.states["tikv1"] == "running"
    assert owed(tmp_path) == []


def test_bug_7_one_cleanup_that_failed_kept_the_others_from_being_done(tmp_path: Path) -> None:
    engine = ToyEngine()

    async def work(desk: FaultDesk) -> None:
        await desk.inject("kill", "tikv1", countdown_s=0)
        await desk.inject("pause", "pd1", countdown_s=0)
        engine.refuses["start"] = Unavailable("starting tikv1: no space left on device")
        with pytest.raises(DeadlineExceeded):
            await desk.recover()
        assert engine.states["pd1"] == "running"
        assert owed(tmp_path) == ["kill tikv1"]

    with_desk(engine, tmp_path, work)


def test_bug_7_an_injection_that_failed_half_way_was_left_as_it_was(tmp_path: Path) -> None:
    engine = ToyEngine()

    async def work(desk: FaultDesk) -> None:
        engine.refuses["pause"] = Unavailable("pausing tikv1: the engine went away")
        with pytest.raises(Unavailable, match="went away"):
            await desk.inject("pause", "tikv1", countdown_s=0)
        assert "inspect tikv1" in engine.asked
        assert desk.owed() == []

    with_desk(engine, tmp_path, work)
    assert owed(tmp_path) == []


def test_bug_7_filling_a_stores_disk_took_four_fifths_of_what_the_host_had_free(tmp_path: Path) -> None:
    engine = ToyEngine()

    async def work(desk: FaultDesk) -> None:
        with pytest.raises(Unavailable, match="no quota of their own"):
            await desk.inject("disk", "tikv1", countdown_s=0, params={"size": GIB})
        assert engine.files == {}
        engine.volume_options, engine.volume_bytes = {"type": "tmpfs", "o": "size=4g"}, 4 * GIB
        with pytest.raises(Unavailable, match="too much"):
            await desk.inject("disk", "tikv1", countdown_s=0, params={"size": 4 * GIB - 1})
        assert engine.files == {}
        await desk.inject("disk", "tikv1", countdown_s=0, params={"size": GIB})
        assert list(engine.files.values()) == [GIB]
        assert owed(tmp_path) == ["disk tikv1"]
        await desk.recover()
        assert engine.files == {}

    with_desk(engine, tmp_path, work)
    assert owed(tmp_path) == []


def test_what_is_found_left_after_an_undo_is_not_taken_for_over_by_a_look_that_cannot_tell(tmp_path: Path) -> None:
    """Nothing in a look tells of a file: only another undo, and another check, may end the fault."""
    engine = ToyEngine()
    engine.volume_options = {"type": "tmpfs", "o": f"size={engine.volume_bytes}"}

    async def work(desk: FaultDesk) -> None:
        await desk.inject("disk", "tikv1", countdown_s=0)
        kept = dict(engine.files)
        engine.keeps_files = True
        with pytest.raises(DeadlineExceeded, match="is still there"):
            await desk.recover()
        assert engine.files == kept
        desk.note(engine.look())
        assert [one.state for one in desk.owed()] == ["failed"]
        engine.keeps_files = False
        await desk.recover()
        assert desk.owed() == []
        assert not engine.files

    with_desk(engine, tmp_path, work)
