"""The command on the load: ``workload``."""

from dataclasses import dataclass
from typing import Any, Literal

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest
from operatord.control.context import Context
from operatord.control.registry import Command


@dataclass(frozen=True, slots=True)
class WorkloadArgs:
    """``rate`` in operations per second, for ``start`` and ``rate``."""

    action: Literal["start", "stop", "show", "rate"] = "show"
    rate: float | None = None


async def workload(context: Context, args: WorkloadArgs) -> Body:
    """Start, stop, show or pace the load; answers with its status."""
    if args.rate is not None and args.rate <= 0:
        raise BadRequest("the rate must be above 0 operations per second", "stop the load with: workload stop")
    if args.action == "start":
        context.launch.require_up("the load cannot be started")
        await context.load.start(args.rate)
    elif args.action == "stop":
        await context.load.stop()
    elif args.action == "rate":
        if args.rate is None:
            raise BadRequest("workload rate needs a rate in operations per second")
        await context.load.pace(args.rate)
    return context.load.status()


COMMANDS: tuple[Command[Any], ...] = (Command("workload", WorkloadArgs, workload, long=True),)
