"""What each decision makes of an action: values in, values out."""

from collections.abc import Mapping
from dataclasses import replace

from operator_protocol.errors import Conflict
from operator_protocol.models import Action, ActionKind, Scalar
from operatord.actions.register import describe

_INTERRUPTED = "the daemon ended while it ran: whether it was done is not known, and it is not done again"
_LEFT = "an earlier run of the daemon left it undone; it is not taken up again"
_REJECTED = "rejected by"
"""How the result of what a person declined begins; what the kill switch stopped was declined by nobody."""


def ordered(
    kind: ActionKind,
    target: str,
    params: Mapping[str, Scalar],
    *,
    ticket: int | None,
    by: str,
    now: float,
    expires_at: float,
) -> Action:
    """What a person asks for; its id is for the store to give."""
    return Action(
        id=0,
        ticket=ticket,
        kind=kind.name,
        target=target,
        status="proposed",
        params=params,
        risk=kind.risk,
        reason="ordered by hand",
        proposed_by=by,
        proposed_at=now,
        expires_at=expires_at,
        verify_within=kind.verify_within if ticket is not None else None,
    )


def approved(action: Action, by: str, now: float, expires_at: float) -> Action:
    """It may begin, until ``expires_at``."""
    return replace(action, status="approved", decided_by=by, decided_at=now, expires_at=expires_at)


def rejected(action: Action, by: str, why: str, now: float) -> Action:
    """A person said no."""
    result = f"{_REJECTED} {by or 'somebody'}" + (f": {why}" if why else "")
    return replace(action, status="rejected", decided_by=by, decided_at=now, result=result, expires_at=None)


def was_declined(action: Action) -> bool:
    """Whether it was a person who rejected it."""
    return action.status == "rejected" and action.result.startswith(_REJECTED)


def expired(action: Action, why: str) -> Action:
    """Nobody will do it any more."""
    return replace(action, status="expired", result=why, expires_at=None)


def settled(action: Action, now: float) -> Action:
    """What becomes of one that an earlier run of the daemon left: what ran has failed, what waited is expired."""
    if action.status == "running":
        return replace(action, status="failed", result=_INTERRUPTED, finished_at=now, expires_at=None)
    return expired(action, _LEFT)


def too_late(action: Action) -> Conflict:
    """Why nothing can be decided about it any more, and what can be done instead."""
    why = f": {action.result}" if action.result else ""
    again = f"diagnose {action.ticket}" if action.ticket is not None else f"act {action.kind} {action.target}"
    over = action.status in ("expired", "rejected", "failed")
    verb = "has" if action.status in ("succeeded", "failed") else "is"
    return Conflict(
        f"{describe(action)} {verb} {action.status} already{why}",
        f"for a new one: operatorctl {again}" if over else f"see: operatorctl action {action.id}",
    )
