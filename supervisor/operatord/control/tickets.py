"""Commands on tickets: ``tickets, ticket, export, hold, resolve, reopen, note, diagnose``."""

from dataclasses import dataclass
from typing import Any

from operator_protocol.codec import Body, pack
from operator_protocol.errors import BadRequest, NotFound
from operator_protocol.models import Ticket, TicketStatus
from operator_protocol.records import to_body
from operatord.control.context import Context
from operatord.control.registry import Command

_MAX_LISTED = 1_000
_MAX_EXPORTED = 100
_EXPORT_BYTES = 8 << 20
"""A page of an export that is larger ends there; a reply may have 64 MiB."""
_MAX_NOTE_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class TicketsArgs:
    """Which tickets, newest first."""

    status: TicketStatus | None = None
    limit: int = 50
    since: float | None = None
    before: int | None = None
    reopened: bool = False
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class TicketArgs:
    """One ticket by number."""

    id: int
    history: bool = False


@dataclass(frozen=True, slots=True)
class ExportArgs:
    """Which tickets, newest first, with everything that was said of them."""

    status: TicketStatus | None = None
    limit: int = 20
    since: float | None = None
    before: int | None = None
    reopened: bool = False


@dataclass(frozen=True, slots=True)
class MoveArgs:
    """A ticket, and why."""

    id: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class NoteArgs:
    """A ticket, and what to write on it."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class DiagnoseArgs:
    """The ticket to look into; the newest unresolved one when there is no number."""

    ticket: int | None = None


async def tickets(context: Context, args: TicketsArgs) -> Body:
    """List tickets."""
    limit = _limit(args.limit, _MAX_LISTED)
    desk = context.tickets
    which: dict[str, Any] = {"since": args.since, "before": args.before, "reopened": args.reopened}
    if args.everywhere:
        page = await desk.page_everywhere(args.status, limit, **which)
    else:
        page = desk.page(args.status, limit, **which)
    return {"tickets": [to_body(ticket) for ticket in page.tickets], "next": page.next}


async def ticket(context: Context, args: TicketArgs) -> Body:
    """One ticket with its diagnosis, and what was ever said of it."""
    if not args.history:
        pending = [to_body(action) for action in context.actions.pending() if action.ticket == args.id]
        return {"ticket": to_body(context.tickets.get(args.id)), "actions": pending}
    return to_body(context.tickets.record(args.id))


async def export(context: Context, args: ExportArgs) -> Body:
    """Tickets with their histories."""
    limit = _limit(args.limit, _MAX_EXPORTED)
    page = context.tickets.page(args.status, limit, since=args.since, before=args.before, reopened=args.reopened)
    records: list[Body] = []
    size = 0
    for listed in page.tickets:
        record = to_body(context.tickets.record(listed.id))
        size += len(pack(record))
        if records and size > _EXPORT_BYTES:
            return {"records": records, "next": page.tickets[len(records) - 1].id}
        records.append(record)
    return {"records": records, "next": page.next}


async def hold(context: Context, args: MoveArgs) -> Body:
    """A person keeps it."""
    return _answer(context.tickets.hold(args.id, _note(args.note), who=context.caller))


async def resolve(context: Context, args: MoveArgs) -> Body:
    """A person says that it is over."""
    moved = context.tickets.resolve(args.id, _note(args.note), who=context.caller)
    violations = context.broker.memory.state.violations.values()
    if any((one.invariant, one.node) == (moved.invariant, moved.node) for one in violations):
        told = "its violation is still open: nothing is opened for it again before that has ended"
        return {**_answer(moved), "message": told}
    return _answer(moved)


async def reopen(context: Context, args: MoveArgs) -> Body:
    """Take it up again: the agent looks at what has no diagnosis yet."""
    moved = context.tickets.reopen(args.id, _note(args.note), who=context.caller)
    context.diagnosis.opened(moved)
    return _answer(moved)


async def note(context: Context, args: NoteArgs) -> Body:
    """Write a line on it."""
    text = _note(args.text)
    if not text:
        raise BadRequest("a note has a text", "operatorctl note 7 'looked at the disk: it is fine'")
    return _answer(context.tickets.note(args.id, text, who=context.caller))


async def diagnose(context: Context, args: DiagnoseArgs) -> Body:
    """Diagnose (again) and answer with the ticket."""
    number = args.ticket if args.ticket is not None else _newest(context).id
    return _answer(await context.diagnosis.diagnose(number))


def _answer(ticket: Ticket) -> Body:
    return {"ticket": to_body(ticket)}


def _limit(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise BadRequest(f"limit must be from 1 to {most}")
    return limit


def _note(text: str) -> str:
    line = " ".join(text.split())
    if len(line) > _MAX_NOTE_CHARS:
        raise BadRequest(f"a note has at most {_MAX_NOTE_CHARS} characters, this one {len(line)}")
    return line


def _newest(context: Context) -> Ticket:
    unresolved = context.broker.memory.state.tickets
    if not unresolved:
        raise NotFound("no ticket is open", "name one: operatorctl tickets lists them")
    return unresolved[max(unresolved)]


COMMANDS: tuple[Command[Any], ...] = (
    Command("tickets", TicketsArgs, tickets, reads=True),
    Command("ticket", TicketArgs, ticket, reads=True),
    Command("export", ExportArgs, export, reads=True),
    Command("hold", MoveArgs, hold),
    Command("resolve", MoveArgs, resolve),
    Command("reopen", MoveArgs, reopen),
    Command("note", NoteArgs, note),
    Command("diagnose", DiagnoseArgs, diagnose, long=True),
)
