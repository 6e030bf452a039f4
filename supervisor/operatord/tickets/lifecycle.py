"""The life of a ticket as one table: status and event → next status, or why not.

A word that is a status is where the ticket goes; ``keep`` leaves it as it is, which is no error; what is absent is
refused, with a reason and a hint. What a person decided stays decided: nothing that the daemon or the agent does
takes a ticket out of ``held``, and nothing but the end of its trouble, or a person, takes one out of ``escalated``.
"""

from collections.abc import Mapping
from typing import Literal

from operator_protocol.errors import Conflict
from operator_protocol.models import TicketStatus

Event = Literal[
    "ended",  # its violation is over
    "diagnose",  # the agent takes it up
    "answered",  # the agent has an answer
    "act",  # an action begins
    "back_to_open",  # who was at it is done, and there is no diagnosis
    "back_to_diagnosed",  # who was at it is done, and there is one
    "failed",  # an action failed, or did not help
    "interrupted",  # the daemon that was at it died
    "escalate",
    "hold",
    "resolve",
    "reopen",
]
Step = TicketStatus | Literal["keep"]

_UNRESOLVED: Mapping[Event, Step] = {
    "ended": "resolved",
    "answered": "keep",
    "back_to_open": "keep",
    "back_to_diagnosed": "keep",
    "failed": "escalated",
    "interrupted": "keep",
    "escalate": "escalated",
    "hold": "held",
    "resolve": "resolved",
}
"""What holds for every status but ``resolved``, unless its own line says otherwise."""

TRANSITIONS: Mapping[TicketStatus, Mapping[Event, Step]] = {
    "open": {**_UNRESOLVED, "diagnose": "diagnosing", "answered": "diagnosed", "act": "acting", "reopen": "keep"},
    "diagnosing": {
        **_UNRESOLVED,
        "diagnose": "keep",
        "answered": "diagnosed",
        "act": "acting",
        "back_to_open": "open",
        "back_to_diagnosed": "diagnosed",
        "interrupted": "open",
    },
    "diagnosed": {**_UNRESOLVED, "diagnose": "diagnosing", "answered": "diagnosed", "act": "acting"},
    "acting": {
        **_UNRESOLVED,
        "diagnose": "keep",
        "act": "keep",
        "back_to_open": "open",
        "back_to_diagnosed": "diagnosed",
        "interrupted": "open",
    },
    "escalated": {**_UNRESOLVED, "diagnose": "keep", "act": "acting", "reopen": "open"},
    "held": {
        **_UNRESOLVED,
        "ended": "keep",
        "diagnose": "keep",
        "act": "keep",
        "failed": "keep",
        "escalate": "keep",
        "reopen": "open",
    },
    "resolved": {
        "ended": "keep",
        "answered": "keep",
        "back_to_open": "keep",
        "back_to_diagnosed": "keep",
        "failed": "keep",
        "interrupted": "keep",
        "resolve": "keep",
        "reopen": "open",
    },
}

_REFUSED: Mapping[Event, str] = {
    "diagnose": "only unresolved tickets are diagnosed; operatorctl reopen {id} takes it up again",
    "act": "operatorctl reopen {id} gives it back to the agent",
    "escalate": "operatorctl reopen {id} takes it up again",
    "hold": "operatorctl reopen {id} takes it up again, then hold it",
    "reopen": "it is being worked on; there is nothing to reopen",
}


def move(ticket_id: int, status: TicketStatus, event: Event) -> TicketStatus:
    """The status after ``event``. Raises ``Conflict`` for one that this status does not allow, with what would help."""
    step = TRANSITIONS[status].get(event)
    if step is None:
        raise Conflict(f"ticket {ticket_id} is {status}", _REFUSED.get(event, "").format(id=ticket_id))
    return status if step == "keep" else step
