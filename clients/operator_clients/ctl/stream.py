"""``logs`` and ``events``: what the daemon still remembers, and with ``-f`` what happens from then on."""

import argparse
import select
import sys
from collections.abc import Callable, Iterable, Sequence

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.describe import describe, event_document, event_line
from operator_clients.ctl.exits import DONE, Usage
from operator_clients.ctl.output import clean, clock, maps
from operator_clients.ctl.session import Session, to_json
from operator_protocol import topics
from operator_protocol.errors import NotFound
from operator_protocol.frames import Frame, header_from_wire

_LOOK_AT_READER_S = 0.5
"""How soon ``events -f | head -1`` notices that nobody reads any more, even when nothing happens."""
_REPEATING = (topics.CLUSTER_HEALTH, "process.")
"""Published on a clock; as text only the changes are worth a line."""

_LOGS_EXAMPLES = """\
  operatorctl logs                     what every process wrote last
  operatorctl logs monitor agent -f
  operatorctl logs valkey-0 --json"""
_EVENTS_EXAMPLES = """\
  operatorctl events                   what the daemon remembers of violations, tickets, faults, …
  operatorctl events -f --topic fault. violation.opened
  operatorctl events -f --json | jq -c '[.topic, .body]'"""


def _logs(args: argparse.Namespace, session: Session) -> int:
    wanted: Sequence[str] = ("process.",)
    if args.process:
        _check_names(args.process, session)
        wanted = [topics.process_log(name) for name in args.process]
    _print_frames(session, wanted, _is_log, _log_line, follow=args.follow)
    return DONE


def _check_names(names: Iterable[str], session: Session) -> None:
    known = [str(process.get("name")) for process in maps(session.ask("processes").get("processes"))]
    for name in names:
        if name not in known:
            raise NotFound(f"no process is called {name!r}", f"there are {', '.join(sorted(known))}")


def _is_log(frame: Frame) -> bool:
    return frame.topic.startswith("process.") and frame.topic.endswith(".log")


def _log_line(frame: Frame) -> str:
    name = frame.topic.removeprefix("process.").removesuffix(".log")
    return f"{clock(frame.header.wall_ts)} {name} | {clean(describe(frame.topic, frame.body))}"


def _events(args: argparse.Namespace, session: Session) -> int:
    wanted: list[str] | None = args.topic
    for topic in wanted or ():
        if not topic.strip("."):
            raise Usage(f"{topic!r} is not a topic", "a whole topic like fault.injected, or a family like fault.")
    _print_frames(session, wanted, _is_event if wanted is None else _anything, _Changes(), follow=args.follow)
    return DONE


def _is_event(frame: Frame) -> bool:
    """Without ``--topic``: everything but the clock of the bus and the output that ``logs`` shows."""
    return frame.topic != topics.HEARTBEAT and not _is_log(frame)


def _anything(_frame: Frame) -> bool:
    return True


class _Changes:
    """Lines of frames, None for one that repeats what its topic said last."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __call__(self, frame: Frame) -> str | None:
        if topics.matches(frame.topic, _REPEATING) and not _is_log(frame):
            told = describe(frame.topic, frame.body)
            if self._last.get(frame.topic) == told:
                return None
            self._last[frame.topic] = told
        return event_line(frame)


def _print_frames(
    session: Session,
    wanted: Sequence[str] | None,
    keep: Callable[[Frame], bool],
    line: Callable[[Frame], str | None],
    *,
    follow: bool,
) -> None:
    def emit(frames: Iterable[Frame]) -> None:
        for frame in frames:
            if keep(frame):
                text = to_json(event_document(frame)) if session.as_json else line(frame)
                if text is not None:
                    print(text)
        sys.stdout.flush()

    if not follow:
        emit(frame for frame in _remembered(session) if topics.matches(frame.topic, wanted))
        return
    with session.feed(wanted) as feed:
        emit(feed.history())
        while _somebody_reads():
            emit(feed.poll(_LOOK_AT_READER_S))
            for reason in feed.gaps:
                print(f"operatorctl: some frames may be missing here: {reason}", file=sys.stderr)
            feed.gaps.clear()
    raise BrokenPipeError


def _remembered(session: Session) -> list[Frame]:
    """The tails of a snapshot: one command, so that a look back does not cost a join."""
    tails = session.ask("snapshot").get("tails") or []
    frames = [Frame(str(topic), header_from_wire(header), body) for topic, header, body in tails]
    return sorted(frames, key=lambda frame: frame.header.seq)


def _somebody_reads() -> bool:
    """False when standard output is a pipe whose reader has left."""
    poller = select.poll()
    poller.register(sys.stdout.fileno(), 0)
    return not any(event & select.POLLERR for _, event in poller.poll(0))


def _logs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("process", metavar="PROCESS", nargs="*", help="only these (default: all)")
    _follow_option(parser)


def _events_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--topic",
        metavar="T",
        nargs="+",
        action="extend",
        help="whole topics (fault.injected) or families that end in a dot (fault.); "
        "default: all but heartbeat and process.NAME.log",
    )
    _follow_option(parser)


def _follow_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what happens from now on")


LOGS = Subcommand(_logs_arguments, _logs, _LOGS_EXAMPLES)
EVENTS = Subcommand(_events_arguments, _events, _EVENTS_EXAMPLES)
