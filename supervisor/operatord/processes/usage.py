"""Processor time, memory, descriptors and threads of processes, sampled without waiting."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from operatord import procfs
from operatord.clock import Clock
from operatord.procfs import ProcessId


class Usage(NamedTuple):
    """One sample."""

    cpu_percent: float
    """Of one processor, since the sample before; the first is 0."""
    rss_bytes: int
    descriptors: int | None
    """None when they may not be looked at (a process of another user)."""
    threads: int


class _Sample(NamedTuple):
    at: float
    cpu_s: float


class UsageSampler:
    """Remembers each process between samples, since a share of processor time needs two of them."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[ProcessId, _Sample] = {}

    def sample(self, processes: Iterable[ProcessId]) -> dict[ProcessId, Usage]:
        """The usage of ``processes``, leaving out those that have ended; forgets all others."""
        seen: dict[ProcessId, _Sample] = {}
        usage: dict[ProcessId, Usage] = {}
        for process in processes:
            load = procfs.read_load(process)
            if load is None:
                continue
            now = seen[process] = _Sample(self._clock(), load.cpu_s)
            before = self._seen.get(process, now)
            passed_s = now.at - before.at
            percent = 100 * (now.cpu_s - before.cpu_s) / passed_s if passed_s > 0 else 0.0
            descriptors = procfs.descriptor_count(process.pid)
            usage[process] = Usage(round(percent, 1), load.rss_bytes, descriptors, load.threads)
        self._seen = seen
        return usage
