"""A box of lines that scrolls: what most overlays are."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from operator_clients.viewer.interaction import Extent, Scroll
from operator_clients.viewer.keymap import Action, Binding
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import FRAME_HEIGHT, FRAME_WIDTH, boxed, inner, line
from operator_clients.viewer.theme import DIM, INFO, STRONG

SCROLL_KEYS: tuple[Binding, ...] = (
    Binding(Action.UP, ("up", "k"), "up", "Up one line"),
    Binding(Action.DOWN, ("down", "j"), "down", "Down one line"),
    Binding(Action.PAGE_UP, ("pgup",), "page up", "Up one page", in_footer=False),
    Binding(Action.PAGE_DOWN, ("pgdn",), "page down", "Down one page", in_footer=False),
    Binding(Action.TOP, ("g", "home"), "top", "To the first line", in_footer=False),
    Binding(Action.BOTTOM, ("G", "end"), "end", "To the last line", in_footer=False),
)


def room_for(lines: Sequence[Text], *, least_width: int = 0) -> Size:
    """The room that ``lines`` need to be seen whole in a box."""
    width = max((one.cell_len for one in lines), default=0)
    return Size(max(width, least_width) + FRAME_WIDTH, len(lines) + FRAME_HEIGHT)


def scrolled_box(title: str, lines: Sequence[Text], scroll: Scroll, size: Size, hint: str = "") -> RenderableType:
    """The lines from where ``scroll`` is, in a box of exactly ``size`` that says how many are below."""
    extent = extent_of(lines, size)
    first = scroll.within(extent)
    below = extent.total - first - extent.room
    foot = line((f"▼ {below} below", INFO), (f"  {hint}" if hint else "", DIM)) if below > 0 else line((hint, DIM))
    shown = list(lines[first : first + extent.room])
    subtitle = foot if foot.plain else None
    return boxed(line((title, STRONG)), shown, size, border=INFO, subtitle=subtitle, heavy=True)


def extent_of(lines: Sequence[Text], size: Size) -> Extent:
    """How far ``lines`` can be scrolled in a box of ``size``."""
    return Extent(len(lines), max(0, inner(size).height))
