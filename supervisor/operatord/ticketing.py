"""Violations become tickets, tickets get a diagnosis: the database, the desks, and what they hear of the bus."""

import asyncio
import importlib.util
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from operator_protocol.codec import Body
from operator_protocol.errors import Unavailable
from operator_protocol.models import AgentStep, Ticket, Violation
from operator_protocol.records import from_body
from operator_protocol.state import State
from operator_protocol.topics import AGENT_STEP, TICKET_OPENED, VIOLATION_CLOSED, VIOLATION_OPENED
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.coordination.desk import CoordinationDesk
from operatord.diagnosing import DiagnosisDesk, is_answered
from operatord.options import DaemonOptions
from operatord.tickets.changes import AGENT, Origin
from operatord.tickets.desk import TicketDesk
from operatord.tickets.history import History
from operatord.tickets.inbox import TicketInbox

if TYPE_CHECKING:  # SQLAlchemy is behind them
    from operatord.tickets.db import TicketDB
    from operatord.tickets.shared import SharedTickets


class Ticketing:
    """Made with the daemon, opened while the subject starts; hears nothing before it is open."""

    desk: TicketDesk
    diagnosis: DiagnosisDesk

    def __init__(
        self,
        options: DaemonOptions,
        broker: Broker,
        ingest: Ingest,
        log: Callable[[str], None],
        *,
        by_hand: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """``by_hand`` tells which actions are for a person only, see ``Restricted``."""
        self._options = options
        self._broker = broker
        self._ingest = ingest
        self._log = log
        self._by_hand = by_hand
        self._history = History()
        self._is_open = False
        self.shared: SharedTickets | None = None
        """The database that several hosts share, if the configuration names one."""

    async def open(self) -> None:
        """Open the database, publish what an earlier run left, and go on diagnosing it."""
        settings = self._options.config.tickets
        origin = Origin(
            settings.host or socket.gethostname(), settings.cluster or self._options.subject, self._broker.boot_id
        )
        # SQLAlchemy takes a quarter of a second to import, a migration as long; the cluster forms meanwhile.
        self._db = await asyncio.to_thread(self._open_file)
        if self._db.message:
            self._log(self._db.message)
        if settings.url:
            self.shared = await asyncio.to_thread(self._open_shared, asyncio.get_running_loop(), origin)
            self.shared.start()
        self.desk = TicketDesk(self._db, self._publish, origin=origin, shared=self.shared)
        resumed = self.desk.resume()
        self._inbox = TicketInbox(self.desk, self._log)
        agent = self._options.config.agent
        self.diagnosis = DiagnosisDesk(
            self._ingest,
            self._broker,
            self.desk,
            self._history,
            settle_s=agent.settle_s,
            deadline_s=agent.deadline_s,
            log=self._log,
            by_hand=self._by_hand,
        )
        self.diagnosis.start()
        self._is_open = True
        for ticket in resumed:
            if not is_answered(ticket) and ticket.status in ("open", "diagnosed"):
                self.diagnosis.opened(ticket)

    def coordination(self, state: Callable[[], State]) -> CoordinationDesk:
        """The desk of the messages, which are in the same file; there is one once that is open."""
        from operatord.coordination.store import CoordinationStore

        return CoordinationDesk(CoordinationStore(self._db), self._broker.publish, state, self._log)

    def _open_file(self) -> "TicketDB":
        from operatord.tickets.db import FILE_NAME, TicketDB

        return TicketDB(self._options.state_dir / FILE_NAME)

    def _open_shared(self, loop: asyncio.AbstractEventLoop, origin: Origin) -> "SharedTickets":
        if importlib.util.find_spec("psycopg") is None:
            raise Unavailable(
                "[tickets] url names a PostgreSQL, and psycopg is not installed", "pip install 'operatord[postgres]'"
            )
        from operatord.tickets.shared import SharedTickets

        def log(line: str) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._log, line)

        return SharedTickets(self._options.config.tickets.url, self._db, origin, log)

    def _publish(self, topic: str, body: Body) -> None:
        self._broker.publish(topic, body)
        if self.shared is not None:
            self.shared.nudge()

    def see(self, topic: str, body: Body) -> None:
        """Take in a frame."""
        self._history.see(topic, body)
        if not self._is_open:
            return
        if topic == VIOLATION_OPENED:
            self._inbox.opened(from_body(Violation, body))
        elif topic == VIOLATION_CLOSED:
            self._inbox.closed(from_body(Violation, body))
        elif topic == TICKET_OPENED:
            self.diagnosis.opened(from_body(Ticket, body))
        elif topic == AGENT_STEP:
            step = from_body(AgentStep, body)
            self._inbox.said(step.ticket, "step", {"kind": step.kind, "text": step.text}, AGENT)

    def observed(self, healthy: bool | None) -> None:
        """Take in what a look at the subject showed."""
        if self._is_open:
            self._inbox.observed(healthy, list(self._broker.memory.state.violations.values()))

    def retry(self) -> None:
        """Write what could not be written before."""
        if self._is_open:
            self._inbox.retry()
        if self.shared is not None:
            self.shared.tick()

    async def stop_diagnosing(self) -> None:
        """What is not diagnosed by now is at the next start."""
        if self._is_open:
            await self.diagnosis.close()

    def close(self) -> None:
        """Give the databases back."""
        if self.shared is not None:
            self.shared.close()
        if self._is_open:
            self._db.close()
