"""What the host tells about a server: how it gets on with the processor, its memory, its disk and its line.

All of it is read from ``/proc`` and from the cgroup that the server is in, as any engineer on that host could; the
names of groups are not kept. Shares are those of the last few seconds, since a server that waits for its processor
does so in bursts.
"""

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

from operator_protocol.models import Scalar
from operatord.injectors.cgroups import Cgroups
from operatord.procfs import ProcessId, read_stat

WINDOW_LOOKS = 8
"""4 s at two looks a second."""
_SAMPLES = 64
"""Glances at the state of the process that are remembered: one before each ping, so 4 s of them."""
_MIN_SAMPLES = 16
_MIN_SEGMENTS = 50
"""Fewer TCP segments than this say nothing about a share of them."""
_MAX_FILES = 2_000
_UNLIMITED = 1 << 60
"""Version 1 of cgroups writes about 2^63 where there is no limit."""


@dataclass(frozen=True, slots=True)
class HostView:
    """Figures of one server; None for what cannot be told."""

    cpu_share: float | None = None
    """Of one core, by the thread that serves clients."""
    cpu_wait_share: float | None = None
    """Of the time, waiting for a processor while it could run."""
    throttled_share: float | None = None
    """Of the periods of its cgroup's quota, those in which the quota was used up."""
    stopped_share: float | None = None
    """Of the glances at it, those that found it stopped by a signal."""
    retrans_share: float | None = None
    """Of the TCP segments sent in its network namespace, those sent again; of the host's, if it has none of its own."""
    retransmits: int | None = None
    """The same in numbers."""
    segments_in: int | None = None
    """TCP segments that arrived in that namespace since the look before."""
    sent_per_s: float | None = None
    """Bytes that left that namespace, a second, since the look before."""
    memory_headroom: int | None = None
    """Bytes by which its cgroup may still grow, page cache counted as free; None without a limit."""
    oom_kills: int | None = None
    """Processes of its cgroup that the kernel ended for want of memory."""
    disk_used: int | None = None
    """Bytes of the files in its data directory."""
    disk_free_share: float | None = None
    """Of that filesystem."""

    def detail(self) -> dict[str, Scalar]:
        """As it stands in the detail of the node; what cannot be told is left out."""
        told: dict[str, Scalar] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                told[item.name] = round(value, 3) if isinstance(value, float) else value
        return told


class _Reading(NamedTuple):
    at: float
    ran_ns: int
    waited_ns: int
    periods: int
    throttled: int
    sent: int
    resent: int
    arrived: int
    sent_bytes: int


class HostTrack:
    """What is remembered of one server from look to look."""

    def __init__(self, cgroups: Cgroups | None = None) -> None:
        self._cgroups = cgroups or Cgroups()
        self._process: ProcessId | None = None
        self._readings: deque[_Reading] = deque(maxlen=WINDOW_LOOKS + 1)
        self._stopped: deque[bool] = deque(maxlen=_SAMPLES)
        self._membership = ""
        self._cpu_groups: list[Path] = []
        self._memory_groups: list[Path] = []

    def meet(self, process: ProcessId | None) -> None:
        """The server is this process from now on."""
        if process != self._process:
            self._process = process
            self._readings.clear()
            self._stopped.clear()

    def glance(self) -> None:
        """See whether it is stopped at this moment.

        Called only in looks that it answers: one that is stopped for good answers none, and is no matter of a share.
        """
        stat = read_stat(self._process.pid) if self._process is not None else None
        if stat is not None and stat.id == self._process:
            self._stopped.append(stat.state in "Tt")

    def look(self, now: float) -> HostView:
        """The figures at ``now``, monotonic seconds. Of a process that has ended only what outlives it."""
        process = self._process
        if process is None:
            return HostView()
        stat = read_stat(process.pid)
        if stat is None or stat.id != process:
            return HostView(oom_kills=_oom_kills(self._memory_groups))
        self._find_groups(process.pid)
        self._readings.append(self._read(process.pid, now))
        disk_used, disk_free_share = _disk(process.pid)
        first, last = self._readings[0], self._readings[-1]
        before = self._readings[-2] if len(self._readings) > 1 else None
        took_ns = (last.at - first.at) * 1e9
        periods, sent, resent = last.periods - first.periods, last.sent - first.sent, last.resent - first.resent
        return HostView(
            cpu_share=(last.ran_ns - first.ran_ns) / took_ns if took_ns else None,
            cpu_wait_share=min(1.0, (last.waited_ns - first.waited_ns) / took_ns) if took_ns else None,
            throttled_share=(last.throttled - first.throttled) / periods if periods > 0 else None,
            stopped_share=sum(self._stopped) / len(self._stopped) if len(self._stopped) >= _MIN_SAMPLES else None,
            retrans_share=resent / sent if sent >= _MIN_SEGMENTS else None,
            retransmits=resent,
            segments_in=last.arrived - before.arrived if before is not None else None,
            sent_per_s=_rate(before, last) if before is not None else None,
            memory_headroom=_headroom(self._memory_groups),
            oom_kills=_oom_kills(self._memory_groups),
            disk_used=disk_used,
            disk_free_share=disk_free_share,
        )

    def _find_groups(self, pid: int) -> None:
        membership = _text(Path(f"/proc/{pid}/cgroup"))
        if membership != self._membership:
            self._membership = membership
            self._cpu_groups = self._cgroups.above("cpu", pid)
            self._memory_groups = self._cgroups.above("memory", pid)

    def _read(self, pid: int, now: float) -> _Reading:
        ran, waited = (*map(int, _text(Path(f"/proc/{pid}/schedstat")).split()[:2]), 0, 0)[:2]
        periods = throttled = 0
        for group in self._cpu_groups:
            stat = _pairs(_text(group / "cpu.stat"))
            if stat.get("nr_periods", 0):
                periods, throttled = stat["nr_periods"], stat.get("nr_throttled", 0)
                break
        sent, resent, arrived = _segments(_text(Path(f"/proc/{pid}/net/snmp")))
        sent_bytes = _sent_bytes(_text(Path(f"/proc/{pid}/net/dev")))
        return _Reading(now, ran, waited, periods, throttled, sent, resent, arrived, sent_bytes)


def started_ago_s(process: ProcessId) -> float | None:
    """How long ago that process was started, by the kernel's clock; None when that cannot be read."""
    try:
        uptime_s = float(_text(Path("/proc/uptime")).split()[0])
    except (IndexError, ValueError):
        return None
    return uptime_s - process.start_time / os.sysconf("SC_CLK_TCK")


def _rate(before: _Reading, last: _Reading) -> float | None:
    took_s = last.at - before.at
    return (last.sent_bytes - before.sent_bytes) / took_s if took_s > 0 else None


def _sent_bytes(devices: str) -> int:
    """Of all links but the loopback (proc_pid_net(5): the ninth figure of a line)."""
    lines = (line.partition(":") for line in devices.splitlines())
    figures = (line[2].split() for line in lines if line[1] and line[0].strip() != "lo")
    return sum(int(one[8]) for one in figures if len(one) > 8)


def _segments(snmp: str) -> tuple[int, int, int]:
    """Sent, sent again and arrived, of ``/proc/PID/net/snmp``: for each protocol a line of names and one of values."""
    lines = [line.split() for line in snmp.splitlines() if line.startswith("Tcp:")]
    if len(lines) != 2:
        return 0, 0, 0
    values = dict(zip(lines[0][1:], lines[1][1:], strict=False))
    sent, resent, arrived = (int(values.get(name, 0)) for name in ("OutSegs", "RetransSegs", "InSegs"))
    return sent, resent, arrived


def _headroom(groups: list[Path]) -> int | None:
    """The least room of the groups that have a limit."""
    rooms = []
    for group in groups:
        limit = _number(group / "memory.max", group / "memory.limit_in_bytes")
        used = _number(group / "memory.current", group / "memory.usage_in_bytes")
        if limit is None or used is None or limit >= _UNLIMITED:
            continue
        stat = _pairs(_text(group / "memory.stat"))
        cache = sum(stat.get(f"total_{name}", stat.get(name, 0)) for name in ("inactive_file", "active_file"))
        rooms.append(max(0, limit - max(0, used - cache)))
    return min(rooms, default=None)


def _oom_kills(groups: list[Path]) -> int | None:
    """Of the innermost group."""
    for group in groups[:1]:
        for name in ("memory.events", "memory.oom_control"):
            stat = _pairs(_text(group / name))
            if "oom_kill" in stat:
                return stat["oom_kill"]
    return None


def _disk(pid: int) -> tuple[int | None, float | None]:
    """Bytes of the files in the working directory of ``pid``, which is where a server keeps its data."""
    used = 0
    try:
        directory = Path(f"/proc/{pid}/cwd")
        space = os.statvfs(directory)
        for count, (root, _folders, names) in enumerate(os.walk(directory)):
            if count >= _MAX_FILES:
                return None, None
            for name in names[:_MAX_FILES]:
                found = (Path(root) / name).lstat()
                used += found.st_blocks * 512
    except OSError:
        return None, None
    return used, space.f_bavail / space.f_blocks if space.f_blocks else None


def _number(*paths: Path) -> int | None:
    for path in paths:
        word = _text(path).strip()
        if word.isdigit():
            return int(word)
    return None


def _pairs(text: str) -> Mapping[str, int]:
    words = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
