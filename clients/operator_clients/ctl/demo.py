"""``demo --auto``: the whole story without hands, measured.

However the walk ends, ``recover`` is sent and the load is stopped before this leaves.
"""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, INTERRUPTED, REFUSED, TERMINATED, Terminated, Usage
from operator_clients.ctl.output import clean, ops
from operator_clients.ctl.pace import FASTEST, SLOWEST, read_speed
from operator_clients.ctl.session import Session, to_json
from operator_clients.ctl.story import Story
from operator_clients.ctl.timeline import Timeline
from operator_clients.ctl.walk import RECOVER_DEADLINE_S, Walk
from operator_clients.format import duration
from operator_protocol.codec import Body
from operator_protocol.errors import OperatorError, UnknownCommand, VersionMismatch

_RELIES_ON = ("busy", "expectation_met", "entered_at", "overdue")
"""What a chapter has to say of itself; a daemon that does not leaves the walk to wait for it."""

_EXAMPLES = """\
  operatorctl demo --auto
  operatorctl demo --auto --json | jq .ok
  operatorctl demo --auto --speed 1      a rehearsal, with the pauses of a presenter
  operatorctl demo --auto --speed 4      four times as fast"""


def run(args: argparse.Namespace, session: Session) -> int:
    """Walk, put everything back, report."""
    if not args.auto and args.speed is not None:
        raise Usage("--speed is the pace of a rehearsal", "operatorctl demo --auto --speed 1")
    if not args.auto:
        raise Usage("only `demo --auto` runs here", "for the demo with keys, start: operator-viewer")
    with _sigterm_raises(), session.feed(None) as feed:
        status = session.ask("status")
        _require_chapters_that_tell(status)
        story, timeline = Story(), Timeline(lambda line: print(line, file=sys.stderr, flush=True))
        walk = Walk(feed, story, timeline, args.speed)
        problems: list[str] = []
        code = DONE
        complete = False
        try:
            walk.go()
            complete = True
        except KeyboardInterrupt:
            problems.append("interrupted")
            code = INTERRUPTED
        except Terminated:
            problems.append("terminated")
            code = TERMINATED
        except UnknownCommand as error:
            problems.append(str(_too_old(status, error.message)))
        except OperatorError as error:
            problems.append(str(error))
        finally:
            owed = _leave(session, timeline, problems, complete=complete)
        report = _report(story, str(status.get("subject", "")), owed, problems, complete=complete)
        report["speed"], report["chapters"] = args.speed, walk.chapters()
        report["took_s"] = round(timeline.elapsed_s(), 1)
    if session.as_json:
        print(to_json(report), flush=True)
    else:
        print("\n".join(_summary(report)), flush=True)
    return code or (DONE if report["ok"] else REFUSED)


def _require_chapters_that_tell(status: Body) -> None:
    """Raise ``VersionMismatch`` for a daemon that is older than this walk."""
    told = status.get("demo") or {}
    if missing := [field for field in _RELIES_ON if field not in told]:
        raise _too_old(status, f"its chapters do not tell: {', '.join(missing)}")


def _too_old(status: Body, what: str) -> VersionMismatch:
    from importlib.metadata import version  # slow, and only for this

    return VersionMismatch(
        f"demo --auto needs operatord {version('operatord')}, which is installed here; the daemon that runs is older "
        f"({status.get('version')}): {what}",
        "start it anew: operatord stop, then operatord start",
    )


def _leave(session: Session, timeline: Timeline, problems: list[str], *, complete: bool) -> int | None:
    """Recover and stop the load if the walk did not; returns how many faults are owed then, None if nobody knows."""
    try:
        if not complete:
            timeline.say("recovering before leaving")
            session.perform("recover", {"id": None}, deadline_s=RECOVER_DEADLINE_S)
            session.perform("workload", {"action": "stop"})
        owed = len(session.ask("status").get("faults") or [])
        if owed and complete:
            session.perform("recover", {"id": None}, deadline_s=RECOVER_DEADLINE_S)
    except OperatorError as error:
        if str(error) not in problems:
            problems.append(str(error))
        return None
    return owed


def _report(story: Story, subject: str, owed: int | None, problems: list[str], *, complete: bool) -> dict[str, Any]:
    # A story of somebody else's may break nothing; that each of its chapters came true has been seen.
    problems = problems + (story.problems() if story.fault is not None or not complete else [])
    if owed:
        problems.append(f"{owed} faults were still owed at the end")
    return {"ok": not problems, "subject": subject, **story.figures(), "faults_owed": owed, "problems": problems}


def _summary(report: Body) -> list[str]:
    """The report for a person."""
    if report["target"] is None:
        told = [f"problem: {clean(problem)}" for problem in report["problems"]]
        return told or ["nothing was broken in this story", *_rehearsed(report), "ok"]
    operations = report["operations"]
    lines = [line for act in report["acts"] for line in _act(str(report["subject"]), act)]
    if operations["served_by_nodes"] is not None:
        lines.append(f"  operations: {operations['counted']:,} counted, {operations['served_by_nodes']:,} by the nodes")
    lines += [f"  problem: {clean(problem)}" for problem in report["problems"]]
    return [*lines, *_rehearsed(report), "ok" if report["ok"] else "not ok"]


def _act(subject: str, act: Body) -> list[str]:
    """What was broken, when it was noticed, explained and whole again, and what the load felt of it."""
    rates, first, diagnosed = act["ops"], act["first_answer_after_s"], act["diagnosed_after_s"]
    answered = f"first answer after {_seconds(first)}, " if first != diagnosed else ""
    lines = [
        f"{clean(subject)}: {clean(act['target'])} ({clean(act['role'])}): {clean(act['fault'])}",
        (
            f"  detected after {_seconds(act['detected_after_s'])}, {answered}diagnosed after {_seconds(diagnosed)}, "
            f"recovered in {_seconds(act['recovered_after_s'])}"
        ),
        (
            f"  load: baseline {ops(rates['baseline'])}, lowest {ops(rates['lowest'])}, after {ops(rates['after'])}, "
            f"{act['errors']} errors"
        ),
    ]
    if act["repaired_by"] == "agent":
        lines.append(clean(f"  repaired by the agent: {act['action']['kind']} {act['action']['target']}"))
    return lines


def _rehearsed(report: Body) -> list[str]:
    """Of a rehearsal: where the time went."""
    if report["speed"] is None:
        return []
    rows = [
        f"  {one['index']} {clean(one['title']):<28} took {one['took_s']:6.1f} s, a pause of {one['paused_s']:5.1f} s"
        for one in report["chapters"]
    ]
    return [f"a rehearsal at speed {report['speed']:g}, {report['took_s']:.0f} s in all:", *rows]


def _seconds(value: float | None) -> str:
    return "-" if value is None else duration(value)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """SIGTERM and SIGHUP become ``Terminated``, so that what is owed is recovered first."""

    def terminated(_signum: int, _frame: FrameType | None) -> None:
        raise Terminated

    previous = {signum: signal.signal(signum, terminated) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def configure(parser: argparse.ArgumentParser) -> None:
    """The walk, and its pace."""
    parser.add_argument("--auto", action="store_true", help="walk through all chapters without a key")
    parser.add_argument(
        "--speed",
        type=_speed,
        metavar="N",
        help="rehearse: pause in each chapter as a presenter would, N times as fast (1 is the pace of a talk)",
    )


def _speed(text: str) -> float:
    try:
        return read_speed(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed from {SLOWEST:g} to {FASTEST:g}") from None


DEMO = Subcommand(configure, run, _EXAMPLES)
