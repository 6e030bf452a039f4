"""Command lines: an argparse parser whose errors are ours, and the values that several subcommands take."""

import argparse
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn

from operator_clients import when
from operator_clients.ctl.exits import Usage

if TYPE_CHECKING:
    from operator_clients.ctl.session import Session


class Parser(argparse.ArgumentParser):
    """Raises ``Usage`` instead of printing and leaving, so that ``--json`` holds for these errors too."""

    def error(self, message: str) -> NoReturn:
        """Called by argparse for whatever it does not understand."""
        raise Usage(message, f"see: {self.prog} --help")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Knows its width by itself: argparse would import shutil for that, even to parse, which costs 4 ms."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 0
        super().__init__(prog, width=min(columns or 100, 120) - 2)


def subcommand_parser(name: str, summary: str, examples: str) -> Parser:
    """The parser of one subcommand, with the options that all of them take."""
    parser = Parser(
        prog=f"operatorctl {name}",
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print JSON, errors included")
    parser.add_argument(
        "--endpoint",
        metavar="DIR",
        help="the daemon's runtime directory or tcp://HOST:PORT (else $OPERATOR_ENDPOINT, else the default)",
    )
    parser.add_argument("--key", metavar="FILE", help="the key file for TCP (else $OPERATOR_KEY)")
    return parser


Run = Callable[[argparse.Namespace, "Session"], int]


def add_actions(
    parser: argparse.ArgumentParser, actions: Iterable[tuple[str, str, Run]]
) -> dict[str, argparse.ArgumentParser]:
    """Give a subcommand its actions (name, summary, what runs it); returns the parser of each, to add arguments to.

    What is to run is ``do`` of the parsed arguments; ``run_action`` calls it.
    """
    verbs = parser.add_subparsers(
        dest="verb", metavar="ACTION", required=True, title="actions", parser_class=type(parser)
    )
    made = {}
    for verb, summary, run in actions:
        made[verb] = verbs.add_parser(
            verb, help=summary, description=summary, formatter_class=parser.formatter_class, allow_abbrev=False
        )
        made[verb].set_defaults(do=run)
        also_behind(made[verb])
    return made


def run_action(args: argparse.Namespace, session: "Session") -> int:
    """Run the action that was chosen."""
    do: Run = args.do
    return do(args, session)


def also_behind(parser: argparse.ArgumentParser) -> None:
    """Let an action within a subcommand take the options of every command behind it; else those before it hold."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, errors included")
    for option, metavar in (("--endpoint", "DIR"), ("--key", "FILE")):
        parser.add_argument(option, metavar=metavar, default=argparse.SUPPRESS, help="as before the action")


def words(text: str) -> str:
    """Text for people: bytes of another encoding, as logs have them, become U+FFFD, and do not stop a deployment."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def duration_s(text: str) -> float:
    """Seconds of ``30``, ``30s``, ``500ms``, ``2m``, ``1m30s`` or ``1h``, as in the daemon's configuration."""
    return when.argument(when.seconds)(text)


def whole_seconds(text: str) -> int:
    """A countdown: whole seconds, zero for none."""
    seconds = duration_s(text)
    if seconds != int(seconds):
        raise argparse.ArgumentTypeError(f"{text!r}: a countdown has whole seconds")
    return int(seconds)


def setting(text: str) -> tuple[str, str]:
    """Name and value of ``NAME=VALUE``. What the value may be is for the daemon to say: it has the catalogue."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value.strip()


_LARGEST = (1 << 63) - 1
"""Neither the wire nor a database has larger numbers."""


def positive_int(text: str) -> int:
    """A whole number above zero."""
    if not text.isascii() or not text.isdigit() or not 1 <= (number := int(text[:30])) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number above zero, or too large a one")
    return number


def rate(text: str) -> float:
    """Operations per second, above zero; digits may be grouped with commas or underscores."""
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate above zero, in operations per second")
    return value
