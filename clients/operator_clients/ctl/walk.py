"""The walk of ``demo --auto`` through all chapters: which key it presses, and what it waits for before.

It presses the same key as a person, ``next``, and sees what everybody sees, the frames. It waits where a presenter
would: until a chapter is done, until the load has a baseline to fall from, until the outage shows on the load, until
the load is back.

With a speed it is a rehearsal: in each chapter it also stays as long as a presenter would, divided by the speed.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from operator_clients.ctl.feed import Feed
from operator_clients.ctl.output import clean
from operator_clients.ctl.pace import Course, pause_s
from operator_clients.ctl.story import Story
from operator_clients.ctl.timeline import Timeline
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, DeadlineExceeded, OperatorError
from operator_protocol.frames import Frame
from operator_protocol.models import ChapterState, FaultKind
from operator_protocol.records import from_body
from operator_protocol.topics import DEMO_CHAPTER, FAULT_FAILED

CHAPTER_DEADLINE_S = 45.0
"""Stage 4 itself says so after 30 s without a detection."""
_LONGEST_CHAPTER_S = 600.0
"""A chapter from a file may give what it expects more time, and says when that is over."""
_TRIES = 3
"""A fault that a guard rail refuses: a cluster may be unwell for a single look, above all on a host that is busy."""
_BETWEEN_TRIES_S = 2.0
_DWELL_S = 0.5
"""A chapter that goes on by itself has this long to do so before we press the key."""
_BASELINE_DEADLINE_S = 25.0
"""Two warm-up samples and five for the baseline, one a second, after the records are loaded."""
_DEGRADED_DEADLINE_S = 6.0
"""A killed primary shows in the load within two samples."""
_AFTER_DEADLINE_S = 25.0
_ACCOUNT_DEADLINE_S = 3.0
_ENTER_DEADLINE_S = 5.0
RECOVER_DEADLINE_S = 60.0
_COMMAND_DEADLINE_S = 30.0


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
        self._works = False
        """Whether the chapter was at work when the last frame was taken in; what the follower knows is ahead of it."""
        self._refused = ""
        """Why the fault of this chapter was not injected."""

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
            self.command("recover", {"id": None}, deadline_s=RECOVER_DEADLINE_S)
        if (chapter := self._feed.follower.state.demo) is not None and chapter.index == 0:
            self._timeline.say(f"--- 0 {clean(chapter.title)}")
        else:
            self._enter(self.command("goto", {"chapter": 0}))

    def _advance(self, chapter: ChapterState) -> None:
        """Press ``next``, unless the story went on by itself."""
        if self._await(lambda: self._chapter().index != chapter.index, _DWELL_S):
            return
        self._refused = ""
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
        for tries_left in reversed(range(_TRIES)):
            came = self._await(lambda: done() or self._is_refused(), CHAPTER_DEADLINE_S) and done()
            if not self._is_refused():
                break
            if not tries_left:
                raise Conflict(self._refused)
            self._try_again()
        if not came and not self._chapter().busy and not self._chapter().overdue:
            came = self._await(lambda: done() or self._chapter().overdue, _LONGEST_CHAPTER_S) and done()
        if not came:
            chapter = self._chapter()
            why = "it is still busy" if chapter.busy else "what it expects did not come true"
            waited_s = self._timeline.elapsed_s() - began_s
            raise DeadlineExceeded(f"chapter {chapter.title!r} did not end within {waited_s:.0f} s: {why}")
        return self._chapter()

    def _is_refused(self) -> bool:
        chapter = self._chapter()
        return bool(self._refused) and not chapter.busy and chapter.expectation_met is False

    def _try_again(self) -> None:
        """As the story says itself: enter the chapter once more."""
        self._timeline.say(f"{clean(self._refused)}; trying again")
        self._await(lambda: False, _BETWEEN_TRIES_S)
        self._refused = ""
        self._enter(self.command("goto", {"chapter": self._chapter().index}))

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
            # What has arrived by the end counts, however late we are to look at it.
            for frame in self._feed.poll(max(0.0, left_s)):
                self._see(frame)
            for reason in self._feed.gaps:
                self._timeline.say(f"frames may be missing here: {reason}")
            self._feed.gaps.clear()
            if left_s <= 0:
                return true()
        return True

    def _see(self, frame: Frame) -> None:
        self._story.see(frame)
        self._timeline.see(frame)
        if frame.topic == FAULT_FAILED and self._works:
            self._refused = str(frame.body.get("error") or "the fault was not injected")
        if frame.topic == DEMO_CHAPTER:
            self._works = frame.body.get("busy") is True
            self._course.be_in(self._chapter(), self._timeline.elapsed_s())
