"""Commands on processes: ``restart, stop, shutdown``."""

from dataclasses import dataclass
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import STOPPED_BY_COMMAND, ProcessState
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command, NoArgs
from operatord.launching import CLUSTER


@dataclass(frozen=True, slots=True)
class NameArgs:
    """A process by name."""

    name: str


def _find(context: Context, name: str) -> ProcessState:
    known = {process.name: process for process in context.processes.states()}
    if name not in known:
        raise NotFound(f"no process {name!r}", f"there are {', '.join(sorted(known))}")
    return known[name]


async def _restart_what_is_no_process(context: Context, name: str) -> str:
    """The cluster whose start failed, or a node that is no process of ours; empty when it is neither."""
    if name == CLUSTER:
        await context.launch.again()
        return f"the {context.subject.name} cluster is started"
    processes = {process.name for process in context.processes.states()}
    if name in processes or name not in {member.id for member in context.subject.spec.members}:
        return ""
    await context.subject.revive(name)
    return f"{name} is started"


async def restart(context: Context, args: NameArgs) -> Body:
    """Restart a process; a server of the subject that is down is brought back (it never is by itself).

    ``cluster`` is started again after a start that failed.
    What does the work of a fault is not started: nobody would owe what it does.
    """
    if done := await _restart_what_is_no_process(context, args.name):
        return {"process": None, "message": done}
    process = _find(context, args.name)
    if process.kind == "tool":
        raise Conflict(f"{process.name} belongs to a fault, and is started by that alone", "see: operatorctl faults")
    context.declared.take_over(args.name)
    if process.kind == "server":
        if process.state == "ready":
            await context.processes.stop(args.name)
        await context.subject.revive(args.name)
    else:
        await context.processes.restart(args.name)
    return {"process": to_body(_find(context, args.name))}


async def stop(context: Context, args: NameArgs) -> Body:
    """Stop a process; it stays stopped until ``restart``, and its state says that it was asked for."""
    _find(context, args.name)
    context.declared.take_over(args.name)
    return {"process": to_body(await context.processes.stop(args.name, STOPPED_BY_COMMAND))}


async def shutdown(context: Context, _: NoArgs) -> Body:
    """Stop the daemon in good order."""
    context.shutdown("asked to by a client")
    return {}


COMMANDS: tuple[Command[Any], ...] = (
    Command("restart", NameArgs, restart, long=True),
    Command("stop", NameArgs, stop, long=True),
    Command("shutdown", NoArgs, shutdown),
)
