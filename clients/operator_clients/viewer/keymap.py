"""The keys of the viewer, in one table.

The dispatcher, the ``?`` overlay, the footer and the table in ``docs/viewer.md`` are all made from ``KEYMAP``; a test
holds the document to it.
"""

from enum import Enum
from typing import NamedTuple


class Action(Enum):
    """What a key can ask for."""

    NEXT = "next"
    PREVIOUS = "previous"
    FAULT = "fault"
    RECOVER = "recover"
    HELP = "help"
    CLOSE = "close"
    QUIT = "quit"


class Binding(NamedTuple):
    """One row of the table."""

    action: Action
    keys: tuple[str, ...]
    """Names as ``keys.Decoder`` reports them; the first stands for all of them in the footer."""
    label: str
    """One word for the footer."""
    help: str
    """One sentence for the overlay and the document."""
    command: str = ""
    """The daemon's command behind the key; empty for what the viewer does by itself."""
    in_footer: bool = True


KEYMAP: tuple[Binding, ...] = (
    Binding(Action.NEXT, ("space", "enter", "right"), "next", "Go on to the next chapter of the demo", "next"),
    Binding(Action.PREVIOUS, ("left",), "back", "Go back one chapter; what the chapter broke is repaired", "previous"),
    Binding(Action.FAULT, ("f",), "fault", "The default fault: kill a random primary after 3, 2, 1", "fault"),
    Binding(Action.RECOVER, ("r",), "recover", "Undo every fault that is owed, or stop its countdown", "recover"),
    Binding(Action.HELP, ("?",), "help", "Show or hide this list"),
    Binding(Action.CLOSE, ("esc",), "close", "Close this list", in_footer=False),
    Binding(Action.QUIT, ("q", "ctrl+c"), "quit", "Leave the viewer; the daemon goes on"),
)

_LABELS = {
    "space": "SPACE",
    "enter": "ENTER",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "esc": "ESC",
    "tab": "TAB",
    "ctrl+c": "Ctrl+C",
}

_BY_KEY: dict[str, Binding] = {key: binding for binding in KEYMAP for key in binding.keys}


def binding_of(key: str) -> Binding | None:
    """The binding of a key, by the name that ``keys.Decoder`` gives it."""
    return _BY_KEY.get(key)


def key_label(key: str) -> str:
    """What a person calls that key."""
    return _LABELS.get(key, key)


def keys_label(binding: Binding) -> str:
    """All keys of a binding, for a person: ``SPACE, ENTER, →``."""
    return ", ".join(key_label(key) for key in binding.keys)


def markdown_table() -> str:
    """The table as it stands in ``docs/viewer.md``."""
    rows = ["| key | what it does | command |", "|---|---|---|"]
    for binding in KEYMAP:
        keys = ", ".join(f"`{key_label(key)}`" for key in binding.keys)
        command = f"`operatorctl {binding.command}`" if binding.command else ""
        rows.append(f"| {keys} | {binding.help} | {command} |")
    return "\n".join(rows)
