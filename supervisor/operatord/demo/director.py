"""The director: carries out the moves of the story, and tells of them.

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
from dataclasses import replace

from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, InternalError, OperatorError, Unavailable
from operator_protocol.frames import Header
from operator_protocol.models import ChapterState
from operator_protocol.records import to_body
from operator_protocol.topics import DEMO_CHAPTER
from operatord.clock import Clock
from operatord.demo.chapter import ENGLISH, Agent, Chapter, Load, Story, find_chapter
from operatord.demo.chapters import CHAPTERS
from operatord.demo.effects import Effects, Errand
from operatord.demo.narration import Narrator
from operatord.demo.showing import key_hint, show
from operatord.demo.standing import Standing
from operatord.demo.telling import Scene, Telling
from operatord.faults.desk import FaultDesk
from operatord.faults.tools import Publish, Sleep

_TICK_S = 1.0
"""Words that count seconds are renewed this often."""

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
        self._narrator = narrator
        self._clock, self._wall, self._sleep = clock, wall, sleep
        self._telling = Telling(clock, wall)
        self._effects = Effects(self._story, chapters, self._telling, self._scene)
        self._at = Standing(tuple(chapters), entered_mono=clock(), entered_at=wall(), idle_since=clock())
        self._work: asyncio.Task[None] | None = None
        self._advance: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._shown: ChapterState | None = None
        self._closed = False

    def start(self) -> None:
        """Show the first chapter, and keep what is shown up to date from now on."""
        self._refresh()
        self._ticker = asyncio.create_task(self._tick(), name="demo ticker")

    def see(self, topic: str, body: Body, header: Header | None = None) -> None:
        """Take in a frame of the bus; topics that the story does not tell about are ignored."""
        if self._telling.see(topic, body, header):
            self._refresh()

    async def next(self) -> ChapterState:
        """Enter the next chapter. Raises ``Conflict`` while this one blocks, and after the last."""
        self._require_way_on()
        if self._at.following is None:
            raise Conflict("the demo is complete: there is no next chapter", "goto 0 tells it from the beginning")
        return self._move(self._at.index + 1, perform=True)

    async def previous(self) -> ChapterState:
        """Go back one chapter, or to where a jump came from that is not over yet, taking back what is left behind.

        Raises ``Conflict`` at the first chapter.
        """
        self._require_open()
        if self._at.index == 0:
            raise Conflict("this is the first chapter: there is no previous one")
        return self._move(self._at.back_to, perform=False)

    async def goto(self, chapter: int | str) -> ChapterState:
        """Enter ``chapter``, an index from 0, a title, or the beginning of one that no other title has.

        Forward it is refused with ``Conflict`` like ``next``. Raises ``NotFound`` with the chapters there are.
        """
        index = find_chapter(self._at.chapters, chapter)
        if index > self._at.index:
            self._require_way_on()
        elif index == self._at.index and self._is_working():
            raise Conflict(f"{self._at.chapter.title} is being entered already", self._hint())
        return self._move(index, perform=True)

    def state(self) -> ChapterState:
        """Where the story is."""
        return self._state(self._scene())

    async def close(self, *, undo: bool = True) -> None:
        """End the story: stop what it is doing and recover everything owed. Raises like ``FaultDesk.recover``.

        Without ``undo`` the recovery is left to the caller, who closes the desk next.
        """
        self._closed = True
        self._at = replace(self._at, entry=self._at.entry + 1)
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
        return self._at.chapter.holds_actions and bool(self._story.desk.owed()) and not self._closed

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the daemon is stopping: the story is over")

    def _require_way_on(self) -> None:
        self._require_open()
        self._at.check_way_on(self._hint(), working=self._is_working())

    def _is_working(self) -> bool:
        return self._work is not None and not self._work.done()

    def _is_advancing(self) -> bool:
        return self._advance is not None and not self._advance.done()

    def _move(self, index: int, *, perform: bool) -> ChapterState:
        """Be in chapter ``index`` from now on; the effects of that follow in a task."""
        self._require_open()
        effects = self._effects
        before = self._work if self._is_working() else None
        if before is not None and index <= self._at.index:
            self._story.desk.abort_countdowns()
        left = self._at.left_for(index)
        # What is still at work may yet bring an effect about, so whether there is one is asked after it ended.
        leaving = left if before is not None or any(map(effects.has_to_be_undone, left)) else []
        if not leaving:
            effects.disown(left)
            if left or index == 0:
                effects.forget_what_is_over()
        if self._advance is not None:
            self._advance.cancel()
            self._advance = None
        self._at = self._at.moved(index, self._clock(), self._wall(), perform=perform, going_back=bool(leaving))
        effects.look_again()
        missing = perform and effects.is_missing(self._at.chapter)
        if missing and not leaving:
            self._at = replace(self._at, preparing=effects.first_need(self._at.chapter))
        if before is not None or leaving or missing:
            self._work = asyncio.create_task(self._perform(self._at.entry, before, leaving, perform=perform))
            self._work.add_done_callback(lambda _: self._refresh())
        self._refresh()
        return self.state()

    async def _perform(
        self, entry: int, before: "asyncio.Task[None] | None", leaving: list[Chapter], *, perform: bool
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await self._effects.take_back(leaving)
            if entry == self._at.entry:
                self._at = replace(self._at, going_back=False)
                self._refresh()
            if perform:
                await self._effects.bring_about(self._at.chapter, self._errand(entry))
        except OperatorError as error:
            self._fail(entry, error, undoing=self._at.going_back)
        except Exception as error:
            _log.exception("a chapter failed")
            hint = "the daemon's log has the details"
            self._fail(entry, InternalError(f"{type(error).__name__}: {error}", hint), undoing=False)
        finally:
            if entry == self._at.entry:
                self._at = replace(self._at, going_back=False, preparing=None, idle_since=self._clock())

    def _errand(self, entry: int) -> Errand:
        goal = self._at.chapter

        def begins(chapter: Chapter) -> None:
            self._at = replace(self._at, preparing=None if chapter is goal else chapter)
            self._refresh()

        return Errand(goal, lambda: entry == self._at.entry, begins)

    def _fail(self, entry: int, error: OperatorError, *, undoing: bool) -> None:
        if entry == self._at.entry:
            self._at = replace(self._at, error=error, undo_failed=undoing)

    async def _tick(self) -> None:
        while True:
            await self._sleep(_TICK_S)
            self._refresh()

    def _refresh(self) -> None:
        """Publish the chapter if it looks different from what was published last, and go on if it is time to."""
        if self._closed:
            return
        scene = self._scene()
        if self._at.is_mended(scene):
            self._at = replace(self._at, error=None)
        # Decided before it is published: a client that sees the expectation come true must not step on as well.
        if self._at.goes_on_by_itself(scene) and not self._is_advancing():
            seconds = self._at.chapter.auto_advance or 0.0
            self._advance = asyncio.create_task(self._advance_after(seconds, self._at.entry))
        state = self._state(scene)
        if state.expectation_met:
            # What is undone by hand afterwards has its time, too.
            self._at = replace(self._at, idle_since=self._clock())
        if state != self._shown:
            self._shown = state
            self._publish(DEMO_CHAPTER, to_body(state))
        self._effects.look_again()

    async def _advance_after(self, seconds: float, entry: int) -> None:
        await self._sleep(seconds)
        if entry == self._at.entry:
            self._advance = None
            self._move(self._at.index + 1, perform=True)

    def _scene(self) -> Scene:
        desk, load = self._story.desk, self._story.load
        in_chapter_s = self._clock() - self._at.entered_mono
        return self._telling.scene(desk.owed(), load.running, in_chapter_s, working=self._is_working())

    def _state(self, scene: Scene) -> ChapterState:
        return show(self._at, scene, self._narrator, self._clock(), advancing=self._is_advancing())

    def _hint(self) -> str:
        return key_hint(self._at, self._narrator, working=self._is_working())
