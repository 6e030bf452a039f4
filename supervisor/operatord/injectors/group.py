"""A cgroup of our own: putting a server into it, limiting it, and taking it apart again.

Version 1 and 2 differ in the names of files only; which of them a group has tells the version. What is here blocks
(moving a process takes the kernel some milliseconds); callers use ``offload``.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from operator_protocol.errors import Conflict, Unavailable
from operatord.injectors.cgroups import PREFIX, Place, words
from operatord.injectors.family import family

_ROUNDS = 100
"""A process that forks is looked at again; one that does so faster than it can be moved is given up."""

_DISSOLVE_S = 2.0
"""Within this time a process that ends has left its group."""

_STEP_S = 0.01


def create(place: Place, name: str) -> Path:
    """Make the group; one that is there already is taken. Raises ``Unavailable``."""
    group = place.parent / name
    try:
        group.mkdir(exist_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot make the cgroup {group}: {error.strerror}") from error
    kind = words(group / "cgroup.type")
    if kind and kind != ["domain"]:
        group.rmdir()
        raise Unavailable(f"{place.parent} is threaded: a group below it takes single threads only")
    return group


def adopt(group: Path, pid: int) -> None:
    """Move ``pid`` with all its threads, and all processes that belong to it, into ``group``.

    Raises ``Conflict`` when it has ended, ``Unavailable`` when the kernel refuses.
    """
    for _ in range(_ROUNDS):
        relatives = family(pid)
        if not relatives:
            raise Conflict(f"process {pid} has ended meanwhile")
        inside = members(group)
        outside = [one for one in relatives if one not in inside]
        if not outside:
            return
        for one in outside:
            with suppress(ProcessLookupError):
                write(group / "cgroup.procs", one)
    raise Unavailable(f"process {pid} forks faster than it can be moved to {group}")


def members(group: Path) -> set[int]:
    """The processes in ``group``; empty when there is no such group."""
    return {int(word) for word in words(group / "cgroup.procs")}


def limit_cpu(group: Path, quota_us: int, period_us: int) -> None:
    """Let the group run for ``quota_us`` in each ``period_us``. Raises ``Unavailable``."""
    if (group / "cpu.max").exists():
        write(group / "cpu.max", f"{quota_us} {period_us}")
    else:
        write(group / "cpu.cfs_period_us", period_us)
        write(group / "cpu.cfs_quota_us", quota_us)


def limit_memory(group: Path, limit_bytes: int) -> None:
    """Let the group use ``limit_bytes``. Raises ``Unavailable``, also when it cannot be brought down to that."""
    name = "memory.max" if (group / "memory.max").exists() else "memory.limit_in_bytes"
    write(group / name, limit_bytes)


def memory_limit(group: Path) -> int | None:
    """Its own limit in bytes; None when it has none."""
    found = words(group / "memory.max") or words(group / "memory.limit_in_bytes")
    # Version 1 says "none" as the largest number of whole pages that fits.
    limit = int(found[0]) if found and found[0].isdigit() else None
    return None if limit is None or limit > 2**62 else limit


def memory_usage(group: Path) -> int:
    """Bytes charged to the group, page cache included; 0 when that cannot be read."""
    found = words(group / "memory.current") or words(group / "memory.usage_in_bytes")
    return int(found[0]) if found else 0


def memory_cache(group: Path) -> int:
    """Bytes of these that the kernel would give back first: file pages that were not used lately."""
    found = words(group / "memory.stat")
    figures = dict(zip(found[::2], found[1::2], strict=False))
    return int(figures.get("total_inactive_file", figures.get("inactive_file", "0")))


def dissolve(group: Path, homes: Sequence[Path], within_s: float = _DISSOLVE_S) -> None:
    """Lift its limits, move its members to the first of ``homes`` that takes them, remove it; gone is success.

    Raises ``Unavailable`` when it is still there after ``within_s``.
    """
    if not group.name.startswith(PREFIX):
        raise Unavailable(f"{group} is no cgroup of ours")
    end = time.monotonic() + within_s
    problem = ""
    while group.is_dir():
        _lift(group)
        for pid in members(group):
            problem = _release(pid, homes) or problem
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > end:
                raise Unavailable(f"the cgroup {group} cannot be removed: {problem or error.strerror}") from error
            time.sleep(_STEP_S)


def remains(group: Path) -> str:
    """What is left of ``group``, in a few words; empty when nothing is."""
    if not group.is_dir():
        return ""
    inside = sorted(members(group))
    who = f"with process {', '.join(map(str, inside))}" if inside else "empty"
    return f"the cgroup {group} is still there, {who}"


def write(path: Path, value: int | str) -> None:
    """One value to one file of a group. Raises ``Unavailable``; ``ProcessLookupError`` for a process that is gone."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(value).encode())
        finally:
            os.close(fd)
    except ProcessLookupError:
        raise
    except OSError as error:
        raise Unavailable(f"cannot write {value} to {path}: {error.strerror}") from error


def _release(pid: int, homes: Sequence[Path]) -> str:
    problem = ""
    for home in homes:
        try:
            write(home / "cgroup.procs", pid)
        except ProcessLookupError:
            return ""
        except Unavailable as error:
            problem = error.message
        else:
            return ""
    return problem


def _lift(group: Path) -> None:
    """Best effort, for the members that stay a moment longer: without the group there is no limit either."""
    for name, value in (
        ("cpu.max", "max"),
        ("cpu.cfs_quota_us", "-1"),
        ("memory.max", "max"),
        ("memory.limit_in_bytes", "-1"),
    ):
        if (group / name).exists():
            with suppress(Unavailable, ProcessLookupError):
                write(group / name, value)
