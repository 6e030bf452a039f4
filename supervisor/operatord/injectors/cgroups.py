"""Where a cgroup of our own for a server can be made.

A target gets a group of its own for the time of a fault, and nothing else is ever changed: not the group that it was
in, not the controllers that groups hand on. Where that is not possible, the fault is refused with what is missing.

Version 1 has a tree for each controller; our group is made below the one that the target is in, so that the limits
above it still bind. Version 2 has one tree, and forbids a group that holds processes to hand controllers on to its
children ("no internal processes", cgroup-v2.rst); only the root is exempt. So there our group is made below the
target's if that hands the controller on, and else beside it. That is the layout that systemd makes of ``Delegate=``
with ``DelegateSubgroup=``.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from operator_protocol.errors import Conflict, Unavailable

Controller = Literal["cpu", "memory"]

PREFIX = "operatord-"
"""The name of each group of ours begins with it; nothing else is ever taken apart."""


class Hierarchy(NamedTuple):
    """A mounted tree of cgroups."""

    version: Literal[1, 2]
    controllers: frozenset[str]
    """Of version 1; in version 2 each group has its own."""
    root: str
    """The group that is mounted; not ``/`` in a container."""
    point: Path


class Membership(NamedTuple):
    """In which group of a tree a process is."""

    controllers: frozenset[str]
    """Empty for version 2."""
    group: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a group of ours can be made."""

    version: Literal[1, 2]
    home: Path
    """The group that the target is in."""
    parent: Path
    """The group below which ours is made."""


class Cgroups:
    """The cgroups of this machine, as ``proc`` tells."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def place(self, controller: Controller, pid: int | None = None) -> Place:
        """Where ``pid`` (None: this process) can be put under a limit of ``controller``.

        Raises ``Unavailable`` saying what is missing, ``Conflict`` when it is in a group of ours already.
        """
        hierarchy, home = self._home(controller, pid)
        if home.name.startswith(PREFIX):
            raise Conflict(f"process {pid} is in the cgroup of another fault, {home}", "recover that one first")
        if not home.is_dir():
            raise Unavailable(f"the cgroup {home} cannot be seen from here", "run operatord where the servers run")
        parent = home if hierarchy.version == 1 else _handing_on(controller, home, hierarchy.point)
        for needed in (parent, parent / "cgroup.procs", home / "cgroup.procs"):
            if not os.access(needed, os.W_OK):
                raise Unavailable(
                    f"the cgroup {parent if needed == parent else needed} is not writable for this user",
                    "run operatord as root, or give it a cgroup of its own (systemd: Delegate=yes)",
                )
        return Place(hierarchy.version, home, parent)

    def missing(self, controller: Controller) -> str:
        """What this process lacks to limit its children, with what to do about it; empty when nothing."""
        try:
            self.place(controller)
        except (Unavailable, Conflict) as error:
            return f"{error.message}; {error.hint}" if error.hint else error.message
        return ""

    def shelter(self, group: Path) -> Path | None:
        """The group of this process in the tree that ``group`` belongs to: for members whose home has gone."""
        for hierarchy in self._hierarchies():
            if group.is_relative_to(hierarchy.point):
                for membership in self._memberships(None):
                    if (found := _located(hierarchy, membership)) is not None:
                        return found
        return None

    def above(self, controller: Controller, pid: int | None = None) -> list[Path]:
        """The group of ``pid`` (None: this process) and those above it, all of whose limits bind it; innermost first.

        Empty when the controller is not to be had.
        """
        try:
            hierarchy, home = self._home(controller, pid)
        except Unavailable:
            return []
        return [home, *(path for path in home.parents if path.is_relative_to(hierarchy.point))]

    def _home(self, controller: Controller, pid: int | None) -> tuple[Hierarchy, Path]:
        memberships = self._memberships(pid)
        # Where both versions are mounted, a controller is in one of them, and version 1 says which it has.
        for hierarchy in sorted(self._hierarchies(), key=lambda one: one.version):
            if hierarchy.version == 1 and controller not in hierarchy.controllers:
                continue
            for membership in memberships:
                if (home := _located(hierarchy, membership)) is not None:
                    return hierarchy, home
        raise Unavailable(
            f"no cgroup hierarchy with the controller {controller!r} can be seen from here",
            "mount /sys/fs/cgroup, in a container with the host's cgroup namespace",
        )

    def _hierarchies(self) -> list[Hierarchy]:
        return parse_mounts(self._read("self/mountinfo"))

    def _memberships(self, pid: int | None) -> list[Membership]:
        return parse_memberships(self._read(f"{'self' if pid is None else pid}/cgroup"))

    def _read(self, name: str) -> str:
        try:
            return (self._proc / name).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise Unavailable(f"cannot read {self._proc / name}: {error.strerror}") from error


def parse_mounts(mountinfo: str) -> list[Hierarchy]:
    """The cgroup trees in ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5))."""
    found = []
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(" - ")
        fields, kind = mount.split(), source.split()
        if len(fields) < 6 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        root, point = _unescaped(fields[3]), Path(_unescaped(fields[4]))
        if kind[0] == "cgroup2":
            found.append(Hierarchy(2, frozenset(), root, point))
        else:
            found.append(Hierarchy(1, frozenset(kind[2].split(",")), root, point))
    return found


def parse_memberships(text: str) -> list[Membership]:
    """The lines of ``/proc/PID/cgroup`` (cgroups(7)): ``4:memory:/group``, of version 2 ``0::/group``."""
    found = []
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        found.append(Membership(frozenset(controllers.split(",")) - {""}, group.removesuffix(" (deleted)")))
    return found


def _unescaped(field: str) -> str:
    r"""``\040`` and the like stand for blanks in mountinfo."""
    head, *parts = field.split("\\")
    return head + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts)


def _located(hierarchy: Hierarchy, membership: Membership) -> Path | None:
    """The directory of the group, if it belongs to the tree and can be seen where that is mounted."""
    if hierarchy.version == 1 and not membership.controllers & hierarchy.controllers:
        return None
    if hierarchy.version == 2 and membership.controllers:
        return None
    group, root = Path(membership.group), Path(hierarchy.root)
    # Of a process outside our cgroup namespace the kernel says "/../group".
    if ".." in group.parts or not group.is_relative_to(root):
        return None
    return hierarchy.point / group.relative_to(root)


def _handing_on(controller: Controller, home: Path, point: Path) -> Path:
    """The group of version 2 whose children can be limited: the target's own, or the one above it."""
    above = home.parent if home != point else None
    for parent in (home, above):
        if parent is not None and controller in words(parent / "cgroup.subtree_control"):
            return parent
    if above is None or controller not in words(above / "cgroup.controllers"):
        raise Unavailable(
            f"the cgroup controller {controller!r} is not delegated to {above or home}",
            "run operatord under systemd with Delegate=yes and DelegateSubgroup=supervisor, or on the host itself",
        )
    raise Unavailable(
        f"{home} holds processes, so it cannot hand the cgroup controller {controller!r} on, and {above} does not",
        f"if {above} is yours: echo +{controller} > {above}/cgroup.subtree_control",
    )


def words(path: Path) -> list[str]:
    """The words of a file of a cgroup; none when it cannot be read."""
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []
