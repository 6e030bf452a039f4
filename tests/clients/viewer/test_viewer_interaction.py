"""Focus, zoom, scrolling, filter: moves of values, and what is drawn of them."""

import signal
import warnings
from dataclasses import replace

import pytest
from rich.text import Text
from tests.clients.viewer import scenes

from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.compose import draw
from operator_clients.viewer.interaction import LOGS, ORDER, Extent, Filter, Interaction, Pane, Scroll, seen
from operator_clients.viewer.keymap import Action
from operator_clients.viewer.layout import PanelName, Size, Zoom, arrange
from operator_clients.viewer.matching import TOO_SLOW
from operator_clients.viewer.shell import Shell

SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.0)
SIZES = [Size(80, 24), Size(81, 25), Size(120, 40), Size(160, 36), Size(200, 60), Size(400, 24), Size(80, 150)]
LINES = [Text(f"line {number} of {'a' if number % 2 else 'b'}") for number in range(50)]
EXTENT = Extent(50, 10)


def test_the_digits_and_tab_go_through_the_panels_in_one_order() -> None:
    ui = Interaction()
    assert ui.cycled(1).focus == "narration"
    assert ui.cycled(-1).focus == "agent"
    assert [ui.focused(name).cycled(1).focus for name in ORDER] == [*ORDER[1:], ORDER[0]]
    assert [ui.focused(name).cycled(-1).focus for name in ORDER] == [ORDER[-1], *ORDER[:-1]]


def test_escape_goes_back_one_step_at_a_time_and_then_nowhere() -> None:
    ui = Interaction().focused("monitor").zoomed(1).zoomed(1).zoomed(1).filter_begun().filter_typed("x").filter_done()
    assert (ui.zoom, ui.pane.filter.text) == ("full", "x")
    steps = []
    while (after := ui.back()) is not ui:
        steps.append((after.focus, after.zoom, after.pane.filter.text))
        ui = after
    assert steps == [("monitor", "full", ""), ("monitor", "normal", ""), (None, "normal", "")]


def test_a_key_that_needs_a_focus_gives_it_to_the_panel_that_had_it_last() -> None:
    ui = Interaction().focused("cluster").back()
    assert ui.focus is None
    assert ui.zoomed(1).focus == ui.filter_begun().focus == ui.scrolled(Action.DOWN, EXTENT).focus == "cluster"


def test_a_log_follows_its_end_until_it_is_scrolled_up_and_again_from_its_end() -> None:
    scroll = Scroll(following=True)
    assert scroll.within(EXTENT) == 40
    up = scroll.moved(Action.UP, EXTENT, follows=True)
    assert up == Scroll(39, following=False)
    # What comes below does not move what is read.
    assert up.within(Extent(90, 10)) == 39
    assert up.moved(Action.DOWN, EXTENT, follows=True).following
    assert up.moved(Action.BOTTOM, EXTENT, follows=True).following
    assert not up.moved(Action.BOTTOM, EXTENT, follows=False).following


@pytest.mark.parametrize(
    "action", [Action.UP, Action.DOWN, Action.PAGE_UP, Action.PAGE_DOWN, Action.TOP, Action.BOTTOM]
)
@pytest.mark.parametrize("extent", [Extent(), Extent(5, 10), Extent(50, 0), Extent(50, 1), Extent(10, 10), EXTENT])
def test_no_scrolling_leaves_the_lines(action: Action, extent: Extent) -> None:
    for start in (0, 3, 10_000, -4):
        scroll = Scroll(start).moved(action, extent, follows=False)
        assert 0 <= scroll.within(extent) <= extent.last


def test_a_page_keeps_one_line_of_the_one_before() -> None:
    assert Scroll(0).moved(Action.PAGE_DOWN, EXTENT, follows=False).offset == 9


def test_a_filter_keeps_the_lines_that_match_whatever_their_case_or_the_others() -> None:
    assert len(Filter("OF A").of(LINES)) == 25
    assert len(Filter("!of a").of(LINES)) == 25
    assert len(Filter("line 1.? ").of(LINES)) == 11
    assert Filter("!").of(LINES) == LINES


@pytest.mark.parametrize("text", ["(", "[", "*", "a{2", "(?P<", "!(", "\\"])
def test_what_is_no_regex_is_looked_for_as_it_stands_and_said(text: str) -> None:
    if Filter(text).error:
        assert [
            one.plain for one in Filter(text.removeprefix("!")).of([Text(f"x {text.removeprefix('!')}"), Text("y")])
        ]
    Filter(text).of(LINES)


@pytest.mark.parametrize("text", ["(a+)+$", "!(a|a)*b", ".*.*.*.*.*.*.*.*q", "(x+x+)+y"])
def test_a_regex_that_would_take_for_ever_is_looked_for_as_it_stands_and_said(text: str) -> None:
    pattern = text.removeprefix("!")
    lines = [Text("a" * 200 + "!"), Text("x" * 200), Text(f"as it stands: {pattern}")]
    kept = Filter(text).of(lines)
    assert [one.plain for one in kept] == [one.plain for one in (lines[:2] if text[0] == "!" else lines[2:])]
    assert Filter(text).error == TOO_SLOW
    assert Filter(text).of(lines) == kept
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_a_regex_that_python_warns_of_writes_nothing_onto_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert Filter("[[a]").of([Text("[a")])
    assert capfd.readouterr() == ("", "")


def test_what_is_seen_is_what_the_filter_left_from_where_it_is_scrolled_to() -> None:
    shown, extent = seen(LINES, Pane(Scroll(3), Filter("of a")), 5)
    assert [one.plain for one in shown] == [f"line {number} of a" for number in (7, 9, 11, 13, 15)]
    assert extent == Extent(25, 5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("zoom", ["normal", "half", "full"])
@pytest.mark.parametrize("focus", ORDER)
def test_the_panels_tile_the_screen_at_every_zoom(size: Size, zoom: Zoom, focus: PanelName) -> None:
    layout = arrange(size, 1, focus, zoom)
    cells = [
        (x, y)
        for rect in layout.panels.values()
        for x in range(rect.x, rect.x + rect.width)
        for y in range(rect.y, rect.y + rect.height)
    ]
    assert len(cells) == len(set(cells)) == size.width * (size.height - 2)
    assert all(rect.width >= 36 and rect.height >= 6 for rect in layout.panels.values())
    if zoom == "half":
        area = layout.panels[focus].width * layout.panels[focus].height
        assert len(cells) * 0.45 <= area < len(cells)


def screen(focus: PanelName, ui: Interaction | None = None) -> tuple[list[str], Extent]:
    shown = ui or Interaction().focused(focus)
    view = replace(scenes.recovered().view(), focus=shown.focus, zoom=shown.zoom)
    picture, extent = draw(view, SHELL._replace(ui=shown), Size(80, 24), Pen({"TERM": "xterm"}))
    return ["".join(cell.text for cell in row) for row in picture], extent


@pytest.mark.parametrize("focus", ORDER)
def test_the_focused_panel_has_a_heavy_border_and_its_number(focus: PanelName) -> None:
    rows, extent = screen(focus)
    text = "\n".join(rows)
    assert f"━ {focus.capitalize()} [{ORDER.index(focus) + 1}/5] ━" in text
    assert text.count("┏") == text.count("┗") == 1
    assert extent.room > 0


@pytest.mark.parametrize("focus", sorted(LOGS))
def test_a_log_that_is_scrolled_up_says_that_it_is_paused_and_how_much_is_below(focus: PanelName) -> None:
    ui = Interaction().focused(focus)
    rows, extent = screen(focus, ui=ui)
    assert any("▼ following" in row for row in rows)
    assert extent.total > extent.room, "the scene is too short for this test"
    rows, _ = screen(focus, ui=ui.scrolled(Action.UP, extent))
    assert any("paused, 1 below" in row for row in rows)


def test_a_filter_stands_in_the_title_and_one_that_nothing_matches_says_so() -> None:
    ui = Interaction().focused("monitor").filter_typed("valkey-1")
    rows, extent = screen("monitor", ui=ui)
    assert any(f"/valkey-1 {extent.total} of " in row for row in rows)
    rows, _ = screen("monitor", ui=ui.filter_typed("nothing has this"))
    assert any("no line matches" in row for row in rows)
