"""``disk``, on the real filesystem of the tests and within bounds that are given."""

import asyncio
import itertools
import os
import threading
from pathlib import Path

import pytest

from operator_protocol.errors import Unavailable
from operator_protocol.models import Fault, Scalar
from operatord.injectors.base import Scene
from operatord.injectors.disk import DiskFault
from operatord.injectors.limits import ResourceLimits, Room
from operatord.injectors.room import lives_in_memory, room_on_disk

from .resource_scenes import fault, scene

MIB = 1024**2
LIMITS = ResourceLimits()
PLENTY = Room(100 * 1024**3, 50 * 1024**3)


def injector(room: Room = PLENTY, limits: ResourceLimits = LIMITS) -> DiskFault:
    """One that believes what it is told of the filesystem: that of the test may be full."""
    return DiskFault(limits, lambda _: room)


async def injected(asked: Fault, at: Scene, by: DiskFault | None = None) -> dict[str, Scalar]:
    by = by or injector()
    memo = await by.prepare(asked, at)
    await by.inject(asked, at, memo)
    return memo


def taken_back(asked: Fault, at: Scene, memo: dict[str, Scalar]) -> str:
    """Undone by an injector that knows the memo only; what is left."""

    async def story() -> str:
        await injector().undo(asked, at, memo)
        return await injector().leftovers(asked, at, memo)

    return asyncio.run(story())


def test_the_space_is_really_taken_and_given_back(tmp_path: Path) -> None:
    asked, at = fault("disk", size=80 * MIB), scene(1, tmp_path)
    memo = asyncio.run(injected(asked, at))
    path = Path(str(memo["file"]))
    assert path == tmp_path / f"operatord-fill-{asked.id}"
    assert path.stat().st_size == 80 * MIB
    assert path.stat().st_blocks * 512 >= 80 * MIB
    left = asyncio.run(injector().leftovers(asked, at, memo))
    assert left == f"the file {path} (80 MiB) is still there"
    assert taken_back(asked, at, memo) == ""
    assert list(tmp_path.iterdir()) == []
    assert taken_back(asked, at, memo) == ""


def test_the_real_filesystem_is_looked_at(tmp_path: Path) -> None:
    room = room_on_disk(tmp_path)
    assert 0 < room.available < room.total
    assert lives_in_memory(Path("/proc")) is False

    async def story() -> None:
        await DiskFault(LIMITS).prepare(fault("disk", size=room.total), scene(1, tmp_path))

    with pytest.raises(Unavailable, match="of disk are too much"):
        asyncio.run(story())


def test_a_directory_in_memory_is_recognised() -> None:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [Path(line.split()[4]) for line in mounts if " - tmpfs " in line]
    assert all(lives_in_memory(point) for point in points if point.is_dir() and os.path.ismount(point))


def test_less_than_a_tenth_free_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    asked, at = fault("disk", size=MIB), scene(1, tmp_path)
    with pytest.raises(Unavailable, match="nothing would be allowed"):
        asyncio.run(injected(asked, at, injector(Room(100 * MIB, 5 * MIB))))
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_all_servers_count_against_the_cap(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "operatord-fill-x").write_bytes(b"x" * MIB)
    cap = ResourceLimits(max_disk_bytes=3 * MIB)
    at = scene(1, tmp_path, other)
    with pytest.raises(Unavailable, match="at most 2 MiB would be allowed"):
        asyncio.run(injected(fault("disk", size=3 * MIB), at, injector(limits=cap)))
    asked = fault("disk", size=2 * MIB)
    memo = asyncio.run(injected(asked, at, injector(limits=cap)))
    assert taken_back(asked, at, memo) == ""


def test_when_others_fill_the_disk_meanwhile_it_stops_and_can_be_undone(tmp_path: Path) -> None:
    looks = [PLENTY, PLENTY, Room(100 * MIB, 5 * MIB)]
    asked, at = fault("disk", size=200 * MIB), scene(1, tmp_path)
    by = DiskFault(LIMITS, lambda _: looks.pop(0))
    memo = asyncio.run(by.prepare(asked, at))
    with pytest.raises(Unavailable, match="nothing would be allowed"):
        asyncio.run(by.inject(asked, at, memo))
    assert 0 < Path(str(memo["file"])).stat().st_size < 200 * MIB
    assert taken_back(asked, at, memo) == ""


def test_a_fault_that_is_interrupted_has_stopped_filling_before_it_can_be_undone(tmp_path: Path) -> None:
    asked, at = fault("disk", size=2048 * MIB), scene(1, tmp_path)
    path = tmp_path / f"operatord-fill-{asked.id}"
    looks, second_step, go_on = itertools.count(), threading.Event(), threading.Event()

    def room(_: Path) -> Room:
        # One look before the injection, one before each step.
        if next(looks) == 2:
            second_step.set()
            go_on.wait(20)
        return PLENTY

    async def story() -> None:
        by = DiskFault(LIMITS, room)
        memo = await by.prepare(asked, at)
        filling = asyncio.create_task(by.inject(asked, at, memo))
        await asyncio.to_thread(second_step.wait, 20)
        filling.cancel()
        done, _ = await asyncio.wait([filling], timeout=0)
        assert not done
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait([filling])
        assert filling.cancelled()
        assert await asyncio.to_thread(lambda: path.stat().st_size) == 64 * MIB
        await by.undo(asked, at, memo)
        assert await by.leftovers(asked, at, memo) == ""

    asyncio.run(story())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("written", [None, 0, MIB])
def test_wherever_the_daemon_dies_the_memo_is_enough_for_the_undo(tmp_path: Path, written: int | None) -> None:
    asked, at = fault("disk", size=MIB), scene(None, tmp_path)
    memo = asyncio.run(injector().prepare(asked, at))
    if written is not None:
        Path(str(memo["file"])).write_bytes(b"x" * written)
    assert taken_back(asked, at, memo) == ""
    assert list(tmp_path.iterdir()) == []


def test_it_is_undone_when_the_cluster_was_built_anew_and_the_directory_is_gone(tmp_path: Path) -> None:
    memo: dict[str, Scalar] = {"file": str(tmp_path / "node" / "operatord-fill-1")}
    assert taken_back(fault("disk"), scene(1, tmp_path / "node"), memo) == ""


def test_a_file_that_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "appendonly.aof"
    theirs.write_text("data", encoding="ascii")
    with pytest.raises(Unavailable, match="no file of ours"):
        taken_back(fault("disk"), scene(1, tmp_path), {"file": str(theirs)})
    assert theirs.exists()


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    asked, at = fault("disk", size=MIB), scene(1, tmp_path)
    memo = asyncio.run(injector().prepare(asked, at))
    Path(str(memo["file"])).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="cannot fill"):
        asyncio.run(injector().inject(asked, at, memo))
    assert not (tmp_path / "elsewhere").exists()
    assert taken_back(asked, at, memo) == ""
