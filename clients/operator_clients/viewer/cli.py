"""``operator-viewer``: the command line, and the choice between the screen and plain lines."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from operator_clients import when
from operator_clients.viewer.layout import screen_size
from operator_protocol.endpoint import Endpoint, resolve_endpoint
from operator_protocol.errors import BadRequest, DaemonUnreachable, NotFound, OperatorError, Unavailable
from operator_protocol.stdio import fill_closed_streams

if TYPE_CHECKING:
    from operator_clients.viewer.session import Session
    from operator_clients.viewer.signals import Signals
    from operator_protocol.recording import Recording

REFUSED = 1
USAGE = 2
NO_DAEMON = 3
_OF_A_RECORDING = {"--speed": "speed", "--from": "start", "--export": "export"}
"""Options that need one, and where their values are."""
_OF_AN_EXPORT = {"--out": "out", "--size": "size", "--at": "at", "--to": "end", "--idle": "idle"}
_DUMB = ("", "dumb", "unknown")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the viewer.

    Returns the exit code: 0, 1 for what is no recording, 2 for a usage error, 3 when the daemon refuses the key, 128
    and the number for a signal.
    """
    fill_closed_streams()
    parser = _parser()
    options = parser.parse_args(argv)
    if (misused := _misused(options)) is not None:
        parser.error(misused)
    try:
        if options.replay is not None:
            return _replay(options)
        return _view(options, resolve_endpoint(options.endpoint, key=options.key))
    except OperatorError as error:
        print(f"operator-viewer: {error}", file=sys.stderr)
        return NO_DAEMON if isinstance(error, DaemonUnreachable) else USAGE


def _misused(options: argparse.Namespace) -> str | None:
    """Options that mean nothing together."""
    if options.replay is None:
        given = [name for name in _OF_A_RECORDING if getattr(options, _OF_A_RECORDING[name]) is not None]
        return f"{_and(given, 'need')} a recording: --replay FILE|DIR|NAME" if given else None
    if options.export is None:
        given = [name for name in _OF_AN_EXPORT if getattr(options, _OF_AN_EXPORT[name]) is not None]
        return f"{_and(given, 'need')} --export svg or --export asciicast" if given else None
    if options.out is None:
        return "--export needs --out FILE (- is standard output)"
    wrong = ("--from", "--to", "--speed", "--idle") if options.export == "svg" else ("--at",)
    names = {**_OF_A_RECORDING, **_OF_AN_EXPORT}
    given = [name for name in wrong if getattr(options, names[name]) is not None]
    if given and options.export == "svg":
        return f"an SVG is one moment: --at T, without {' and '.join(given)}"
    return "an asciicast is a stretch of time: --from T and --to T, without --at" if given else None


def _and(names: Sequence[str], verb: str) -> str:
    return f"{' and '.join(names)} {verb}{'s' if len(names) == 1 else ''}"


def _view(options: argparse.Namespace, endpoint: Endpoint) -> int:
    # Imported here so that --help and a usage error need no ZeroMQ.
    from operator_clients.viewer.session import Session
    from operator_clients.viewer.signals import Signals
    from operator_protocol.follow import Follower

    with Signals() as signals, Follower(endpoint) as follower:
        session = Session(follower, readonly=options.readonly, key_file=options.key)
        return _show(options, session, signals)


def _replay(options: argparse.Namespace) -> int:
    from operator_clients.recordings import recording_path
    from operator_clients.viewer.replaying import ReplaySession
    from operator_clients.viewer.signals import Signals
    from operator_protocol.recording import Recording
    from operator_protocol.replay import Replay

    try:
        with Recording.open(recording_path(options.replay)) as recording:
            if options.export is not None:
                return _export(options, recording)
            start_s = 0.0 if options.start is None else when.within(recording, options.start)
            with Signals() as signals:
                replay = Replay(recording, speed=options.speed or 1.0, at_s=start_s)
                return _show(options, ReplaySession(replay, time.monotonic()), signals)
    except (NotFound, BadRequest, Unavailable) as error:
        print(f"operator-viewer: {error}", file=sys.stderr)
        return REFUSED


def _export(options: argparse.Namespace, recording: "Recording") -> int:
    from operator_clients.viewer.export.exporting import export
    from operator_clients.viewer.signals import ENDING, Interrupted, Signals

    try:
        # A film takes a while; what of it is written when somebody has enough is taken away.
        with Signals(ENDING) as signals, signals.breakable():
            export(recording, options)
    except Interrupted as interruption:
        return 128 + interruption.signum
    return 0


def _show(options: argparse.Namespace, session: "Session", signals: "Signals") -> int:
    terminal = None if options.plain else _terminal()
    if terminal is None:
        from operator_clients.viewer.plain import Plain

        return Plain(session, signals, stdin=0, stdout=1).run()
    from operator_clients.viewer.app import App
    from operator_clients.viewer.keys import Keyboard
    from operator_clients.viewer.screen import Screen

    screen = Screen(1, signals.breakable)
    keyboard = Keyboard(terminal)
    return App(session, screen, keyboard, signals, animate=not options.no_animation, notes=options.notes).run()


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
    parser.add_argument(
        "--replay",
        metavar="FILE|DIR|NAME",
        help="play a recording, a journal, or a shipped recording (valkey, tikv); needs no daemon",
    )
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
    _add_export(parser)
    parser.add_argument("--readonly", action="store_true", help="refuse every key and command that changes something")
    parser.add_argument(
        "--notes", action="store_true", help="show the speaker notes in place of the story: for a screen of your own"
    )
    parser.add_argument("--no-animation", action="store_true", help="nothing pulses or spins")
    return parser


def _add_export(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("export", "what the viewer would show of a recording, as a file; no terminal")
    group.add_argument("--export", choices=("svg", "asciicast"), help="a picture, or a film for asciinema's players")
    group.add_argument("--out", metavar="FILE", help="where to; - is standard output")
    group.add_argument(
        "--size", metavar="WxH", type=when.argument(screen_size), help="columns by rows (default: 120x40)"
    )
    group.add_argument(
        "--at", metavar="T", type=when.argument(when.moment), help="svg: of this moment (default: the end)"
    )
    group.add_argument(
        "--to", metavar="T", dest="end", type=when.argument(when.moment), help="asciicast: up to then, begun at --from"
    )
    group.add_argument(
        "--idle",
        metavar="D",
        type=when.argument(when.seconds),
        help="asciicast: nothing stands still for longer (default: 2s)",
    )


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
