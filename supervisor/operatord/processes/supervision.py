"""The engine under the table of processes: feeds events into ``lifecycle.TRANSITIONS`` and does what they say.

Events come from four places: callers (start, stop), the reaper (death), the process itself or its probe (ready), and
the look at who has been silent for too long. Everything runs on the daemon's loop; nothing here waits but tasks of its
own.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import assert_never

from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.models import ProcessState
from operatord import procfs
from operatord.clock import Clock
from operatord.processes.backoff import BackoffPolicy, History
from operatord.processes.captures import Captures
from operatord.processes.forkclient import ForkedWorker, ForkServer
from operatord.processes.groups import signal_group
from operatord.processes.incarnations import Incarnations
from operatord.processes.lifecycle import TRANSITIONS, Action, Event, Patience
from operatord.processes.output import LogSink
from operatord.processes.reaper import ExitStatus, Reaper
from operatord.processes.records import ServerRecord, ServerRecords
from operatord.processes.restarting import after_end
from operatord.processes.silence import SilenceWatch
from operatord.processes.slots import Execed, Forked, Slot
from operatord.processes.spawn import CannotRun, Spawned, spawn
from operatord.processes.stopping import Stopper
from operatord.procfs import ProcessId
from operatord.throttle import OutputPolicy

StateSink = Callable[[ProcessState], None]
ExitHook = Callable[[str, ProcessState], None]


@dataclass(frozen=True, slots=True)
class Policies:
    """Every number of supervision; ``backoff`` and ``patience`` are those of workers."""

    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    patience: Patience = field(default_factory=Patience)
    output: OutputPolicy = field(default_factory=OutputPolicy)


class Supervision:
    """Runs the slots. Created and closed on the main thread, on a running loop."""

    def __init__(
        self,
        slots: Callable[[], Iterable[Slot]],
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
        self._records = records
        self._keep_servers = keep_servers
        self._clock = clock
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self.exit_hooks: list[ExitHook] = []
        self.changed = asyncio.Event()
        self.closing = False
        self.reaper = Reaper()
        self._incarnations = Incarnations(
            self.reaper,
            Captures(on_log, policies.output, clock),
            records,
            on_ended=self._ended,
            clock=clock,
        )
        self._stopper = Stopper(self.reaper, clock)
        self._silence = SilenceWatch(slots, self.fire, clock)
        self._fork_slot = Slot("forkserver", "internal", None)
        self.fork_server: ForkServer | None = None

    def start(self, preload: Sequence[str], warm_up: str | None) -> Slot:
        """Start the fork server; returns its slot."""
        slot = self._fork_slot
        self.fork_server = ForkServer(
            self.reaper,
            preload,
            warm_up=warm_up,
            on_start=partial(self._fork_server_started, slot),
            on_ready=partial(self.fire, slot, Event.READY),
            on_end=partial(self._fork_server_ended, slot),
            env=self._records.environment,
            clock=self._clock,
        )
        self.fork_server.start()
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
        self._incarnations.adopt(slot, record, pidfd)
        slot.phase, slot.reason, slot.since_at = "ready", "adopted", self._wall()
        self.publish(slot)

    def release(self, slot: Slot) -> None:
        """Leave a kept server to itself."""
        self._incarnations.release(slot)

    async def close(self) -> None:
        """End the fork server and every stray, let go of all pipes, stop reaping."""
        self.closing = True
        self._silence.close()
        if self.fork_server is not None:
            self.fire(self._fork_slot, Event.STOP)
            await self.fork_server.close()
            self.fire(self._fork_slot, Event.GONE)
        await self._stopper.end_all_strays()
        self._incarnations.close()
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
                    slot.retry = self._loop.call_later(max(0.0, delay_s), self._retry, slot)
            case Action.CANCEL_WAIT:
                self._cancel_retry(slot)
            case _:
                assert_never(action)

    def _cancel_retry(self, slot: Slot) -> None:
        slot.retry_at = None
        if slot.retry is not None:
            slot.retry.cancel()
            slot.retry = None

    def _retry(self, slot: Slot) -> None:
        # Nobody waits for this start: if it cannot be exec'd any more, its state says so by now.
        with suppress(OperatorError):
            self.fire(slot, Event.RETRY)

    # ------------------------------------------------------------------------------------------------- beginnings

    def _spawn(self, slot: Slot) -> None:
        slot.starts += 1
        slot.last_end = None
        slot.killed_for = ""
        slot.last_lines.clear()
        match slot.what:
            case Forked() as forked:
                slot.starting = self._loop.create_task(self._fork(slot, forked))
            case Execed() as execed:
                self._exec(slot, execed)
            case None:
                pass

    def _exec(self, slot: Slot, execed: Execed) -> None:
        spared = self._keep_servers and slot.kind == "server"
        try:
            spawned = spawn(
                execed.argv,
                cwd=execed.cwd,
                death_signal=None if spared else signal.SIGKILL,
                env={**self._records.environment, **execed.env},
                user=execed.user,
            )
        except CannotRun as error:
            self.fire(slot, Event.DIED_FOR_GOOD, error.message)
            raise
        except Unavailable as error:
            self._lost(slot, None, error.message)
            raise
        self._incarnations.begin(slot, spawned.id, os.pidfd_open(spawned.pid), spawned.streams, spawned)
        if execed.probed:
            self.publish(slot)
        else:
            self.fire(slot, Event.READY)

    async def _fork(self, slot: Slot, forked: Forked) -> None:
        fork_server = self.fork_server
        try:
            if fork_server is None:
                raise Unavailable("the process table has not been started")
            await fork_server.fork(slot.name, forked.entry, forked.args, partial(self._forked, slot))
        except OperatorError as error:
            self._lost(slot, None, error.message)
        except Exception as error:
            # A defect, but no reason to leave the worker in a state that no event ends.
            self._lost(slot, None, f"could not be forked: {error!r}")
            raise
        finally:
            slot.starting = None
            self._stopper.end_strays_soon()

    def _forked(self, slot: Slot, worker: ForkedWorker) -> None:
        process = ProcessId(worker.pid, procfs.start_time(worker.pid) or 0)
        self._incarnations.begin(slot, process, worker.pidfd, {"stdout": worker.stdout_fd, "stderr": worker.stderr_fd})
        self.publish(slot)

    def _fork_server_started(self, slot: Slot, spawned: Spawned) -> None:
        self._incarnations.open(slot, spawned.id, spawned.streams)
        self.fire(slot, Event.START)

    # ----------------------------------------------------------------------------------------------------- endings

    def _ended(self, slot: Slot, process: ProcessId, ended: ExitStatus) -> None:
        """The reaper's call: ``process`` is dead and not reaped yet."""
        if slot.phase != "stopping":
            # A stop gives the rest of the group its time; a death takes it along, while its number is surely ours.
            signal_group(process, signal.SIGKILL)
            self._incarnations.strike_out(slot)
        self._incarnations.settle(slot, ended)
        self._lost(slot, ended, slot.killed_for or str(ended))
        state = slot.state(self._clock())
        for hook in self.exit_hooks:
            hook(slot.name, state)
        self._stopper.end_strays_soon()

    def _lost(self, slot: Slot, ended: ExitStatus | None, reason: str) -> None:
        """It ended, or could not be started: again, later, or never?"""
        if self.closing or slot.phase == "stopping":
            self.fire(slot, Event.DIED_FOR_GOOD, reason)
            return
        now = self._clock()
        decision = after_end(
            slot.rule,
            ended,
            slot.history,
            reason=reason,
            now=now,
            ready_since=slot.ready_since,
            chance=random.random(),
        )
        slot.history = decision.history
        slot.retry_at = None if decision.delay_s is None else now + decision.delay_s
        self.fire(slot, decision.event, decision.reason)

    async def _terminate(self, slot: Slot) -> None:
        problem = await self._stopper.end(slot)
        if not problem:
            self._incarnations.strike_out(slot)
        slot.stopping = None
        self.fire(slot, Event.GONE, problem or slot.reason)
        self._stopper.end_strays()

    def _fork_server_ended(self, slot: Slot, ended: ExitStatus) -> None:
        self._incarnations.settle(slot, ended)
        self.fire(slot, Event.DIED, str(ended))


def forgive(slot: Slot) -> None:
    """Someone asks for it by name: what happened before no longer counts."""
    slot.history = History()
