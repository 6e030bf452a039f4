"""``operator-viewer``: the command line, and the choice between the screen and plain lines."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from operator_clients import when
from operator_protocol.endpoint import Endpoint, resolve_endpoint
from operator_protocol.errors import BadRequest, DaemonUnreachable, NotFound, OperatorError
from operator_protocol.stdio import fill_closed_streams

if TYPE_CHECKING:
    from operator_clients.viewer.session import Session
    from operator_clients.viewer.signals import Signals

REFUSED = 1
USAGE = 2
NO_DAEMON = 3
_DUMB = ("", "dumb", "unknown")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the viewer.

    Returns the exit code: 0, 1 for what is no recording, 2 for a usage error, 3 when the daemon refuses the key, 128
    and the number for a signal.
    """
    fill_closed_streams()
    parser = _parser()
    options = parser.parse_args(argv)
    if options.replay is None and (options.speed is not None or options.start is not None):
        parser.error("--speed and --from need a recording: --replay FILE|DIR")
    try:
        if options.replay is not None:
            return _replay(options)
        return _view(options, resolve_endpoint(options.endpoint, key=options.key))
    except OperatorError as error:
        print(f"operator-viewer: {error}", file=sys.stderr)
        return NO_DAEMON if isinstance(error, DaemonUnreachable) else USAGE


def _view(options: argparse.Namespace, endpoint: Endpoint) -> int:
    # Imported here so that --help and a usage error need no ZeroMQ.
    from operator_clients.viewer.session import Session
    from operator_clients.viewer.signals import Signals
    from operator_protocol.follow import Follower

    with Signals() as signals, Follower(endpoint) as follower:
        return _show(options, Session(follower), signals)


def _replay(options: argparse.Namespace) -> int:
    from operator_clients.viewer.replaying import ReplaySession
    from operator_clients.viewer.signals import Signals
    from operator_protocol.recording import Recording
    from operator_protocol.replay import Replay

    try:
        with Recording.open(Path(options.replay)) as recording:
            start_s = 0.0 if options.start is None else when.within(recording, options.start)
            with Signals() as signals:
                replay = Replay(recording, speed=options.speed or 1.0, at_s=start_s)
                return _show(options, ReplaySession(replay, time.monotonic()), signals)
    except (NotFound, BadRequest) as error:
        print(f"operator-viewer: {error}", file=sys.stderr)
        return REFUSED


def _show(options: argparse.Namespace, session: "Session", signals: "Signals") -> int:
    terminal = None if options.plain else _terminal()
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
        "--endpoint",
        metavar="DIR",
        help="runtime directory of the daemon, or tcp://HOST:PORT (default: $OPERATOR_ENDPOINT, or its own)",
    )
    parser.add_argument("--key", metavar="FILE", help="key file for TCP (default: $OPERATOR_KEY)")
    parser.add_argument(
        "--plain", action="store_true", help="one line per event, as in a pipe or on a dumb terminal; no keys"
    )
    parser.add_argument("--replay", metavar="FILE|DIR", help="play a recording or a journal; needs no daemon")
    parser.add_argument(
        "--speed", metavar="N", type=when.argument(when.speed), help="replay N times as fast (default: 1)"
    )
    parser.add_argument(
        "--from",
        metavar="T",
        dest="start",
        type=when.argument(when.moment),
        help="begin the replay so far into it (90, 1m30s), or at a time of day (14:03:07)",
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
