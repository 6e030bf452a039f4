"""``operator-mcp``: the command line, and the server on standard input and output."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from operator_protocol.endpoint import resolve_endpoint
from operator_protocol.errors import DaemonUnreachable, OperatorError
from operator_protocol.stdio import fill_closed_streams

REFUSED = 1
USAGE = 2
NO_DAEMON = 3
INTERRUPTED = 130
_EPILOG = """\
Started by an AI client, which speaks MCP with it on standard input and output:

  {"mcpServers": {"operator": {"command": "operator-mcp", "args": ["--instance", "reviewer"]}}}

The daemon may start later or be restarted meanwhile; a tool that finds none says so.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until standard input ends.

    Returns the exit code: 0, 1 when a library is missing, 2 for a usage error, 3 for TCP without a key, 130 for Ctrl+C.
    """
    fill_closed_streams()
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        endpoint = resolve_endpoint(options.endpoint, key=options.key)
    except OperatorError as error:
        print(f"operator-mcp: {error}", file=sys.stderr)
        return NO_DAEMON if isinstance(error, DaemonUnreachable) else USAGE
    instance = (chosen_instance() if options.instance is None else options.instance).strip()
    try:
        # Half a second of imports, and an extra of the distribution: not for --help or a usage error.
        from operator_clients.mcp.daemon import Daemon
        from operator_clients.mcp.server import build
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("operator"):
            raise
        print(f"operator-mcp: {error.name} is not installed (pip install 'operatord[mcp]')", file=sys.stderr)
        return REFUSED
    if sys.stdin.isatty():
        print("operator-mcp: waiting for an MCP client on standard input; see operator-mcp --help", file=sys.stderr)
    try:
        build(Daemon(endpoint, instance), control=options.control).run()
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def chosen_instance(environ: Mapping[str, str] | None = None) -> str:
    """The name of this instance from the environment; empty where it has none, or is called ``unknown``."""
    env = os.environ if environ is None else environ
    # The second one is what sessions that are coordinated over such tools set already.
    name = (env.get("OPERATOR_INSTANCE") or env.get("CLAUDE_INSTANCE_ID") or "").strip()
    return "" if name.lower() == "unknown" else name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="operator-mcp",
        description="Tools for AI agents (MCP): look at a running operatord, exchange coordination messages, and, with "
        "--control, inject faults, undo them and approve actions.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--endpoint",
        metavar="DIR",
        help="runtime directory of the daemon, or tcp://HOST:PORT (default: $OPERATOR_ENDPOINT, or its own)",
    )
    parser.add_argument("--key", metavar="FILE", help="key file for TCP (default: $OPERATOR_KEY)")
    parser.add_argument(
        "--instance",
        metavar="NAME",
        help="who this agent is in coordination messages (default: $OPERATOR_INSTANCE, then $CLAUDE_INSTANCE_ID)",
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="offer the tools that change the cluster: operator_fault, _recover, _approve, _reject",
    )
    return parser
