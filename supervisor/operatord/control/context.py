"""What command handlers may touch of the daemon."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from operator_protocol.codec import Body
from operatord.actions.desk import ActionDesk
from operatord.bus.broker import Broker
from operatord.config import Config
from operatord.coordination.desk import CoordinationDesk
from operatord.declared.starter import DeclaredProcesses
from operatord.demo.director import Director
from operatord.diagnosing import DiagnosisDesk
from operatord.faults.desk import FaultDesk
from operatord.launching import Launch
from operatord.loading import LoadDesk
from operatord.processes.table import ProcessTable
from operatord.subjects.base import SubjectControl
from operatord.tickets.desk import TicketDesk


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of one running daemon."""

    version: str
    config: Config
    runtime_dir: Path
    state_dir: Path
    started_mono: float
    broker: Broker
    processes: ProcessTable
    declared: DeclaredProcesses
    subject: SubjectControl
    launch: Launch
    faults: FaultDesk
    director: Director
    tickets: TicketDesk
    diagnosis: DiagnosisDesk
    load: LoadDesk
    shutdown: Callable[[str], None]
    """Ask the daemon to stop in good order, for the reason given."""
    log: Callable[[str], None]
    """One line into the daemon's own log."""
    counters: Callable[[], Body]
    """What the sockets took and refused since the start, and what was dropped."""
    actions: ActionDesk
    coordination: CoordinationDesk
    caller: str = ""
    """Who sent the command that is being handled: the name of its key, or what it declares."""

    def called_by(self, caller: str) -> "Context":
        """The same, for one command of ``caller``."""
        return replace(self, caller=caller)
