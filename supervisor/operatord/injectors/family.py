"""Which processes belong to a server, and which of this machine run a program of ours."""

from collections.abc import Iterator

from operatord import procfs


def family(pid: int) -> list[int]:
    """``pid``, the members of its process group, and the descendants of them all; empty when ``pid`` has ended.

    A server that forks (Valkey does, to rewrite its append-only file) is not one process. Zombies are left out.
    """
    parents = {stat.pid: (stat.ppid, stat.pgrp) for stat in procfs.all_stats() if stat.alive}
    if pid not in parents:
        return []
    found = {one for one, (_, group) in parents.items() if group == pid} | {pid}
    while more := {one for one, (parent, _) in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """The pid and the arguments of each process that has any: not kernel threads, not zombies."""
    for pid in procfs.pids():
        if argv := procfs.command_line(pid):
            yield pid, argv


def resident_bytes(pid: int) -> int | None:
    """Bytes of memory that ``pid`` has in RAM; None when it has ended."""
    stat = procfs.read_stat(pid)
    load = procfs.read_load(stat.id) if stat is not None and stat.alive else None
    return None if load is None else load.rss_bytes


def name_of(pid: int) -> str:
    """The name that the kernel has for ``pid``; empty when it has ended."""
    stat = procfs.read_stat(pid)
    return "" if stat is None else stat.comm
