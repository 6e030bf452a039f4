"""``record``: what happens from now on, into a file that replays."""

import argparse
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import clock, count
from operator_clients.ctl.parsing import duration_s
from operator_clients.ctl.printing import check_topics
from operator_clients.ctl.session import JOIN_S, Session
from operator_clients.format import byte_size, duration
from operator_protocol.events import Event, Resynced, StatusChanged
from operator_protocol.follow import Follower
from operator_protocol.recorder import Recorder

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_S = 0.25
_PING_S = 5.0
_EXAMPLES = """\
  operatorctl record demo.opj                  until Ctrl+C; then: operator-viewer --replay demo.opj
  operatorctl record demo.opj --for 10m
  operatorctl record faults.opj --topic fault. violation. ticket."""


def run(args: argparse.Namespace, session: Session) -> int:
    """Record until told to stop; a daemon that restarts meanwhile is recorded on."""
    check_topics(args.topic)
    session.ask("ping", deadline_s=_PING_S)
    path = Path(args.path)
    with (
        _ended_by_signals() as asked_to_end,
        Follower(session.endpoint, topics=args.topic) as follower,
        Recorder(follower, path, args.topic, label=args.label) as recorder,
    ):
        follower.join(JOIN_S)
        session.note(f"recording into {path}; Ctrl+C ends it")
        began = time.monotonic()
        try:
            over = False
            while not over:
                over = asked_to_end() or (args.for_s is not None and time.monotonic() - began >= args.for_s)
                # What has come by now belongs to it, the checkpoint of the join at least.
                events = follower.poll(0.0 if over else _LOOK_S)
                recorder.take(events)
                _tell(events, session)
        finally:
            if recorder.bytes:
                _report(recorder, time.monotonic() - began, session)
    return DONE


def _tell(events: list[Event], session: Session) -> None:
    for event in events:
        if isinstance(event, Resynced):
            session.note(f"{clock(time.time())} {event.reason}; recording on from a new snapshot")
        elif isinstance(event, StatusChanged) and event.status == "lost":
            session.note(f"{clock(time.time())} the daemon does not answer; waiting for it to come back")


def _report(recorder: Recorder, took_s: float, session: Session) -> None:
    recorder.close()
    told = {"file": str(recorder.path), "frames": recorder.frames, "bytes": recorder.bytes, "seconds": took_s}
    frames, size = count(recorder.frames, "frame"), byte_size(recorder.bytes)
    session.show(told, f"{frames} in {duration(took_s)}, {size}, in {recorder.path}")


@contextmanager
def _ended_by_signals() -> Iterator[Callable[[], bool]]:
    """The end is a wish, not an accident: the file is closed and the exit code is 0."""
    asked: list[int] = []

    def ask(signum: int, _frame: FrameType | None) -> None:
        asked.append(signum)

    before = {signum: signal.signal(signum, ask) for signum in _ENDING}
    try:
        yield lambda: bool(asked)
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def configure(parser: argparse.ArgumentParser) -> None:
    """Where to, and what of it, for how long."""
    parser.add_argument("path", metavar="FILE", help="a new file; one that exists is not overwritten")
    parser.add_argument(
        "--topic",
        metavar="T",
        nargs="+",
        action="extend",
        help="only these whole topics, or families that end in a dot (default: everything)",
    )
    parser.add_argument(
        "--label", metavar="TEXT", default="", help="what it is; whoever replays it reads that in the header, always"
    )
    parser.add_argument("--for", metavar="D", dest="for_s", type=duration_s, help="end after 30s, 10m, …")


RECORD = Subcommand(configure, run, _EXAMPLES)
