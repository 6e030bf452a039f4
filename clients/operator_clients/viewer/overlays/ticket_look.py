"""How a ticket and its actions look, in the list and in the detail alike."""

from collections.abc import Mapping
from typing import Final

from operator_clients.format import clean
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, WARN, Look
from operator_protocol.models import Action, ActionStatus, Scalar, TicketStatus
from operator_protocol.state import State

TICKET: Final[Mapping[TicketStatus, Look]] = {
    "open": Look("○", WARN, "open"),
    "diagnosing": Look("◐", INFO, "diagnosing"),
    "diagnosed": Look("◆", INFO, "diagnosed"),
    "acting": Look("►", FAULT, "acting"),
    "resolved": Look("✓", GOOD, "resolved"),
    "escalated": Look("!", BAD, "escalated"),
    "held": Look("=", WARN, "held"),
}
ACTION: Final[Mapping[ActionStatus, Look]] = {
    "proposed": Look("→", WARN, "waits for you"),
    "approved": Look("◐", INFO, "approved, waits for its turn"),
    "running": Look("►", INFO, "runs"),
    "succeeded": Look("✓", GOOD, "succeeded"),
    "failed": Look("✗", BAD, "failed"),
    "rejected": Look("✗", DIM, "rejected"),
    "expired": Look("○", DIM, "expired"),
}


def proposed(state: State, ticket: int) -> list[Action]:
    """What waits for a person to decide, the oldest first."""
    waiting = [one for one in state.actions.values() if one.ticket == ticket and one.status == "proposed"]
    return sorted(waiting, key=lambda one: one.id)


def named(action: Action) -> str:
    """``failover valkey-1, to valkey-4``."""
    params = "".join(f", {name} {_scalar(value)}" for name, value in action.params.items() if value not in (None, ""))
    return clean(f"{action.kind} {action.target}{params}")


def _scalar(value: Scalar) -> str:
    return "yes" if value is True else "no" if value is False else str(value)
