"""The daemon: one asyncio process that assembles the parts and runs them from first frame to last.

Started by the keeper as ``python -m operatord.daemon OPTIONS``. The order of the start is the order of the needs:
sockets first (clients may attach and watch), then servers, then what an earlier run still owes, then the workers.
"""

import asyncio
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version as distribution_version
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.endpoint import default_runtime_dir
from operator_protocol.errors import BadRequest, OperatorError, Unavailable
from operator_protocol.frames import Frame
from operator_protocol.models import ProcessState
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import CLUSTER_HEALTH, process_log, process_state
from operatord.acting import make_action_desk
from operatord.actions.store import FILE_NAME as ACTIONS_FILE
from operatord.actions.store import ActionStore
from operatord.container_logs import REQUEST as CONTAINER_LOG
from operatord.container_logs import ContainerLogs
from operatord.containers import WORKER as DOCKER
from operatord.containers import ContainerDesk
from operatord.control.context import Context
from operatord.coordination.desk import CoordinationDesk
from operatord.debts import Debts
from operatord.declared.console import NAME as CONSOLE
from operatord.declared.console import Console
from operatord.declared.starter import DeclaredProcesses
from operatord.demo.catalogue import load_catalogue
from operatord.demo.chapters import BUILT_IN, check_faults, tell
from operatord.demo.director import Director
from operatord.demo.narration import Narrator
from operatord.diagnosing import agent_settings
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal
from operatord.launching import Launch
from operatord.loading import LoadDesk
from operatord.logging_bridge import logging_to
from operatord.observing import Observer
from operatord.options import DaemonOptions
from operatord.processes.records import ServerRecords, end_leftovers
from operatord.processes.table import ProcessTable
from operatord.readiness import Milestones
from operatord.reporting import Reporter
from operatord.sd_notify import ServiceManager
from operatord.sockets import Sockets
from operatord.subject_factory import make_control
from operatord.subjects.base import Observation, Outliving, Restricted
from operatord.ticketing import Ticketing
from operatord.workforce import HEALTHY, OBSERVED, PRELOADED, WARM_UP, Workforce

_HEARD = ("cluster.", "container.", "workload.", "process.", "violation.", "ticket.", "agent.", "action.", "fault.")
"""Topics that the daemon's own parts listen to."""
_DESCRIPTORS = 65_536
_STOP_STEP_S = 5.0
"""No step of the stop may take longer; the keeper ends what is left."""
_UNDO_S = 12.0
"""Undoing what is owed before leaving; what is cut off stays owed, and is undone at the next start."""


class Daemon:
    """The parts of one run."""

    def __init__(self, options: DaemonOptions, reporter: Reporter, manager: ServiceManager) -> None:
        self.options = options
        self._manager = manager
        self.reporter = reporter
        self._started_mono = time.monotonic()
        self._stop_reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.sockets = Sockets(
            options,
            lambda: self.processes,
            configuration=self._configuration,
            log=self.log,
            on_listener_error=self._listener_failed,
        )
        self.broker, self.ingest = self.sockets.broker, self.sockets.ingest
        self._records = ServerRecords(options.servers_file)
        self.processes = ProcessTable(
            on_state=self._process_changed,
            on_log=self._process_said,
            records=self._records,
            keep_servers=options.keep_cluster,
            preload=PRELOADED,
            warm_up=WARM_UP,
        )
        self.console = Console(
            options.config.console,
            options.runtime_dir,
            options.state_dir,
            taken=CONSOLE in options.config.process,
            log=self.log,
        )
        declared = {**options.config.process, **self.console.sections()}
        self.declared = DeclaredProcesses(declared, self.processes, self.processes.commands, log=self.log)
        self.milestones = Milestones()
        self.workforce = Workforce(self.processes, self.milestones)
        self.containers = ContainerDesk(
            self.ingest,
            lambda: self.processes,
            lambda: self.sockets.pass_for_workers,
            self.log,
            on_back=self._engine_is_back,
        )
        self.ingest.handle(CONTAINER_LOG, ContainerLogs(self.broker.publish).take)
        self.subject = make_control(options, self.processes, self.processes.commands, self.containers)
        self.launch = Launch(self.subject, self.broker.publish, self.log, then=self._operate_after_all)
        self.observer = Observer(self.ingest, options.config)
        by_hand = self.subject.by_hand if isinstance(self.subject, Restricted) else dict
        self.ticketing = Ticketing(options, self.broker, self.ingest, self.log, by_hand=by_hand)
        self.load = LoadDesk(self.ingest, self.subject, lambda: self.broker.memory.state)
        self._undo_journal = UndoJournal(options.undo_journal)
        self.faults = FaultDesk(
            self.subject,
            self._undo_journal,
            self.broker.publish,
            self._look,
            limits=Limits(recover_s=options.config.faults.recovery_deadline_s),
            cooldown_s=options.config.faults.cooldown_s,
        )
        demo = options.config.demo
        self._story = options.story or BUILT_IN
        narrator = Narrator(load_catalogue(demo.language))
        countdown_s = options.config.faults.countdown_s
        chapters = tell(demo.fault, demo.target, countdown_s, story=self._story, narrator=narrator)
        self.debts = Debts(
            self.faults,
            self._undo_journal,
            self.subject,
            self.launch,
            self.log,
            keep=options.keep_cluster,
            servers_live=lambda: bool(self._records.living_servers()),
        )
        self.actions = make_action_desk(
            options, self.subject, self.load, self.sockets, self.log, held=lambda: self.director.holds_actions
        )
        self.director = Director(
            self.faults, self.load, self.broker.publish, chapters=chapters, narrator=narrator, agent=self.actions
        )
        self.coordination: CoordinationDesk  # once the database is open
        self._chores: list[asyncio.Task[None]] = []

    # the run

    async def run(self) -> None:
        """From first frame to last. Raises the error that made a start fail, after everything was taken down."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._defect)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(signum, self.shutdown, signal.Signals(signum).name)
        try:
            self.sockets.bind(self._on_frame, _HEARD)
            start = asyncio.create_task(self._start())
            both: set[asyncio.Future[Any]] = {start, self._stop_reason}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                await start
                self._tell_ready()
                reason = await self._stop_reason
            else:
                reason = self._stop_reason.result()
                start.cancel()
                await asyncio.gather(start, return_exceptions=True)
            self._manager.stopping(reason)
            self.log(f"stopping: {reason}")
        finally:
            await self._stop()

    def shutdown(self, reason: str) -> None:
        """Begin the stop."""
        if not self._stop_reason.done():
            self._stop_reason.set_result(reason)

    def log(self, line: str) -> None:
        """One line into the daemon's own log, on its stderr and on the bus."""
        self.reporter.line(line)
        for part in line.splitlines():
            self.broker.publish(process_log("operatord"), {"stream": "stderr", "line": part, "dropped": 0})

    async def _start(self) -> None:
        self._check_demo()
        await self._take_over()
        self.workforce.add(self.sockets.pass_for_workers)
        self.processes.on_exit(self._process_ended)
        if self.console.notice:
            self.log(self.console.notice)
        self.declared.start()
        subject_start = asyncio.create_task(self.launch.first())
        try:
            await self.ticketing.open()
            self.actions.open(ActionStore(self.options.state_dir / ACTIONS_FILE), self.ticketing.desk)
            self.coordination = self.ticketing.coordination(lambda: self.broker.memory.state)
            self.coordination.resume()
            self._serve()
            await subject_start
        finally:
            subject_start.cancel()
            await asyncio.gather(subject_start, return_exceptions=True)
        if self.launch.is_up:
            await self._operate()

    async def _operate(self) -> None:
        """The subject is up: look at it, pay what is owed, load it."""
        await self.workforce.start()
        await self.debts.settle()
        if self.options.load:
            await self.load.start_after(partial(self.milestones.wait, HEALTHY), self.log)

    async def _operate_after_all(self) -> None:
        await self._operate()
        self._manager.status(f"operating {self.options.subject}")

    def _tell_ready(self) -> None:
        """A daemon whose subject could not be started is there to say why, and to try again."""
        if (error := self.launch.error) is not None:
            self.reporter.without_cluster(error)
            self._manager.ready(f"not operating {self.options.subject}: {error.message}")
            return
        took_s = time.monotonic() - self._started_mono
        at = "" if self.options.runtime_dir == default_runtime_dir() else f" --endpoint {self.options.runtime_dir}"
        self.reporter.ready(f"ready in {took_s:.2f} s; attach with: operator-viewer{at}")
        self._manager.ready(f"operating {self.options.subject}")

    def _check_demo(self) -> None:
        kind, known = self.options.config.demo.fault, self.subject.faults()
        if kind not in known:
            raise BadRequest(f"demo: {self.subject.name} has no fault {kind!r}", f"known: {', '.join(known)}")
        check_faults(self._story, self.subject.name, kind, known)

    async def _take_over(self) -> None:
        """Deal with what an earlier daemon left: end it, or adopt its servers under ``--keep-cluster``."""
        keep = self.options.keep_cluster
        for record in await end_leftovers(self._records, keep_servers=keep):
            done = "found" if keep and record.kind == "server" else "ended"
            self.log(f"{done} {record.name} (pid {record.pid}) of an earlier run")
        await self.processes.start()
        for record in self._records.servers():
            if self.processes.adopt(record):
                self.log(f"adopted {record.name} (pid {record.pid})")
        if self._records.notice:
            self.log(self._records.notice)
        # With rules or limits of an earlier run in force the cluster might not even form.
        await self.faults.clear()

    def _serve(self) -> None:
        self.sockets.control.serve(
            Context(
                version=distribution_version("operatord"),
                config=self.options.config,
                runtime_dir=self.options.runtime_dir,
                state_dir=self.options.state_dir,
                started_mono=self._started_mono,
                broker=self.broker,
                processes=self.processes,
                declared=self.declared,
                subject=self.subject,
                launch=self.launch,
                faults=self.faults,
                director=self.director,
                tickets=self.ticketing.desk,
                diagnosis=self.ticketing.diagnosis,
                load=self.load,
                shutdown=self.shutdown,
                log=self.log,
                counters=self.sockets.counters,
                actions=self.actions,
                coordination=self.coordination,
            )
        )
        self.director.start()
        self._chores = [asyncio.create_task(self._every_second())]

    @property
    def _each_second(self) -> tuple[Callable[[], None], ...]:
        return (
            self.sockets.heartbeat,
            self.sockets.audit.tick,
            self.ticketing.retry,
            self.actions.tick,
            self.coordination.tick,
            self._publish_usage,
            self.launch.tick,
        )

    async def _every_second(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for chore in self._each_second:
                try:
                    chore()
                except Exception as error:
                    # One chore that fails must not take the heartbeat with it.
                    self._listener_failed("the chores of a second", error)
            due = max(due + 1.0, loop.time())
            await asyncio.sleep(due - loop.time())

    def _publish_usage(self) -> None:
        for state in self.processes.sample_usage():
            if state.pid is not None:
                self._process_changed(state)

    async def _stop(self) -> None:
        await self._step("the actions", self.actions.close())
        await self._step("the story", self.director.close(undo=False))
        await self._step("the faults", self.debts.pay_before_leaving(), _UNDO_S)
        await self._step("the load", self.load.stop())
        await self._step("the diagnoses", self.ticketing.stop_diagnosing())
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self._step("the control socket", self.sockets.deafen())
        await self._step("the observer", self.observer.close())
        await self._step("the declared processes", self.declared.stop(), self.declared.stop_budget_s + _STOP_STEP_S)
        # Workers before servers: a monitor that still looks would report the end of the cluster as an outage.
        await self._step("the workers", self.workforce.stop())
        budget_s = self.subject.stop_budget_s if isinstance(self.subject, Outliving) else 2 * _STOP_STEP_S
        await self._step("the subject", self.subject.stop(), budget_s)
        await self._step("the debts", self.debts.forfeit())
        await self._step("the containers", self.containers.close())
        await self._step("the processes", self.processes.stop_all(), 2 * _STOP_STEP_S)
        await self._step("the ingest socket", self.ingest.close())
        self._undo_journal.close()
        self.ticketing.close()
        self.sockets.close()

    async def _step(self, what: str, work: Awaitable[object], timeout_s: float = _STOP_STEP_S) -> None:
        """One step of the stop: none may keep the others from happening."""
        try:
            async with asyncio.timeout(timeout_s):
                await work
        except Exception as error:
            # Whatever it was, the rest must still be taken down; the keeper ends what this step left.
            self.reporter.line(f"while stopping {what}: {type(error).__name__}: {error}")

    # what the parts tell

    async def _look(self) -> Observation:
        """A fresh look at the subject, as far as there is one."""
        return await self.observer.look() if self.launch.is_up else self.launch.unknown()

    def _engine_is_back(self) -> None:
        self.debts.try_again()

    def _on_frame(self, frame: Frame) -> None:
        topic, body = frame.topic, frame.body
        self.ticketing.see(topic, body)
        self.actions.see(topic, body)
        self.director.see(topic, body)
        self.load.see(topic, body)
        self.containers.see(topic, body)
        if topic == CLUSTER_HEALTH:
            self._observed(from_body(Observation, body))

    def _observed(self, look: Observation) -> None:
        self.milestones.reach(OBSERVED)
        if look.ok:
            self.milestones.reach(HEALTHY)
            self.declared.reached("cluster")
        self.faults.note(look)
        self.ticketing.observed(look.ok)

    def _process_changed(self, state: ProcessState) -> None:
        self.broker.publish(process_state(state.name), to_body(state))
        self.declared.see(state)
        self.console.see(state)

    def _process_said(self, name: str, stream: str, line: str, dropped: int) -> None:
        self.sockets.lines_dropped += dropped
        self.broker.publish(process_log(name), {"stream": stream, "line": line, "dropped": dropped})
        self.declared.said(name, line)

    def _process_ended(self, name: str, state: ProcessState) -> None:
        if state.kind == "worker":
            self.ingest.gone(name)
            if name == DOCKER:
                self.containers.lost()
        elif state.kind == "server":
            self.observer.nudge()

    def _configuration(self, worker: str) -> Body | None:
        if worker == DOCKER:
            return self.containers.configuration()
        if not self.launch.is_up:
            return None
        self.containers.introduce(worker)
        if worker == "monitor":
            return self.observer.configuration(self.subject.spec, self.broker.memory.state)
        if worker == "ycsb":
            return self.load.configuration()
        return {"subject": to_body(self.subject.spec), "agent": to_body(agent_settings(self.options, self.subject))}

    def _defect(self, _loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        error = told.get("exception")
        lines = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
        self.reporter.line(f"defect: {told.get('message')}\n{lines}")

    def _listener_failed(self, topic: str, error: BaseException) -> None:
        lines = "".join(traceback.format_exception(error))
        self.reporter.line(f"defect while handling {topic}:\n{lines}")


def main(argv: list[str]) -> int:
    """Run the daemon with the options in the descriptor ``argv[0]``; the exit status is the keeper's."""
    options = DaemonOptions.from_fd(int(argv[0]))
    os.umask(0o077)
    _allow_many_connections()
    reporter = Reporter(options.ready_fd)
    manager = ServiceManager(os.environ)

    async def run() -> None:
        alive = asyncio.create_task(manager.keep_alive())
        daemon = Daemon(options, reporter, manager)
        with logging_to(daemon.log):
            await daemon.run()
        alive.cancel()

    try:
        asyncio.run(run())
    except OperatorError as error:
        reporter.failed(error)
        return 1
    except OSError as error:
        where = error.filename or "the system"
        reporter.failed(Unavailable(f"{where}: {error.strerror}", "mend it, or choose other directories"))
        return 1
    return 0


def _allow_many_connections() -> None:
    """Each client takes two descriptors; ZeroMQ spins when there are none left. What we start inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
