"""Processor time and memory of processes, sampled without waiting."""

from collections.abc import Iterable
from typing import NamedTuple

import psutil

from operatord.processes.procfs import ProcessId


class Usage(NamedTuple):
    """One sample."""

    cpu_percent: float
    """Of one processor, since the sample before; the first is 0."""
    rss_bytes: int


class UsageSampler:
    """Remembers each process between samples, since a share of processor time needs two of them."""

    def __init__(self) -> None:
        self._seen: dict[ProcessId, psutil.Process] = {}

    def sample(self, processes: Iterable[ProcessId]) -> dict[ProcessId, Usage]:
        """The usage of ``processes``, leaving out those that have ended; forgets all others."""
        seen: dict[ProcessId, psutil.Process] = {}
        usage: dict[ProcessId, Usage] = {}
        for process in processes:
            try:
                handle = self._seen.get(process) or psutil.Process(process.pid)
                with handle.oneshot():
                    usage[process] = Usage(handle.cpu_percent(None), handle.memory_info().rss)
            except psutil.Error:
                continue
            seen[process] = handle
        self._seen = seen
        return usage
