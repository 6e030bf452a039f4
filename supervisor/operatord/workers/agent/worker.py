"""The agent worker: answers ``diagnose``, one at a time, and thinks aloud while it does.

What the subject itself knows is asked for within a deadline and is a help, never a need: a diagnosis comes whether
the cluster answers or not.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from operator_protocol.errors import BadRequest, InternalError
from operator_protocol.models import AgentStep, Diagnosis, EvidenceItem
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import AGENT_STEP
from operatord.subjects.base import Observation, SubjectProbe, SubjectSpec
from operatord.tickets.dossier import Dossier
from operatord.workers.agent import steps
from operatord.workers.agent.answer import report
from operatord.workers.agent.answer.citations import check_citations
from operatord.workers.agent.answer.hands import for_these_hands
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.bundle.gathering import gather
from operatord.workers.agent.bundle.scene import set_scene
from operatord.workers.agent.diagnosers import Asking, with_reason
from operatord.workers.agent.rules.weighing import weigh
from operatord.workers.agent.settings import AgentSettings
from operatord.workers.containers import tell_containers

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext

EVIDENCE_DEADLINE_S = 0.15
"""A rules diagnosis takes less than 0.3 s; a silent node uses this up, the others answer in a few milliseconds."""
_OVERRUN_S = 0.05
_MEET_S = 0.4
ACQUAINT_S = 5.0
"""A probe can tell that a process is gone or stopped only if it has met it alive."""


class Agent:
    """Diagnoses tickets."""

    def __init__(
        self, ctx: "WorkerContext", probe: SubjectProbe, subject: str, settings: AgentSettings | None = None
    ) -> None:
        self._ctx = ctx
        self._probe = probe
        self._subject = subject
        self._settings = settings or AgentSettings(diagnoser="rules")
        self._asking = Asking(self._settings)
        self._turn = asyncio.Lock()
        self._look: asyncio.Future[Observation] | None = None
        self._asked = 0

    async def diagnose(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Request ``diagnose``: ``{dossier, by_rules, at_once, by_hand}`` to ``{diagnosis, bundle, retry_after_s}``.

        ``at_once``: of a ticket that was opened just now. The diagnosis is then a preliminary one of the rules.
        """
        body = args.get("dossier")
        if not isinstance(body, Mapping):
            raise BadRequest("diagnose needs a dossier")
        dossier = from_body(Dossier, body)
        at_once = args.get("at_once") is True
        self._asked += 1
        if self._look is not None:
            self._look.cancel()  # a silent node would hold up the answer for as long as that look may take
        try:
            async with self._turn:
                bundle, diagnosis = await self._by_rules(dossier, at_once=at_once)
        finally:
            self._asked -= 1
        # Without the turn: this may take as long as a person would, and the probe must go on meeting its servers.
        retry_after_s = None
        if not at_once and args.get("by_rules") is not True:
            diagnosis, bundle, retry_after_s = await self._by_model(dossier, bundle, diagnosis)
        hands = args.get("by_hand")
        if isinstance(hands, Mapping):
            diagnosis = for_these_hands(diagnosis, bundle.ticket, {str(kind): str(why) for kind, why in hands.items()})
        for step in steps.closing(dossier.ticket.id, diagnosis):
            self._tell(step)
        return {"diagnosis": to_body(diagnosis), "bundle": bundle.export(), "retry_after_s": retry_after_s}

    async def close(self) -> None:
        """Give the connections back."""
        await self._asking.close()

    async def meet(self) -> None:
        """Look at the subject now and then, so that the probe knows whom it will be asked about."""
        while True:
            async with self._turn:
                if self._asked:
                    continue  # whoever asks waits for this turn; the next one will be ours
                self._look = asyncio.ensure_future(self._probe.observe(_MEET_S))
                try:
                    # What is wrong with the subject is the monitor's to say.
                    await asyncio.wait({self._look}, timeout=2 * _MEET_S)
                finally:
                    self._look.cancel()
                    await asyncio.gather(self._look, return_exceptions=True)
            await asyncio.sleep(ACQUAINT_S)

    async def _by_rules(self, dossier: Dossier, *, at_once: bool) -> tuple[Bundle, Diagnosis]:
        ticket = dossier.ticket.id
        facts = await self._ask_subject(ticket, set_scene(dossier).focus.node)
        bundle = gather(dossier, facts)
        verdict = weigh(bundle)
        first = dossier.ticket.diagnosis
        diagnosis = report.write(bundle, verdict, preliminary=at_once)
        if first is not None and first.preliminary:
            self._tell(steps.looked_again(ticket, bundle, first, diagnosis))
        if first is None or not first.preliminary or not steps.stands(first, diagnosis):
            for step in (*steps.opening(ticket, bundle), *steps.weighing(ticket, verdict)):
                self._tell(step)
        check = check_citations(diagnosis)
        if not check.sound:
            raise InternalError(f"the rules cited what is not there: {check}")
        return bundle, diagnosis

    async def _by_model(
        self, dossier: Dossier, bundle: Bundle, of_rules: Diagnosis
    ) -> tuple[Diagnosis, Bundle, float | None]:
        """Its diagnosis if there is one, else that of the rules with the reason; and when to ask again."""
        if not self._asking.is_wanted:
            return of_rules, bundle, None
        opinion = await self._asking.ask(dossier, bundle, self._probe, self._tell)
        if opinion.diagnosis is not None:
            return opinion.diagnosis, opinion.bundle, None
        reason = opinion.reason.text if opinion.reason is not None else ""
        self._tell(steps.fallen_back(dossier.ticket.id, self._settings.model, reason))
        return with_reason(of_rules, bundle, opinion, self._settings.model), bundle, opinion.retry_after_s

    async def _ask_subject(self, ticket: int, node: str | None) -> list[EvidenceItem]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(EVIDENCE_DEADLINE_S + _OVERRUN_S):
                facts = await self._probe.evidence(node, EVIDENCE_DEADLINE_S)
        except TimeoutError:
            self._tell(steps.not_answered(ticket, self._subject, "no answer in time"))
            return []
        except Exception as error:
            self._tell(steps.not_answered(ticket, self._subject, f"{type(error).__name__}: {error}"))
            return []
        self._tell(steps.asked(ticket, self._subject, node, len(facts), time.monotonic() - began))
        return facts

    def _tell(self, step: AgentStep) -> None:
        self._ctx.publish(AGENT_STEP, to_body(step))


async def main(ctx: "WorkerContext") -> None:
    """Entry of the worker: ``configure`` brings ``{subject}``; a later one takes the place of the former."""
    configuration: Mapping[str, Any] = await ctx.configured()
    later: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    ctx.on_configure(later.put_nowait)
    while True:
        configuration = await _serve(ctx, configuration, later)


async def _serve(
    ctx: "WorkerContext", configuration: Mapping[str, Any], later: "asyncio.Queue[Mapping[str, Any]]"
) -> Mapping[str, Any]:
    """Serve what one configuration names; returns the next one."""
    from operatord.subjects.registry import make_probe  # a subject's client library, wanted only here

    spec = from_body(SubjectSpec, configuration["subject"])
    probe = make_probe(spec)
    agent = Agent(ctx, probe, spec.name, from_body(AgentSettings, configuration.get("agent") or {"diagnoser": "rules"}))
    meeting = asyncio.create_task(agent.meet())
    try:

        async def containers(args: Mapping[str, Any]) -> Mapping[str, Any]:
            tell_containers(probe, args)
            return {}

        ctx.handle("diagnose", agent.diagnose)
        ctx.handle("containers", containers)
        ctx.ready()
        return await later.get()
    finally:
        meeting.cancel()
        await asyncio.gather(meeting, return_exceptions=True)
        await agent.close()
        await probe.close()
