"""Commands on tickets: ``tickets, ticket, diagnose``."""

from dataclasses import dataclass
from typing import Any

from operator_protocol.codec import Body
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.models import Ticket, TicketStatus
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command

_MAX_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class TicketsArgs:
    """Which tickets, newest first."""

    status: TicketStatus | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class TicketArgs:
    """One ticket by number."""

    id: int


@dataclass(frozen=True, slots=True)
class DiagnoseArgs:
    """The ticket to look into; the newest unresolved one when there is no number."""

    ticket: int | None = None


async def tickets(context: Context, args: TicketsArgs) -> Body:
    """List tickets."""
    if not 1 <= args.limit <= _MAX_LISTED:
        raise BadRequest(f"limit must be from 1 to {_MAX_LISTED}")
    found = context.tickets.list(status=args.status, limit=args.limit)
    return {"tickets": [to_body(ticket) for ticket in found]}


async def ticket(context: Context, args: TicketArgs) -> Body:
    """One ticket with its diagnosis."""
    return {"ticket": to_body(context.tickets.get(args.id))}


async def diagnose(context: Context, args: DiagnoseArgs) -> Body:
    """Diagnose (again) and answer with the ticket."""
    number = args.ticket if args.ticket is not None else _newest(context).id
    return {"ticket": to_body(await context.diagnosis.diagnose(number))}


def _newest(context: Context) -> Ticket:
    unresolved = context.broker.memory.state.tickets
    if not unresolved:
        raise NotFound("no ticket is open", "name one: operatorctl tickets lists them")
    return unresolved[max(unresolved)]


COMMANDS: tuple[Command[Any], ...] = (
    Command("tickets", TicketsArgs, tickets, reads=True),
    Command("ticket", TicketArgs, ticket, reads=True),
    Command("diagnose", DiagnoseArgs, diagnose, long=True),
)
