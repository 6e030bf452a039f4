"""``logs`` and ``events``: what the daemon still remembers, and with ``-f`` what happens from then on.

``events --since`` looks further back, into the daemon's journal. With ``-f`` it joins the bus first and reads the
journal then: what was published before the join is in the journal, what comes after it is waiting in the socket, and
the sequence numbers tell which of the frames in both were printed already.
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from operator_clients import when
from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.describe import describe
from operator_clients.ctl.exits import DONE
from operator_clients.ctl.output import clean, clock, maps
from operator_clients.ctl.printing import Changes, Printer, check_topics, somebody_reads, warn
from operator_clients.ctl.session import Session
from operator_protocol import topics
from operator_protocol.errors import NotFound
from operator_protocol.frames import Frame, header_from_wire
from operator_protocol.journal import is_log

if TYPE_CHECKING:
    from operator_clients.ctl.feed import Feed

_LOOK_AT_READER_S = 0.5
"""How soon ``events -f | head -1`` notices that nobody reads any more, even when nothing happens."""

_LOGS_EXAMPLES = """\
  operatorctl logs                     what every process wrote last
  operatorctl logs monitor agent -f
  operatorctl logs valkey-0 --json"""
_EVENTS_EXAMPLES = """\
  operatorctl events                   what the daemon remembers of violations, tickets, faults, …
  operatorctl events -f --topic fault. violation.opened
  operatorctl events --since 5m        everything of the last five minutes, from the daemon's journal
  operatorctl events --since 14:03 -f  from then on, and go on with what happens
  operatorctl events -f --json | jq -c '[.topic, .body]'"""


def _logs(args: argparse.Namespace, session: Session) -> int:
    wanted: Sequence[str] = ("process.",)
    if args.process:
        _check_names(args.process, session)
        wanted = [topics.process_log(name) for name in args.process]
    _print_frames(session, wanted, _LogPrinter(session, wanted, _log_line), follow=args.follow)
    return DONE


def _check_names(names: Iterable[str], session: Session) -> None:
    known = [str(process.get("name")) for process in maps(session.ask("processes").get("processes"))]
    for name in names:
        if name not in known:
            raise NotFound(f"no process is called {name!r}", f"there are {', '.join(sorted(known))}")


class _LogPrinter(Printer):
    """Without what else the processes have to say."""

    def wants(self, topic: str) -> bool:
        return is_log(topic) and super().wants(topic)


def _log_line(frame: Frame) -> str:
    name = frame.topic.removeprefix("process.").removesuffix(".log")
    return f"{clock(frame.header.wall_ts)} {name} | {clean(describe(frame.topic, frame.body))}"


def _events(args: argparse.Namespace, session: Session) -> int:
    wanted: list[str] | None = args.topic
    check_topics(wanted)
    printer = Printer(session, wanted, Changes())
    if args.since is None:
        _print_frames(session, wanted, printer, follow=args.follow)
    else:
        _print_past(session, wanted, printer, when.ago(args.since, time.time()), follow=args.follow)
    return DONE


def _print_frames(
    session: Session, wanted: Sequence[str] | None, printer: Printer, *, follow: bool, since: float = 0.0
) -> None:
    if not follow:
        printer.emit(frame for frame in _remembered(session) if frame.header.wall_ts >= since)
        return
    with session.feed(wanted, patient=True) as feed:
        printer.emit(frame for frame in feed.history() if frame.header.wall_ts >= since)
        _follow(feed, printer)


def _print_past(
    session: Session, wanted: Sequence[str] | None, printer: Printer, since: float, *, follow: bool
) -> None:
    from operator_clients.ctl.past import Past, check_remembered  # only who looks back reads journals

    if session.endpoint.curve is not None:
        check_remembered(session.ask("snapshot"), since, printer.wants)
        _print_frames(session, wanted, printer, follow=follow, since=since)
        return
    directory = Path(str(session.ask("status").get("state_dir"))) / "journal"
    if not follow:
        now, past = session.ask("snapshot"), Past(directory, since)
        printer.emit(past)
        if past.last.get(str(now.get("boot_id")), 0) < int(now.get("seq") or 0):
            warn("the last frames are missing: the journal does not go on until now, the daemon's log may say why")
        return
    with session.feed(wanted, patient=True) as feed:
        past = Past(directory, since)
        printer.emit(past)
        if not feed.go_on_after(past.last.get(feed.follower.boot_id or "", 0)):
            warn("some frames are missing here: the journal does not go on until now")
        _follow(feed, printer)


def _follow(feed: "Feed", printer: Printer) -> NoReturn:
    """Print what happens until somebody says stop."""
    while somebody_reads():
        printer.emit(feed.poll(_LOOK_AT_READER_S))
        for reason in feed.gaps:
            warn(f"some frames may be missing here: {reason}")
        feed.gaps.clear()
        for notice in feed.notices:
            warn(notice)
        feed.notices.clear()
    raise BrokenPipeError


def _remembered(session: Session) -> list[Frame]:
    """The tails of a snapshot: one command, so that a look back does not cost a join."""
    tails = session.ask("snapshot").get("tails") or []
    frames = [Frame(str(topic), header_from_wire(header), body) for topic, header, body in tails]
    return sorted(frames, key=lambda frame: frame.header.seq)


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
    parser.add_argument(
        "--since",
        metavar="T",
        type=when.argument(when.moment),
        help="from the daemon's journal: 5m, 1h30m, or a time of day like 14:03:07",
    )
    _follow_option(parser)


def _follow_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what happens from now on")


LOGS = Subcommand(_logs_arguments, _logs, _LOGS_EXAMPLES)
EVENTS = Subcommand(_events_arguments, _events, _EVENTS_EXAMPLES)
