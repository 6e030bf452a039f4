"""One investigation: questions and answers until Claude has a diagnosis or a budget is used up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from operator_protocol.models import AgentStep
from operatord.clock import Clock
from operatord.tickets.dossier import Dossier
from operatord.workers.agent import steps
from operatord.workers.agent.bundle.findings import Bundle
from operatord.workers.agent.claude import prompt
from operatord.workers.agent.claude.budget import Budget
from operatord.workers.agent.claude.failure import GaveUp, Reason
from operatord.workers.agent.claude.gateway import Gateway, Reply, ToolCall
from operatord.workers.agent.claude.output import DiagnosisOutput, Unfit, read
from operatord.workers.agent.claude.spending import Ledger, Usage
from operatord.workers.agent.claude.tools import DEFINITIONS, Facts, Toolbox, Unanswerable
from operatord.workers.agent.settings import AgentSettings

_CHARS_A_TOKEN = 3
"""Fewer than any language has on average: what is booked must not be too little."""
_OTHER_ENDS: Mapping[str, str] = {
    "max_tokens": "the answer was cut off at its largest size (max_answer_tokens in [agent])",
    "refusal": "the model refused to answer",
    "model_context_window_exceeded": "the conversation became too long for the model",
}

Tell = Callable[[AgentStep], None]


@dataclass(frozen=True, slots=True)
class Found:
    """The answer, and the evidence with all that was looked up for it."""

    output: DiagnosisOutput
    bundle: Bundle


class Investigation:
    """The conversation about one ticket."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        gateway: Gateway,
        toolbox: Toolbox,
        ledger: Ledger,
        tell: Tell,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._toolbox = toolbox
        self._ledger = ledger
        self._tell = tell
        self.budget = Budget(settings, clock)

    async def run(self, dossier: Dossier, bundle: Bundle, output: dict[str, Any], actions: Mapping[str, str]) -> Found:
        """Ask until there is an answer. Raises ``GaveUp``."""
        ticket = bundle.ticket.id
        system, messages = prompt.system(actions), [prompt.opening(dossier, bundle)]
        while True:
            if spent := self.budget.exceeded():
                raise GaveUp(Reason("spent", f"a budget of the ticket is used up: {spent}"))
            final = self.budget.must_answer()
            if final:
                messages[-1] = {**messages[-1], "content": [*messages[-1]["content"], prompt.last_word(final)]}
                self._tell(steps.thought(ticket, f"time to answer: {final}"))
            reply = await self._ask(system, messages, output, final=bool(final))
            for thought in reply.thoughts:
                self._tell(steps.thought(ticket, thought))
            if reply.stop_reason in _OTHER_ENDS:
                raise GaveUp(Reason("unfit", _OTHER_ENDS[reply.stop_reason]))
            if not reply.calls and reply.stop_reason != "pause_turn":
                return Found(_answer(reply), bundle)
            if final:
                raise GaveUp(Reason("spent", f"it asked on when it had to answer ({final})"))
            messages.append({"role": "assistant", "content": reply.content})
            if reply.calls:
                results = []
                for call in reply.calls:
                    result, bundle = await self._look_up(call, bundle)
                    results.append(result)
                messages.append({"role": "user", "content": results})
            else:
                messages.append({"role": "user", "content": [{"type": "text", "text": "Go on."}]})

    async def _ask(self, system: list[Any], messages: list[Any], output: dict[str, Any], *, final: bool) -> Reply:
        settings, budget = self._settings, self.budget
        size = sum(len(str(part)) for part in (*system, *messages, *DEFINITIONS, output)) // _CHARS_A_TOKEN
        most = Usage(output=settings.max_answer_tokens, cache_write=size).cost(settings.prices)
        if self._ledger.is_spent(most):
            raise GaveUp(
                Reason(
                    "spent",
                    f"today's ceiling: {self._ledger.spent_usd:.2f} of {settings.daily_ceiling_usd:.2f} USD are spent "
                    "(daily_ceiling_usd in [agent])",
                )
            )
        settle = self._ledger.book(most)
        budget.calls += 1
        try:
            reply = await self._gateway.send(system, messages, DEFINITIONS, output, final=final)
        except GaveUp as error:
            # What was cut off, here or by the deadline of the ticket, may be charged, and how much is not known: its
            # booking stays. What was refused is not.
            if not error.may_be_charged:
                settle(0.0, 0)
            raise
        settle(reply.usage.cost(settings.prices), reply.usage.total)
        budget.usage += reply.usage
        return reply

    async def _look_up(self, call: ToolCall, bundle: Bundle) -> tuple[dict[str, Any], Bundle]:
        ticket = bundle.ticket.id
        asked = ", ".join(f"{name} {value}" for name, value in call.args.items())
        if self.budget.is_repeat(call.name, call.args):
            self._tell(steps.tool(ticket, f"{call.name}: {asked}: asked before"))
            lines = ["You asked this before; its answer is in the evidence above. Ask something else, or answer."]
            return prompt.tool_result(call.id, lines, is_error=True), bundle
        try:
            facts: Facts = await self._toolbox.run(call.name, call.args)
        except Unanswerable as error:
            self._tell(steps.tool(ticket, f"{call.name}: {asked}: {error}"))
            return prompt.tool_result(call.id, [str(error)], is_error=True), bundle
        richer = bundle.looked_up(facts.kind, facts.lines, facts.node)
        added = richer.items()[len(bundle.findings) :]
        self._tell(steps.tool(ticket, f"{call.name}: {asked}: {len(added)} facts"))
        lines = prompt.evidence(added) or ["There is no room for more evidence. Answer now."]
        return prompt.tool_result(call.id, lines), richer


def _answer(reply: Reply) -> DiagnosisOutput:
    try:
        return read(reply.text)
    except Unfit as error:
        raise GaveUp(Reason("unfit", f"the answer is no diagnosis: {error}")) from error
