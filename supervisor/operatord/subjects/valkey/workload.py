"""The load that belongs to this subject: our YCSB client, run against all nodes of the cluster."""

import sys
from collections.abc import Iterable

from operatord.subjects.base import Member, WorkloadSource
from operatord.subjects.valkey.settings import Settings


def source(settings: Settings, members: Iterable[Member], workload: str) -> WorkloadSource:
    """A YCSB core workload at a steady target rate, after its records were loaded."""
    threads = settings.workload_threads
    options: dict[str, str | int] = {
        "binding": "valkey",
        "hosts": ",".join(f"{member.host}:{member.port}" for member in members),
        "workload": workload,
        "threads": threads,
        "target": f"{settings.workload_rate:g}",
        "record-count": settings.workload_records,
        "status-interval": 1,
    }
    command = [sys.executable, "-m", "operatord.ycsb", "run"]
    for option, value in options.items():
        command += [f"--{option}", str(value)]
    return WorkloadSource(
        command=[*command, "--load-first"],
        rate=settings.workload_rate,
        description=f"YCSB workload {workload.upper()}, {threads} threads, {settings.workload_rate:,.0f} ops/s",
    )
