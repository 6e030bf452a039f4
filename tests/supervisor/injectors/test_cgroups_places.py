"""Where a cgroup of ours may be made, on trees of both versions as they are found in the wild."""

from collections.abc import Callable
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict, Unavailable
from operatord.injectors import group as own
from operatord.injectors.cgroups import Cgroups, Controller, Place, parse_memberships, parse_mounts

PID = 4711

Tree = Callable[..., Cgroups]


@pytest.fixture
def machine(tmp_path: Path) -> Tree:
    """A machine of files: ``/proc`` with mounts and memberships, and groups with the files of the kernel."""

    def make(mounts: str, memberships: str, groups: dict[str, dict[str, str]]) -> Cgroups:
        proc = tmp_path / "proc"
        for name in ("self", str(PID)):
            (proc / name).mkdir(parents=True)
            (proc / name / "cgroup").write_text(memberships, encoding="ascii")
        (proc / "self" / "mountinfo").write_text(mounts.replace("TREE", str(tmp_path / "tree")), encoding="ascii")
        for group, files in groups.items():
            directory = tmp_path / "tree" / group
            directory.mkdir(parents=True, exist_ok=True)
            for name, text in {"cgroup.procs": "", **files}.items():
                (directory / name).write_text(text, encoding="ascii")
        return Cgroups(proc)

    return make


V1 = """31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / TREE/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / TREE/memory rw,relatime - cgroup cgroup rw,memory
34 31 0:31 / TREE/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2 = "31 23 0:28 / TREE rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_in_version_1_our_group_is_below_the_one_that_the_target_is_in(machine: Tree, tmp_path: Path) -> None:
    groups = machine(
        V1, "4:memory:/\n2:cpu,cpuacct:/system/db\n0::/x\n", {"cpu/system/db": {}, "memory": {}, "unified/x": {}}
    )
    tree = tmp_path / "tree"
    assert groups.place("cpu", PID) == Place(1, tree / "cpu/system/db", tree / "cpu/system/db")
    assert groups.place("memory") == Place(1, tree / "memory", tree / "memory")
    assert groups.above("cpu", PID) == [tree / "cpu/system/db", tree / "cpu/system", tree / "cpu"]


def test_in_a_container_the_mounted_group_stands_for_the_root(machine: Tree, tmp_path: Path) -> None:
    mounts = "32 31 0:29 /docker/abc TREE/cpu rw - cgroup cgroup rw,cpu\n"
    groups = machine(mounts, "2:cpu:/docker/abc/inner\n", {"cpu/inner": {}})
    assert groups.place("cpu", PID).parent == tmp_path / "tree/cpu/inner"


@pytest.mark.parametrize("memberships", ["2:cpu:/../other\n", "2:cpu:/docker/xyz\n"])
def test_a_group_outside_of_what_is_mounted_is_refused(machine: Tree, memberships: str) -> None:
    groups = machine("32 31 0:29 /docker/abc TREE/cpu rw - cgroup cgroup rw,cpu\n", memberships, {"cpu": {}})
    with pytest.raises(Unavailable, match="no cgroup hierarchy with the controller 'cpu' can be seen from here"):
        groups.place("cpu", PID)
    assert groups.above("memory", PID) == []


def test_without_any_cgroups_it_says_so(machine: Tree) -> None:
    assert "no cgroup hierarchy with the controller 'memory'" in machine("", "", {}).missing("memory")


def test_a_group_that_may_not_be_written_is_refused_with_what_to_do(machine: Tree, tmp_path: Path) -> None:
    groups = machine(V1, "2:cpu,cpuacct:/\n", {"cpu": {}})
    (tmp_path / "tree/cpu/cgroup.procs").unlink()
    assert groups.missing("cpu") == (
        f"the cgroup {tmp_path}/tree/cpu/cgroup.procs is not writable for this user;"
        " run operatord as root, or give it a cgroup of its own (systemd: Delegate=yes)"
    )


def test_in_version_2_the_root_may_hold_processes_and_hand_controllers_on(machine: Tree, tmp_path: Path) -> None:
    both = {"cgroup.controllers": "cpu memory", "cgroup.subtree_control": "cpu memory"}
    place = machine(V2, "0::/\n", {"": both}).place("cpu", PID)
    assert place == Place(2, tmp_path / "tree", tmp_path / "tree")


def test_in_version_2_our_group_is_beside_the_target_where_the_group_above_hands_the_controller_on(
    machine: Tree, tmp_path: Path
) -> None:
    groups = machine(
        V2,
        "0::/system.slice/operatord.service/supervisor\n",
        {
            "system.slice/operatord.service": {"cgroup.controllers": "cpu", "cgroup.subtree_control": "cpu"},
            "system.slice/operatord.service/supervisor": {"cgroup.controllers": "cpu"},
        },
    )
    unit = tmp_path / "tree/system.slice/operatord.service"
    assert groups.place("cpu", PID) == Place(2, unit / "supervisor", unit)
    assert "the cgroup controller 'memory' is not delegated" in groups.missing("memory")


def test_in_version_2_a_group_with_processes_cannot_hand_on_and_the_command_that_would_help_is_named(
    machine: Tree, tmp_path: Path
) -> None:
    unit = {"cgroup.controllers": "cpu memory"}
    groups = machine(V2, "0::/unit/supervisor\n", {"unit": unit, "unit/supervisor": {}})
    assert groups.missing("memory") == (
        f"{tmp_path}/tree/unit/supervisor holds processes, so it cannot hand the cgroup controller 'memory' on, and"
        f" {tmp_path}/tree/unit does not; if {tmp_path}/tree/unit is yours:"
        f" echo +memory > {tmp_path}/tree/unit/cgroup.subtree_control"
    )


def test_a_target_in_a_group_of_another_fault_is_refused(machine: Tree) -> None:
    groups = machine(V1, "2:cpu,cpuacct:/operatord-cpu-1\n", {"cpu/operatord-cpu-1": {}})
    with pytest.raises(Conflict, match="is in the cgroup of another fault"):
        groups.place("cpu", PID)


def test_the_limits_of_version_2_go_to_its_own_files(machine: Tree, tmp_path: Path) -> None:
    name = "operatord-x"
    files = {"cpu.max": "max 100000", "memory.max": "max", "memory.current": "1000", "cgroup.type": "domain"}
    machine(V2, "0::/\n", {name: {**files, "memory.stat": "anon 5\ninactive_file 7\n"}})
    group = own.create(Place(2, tmp_path / "tree", tmp_path / "tree"), name)
    assert own.memory_limit(group) is None
    own.limit_cpu(group, 10_000, 100_000)
    own.limit_memory(group, 4096)
    assert (group / "cpu.max").read_text(encoding="ascii").startswith("10000 100000")
    assert (own.memory_limit(group), own.memory_usage(group), own.memory_cache(group)) == (4096, 1000, 7)


@pytest.mark.parametrize("controller", ["cpu", "memory"])
def test_the_tree_of_this_machine_is_understood(controller: Controller) -> None:
    groups = Cgroups()
    missing = groups.missing(controller)
    assert missing or groups.place(controller).home.is_dir()


def test_the_formats_of_the_kernel_are_read_as_documented() -> None:
    (mount,) = parse_mounts("36 35 98:0 /a\\040b /mnt\\134c rw master:1 - cgroup none rw,cpu\nshort line\n")
    assert (mount.root, str(mount.point)) == ("/a b", "/mnt\\c")
    one, two = parse_memberships("3:cpu,cpuacct:/a:b\n0::/gone (deleted)\n")
    assert (sorted(one.controllers), one.group) == (["cpu", "cpuacct"], "/a:b")
    assert (sorted(two.controllers), two.group) == ([], "/gone")
