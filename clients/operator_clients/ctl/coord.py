"""``coord``: publish, look at and acknowledge coordination messages."""

import argparse
import time
from collections.abc import Mapping
from typing import Any

from operator_clients import when
from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import clean, clock, maps, stdout_paint, table
from operator_clients.ctl.parsing import Run, add_actions, positive_int, run_action, words
from operator_clients.ctl.session import Session

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 1_000


def _publish(args: argparse.Namespace, session: Session) -> int:
    said: dict[str, Any] = {
        "type": args.type,
        "to": args.to,
        "requires_ack": not args.no_ack,
        "payload": {"subject": args.subject, "description": args.description},
    }
    result = session.ask("publish", said | _named("from", args.sender))
    session.show(result, str((result.get("message") or {}).get("id", "")))
    return DONE


def _messages(args: argparse.Namespace, session: Session) -> int:
    asked = {
        "to": args.to,
        "from": args.sender,
        "type": args.type,
        "pending_only": args.pending,
        "since": None if args.since is None else when.ago(args.since, time.time()),
    }
    wanted = {name: value for name, value in asked.items() if value}
    result = session.ask("messages", {**wanted, "limit": min(args.limit, _MAX_LIMIT)})
    found = maps(result.get("messages"))
    session.show(result, table(_HEADER, [_row(one) for one in found], stdout_paint()) if found else "no messages")
    return DONE


def _ack(args: argparse.Namespace, session: Session) -> int:
    result = session.ask("ack", {"id": args.id} | _named("by", args.by) | _named("comment", args.comment))
    message = result.get("message") or {}
    by, at = message.get("ack_by"), clock(message.get("ack_timestamp"))
    session.show(result, clean(f"{message.get('id')} acknowledged by {by} at {at}"))
    return DONE


def _named(name: str, value: str | None) -> dict[str, str]:
    return {name: value} if value else {}


_HEADER = ("ID", "AT", "TYPE", "FROM", "TO", "ACK", "SUBJECT")


def _row(message: Mapping[str, Any]) -> tuple[object, ...]:
    payload = message.get("payload")
    pending = "needed" if message.get("requires_ack") else None
    return (
        message.get("id"),
        clock(message.get("timestamp")),
        message.get("type"),
        message.get("from"),
        message.get("to"),
        message.get("ack_by") if message.get("acknowledged") else pending,
        payload.get("subject") if isinstance(payload, dict) else None,
    )


_VERBS: tuple[tuple[str, str, Run], ...] = (
    ("publish", "publish a message; prints its id", _publish),
    ("messages", "list messages of the last 24 hours, newest first", _messages),
    ("ack", "acknowledge a message", _ack),
)


def _configure(parser: argparse.ArgumentParser) -> None:
    made = add_actions(parser, _VERBS)
    publish, messages, ack = (made[verb] for verb, _, _ in _VERBS)
    publish.add_argument("type", metavar="TYPE", help="like READY_FOR_REVIEW; a wrong one is refused with the list")
    publish.add_argument("subject", type=words, metavar="SUBJECT", help="one line")
    publish.add_argument("description", type=words, metavar="DESCRIPTION", help="the rest; of DEVOPS_* a JSON object")
    publish.add_argument(
        "--to", type=words, metavar="NAME", default="orchestrator", help="for whom (default: orchestrator)"
    )
    publish.add_argument(
        "--from", dest="sender", type=words, metavar="NAME", help="who says it (default: your user name)"
    )
    publish.add_argument("--no-ack", action="store_true", help="nobody needs to acknowledge it")
    messages.add_argument("--to", type=words, metavar="NAME", help="only to this one")
    messages.add_argument("--from", dest="sender", type=words, metavar="NAME", help="only from this one")
    messages.add_argument("--type", type=words, metavar="TYPE", help="only of this type")
    messages.add_argument("--pending", action="store_true", help="only those that are yet to be acknowledged")
    messages.add_argument(
        "--since", metavar="T", type=when.argument(when.moment), help="a duration like 10m, or a time of day like 14:03"
    )
    messages.add_argument(
        "--limit", metavar="N", type=positive_int, default=_DEFAULT_LIMIT, help="at most N, up to 1000 (default: 20)"
    )
    ack.add_argument("id", metavar="ID", help="the message: msg- and eight digits")
    ack.add_argument("--by", type=words, metavar="NAME", help="who has it (default: your user name)")
    ack.add_argument("--comment", type=words, metavar="TEXT", help="what to say about it")


_EXAMPLES = """\
  operatorctl coord publish READY_FOR_REVIEW 'the store is done' 'see the branch' --from backend
  operatorctl coord messages --to orchestrator --pending
  operatorctl coord ack msg-0a1b2c3d --by orchestrator --comment 'looks good'"""

COORD = Subcommand(_configure, run_action, _EXAMPLES)
