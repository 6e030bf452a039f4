"""A grid of cells that Rich renderables are placed on.

Rich turns a renderable into styled segments; here they become cells of one character with the escape sequence of its
style, which makes placing side by side, overlaying and comparing with the last picture a matter of lists.
"""

import io
import os
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.style import Style
from rich.text import Text

from operator_clients.format import clean
from operator_clients.viewer.layout import Rect, Size


class Cell(NamedTuple):
    """One column of one row."""

    text: str
    """The character, with what combines with it; empty for the right half of a wide one."""
    sgr: str
    """The escape sequence that selects its style; empty for none."""


Row = list[Cell]
Picture = list[Row]
"""Rows from the top, each with as many cells as the screen has columns."""

BLANK = Cell(" ", "")
_RIGHT_HALF = ""
_REMEMBERED = 32
"""Drawings kept: a few times what stands on one screen."""
_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}


class Canvas:
    """A picture in the making."""

    def __init__(self, size: Size, pen: "Pen") -> None:
        self.size = size
        self.picture: Picture = [[BLANK] * size.width for _ in range(size.height)]
        self._pen = pen

    def place(self, rect: Rect, renderable: RenderableType) -> None:
        """Draw ``renderable`` into ``rect``, over what was there; what does not fit is cut off."""
        width = min(rect.width, self.size.width - rect.x)
        height = min(rect.height, self.size.height - rect.y)
        if width < 1 or height < 1:
            return
        for row, cells in enumerate(self._pen.draw(renderable, Size(width, height)), start=rect.y):
            _replace(self.picture[row], rect.x, cells)


class Pen:
    """Renders with Rich, in the colours that the terminal has."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._console = Console(
            file=io.StringIO(),
            force_terminal=True,
            legacy_windows=False,
            width=80,
            height=24,
            _environ=dict(os.environ if environ is None else environ),
        )
        name = self._console.color_system
        self._system = _SYSTEMS.get(name) if name else None
        self._plain = self._console.no_color
        self._codes: dict[Style, str] = {}
        self._drawn: dict[Hashable, Picture] = {}
        """The last drawings by what they are of, the one used last at the end: most panels are as they were."""

    def draw(self, renderable: RenderableType, size: Size) -> Picture:
        """``renderable`` as rows of cells, exactly ``size``. Not to be changed."""
        content = _content(renderable)
        if content is None:
            return self._draw(renderable, size)
        key = (size, content)
        picture = self._drawn.pop(key, None) or self._draw(renderable, size)
        self._drawn[key] = picture
        if len(self._drawn) > _REMEMBERED:
            del self._drawn[next(iter(self._drawn))]
        return picture

    def _draw(self, renderable: RenderableType, size: Size) -> Picture:
        options = self._console.options.update_dimensions(size.width, size.height)
        lines = self._console.render_lines(renderable, options, pad=True)
        picture = []
        for segments in lines[: size.height]:
            row: Row = []
            for text, style, control in segments:
                if not control:
                    # The last door before the terminal: whatever a panel forgot to clean is no order to it.
                    shown = text if text.isprintable() else clean(text)
                    _append(row, shown, self._sgr(style) if style else "")
            picture.append(_exactly(row, size.width))
        picture.extend([BLANK] * size.width for _ in range(size.height - len(picture)))
        return picture

    def _sgr(self, style: Style) -> str:
        code = self._codes.get(style)
        if code is None:
            # A link would be a sequence of another kind, to an address that somebody else chose.
            shown = style.update_link(None) if style.link else style
            shown = shown.without_color if self._plain else shown
            # Style.render writes "<codes>x<reset>"; the codes alone have no public name.
            code = shown.render("x", color_system=self._system).partition("x")[0]
            self._codes[style] = code
        return code


def _content(renderable: object) -> Hashable | None:
    """What makes a drawing another one; None for what is not made of text, panels and groups alone."""
    if renderable is None or isinstance(renderable, str):
        return (renderable,)
    if isinstance(renderable, Text):
        look = (renderable.style, renderable.justify, renderable.overflow, renderable.no_wrap)
        return (renderable.plain, tuple(renderable.spans), *look)
    if isinstance(renderable, Group):
        parts = tuple(_content(one) for one in renderable.renderables)
        return None if None in parts else parts
    if isinstance(renderable, Panel):
        inside = tuple(_content(one) for one in (renderable.title, renderable.subtitle, renderable.renderable))
        edge = (renderable.style, renderable.border_style, renderable.box, renderable.padding, renderable.title_align)
        room = (renderable.width, renderable.height, renderable.subtitle_align)
        return None if None in inside else (inside, edge, room)
    return None


def _append(row: Row, text: str, sgr: str) -> None:
    if text.isascii() or cell_len(text) == len(text):
        row.extend([Cell(char, sgr) for char in text])
        return
    for char in text:
        width = get_character_cell_size(char)
        if width == 0 and row:
            row[-1] = Cell(row[-1].text + char, row[-1].sgr)
        elif width > 0:
            row.append(Cell(char, sgr))
            row.extend([Cell(_RIGHT_HALF, sgr)] * (width - 1))


def _exactly(row: Row, width: int) -> Row:
    if len(row) > width:
        if row[width].text == _RIGHT_HALF:
            row[width - 1] = BLANK
        del row[width:]
    row.extend([BLANK] * (width - len(row)))
    return row


def _replace(row: Row, start: int, cells: Row) -> None:
    """Put ``cells`` into ``row``; a wide character that would lose one half is blanked."""
    end = start + len(cells)
    if row[start].text == _RIGHT_HALF and start > 0:
        row[start - 1] = BLANK
    if end < len(row) and row[end].text == _RIGHT_HALF:
        row[end] = BLANK
    row[start:end] = cells
