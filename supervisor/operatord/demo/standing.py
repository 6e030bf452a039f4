"""Where the story stands, and what may happen next: decided from values, carried out by the director."""

from dataclasses import dataclass

from operator_protocol.errors import Conflict, OperatorError
from operatord.demo.chapter import Chapter
from operatord.demo.telling import Scene


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment of the walk. ``working``, where it is asked for, is whether something is brought about or undone."""

    chapters: tuple[Chapter, ...]
    entered_mono: float
    entered_at: float
    idle_since: float
    """Since when there is nothing left to do in this chapter but to wait."""
    index: int = 0
    entry: int = 0
    """Counts moves; work of an earlier entry does not speak for the present one."""
    came_from: int = 0
    may_advance: bool = False
    """False for a chapter that is shown as it was left: it does not go on by itself."""
    going_back: bool = False
    preparing: Chapter | None = None
    """The earlier chapter whose effect the present one needs, and which is brought about first."""
    error: OperatorError | None = None
    undo_failed: bool = False
    """Whether the error is that of taking back chapters that were left, not of the one that was entered."""

    @property
    def chapter(self) -> Chapter:
        """The one that is told."""
        return self.chapters[self.index]

    @property
    def following(self) -> Chapter | None:
        """The one after it; None in the last."""
        return None if self.index + 1 == len(self.chapters) else self.chapters[self.index + 1]

    @property
    def back_to(self) -> int:
        """Where ``previous`` leads: one chapter back, or to where a jump came from that is not over yet."""
        return min(self.came_from if self.preparing is not None else self.index - 1, self.index - 1)

    def left_for(self, index: int) -> list[Chapter]:
        """Of the chapters that a move to ``index`` leaves behind, those that can be taken back, last first."""
        return [chapter for chapter in reversed(self.chapters[index + 1 : self.index + 1]) if chapter.undo]

    def moved(self, index: int, mono: float, wall: float, *, perform: bool, going_back: bool) -> "Standing":
        """In chapter ``index`` from now on: to bring its effect about, or else to show it as it was left."""
        return Standing(
            self.chapters,
            entered_mono=mono,
            entered_at=wall,
            idle_since=mono,
            index=index,
            entry=self.entry + 1,
            came_from=self.index,
            may_advance=perform,
            going_back=going_back,
        )

    def blocks(self, *, working: bool) -> bool:
        """Nobody gets on while this is at work."""
        return working and (self.going_back or self.preparing is not None or self.chapter.blocks_advance)

    def check_way_on(self, hint: str, *, working: bool) -> None:
        """Raise ``Conflict`` while this chapter lets nobody on: it is at work (``hint`` says what to do), or failed."""
        title = self.chapter.title
        if self.blocks(working=working):
            raise Conflict(f"{title} is not over yet", hint)
        if self.error is not None and self.chapter.blocks_advance:
            raise Conflict(
                f"{title} did not work: {self.error.message}", f"goto {self.index} tries again, previous goes back"
            )

    def came_true(self, scene: Scene) -> bool | None:
        """Whether the chapter has shown what it is for; None if it expects nothing."""
        if self.chapter.expectation is None:
            return None
        return not scene.working and self.error is None and self.chapter.expectation(scene)

    def is_overdue(self, now: float, *, working: bool) -> bool:
        """What the chapter expects had its time; meaningful only while it is not there."""
        return now - self.idle_since >= self.chapter.within_s and not working and self.error is None

    def is_mended(self, scene: Scene) -> bool:
        """What went wrong was put right meanwhile, by whomever."""
        if self.error is None:
            return False
        if self.undo_failed:
            return not scene.owed
        return self.chapter.expectation is not None and self.chapter.expectation(scene)

    def goes_on_by_itself(self, scene: Scene) -> bool:
        """It is time to wait no longer for a person, but for ``auto_advance``."""
        return (
            self.chapter.auto_advance is not None
            and self.may_advance
            and self.following is not None
            and not scene.working
            and self.error is None
            and self.came_true(scene) is not False
        )
