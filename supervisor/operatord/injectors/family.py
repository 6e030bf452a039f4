"""Which processes belong to a server, and which of this machine run a program of ours."""

import os
from collections.abc import Iterator
from pathlib import Path


def family(pid: int) -> list[int]:
    """``pid``, the members of its process group, and the descendants of them all; empty when ``pid`` has ended.

    A server that forks (Valkey does, to rewrite its append-only file) is not one process. Zombies are left out.
    """
    parents: dict[int, tuple[int, int]] = {}
    for one in _pids():
        if (seen := _parent_and_group(one)) is not None:
            parents[one] = seen
    if pid not in parents:
        return []
    found = {one for one, (_, group) in parents.items() if group == pid} | {pid}
    while more := {one for one, (parent, _) in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """The pid and the arguments of each process that has any: not kernel threads, not zombies."""
    for pid in _pids():
        raw = _read(f"/proc/{pid}/cmdline")
        if raw:
            yield pid, [part.decode(errors="replace") for part in raw.removesuffix(b"\0").split(b"\0")]


def resident_bytes(pid: int) -> int | None:
    """Bytes of memory that ``pid`` has in RAM (``/proc/PID/statm``); None when it has ended."""
    fields = _read(f"/proc/{pid}/statm").split()
    # Of a zombie every figure is 0.
    return int(fields[1]) * os.sysconf("SC_PAGESIZE") if fields and fields[0] != b"0" else None


def name_of(pid: int) -> str:
    """The name that the kernel has for ``pid`` (``/proc/PID/comm``); empty when it has ended."""
    return _read(f"/proc/{pid}/comm").decode(errors="replace").rstrip("\n")


def _parent_and_group(pid: int) -> tuple[int, int] | None:
    """Fields 4 and 5 of proc_pid_stat(5); None when there is no such process, or only a zombie of it."""
    # The name is in parentheses and may itself hold parentheses and blanks, so split at the last one.
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (int(fields[1]), int(fields[2])) if len(fields) > 2 and fields[0] not in (b"Z", b"X") else None


def _pids() -> list[int]:
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def _read(path: str) -> bytes:
    """A file of ``/proc``; empty when its process has ended."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
