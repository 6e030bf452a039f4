"""``operator-viewer``: the command line, and the choice between the screen and plain lines."""

import argparse
import os
import sys
from collections.abc import Sequence

from operator_protocol.endpoint import resolve_endpoint
from operator_protocol.errors import OperatorError

USAGE = 2
_DUMB = ("", "dumb", "unknown")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the viewer. Returns the exit code: 0, 2 for a usage error, 128 and the number for a signal."""
    options = _parser().parse_args(argv)
    try:
        endpoint = resolve_endpoint(options.endpoint)
    except OperatorError as error:
        print(f"operator-viewer: {error}", file=sys.stderr)
        return USAGE
    # Imported here so that --help and a usage error need no ZeroMQ.
    from operator_clients.viewer.session import Session
    from operator_clients.viewer.signals import Signals
    from operator_protocol.follow import Follower

    terminal = None if options.plain else _terminal()
    with Signals() as signals, Follower(endpoint) as follower:
        session = Session(follower)
        if terminal is None:
            from operator_clients.viewer.plain import Plain

            return Plain(session, signals, stdin=0, stdout=1).run()
        from operator_clients.viewer.app import App
        from operator_clients.viewer.keys import Keyboard
        from operator_clients.viewer.screen import Screen

        screen = Screen(1, signals.breakable)
        return App(session, screen, Keyboard(terminal), signals, animate=not options.no_animation).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="operator-viewer",
        description="Watch a running operatord in five panels, and drive its demo. Press ? for the keys.",
    )
    parser.add_argument(
        "--endpoint", metavar="DIR", help="runtime directory of the daemon (default: $OPERATOR_ENDPOINT, or its own)"
    )
    parser.add_argument(
        "--plain", action="store_true", help="one line per event, as in a pipe or on a dumb terminal; no keys"
    )
    parser.add_argument("--no-animation", action="store_true", help="nothing pulses or spins")
    return parser


def _terminal() -> int | None:
    """Where keys are read from; None where there is no terminal to draw on, or none that can do more than lines."""
    if not os.isatty(1) or os.environ.get("TERM", "") in _DUMB:
        return None
    if os.isatty(0):
        return 0
    try:
        # Standard input is something else, but the screen belongs to a terminal, which has keys.
        return os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
