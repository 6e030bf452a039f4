"""Claude as a diagnoser: within a deadline an answer, or a reason why there is none."""

import asyncio
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from operator_protocol.models import Diagnosis, Risk, Scalar
from operatord.clock import Clock
from operatord.subjects.base import SubjectProbe
from operatord.tickets.dossier import Dossier
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.claude import verdict
from operatord.workers.agent.claude.failure import GaveUp, Reason
from operatord.workers.agent.claude.gateway import Gateway
from operatord.workers.agent.claude.investigation import Found, Investigation, Tell
from operatord.workers.agent.claude.output import DiagnosisOutput
from operatord.workers.agent.claude.spending import Ledger
from operatord.workers.agent.claude.tools import Toolbox
from operatord.workers.agent.redaction import Redactor
from operatord.workers.agent.rules.books import book_of
from operatord.workers.agent.settings import AgentSettings


class Claude:
    """One per worker: the line to the API and the ledger of the day outlive a ticket."""

    def __init__(self, settings: AgentSettings, *, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        from anthropic import transform_schema  # this whole package is only imported when it is needed

        self._settings = settings
        self._clock = clock
        self.redactor = Redactor(addresses=settings.redact_addresses)
        self._gateway = Gateway(settings, self.redactor)
        self.ledger = Ledger(Path(settings.ledger) if settings.ledger else None, settings.daily_ceiling_usd, wall=wall)
        self._output: dict[str, Any] = {"type": "json_schema", "schema": transform_schema(DiagnosisOutput)}

    async def diagnose(
        self, dossier: Dossier, bundle: Bundle, probe: SubjectProbe, tell: Tell
    ) -> tuple[Diagnosis, Bundle]:
        """The diagnosis and the evidence that it cites. Raises ``GaveUp``."""
        settings = self._settings
        toolbox = Toolbox(dossier, bundle.onset_at, probe, settings.tool_timeout_s)
        catalogue = self._catalogue(bundle.subject)
        investigation = Investigation(
            settings, gateway=self._gateway, toolbox=toolbox, ledger=self.ledger, tell=tell, clock=self._clock
        )
        began = self._clock()
        try:
            try:
                async with asyncio.timeout(settings.deadline_s):
                    found = await investigation.run(dossier, bundle, self._output, catalogue)
            except TimeoutError:
                raise GaveUp(Reason("transient", f"no answer within {settings.deadline_s:g} s (deadline_s)")) from None
        except GaveUp as error:
            error.usage = self._usage(investigation, self._clock() - began)
            raise
        diagnosis = verdict.write(
            found.output,
            found.bundle,
            source=settings.model,
            usage=self._usage(investigation, self._clock() - began),
            catalogue=catalogue,
            targets=_targets(dossier, found),
        )
        return diagnosis, found.bundle

    async def close(self) -> None:
        """Give the connections back."""
        await self._gateway.close()

    def _catalogue(self, subject: str) -> dict[str, Risk]:
        told = {kind: risk for kind, risk in self._settings.actions.items() if kind not in book_of(subject).advice}
        risks: dict[str, Risk] = {"read": "read", "safe": "safe", "disruptive": "disruptive"}
        return {**book_of(subject).advice, **{kind: risks.get(risk, "destructive") for kind, risk in told.items()}}

    def _usage(self, investigation: Investigation, took_s: float) -> dict[str, Scalar]:
        used = investigation.budget.usage
        return {
            "calls": investigation.budget.calls,
            "input_tokens": used.input,
            "output_tokens": used.output,
            "cache_read_tokens": used.cache_read,
            "cache_write_tokens": used.cache_write,
            "cost_usd": round(used.cost(self._settings.prices), 6),
            "cost_today_usd": round(self.ledger.spent_usd, 6),
            "took_s": round(took_s, 3),
        }


def _targets(dossier: Dossier, found: Found) -> Collection[str]:
    """What an action may be about: the subject, its load, its nodes and groups as they were observed."""
    nodes = [node for health in dossier.health_history for node in health.nodes]
    return {found.bundle.subject, "workload", *(node.id for node in nodes), *(node.group for node in nodes)}
