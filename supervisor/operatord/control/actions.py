"""Commands on actions: ``actions, action, approve, reject, act, agent``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operator_protocol.models import ActionStatus, Scalar
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command

_MAX_LISTED = 1_000
_MAX_REASON_CHARS = 300


@dataclass(frozen=True, slots=True)
class ActionsArgs:
    """Which actions, newest first."""

    status: ActionStatus | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ActionArgs:
    """One action by number."""

    id: int


@dataclass(frozen=True, slots=True)
class RejectArgs:
    """Which action, and why not."""

    id: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActArgs:
    """What to do to what. With ``dry_run`` nothing is done. With ``ticket``, that its violation ends is verified."""

    kind: str
    target: str
    params: Mapping[str, Scalar] = field(default_factory=dict)
    ticket: int | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class AgentArgs:
    """The kill switch; ``reason`` is for whoever finds it thrown."""

    switch: Literal["on", "off", "show"] = "show"
    reason: str = ""


async def actions(context: Context, args: ActionsArgs) -> Body:
    """List actions, and the kinds there are."""
    if not 1 <= args.limit <= _MAX_LISTED:
        raise BadRequest(f"limit must be from 1 to {_MAX_LISTED}")
    found = context.actions.newest(args.status, args.limit)
    return {
        "actions": [to_body(action) for action in found],
        "kinds": [to_body(kind) for kind in context.actions.kinds()],
        "agent": to_body(context.actions.agent()),
    }


async def action(context: Context, args: ActionArgs) -> Body:
    """One action, and what it waits for."""
    return {"action": to_body(context.actions.get(args.id)), "waits_for": context.actions.waits_for(args.id)}


async def approve(context: Context, args: ActionArgs) -> Body:
    """Approve, and answer when the action is over and verified."""
    await context.actions.approve(args.id, context.caller)
    return {"action": to_body(await context.actions.finished(args.id))}


async def reject(context: Context, args: RejectArgs) -> Body:
    """Reject."""
    return {"action": to_body(context.actions.reject(args.id, context.caller, args.reason[:_MAX_REASON_CHARS]))}


async def act(context: Context, args: ActArgs) -> Body:
    """Do it by hand, and answer when it is over; or say what would be done."""
    if args.dry_run:
        would = await context.actions.rehearse(args.kind, args.target, args.params, args.ticket)
        return {"action": None, "would": would}
    ordered = await context.actions.act(args.kind, args.target, args.params, context.caller, args.ticket)
    return {"action": to_body(await context.actions.finished(ordered.id)), "would": ""}


async def agent(context: Context, args: AgentArgs) -> Body:
    """Throw the kill switch, or show how it stands."""
    if args.switch == "off":
        context.actions.turn_off(context.caller, " ".join(args.reason.split())[:_MAX_REASON_CHARS])
    elif args.switch == "on":
        context.actions.turn_on(context.caller)
    return {
        "agent": to_body(context.actions.agent()),
        "pending": [to_body(one) for one in context.actions.pending()],
    }


COMMANDS: tuple[Command[Any], ...] = (
    Command("actions", ActionsArgs, actions, reads=True),
    Command("action", ActionArgs, action, reads=True),
    Command("approve", ActionArgs, approve, long=True),
    Command("reject", RejectArgs, reject),
    Command("act", ActArgs, act, long=True),
    Command("agent", AgentArgs, agent),
)
