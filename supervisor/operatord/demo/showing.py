"""What is shown of where the story stands: the chapter as every viewer and every script gets it."""

from operator_protocol.models import ChapterState
from operatord.demo.narration import Narrator
from operatord.demo.standing import Standing
from operatord.demo.telling import Scene


def show(at: Standing, scene: Scene, narrator: Narrator, now: float, *, advancing: bool) -> ChapterState:
    """The chapter in words. ``now`` is monotonic; ``advancing``: it is about to go on by itself."""
    met = at.came_true(scene)
    overdue = met is False and at.is_overdue(now, working=scene.working)
    both_ways = overdue and at.following is not None and at.index > 0
    hint = narrator.catalogue("common.overdue_keys") if both_ways else key_hint(at, narrator, working=scene.working)
    return ChapterState(
        index=at.index,
        total=len(at.chapters),
        title=at.chapter.title,
        narration=_words(at, scene, narrator, overdue=overdue),
        key_hint=hint,
        # While it goes on by itself, a person may be quicker; a script had better wait.
        busy=at.blocks(working=scene.working) or advancing,
        expectation_met=False if at.error is not None else met,
        entered_at=at.entered_at,
        overdue=overdue,
        notes=at.chapter.notes,
        next_title="" if at.following is None else at.following.title,
    )


def key_hint(at: Standing, narrator: Narrator, *, working: bool) -> str:
    """Which keys lead on from here, or why none does."""
    if not working:
        return at.chapter.key_hint
    if at.going_back:
        return narrator.catalogue("common.wait")
    return (at.preparing or at.chapter).busy_hint


def _words(at: Standing, scene: Scene, narrator: Narrator, *, overdue: bool) -> str:
    if at.going_back:
        return narrator.going_back(scene.owed)
    if at.error is not None:
        return narrator.trouble(at.error, at.index)
    if at.preparing is not None:
        return narrator.on_the_way(at.preparing.title, at.preparing.narration(scene))
    words = at.chapter.narration(scene)
    return narrator.overdue(words, at.chapter.within_s, at.index) if overdue else words
