"""What the chapters of a story bring about on the running system: what is there, whose it is, and taking it back."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from operator_protocol.errors import DeadlineExceeded, OperatorError
from operatord.demo.chapter import Chapter, Story
from operatord.demo.telling import Scene, Telling

_NEED_S = 30.0
"""For an earlier chapter's expectation to come true, when a later one needs it."""


@dataclass(frozen=True, slots=True)
class Errand:
    """On whose behalf chapters are brought about."""

    goal: Chapter
    wanted: Callable[[], bool]
    """False once the story has moved on: nothing more is begun then."""
    begins: Callable[[Chapter], None]
    """Told whose effect comes next: that of the goal, or of one that it needs."""


class Effects:
    """Those of one story. All methods belong to the daemon's event loop."""

    def __init__(self, story: Story, chapters: Sequence[Chapter], telling: Telling, scene: Callable[[], Scene]) -> None:
        self._story = story
        self._chapters = tuple(chapters)
        self._telling = telling
        self._scene = scene
        self._own: set[str] = set()
        """Titles of chapters whose effect this story brought about."""
        self._broken_by: tuple[str, str] = ("", "")
        """The chapter that broke something last, and the id of its fault."""
        self._changed = asyncio.Event()

    def look_again(self) -> None:
        """Something has changed: what is waited for may have come true."""
        self._changed.set()
        self._changed = asyncio.Event()

    def has_to_be_undone(self, chapter: Chapter) -> bool:
        """It is in force, and the story's to take back."""
        return chapter.in_force(self._story) and (chapter.title in self._own or not chapter.undo_only_own)

    def is_missing(self, chapter: Chapter) -> bool:
        """Something has to be done, or waited for, before ``chapter`` can show what it is for."""
        acts = chapter.on_enter is not None and not chapter.in_force(self._story)
        return acts or self.first_need(chapter) is not None

    def first_need(self, chapter: Chapter) -> Chapter | None:
        """The earliest of the chapters that ``chapter`` needs whose effect is not there."""
        for needed in self._needs(chapter):
            if not self._has_come_true(needed):
                return self.first_need(needed) or needed
        return None

    async def bring_about(self, chapter: Chapter, errand: Errand) -> None:
        """What ``chapter`` needs, then its own effect; each only where it is not there already."""
        for needed in self._needs(chapter):
            if errand.wanted() and not self._has_come_true(needed):
                await self.bring_about(needed, errand)
                await self._come_true(needed, errand)
        if not errand.wanted():
            return
        errand.begins(chapter)
        if chapter.on_enter is not None and not chapter.in_force(self._story):
            if chapter.undo is not None:
                self.forget_what_is_over()
            self._own.add(chapter.title)
            await chapter.on_enter(self._story)
            if chapter.breaks and (owed := self._story.desk.owed()):
                self._broken_by = (chapter.title, owed[-1].id)

    async def take_back(self, leaving: Iterable[Chapter]) -> None:
        """Undo the effects of chapters that were left; one that fails does not keep the others. Raises the first."""
        failed: OperatorError | None = None
        for chapter in leaving:
            try:
                if chapter.undo is not None and self.has_to_be_undone(chapter):
                    await chapter.undo(self._story)
            except OperatorError as error:
                failed = failed or error
            self.disown([chapter])
            self.forget_what_is_over()
        if failed is not None:
            raise failed

    def disown(self, left: Iterable[Chapter]) -> None:
        """Chapters that were left without anything to take back: what is there later is not the story's."""
        self._own.difference_update(chapter.title for chapter in left)

    def forget_what_is_over(self) -> None:
        """Tell the story from before the fault, unless that is still there."""
        if not self._story.desk.owed():
            self._telling.forget_fault()

    def _needs(self, chapter: Chapter) -> list[Chapter]:
        return [one for one in self._chapters if one.title in chapter.needs]

    async def _come_true(self, chapter: Chapter, errand: Errand) -> None:
        deadline = self._story.clock() + _NEED_S
        while errand.wanted() and not self._has_come_true(chapter):
            if self._story.clock() >= deadline:
                raise DeadlineExceeded(
                    f"{chapter.title} did not get there in {_NEED_S:g} s, and {errand.goal.title} needs it",
                    f"goto {self._chapters.index(chapter)} shows what it waits for",
                )
            await self._changed.wait()

    def _has_come_true(self, chapter: Chapter) -> bool:
        scene = self._scene()
        if chapter.breaks and scene.fault is not None:
            title, fault_id = self._broken_by
            if fault_id == scene.fault.id and title != chapter.title:
                return False  # that is what another chapter broke; one that was broken by hand is anybody's
        return chapter.expectation is None or chapter.expectation(scene)
