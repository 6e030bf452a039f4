"""The director: where the story is, and what may happen next.

It lives in the daemon, so two viewers and a script see the same chapter. The rules:

- **Forward** (``next``, ``goto``): the chapter's ``on_enter`` runs unless its effect is in force already. What the
  chapter needs from earlier ones and is not there is brought about first, in the open: ``goto 5`` from the beginning
  starts the load, waits for its baseline, counts down, breaks a node, and then shows the diagnosis.
- **Backward**: every chapter that is left takes its effect back, last first; the fault is recovered, and the load is
  stopped if this story started it. ``previous`` never breaks anything: it shows the chapter as it was left. ``goto`` an
  earlier chapter, or the present one, enters it anew.
- A chapter that blocks lets nobody on while it works or after it failed; back is always possible, and interrupts a
  countdown.
- Every way out recovers what is owed: the last chapter, going back, and ``close`` when the daemon stops.
- What a chapter expects and does not get in its time is said, with the way back.

Moves answer at once; the work goes on in one task, and each change is a frame on ``demo.chapter``.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from operator_protocol.codec import Body
from operator_protocol.errors import (
    Conflict,
    DeadlineExceeded,
    InternalError,
    OperatorError,
    Unavailable,
)
from operator_protocol.models import ChapterState
from operator_protocol.records import to_body
from operator_protocol.topics import DEMO_CHAPTER
from operatord.clock import Clock
from operatord.demo.chapter import ENGLISH, Agent, Chapter, Load, Story, find_chapter
from operatord.demo.chapters import CHAPTERS
from operatord.demo.narration import Narrator
from operatord.demo.telling import Scene, Telling
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Publish, Sleep

_TICK_S = 1.0
"""Words that count seconds are renewed this often."""
_NEED_S = 30.0
"""For an earlier chapter's expectation to come true, when a later one needs it."""

_log = logging.getLogger(__name__)


class Director:
    """Walks through the chapters. All methods belong to the daemon's event loop."""

    def __init__(
        self,
        desk: FaultDesk,
        load: Load,
        publish: Publish,
        *,
        chapters: Sequence[Chapter] = CHAPTERS,
        narrator: Narrator = ENGLISH,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
        agent: Agent | None = None,
    ) -> None:
        self._story = Story(desk, load, agent, clock, sleep)
        self._publish = publish
        self._chapters = tuple(chapters)
        self._narrator = narrator
        self._clock, self._wall, self._sleep = clock, wall, sleep
        self._telling = Telling(clock, wall)
        self._index = 0
        self._entry = 0
        """Counts moves; work of an earlier entry does not speak for the present one."""
        self._entered_mono, self._entered_at = clock(), wall()
        self._idle_since = clock()
        """Since when there is nothing left to do in this chapter but to wait."""
        self._came_from = 0
        self._error: OperatorError | None = None
        self._undo_failed = False
        """Whether the error is that of taking back chapters that were left, not of the one that was entered."""
        self._work: asyncio.Task[None] | None = None
        self._going_back = False
        self._preparing: Chapter | None = None
        self._may_advance = False
        self._advance: asyncio.Task[None] | None = None
        self._own: set[str] = set()
        """Titles of chapters whose effect this story brought about."""
        self._broken_by: tuple[str, str] = ("", "")
        """The chapter that broke something last, and the id of its fault."""
        self._shown: ChapterState | None = None
        self._changed = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Show the first chapter, and keep what is shown up to date from now on."""
        self._refresh()
        self._ticker = asyncio.create_task(self._tick(), name="demo ticker")

    def see(self, topic: str, body: Body) -> None:
        """Take in a frame of the bus; topics that the story does not tell about are ignored."""
        if self._telling.see(topic, body):
            self._refresh()

    async def next(self) -> ChapterState:
        """Enter the next chapter. Raises ``Conflict`` while this one blocks, and after the last."""
        self._require_way_on()
        if self._index + 1 == len(self._chapters):
            raise Conflict("the demo is complete: there is no next chapter", "goto 0 tells it from the beginning")
        return self._move(self._index + 1, perform=True)

    async def previous(self) -> ChapterState:
        """Go back one chapter, or to where a jump came from that is not over yet, taking back what is left behind.

        Raises ``Conflict`` at the first chapter.
        """
        self._require_open()
        if self._index == 0:
            raise Conflict("this is the first chapter: there is no previous one")
        target = self._came_from if self._preparing is not None else self._index - 1
        return self._move(min(target, self._index - 1), perform=False)

    async def goto(self, chapter: int | str) -> ChapterState:
        """Enter ``chapter``, an index from 0, a title, or the beginning of one that no other title has.

        Forward it is refused with ``Conflict`` like ``next``. Raises ``NotFound`` with the chapters there are.
        """
        index = find_chapter(self._chapters, chapter)
        if index > self._index:
            self._require_way_on()
        elif index == self._index and self._is_working():
            raise Conflict(f"{self._chapter.title} is being entered already", self._hint())
        return self._move(index, perform=True)

    def state(self) -> ChapterState:
        """Where the story is."""
        return self._state(self._scene())

    async def close(self, *, undo: bool = True) -> None:
        """End the story: stop what it is doing and recover everything owed. Raises like ``FaultDesk.recover``.

        Without ``undo`` the recovery is left to the caller, who closes the desk next.
        """
        self._closed = True
        self._entry += 1
        tasks = [task for task in (self._ticker, self._advance, self._work) if task is not None]
        self._story.desk.abort_countdowns()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if undo:
            await self._story.desk.recover()

    @property
    def holds_actions(self) -> bool:
        """Whether what the agent may do by itself has to wait: the story is not there yet."""
        return self._chapter.holds_actions and bool(self._story.desk.owed()) and not self._closed

    @property
    def _chapter(self) -> Chapter:
        return self._chapters[self._index]

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the daemon is stopping: the story is over")

    def _require_way_on(self) -> None:
        self._require_open()
        title = self._chapter.title
        if self._is_working() and (self._going_back or self._preparing is not None or self._chapter.blocks_advance):
            raise Conflict(f"{title} is not over yet", self._hint())
        if self._error is not None and self._chapter.blocks_advance:
            raise Conflict(
                f"{title} did not work: {self._error.message}", f"goto {self._index} tries again, previous goes back"
            )

    def _is_working(self) -> bool:
        return self._work is not None and not self._work.done()

    def _move(self, index: int, *, perform: bool) -> ChapterState:
        """Be in chapter ``index`` from now on; the effects of that follow in a task."""
        self._require_open()
        before = self._work if self._is_working() else None
        if before is not None and index <= self._index:
            self._story.desk.abort_countdowns()
        left = [chapter for chapter in reversed(self._chapters[index + 1 : self._index + 1]) if chapter.undo]
        # What is still at work may yet bring an effect about, so whether there is one is asked after it ended.
        leaving = left if before is not None or any(map(self._has_to_be_undone, left)) else []
        if not leaving:
            self._own.difference_update(chapter.title for chapter in left)
            if left or index == 0:
                self._forget()
        if self._advance is not None:
            self._advance.cancel()
            self._advance = None
        self._came_from, self._index = self._index, index
        self._entry += 1
        self._entered_mono, self._entered_at = self._clock(), self._wall()
        self._idle_since = self._entered_mono
        self._error, self._undo_failed = None, False
        self._preparing, self._going_back = None, bool(leaving)
        self._may_advance = perform
        self._wake()
        missing = perform and self._is_missing(self._chapter)
        if missing and not leaving:
            self._preparing = self._first_need(self._chapter)
        if before is not None or leaving or missing:
            self._work = asyncio.create_task(self._perform(self._entry, before, leaving, perform=perform))
            self._work.add_done_callback(lambda _: self._refresh())
        self._refresh()
        return self.state()

    async def _perform(
        self, entry: int, before: "asyncio.Task[None] | None", leaving: list[Chapter], *, perform: bool
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await self._take_back(leaving, entry)
            if entry == self._entry:
                self._going_back = False
                self._refresh()
            if perform:
                await self._bring_about(self._chapter, entry)
        except OperatorError as error:
            self._fail(entry, error)
        except Exception as error:
            _log.exception("a chapter failed")
            self._fail(entry, InternalError(f"{type(error).__name__}: {error}", "the daemon's log has the details"))
        finally:
            if entry == self._entry:
                self._going_back, self._preparing = False, None
                self._idle_since = self._clock()

    def _has_to_be_undone(self, chapter: Chapter) -> bool:
        return chapter.in_force(self._story) and (chapter.title in self._own or not chapter.undo_only_own)

    def _is_missing(self, chapter: Chapter) -> bool:
        """Something has to be done, or waited for, before ``chapter`` can show what it is for."""
        acts = chapter.on_enter is not None and not chapter.in_force(self._story)
        return acts or self._first_need(chapter) is not None

    def _first_need(self, chapter: Chapter) -> Chapter | None:
        """The earliest of the chapters that ``chapter`` needs whose effect is not there."""
        for needed in self._needs(chapter):
            if not self._has_come_true(needed):
                return self._first_need(needed) or needed
        return None

    def _needs(self, chapter: Chapter) -> list[Chapter]:
        return [one for one in self._chapters if one.title in chapter.needs]

    async def _bring_about(self, chapter: Chapter, entry: int) -> None:
        """What ``chapter`` needs, then its own effect; each only where it is not there already."""
        for needed in self._needs(chapter):
            if entry == self._entry and not self._has_come_true(needed):
                await self._bring_about(needed, entry)
                await self._come_true(needed, entry)
        if entry != self._entry:
            return
        self._preparing = None if chapter is self._chapter else chapter
        self._refresh()
        if chapter.on_enter is not None and not chapter.in_force(self._story):
            if chapter.undo is not None:
                self._forget()
            self._own.add(chapter.title)
            await chapter.on_enter(self._story)
            if chapter.breaks and (owed := self._story.desk.owed()):
                self._broken_by = (chapter.title, owed[-1].id)

    async def _come_true(self, chapter: Chapter, entry: int) -> None:
        deadline = self._clock() + _NEED_S
        while entry == self._entry and not self._has_come_true(chapter):
            if self._clock() >= deadline:
                raise DeadlineExceeded(
                    f"{chapter.title} did not get there in {_NEED_S:g} s, and {self._chapter.title} needs it",
                    f"goto {self._chapters.index(chapter)} shows what it waits for",
                )
            await self._changed.wait()

    async def _take_back(self, leaving: list[Chapter], entry: int) -> None:
        """Undo the effects of chapters that were left; one that fails does not keep the others. Raises the first."""
        failed: OperatorError | None = None
        for chapter in leaving:
            try:
                if chapter.undo is not None and self._has_to_be_undone(chapter):
                    await chapter.undo(self._story)
            except OperatorError as error:
                failed = failed or error
            self._own.discard(chapter.title)
            self._forget()
        if failed is not None:
            self._undo_failed = entry == self._entry
            raise failed

    def _forget(self) -> None:
        if not self._story.desk.owed():
            self._telling.forget_fault()

    def _fail(self, entry: int, error: OperatorError) -> None:
        if entry == self._entry:
            self._error = error

    def _has_passed(self, scene: Scene) -> bool:
        """What went wrong was put right meanwhile, by whomever."""
        if self._undo_failed:
            return not scene.owed
        return self._chapter.expectation is not None and self._chapter.expectation(scene)

    def _has_come_true(self, chapter: Chapter) -> bool:
        scene = self._scene()
        if chapter.breaks and scene.fault is not None:
            title, fault_id = self._broken_by
            if fault_id == scene.fault.id and title != chapter.title:
                return False  # that is what another chapter broke; one that was broken by hand is anybody's
        return chapter.expectation is None or chapter.expectation(scene)

    async def _tick(self) -> None:
        while True:
            await self._sleep(_TICK_S)
            self._refresh()

    def _refresh(self) -> None:
        """Publish the chapter if it looks different from what was published last, and go on if it is time to."""
        if self._closed:
            return
        scene = self._scene()
        chapter = self._chapter
        if self._error is not None and self._has_passed(scene):
            self._error = None
        # Decided before it is published: a client that sees the expectation come true must not step on as well.
        if self._is_time_to_advance(scene):
            self._advance = asyncio.create_task(self._advance_after(chapter.auto_advance or 0.0, self._entry))
        state = self._state(scene)
        if state.expectation_met:
            self._idle_since = self._clock()  # what is undone by hand afterwards has its time, too
        if state != self._shown:
            self._shown = state
            self._publish(DEMO_CHAPTER, to_body(state))
        self._wake()

    def _is_time_to_advance(self, scene: Scene) -> bool:
        chapter = self._chapter
        return (
            chapter.auto_advance is not None
            and self._may_advance
            and not self._is_working()
            and self._error is None
            and not self._is_advancing()
            and self._index + 1 < len(self._chapters)
            and (chapter.expectation is None or chapter.expectation(scene))
        )

    def _is_advancing(self) -> bool:
        return self._advance is not None and not self._advance.done()

    async def _advance_after(self, seconds: float, entry: int) -> None:
        await self._sleep(seconds)
        if entry == self._entry:
            self._advance = None
            self._move(self._index + 1, perform=True)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _scene(self) -> Scene:
        desk, load = self._story.desk, self._story.load
        in_chapter_s = self._clock() - self._entered_mono
        return self._telling.scene(desk.owed(), load.running, in_chapter_s, working=self._is_working())

    def _state(self, scene: Scene) -> ChapterState:
        working = self._is_working()
        expectation = self._chapter.expectation
        met = None if expectation is None else not working and self._error is None and expectation(scene)
        blocking = working and (self._going_back or self._preparing is not None or self._chapter.blocks_advance)
        overdue = met is False and self._is_overdue()
        last = self._index + 1 == len(self._chapters)
        both_ways = overdue and not last and self._index > 0
        return ChapterState(
            index=self._index,
            total=len(self._chapters),
            title=self._chapter.title,
            narration=self._words(scene, overdue=overdue),
            key_hint=self._narrator.catalogue("common.overdue_keys") if both_ways else self._hint(),
            # While it goes on by itself, a person may be quicker; a script had better wait.
            busy=blocking or self._is_advancing(),
            expectation_met=False if self._error is not None else met,
            entered_at=self._entered_at,
            overdue=overdue,
            notes=self._chapter.notes,
            next_title="" if last else self._chapters[self._index + 1].title,
        )

    def _is_overdue(self) -> bool:
        """What the chapter expects had its time; meaningful only while it is not there."""
        late = self._clock() - self._idle_since >= self._chapter.within_s
        return late and not self._is_working() and self._error is None

    def _words(self, scene: Scene, *, overdue: bool) -> str:
        if self._going_back:
            return self._narrator.going_back(scene.owed)
        if self._error is not None:
            return self._narrator.trouble(self._error, self._index)
        if self._preparing is not None:
            return self._narrator.on_the_way(self._preparing.title, self._preparing.narration(scene))
        words = self._chapter.narration(scene)
        return self._narrator.overdue(words, self._chapter.within_s, self._index) if overdue else words

    def _hint(self) -> str:
        if not self._is_working():
            return self._chapter.key_hint
        if self._going_back:
            return self._narrator.catalogue("common.wait")
        return (self._preparing or self._chapter).busy_hint
