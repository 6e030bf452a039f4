"""The engine under the table of processes: feeds events into ``lifecycle.TRANSITIONS`` and does what they say.

Events come from four places: callers (start, stop), the reaper (death), the worker itself (ready), and a look once in
a while at who has been silent for too long. Everything runs on the daemon's loop; nothing here waits but tasks of its
own.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.models import ProcessState
from operatord.clock import Clock
from operatord.processes import procfs
from operatord.processes.backoff import BackoffPolicy, History, after_death
from operatord.processes.forkclient import ForkedWorker, ForkServer
from operatord.processes.groups import end_group, signal_group, signal_process
from operatord.processes.lifecycle import LIVE, TRANSITIONS, Action, Event, Patience, overdue
from operatord.processes.output import LogSink, OutputCapture, OutputPolicy
from operatord.processes.procfs import ProcessId
from operatord.processes.reaper import ExitStatus, Reaper
from operatord.processes.records import ServerRecord, ServerRecords
from operatord.processes.slots import Execed, Forked, Slot
from operatord.processes.spawn import Spawned, spawn

StateSink = Callable[[ProcessState], None]
ExitHook = Callable[[str, ProcessState], None]

_LOOK_S = 0.5
"""Between two looks at who is silent."""
_LINGER_S = 5.0
"""How long the output of a process is read after its death, if someone else holds its pipes."""


@dataclass(frozen=True, slots=True)
class Policies:
    """Every number of supervision."""

    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    patience: Patience = field(default_factory=Patience)
    output: OutputPolicy = field(default_factory=OutputPolicy)


class Supervision:
    """Runs the slots. Created and closed on the main thread, on a running loop."""

    def __init__(
        self,
        slots: Mapping[str, Slot],
        *,
        on_state: StateSink,
        on_log: LogSink,
        records: ServerRecords,
        keep_servers: bool,
        policies: Policies,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._on_state = on_state
        self._on_log = on_log
        self._records = records
        self._keep_servers = keep_servers
        self._policies = policies
        self._clock = clock
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._lingering: set[OutputCapture] = set()
        self._ending: set[int] = set()
        """Groups that are being stopped: what is left of them has its time."""
        self._looker: asyncio.TimerHandle | None = None
        self._looked_at = clock()
        self._slots = slots
        self.exit_hooks: list[ExitHook] = []
        self.changed = asyncio.Event()
        self.closing = False
        self.reaper = Reaper()
        self._fork_slot = Slot("forkserver", "internal", None)
        self.fork_server: ForkServer | None = None

    def start(self, preload: Sequence[str]) -> Slot:
        """Start the fork server and the looks; returns the fork server's slot."""
        slot = self._fork_slot
        self.fork_server = ForkServer(
            self.reaper,
            preload,
            on_start=partial(self._fork_server_started, slot),
            on_ready=partial(self.fire, slot, Event.READY),
            on_end=partial(self._fork_server_ended, slot),
            env=self._records.environment,
            clock=self._clock,
        )
        self.fork_server.start()
        self._looked_at = self._clock()
        self._looker = self._loop.call_later(_LOOK_S, self._look)
        return slot

    def fire(self, slot: Slot, event: Event, reason: str = "") -> None:
        """Let ``event`` happen to ``slot``: one line of the table."""
        action, phase = TRANSITIONS[slot.phase, event]
        if phase != slot.phase:
            slot.phase = phase
            slot.reason = reason
            slot.since_at = self._wall()
            slot.last_sign = self._clock()
            slot.ready_since = slot.last_sign if phase == "ready" else None
            self.publish(slot)
        self._act(slot, action, reason)

    def publish(self, slot: Slot) -> None:
        """Tell the world, and whoever waits for a change."""
        self._on_state(slot.state(self._clock()))
        self.changed.set()
        self.changed = asyncio.Event()

    def adopt(self, slot: Slot, record: ServerRecord, pidfd: int) -> None:
        """Take over a server that an earlier daemon started; ``pidfd`` is given away."""
        slot.id = record.id
        slot.ended.clear()
        slot.starts = 1
        self._records.add(record)
        self.reaper.watch(record.pid, pidfd, partial(self._ended, slot, record.id))
        slot.phase, slot.reason, slot.since_at = "ready", "adopted", self._wall()
        self.publish(slot)

    def release(self, slot: Slot) -> None:
        """Leave a kept server to itself."""
        if slot.id is not None:
            self.reaper.forget(slot.id.pid)
        if slot.spawned is not None:
            slot.spawned.settle()
        if slot.capture is not None:
            slot.capture.close()

    def end_strays(self) -> None:
        """Kill what a dead process left to us: living children that nobody here started."""
        for stray in self.reaper.strays():
            if stray.pgrp not in self._ending:
                signal_process(stray.id, signal.SIGKILL)

    async def close(self) -> None:
        """End the fork server and every stray, let go of all pipes, stop reaping."""
        self.closing = True
        if self._looker is not None:
            self._looker.cancel()
        if self.fork_server is not None:
            self.fire(self._fork_slot, Event.STOP)
            await self.fork_server.close()
            self.fire(self._fork_slot, Event.GONE)
        deadline = self._clock() + 2.0
        while self.reaper.strays() and self._clock() < deadline:
            self.end_strays()
            await asyncio.sleep(0.01)
        self.reaper.sweep()
        for capture in list(self._lingering):
            self._let_go(capture)
        self.reaper.close()

    def _act(self, slot: Slot, action: Action, reason: str) -> None:
        match action:
            case Action.NOTHING:
                pass
            case Action.SPAWN:
                self._cancel_retry(slot)
                self._spawn(slot)
            case Action.KILL:
                slot.killed_for = reason
                if slot.id is not None:
                    signal_group(slot.id, signal.SIGKILL)
            case Action.TERMINATE:
                if slot.kind != "internal":
                    slot.stopping = self._loop.create_task(self._terminate(slot))
            case Action.WAIT:
                if slot.retry_at is not None:
                    delay_s = slot.retry_at - self._clock()
                    slot.retry = self._loop.call_later(max(0.0, delay_s), self.fire, slot, Event.RETRY)
            case Action.CANCEL_WAIT:
                self._cancel_retry(slot)
            case _:
                assert_never(action)

    def _cancel_retry(self, slot: Slot) -> None:
        slot.retry_at = None
        if slot.retry is not None:
            slot.retry.cancel()
            slot.retry = None

    # ------------------------------------------------------------------------------------------------- beginnings

    def _spawn(self, slot: Slot) -> None:
        slot.starts += 1
        slot.last_end = None
        slot.killed_for = ""
        match slot.what:
            case Forked() as forked:
                slot.starting = self._loop.create_task(self._fork(slot, forked))
            case Execed() as execed:
                self._exec(slot, execed)
            case None:
                pass

    def _exec(self, slot: Slot, execed: Execed) -> None:
        death_signal = None if self._keep_servers else signal.SIGKILL
        try:
            spawned = spawn(execed.argv, cwd=execed.cwd, death_signal=death_signal, env=self._records.environment)
        except Unavailable as error:
            self.fire(slot, Event.DIED_FOR_GOOD, error.message)
            raise
        self._began(slot, spawned.id, os.pidfd_open(spawned.pid), spawned.streams, spawned)
        self.fire(slot, Event.READY)

    async def _fork(self, slot: Slot, forked: Forked) -> None:
        fork_server = self.fork_server
        try:
            if fork_server is None:
                raise Unavailable("the process table has not been started")
            await fork_server.fork(slot.name, forked.entry, forked.args, partial(self._forked, slot))
        except OperatorError as error:
            self._lost(slot, error.message)
        except Exception as error:
            # A defect, but no reason to leave the worker in a state that no event ends.
            self._lost(slot, f"could not be forked: {error!r}")
            raise
        finally:
            slot.starting = None
            self.end_strays()

    def _forked(self, slot: Slot, worker: ForkedWorker) -> None:
        process = ProcessId(worker.pid, procfs.start_time(worker.pid) or 0)
        self._began(slot, process, worker.pidfd, {"stdout": worker.stdout_fd, "stderr": worker.stderr_fd})
        self.publish(slot)

    def _began(
        self, slot: Slot, process: ProcessId, pidfd: int, streams: dict[str, int], spawned: Spawned | None = None
    ) -> None:
        slot.id = process
        slot.ended.clear()
        slot.spawned = spawned
        slot.last_sign = self._clock()
        slot.capture = self._capture(slot, streams)
        if isinstance(slot.what, Execed):
            cwd = None if slot.what.cwd is None else str(slot.what.cwd)
            self._records.add(ServerRecord(slot.name, *process, argv=slot.what.argv, cwd=cwd))
        elif isinstance(slot.what, Forked):
            self._records.add(ServerRecord(slot.name, *process, kind="worker"))
        self.reaper.watch(process.pid, pidfd, partial(self._ended, slot, process))

    # ----------------------------------------------------------------------------------------------------- endings

    def _ended(self, slot: Slot, process: ProcessId, ended: ExitStatus) -> None:
        """The reaper's call: ``process`` is dead and not reaped yet."""
        if slot.phase != "stopping":
            # A stop gives the rest of the group its time; a death takes it along, while its number is surely ours.
            signal_group(process, signal.SIGKILL)
            self._records.remove(slot.name)
        self._settle(slot, ended)
        reason = slot.killed_for or str(ended)
        slot.last_end = ended
        if slot.kind == "worker" and not self.closing:
            self._lost(slot, reason)
        else:
            self.fire(slot, Event.DIED_FOR_GOOD, reason)
        state = slot.state(self._clock())
        for hook in self.exit_hooks:
            hook(slot.name, state)
        self._loop.call_soon(self.end_strays)

    def _capture(self, slot: Slot, streams: dict[str, int]) -> OutputCapture:
        return OutputCapture(slot.name, streams, self._on_log, self._policies.output, self._clock)

    def _settle(self, slot: Slot, ended: ExitStatus) -> None:
        slot.id = None
        slot.ended.set()
        slot.usage = None
        if slot.spawned is not None:
            slot.spawned.settle(ended.returncode)
            slot.spawned = None
        if slot.capture is not None:
            capture, slot.capture = slot.capture, None
            capture.drain()
            if not capture.closed:
                self._lingering.add(capture)
                self._loop.call_later(_LINGER_S, self._let_go, capture)

    def _let_go(self, capture: OutputCapture) -> None:
        capture.close()
        self._lingering.discard(capture)

    def _lost(self, slot: Slot, reason: str) -> None:
        """A worker died, or could not be forked: again, later, or never?"""
        now = self._clock()
        verdict = after_death(
            self._policies.backoff, slot.history, now=now, ready_since=slot.ready_since, chance=random.random()
        )
        slot.history = verdict.history
        if verdict.delay_s is None:
            self.fire(
                slot, Event.DIED_FOR_GOOD, f"{reason}; given up after {self._policies.backoff.flap_deaths} deaths"
            )
            return
        slot.retry_at = now + verdict.delay_s
        self.fire(slot, Event.DIED, reason)

    async def _terminate(self, slot: Slot) -> None:
        if slot.starting is not None:
            slot.starting.cancel()  # either it had begun, or it never will
            await asyncio.wait([slot.starting])
        reason = ""
        if slot.id is not None:
            group = slot.id
            self._ending.add(group.pid)
            if await end_group(group, timeout_s=slot.stop_timeout_s, clock=self._clock, reap=self.reaper.sweep):
                # The group is empty but for zombies: let the reaper have its turn.
                await slot.ended.wait()
            else:
                reason = "SIGKILL did not end it"
            self._ending.discard(group.pid)
        if not reason:
            self._records.remove(slot.name)
        slot.stopping = None
        self.fire(slot, Event.GONE, reason)
        self.end_strays()

    def _fork_server_started(self, slot: Slot, spawned: Spawned) -> None:
        slot.id = spawned.id
        slot.ended.clear()
        slot.capture = self._capture(slot, spawned.streams)
        self.fire(slot, Event.START)

    def _fork_server_ended(self, slot: Slot, ended: ExitStatus) -> None:
        self._settle(slot, ended)
        slot.last_end = ended
        self.fire(slot, Event.DIED, str(ended))

    # ----------------------------------------------------------------------------------------------------- silence

    def _look(self) -> None:
        self._looker = self._loop.call_later(_LOOK_S, self._look)
        now = self._clock()
        late_s = now - self._looked_at - _LOOK_S
        self._looked_at = now
        for slot in list(self._slots.values()):
            if slot.kind != "worker" or slot.phase not in LIVE or slot.id is None:
                continue
            if late_s > _LOOK_S:
                # It was the daemon that did not run: beats may be waiting unread, so nobody else is to blame.
                slot.last_sign = now
            event = overdue(self._policies.patience, slot.phase, now=now, last_sign=slot.last_sign)
            if event is not None:
                self.fire(slot, event, f"no sign of life for {now - slot.last_sign:.1f} s")


def forgive(slot: Slot) -> None:
    """Someone asks for it by name: what happened before no longer counts."""
    slot.history = History()
