"""A line to be typed: why a ticket is held, the value of a parameter."""

from collections.abc import Callable

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.keymap import Action, Binding
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, boxed, inner, line, paragraph, typed
from operator_clients.viewer.theme import DIM, INFO, STRONG, WARN
from operator_clients.viewer.view import View

Accept = Callable[[str, Ask], str]
"""Takes what was typed; returns what is wrong with it, empty when it was taken."""
_WIDTH = 66


class Prompt(Overlay):
    """Asks for one line of text."""

    wants_text = True

    def __init__(
        self,
        title: str,
        about: str,
        accept: Accept,
        *,
        does: str,
        text: str = "",
        limit: int = 300,
        may_be_empty: bool = True,
    ) -> None:
        """``about`` says what the text is for, ``does`` in a few words what ENTER does."""
        self.title = title
        self.keymap = (
            Binding(Action.CHOOSE, ("enter",), does, does.capitalize()),
            Binding(Action.DELETE, ("backspace",), "delete", "Delete the last character", in_footer=False),
            Binding(Action.COMPLETE, ("ctrl+u",), "clear", "Delete all of it"),
            CLOSE_KEY,
        )
        self.text = text
        self._about = about
        self._accept = accept
        self._does = does
        self._limit = limit
        self._may_be_empty = may_be_empty
        self._wrong = ""

    def type(self, text: str) -> None:
        """Another character."""
        self.text = (self.text + text)[: self._limit]
        self._wrong = ""

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Take the text, or shorten it."""
        if key == "enter":
            if not self.text.strip() and not self._may_be_empty:
                self._wrong = "nothing was typed"
                return None
            self._wrong = self._accept(self.text.strip(), ask)
            return None if self._wrong else Closed()
        if key in ("backspace", "ctrl+u"):
            self.text = self.text[:-1] if key == "backspace" else ""
            self._wrong = ""
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As high as what it says."""
        width = min(_WIDTH, screen.width)
        return Size(width, min(len(self._lines(view, inner(Size(width, 0)).width)) + FRAME_HEIGHT, screen.height))

    def draw(self, view: View, size: Size) -> RenderableType:
        """What it is for, the line, and what ENTER does."""
        room = inner(size)
        lines = self._lines(view, room.width)
        return boxed(line((self.title, STRONG)), lines[-room.height :], size, border=INFO, heavy=True)

    def _lines(self, view: View, width: int) -> list[Text]:
        lines = [*paragraph(self._about, width, DIM), line("")]
        lines.append(typed("> ", self.text, width))
        lines.extend(paragraph(self._wrong, width, WARN) if self._wrong else [line("")])
        if view.inert:
            lines.append(line((f"{view.inert}: what changes something is refused", WARN)))
        key = f"{STRONG} {INFO}"
        lines.append(line(("ENTER", key), f" {self._does}   ", ("ESC", key), " does nothing"))
        return lines
