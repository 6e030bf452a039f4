"""``hold``, ``resolve``, ``reopen`` and ``note``: what people do with a ticket."""

import argparse
from collections.abc import Callable

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import clean
from operator_clients.ctl.parsing import positive_int
from operator_clients.ctl.session import Session


def _mover(cmd: str) -> Callable[[argparse.Namespace, Session], int]:
    def move(args: argparse.Namespace, session: Session) -> int:
        return _tell(session, cmd, {"id": args.id, "note": args.note})

    return move


def _note(args: argparse.Namespace, session: Session) -> int:
    return _tell(session, "note", {"id": args.id, "text": " ".join(args.text)})


def _tell(session: Session, cmd: str, args: dict[str, object]) -> int:
    result = session.ask(cmd, args)
    ticket = result.get("ticket") or {}
    lines = [clean(f"ticket {ticket.get('id')} is {ticket.get('status')}")]
    if result.get("message"):
        lines.append(clean(result["message"]))
    session.show(result, lines)
    return DONE


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="N", type=positive_int, help="the ticket's number")
    parser.add_argument("--note", metavar="TEXT", default="", help="why; it is written on the ticket")


def _note_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="N", type=positive_int, help="the ticket's number")
    parser.add_argument("text", metavar="TEXT", nargs="+", help="what to write")


HOLD = Subcommand(_arguments, _mover("hold"), "  operatorctl hold 7 --note 'looking at it myself'")
RESOLVE = Subcommand(_arguments, _mover("resolve"), "  operatorctl resolve 7 --note 'the disk was replaced'")
REOPEN = Subcommand(_arguments, _mover("reopen"), "  operatorctl reopen 7 --note 'it was not over'")
NOTE = Subcommand(_note_arguments, _note, "  operatorctl note 7 the disk is fine")
