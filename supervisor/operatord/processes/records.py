"""Which processes a daemon has started, written down where the next daemon finds it.

The file says who they are by pid, start time and boot, so that after a crash they can be adopted or ended, and nobody
else is. It is replaced as a whole at each change; nothing is synced to disk, since what it tells is void after a
crash of the machine.
"""

import asyncio
import json
import os
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from operator_protocol.errors import OperatorError
from operator_protocol.records import from_body
from operatord import procfs
from operatord.processes.groups import end_group, signal_process
from operatord.procfs import ProcessId

_RUN = "OPERATOR_DAEMON_ID"
"""Environment variable of everything that a daemon starts, with a value that no other daemon has."""

_KILL_TRIES = 100
_KILL_PAUSE_S = 0.02
"""Between two looks for what carries a dead daemon's id: each may find what the one before had just started."""


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A process that was started, and how."""

    name: str
    pid: int
    start_time: int
    """Clock ticks since boot."""
    argv: list[str] = field(default_factory=list)
    cwd: str | None = None
    kind: str = "server"
    """``server``, or what is only written down so that its group can be ended: ``worker``, ``declared``, ``tool``."""

    @property
    def id(self) -> ProcessId:
        """Pid and start time."""
        return ProcessId(self.pid, self.start_time)


class ServerRecords:
    """The file ``servers.json``; one writer at a time (the state directory is locked).

    A file that cannot be understood is moved aside, and ``notice`` says so; it also says when writing fails.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice: str | None = None
        self.runs: list[str] = []
        """Daemons that may have left something; without the one that runs."""
        self._run: str | None = None
        self._dirty = False
        self._boot_id = procfs.boot_id()
        self._records = self._load()

    @property
    def environment(self) -> dict[str, str]:
        """What to add to the environment of all that the running daemon starts."""
        return {} if self._run is None else run_environment(self._run)

    def begin_run(self) -> None:
        """A daemon begins to start processes; should it be killed, they can be found."""
        self._run = secrets.token_hex(8)
        self._save()

    def end_run(self) -> None:
        """It has stopped what it started."""
        self._run = None
        self._save()

    def forget_runs(self, runs: Sequence[str]) -> None:
        """Nothing of these is left."""
        self.runs = [run for run in self.runs if run not in runs]
        self._save()

    def servers(self) -> list[ServerRecord]:
        """The servers on record; whether they still run is for ``procfs.is_alive`` to say."""
        return [record for record in self._records.values() if record.kind == "server"]

    def all(self) -> list[ServerRecord]:
        """Servers, workers, and what else runs."""
        return list(self._records.values())

    def get(self, name: str) -> ServerRecord | None:
        """The record of that name."""
        return self._records.get(name)

    def living_servers(self) -> set[ProcessId]:
        """The servers on record that run now: what a keeper spares under ``--keep-cluster``."""
        return {record.id for record in self.servers() if procfs.is_alive(record.id)}

    def add(self, record: ServerRecord) -> None:
        """Write down that it runs; replaces an earlier record of that name.

        A server is on record when this returns. All others carry the daemon's id in their environment, and are found
        by that, too: they wait for the next ``flush``.
        """
        self._records[record.name] = record
        self._changed(record)

    def remove(self, name: str) -> None:
        """Strike it out; not on record is fine."""
        record = self._records.pop(name, None)
        if record is not None:
            self._changed(record)

    def _changed(self, record: ServerRecord) -> None:
        self._dirty = True
        if record.kind == "server":
            self.flush()

    def flush(self) -> None:
        """Write down what has changed; nothing to do is fine."""
        if self._dirty:
            self._save()

    def _load(self) -> dict[str, ServerRecord]:
        try:
            self.runs, records = _read(self.path, self._boot_id)
        except FileNotFoundError:
            return {}
        except _NONSENSE as error:
            aside = self.path.with_name(f"{self.path.name}.corrupt-{int(time.time())}")
            self.path.rename(aside)
            self.notice = f"{self.path} is not a record of processes ({error}); moved to {aside.name}"
            return {}
        return {record.name: record for record in records}

    def _save(self) -> None:
        content: Mapping[str, Any] = {
            "boot_id": self._boot_id,
            "runs": self.runs + ([] if self._run is None else [self._run]),
            "processes": [asdict(record) for record in self._records.values()],
        }
        self._dirty = False
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(content, indent=1))
            fresh.replace(self.path)
        except OSError as error:
            # Supervision goes on: what is lost is only what a crash from now on would need.
            self.notice = f"cannot write {self.path}: {error.strerror or error}"


def peek_living_servers(path: Path) -> list[ServerRecord]:
    """The servers on the record ``path`` that run now, for those who only look; none if it cannot be read."""
    return [record for record in peek_living(path) if record.kind == "server"]


def peek_living(path: Path) -> list[ServerRecord]:
    """Likewise all that runs, workers and tools as well."""
    try:
        _, records = _read(path, procfs.boot_id())
    except (OSError, *_NONSENSE):
        return []
    return [record for record in records if procfs.is_alive(record.id)]


_NONSENSE = (ValueError, KeyError, TypeError, OperatorError)
"""What a file that is not a record leads to."""


def _read(path: Path, boot_id: str) -> tuple[list[str], list[ServerRecord]]:
    """The runs and the processes in the file; nothing when they are of another boot."""
    content = json.loads(path.read_text())
    if content["boot_id"] != boot_id:
        return [], []
    runs = [str(run) for run in content.get("runs", [])]
    return runs, [from_body(ServerRecord, entry) for entry in content["processes"]]


async def end_leftovers(
    records: ServerRecords, *, keep_servers: bool = False, timeout_s: float = 2.0
) -> Sequence[ServerRecord]:
    """End what an earlier daemon left, and strike out all records but those of kept servers.

    That is the process groups on record, and then whatever else carries that daemon's id. Call it before the table is
    started. Returns the records of those that were still there. What cannot be ended stays on record.
    """

    async def end(record: ServerRecord) -> bool:
        alive = procfs.is_alive(record.id)
        if keep_servers and record.kind == "server" and alive:
            return False
        # The group of a worker may have outlived it, so it is ended whether or not its leader is alive.
        if await end_group(record.id, timeout_s=timeout_s if record.kind not in ("worker", "tool") else 0):
            records.remove(record.name)
        return alive

    runs = list(records.runs)
    everything = records.all()
    ended = await asyncio.gather(*(end(record) for record in everything))
    kept = {record.pid for record in records.servers()} if keep_servers else set()
    if await _end_carriers(runs, kept):
        records.forget_runs(runs)
    return [record for record, was_there in zip(everything, ended, strict=True) if was_there]


def run_environment(run: str) -> dict[str, str]:
    """The mark of one daemon's processes."""
    return {_RUN: run}


async def _end_carriers(runs: Sequence[str], kept_groups: set[int]) -> bool:
    """Kill whatever carries the id of one of ``runs``; False when something does not end."""
    entries = [f"{_RUN}={run}" for run in runs]
    for _ in range(_KILL_TRIES if entries else 0):
        found = [
            stat
            for stat in procfs.all_stats()
            if stat.alive
            and stat.pid != os.getpid()
            and stat.pgrp not in kept_groups
            and any(procfs.environment_has(stat.pid, entry) for entry in entries)
        ]
        if not found:
            return True
        for stat in found:
            signal_process(stat.id, signal.SIGKILL)
        await asyncio.sleep(_KILL_PAUSE_S)
    return not entries
