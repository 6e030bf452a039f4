"""A grid of cells that Rich renderables are placed on.

Rich turns a renderable into styled segments; here they become cells of one character with the escape sequence of its
style, which makes placing side by side, overlaying and comparing with the last picture a matter of lists.
"""

import io
import os
from collections.abc import Mapping
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.style import Style

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

    def draw(self, renderable: RenderableType, size: Size) -> Picture:
        """``renderable`` as rows of cells, exactly ``size``."""
        options = self._console.options.update_dimensions(size.width, size.height)
        lines = self._console.render_lines(renderable, options, pad=True)
        picture = []
        for segments in lines[: size.height]:
            row: Row = []
            for text, style, control in segments:
                if not control:
                    _append(row, text, self._sgr(style) if style else "")
            picture.append(_exactly(row, size.width))
        picture.extend([BLANK] * size.width for _ in range(size.height - len(picture)))
        return picture

    def _sgr(self, style: Style) -> str:
        code = self._codes.get(style)
        if code is None:
            shown = style.without_color if self._plain else style
            # Style.render writes "<codes>x<reset>"; the codes alone have no public name.
            code = shown.render("x", color_system=self._system).partition("x")[0]
            self._codes[style] = code
        return code


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
