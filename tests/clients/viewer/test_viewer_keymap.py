"""One table of keys: the dispatcher, the overlay, the footer and the document agree."""

from pathlib import Path

import pytest

from operator_clients.viewer.bars import footer, help_box
from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.keymap import (
    KEYMAP,
    REPLAY_KEYMAP,
    Action,
    Binding,
    binding_of,
    key_label,
    keys_label,
    markdown_table,
)
from operator_clients.viewer.layout import MIN_WIDTH
from operator_clients.viewer.session import Shell, Tape

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
    assert {binding.action for binding in (*KEYMAP, *REPLAY_KEYMAP)} == set(Action)


def test_a_key_that_is_not_bound_has_no_binding() -> None:
    assert binding_of("x") is None


@TABLES
def test_the_document_has_the_table(keymap: tuple[Binding, ...]) -> None:
    assert markdown_table(keymap) in DOCUMENT.read_text("utf-8")


@TABLES
def test_the_overlay_shows_every_key_with_its_whole_sentence(keymap: tuple[Binding, ...]) -> None:
    box, size = help_box(keymap)
    assert size.width <= MIN_WIDTH
    shown = "\n".join("".join(cell.text for cell in row) for row in Pen({"TERM": "xterm"}).draw(box, size))
    for binding in keymap:
        assert f"{keys_label(binding)} " in shown
        assert f"{binding.help} " in shown


@TABLES
def test_the_footer_shows_the_keys_in_eighty_columns(keymap: tuple[Binding, ...]) -> None:
    line, *below = footer(SHELL if keymap is KEYMAP else SHELL._replace(tape=TAPE), MIN_WIDTH, tall=True)
    assert len(below) == (keymap is REPLAY_KEYMAP)
    for binding in keymap:
        assert (f"{key_label(binding.keys[0])} {binding.label}" in line.plain) == binding.in_footer
    assert line.cell_len <= MIN_WIDTH
