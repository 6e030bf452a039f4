"""``operatorctl``: finds the subcommand, runs it, and turns whatever happens into one line and an exit code."""

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence

from operator_clients.ctl.exits import BROKEN_PIPE, DONE, INTERRUPTED, REFUSED, USAGE, Usage, exit_code
from operator_protocol.errors import InternalError, OperatorError
from operator_protocol.stdio import discard_output, fill_closed_streams, unwritable

_TRACEBACK_VARIABLE = "OPERATORCTL_TRACEBACK"
_HEAD = """\
usage: operatorctl COMMAND [options] [--json] [--endpoint DIR | --endpoint tcp://HOST:PORT --key FILE]

Looks at a running operatord and drives it.
"""
_TAIL = """\
options of every command:
  --json          one JSON document on standard output (JSON lines from logs, events), errors included
  --endpoint DIR  the daemon's runtime directory; else $OPERATOR_ENDPOINT, else $OPERATOR_RUNTIME_DIR,
                  $XDG_RUNTIME_DIR/operatord, /run/operatord for root, /tmp/operatord-UID;
                  or tcp://HOST:PORT of a daemon that listens there
  --key FILE      for TCP: the key file that `operatord keys new` wrote; else $OPERATOR_KEY
  -h, --help      of a command: what it takes, with examples

exit codes: 0 done · 1 refused or failed · 2 usage · 3 no daemon · 4 timed out

example:
  operatorctl fault && operatorctl wait violation.opened --timeout 10 && operatorctl recover
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code. As a program, that is without ``argv``, it ends the process."""
    fill_closed_streams()
    code = _guarded(list(sys.argv[1:] if argv is None else argv))
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_left()
    except OSError as error:
        code = _cannot_write(error)
    if argv is None:
        # To take the interpreter apart costs 6 of the 60 ms that a command may take, and by now everything is closed.
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(code)
    return code


def _guarded(words: list[str]) -> int:
    try:
        return _run(words)
    except OperatorError as error:
        return _fail(error, words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as left:  # argparse, after --help
        return left.code if isinstance(left.code, int) else DONE
    except Exception as error:  # the last resort: a defect is reported in one line too
        if os.environ.get(_TRACEBACK_VARIABLE):
            raise
        if isinstance(error, OSError) and unwritable(error):
            return _cannot_write(error)
        hint = f"a defect; {_TRACEBACK_VARIABLE}=1 shows where"
        return _fail(InternalError(f"{type(error).__name__}: {error}", hint), words)


def _run(words: list[str]) -> int:
    name, rest = _split(words)
    if name in ("-h", "--help"):
        print(_overview())
        return DONE
    if name == "--version":
        from importlib.metadata import version  # slow, and only for this

        print(f"operatorctl {version('operatord')}")
        return DONE
    if not name:
        print(_overview(), file=sys.stderr)
        return USAGE
    from operator_clients.ctl.commands import COMMANDS

    entry = COMMANDS.get(name)
    if entry is None:
        raise Usage(f"unknown command {name!r}", _suggestion(name, COMMANDS))
    from operator_clients.ctl.parsing import subcommand_parser
    from operator_clients.ctl.session import Session

    subcommand = entry.load()
    parser = subcommand_parser(name, entry.summary, subcommand.examples)
    subcommand.configure(parser)
    args = parser.parse_args(rest)
    return subcommand.run(args, Session(args.endpoint, key=args.key, as_json=args.json))


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command's name and its arguments; options that stood before the name are moved behind it."""
    before: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word in ("-h", "--help", "--version"):
            return word, []
        if not word.startswith("-"):
            return word, [*before, *words[position + 1 :]]
        if word != "--json" and word.partition("=")[0] not in ("--endpoint", "--key"):
            raise Usage(f"unknown option {word!r} before the command", "see: operatorctl --help")
        taken = 2 if word in ("--endpoint", "--key") else 1
        before += words[position : position + taken]
        position += taken
    return "", before


def _overview() -> str:
    from operator_clients.ctl.commands import COMMANDS

    lines = [_HEAD]
    for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
        lines.append(f"{group}:")
        lines += [f"  {entry.usage:<33}{entry.summary}" for entry in COMMANDS.values() if entry.group == group]
        lines.append("")
    return "\n".join([*lines, _TAIL.rstrip()])


def _suggestion(name: str, known: Iterable[str]) -> str:
    import difflib  # only for a typo

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else "see: operatorctl --help"


def _fail(error: OperatorError, words: Sequence[str]) -> int:
    try:
        if "--json" in words:
            from operator_clients.ctl.session import to_json

            print(to_json({"error": error.to_wire()}), flush=True)
    except BrokenPipeError:
        return _reader_left()
    except OSError as unwritten:
        _cannot_write(unwritten)
    _say(str(error))
    return exit_code(error) or REFUSED


def _cannot_write(error: OSError) -> int:
    discard_output()
    _say(unwritable(error) or f"cannot write the output: {error.strerror}")
    return REFUSED


def _say(text: str) -> None:
    # What cannot be said changes nothing of the exit code.
    with contextlib.suppress(OSError):
        print(f"operatorctl: {text}", file=sys.stderr)


def _reader_left() -> int:
    discard_output()
    return BROKEN_PIPE
