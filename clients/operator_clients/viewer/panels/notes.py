"""Speaker notes, in the place of the narration: what to say, what comes next, and how long it has taken so far."""

import math

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.chronicle import progress
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import boxed, inner, line, paragraph, shortened
from operator_clients.viewer.theme import DIM, GOOD, INFO, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import ChapterState


def render(view: View, size: Size) -> RenderableType:
    """The notes panel: as much of the notes as fits, and below them the state of the chapter and the next title."""
    chapter, room = view.state.demo, inner(size)
    if chapter is None:
        return boxed(_title(None), [line((_NO_STORY, DIM))], size, border=WARN, subtitle=_clock(view, None))
    feet = [_foot(chapter)] if room.height < _LOW_HEIGHT else _feet(chapter)
    feet = feet[: max(0, room.height - 1)]
    space = room.height - len(feet)
    notes = shortened(paragraph(_notes(chapter), room.width), Size(room.width, space))
    lines = [*notes, *[line("")] * (space - len(notes)), *feet]
    return boxed(_title(chapter), lines, size, border=WARN, subtitle=_clock(view, chapter))


def detail(view: View, width: int) -> list[Text]:
    """All of the notes, what the audience reads, and what comes next."""
    chapter = view.state.demo
    if chapter is None:
        return [line((_NO_STORY, DIM))]
    return [
        *paragraph(_notes(chapter), width),
        line(""),
        line(("On the screen now:", DIM)),
        *paragraph(chapter.narration, width),
        line(""),
        *_feet(chapter),
    ]


_LOW_HEIGHT = 6
_NO_STORY = "No demo is running here, so there are no notes."


def _title(chapter: ChapterState | None) -> Text:
    if chapter is None:
        return line(("Speaker notes", STRONG))
    return line((progress(chapter), f"{STRONG} {INFO}"), " ", (chapter.title, STRONG), ("  speaker notes", DIM))


def _notes(chapter: ChapterState) -> str:
    return chapter.notes or "No notes for this chapter."


def _feet(chapter: ChapterState) -> list[Text]:
    following = ("next: ", DIM), (chapter.next_title or "nothing, this is the last chapter", STRONG)
    return [line(*_standing(chapter), (chapter.key_hint, DIM)), line(*following)]


def _foot(chapter: ChapterState) -> Text:
    """Both in one line, for where every line counts."""
    return line(*_standing(chapter), ("next: ", DIM), (chapter.next_title or "nothing", STRONG))


def _standing(chapter: ChapterState) -> list[tuple[str, str]]:
    """Whether the story may go on, by glyph and word."""
    if chapter.busy:
        return [("… at work  ", WARN)]
    if chapter.overdue:
        return [("✗ has not come  ", f"{STRONG} {WARN}")]
    if chapter.expectation_met is False:
        return [("○ not seen yet  ", WARN)]
    return [("✓ go on when you like  ", GOOD)]


def _clock(view: View, chapter: ChapterState | None) -> Text:
    """How long this chapter has lasted, and how long this viewer has been open, which is about the talk."""
    talk = f"talk {_minutes(view.mono - view.started)}"
    if chapter is None or not chapter.entered_at:
        return line((talk, DIM))
    return line((f"chapter {_minutes(view.now - chapter.entered_at)}", STRONG), (f" · {talk}", DIM))


def _minutes(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-"
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
