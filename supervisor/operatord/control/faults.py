"""Commands on faults: ``faults, fault, recover``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.models import Scalar
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command, NoArgs
from operatord.durations import parse_duration


@dataclass(frozen=True, slots=True)
class FaultArgs:
    """What to break. ``countdown`` in seconds; ``for`` a duration after which it is undone by itself."""

    kind: str = "kill"
    target: str | None = None
    countdown: float | None = None
    duration: str | float | int | None = field(default=None, metadata={"wire": "for"})
    force: bool = False
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """Of the kind, by name; the catalogue knows their types, units and ranges."""


@dataclass(frozen=True, slots=True)
class CheckArgs:
    """What one thinks of breaking."""

    kind: str = "kill"
    target: str | None = None
    force: bool = False
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """As those of ``fault``."""


@dataclass(frozen=True, slots=True)
class RecoverArgs:
    """Which fault to undo; all that is owed when there is no id."""

    id: str | None = None


async def faults(context: Context, _: NoArgs) -> Body:
    """The catalogue, and what is owed."""
    return {
        "kinds": [to_body(kind) for kind in context.subject.faults().values()],
        "owed": [to_body(fault) for fault in context.faults.owed()],
    }


async def fault(context: Context, args: FaultArgs) -> Body:
    """Count down, inject, and answer when the fault is in force."""
    injected = await context.faults.inject(
        args.kind,
        args.target or context.subject.default_fault_role,
        countdown_s=context.config.faults.countdown_s if args.countdown is None else args.countdown,
        for_s=None if args.duration is None else parse_duration(args.duration),
        force=args.force,
        params=args.params,
    )
    return {"fault": to_body(injected)}


async def check(context: Context, args: CheckArgs) -> Body:
    """What ``fault`` would be answered now, node by node; nothing is done and nobody is told."""
    answers = await context.faults.check(args.kind, args.target, args.force, params=args.params)
    return {"answers": [to_body(answer) for answer in answers], "default_role": context.subject.default_fault_role}


async def recover(context: Context, args: RecoverArgs) -> Body:
    """Undo what is owed and answer when the recovery is verified."""
    if context.faults.owed():
        context.launch.require_up("what is owed cannot be undone")
    recovered = await context.faults.recover(args.id)
    done = ", ".join(
        f"{'recovered' if one.state == 'recovered' else 'stopped the countdown of'} {one.kind} on {one.target}"
        for one in recovered
    )
    return {
        "recovered": [to_body(one) for one in recovered],
        "message": done or "nothing is owed: no fault is in force",
    }


COMMANDS: tuple[Command[Any], ...] = (
    Command("faults", NoArgs, faults, reads=True),
    Command("fault", FaultArgs, fault, long=True),
    Command("fault.check", CheckArgs, check, reads=True),
    Command("recover", RecoverArgs, recover, long=True),
)
