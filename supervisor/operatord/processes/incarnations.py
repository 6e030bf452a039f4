"""From a pid to a slot that has a process, and back: what is opened at each beginning is closed at each end.

An incarnation of a slot has a process that the reaper watches, an entry in the records, a capture of its output, and,
if it was exec'd here, an object of ``subprocess`` that must not wait for it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from operatord.clock import Clock
from operatord.processes.captures import Captures
from operatord.processes.reaper import ExitStatus, Reaper
from operatord.processes.records import ServerRecord, ServerRecords
from operatord.processes.slots import Execed, Slot
from operatord.processes.spawn import Spawned
from operatord.procfs import ProcessId

_FLUSH_S = 0.05

Ended = Callable[[Slot, ProcessId, ExitStatus], None]


class Incarnations:
    """Begins and ends them. ``on_ended`` is called when one has died, while it is still a zombie."""

    def __init__(
        self, reaper: Reaper, captures: Captures, records: ServerRecords, *, on_ended: Ended, clock: Clock
    ) -> None:
        self._reaper = reaper
        self._captures = captures
        self._records = records
        self._on_ended = on_ended
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._flushing: asyncio.TimerHandle | None = None

    def begin(
        self, slot: Slot, process: ProcessId, pidfd: int, streams: dict[str, int], spawned: Spawned | None = None
    ) -> None:
        """``process`` runs in ``slot`` from now on; its descriptors are given away."""
        self.open(slot, process, streams)
        slot.spawned = spawned
        slot.last_sign = self._clock()
        argv, cwd = (slot.what.argv, slot.what.cwd) if isinstance(slot.what, Execed) else ([], None)
        self._records.add(
            ServerRecord(slot.name, *process, argv=argv, cwd=None if cwd is None else str(cwd), kind=slot.kind)
        )
        self._flush_soon()
        self._reaper.watch(process.pid, pidfd, partial(self._on_ended, slot, process))

    def open(self, slot: Slot, process: ProcessId, streams: dict[str, int]) -> None:
        """Like ``begin``, for a process that somebody else watches and that is on no record."""
        slot.id = process
        slot.ended.clear()
        slot.capture, slot.last_lines = self._captures.open(slot.name, streams)

    def adopt(self, slot: Slot, record: ServerRecord, pidfd: int) -> None:
        """Like ``begin``, for a server that an earlier daemon started: its output is not to be had."""
        slot.id = record.id
        slot.ended.clear()
        slot.starts = 1
        self._records.add(record)
        self._reaper.watch(record.pid, pidfd, partial(self._on_ended, slot, record.id))

    def settle(self, slot: Slot, ended: ExitStatus) -> None:
        """Its process has ended: what it printed is delivered when this returns."""
        slot.id = None
        slot.ended.set()
        slot.usage = None
        slot.last_end = ended
        if slot.spawned is not None:
            slot.spawned.settle(ended.returncode)
            slot.spawned = None
        if slot.capture is not None:
            capture, slot.capture = slot.capture, None
            self._captures.settle(capture)
            # Others may go on writing to these pipes; they shall not push its last words out.
            slot.last_lines = slot.last_lines.copy()

    def strike_out(self, slot: Slot) -> None:
        """Nothing of it is left that a later daemon would have to end."""
        self._records.remove(slot.name)
        self._flush_soon()

    def release(self, slot: Slot) -> None:
        """Leave a kept server to itself."""
        if slot.id is not None:
            self._reaper.forget(slot.id.pid)
        if slot.spawned is not None:
            slot.spawned.settle()
        if slot.capture is not None:
            slot.capture.close()

    def close(self) -> None:
        """Let go of all pipes; whoever ends the run writes the records."""
        if self._flushing is not None:
            self._flushing.cancel()
        self._captures.close()

    def _flush_soon(self) -> None:
        """Write the records down, but not between a death and the next start."""
        if self._flushing is None:
            self._flushing = self._loop.call_later(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self._records.flush()
