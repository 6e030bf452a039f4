"""The three sockets of one run and what stands behind them: the bus, the journal, the gate to TCP, the audit log."""

from collections.abc import Callable
from importlib.metadata import version as distribution_version

import zmq

from operator_protocol.codec import Body
from operator_protocol.endpoint import runtime_endpoint
from operatord.audit import FILE_NAME as AUDIT_FILE
from operatord.audit import AuditLog
from operatord.bus.admission import Passes
from operatord.bus.broker import Broker, Listener
from operatord.bus.gate import Gate
from operatord.bus.ingest import Ingest
from operatord.bus.journal import Journal
from operatord.control.access import Access
from operatord.control.commands import COMMANDS
from operatord.control.server import ControlServer
from operatord.keys import KeyStore
from operatord.options import DaemonOptions
from operatord.processes.table import ProcessTable
from operatord.zmq_loop import Context as ZmqContext

_NAMES = ("frames", "control", "ingest")


class Sockets:
    """``frames`` to everybody, ``control`` from clients, ``ingest`` from the daemon's own workers.

    ``configuration`` answers a worker that asks for its own, None as long as there is nothing to work on.
    """

    def __init__(
        self,
        options: DaemonOptions,
        processes: Callable[[], ProcessTable],
        *,
        configuration: Callable[[str], Body | None],
        log: Callable[[str], None],
        on_listener_error: Callable[[str, BaseException], None],
    ) -> None:
        self.endpoint = runtime_endpoint(options.runtime_dir)
        self.lines_dropped = 0
        """Lines of output that nobody will read."""
        self._options = options
        self._zmq: ZmqContext = zmq.Context()
        journal = options.config.journal
        self.broker = Broker(
            self._zmq,
            journal=Journal(
                options.state_dir / "journal",
                max_bytes=int(journal.max_mib * (1 << 20)),
                keep_files=journal.keep_files,
                on_error=log,
            ),
            on_listener_error=on_listener_error,
        )
        self._passes = Passes(lambda worker: processes().pid(worker))
        self.ingest = Ingest(
            self._zmq,
            self.broker,
            on_beat=lambda worker, pid: processes().beat(worker, pid),
            on_ready=lambda worker, pid: processes().mark_ready(worker, pid),
            configuration=configuration,
            admission=self._passes,
            log=log,
        )
        self.audit = AuditLog(options.state_dir / AUDIT_FILE, on_error=log)
        address = options.config.listen.tcp
        self._gate = (
            Gate(self._zmq, address, KeyStore(options.state_dir), audit=self.audit, log=log) if address else None
        )
        ring = self._gate.ring if self._gate else None
        self.control = ControlServer(self._zmq, COMMANDS, access=Access(ring), audit=self.audit)

    @property
    def pass_for_workers(self) -> Body:
        """What a worker needs to be let in."""
        return {"ingest": self.endpoint.ingest, "secret": self._passes.secret}

    def bind(self, listener: Listener, families: tuple[str, ...]) -> None:
        """Open them; ``listener`` hears the frames of ``families``."""
        self._remove_files()
        self.broker.listen(listener, families)
        self.broker.bind(self.endpoint.frames)
        self.ingest.bind(self.endpoint.ingest)
        self.control.bind(self.endpoint.control)
        if self._gate is not None:
            # After ipc: what is bound from here on asks for keys.
            self._gate.open(self.broker.socket, self.control.socket, nudge_frames=self.broker.nudge)
        self.broker.memory.state.version = {
            "operatord": distribution_version("operatord"),
            "subject": self._options.subject,
        }

    def heartbeat(self) -> None:
        """Tell what was refused by reason, and output that nobody will read."""
        refused = {
            f"{where}.{reason}": count
            for where, intake in (("ingest", self.ingest.intake), ("control", self.control.intake))
            for reason, count in intake.refusals.items()
        }
        self.broker.heartbeat({"lines": self.lines_dropped, **refused})

    def counters(self) -> Body:
        """For ``status``: what came in, and what nobody will read."""
        return {
            "ingest": self.ingest.intake.counts(),
            "control": self.control.intake.counts(),
            "rejected": self.broker.memory.rejected,
            "lines": self.lines_dropped,
        }

    async def deafen(self) -> None:
        """Take no commands any more; those under way get their answers."""
        if self._gate is not None:
            self._gate.close()
        await self.control.close()

    def close(self) -> None:
        """The last frame has been published."""
        self.control.hang_up()
        self.broker.close()
        if self._gate is not None:
            self._gate.shut()
        self._zmq.term()
        self.audit.close()
        self._remove_files()

    def _remove_files(self) -> None:
        for name in _NAMES:
            # We hold the lock of this directory: a socket file in it is ours, or belongs to a daemon that is gone.
            (self._options.runtime_dir / f"{name}.sock").unlink(missing_ok=True)
