"""What ``/proc`` tells about processes: parents, groups, start times, environments.

Everything here tolerates processes that end while they are being looked at: a reader answers None or leaves the
process out. A pid alone names nothing for long, so a process is named by pid and start time (``ProcessId``).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessId(NamedTuple):
    """A process for good: pids are used again, a pid with its start time is not (within one boot)."""

    pid: int
    start_time: int
    """Clock ticks since boot: field 22 of ``/proc/PID/stat``."""


class ProcessStat(NamedTuple):
    """The fields of ``/proc/PID/stat`` that supervision needs; proc(5) numbers them."""

    pid: int
    comm: str
    state: str
    """``R``, ``S``, ``D``, ``T`` stopped, ``Z`` zombie, ``X`` dead."""
    ppid: int
    pgrp: int
    session: int
    start_time: int

    @property
    def id(self) -> ProcessId:
        """Pid and start time."""
        return ProcessId(self.pid, self.start_time)

    @property
    def alive(self) -> bool:
        """False for what has ended and only waits to be reaped."""
        return self.state not in ("Z", "X", "x")


class ProcessLoad(NamedTuple):
    """What a process takes."""

    cpu_s: float
    """Processor time since its start, user and system, all threads."""
    rss_bytes: int
    threads: int


def read_stat(pid: int) -> ProcessStat | None:
    """``/proc/PID/stat`` of ``pid``, or None when there is no such process."""
    found = _stat_fields(pid)
    if found is None:
        return None
    comm, fields = found
    return ProcessStat(
        pid=pid,
        comm=comm.decode(errors="replace"),
        state=fields[0].decode(),
        ppid=int(fields[1]),
        pgrp=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
    )


def read_load(process: ProcessId) -> ProcessLoad | None:
    """What that very process takes now, or None when it is gone."""
    found = _stat_fields(process.pid)
    if found is None or int(found[1][19]) != process.start_time:
        return None
    fields = found[1]
    ticks = int(fields[11]) + int(fields[12])
    return ProcessLoad(ticks / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES, int(fields[17]))


def descriptor_count(pid: int) -> int | None:
    """Open descriptors of ``pid``; None when it is gone, or not ours to look at."""
    directory = Path(f"/proc/{pid}/fd")
    try:
        # Since Linux 6.2 the size of the directory is their number; before, it is 0.
        return directory.stat().st_size or len(list(directory.iterdir()))
    except OSError:
        return None


def _stat_fields(pid: int) -> tuple[bytes, list[bytes]] | None:
    """The name (field 2) and the fields from 3 on of proc_pid_stat(5)."""
    try:
        raw = _read(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The name is in parentheses and may itself hold parentheses and blanks, so split at the last one.
    head, _, tail = raw.rpartition(b")")
    return head.partition(b"(")[2], tail.split()


def start_time(pid: int) -> int | None:
    """Kernel start time of ``pid`` in clock ticks since boot, or None when there is no such process."""
    stat = read_stat(pid)
    return None if stat is None else stat.start_time


def is_alive(process: ProcessId) -> bool:
    """True while that very process runs: not a zombie, and not a later one with its pid."""
    stat = read_stat(process.pid)
    return stat is not None and stat.start_time == process.start_time and stat.alive


def pids() -> list[int]:
    """Every process there is, zombies included."""
    with os.scandir("/proc") as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit()]


def all_stats() -> Iterator[ProcessStat]:
    """What there is to know of each of them."""
    for pid in pids():
        stat = read_stat(pid)
        if stat is not None:
            yield stat


def children(pid: int) -> list[ProcessStat]:
    """The children of ``pid``, zombies included, by whichever of its threads they were started."""
    try:
        with os.scandir(f"/proc/{pid}/task") as tasks:
            listed = [_read(f"{task.path}/children").split() for task in tasks]
    except (FileNotFoundError, ProcessLookupError):
        # The kernel was built without CONFIG_PROC_CHILDREN, or a thread ended under our eyes.
        return [stat for stat in all_stats() if stat.ppid == pid]
    stats = (read_stat(int(child)) for pids in listed for child in pids)
    return [stat for stat in stats if stat is not None]


def thread_count() -> int:
    """Threads of this process, those included that Python does not know of."""
    with os.scandir("/proc/self/task") as tasks:
        return sum(1 for _ in tasks)


def group_members(pgrp: int) -> list[ProcessStat]:
    """The members of process group ``pgrp``, zombies included."""
    return [stat for stat in all_stats() if stat.pgrp == pgrp]


def environment_has(pid: int, entry: str) -> bool:
    """True when ``entry`` (``NAME=value``) is in the environment with which ``pid`` was exec'd.

    A process may overwrite that memory (servers do, to show a title in ``ps``), and that of a zombie is gone.
    """
    return entry.encode() in _environment(pid)


def environment_names(pid: int, name: str) -> bool:
    """True when a variable of this name is there, likewise."""
    return any(entry.startswith(f"{name}=".encode()) for entry in _environment(pid))


def command_line(pid: int) -> list[str]:
    """The arguments of ``pid``; empty for a zombie and for one that has ended."""
    try:
        raw = _read(f"/proc/{pid}/cmdline")
    except OSError:
        return []
    return [part.decode(errors="replace") for part in raw.split(b"\0") if part]


def boot_id() -> str:
    """Identifies this boot of the kernel; start times of different boots must not be compared."""
    return _read("/proc/sys/kernel/random/boot_id").decode().strip()


def _environment(pid: int) -> list[bytes]:
    try:
        return _read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return []


def _read(path: str) -> bytes:
    """A whole file of ``/proc``; without file objects, since a walk reads hundreds."""
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
    finally:
        os.close(fd)
    return b"".join(parts)
