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
    FOCUS = "focus"
    FOCUS_NEXT = "focus the next"
    FOCUS_PREVIOUS = "focus the one before"
    BIGGER = "bigger"
    SMALLER = "smaller"
    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    TOP = "top"
    BOTTOM = "bottom"
    FILTER = "filter"
    CHOOSE = "choose"
    APPROVE = "approve"
    REJECT = "reject"
    RESTART = "restart"
    DELETE = "delete"
    COMPLETE = "complete"
    CONFIRM = "confirm"
    LESS = "less"
    MORE = "more"
    INJECT = "inject"
    NOTE = "note"
    HOLD = "hold"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    DIAGNOSE = "diagnose"
    HISTORY = "history"
    SORT = "sort"
    FAULT = "fault"
    RECOVER = "recover"
    TICKETS = "tickets"
    PROCESSES = "processes"
    PALETTE = "palette"
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
    """The daemon's command behind the key, at once or through an overlay; empty for what the viewer does by itself."""
    in_footer: bool = True
    in_focus: bool = False
    """True where the footer shows it while a panel has the focus."""


PANEL_KEYS: tuple[Binding, ...] = (
    Binding(
        Action.FOCUS, ("1", "2", "3", "4", "5"), "panel", "Focus story, cluster, load, monitor, agent", in_footer=False
    ),
    Binding(Action.FOCUS_NEXT, ("tab",), "panel", "Focus the next panel: all it knows, line by line", "", False, True),
    Binding(Action.FOCUS_PREVIOUS, ("shift+tab",), "panel", "Focus the panel before", in_footer=False),
    Binding(Action.BIGGER, ("+", "="), "bigger", "Give it half of the screen, then all of it", "", False, True),
    Binding(Action.SMALLER, ("_", "-"), "smaller", "Make it smaller again", "", False, True),
    Binding(Action.UP, ("up", "k"), "up", "Up one line; a log stops following its end", "", False, True),
    Binding(Action.DOWN, ("down", "j"), "down", "Down one line", "", False, True),
    Binding(Action.PAGE_UP, ("pgup",), "page up", "Up one page", in_footer=False),
    Binding(Action.PAGE_DOWN, ("pgdn",), "page down", "Down one page", in_footer=False),
    Binding(Action.TOP, ("g",), "top", "To the first line", in_footer=False),
    Binding(Action.BOTTOM, ("G",), "end", "To the last line; a log follows its end again", "", False, True),
    Binding(Action.FILTER, ("/",), "filter", "Only lines that match a regex; ! before it: all others", "", False, True),
)
"""What moves the look, and nothing in what is looked at: the same for a daemon and a recording."""

KEYMAP: tuple[Binding, ...] = (
    Binding(Action.NEXT, ("space", "enter", "right"), "next", "Go on to the next chapter of the demo", "next"),
    Binding(Action.PREVIOUS, ("left",), "back", "Go back one chapter; what the chapter broke is repaired", "previous"),
    Binding(Action.FAULT, ("f",), "fault", "Break something: which fault, where, how hard", "fault"),
    Binding(Action.RECOVER, ("r",), "recover", "Undo every fault that is owed, or stop its countdown", "recover"),
    Binding(Action.TICKETS, ("t",), "tickets", "Tickets: the diagnosis; approve or reject its action", "tickets"),
    Binding(Action.PROCESSES, ("p",), "processes", "Processes: state, restarts, CPU, memory; restart one", "processes"),
    Binding(Action.PALETTE, (":",), "command", "Run any operatorctl command, with completion", in_footer=False),
    *PANEL_KEYS,
    Binding(Action.HELP, ("?",), "help", "Show or hide this list", in_focus=True),
    Binding(Action.CLOSE, ("esc",), "back", "One step back: overlay, filter, zoom, focus", "", False, in_focus=True),
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
    Binding(
        Action.TICKETS, ("t",), "tickets", "Unresolved tickets with their diagnosis, as they were", in_footer=False
    ),
    Binding(Action.PROCESSES, ("p",), "processes", "Processes with their states, as they were", in_footer=False),
    *PANEL_KEYS,
    Binding(Action.HELP, ("?",), "help", "Show or hide this list", in_focus=True),
    Binding(Action.CLOSE, ("esc",), "back", "One step back: overlay, filter, zoom, focus", "", False, in_focus=True),
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
    "shift+tab": "Shift+TAB",
    "pgup": "PgUp",
    "pgdn": "PgDn",
    "backspace": "Backspace",
    "home": "HOME",
    "end": "END",
}


def binding_of(key: str, keymap: tuple[Binding, ...] = KEYMAP) -> Binding | None:
    """The binding of a key, by the name that ``keys.Decoder`` gives it."""
    return next((binding for binding in keymap if key in binding.keys), None)


def key_label(key: str) -> str:
    """What a person calls that key."""
    return f"Ctrl+{key[5:].upper()}" if key.startswith("ctrl+") else _LABELS.get(key, key)


def keys_label(binding: Binding) -> str:
    """All keys of a binding, for a person: ``SPACE, ENTER, →``; ``1…5`` for a row of digits."""
    if len(binding.keys) > 3 and all(key.isdigit() for key in binding.keys):
        return f"{binding.keys[0]}…{binding.keys[-1]}"
    return ", ".join(key_label(key) for key in binding.keys)


MOVING: tuple[Action, ...] = (
    *(Action.UP, Action.DOWN, Action.PAGE_UP, Action.PAGE_DOWN, Action.TOP, Action.BOTTOM),
    Action.CLOSE,
)
"""What moves in a list or out of an overlay, the same in all of them."""


def keys_of_its_own(keymap: tuple[Binding, ...]) -> tuple[Binding, ...]:
    """The rows that set an overlay apart from the others; the document has only these."""
    return tuple(binding for binding in keymap if binding.action not in MOVING)


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
