"""``demo --auto``: the whole story without hands, measured.

It presses the same key as a person, ``next``, and sees what everybody sees, the frames. It waits where a presenter
would: until a chapter is done, until the load has a baseline to fall from, until the outage shows on the load, until
the load is back. However it ends, it sends ``recover`` and stops the load before it leaves.

With ``--speed`` it is a rehearsal: in each chapter it also stays as long as a presenter would, divided by the speed.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from operator_clients.ctl.commands import Subcommand
from operator_clients.ctl.exits import DONE, INTERRUPTED, REFUSED, TERMINATED, Terminated, Usage
from operator_clients.ctl.feed import Feed
from operator_clients.ctl.output import clean, ops
from operator_clients.ctl.pace import FASTEST, SLOWEST, Course, pause_s, read_speed
from operator_clients.ctl.session import Session, to_json
from operator_clients.ctl.story import Story
from operator_clients.ctl.timeline import Timeline
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, DeadlineExceeded, OperatorError
from operator_protocol.frames import Frame
from operator_protocol.models import ChapterState, FaultKind
from operator_protocol.records import from_body
from operator_protocol.topics import DEMO_CHAPTER

CHAPTER_DEADLINE_S = 45.0
"""Stage 4 itself says so after 30 s without a detection."""
_LONGEST_CHAPTER_S = 600.0
"""A chapter from a file may give what it expects more time, and says when that is over."""
_DWELL_S = 0.5
"""A chapter that goes on by itself has this long to do so before we press the key."""
_BASELINE_DEADLINE_S = 25.0
"""Two warm-up samples and five for the baseline, one a second, after the records are loaded."""
_DEGRADED_DEADLINE_S = 6.0
"""A killed primary shows in the load within two samples."""
_AFTER_DEADLINE_S = 25.0
_ACCOUNT_DEADLINE_S = 3.0
_ENTER_DEADLINE_S = 5.0
_RECOVER_DEADLINE_S = 60.0
_COMMAND_DEADLINE_S = 30.0

_EXAMPLES = """\
  operatorctl demo --auto
  operatorctl demo --auto --json | jq .ok
  operatorctl demo --auto --speed 1      a rehearsal, with the pauses of a presenter
  operatorctl demo --auto --speed 4      four times as fast"""


class Walk:
    """One walk through all chapters."""

    def __init__(self, feed: Feed, story: Story, timeline: Timeline, speed: float | None = None) -> None:
        self._feed = feed
        self._speed = speed
        self._course = Course()
        self._story = story
        self._timeline = timeline
        self._load_was_there = False
        """A load that somebody else started is not ours to stop."""

    def go(self) -> None:
        """From the first chapter to the last. Raises ``DeadlineExceeded`` for a chapter that does not end."""
        self._load_was_there = self._load_runs()
        self._learn_kinds()
        self._begin()
        while True:
            self._course.be_in(self._chapter(), self._timeline.elapsed_s())
            chapter = self._settle()
            if chapter.index < chapter.total - 1:
                self._hold()
            self._pause(chapter)
            if chapter.index >= chapter.total - 1:
                break
            self._advance(chapter)
        self._finish()

    def chapters(self) -> list[Body]:
        """How long each chapter took, and how long the pause in it was."""
        return self._course.told(self._timeline.elapsed_s())

    def command(self, cmd: str, args: Body | None = None, *, deadline_s: float = _COMMAND_DEADLINE_S) -> Body:
        """A command to the daemon, frames being taken in meanwhile."""
        return self._feed.perform(cmd, args, deadline_s=deadline_s, on_frame=self._see)

    def _learn_kinds(self) -> None:
        with suppress(OperatorError):  # a daemon without a catalogue: every fault has to show in the load
            kinds = [from_body(FaultKind, body) for body in self.command("faults").get("kinds") or []]
            self._story.outages = {kind.name: kind.outage for kind in kinds}

    def _begin(self) -> None:
        if self.command("status").get("faults"):
            self._timeline.say("a fault is owed from before: recovering first")
            self.command("recover", {"id": None}, deadline_s=_RECOVER_DEADLINE_S)
        if (chapter := self._feed.follower.state.demo) is not None and chapter.index == 0:
            self._timeline.say(f"--- 0 {clean(chapter.title)}")
        else:
            self._enter(self.command("goto", {"chapter": 0}))

    def _advance(self, chapter: ChapterState) -> None:
        """Press ``next``, unless the story went on by itself."""
        if self._await(lambda: self._chapter().index != chapter.index, _DWELL_S):
            return
        try:
            self._enter(self.command("next"))
        except Conflict:
            # It went on between our look and our key, or became busy again; if neither, there is no way on.
            moved = self._await(lambda: self._chapter().index != chapter.index or self._chapter().busy, _DWELL_S)
            if not moved:
                raise

    def _enter(self, reply: Body) -> None:
        """Wait for the frame of the chapter that the reply speaks of: only frames are in order among themselves."""
        entered = from_body(ChapterState, reply.get("chapter") or {})

        def is_here() -> bool:
            chapter = self._chapter()
            return chapter.index == entered.index or chapter.entered_at > entered.entered_at

        if not self._await(is_here, _ENTER_DEADLINE_S):
            raise DeadlineExceeded(f"{entered.title!r} was entered, but no demo.chapter frame says so")

    def _pause(self, chapter: ChapterState) -> None:
        """Stay as a presenter would, unless the story goes on by itself."""
        if self._speed is None:
            return
        began_s = self._timeline.elapsed_s()
        stays_s = pause_s(chapter, self._speed)
        self._timeline.say(f"pause {stays_s:.1f} s")
        self._await(lambda: self._chapter().index != chapter.index, stays_s)
        self._course.pause(chapter.index, self._timeline.elapsed_s() - began_s)

    def _settle(self) -> ChapterState:
        """Wait until the chapter is done: not busy, and what it expects has come true."""

        def done() -> bool:
            chapter = self._chapter()
            return not chapter.busy and chapter.expectation_met is not False

        began_s = self._timeline.elapsed_s()
        came = self._await(done, CHAPTER_DEADLINE_S)
        if not came and not self._chapter().busy and not self._chapter().overdue:
            came = self._await(lambda: done() or self._chapter().overdue, _LONGEST_CHAPTER_S) and done()
        if not came:
            chapter = self._chapter()
            why = "it is still busy" if chapter.busy else "what it expects did not come true"
            waited_s = self._timeline.elapsed_s() - began_s
            raise DeadlineExceeded(f"chapter {chapter.title!r} did not end within {waited_s:.0f} s: {why}")
        return self._chapter()

    def _hold(self) -> None:
        """Wait for what the next chapter would spoil: the baseline before the fault, the outage before the recovery."""
        story = self._story
        if story.fault is None and story.baseline is None and self._load_runs():
            self._timeline.say("waiting for the load's baseline")
            self._await(lambda: story.baseline is not None, _BASELINE_DEADLINE_S)
        elif self._misses_outage() and self._load_runs():
            self._await(lambda: story.degraded_seen or story.recovered, _DEGRADED_DEADLINE_S)

    def _misses_outage(self) -> bool:
        story = self._story
        return story.diagnosed and not story.recovered and story.degraded_expected and not story.degraded_seen

    def _finish(self) -> None:
        if self._story.recovered and self._load_runs():
            self._timeline.say("waiting for the load after the recovery")
            self._await(lambda: self._story.settled, _AFTER_DEADLINE_S)
            self._await(lambda: self._story.accounted, _ACCOUNT_DEADLINE_S)
        if not self._load_was_there:
            self.command("workload", {"action": "stop"})
            self._timeline.say("load stopped")

    def _load_runs(self) -> bool:
        return bool((self.command("status").get("workload") or {}).get("running"))

    def _chapter(self) -> ChapterState:
        chapter = self._feed.follower.state.demo
        return chapter or ChapterState(index=-1, total=1 << 30, title="", narration="", busy=True)

    def _await(self, true: Callable[[], bool], timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while not true():
            left_s = until - time.monotonic()
            if left_s <= 0:
                return False
            for frame in self._feed.poll(left_s):
                self._see(frame)
            for reason in self._feed.gaps:
                self._timeline.say(f"frames may be missing here: {reason}")
            self._feed.gaps.clear()
        return True

    def _see(self, frame: Frame) -> None:
        self._story.see(frame)
        self._timeline.see(frame)
        if frame.topic == DEMO_CHAPTER:
            self._course.be_in(self._chapter(), self._timeline.elapsed_s())


def run(args: argparse.Namespace, session: Session) -> int:
    """Walk, put everything back, report."""
    if not args.auto and args.speed is not None:
        raise Usage("--speed is the pace of a rehearsal", "operatorctl demo --auto --speed 1")
    if not args.auto:
        raise Usage("only `demo --auto` runs here", "for the demo with keys, start: operator-viewer")
    with _sigterm_raises(), session.feed(None) as feed:
        status = session.ask("status")
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


def _leave(session: Session, timeline: Timeline, problems: list[str], *, complete: bool) -> int | None:
    """Recover and stop the load if the walk did not; returns how many faults are owed then, None if nobody knows."""
    try:
        if not complete:
            timeline.say("recovering before leaving")
            session.perform("recover", {"id": None}, deadline_s=_RECOVER_DEADLINE_S)
            session.perform("workload", {"action": "stop"})
        owed = len(session.ask("status").get("faults") or [])
        if owed and complete:
            session.perform("recover", {"id": None}, deadline_s=_RECOVER_DEADLINE_S)
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
    rates, operations = report["ops"], report["operations"]
    lines = [
        f"{clean(report['subject'])}: {clean(report['target'])} ({clean(report['role'])}): {clean(report['fault'])}",
        (
            f"  detected after {_seconds(report['detected_after_s'])}, diagnosed after "
            f"{_seconds(report['diagnosed_after_s'])}, recovered in {_seconds(report['recovered_after_s'])}"
        ),
        (
            f"  load: baseline {ops(rates['baseline'])}, lowest {ops(rates['lowest'])}, after {ops(rates['after'])}, "
            f"{report['errors']} errors"
        ),
    ]
    if report["repaired_by"] == "agent":
        lines.append(clean(f"  repaired by the agent: {report['action']['kind']} {report['action']['target']}"))
    if operations["served_by_nodes"] is not None:
        lines.append(f"  operations: {operations['counted']:,} counted, {operations['served_by_nodes']:,} by the nodes")
    lines += [f"  problem: {clean(problem)}" for problem in report["problems"]]
    return [*lines, *_rehearsed(report), "ok" if report["ok"] else "not ok"]


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
    return "-" if value is None else f"{value:.2f} s"


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
