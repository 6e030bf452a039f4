"""What a command of the palette printed, or prints."""

from functools import lru_cache

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.errands import MOST_LINES, Errand
from operator_clients.viewer.interaction import Extent, Scroll
from operator_clients.viewer.keymap import binding_of
from operator_clients.viewer.layout import Size
from operator_clients.viewer.overlays.box import SCROLL_KEYS, extent_of, room_for, scrolled_box
from operator_clients.viewer.overlays.overlay import CLOSE_KEY, Ask, Closed, Overlay
from operator_clients.viewer.panels.paper import FRAME_WIDTH, paragraph
from operator_clients.viewer.theme import BAD
from operator_clients.viewer.view import View

_FOLLOWS = frozenset({"-f", "--follow"})


class Output(Overlay):
    """Its lines, from the first; one that follows something, and one scrolled to the end, shows what comes.

    Closing it ends the command.
    """

    keymap = (*SCROLL_KEYS, CLOSE_KEY._replace(help="Close it; a command that still runs is ended"))

    def __init__(self, errand: Errand) -> None:
        self.title = f":{errand.text}"
        self._errand = errand
        self._scroll = Scroll(following=not _FOLLOWS.isdisjoint(errand.text.split()))
        self._extent = Extent()
        self._laid_out: list[Text] = []
        self._laid_out_as_of: tuple[int, int | None, int] = (-1, None, 0)

    def press(self, key: str, ask: Ask, mono: float) -> Overlay | Closed | None:
        """Scroll; whatever else is pressed only closes what has ended."""
        binding = binding_of(key, SCROLL_KEYS)
        if binding is None:
            return Closed() if key == "enter" or self._errand.code is not None else None
        self._scroll = self._scroll.moved(binding.action, self._extent, follows=True)
        return None

    def tick(self, mono: float) -> bool:
        """Take in what was printed."""
        return self._errand.read()

    def closed(self) -> None:
        """Nobody reads it any more; its end is not waited for, since keys would be."""
        self._errand.stop()

    def size(self, view: View, screen: Size) -> Size:
        """What the lines need, within the screen."""
        wanted = room_for(self._lines(screen.width - FRAME_WIDTH), least_width=min(60, screen.width - FRAME_WIDTH))
        size = Size(min(wanted.width, screen.width), min(wanted.height, screen.height))
        self._extent = extent_of(self._lines(size.width - FRAME_WIDTH), size)
        return size

    def draw(self, view: View, size: Size) -> RenderableType:
        """The lines, and whether more may come."""
        hint = "running" if self._errand.code is None else ""
        if self._errand.code:
            hint = f"exit code {self._errand.code}"
        return scrolled_box(self.title, self._lines(size.width - FRAME_WIDTH), self._scroll, size, hint)

    def _lines(self, width: int) -> list[Text]:
        as_of = (self._errand.taken, self._errand.code, width)
        if as_of != self._laid_out_as_of:
            style = BAD if self._errand.code else ""
            self._laid_out = [text for one in self._errand.lines for text in _wrapped(one, width, style)]
            self._laid_out_as_of = as_of
        return self._laid_out


@lru_cache(maxsize=MOST_LINES)
def _wrapped(text: str, width: int, style: str) -> tuple[Text, ...]:
    """Costly, and the same as long as the line is kept, however many come after it."""
    return tuple(paragraph(text, width, style))
