"""One table of keys: the dispatcher, the overlay, the footer and the document agree."""

from pathlib import Path

from operator_clients.viewer.bars import footer, help_box
from operator_clients.viewer.canvas import Pen
from operator_clients.viewer.keymap import KEYMAP, Action, binding_of, key_label, keys_label, markdown_table
from operator_clients.viewer.layout import MIN_WIDTH
from operator_clients.viewer.session import Shell

DOCUMENT = Path(__file__).parents[3] / "docs" / "viewer.md"
SHELL = Shell("/run/operatord", "operatord start", joined=True, status="live", age_s=0.0)


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


def test_every_action_has_a_key_and_no_key_has_two_actions() -> None:
    keys = [key for binding in KEYMAP for key in binding.keys]
    assert len(keys) == len(set(keys))
    assert {binding.action for binding in KEYMAP} == set(Action)


def test_a_key_that_is_not_bound_has_no_binding() -> None:
    assert binding_of("x") is None


def test_the_document_has_the_table() -> None:
    assert markdown_table() in DOCUMENT.read_text("utf-8")


def test_the_overlay_shows_every_key_with_its_whole_sentence() -> None:
    box, size = help_box()
    assert size.width <= MIN_WIDTH
    shown = "\n".join("".join(cell.text for cell in row) for row in Pen({"TERM": "xterm"}).draw(box, size))
    for binding in KEYMAP:
        assert f"{keys_label(binding)} " in shown
        assert f"{binding.help} " in shown


def test_the_footer_shows_the_keys_in_eighty_columns() -> None:
    (line,) = footer(SHELL, MIN_WIDTH)
    for binding in KEYMAP:
        assert (f"{key_label(binding.keys[0])} {binding.label}" in line.plain) == binding.in_footer
    assert line.cell_len <= MIN_WIDTH
