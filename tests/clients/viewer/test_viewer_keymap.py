"""One table of keys: the dispatcher, the overlay, the footer and the document agree."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from tests.clients.viewer import scenes

from operator_clients.viewer import overlays
from operator_clients.viewer.bars import footer
from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.interaction import Interaction
from operator_clients.viewer.keymap import (
    KEYMAP,
    REPLAY_KEYMAP,
    Action,
    Binding,
    binding_of,
    key_label,
    keys_label,
    keys_of_its_own,
    markdown_table,
)
from operator_clients.viewer.layout import MIN_HEIGHT, MIN_WIDTH, Size
from operator_clients.viewer.overlays.keys import KeysOverlay
from operator_clients.viewer.overlays.openers import OPENERS
from operator_clients.viewer.overlays.overlay import Overlay
from operator_clients.viewer.shell import Shell, Tape

DOCUMENT = Path(__file__).parents[3] / "docs" / "viewer.md"
SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.0)
TAPE = Tape(0.0, 60.0, 1.0, paused=False, ended=False, wall=0.0)
TABLES = pytest.mark.parametrize("keymap", [KEYMAP, REPLAY_KEYMAP], ids=["daemon", "recording"])


def test_the_keys_are_those_that_the_demo_promises() -> None:
    promised = {
        "space": Action.NEXT,
        "enter": Action.NEXT,
        "right": Action.NEXT,
        "left": Action.PREVIOUS,
        "f": Action.FAULT,
        "r": Action.RECOVER,
        "q": Action.QUIT,
        "ctrl+c": Action.QUIT,
        "?": Action.HELP,
        "esc": Action.CLOSE,
        "t": Action.TICKETS,
        "p": Action.PROCESSES,
        ":": Action.PALETTE,
        "/": Action.FILTER,
        "+": Action.BIGGER,
        "_": Action.SMALLER,
        "-": Action.SMALLER,
        "tab": Action.FOCUS_NEXT,
        "shift+tab": Action.FOCUS_PREVIOUS,
        "j": Action.DOWN,
        "down": Action.DOWN,
        "k": Action.UP,
        "up": Action.UP,
        "pgup": Action.PAGE_UP,
        "pgdn": Action.PAGE_DOWN,
        "g": Action.TOP,
        "G": Action.BOTTOM,
        **dict.fromkeys("12345", Action.FOCUS),
    }
    found = {key: binding.action for key in promised if (binding := binding_of(key)) is not None}
    assert found == promised


def test_the_keys_of_a_replay_are_those_of_a_player() -> None:
    promised = {
        "space": Action.PAUSE,
        ".": Action.STEP,
        ">": Action.STEP_SECOND,
        "left": Action.BACKWARD,
        "right": Action.FORWARD,
        "[": Action.SLOWER,
        "]": Action.FASTER,
        "home": Action.BEGIN,
        "end": Action.END,
        "q": Action.QUIT,
    }
    found = {key: binding.action for key in promised if (binding := binding_of(key, REPLAY_KEYMAP)) is not None}
    assert found == promised


@TABLES
def test_no_key_has_two_actions(keymap: tuple[Binding, ...]) -> None:
    keys = [key for binding in keymap for key in binding.keys]
    assert len(keys) == len(set(keys))


def test_every_action_has_a_key() -> None:
    bound = {binding.action for binding in (*KEYMAP, *REPLAY_KEYMAP)}
    sources = "".join(path.read_text("utf-8") for path in Path(overlays.__path__[0]).glob("*.py"))
    assert {action for action in Action if not re.search(rf"\.{action.name}\b", sources)} <= bound


def test_no_overlay_binds_a_key_twice_or_escape_to_something_else() -> None:
    for overlay in every_overlay():
        keys = [key for binding in overlay.keymap for key in binding.keys]
        assert len(keys) == len(set(keys)), overlay
        escape = binding_of("esc", overlay.keymap)
        assert escape is None or escape.action is Action.CLOSE, overlay


def every_overlay() -> list[type[Overlay]]:
    names = [f"{overlays.__name__}.{module.name}" for module in pkgutil.iter_modules(overlays.__path__)]
    members = [member for name in names for member in vars(importlib.import_module(name)).values()]
    return [one for one in members if isinstance(one, type) and Overlay in one.__mro__[1:]]


def test_a_key_that_is_not_bound_has_no_binding() -> None:
    assert binding_of("x") is None


@TABLES
def test_the_document_has_the_table(keymap: tuple[Binding, ...]) -> None:
    assert markdown_table(keymap) in DOCUMENT.read_text("utf-8")


def test_the_document_has_the_keys_of_the_overlays() -> None:
    document = DOCUMENT.read_text("utf-8")
    for overlay in every_overlay():
        own = keys_of_its_own(overlay.keymap)
        if own and overlay is not KeysOverlay:
            assert markdown_table(own) in document, f"{overlay.__name__}:\n{markdown_table(own)}"


@TABLES
def test_the_list_shows_every_key_with_its_whole_sentence(keymap: tuple[Binding, ...]) -> None:
    shown = listed(KeysOverlay(keymap), Size(120, 40))
    for binding in keymap:
        assert f"{keys_label(binding)} " in shown
        assert f"{binding.help} " in shown


def test_the_list_scrolls_where_it_is_longer_than_the_screen() -> None:
    overlay, screen = KeysOverlay(KEYMAP), Size(MIN_WIDTH, MIN_HEIGHT - 2)
    first = listed(overlay, screen)
    assert "below" in first
    assert "Leave the viewer" not in first
    assert overlay.press("pgdn", lambda *_: None, 0.0) is None
    assert "Leave the viewer" in listed(overlay, screen)


def test_the_list_has_the_keys_of_the_overlay_below_it() -> None:
    own = Binding(Action.APPROVE, ("a",), "approve", "Approve the chosen one")
    shown = listed(KeysOverlay(KEYMAP, above=("Tickets", (own,))), Size(120, 60))
    assert shown.index("Tickets") < shown.index("Approve the chosen one") < shown.index("Go on to the next chapter")


def test_the_keys_that_open_something_have_something_to_open() -> None:
    opening = {binding.action for binding in KEYMAP} & set(OPENERS)
    assert {Action.HELP, Action.PALETTE} <= opening


@TABLES
def test_the_footer_shows_the_keys_in_eighty_columns(keymap: tuple[Binding, ...]) -> None:
    line, *below = footer(SHELL if keymap is KEYMAP else SHELL._replace(tape=TAPE), MIN_WIDTH, tall=True)
    assert len(below) == (keymap is REPLAY_KEYMAP)
    for binding in keymap:
        assert (f"{key_label(binding.keys[0])} {binding.label}" in line.plain) == binding.in_footer
    assert line.cell_len <= MIN_WIDTH


@TABLES
def test_with_a_focus_the_footer_shows_the_keys_of_a_panel(keymap: tuple[Binding, ...]) -> None:
    shell = SHELL._replace(ui=Interaction().focused("monitor"), tape=TAPE if keymap is REPLAY_KEYMAP else None)
    line, *_ = footer(shell, MIN_WIDTH, tall=True)
    for binding in keymap:
        assert not binding.in_focus or f"{key_label(binding.keys[0])} {binding.label}" in line.plain
    assert line.cell_len <= MIN_WIDTH


def test_what_runs_takes_whole_keys_from_the_footer_but_never_the_way_out() -> None:
    line, *_ = footer(SHELL._replace(pending=("fault",)), MIN_WIDTH)
    assert line.plain.rstrip().endswith("… fault")
    assert "…" not in line.plain.removesuffix("… fault ")
    assert "? help  q quit" in line.plain
    line, *_ = footer(SHELL._replace(pending=("x" * 200,)), MIN_WIDTH)
    assert "? help" in line.plain
    assert line.cell_len <= MIN_WIDTH


def listed(overlay: KeysOverlay, screen: Size) -> str:
    view = scenes.Film().view()
    size = overlay.size(view, screen)
    assert size.width <= MIN_WIDTH
    return "\n".join(
        "".join(cell.text for cell in row) for row in Pen({"TERM": "xterm"}).draw(overlay.draw(view, size), size)
    )
