"""The agent worker: answers ``diagnose``, one at a time, and thinks aloud while it does.

What the subject itself knows is asked for within a deadline and is a help, never a need: a diagnosis comes whether
the cluster answers or not.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from operator_protocol.errors import BadRequest, InternalError
from operator_protocol.models import AgentStep, Diagnosis, EvidenceItem
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import AGENT_STEP
from operatord.subjects.base import SubjectProbe, SubjectSpec
from operatord.tickets.dossier import Dossier
from operatord.workers.agent import report, steps
from operatord.workers.agent.citations import check_citations
from operatord.workers.agent.evidence import gather
from operatord.workers.agent.rules import weigh
from operatord.workers.agent.scene import set_scene
from operatord.workers.containers import tell_containers

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext

EVIDENCE_DEADLINE_S = 0.15
"""A rules diagnosis takes less than 0.3 s; a silent node uses this up, the others answer in a few milliseconds."""
_OVERRUN_S = 0.05
ACQUAINT_S = 5.0
"""A probe can tell that a process is gone or stopped only if it has met it alive."""


class Agent:
    """Diagnoses tickets."""

    def __init__(self, ctx: "WorkerContext", probe: SubjectProbe, subject: str) -> None:
        self._ctx = ctx
        self._probe = probe
        self._subject = subject
        self._turn = asyncio.Lock()

    async def diagnose(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Request ``diagnose``: ``{dossier}`` to ``{diagnosis}``."""
        body = args.get("dossier")
        if not isinstance(body, Mapping):
            raise BadRequest("diagnose needs a dossier")
        dossier = from_body(Dossier, body)
        async with self._turn:
            return {"diagnosis": to_body(await self._by_rules(dossier))}

    async def meet(self) -> None:
        """Look at the subject now and then, so that the probe knows whom it will be asked about."""
        while True:
            async with self._turn:
                with contextlib.suppress(Exception):  # what is wrong with the subject is the monitor's to say
                    async with asyncio.timeout(1.0):
                        await self._probe.observe(0.4)
            await asyncio.sleep(ACQUAINT_S)

    async def _by_rules(self, dossier: Dossier) -> Diagnosis:
        ticket = dossier.ticket.id
        facts = await self._ask_subject(ticket, set_scene(dossier).focus.node)
        bundle = gather(dossier, facts)
        for step in steps.opening(ticket, bundle):
            self._tell(step)
        verdict = weigh(bundle)
        for step in steps.weighing(ticket, verdict):
            self._tell(step)
        diagnosis = report.write(bundle, verdict)
        check = check_citations(diagnosis)
        if not check.sound:
            raise InternalError(f"the rules cited what is not there: {check}")
        for step in steps.closing(ticket, diagnosis):
            self._tell(step)
        return diagnosis

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
    agent = Agent(ctx, probe, spec.name)
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
        await probe.close()
