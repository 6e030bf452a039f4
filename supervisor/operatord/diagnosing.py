"""From an opened ticket to its diagnosis: what the daemon hands to the agent, and when.

A ticket is looked at twice. At once by the rules, whose answer is preliminary, however sure they are; and again when
the evidence around its onset had time to come in, the most severe ticket first. The dossier is built from the bus
without ``fault.*`` and ``demo.*``: the agent is never told what was injected.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operator_protocol.models import Diagnosis, Ticket, TicketDiagnosis
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import AGENT_DIAGNOSIS
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.options import DaemonOptions
from operatord.subjects.base import Acting, SubjectControl
from operatord.tickets.desk import TicketDesk
from operatord.tickets.history import History
from operatord.workers.agent.settings import AgentSettings, Prices

WORKER = "agent"
LEDGER = "agent-spending.json"
"""In the state directory: what was spent today."""
_SPARE_S = 30.0
"""For the rules, on a host that is out of breath, besides what the model may take."""
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
        deadline_s: float = 60.0,
        log: Callable[[str], None],
        by_hand: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._ingest = ingest
        self._broker = broker
        self._tickets = tickets
        self._history = history
        self._settle_s = settle_s
        self._timeout_s = deadline_s + _SPARE_S
        self._log = log
        self._by_hand = by_hand
        """What may not be executed here, and why: it is recommended to a person."""
        self._due: dict[int, float] = {}
        self._first_looks: dict[int, float] = {}
        """Tickets that nobody has looked at yet, and when to look again."""
        self._severities: dict[int, str] = {}
        self._tries: dict[int, int] = {}
        self._second_opinions: dict[int, int] = {}
        """Tickets that the rules answered because the model could not, and how often it was asked since."""
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
        """Have ``ticket`` looked at now, and diagnosed once its evidence had time to come in."""
        now = asyncio.get_running_loop().time()
        self._due[ticket.id] = now
        if self._settle_s > 0:
            self._first_looks[ticket.id] = now + self._settle_s
        self._severities[ticket.id] = ticket.severity
        self._wake.set()

    async def diagnose(self, number: int) -> Ticket:
        """Diagnose ticket ``number`` now. Raises ``NotFound``, ``Conflict`` if it is resolved, the agent's error."""
        self._due.pop(number, None)
        self._first_looks.pop(number, None)
        async with self._busy:
            return await self._diagnose(number)

    async def _look_at_once(self, number: int) -> None:
        """Attach what the rules can tell already. Whatever comes in the way: it is looked at again soon."""
        ticket = self._tickets.get(number)
        if ticket.status != "open" or ticket.diagnosis is not None:
            return
        dossier = self._history.dossier(ticket, self._tickets.alike(ticket))
        args = {"dossier": to_body(dossier), "by_rules": True, "at_once": True, "by_hand": dict(self._by_hand())}
        reply = await self._ingest.request(WORKER, "diagnose", args, timeout_s=self._timeout_s)
        if reply.get("diagnosis") is not None and self._tickets.get(number).status == "open":
            self._attach(number, from_body(Diagnosis, reply["diagnosis"]), reply.get("bundle"))

    def _attach(self, number: int, diagnosis: Diagnosis, evidence: Any) -> Ticket:
        updated = self._tickets.attach_diagnosis(number, diagnosis)
        self._keep_evidence(number, evidence)
        self._broker.publish(AGENT_DIAGNOSIS, to_body(TicketDiagnosis(number, diagnosis)), source=WORKER)
        return updated

    async def _diagnose(self, number: int, *, again: bool = False, late: bool = False) -> Ticket:
        """``again``: the rules have answered, and only an answer of the model is news. ``late``: it is resolved."""
        ticket = self._tickets.get(number)
        if not late:
            ticket = self._tickets.begin_diagnosis(number)
        dossier = self._history.dossier(ticket, self._tickets.alike(ticket))
        try:
            args = {"dossier": to_body(dossier), "by_rules": late, "by_hand": dict(self._by_hand())}
            reply = await self._ingest.request(WORKER, "diagnose", args, timeout_s=self._timeout_s)
            diagnosis = from_body(Diagnosis, reply.get("diagnosis") or {})
        except OperatorError:
            self._tickets.give_up_diagnosis(number)
            raise
        could_not = self._ask_again_later(number, reply.get("retry_after_s"))
        if again and could_not:
            return self._tickets.give_up_diagnosis(number)
        return self._attach(number, diagnosis, reply.get("bundle"))

    def _keep_evidence(self, number: int, bundle: Any) -> None:
        """All that was known, beyond what the diagnosis shows of it."""
        if isinstance(bundle, dict):
            with contextlib.suppress(Unavailable):  # the diagnosis is on disk already, and carries its evidence
                self._tickets.say(number, "evidence", bundle, who=WORKER)

    def _ask_again_later(self, number: int, retry_after_s: Any) -> bool:
        """True when the rules answered for a model that could not and may later: then it is asked again."""
        if not isinstance(retry_after_s, int | float):
            self._second_opinions.pop(number, None)
            return False
        tried = self._second_opinions[number] = self._second_opinions.get(number, 0) + 1
        if tried <= _MAX_TRIES:
            # Spread, so that what waited for the API does not come back to it in one moment.
            self._due[number] = asyncio.get_running_loop().time() + retry_after_s + 0.1 * (number % 10)
            self._wake.set()
        return True

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            number = self._next(loop.time())
            if number is None:
                await self._sleep()
                continue
            del self._due[number]
            again_at = self._first_looks.pop(number, None)
            try:
                if again_at is not None:
                    self._due[number] = again_at
                    async with self._busy:
                        await self._look_at_once(number)
                    continue
                ticket = self._tickets.get(number)
                if self._is_wanted(ticket):
                    async with self._busy:
                        # What was over before its turn came is still told, but not at a price.
                        late = ticket.status == "resolved"
                        await self._diagnose(number, again=is_answered(ticket), late=late)
                self._tries.pop(number, None)
            except (Conflict, NotFound):
                self._forget(number)  # gone, or resolved while it waited for a second opinion
            except OperatorError as error:
                if again_at is None:  # else it is looked at again anyhow
                    self._retry(number, error, loop.time())

    def _is_wanted(self, ticket: Ticket) -> bool:
        if not is_answered(ticket):
            return True
        # A second opinion on what somebody is at already, or has taken over, would only confuse.
        return ticket.id in self._second_opinions and ticket.status == "diagnosed"

    def _forget(self, number: int) -> None:
        self._tries.pop(number, None)
        self._second_opinions.pop(number, None)
        self._severities.pop(number, None)

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


def is_answered(ticket: Ticket) -> bool:
    """Whether it has a diagnosis, and not only a preliminary one."""
    return ticket.diagnosis is not None and not ticket.diagnosis.preliminary


def agent_settings(options: DaemonOptions, subject: SubjectControl) -> AgentSettings:
    """What the agent worker is configured with; the key is not among it, that is in its environment or in a file."""
    section = options.config.agent
    return AgentSettings(
        diagnoser=section.diagnoser,
        model=section.model,
        effort=section.effort,
        base_url=section.base_url,
        key_file=section.key_file,
        deadline_s=section.deadline_s,
        call_timeout_s=section.call_timeout_s,
        tool_timeout_s=section.tool_timeout_s,
        max_calls=section.max_calls,
        max_tokens=section.max_tokens,
        max_answer_tokens=section.max_answer_tokens,
        daily_ceiling_usd=section.daily_ceiling_usd,
        prices=Prices(section.price_input, section.price_output, section.price_cache_read, section.price_cache_write),
        redact_addresses=section.redact_addresses,
        backoff_s=section.backoff_s,
        ledger=str(options.state_dir / LEDGER),
        actions={name: kind.risk for name, kind in subject.actions().items()} if isinstance(subject, Acting) else {},
    )
