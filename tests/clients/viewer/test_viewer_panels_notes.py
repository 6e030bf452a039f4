"""The speaker notes: what the presenter's own viewer shows in the place of the narration."""

from dataclasses import replace

import pytest
from rich.console import Console
from tests.clients.viewer import scenes

from operator_clients.viewer.layout import Size, arrange
from operator_clients.viewer.panels import narration, notes
from operator_clients.viewer.view import View

SAID = "Ask the audience to guess.\nWait for an answer. It takes longer than you think, and that is all right."


def view_of(**more: object) -> View:
    view = scenes.ALL["nothing"]().view(after_s=1.0)
    chapter = scenes.chapter(3, notes=SAID, next_title="Stage 4", entered_at=view.now - 42.0)
    view.state.demo = replace(chapter, **more)  # type: ignore[arg-type]  # members by name
    return replace(view, notes=True, started=view.mono - 723.0)


def drawn(view: View, size: Size) -> str:
    console = Console(width=size.width, height=size.height, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(notes.render(view, size))
    return capture.get()


@pytest.mark.parametrize("size", [Size(80, 8), Size(60, 6), Size(120, 12), Size(40, 4)], ids=str)
def test_the_panel_is_exactly_as_large_as_its_place(size: Size) -> None:
    lines = drawn(view_of(), size).splitlines()
    assert len(lines) == size.height
    assert {len(line) for line in lines} == {size.width}


def test_it_shows_the_notes_the_next_title_and_both_clocks() -> None:
    shown = drawn(view_of(), Size(80, 10))
    for told in ("[4/8]", "speaker notes", "Ask the audience to guess.", "next: Stage 4", "chapter 0:42 · talk 12:03"):
        assert told in shown


def test_where_it_is_low_the_notes_get_all_lines_but_one() -> None:
    shown = drawn(view_of(expectation_met=False), Size(80, 6)).splitlines()
    assert "○ not seen yet  next: Stage 4" in shown[-2]
    assert "Wait for an answer." in shown[2]


def test_beside_the_story_the_notes_get_the_room_that_is_left() -> None:
    for size in (Size(80, 24), Size(100, 30), Size(120, 40)):
        plain, noted = (arrange(size, notes=wanted).panels for wanted in (False, True))
        assert noted["narration"].height >= plain["narration"].height
        assert sum(noted[name].height for name in ("narration", "cluster", "monitor")) == size.height - 2
        assert min(rect.height for name, rect in noted.items() if name != "narration") >= 8
    assert arrange(Size(100, 30), notes=True).panels["narration"].height == 11


def test_notes_that_do_not_fit_end_in_an_ellipsis_and_are_whole_on_focus() -> None:
    view = view_of(notes=" ".join(f"word{number}" for number in range(200)))
    assert "…" in drawn(view, Size(80, 8))
    whole = "\n".join(line.plain for line in notes.detail(view, 76))
    assert "word199" in whole
    assert "On the screen now:" in whole


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"busy": True}, "… at work"),
        ({"expectation_met": False}, "○ not seen yet"),
        ({"expectation_met": False, "overdue": True, "key_hint": "← goes back"}, "✗ has not come  ← goes back"),
        ({"expectation_met": True}, "✓ go on when you like"),
        ({"next_title": ""}, "next: nothing, this is the last chapter"),
        ({"notes": ""}, "No notes for this chapter."),
    ],
)
def test_it_says_how_the_chapter_stands_by_glyph_and_word(more: dict[str, object], told: str) -> None:
    assert told in drawn(view_of(**more), Size(80, 10))


def test_without_a_story_it_says_so() -> None:
    view = replace(scenes.ALL["nothing"]().view(after_s=1.0), notes=True)
    view.state.demo = None
    assert "No demo is running here" in drawn(view, Size(80, 8))
    assert notes.detail(view, 76)[0].plain.startswith("No demo")


@pytest.mark.parametrize("entered_at", [float("nan"), float("-inf"), 1e300])
@pytest.mark.parametrize("index", [-(2**63), 2**63])
def test_a_chapter_with_mad_figures_is_drawn(entered_at: float, index: int) -> None:
    view = view_of(entered_at=entered_at, index=index)
    assert len(drawn(view, Size(80, 8)).splitlines()) == 8
    for panel in (notes, narration):
        assert panel.detail(view, 76)
        assert panel.render(view, Size(80, 8))
