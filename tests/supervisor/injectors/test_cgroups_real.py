"""Groups of our own on the trees of this machine: in, out, and gone, whatever becomes of the process meanwhile."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from operator_protocol.errors import Conflict, Unavailable
from operatord.injectors import group as own
from operatord.injectors.cgroups import Cgroups, Place, parse_mounts

from .resource_scenes import STEADY, cgroup_of, needs, running, until


def mounted() -> list[Place]:
    """A place in each tree where groups can be made here; version 2 also without any controller."""
    places = []
    for tree in parse_mounts(Path("/proc/self/mountinfo").read_text(encoding="ascii")):
        if os.access(tree.point / "cgroup.procs", os.W_OK) and (tree.version == 2 or "cpu" in tree.controllers):
            home = Cgroups().shelter(tree.point / "x")
            if home is not None:
                places.append(Place(tree.version, home, home))
    return places


@pytest.fixture(params=mounted(), ids=lambda place: f"v{place.version}")
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.param
    return found


@pytest.fixture
def group(place: Place) -> Iterator[Path]:
    made = own.create(place, f"operatord-test-{secrets.token_hex(4)}")
    yield made
    own.dissolve(made, [place.home])
    assert not made.exists()


FORKS = """
import os, signal, threading
threads = [threading.Thread(target=signal.pause, daemon=True) for _ in range(3)]
for _ in range(3):
    if os.fork() == 0:
        signal.pause()
for thread in threads:
    thread.start()
print('ready', flush=True)
signal.pause()
"""


def test_a_server_is_moved_with_its_threads_and_children_and_back(place: Place, group: Path) -> None:
    with running(FORKS) as child:
        before = cgroup_of(child.pid)
        own.adopt(group, child.pid)
        inside = own.members(group)
        assert child.pid in inside
        assert len(inside) == 4
        assert all(f"/{group.name}\n" in cgroup_of(pid) for pid in inside)
        tasks = Path(f"/proc/{child.pid}/task").iterdir()
        assert all(f"/{group.name}\n" in (task / "cgroup").read_text(encoding="ascii") for task in tasks)
        own.adopt(group, child.pid)
        own.dissolve(group, [place.home])
        assert not group.exists()
        assert all(cgroup_of(pid) == before for pid in inside)
        own.dissolve(group, [place.home])


FORKS_WHEN_TOLD = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: os.fork())
print('ready', flush=True)
while True:
    signal.pause()
"""


def test_what_the_server_forks_later_is_in_the_group_too_and_leaves_it(place: Place, group: Path) -> None:
    with running(FORKS_WHEN_TOLD) as child:
        own.adopt(group, child.pid)
        child.send_signal(signal.SIGUSR1)
        until(lambda: len(own.members(group)) == 2, "the fork")
        own.dissolve(group, [place.home])
        assert not group.exists()


def test_a_server_that_was_killed_leaves_a_group_that_can_be_removed(place: Place, group: Path) -> None:
    with running(STEADY) as child:
        own.adopt(group, child.pid)
        child.kill()
        # Not reaped yet: a zombie is in nobody's way.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        own.dissolve(group, [place.home])
        assert not group.exists()
        with pytest.raises(Conflict, match="has ended"):
            own.adopt(group, child.pid)


def test_a_server_whose_home_has_gone_is_moved_to_where_we_are(place: Place, group: Path) -> None:
    home = own.create(place, f"operatord-home-{secrets.token_hex(4)}")
    shelter = Cgroups().shelter(group)
    assert shelter == place.home
    with running(STEADY) as child:
        own.adopt(group, child.pid)
        home.rmdir()
        own.dissolve(group, [home, shelter])
        assert not group.exists()
        assert cgroup_of(child.pid) == cgroup_of(os.getpid())


def test_what_is_left_is_told_with_the_processes_in_it(place: Place, group: Path) -> None:
    assert own.remains(group) == f"the cgroup {group} is still there, empty"
    with running(STEADY) as child:
        own.adopt(group, child.pid)
        assert own.remains(group) == f"the cgroup {group} is still there, with process {child.pid}"
    own.dissolve(group, [place.home])
    assert own.remains(group) == ""


def test_a_group_that_is_not_ours_is_never_taken_apart(place: Place) -> None:
    with pytest.raises(Unavailable, match="no cgroup of ours"):
        own.dissolve(place.home, [place.home])
    assert place.home.is_dir()


def test_a_group_that_somebody_else_uses_is_named_when_it_cannot_be_removed(place: Place, group: Path) -> None:
    nested = group / "theirs"
    nested.mkdir()
    with pytest.raises(Unavailable, match="cannot be removed"):
        own.dissolve(group, [place.home], within_s=0.05)
    nested.rmdir()


def test_below_a_threaded_group_of_version_2_nothing_is_made(place: Place, group: Path) -> None:
    if place.version == 2:
        (group / "threads").mkdir()
        (group / "threads/cgroup.type").write_text("threaded", encoding="ascii")
        try:
            with pytest.raises(Unavailable, match="is threaded"):
                own.create(Place(2, place.home, group), "operatord-test-below")
            assert not (group / "operatord-test-below").exists()
        finally:
            (group / "threads").rmdir()


@needs("cpu")
def test_what_the_kernel_refuses_is_said_with_the_file(tmp_path: Path) -> None:
    group = own.create(Cgroups().place("cpu"), f"operatord-test-{secrets.token_hex(4)}")
    try:
        with pytest.raises(Unavailable, match=r"cannot write .* to .*/cpu\."):
            own.limit_cpu(group, 1, 1)
    finally:
        own.dissolve(group, [])
