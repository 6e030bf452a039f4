"""Violations become tickets, tickets get a diagnosis: the database, the desks, and what they hear of the bus."""

import asyncio
import importlib
from collections.abc import Callable

from operator_protocol.codec import Body
from operator_protocol.models import Ticket, Violation
from operator_protocol.records import from_body
from operator_protocol.topics import TICKET_OPENED, VIOLATION_CLOSED, VIOLATION_OPENED
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.diagnosing import DiagnosisDesk
from operatord.options import DaemonOptions
from operatord.tickets.desk import TicketDesk
from operatord.tickets.history import History
from operatord.tickets.inbox import TicketInbox


class Ticketing:
    """Made with the daemon, opened while the subject starts; hears nothing before it is open."""

    desk: TicketDesk
    diagnosis: DiagnosisDesk

    def __init__(self, options: DaemonOptions, broker: Broker, ingest: Ingest, log: Callable[[str], None]) -> None:
        self._options = options
        self._broker = broker
        self._ingest = ingest
        self._log = log
        self._history = History()
        self._is_open = False

    async def open(self) -> None:
        """Open the database, publish what an earlier run left, and go on diagnosing it."""
        # SQLAlchemy takes a quarter of a second to import; the cluster forms meanwhile.
        await asyncio.to_thread(importlib.import_module, "operatord.tickets.db")
        from operatord.tickets.db import FILE_NAME, TicketDB

        self._db = TicketDB(self._options.state_dir / FILE_NAME)
        if self._db.message:
            self._log(self._db.message)
        self.desk = TicketDesk(self._db, self._broker.publish)
        resumed = self.desk.resume()
        self._inbox = TicketInbox(self.desk, self._log)
        settle_s = self._options.config.agent.settle_s
        self.diagnosis = DiagnosisDesk(
            self._ingest, self._broker, self.desk, self._history, settle_s=settle_s, log=self._log
        )
        self.diagnosis.start()
        self._is_open = True
        for ticket in resumed:
            if ticket.diagnosis is None and ticket.status == "open":
                self.diagnosis.opened(ticket)

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

    def observed(self, healthy: bool | None) -> None:
        """Take in what a look at the subject showed."""
        if self._is_open:
            self._inbox.observed(healthy, list(self._broker.memory.state.violations.values()))

    def retry(self) -> None:
        """Write what could not be written before."""
        if self._is_open:
            self._inbox.retry()

    async def stop_diagnosing(self) -> None:
        """What is not diagnosed by now is at the next start."""
        if self._is_open:
            await self.diagnosis.close()

    def close(self) -> None:
        """Give the database back."""
        if self._is_open:
            self._db.close()
