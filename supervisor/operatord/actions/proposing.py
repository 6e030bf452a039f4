"""From the recommendations of a diagnosis to proposals."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from operator_protocol.errors import OperatorError
from operator_protocol.models import Action, ActionKind, Recommendation, Ticket
from operatord.actions.execution import Execution, Means, on_purpose
from operatord.actions.policy import Policy
from operatord.actions.register import Entry, Outlets

_MAX_REASON_CHARS = 500


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms things are proposed."""

    policy: Policy
    expires_s: float
    """How long a proposal waits for a decision, and an approval for its turn."""


class Proposer:
    """Reads diagnoses. ``approve`` is called for what the policy lets run at once."""

    def __init__(
        self,
        means: Means,
        execution: Execution,
        outlets: Outlets,
        terms: Terms,
        approve: Callable[[Entry, str], None],
    ) -> None:
        self._means = means
        self._execution = execution
        self._outlets = outlets
        self._terms = terms
        self._approve = approve
        self._turn = asyncio.Lock()
        self._declined: set[tuple[int | None, str, str]] = set()

    def declined(self, action: Action) -> None:
        """A person said no: for that ticket it is not proposed again."""
        self._declined.add((action.ticket, action.kind, action.target))

    async def consider(self, number: int, *, may_execute: bool) -> list[Action]:
        """Make proposals of what the diagnosis of a ticket recommends; returns them.

        A preliminary diagnosis is not acted upon. Advice to a person, what is pending already, what a person declined,
        and what could not be done now are passed over. On each target the first is run at once if the policy allows
        its risk; those that follow are for the case that it does not help, and that is for a person to say. So is
        whatever is to be done to a server that somebody stopped by command.
        """
        async with self._turn:
            policy, register = self._terms.policy, self._means.register
            ticket = self._means.tickets.get(number)
            if ticket.status in ("resolved", "held") or ticket.diagnosis is None or ticket.diagnosis.preliminary:
                return []
            if policy.observes or self._means.switch.off:
                return []
            made: list[Action] = []
            taken: set[str] = set()
            # What a person has been asked to look at is not acted upon behind that person's back.
            alone = may_execute and ticket.status != "escalated"
            for recommendation in ticket.diagnosis.actions:
                target = recommendation.target
                unasked = alone and not self._means.kept_down(target)
                entry = await self._propose(ticket, recommendation)
                if entry is not None:
                    made.append(entry.action)
                    if unasked and target not in taken and policy.executes(entry.action.risk):
                        entry.by_policy = True
                        self._approve(entry, f"policy {policy}")
                if entry is not None or register.pending(recommendation.kind, target):
                    taken.add(target)
            return made

    async def _propose(self, ticket: Ticket, recommendation: Recommendation) -> Entry | None:
        means, kind, target = self._means, recommendation.kind, recommendation.target
        known = means.registry.kinds().get(kind)
        if known is None or (ticket.id, kind, target) in self._declined or means.register.pending(kind, target):
            return None
        proposal = self._proposal(ticket, recommendation, known)
        try:
            proposal = replace(proposal, params=means.registry.complete(kind, recommendation.params))
            await self._execution.check(proposal)
            if means.switch.off:
                return None
            return means.register.add(proposal, means.clock() + self._terms.expires_s)
        except OperatorError as error:
            self._outlets.log(f"{kind} {target} is not proposed for ticket {ticket.id}: {error.message}")
            self._outlets.audit(
                {
                    "event": "action",
                    "what": "not proposed",
                    "kind": kind,
                    "target": target,
                    "ticket": ticket.id,
                    "actor": proposal.proposed_by,
                    "why": proposal.reason,
                    "result": error.message,
                }
            )
            return None

    def _proposal(self, ticket: Ticket, recommendation: Recommendation, kind: ActionKind) -> Action:
        diagnosis, now = ticket.diagnosis, self._means.wall()
        reason = diagnosis.summary if diagnosis else ""
        if self._means.kept_down(recommendation.target):
            reason = f"{on_purpose(recommendation.target)}; {reason}"
        return Action(
            id=0,
            ticket=ticket.id,
            kind=kind.name,
            target=recommendation.target,
            status="proposed",
            # The catalogue's, never the diagnosis's own: a model may call anything safe.
            risk=kind.risk,
            reason=reason[:_MAX_REASON_CHARS],
            proposed_by=diagnosis.source if diagnosis else "",
            proposed_at=now,
            expires_at=now + self._terms.expires_s,
            expected=recommendation.expected,
            verify_within=kind.verify_within,
        )
