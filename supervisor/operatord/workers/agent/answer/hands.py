"""Whose hands an action is for: what the daemon may not or cannot do here is recommended to a person, and says so."""

from collections.abc import Mapping
from dataclasses import replace

from operator_protocol.models import Diagnosis, Recommendation, Ticket
from operatord.workers.agent.answer.markdown import render

BY_HAND = "escalate"
"""What becomes of it: advice, which is never proposed, approved or executed."""


def for_these_hands(diagnosis: Diagnosis, ticket: Ticket, by_hand: Mapping[str, str]) -> Diagnosis:
    """``diagnosis`` with those actions handed to a person that ``by_hand`` names, see ``subjects.base.Restricted``."""
    actions = [_handed(one, by_hand) for one in diagnosis.actions]
    if actions == diagnosis.actions:
        return diagnosis
    told = replace(diagnosis, actions=actions)
    return replace(told, markdown=render(told, ticket))


def _handed(action: Recommendation, by_hand: Mapping[str, str]) -> Recommendation:
    params = "".join(f" {name}={value}" for name, value in sorted(action.params.items()) if value not in ("", None))
    reason = by_hand.get(action.kind + params, by_hand.get(action.kind, ""))
    if not reason or action.risk == "read":
        return action
    expected = f"a person does it by hand ({action.kind}{params}, {action.risk}), since {reason}; {action.expected}"
    return Recommendation(BY_HAND, action.target, {}, "read", expected, action.verify)
