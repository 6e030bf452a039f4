"""``memory``: what the hog takes, what is left for a real server, and how it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.models import Fault, Scalar
from operatord.injectors import group as own
from operatord.injectors import oom
from operatord.injectors.base import Scene
from operatord.injectors.cgroups import Cgroups
from operatord.injectors.family import resident_bytes
from operatord.injectors.limits import ResourceLimits, Room
from operatord.injectors.memory import MemoryFault, running_hogs
from operatord.injectors.room import room_in_memory
from operatord.processes.detached import DetachedServers
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable

from .resource_scenes import STEADY, ValkeyClient, cgroup_of, fault, needs, scene, until, valkey_command

pytestmark = needs("memory")

MIB = 1024**2
SMALL: dict[str, Scalar] = {"size": 48 * MIB, "headroom": 8 * MIB}


@dataclass
class Daemon:
    """The part of a daemon that the fault needs: its process table."""

    table: ProcessTable
    lines: list[str] = field(default_factory=list)

    async def server(self, command: Sequence[str]) -> int:
        """A victim; the table would end any other child of this process as a stray."""
        return await self.table.launch("valkey-0", command)

    async def idle(self) -> int:
        return await self.server([sys.executable, "-c", STEADY])

    def injector(self, limits: ResourceLimits | None = None) -> MemoryFault:
        return MemoryFault(self.table, limits or ResourceLimits())


@asynccontextmanager
async def daemon(directory: Path, *, keep_servers: bool = False) -> AsyncIterator[Daemon]:
    lines: list[str] = []
    table = ProcessTable(
        on_state=lambda _: None,
        on_log=lambda name, stream, line, dropped: lines.append(line),
        records=ServerRecords(directory / "servers.json"),
        keep_servers=keep_servers,
    )
    await table.start()
    try:
        yield Daemon(table, lines)
    finally:
        await table.stop_all()


@asynccontextmanager
async def active(by: MemoryFault, asked: Fault, at: Scene) -> AsyncIterator[dict[str, Scalar]]:
    """Undone at the end, also of a test that fails; then nothing may be left."""
    memo = await by.prepare(asked, at)
    try:
        await by.inject(asked, at, memo)
        yield memo
    finally:
        await by.undo(asked, at, memo)
        assert await by.leftovers(asked, at, memo) == ""


def hogs_of(asked: Fault) -> list[int]:
    return [pid for pid, whose, _ in running_hogs() if whose == asked.id]


async def until_async(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, condition, what)


def test_the_hog_holds_what_was_asked_and_the_server_shares_its_limit(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.server(valkey_command(tmp_path))
            server = await asyncio.to_thread(ValkeyClient, tmp_path)
            before, asked, at = cgroup_of(pid), fault("memory", **SMALL), scene(pid)
            async with active(d.injector(), asked, at) as memo:
                group, (hog,) = Path(str(memo["group"])), hogs_of(asked)
                assert own.members(group) == {pid, hog}
                resident, limit = resident_bytes(hog), own.memory_limit(group)
                assert resident is not None
                assert limit is not None
                assert 48 * MIB <= resident <= 48 * MIB + 64 * MIB
                assert own.memory_usage(group) >= 48 * MIB
                assert limit <= own.memory_usage(group) + 8 * MIB + MIB
                assert (oom.score_adj(hog), oom.score_adj(pid)) == (1000, oom.score_adj(os.getpid()))
                left = await d.injector().leftovers(asked, at, memo)
                assert f"process {hog} still holds memory" in left
                assert str(group) in left
                await d.injector().undo(asked, at, memo)
                assert await d.injector().leftovers(asked, at, memo) == ""
            assert not psutil.pid_exists(hog)
            assert cgroup_of(pid) == before
            assert server.ask("PING") == b"+PONG\r\n"

    asyncio.run(story())


@pytest.mark.parametrize("victim", ["hog", "server"])
def test_when_the_server_grows_beyond_its_headroom_the_kernel_ends_the_one_that_was_chosen(
    tmp_path: Path, victim: str
) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.server(valkey_command(tmp_path))
            server = await asyncio.to_thread(ValkeyClient, tmp_path)
            asked, at = fault("memory", **SMALL, victim=victim), scene(pid)
            async with active(d.injector(), asked, at):
                (hog,) = hogs_of(asked)
                # SETRANGE writes zeros up to there: 40 MiB, where 8 are left.
                await asyncio.to_thread(server.ask, "SETRANGE", "key", str(40 * MIB), "x")
                if victim == "hog":
                    await until_async(lambda: not hogs_of(asked), "the hog to be ended")
                    assert server.ask("STRLEN", "key") == f":{40 * MIB + 1}\r\n".encode()
                else:
                    await until_async(lambda: d.table.pid("valkey-0") is None, "the server to be ended")
                    assert d.table.state("valkey-0").signal == signal.SIGKILL
                    assert hogs_of(asked) == [hog]

    asyncio.run(story())


def test_a_server_that_was_chosen_and_survives_is_as_dear_to_the_kernel_as_before(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.idle()
            before, asked, at = oom.score_adj(pid), fault("memory", **SMALL, victim="server"), scene(pid)
            async with active(d.injector(), asked, at) as memo:
                assert oom.score_adj(pid) == 1000
                await d.injector().undo(asked, at, memo)
                assert oom.score_adj(pid) == before

    asyncio.run(story())


def test_a_hog_that_ends_is_not_started_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.idle()
            asked, at = fault("memory", **SMALL), scene(pid)
            async with active(d.injector(), asked, at) as memo:
                (hog,) = hogs_of(asked)
                os.kill(hog, signal.SIGKILL)
                names = {state.name for state in d.table.states()}
                assert memo["hog"] in names
                await until_async(lambda: d.table.pid(str(memo["hog"])) is None, "its end to be noticed")
                assert {state.name for state in d.table.states()} == names - {memo["hog"]}

    asyncio.run(story())


def test_a_kept_server_is_freed_without_a_daemon_and_no_hog_is_kept(tmp_path: Path) -> None:
    before = cgroup_of(os.getpid())

    async def story() -> tuple[Fault, Scene, dict[str, Scalar]]:
        async with daemon(tmp_path, keep_servers=True) as d:
            asked, at = fault("memory", **SMALL), scene(await d.idle())
            by = d.injector()
            memo = await by.prepare(asked, at)
            await by.inject(asked, at, memo)
            assert hogs_of(asked)
        return asked, at, memo

    async def recover(asked: Fault, at: Scene, memo: dict[str, Scalar]) -> None:
        servers = DetachedServers(ServerRecords(tmp_path / "servers.json"))
        by = MemoryFault(servers, ResourceLimits())
        assert hogs_of(asked) == []
        left = await by.leftovers(asked, at, memo)
        assert left == f"the cgroup {memo['group']} is still there, with process {at.target.pid}"
        await by.undo(asked, at, memo)
        assert await by.leftovers(asked, at, memo) == ""
        assert at.target.pid is not None
        assert cgroup_of(at.target.pid) == before
        await servers.terminate("valkey-0", timeout_s=0.1)

    asked, at, memo = asyncio.run(story())
    asyncio.run(recover(asked, at, memo))
    os.waitpid(at.target.pid or 0, 0)


def test_the_undo_finds_a_hog_of_which_no_process_table_knows(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            strangers = DetachedServers(ServerRecords(tmp_path / "others.json"))
            other = MemoryFault(strangers, ResourceLimits())
            pid = await d.idle()
            asked, at = fault("memory", **SMALL), scene(pid)
            async with active(d.injector(), asked, at) as memo:
                await other.undo(asked, at, memo)
                assert hogs_of(asked) == []
                assert await other.leftovers(asked, at, memo) == ""

    asyncio.run(story())


@pytest.mark.parametrize("reached", ["intent", "group", "moved", "chosen", "hog"])
def test_wherever_the_daemon_dies_the_memo_is_enough_for_the_undo(tmp_path: Path, reached: str) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.idle()
            asked, at, before = fault("memory", **SMALL), scene(pid), cgroup_of(pid)
            memo = await d.injector().prepare(asked, at)
            if reached != "intent":
                group = own.create(Cgroups().place("memory", pid), Path(str(memo["group"])).name)
                if reached in ("moved", "chosen"):
                    own.adopt(group, pid)
                if reached == "chosen":
                    oom.adjust([pid], oom.FIRST_TO_GO)
                if reached == "hog":
                    injection = asyncio.create_task(d.injector().inject(asked, at, memo))
                    await until_async(lambda: hogs_of(asked), "the hog")
                    injection.cancel()
                    await asyncio.wait([injection])
            await d.injector().undo(asked, at, memo)
            assert await d.injector().leftovers(asked, at, memo) == ""
            assert (cgroup_of(pid), oom.score_adj(pid)) == (before, oom.score_adj(os.getpid()))

    asyncio.run(story())


def test_more_than_the_share_of_this_host_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.idle()
            asked, before = fault("memory", size=room_in_memory().total // 2), cgroup_of(pid)
            with pytest.raises(Unavailable, match=r"of memory are too much: at most .* would be allowed"):
                await d.injector().prepare(asked, scene(pid))
            little = fault("memory", **SMALL)
            with pytest.raises(Unavailable, match="nothing would be allowed"):
                await d.injector(ResourceLimits(max_memory_share=0.0)).prepare(little, scene(pid))
            assert cgroup_of(pid) == before
            with pytest.raises(Conflict, match="does not run"):
                await d.injector().prepare(little, scene(None))

    asyncio.run(story())


def test_a_host_that_runs_short_meanwhile_ends_the_injection_and_it_can_be_undone(tmp_path: Path) -> None:
    """The hog looks at the real host: it is told of a floor that this cannot keep."""

    async def story() -> None:
        async with daemon(tmp_path) as d:
            pid = await d.idle()
            asked, at = fault("memory", **SMALL), scene(pid)
            far_too_much = Room(2**50, 2**50)
            by = MemoryFault(d.table, ResourceLimits(), room=lambda _: far_too_much)
            memo = await by.prepare(asked, at)
            with pytest.raises(Unavailable, match="has ended"):
                await by.inject(asked, at, memo)
            await until_async(lambda: any("the floor is" in line for line in d.lines), "the reason in its log")
            await by.undo(asked, at, memo)
            assert await by.leftovers(asked, at, memo) == ""

    asyncio.run(story())


def test_a_cgroup_that_bounds_us_counts_as_the_host(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    for name, text in (("memory.max", str(64 * MIB)), ("memory.current", str(60 * MIB)), ("memory.stat", "")):
        (group / name).write_text(text, encoding="ascii")
    assert room_in_memory([group]) == Room(64 * MIB, 4 * MIB)
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {20 * MIB}\n", encoding="ascii")
    assert room_in_memory([group]) == Room(64 * MIB, 24 * MIB)
    (group / "memory.max").write_text("max", encoding="ascii")
    assert room_in_memory([group]).total == room_in_memory().total > 64 * MIB
