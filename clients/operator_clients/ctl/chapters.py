"""``next``, ``previous`` and ``goto``: the demo's chapters, as the keys of the viewer move through them."""

import argparse
from collections.abc import Mapping
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import clean
from operator_clients.ctl.session import Session

_DEADLINE_S = 30.0
"""Leaving a chapter backwards may undo a fault first."""


def _next(_args: argparse.Namespace, session: Session) -> int:
    return _show(session.ask("next", deadline_s=_DEADLINE_S), session)


def _previous(_args: argparse.Namespace, session: Session) -> int:
    return _show(session.ask("previous", deadline_s=_DEADLINE_S), session)


def _goto(args: argparse.Namespace, session: Session) -> int:
    wanted = " ".join(args.chapter)
    chapter: int | str = int(wanted) if wanted.isascii() and wanted.isdigit() else wanted
    return _show(session.ask("goto", {"chapter": chapter}, deadline_s=_DEADLINE_S), session)


def _show(result: Mapping[str, Any], session: Session) -> int:
    chapter = result.get("chapter") or {}
    busy = " (busy)" if chapter.get("busy") else ""
    lines = [f"{chapter.get('index', '?')}  {clean(chapter.get('title', ''))}{busy}"]
    lines += [f"   {clean(line)}" for line in str(chapter.get("narration") or "").splitlines()]
    session.show(result, lines)
    return DONE


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def _chapter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chapter", metavar="N|TITLE", nargs="+", help="its number, from 0, or its title")


NEXT = Subcommand(_no_arguments, _next, "  operatorctl next")
PREVIOUS = Subcommand(_no_arguments, _previous, "  operatorctl previous")
GOTO = Subcommand(
    _chapter, _goto, "  operatorctl goto 0\n  operatorctl goto Stage 2\n  operatorctl goto 'Demo Complete'"
)
