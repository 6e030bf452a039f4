"""``tickets``, ``ticket`` and ``diagnose``."""

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from operator_clients import when
from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, Usage
from operator_clients.ctl.output import clean, clock, count, maps, stdout_paint, table
from operator_clients.ctl.parsing import positive_int
from operator_clients.ctl.session import Session

STATUSES = ("open", "diagnosing", "diagnosed", "acting", "resolved", "escalated", "held")
"""``models.TicketStatus``, written out because ``models`` costs more to import than the whole command may take."""
_REOPENED = "reopened"
"""Not a status on the wire, where a reopened ticket is open."""
_FORMATS = ("json", "markdown")
_DEFAULT_LIMIT = 20
_DIAGNOSE_DEADLINE_S = 180.0
"""A model may think for a while."""


def _list(args: argparse.Namespace, session: Session) -> int:
    asked: dict[str, Any] = {
        "status": None if args.status == _REOPENED else args.status,
        "reopened": args.status == _REOPENED,
        "since": None if args.since is None else when.ago(args.since, time.time()),
        "before": args.before,
        "everywhere": args.everywhere,
    }
    which = {name: value for name, value in asked.items() if value}
    if args.what == "export":
        return _export(args, session, which)
    if args.format or args.output:
        raise Usage("--format and --output go with: operatorctl tickets export")
    limit = _DEFAULT_LIMIT if args.limit is None else args.limit
    result = session.ask("tickets", {**which, "limit": limit})
    tickets = maps(result.get("tickets"))
    if not tickets:
        session.show(result, f"no {args.status} tickets" if args.status else "no tickets")
        return DONE
    where = ("HOST", "CLUSTER") if args.everywhere else ()
    header = (*where, "ID", "STATUS", "SEVERITY", "INVARIANT", "NODE", "OPENED", "SEEN", "MESSAGE")
    rows = [(*(ticket.get(name.lower()) for name in where), *_row(ticket)) for ticket in tickets]
    session.show(result, table(header, rows, stdout_paint()))
    if result.get("next") is not None:
        session.note(f"there are more: --before {result['next']}")
    return DONE


def _export(args: argparse.Namespace, session: Session, which: Mapping[str, Any]) -> int:
    if args.everywhere:
        raise Usage("each daemon exports its own tickets", "without --everywhere")
    from operator_clients.ctl.ticket_export import pages, write  # json: not for a list

    written = write(pages(session, which, args.limit), args.format or "json", args.output)
    session.note(f"exported {count(written, 'ticket')}" + (f" to {args.output}" if args.output else ""))
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
    if args.export is None:
        if args.output:
            raise Usage("--output goes with --export", "operatorctl ticket 7 --export json --output FILE")
        return _show(session.ask("ticket", {"id": args.id} | ({"history": True} if args.history else {})), session)
    from operator_clients.ctl.ticket_export import write  # json: not for a look

    write([session.ask("ticket", {"id": args.id, "history": True}, deadline_s=60.0)], args.export, args.output)
    return DONE


def _diagnose(args: argparse.Namespace, session: Session) -> int:
    session.note("asking the agent…")
    return _show(session.perform("diagnose", {"ticket": args.id}, deadline_s=_DIAGNOSE_DEADLINE_S), session)


def _show(result: Mapping[str, Any], session: Session) -> int:
    ticket = result.get("ticket") or {}
    if session.as_json:
        session.show(result, "")
        return DONE
    print("\n".join(_summary(ticket)))
    if result.get("history"):
        from operator_clients.ctl.ticket_markdown import history_lines  # only for this

        _draw("\n".join(history_lines(result)))
    diagnosis = ticket.get("diagnosis")
    if not isinstance(diagnosis, dict):
        print("\nnot diagnosed yet; ask for it with: operatorctl diagnose " + str(ticket.get("id", "")))
        return DONE
    _draw(str(diagnosis.get("markdown") or "") or "\n".join(_plain_diagnosis(diagnosis)))
    for action in maps(result.get("actions")):
        what = f"action {action.get('id')}, {action.get('kind')} {action.get('target')}, is {action.get('status')}"
        then = (
            f"operatorctl approve {action.get('id')}" if action.get("status") == "proposed" else "operatorctl actions"
        )
        print(clean(f"\n{what}: {then}"))
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
    parser.add_argument(
        "what", metavar="export", nargs="?", choices=("export",), help="all of them, with their histories, for a file"
    )
    parser.add_argument(
        "--status", choices=(*STATUSES, _REOPENED), help="only those with this status; reopened: and not resolved again"
    )
    parser.add_argument(
        "--since",
        metavar="T",
        type=when.argument(when.moment),
        help="only those that changed since: a duration like 90 or 1m30s, or a time of day like 14:03",
    )
    parser.add_argument(
        "--limit", metavar="N", type=positive_int, help=f"at most N (default: {_DEFAULT_LIMIT}; an export: all)"
    )
    parser.add_argument("--before", metavar="N", type=positive_int, help="go on from here: what the last page said")
    parser.add_argument("--everywhere", action="store_true", help="of all hosts that share a database ([tickets] url)")
    parser.add_argument("--format", choices=_FORMATS, help="of an export (default: json)")
    parser.add_argument("--output", metavar="FILE", help="a new file for an export (default: standard output)")


def _one_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="N", type=positive_int, help="the ticket's number")
    parser.add_argument("--history", action="store_true", help="with everything that was ever said of it")
    parser.add_argument("--export", metavar="FORMAT", choices=_FORMATS, help="the whole of it: json or markdown")
    parser.add_argument("--output", metavar="FILE", help="a new file for --export (default: standard output)")


def _optional_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="N", type=positive_int, nargs="?", help="a ticket; the newest open one if omitted"
    )


_TICKETS_EXAMPLES = """\
  operatorctl tickets
  operatorctl tickets --status open --since 1h --limit 5 --json
  operatorctl tickets export --output tickets.json
  operatorctl tickets export --since 14:03 --format markdown"""
_TICKET_EXAMPLES = """\
  operatorctl ticket 7
  operatorctl ticket 7 --history
  operatorctl ticket 7 --json | jq .ticket.diagnosis
  operatorctl ticket 7 --export markdown --output ticket-7.md"""

TICKETS = Subcommand(_list_arguments, _list, _TICKETS_EXAMPLES)
TICKET = Subcommand(_one_arguments, _one, _TICKET_EXAMPLES)
DIAGNOSE = Subcommand(_optional_id, _diagnose, "  operatorctl diagnose\n  operatorctl diagnose 7")
