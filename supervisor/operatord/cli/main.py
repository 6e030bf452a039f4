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
_WHICH = (
    "Without --runtime-dir it is the one that $OPERATOR_ENDPOINT names, if that is a directory; over TCP there is"
    " operatorctl."
)


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

    _start(commands)
    stop = commands.add_parser(
        "stop", help="stop the daemon and everything it started", description=f"Stop the daemon. {_WHICH}"
    )
    _directories(stop)
    stop.add_argument("--servers", action="store_true", help="also the servers that --keep-cluster left running")
    stop.add_argument("--timeout", type=float, default=30.0, metavar="S", help="how long to wait (default: 30)")

    status = commands.add_parser(
        "status",
        help="whether a daemon runs, and how it is",
        description=f"Whether a daemon runs, and how it is. {_WHICH}",
    )
    _directories(status)
    status.add_argument("--json", action="store_true", help="one JSON document")

    doctor = commands.add_parser("doctor", help="check whether this host can run it, and say what is missing")
    _directories(doctor)
    doctor.add_argument("--subject", metavar="NAME", help="what it is to operate: valkey (default) or tikv")
    doctor.add_argument("--config", metavar="FILE", help="check this configuration, too")
    doctor.add_argument(
        "--stage", action="store_true", help="a presenter's checklist, in the terminal of the show; see docs/demo.md"
    )
    _chapters(doctor)
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

    tickets = commands.add_parser("tickets", help="put exported tickets back")
    importing = tickets.add_subparsers(dest="what", metavar="import", required=True)
    put_back = importing.add_parser("import", help="of what operatorctl tickets export wrote, all or nothing")
    put_back.add_argument("file", metavar="FILE", help="the export, as JSON")
    _directories(put_back)

    _demo(commands)
    _eval(commands)
    return parser


def _demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser("demo", help="daemon, viewer and the whole story in this terminal")
    demo.add_argument("--subject", metavar="NAME", help="valkey (default) or tikv")
    demo.add_argument(
        "--fault", metavar="KIND", help="what Stage 3 does (default: kill; operatorctl faults lists them)"
    )
    demo.add_argument("--target", metavar="NODE", help="to whom: a node, a role, or random (default)")
    _chapters(demo)
    _autonomy(demo)
    demo.add_argument("--no-console", action="store_true", help="without the web console")
    demo.add_argument("--headless", action="store_true", help="no viewer: walk through the story by itself")
    demo.add_argument("--state-dir", metavar="DIR", help="where data and journal go (default: demo/ in the usual one)")
    demo.add_argument("--config", metavar="FILE", help="TOML file; see deploy/operatord.example.toml")


def _eval(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    measure = commands.add_parser("eval", help="measure the diagnosis; see docs/evaluation.md")
    what = measure.add_subparsers(dest="what", metavar="run|plan|show|compare", required=True)
    running = what.add_parser(
        "run",
        help="run a campaign on a daemon of its own",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""\
examples:
  operatord eval run quick                            the shipped one of three trials, under two minutes
  operatord eval run valkey --out results             every fault of the embedded subject; some hours
  operatord eval run valkey --only kind=pause,stop    the cases with these faults
  operatord eval run valkey --out results --resume    go on where it was interrupted

Ctrl+C stops it and leaves no process; what was measured stays.
""",
    )
    running.add_argument(
        "campaign", metavar="CAMPAIGN.toml", help="a file, or the name of a shipped one: quick, valkey"
    )
    running.add_argument("--out", metavar="DIR", help="results, report, plot and log of the daemon go there")
    running.add_argument("--resume", action="store_true", help="go on with the newest run of this campaign")
    running.add_argument(
        "--only",
        metavar="KEY=VALUE,…",
        action="append",
        default=[],
        help="run these trials only; KEY: kind, case, target, variant, repeat, part (seen, held-out, controls)",
    )
    plan = what.add_parser("plan", help="check a campaign, and list its trials in their order")
    plan.add_argument(
        "campaign",
        metavar="CAMPAIGN.toml",
        nargs="?",
        help="a file, or the name of a shipped one; without it the shipped ones are listed",
    )
    plan.add_argument("--json", action="store_true", help="one JSON document")
    show = what.add_parser("show", help="the report of a run")
    show.add_argument("run", metavar="RUN", type=int, nargs="?", help="its number (default: the newest)")
    show.add_argument("--list", action="store_true", help="list the runs instead")
    show.add_argument("--report", metavar="FILE.md", help="write it there, with its plot beside it")
    comparing = what.add_parser("compare", help="two runs, or two variants, and how they differ")
    comparing.add_argument("one", metavar="RUN[:VARIANT]")
    comparing.add_argument("other", metavar="RUN[:VARIANT]")
    for one in (running, show, comparing):
        one.add_argument("--db", metavar="FILE", help="where the results are (default: in the state directory)")
        one.add_argument("--state-dir", metavar="DIR", help=argparse.SUPPRESS)


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


def _autonomy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--autonomy",
        metavar="MODE",
        help="what the agent may do: observe, approve (default), or execute[:RISK]; see docs/actions.md",
    )


def _chapters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--chapters",
        metavar="FILE.toml",
        help="tell another story: a file, or a shipped one (two-acts); see docs/demo.md",
    )


def _start(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    start = commands.add_parser("start", help="start the daemon (in the foreground unless --detach)")
    _directories(start)
    start.add_argument("--subject", metavar="NAME", help="what to operate: valkey (default) or tikv")
    start.add_argument(
        "--pd", metavar="URL", help="attach to the TiKV cluster of these PDs (URLs with commas), which is only watched"
    )
    start.add_argument("--prometheus", metavar="URL", help="the Prometheus that scrapes the cluster of --pd")
    start.add_argument(
        "--status", metavar="NAME=HOST:PORT", help="where its status ports are reached from here (several with commas)"
    )
    start.add_argument("--cacert", metavar="FILE", help="authority that signed the certificates of the cluster of --pd")
    start.add_argument("--cert", metavar="FILE", help="client certificate for it")
    start.add_argument("--key", metavar="FILE", help="key of that certificate, if it is in a file of its own")
    _autonomy(start)
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
    start.add_argument(
        "--console",
        metavar="PORT",
        nargs="?",
        type=_port,
        const=-1,
        help="serve the web console on loopback (default: 8970, or a free port); see docs/console.md",
    )
    _chapters(start)
    start.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    # How ``demo`` hands on what it was told.
    start.add_argument("--demo-fault", help=argparse.SUPPRESS)
    start.add_argument("--demo-target", help=argparse.SUPPRESS)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _directories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runtime-dir", metavar="DIR", help="where the sockets are (default: see docs/daemon.md)")
    parser.add_argument("--state-dir", metavar="DIR", help="where data, journal and tickets are")
