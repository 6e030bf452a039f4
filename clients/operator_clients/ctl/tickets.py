"""``tickets``, ``ticket`` and ``diagnose``."""

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import clean, clock, maps, stdout_paint, table
from operator_clients.ctl.parsing import positive_int
from operator_clients.ctl.session import Session

STATUSES = ("open", "diagnosing", "diagnosed", "acting", "resolved", "escalated", "held")
"""``models.TicketStatus``, written out because ``models`` costs more to import than the whole command may take."""
_DEFAULT_LIMIT = 20
_DIAGNOSE_DEADLINE_S = 180.0
"""A model may think for a while."""


def _list(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("tickets", {"status": args.status, "limit": args.limit})
    tickets = maps(result.get("tickets"))
    if tickets:
        header = ("ID", "STATUS", "SEVERITY", "INVARIANT", "NODE", "OPENED", "SEEN", "MESSAGE")
        session.show(result, table(header, map(_row, tickets), stdout_paint()))
    else:
        session.show(result, f"no {args.status} tickets" if args.status else "no tickets")
    return DONE


def _row(ticket: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        ticket.get("id"),
        ticket.get("status"),
        ticket.get("severity"),
        ticket.get("invariant"),
        ticket.get("node"),
        clock(ticket.get("opened_at")),
        f"{ticket.get('occurrences', 1)}x",
        ticket.get("message"),
    )


def _one(args: argparse.Namespace, session: Session) -> int:
    return _show(session.ask("ticket", {"id": args.id}), session)


def _diagnose(args: argparse.Namespace, session: Session) -> int:
    session.note("asking the agent…")
    return _show(session.perform("diagnose", {"ticket": args.id}, deadline_s=_DIAGNOSE_DEADLINE_S), session)


def _show(result: Mapping[str, Any], session: Session) -> int:
    ticket = result.get("ticket") or {}
    if session.as_json:
        session.show(result, "")
        return DONE
    print("\n".join(_summary(ticket)))
    diagnosis = ticket.get("diagnosis")
    if not isinstance(diagnosis, dict):
        print("\nnot diagnosed yet; ask for it with: operatorctl diagnose " + str(ticket.get("id", "")))
        return DONE
    _draw(str(diagnosis.get("markdown") or "") or "\n".join(_plain_diagnosis(diagnosis)))
    return DONE


def _summary(ticket: Mapping[str, Any]) -> list[str]:
    resolved = f", resolved {clock(ticket['resolved_at'])}" if ticket.get("resolved_at") else ""
    lines = [
        f"ticket {ticket.get('id')}  {clean(ticket.get('status', ''))}, {clean(ticket.get('severity', ''))}",
        (
            f"  {clean(ticket.get('invariant', ''))} on {clean(ticket.get('node') or 'the cluster')}: "
            f"{clean(ticket.get('message', ''))}"
        ),
        (
            f"  opened {clock(ticket.get('opened_at'))}, updated {clock(ticket.get('updated_at'))}{resolved}, "
            f"seen {ticket.get('occurrences', 1)}x"
        ),
    ]
    notes = ticket.get("notes")
    return lines + [f"  note: {clean(note)}" for note in (notes if isinstance(notes, list) else [])]


def _plain_diagnosis(diagnosis: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{diagnosis.get('summary', '')}",
        "",
        (
            f"cause: {diagnosis.get('cause')} in {diagnosis.get('component')} "
            f"(confidence {float(diagnosis.get('confidence') or 0):.0%}, by {diagnosis.get('source')})"
        ),
        "",
        str(diagnosis.get("explanation", "")),
        "",
    ]
    lines += [f"- [{item.get('id')}] {item.get('text')}" for item in maps(diagnosis.get("evidence"))]
    lines += [f"- not {a.get('cause')}: {a.get('rejected_because')}" for a in maps(diagnosis.get("alternatives"))]
    return lines


def _draw(markdown: str) -> None:
    """The diagnosis: laid out on a terminal, as it is into a pipe."""
    text = "\n".join(clean(line) for line in markdown.splitlines())
    print()
    if not sys.stdout.isatty():
        print(text)
        return
    from rich.console import Console  # drawing Markdown is worth its start-up time; nothing else here is
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", choices=STATUSES, help="only those with this status")
    parser.add_argument(
        "--limit", metavar="N", type=positive_int, default=_DEFAULT_LIMIT, help="at most N (default %(default)s)"
    )


def _required_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="N", type=positive_int, help="the ticket's number")


def _optional_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="N", type=positive_int, nargs="?", help="a ticket; the newest open one if omitted"
    )


TICKETS = Subcommand(
    _list_arguments, _list, "  operatorctl tickets\n  operatorctl tickets --status open --limit 5 --json"
)
TICKET = Subcommand(_required_id, _one, "  operatorctl ticket 7\n  operatorctl ticket 7 --json | jq .ticket.diagnosis")
DIAGNOSE = Subcommand(_optional_id, _diagnose, "  operatorctl diagnose\n  operatorctl diagnose 7")
