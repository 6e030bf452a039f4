"""The parts of one daemon, and which of them hears what of which other.

Nothing here decides when: the order of the start and of the stop is the daemon's.
"""

import traceback
from collections.abc import Awaitable, Callable
from importlib.metadata import version as distribution_version

from operator_protocol.codec import Body
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
from operatord.diagnosing import agent_settings
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Limits
from operatord.faults.undo_journal import UndoJournal
from operatord.launching import Launch
from operatord.loading import LoadDesk
from operatord.observing import Observer
from operatord.options import DaemonOptions
from operatord.processes.records import ServerRecords
from operatord.processes.table import ProcessTable
from operatord.readiness import Milestones
from operatord.reporting import Reporter
from operatord.sockets import Sockets
from operatord.staging import make_director
from operatord.subject_factory import make_control
from operatord.subjects.base import Observation, Restricted
from operatord.ticketing import Ticketing
from operatord.workforce import HEALTHY, OBSERVED, PRELOADED, WARM_UP, Workforce

_HEARD = ("cluster.", "container.", "workload.", "process.", "violation.", "ticket.", "agent.", "action.", "fault.")
"""Topics that the daemon's own parts listen to."""


class Assembly:
    """``then`` is what follows when the subject has been started after all."""

    def __init__(self, options: DaemonOptions, reporter: Reporter, *, then: Callable[[], Awaitable[None]]) -> None:
        self.options = options
        self._reporter = reporter
        self.sockets = Sockets(
            options,
            lambda: self.processes,
            configuration=self._configuration,
            log=self.log,
            on_listener_error=self.report_defect,
        )
        self.broker, self.ingest = self.sockets.broker, self.sockets.ingest
        self.records = ServerRecords(options.servers_file)
        self.processes = ProcessTable(
            on_state=self._process_changed,
            on_log=self._process_said,
            records=self.records,
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
        self.launch = Launch(self.subject, self.broker.publish, self.log, then=then)
        self.observer = Observer(self.ingest, options.config)
        by_hand = self.subject.by_hand if isinstance(self.subject, Restricted) else dict
        self.ticketing = Ticketing(options, self.broker, self.ingest, self.log, by_hand=by_hand)
        self.coordination: CoordinationDesk  # once the database is open
        self.load = LoadDesk(self.ingest, self.subject, lambda: self.broker.memory.state)
        self.undo_journal = UndoJournal(options.undo_journal)
        self.faults = FaultDesk(
            self.subject,
            self.undo_journal,
            self.broker.publish,
            self._look,
            limits=Limits(recover_s=options.config.faults.recovery_deadline_s),
            cooldown_s=options.config.faults.cooldown_s,
        )
        self.debts = Debts(
            self.faults,
            self.undo_journal,
            self.subject,
            self.launch,
            self.log,
            keep=options.keep_cluster,
            servers_live=lambda: bool(self.records.living_servers()),
        )
        self.actions = make_action_desk(
            options, self.subject, self.load, self.sockets, self.log, held=lambda: self.director.holds_actions
        )
        self.director = make_director(options, self.faults, self.load, self.broker.publish, self.actions)
        self.processes.on_exit(self._process_ended)

    def bind(self) -> None:
        """Open the sockets: clients may attach, and the parts hear what is published."""
        self.sockets.bind(self._on_frame, _HEARD)

    async def open_stores(self) -> None:
        """Open what is kept on disk: tickets, actions, messages."""
        await self.ticketing.open()
        self.actions.open(ActionStore(self.options.state_dir / ACTIONS_FILE), self.ticketing.desk)
        self.coordination = self.ticketing.coordination(lambda: self.broker.memory.state)
        self.coordination.resume()

    def context(self, shutdown: Callable[[str], None], started_mono: float) -> Context:
        """For the handlers of commands; the stores are open."""
        return Context(
            version=distribution_version("operatord"),
            config=self.options.config,
            runtime_dir=self.options.runtime_dir,
            state_dir=self.options.state_dir,
            started_mono=started_mono,
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
            shutdown=shutdown,
            log=self.log,
            counters=self.sockets.counters,
            actions=self.actions,
            coordination=self.coordination,
        )

    def log(self, line: str) -> None:
        """One line into the daemon's own log, on its stderr and on the bus."""
        self._reporter.line(line)
        for part in line.splitlines():
            self.broker.publish(process_log("operatord"), {"stream": "stderr", "line": part, "dropped": 0})

    def report_defect(self, where: str, error: BaseException) -> None:
        """Into the daemon's own log, with its traceback, and not on the bus: that may be what failed."""
        lines = "".join(traceback.format_exception(error))
        self._reporter.line(f"defect while handling {where}:\n{lines}")

    def publish_usage(self) -> None:
        """What each process takes of the machine."""
        for state in self.processes.sample_usage():
            if state.pid is not None:
                self._process_changed(state)

    async def _look(self) -> Observation:
        """A fresh look at the subject, as far as there is one."""
        return await self.observer.look() if self.launch.is_up else self.launch.unknown()

    def _engine_is_back(self) -> None:
        self.debts.try_again()

    def _on_frame(self, frame: Frame) -> None:
        topic, body = frame.topic, frame.body
        self.ticketing.see(topic, body)
        self.actions.see(topic, body)
        self.director.see(topic, body, frame.header)
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
