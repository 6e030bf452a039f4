"""``cpu``, measured on a server that wants more than it gets."""

import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict
from operator_protocol.models import Fault, Scalar
from operatord.injectors import group as own
from operatord.injectors.base import Scene
from operatord.injectors.cgroups import Cgroups
from operatord.injectors.cpu import CpuFault

from .resource_scenes import (
    STEADY,
    ValkeyClient,
    cgroup_of,
    cpu_seconds,
    fault,
    figure,
    needs,
    running,
    scene,
    until,
    valkey_command,
)

pytestmark = needs("cpu")


def in_force(asked: Fault, at: Scene) -> dict[str, Scalar]:
    """Injected; the memo."""

    async def story() -> dict[str, Scalar]:
        memo = await CpuFault().prepare(asked, at)
        await CpuFault().inject(asked, at, memo)
        return memo

    return asyncio.run(story())


def taken_back(asked: Fault, at: Scene, memo: dict[str, Scalar]) -> str:
    """Undone by an injector that knows the memo only; what is left."""

    async def story() -> str:
        await CpuFault().undo(asked, at, memo)
        return await CpuFault().leftovers(asked, at, memo)

    return asyncio.run(story())


def test_a_busy_server_reaches_its_part_of_a_core_and_does_not_pass_it(tmp_path: Path) -> None:
    server = subprocess.Popen(valkey_command(tmp_path), process_group=0, stdout=subprocess.DEVNULL)
    try:
        ValkeyClient(tmp_path).spin()
        at, asked = scene(server.pid), fault("cpu", percent=5.0)
        before = cgroup_of(server.pid)
        memo = in_force(asked, at)
        statistics = Path(str(memo["group"])) / "cpu.stat"
        throttled, used, begun = figure(statistics, "nr_throttled"), cpu_seconds(server.pid), time.monotonic()
        # Each time it has used up its quota and waits for the next period: it reaches its part.
        until(lambda: figure(statistics, "nr_throttled") >= throttled + 10, "ten full periods")
        elapsed, used = time.monotonic() - begun, cpu_seconds(server.pid) - used
        assert taken_back(asked, at, memo) == ""
        # One period more than went by, and the kernel's own slack: it hands quota out in slices of 5 ms.
        assert used <= 0.05 * (elapsed + 0.1) + 0.05
        assert cgroup_of(server.pid) == before
    finally:
        server.kill()
        server.wait()


def test_the_default_is_less_than_a_server_needs_under_the_default_load() -> None:
    (percent,) = CpuFault().kind.params
    assert (percent.default, percent.unit, percent.minimum, percent.maximum) == (1.0, "%", 1.0, 100.0)
    with running(STEADY) as child:
        asked = fault("cpu")
        memo = in_force(asked, scene(child.pid))
        group = Path(str(memo["group"]))
        limit = group / "cpu.max" if (group / "cpu.max").exists() else group / "cpu.cfs_quota_us"
        assert limit.read_text(encoding="ascii").split()[0] == "1000"
        assert taken_back(asked, scene(child.pid), memo) == ""


def test_it_is_undone_when_the_server_was_killed_and_started_again() -> None:
    asked = fault("cpu")
    with running(STEADY) as first:
        memo = in_force(asked, scene(first.pid))
        first.kill()
        first.wait()
        with running(STEADY) as second:
            home = cgroup_of(second.pid)
            assert taken_back(asked, scene(second.pid), memo) == ""
            assert cgroup_of(second.pid) == home
    assert taken_back(asked, scene(None), memo) == ""


@pytest.mark.parametrize("reached", ["intent", "group", "limit", "moved"])
def test_wherever_the_daemon_dies_the_memo_is_enough_for_the_undo(reached: str) -> None:
    asked = fault("cpu")
    with running(STEADY) as child:
        at, before = scene(child.pid), cgroup_of(child.pid)
        memo = asyncio.run(CpuFault().prepare(asked, at))
        if reached != "intent":
            group = own.create(Cgroups().place("cpu", child.pid), Path(str(memo["group"])).name)
            if reached != "group":
                own.limit_cpu(group, 10_000, 100_000)
            if reached == "moved":
                own.adopt(group, child.pid)
            assert str(group) in asyncio.run(CpuFault().leftovers(asked, at, memo))
        assert taken_back(asked, at, memo) == ""
        assert cgroup_of(child.pid) == before


def test_a_server_that_is_limited_already_or_not_running_is_refused() -> None:
    with running(STEADY) as child:
        asked, at = fault("cpu"), scene(child.pid)
        memo = in_force(asked, at)
        with pytest.raises(Conflict, match="is in the cgroup of another fault"):
            asyncio.run(CpuFault().prepare(fault("cpu"), at))
        assert taken_back(asked, at, memo) == ""
    with pytest.raises(Conflict, match="valkey-0 does not run"):
        asyncio.run(CpuFault().prepare(asked, scene(None)))


def test_where_there_are_no_cgroups_the_catalogue_says_what_is_missing(tmp_path: Path) -> None:
    for name, text in (("mountinfo", ""), ("cgroup", "")):
        (tmp_path / "self").mkdir(exist_ok=True)
        (tmp_path / "self" / name).write_text(text, encoding="ascii")
    assert "no cgroup hierarchy with the controller 'cpu'" in CpuFault(Cgroups(tmp_path)).kind.missing
    assert CpuFault().kind.missing == ""
