"""The keys of the viewer: one table for a daemon, one for a recording.

The dispatcher, the ``?`` overlay, the footer and the tables in ``docs/viewer.md`` are all made from ``KEYMAP`` and, for
a recording, from ``REPLAY_KEYMAP``; a test holds the document to them.
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
    PAUSE = "pause"
    STEP = "step"
    STEP_SECOND = "step a second"
    BACKWARD = "backward"
    FORWARD = "forward"
    SLOWER = "slower"
    FASTER = "faster"
    BEGIN = "begin"
    END = "end"


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
    Binding(Action.QUIT, ("q", "ctrl+c"), "quit", "Leave the viewer; a daemon that runs apart goes on"),
)

REPLAY_KEYMAP: tuple[Binding, ...] = (
    Binding(Action.PAUSE, ("space",), "pause", "Pause, or go on; at the end, begin anew"),
    Binding(Action.BACKWARD, ("left",), "-5 s", "Back by five seconds"),
    Binding(Action.FORWARD, ("right",), "+5 s", "Forward by five seconds"),
    Binding(Action.STEP, (".",), "step", "Pause, and go on by one frame that changes the picture"),
    Binding(Action.STEP_SECOND, (">",), "second", "Pause, and go on by one second", in_footer=False),
    Binding(Action.SLOWER, ("[",), "slow", "Slower, down to 0.25x"),
    Binding(Action.FASTER, ("]",), "fast", "Faster, up to 64x"),
    Binding(Action.BEGIN, ("home",), "begin", "Go to the beginning", in_footer=False),
    Binding(Action.END, ("end",), "end", "Go to the end", in_footer=False),
    Binding(Action.HELP, ("?",), "help", "Show or hide this list"),
    Binding(Action.CLOSE, ("esc",), "close", "Close this list", in_footer=False),
    Binding(Action.QUIT, ("q", "ctrl+c"), "quit", "Leave the viewer"),
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
    "home": "HOME",
    "end": "END",
    "ctrl+c": "Ctrl+C",
}


def binding_of(key: str, keymap: tuple[Binding, ...] = KEYMAP) -> Binding | None:
    """The binding of a key, by the name that ``keys.Decoder`` gives it."""
    return next((binding for binding in keymap if key in binding.keys), None)


def key_label(key: str) -> str:
    """What a person calls that key."""
    return _LABELS.get(key, key)


def keys_label(binding: Binding) -> str:
    """All keys of a binding, for a person: ``SPACE, ENTER, →``."""
    return ", ".join(key_label(key) for key in binding.keys)


def markdown_table(keymap: tuple[Binding, ...] = KEYMAP) -> str:
    """The table as it stands in ``docs/viewer.md``; with commands where there are any."""
    commands = any(binding.command for binding in keymap)
    rows = (
        ["| key | what it does | command |", "|---|---|---|"] if commands else ["| key | what it does |", "|---|---|"]
    )
    for binding in keymap:
        keys = ", ".join(f"`{key_label(key)}`" for key in binding.keys)
        command = f"`operatorctl {binding.command}`" if binding.command else ""
        rows.append(f"| {keys} | {binding.help} |" + (f" {command} |" if commands else ""))
    return "\n".join(rows)
