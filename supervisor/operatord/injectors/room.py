"""What this host has of memory and disk, as the kernel tells."""

import os
from collections.abc import Iterable
from pathlib import Path

from operatord.injectors import group as own
from operatord.injectors.limits import Room


def room_on_disk(directory: Path) -> Room:
    """Of the filesystem of ``directory``; available is what this user may take. Raises ``OSError``."""
    stats = os.statvfs(directory)
    return Room(stats.f_blocks * stats.f_frsize, stats.f_bavail * stats.f_frsize)


def lives_in_memory(directory: Path) -> bool:
    """True when what is written to ``directory`` takes memory instead of disk. Raises ``OSError``."""
    device = directory.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == wanted:
            return source.split()[0] in ("tmpfs", "ramfs")
    return False


def room_in_memory(groups: Iterable[Path] = (), meminfo: Path = Path("/proc/meminfo")) -> Room:
    """Of the host, or of whichever of ``groups`` (cgroups that bind us) leaves less."""
    figures = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
    total, available = (int(figures[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    for group in groups:
        if (limit := own.memory_limit(group)) is not None:
            total = min(total, limit)
            free = limit - own.memory_usage(group) + own.memory_cache(group)
            available = min(available, max(0, free))
    return Room(total, available)
