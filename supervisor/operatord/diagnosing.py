"""From an opened ticket to its diagnosis: what the daemon hands to the agent, and when.

A ticket waits a moment so that the evidence around its onset can come in, then the most severe one goes first. The
dossier is built from the bus without ``fault.*`` and ``demo.*``: the agent is never told what was injected.
"""

import asyncio
import contextlib
from collections.abc import Callable

from operator_protocol.errors import Conflict, NotFound, OperatorError
from operator_protocol.models import Diagnosis, Ticket, TicketDiagnosis
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import AGENT_DIAGNOSIS
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.tickets.desk import TicketDesk
from operatord.tickets.history import History

WORKER = "agent"
_TIMEOUT_S = 60.0
_RETRY_S = 2.0
"""Doubled at each further try."""
_MAX_TRIES = 5
_SEVERITY_ORDER = {"critical": 0, "warning": 1, "info": 2}


class DiagnosisDesk:
    """One diagnosis at a time, the most severe ticket first."""

    def __init__(
        self,
        ingest: Ingest,
        broker: Broker,
        tickets: TicketDesk,
        history: History,
        *,
        settle_s: float,
        log: Callable[[str], None],
    ) -> None:
        self._ingest = ingest
        self._broker = broker
        self._tickets = tickets
        self._history = history
        self._settle_s = settle_s
        self._log = log
        self._due: dict[int, float] = {}
        self._severities: dict[int, str] = {}
        self._tries: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work the queue."""
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop; a diagnosis under way is given up."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def opened(self, ticket: Ticket) -> None:
        """Have ``ticket`` diagnosed once its evidence had time to come in."""
        self._due[ticket.id] = asyncio.get_running_loop().time() + self._settle_s
        self._severities[ticket.id] = ticket.severity
        self._wake.set()

    async def diagnose(self, number: int) -> Ticket:
        """Diagnose ticket ``number`` now. Raises ``NotFound``, ``Conflict`` if it is resolved, the agent's error."""
        self._due.pop(number, None)
        async with self._busy:
            return await self._diagnose(number)

    async def _diagnose(self, number: int) -> Ticket:
        ticket = self._tickets.begin_diagnosis(number)
        dossier = self._history.dossier(ticket, self._tickets.alike(ticket))
        try:
            reply = await self._ingest.request(WORKER, "diagnose", {"dossier": to_body(dossier)}, timeout_s=_TIMEOUT_S)
            diagnosis = from_body(Diagnosis, reply.get("diagnosis") or {})
        except OperatorError:
            self._tickets.give_up_diagnosis(number)
            raise
        updated = self._tickets.attach_diagnosis(number, diagnosis)
        self._broker.publish(AGENT_DIAGNOSIS, to_body(TicketDiagnosis(number, diagnosis)), source=WORKER)
        return updated

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            number = self._next(loop.time())
            if number is None:
                await self._sleep()
                continue
            del self._due[number]
            try:
                if self._tickets.get(number).diagnosis is None:
                    async with self._busy:
                        await self._diagnose(number)
                self._tries.pop(number, None)
            except (Conflict, NotFound):
                self._tries.pop(number, None)  # resolved before its turn came
            except OperatorError as error:
                self._retry(number, error, loop.time())

    def _retry(self, number: int, error: OperatorError, now: float) -> None:
        tries = self._tries[number] = self._tries.get(number, 0) + 1
        if tries > _MAX_TRIES:
            self._log(f"ticket {number} is left without a diagnosis: {error}")
            return
        if tries == 1:
            self._log(f"ticket {number} is not diagnosed yet: {error}")
        self._due[number] = now + _RETRY_S * 2 ** (tries - 1)

    def _next(self, now: float) -> int | None:
        ripe = [number for number, due in self._due.items() if due <= now]
        if not ripe:
            return None
        return min(ripe, key=lambda number: (_SEVERITY_ORDER.get(self._severities.get(number, ""), 9), number))

    async def _sleep(self) -> None:
        self._wake.clear()
        soonest = min(self._due.values(), default=None)
        timeout_s = None if soonest is None else max(0.0, soonest - asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), timeout_s)
