"""Arguments of ``operatord`` and the dispatch to its subcommands."""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version as distribution_version

from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, OperatorError
from operator_protocol.stdio import discard_output, fill_closed_streams, unwritable

EXIT_REFUSED = 1
EXIT_NO_DAEMON = 3
EXIT_TIMED_OUT = 4

_EPILOG = """\
exit codes: 0 done; 1 refused or failed; 2 usage; 3 no daemon; 4 timed out

  operatord start                 run the embedded Valkey Cluster here; Ctrl+C stops everything
  operatord start --detach        the same in the background; returns when it is healthy
  operatord start --subject tikv  a TiKV cluster in containers (needs Docker)
  operatord start --pd URL        watch a TiKV cluster that runs already
  operatord demo                  the whole story in this terminal, then everything stops
  operatord keys new NAME         let a client on another host attach, see docs/security.md
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``operatord``."""
    parser = argparse.ArgumentParser(
        prog="operatord",
        description="Runs a distributed database, watches it, breaks it on request, explains and repairs it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"operatord {distribution_version('operatord')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    start = commands.add_parser("start", help="start the daemon (in the foreground unless --detach)")
    _directories(start)
    start.add_argument("--subject", metavar="NAME", help="what to operate: valkey (default) or tikv")
    start.add_argument(
        "--pd", metavar="URL", help="attach to the TiKV cluster of these PDs (URLs with commas), which is only watched"
    )
    start.add_argument("--prometheus", metavar="URL", help="the Prometheus that scrapes the cluster of --pd")
    start.add_argument("--load", action="store_true", help="start the load as soon as the cluster is healthy")
    start.add_argument("--detach", action="store_true", help="return when the cluster is healthy, and go on behind")
    start.add_argument("--config", metavar="FILE", help="TOML file; see deploy/operatord.example.toml")
    start.add_argument(
        "--keep-cluster", action="store_true", help="leave the servers running, and adopt them next time"
    )

    start.add_argument(
        "--isolate",
        action="store_true",
        help="a network namespace for each server, for faults of the network (root); see docs/isolation.md",
    )
    start.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)

    stop = commands.add_parser("stop", help="stop the daemon and everything it started")
    _directories(stop)
    stop.add_argument("--servers", action="store_true", help="also the servers that --keep-cluster left running")
    stop.add_argument("--timeout", type=float, default=30.0, metavar="S", help="how long to wait (default: 30)")

    status = commands.add_parser("status", help="whether a daemon runs, and how it is")
    _directories(status)
    status.add_argument("--json", action="store_true", help="one JSON document")

    doctor = commands.add_parser("doctor", help="check whether this host can run it, and say what is missing")
    _directories(doctor)
    doctor.add_argument("--config", metavar="FILE", help="check this configuration, too")
    doctor.add_argument("--json", action="store_true", help="one JSON document")

    recover = commands.add_parser("recover", help="undo what a daemon that is gone still owes")
    _directories(recover)
    recover.add_argument("--config", metavar="FILE", help=argparse.SUPPRESS)
    recover.add_argument("--json", action="store_true", help="one JSON document")
    recover.add_argument("--by-keeper", type=int, metavar="FD", help=argparse.SUPPRESS)

    keys = commands.add_parser("keys", help="who may attach over TCP: make, list and revoke keys")
    what = keys.add_subparsers(dest="what", metavar="new|list|revoke", required=True)
    new = what.add_parser("new", help="admit a client, and write the key file that it needs")
    new.add_argument("name", metavar="NAME", help="what it is called in the audit log")
    new.add_argument("--control", action="store_true", help="it may change things; otherwise it may only look")
    new.add_argument("--out", metavar="FILE", help="the key file (default: NAME.key here); never overwritten")
    new.add_argument("--config", metavar="FILE", help="to say where the daemon listens, if it does not run")
    listing = what.add_parser("list", help="who is admitted")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    revoke = what.add_parser("revoke", help="admit a client no longer; a running daemon puts it out within a second")
    revoke.add_argument("name", metavar="NAME")
    for parser_of_keys in (new, listing, revoke):
        _directories(parser_of_keys)

    demo = commands.add_parser("demo", help="daemon, viewer and the whole story in this terminal")
    demo.add_argument("--subject", metavar="NAME", help="valkey (default) or tikv")
    demo.add_argument("--headless", action="store_true", help="no viewer: walk through the story by itself")
    demo.add_argument("--state-dir", metavar="DIR", help="where data and journal go (default: demo/ in the usual one)")
    demo.add_argument("--config", metavar="FILE", help="TOML file; see deploy/operatord.example.toml")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``operatord``; returns its exit code."""
    fill_closed_streams()
    args = build_parser().parse_args(argv)
    if args.command == "start":
        # Until the keeper has handlers of its own, Ctrl+C just ends this process, without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        code = int(importlib.import_module(f"operatord.cli.{args.command}").run(args))
        sys.stdout.flush()
    except OperatorError as error:
        print(f"operatord: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"operatord: {error.hint}", file=sys.stderr)
        if isinstance(error, DaemonUnreachable):
            return EXIT_NO_DAEMON
        return EXIT_TIMED_OUT if isinstance(error, DeadlineExceeded) else EXIT_REFUSED
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("operator"):
            raise
        print(f"operatord: {error.name} is not installed, which the daemon needs", file=sys.stderr)
        print("operatord: pip install 'operatord[daemon]'", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        said = unwritable(error)
        if said:
            discard_output()
        else:
            said = f"{error.filename or 'the system'}: {error.strerror}"
        print(f"operatord: {said}", file=sys.stderr)
        return EXIT_REFUSED
    return code


def _directories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runtime-dir", metavar="DIR", help="where the sockets are (default: see docs/daemon.md)")
    parser.add_argument("--state-dir", metavar="DIR", help="where data, journal and tickets are")
