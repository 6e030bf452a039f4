"""The list of keys: ``?``, from anywhere."""

from rich.console import RenderableType
from rich.text import Text

from operator_clients.console_address import NO_CONSOLE, ConsoleAddress
from operator_clients.viewer.interaction import SCROLLING, Extent, Scroll
from operator_clients.viewer.keymap import KEYMAP, REPLAY_KEYMAP, Action, Binding, binding_of, keys_label
from operator_clients.viewer.layout import MIN_WIDTH, Size
from operator_clients.viewer.overlays.box import SCROLL_KEYS, extent_of, room_for, scrolled_box
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_WIDTH, line, paragraph
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, LEADER, NODE, STRONG, WARN
from operator_clients.viewer.view import View


class KeysOverlay(Overlay):
    """Every key with its sentence, those of the overlay below it first; then what the signs mean."""

    title = "Keys"
    keymap = (*SCROLL_KEYS, Binding(Action.HELP, ("?",), "close", "Close this list", in_footer=False), CLOSE_KEY)

    def __init__(
        self,
        keymap: tuple[Binding, ...] = KEYMAP,
        *,
        above: tuple[str, tuple[Binding, ...]] | None = None,
        console: ConsoleAddress = NO_CONSOLE,
        readonly: bool = False,
    ) -> None:
        self._keymap = keymap
        self._above = above
        self._console = console
        self._readonly = readonly
        self._scroll = Scroll()
        self._extent = Extent()

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Scroll; any other key only closes the list: whoever reads it does not mean to break something next."""
        binding = binding_of(key, SCROLL_KEYS)
        if binding is None or binding.action not in SCROLLING:
            return Closed()
        self._scroll = self._scroll.moved(binding.action, self._extent, follows=False)
        return None

    def size(self, view: View, screen: Size) -> Size:
        """As wide as the smallest screen at most."""
        wanted = room_for(self._lines())
        size = Size(min(wanted.width, MIN_WIDTH - 2), min(wanted.height, screen.height))
        # How far a key may scroll depends on the screen, which a key does not know.
        self._extent = extent_of(self._lines(), size)
        return size

    def draw(self, view: View, size: Size) -> RenderableType:
        """The list from where it is scrolled to."""
        return scrolled_box(self.title, self._lines(), self._scroll, size)

    def _lines(self) -> list[Text]:
        lines: list[Text] = []
        every = (*self._keymap, *(self._above[1] if self._above else ()))
        column = max(len(keys_label(binding)) for binding in every)
        if self._above:
            lines += [line((self._above[0], STRONG)), *_rows(self._above[1], column), line("")]
            lines.append(line(("Everywhere else", STRONG)))
        lines += _rows(self._keymap, column)
        lines.append(line(""))
        legend = [(f"{look.glyph} {look.word}", look.style) for look in NODE.values()]
        spaced = [part for one in legend for part in (one, "   ")]
        lines.append(line(*spaced, (f"{LEADER} primary, leader", WARN), "   ", ("◄ fault", FAULT)))
        marks = (("F fault", FAULT), "   ", ("D detected", WARN), "   ", ("R recovered", GOOD))
        lines.append(line("on the time axis:   ", *marks))
        if self._keymap is REPLAY_KEYMAP:
            lines.append(line(" " * 20, ("| daemon restarted", WARN), "   ", ("? frames missing", BAD)))
        if self._readonly:
            lines.append(line(("this viewer is read-only: what changes something is refused", WARN)))
        if self._console.url:
            lines += [line(""), line("the web console, for this daemon alone: ", (self._console.url, INFO))]
            lines += [line(("what changes something asks for a token; it is in ", DIM))]
            lines += paragraph(self._console.file, MIN_WIDTH - 2 - FRAME_WIDTH, INFO)
        return lines


def _rows(keymap: tuple[Binding, ...], column: int) -> list[Text]:
    style = f"{STRONG} {INFO}"
    return [line((f"{keys_label(binding):<{column}}", style), f"  {binding.help}") for binding in keymap]
