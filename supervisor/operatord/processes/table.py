"""The table of processes: what the daemon asks for, by name.

Workers are added, started, and from then on kept running. Servers belong to the subject (this class is the ``Servers``
of ``subjects.base``): they are launched and terminated by whoever operates the subject, and when one dies that is an
event and nothing more.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from operator_protocol.errors import Conflict, DeadlineExceeded, NotFound, Unavailable
from operator_protocol.models import ProcessState
from operatord import procfs
from operatord.clock import Clock
from operatord.processes import prctl
from operatord.processes.commands import ChildCommands
from operatord.processes.groups import signal_process
from operatord.processes.lifecycle import Event, Patience
from operatord.processes.output import LogSink
from operatord.processes.records import ServerRecord, ServerRecords
from operatord.processes.restarting import RestartRule
from operatord.processes.roster import Roster
from operatord.processes.slots import Execed, Forked, Slot
from operatord.processes.spec import ProcessSpec
from operatord.processes.supervision import ExitHook, Policies, StateSink, Supervision, forgive
from operatord.processes.usage import UsageSampler
from operatord.procfs import ProcessId


class ProcessTable:
    """Every process of the daemon. Lives on the daemon's loop, on the main thread.

    ``on_state`` is called at each change of a process, ``on_log`` for each line it prints. Started processes inherit
    ``os.environ``. With ``keep_servers`` the servers are not guarded against the daemon's death, and ``stop_all``
    leaves them running.
    """

    def __init__(
        self,
        *,
        on_state: StateSink,
        on_log: LogSink,
        records: ServerRecords,
        keep_servers: bool = False,
        preload: Sequence[str] = (),
        warm_up: str | None = None,
        policies: Policies | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        self._sinks = (on_state, on_log)
        self._records = records
        self._keep_servers = keep_servers
        self._preload = list(preload)
        self._warm_up = warm_up
        self._policies = policies or Policies()
        self._clock = clock
        self._wall = wall
        self._roster = Roster()
        self._usage = UsageSampler(clock)
        self._exit_hooks: list[ExitHook] = []
        self._engine: Supervision | None = None
        self._subreaper_before = False
        self.commands = ChildCommands(lambda: self._running.reaper.watch, lambda: self._records.environment)
        """Runs system commands as children of this process, which the table's reaper sees to."""

    async def start(self) -> None:
        """Become a child subreaper, reap orphans, start the fork server (it imports while the caller goes on).

        The fork server imports ``preload`` and the modules of the workers that have been added by now; what it forks
        ahead calls ``warm_up`` (``module:function``, with an empty map), to have done once what every worker does.
        """
        self._records.begin_run()
        self._subreaper_before = prctl.set_child_subreaper(enabled=True)
        _, on_log = self._sinks
        self._engine = Supervision(
            lambda: self._roster,
            on_state=self._told,
            on_log=on_log,
            records=self._records,
            keep_servers=self._keep_servers,
            policies=self._policies,
            clock=self._clock,
            wall=self._wall,
        )
        self._engine.exit_hooks = self._exit_hooks
        entries = [slot.what.entry for slot in self._roster if isinstance(slot.what, Forked)]
        modules = dict.fromkeys([*self._preload, *(entry.partition(":")[0] for entry in entries)])
        self._roster.put(self._engine.start(list(modules), self._warm_up))

    def on_exit(self, callback: ExitHook) -> None:
        """Call ``callback(name, state)`` at each death of a worker or server, expected or not."""
        self._exit_hooks.append(callback)

    # ----------------------------------------------------------------------------------------------------- workers

    def add_worker(self, name: str, entry: str, args: Mapping[str, Any] | None = None) -> None:
        """Add worker ``name``: ``entry`` is ``module:function``, called as ``function(args)`` in the forked child.

        Raises ``Conflict`` for a name that is taken, ``BadRequest`` for one that is not a name.
        """
        self._roster.add(
            Slot(
                name,
                "worker",
                Forked(entry, dict(args or {})),
                rule=RestartRule(backoff=self._policies.backoff),
                patience=self._policies.patience,
            )
        )

    def add_process(self, spec: ProcessSpec) -> None:
        """Add a process that is exec'd and kept running as ``spec`` says; from then on it is handled like a worker.

        Raises ``Conflict`` for a name that is taken, ``BadRequest`` for one that is not a name.
        """
        self._roster.add(
            Slot(
                spec.name,
                "declared",
                Execed(list(spec.command), spec.cwd, spec.env, spec.user, probed=spec.ready == "probed"),
                stop_signal=spec.stop_signal,
                stop_timeout_s=spec.stop_timeout_s,
                rule=RestartRule(spec.restart, spec.success_codes, spec.no_restart_codes, spec.backoff),
                patience=Patience(start_s=spec.start_timeout_s, beat_s=None),
            )
        )

    async def start_worker(self, name: str) -> None:
        """Start it if it does not run; returns when it has been forked or exec'd, which is before it is ready.

        What is exec'd raises ``CannotRun`` or ``Unavailable`` if that fails.
        """
        slot = self._roster.to_handle(name)
        forgive(slot)
        self._running.fire(slot, Event.START)
        if slot.starting is not None:
            await asyncio.wait([slot.starting])

    def mark_ready(self, name: str, pid: int | None = None) -> None:
        """Worker ``name`` says that it is ready, or the probe of a process says so.

        With ``pid`` the word of an earlier incarnation is ignored.
        """
        slot = self._roster.speaker(name, pid)
        if slot is not None:
            self._running.fire(slot, Event.READY)

    def explain(self, name: str, reason: str) -> None:
        """Say why ``name`` is not further: what it waits for before its start, or what its probe says during it."""
        slot = self._roster.to_handle(name)
        if slot.phase in ("stopped", "starting") and slot.reason != reason:
            slot.reason = reason
            slot.since_at = slot.since_at or self._wall()
            self._running.publish(slot)

    def beat(self, name: str, pid: int | None = None) -> None:
        """Worker ``name`` shows that it lives."""
        slot = self._roster.speaker(name, pid)
        if slot is not None and slot.phase == "ready":
            slot.last_sign = self._clock()

    async def wait_ready(self, names: Iterable[str], timeout_s: float) -> None:
        """Return when all of ``names`` are ready.

        Raises ``DeadlineExceeded`` naming those that are not, ``Unavailable`` at once when one is failed or stopped.
        """
        slots = [self._roster.to_handle(name) for name in names]
        deadline = self._clock() + timeout_s
        while late := [slot for slot in slots if slot.phase != "ready"]:
            for slot in late:
                if slot.phase in ("failed", "stopped", "stopping"):
                    raise Unavailable(f"{slot.name} is {slot.phase}: {slot.reason or 'it was not started'}")
            try:
                await asyncio.wait_for(self._running.changed.wait(), max(0.0, deadline - self._clock()))
            except TimeoutError as error:
                names_late = ", ".join(f"{slot.name} ({slot.phase})" for slot in late)
                raise DeadlineExceeded(f"not ready after {timeout_s:g} s: {names_late}") from error

    # ----------------------------------------------------------------------------------------------------- servers

    async def launch(self, name: str, argv: Sequence[str], *, cwd: Path | None = None, guarded: bool = False) -> int:
        """Start server ``name`` and return its pid. Raises ``Conflict`` if it runs already, ``Unavailable`` if exec
        fails. A ``guarded`` one is no server of the subject but a tool: it never outlives the daemon, and is forgotten
        when it has ended.
        """
        engine = self._running
        slot = self._roster.for_server(name, "tool" if guarded else "server")
        slot.what = Execed(list(argv), cwd)
        self._roster.put(slot)
        engine.fire(slot, Event.START)
        if slot.id is None:
            raise Unavailable(f"{name} could not be started")
        return slot.id.pid

    async def terminate(self, name: str, *, timeout_s: float = 5.0) -> None:
        """TERM, then KILL after ``timeout_s``, until the group is empty. Not running is success."""
        slot = self._roster.find(name)
        if slot is not None:
            slot.stop_timeout_s = timeout_s
            await self._stop(slot)

    def signal(self, name: str, signum: int) -> None:
        """Signal the process itself, not its group. Raises ``NotFound`` if it is not running."""
        slot = self._roster.find(name)
        if slot is None or slot.id is None or not signal_process(slot.id, signum):
            raise NotFound(f"{name} is not running")

    def pid(self, name: str) -> int | None:
        """The pid of ``name`` while it runs."""
        process = self._roster.process(name)
        return None if process is None else process.pid

    def start_time(self, name: str) -> float | None:
        """Kernel start time of ``name`` in clock ticks since boot while it runs."""
        process = self._roster.process(name)
        return None if process is None else process.start_time

    def adopt(self, record: ServerRecord) -> bool:
        """Take over a server of an earlier daemon; False, and off the record, when it no longer runs.

        Its death will be noticed, but not how it died; its output is not to be had.
        """
        slot = self._roster.for_server(record.name)
        pidfd = _pidfd_of(record.id)
        if pidfd is None:
            self._records.remove(record.name)
            return False
        slot.what = Execed(record.argv, None if record.cwd is None else Path(record.cwd))
        self._roster.put(slot)
        self._running.adopt(slot, record, pidfd)
        return True

    # ------------------------------------------------------------------------------------------------------- both

    async def restart(self, name: str) -> ProcessState:
        """Stop ``name`` if it runs, and start it again (a server: with the command it had). Returns its state."""
        slot = self._roster.to_handle(name)
        await self._stop(slot)
        if slot.id is not None:
            raise Conflict(f"{name} cannot be started again: process {slot.id.pid} does not end")
        forgive(slot)
        self._running.fire(slot, Event.START)
        if slot.starting is not None:
            await asyncio.wait([slot.starting])
        return self.state(name)

    async def stop(self, name: str, reason: str = "") -> ProcessState:
        """Stop ``name`` for ``reason``; it stays stopped until ``restart``. Returns its state."""
        slot = self._roster.to_handle(name)
        await self._stop(slot, reason)
        if reason and not slot.reason:
            # It may have been down before, or about to be, for no reason that anybody gave.
            self.explain(name, reason)
        return slot.state(self._clock())

    async def stop_all(self) -> None:
        """Stop the workers, the declared and the tools, then the servers (unless they are kept), then the fork server.

        Nothing is left then.
        """
        engine = self._engine
        if engine is None:
            return
        engine.closing = True
        await asyncio.gather(*(self._stop(slot) for slot in self._roster.of_kind("worker", "declared", "tool")))
        if self._keep_servers:
            for slot in self._roster.of_kind("server"):
                engine.release(slot)
        else:
            await asyncio.gather(*(self._stop(slot) for slot in self._roster.of_kind("server")))
        await engine.close()
        prctl.set_child_subreaper(enabled=self._subreaper_before)
        self._records.end_run()
        self._engine = None

    def state(self, name: str) -> ProcessState:
        """The state of ``name``. Raises ``NotFound``."""
        return self._roster.get(name).state(self._clock())

    def states(self) -> list[ProcessState]:
        """The state of every process, in the order in which they were added."""
        now = self._clock()
        return [slot.state(now) for slot in self._roster]

    def sample_usage(self) -> list[ProcessState]:
        """Measure what each process takes now (call it once a second); returns ``states()`` with the figures."""
        usage = self._usage.sample(slot.id for slot in self._roster if slot.id is not None)
        for slot in self._roster:
            slot.usage = None if slot.id is None else usage.get(slot.id)
        return self.states()

    @property
    def _running(self) -> Supervision:
        if self._engine is None:
            raise Unavailable("the process table is not running")
        return self._engine

    def _told(self, state: ProcessState) -> None:
        if state.gone:
            self._roster.forget(state.name)
        on_state, _ = self._sinks
        on_state(state)

    async def _stop(self, slot: Slot, reason: str = "") -> None:
        self._running.fire(slot, Event.STOP, reason)
        if slot.stopping is not None:
            await asyncio.shield(slot.stopping)


def _pidfd_of(process: ProcessId) -> int | None:
    """A descriptor of that very process, if it runs."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    if procfs.is_alive(process):
        return pidfd
    os.close(pidfd)
    return None
