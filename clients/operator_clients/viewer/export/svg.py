"""A picture of cells as SVG: text that can be selected, lines that meet, nothing that has to be loaded.

Text stands in runs of one style, each stretched to the columns that it takes, so that the grid holds in any monospaced
font. Lines and blocks are drawn as shapes: whether their characters touch each other is a matter of the font.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import NamedTuple

from operator_clients.viewer.canvas import Cell, Picture
from operator_clients.viewer.export.colours import INK, PAPER, Look, hexadecimal, look_of

_WIDTH, _HEIGHT = 8, 18
"""Pixels of a cell."""
_MARGIN = 12
_BASELINE = 13.5
_FONT = (
    "13.3px ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
)
_CLASSES = (
    ".b{font-weight:700}.i{font-style:italic}.u{text-decoration:underline}.s{text-decoration:line-through}"
    "path{fill:none}"
)
_NAMED = 'role="img" aria-labelledby="t d"'
_ARMS = {
    "─": (0, 1, 0, 1), "│": (1, 0, 1, 0), "┌": (0, 1, 1, 0), "┐": (0, 0, 1, 1), "└": (1, 1, 0, 0), "┘": (1, 0, 0, 1),
    "├": (1, 1, 1, 0), "┤": (1, 0, 1, 1), "┬": (0, 1, 1, 1), "┴": (1, 1, 0, 1), "┼": (1, 1, 1, 1),
    "━": (0, 2, 0, 2), "┃": (2, 0, 2, 0), "┏": (0, 2, 2, 0), "┓": (0, 0, 2, 2), "┗": (2, 2, 0, 0), "┛": (2, 0, 0, 2),
    "┣": (2, 2, 2, 0), "┫": (2, 0, 2, 2), "┳": (0, 2, 2, 2), "┻": (2, 2, 0, 2), "╋": (2, 2, 2, 2),
}  # fmt: skip
"""Weight of the line from the middle of a cell up, right, down and left."""
_CORNERS = {
    "╭": "M{c} {b}v-5q0-4 4-4", "╮": "M{c} {b}v-5q0-4-4-4", "╰": "M{c} {t}v5q0 4 4 4", "╯": "M{c} {t}v5q0 4-4 4",
}  # fmt: skip
"""Round ones, as paths from the bottom or the top of a cell."""
_BLOCKS = {
    **{char: (0, 8 - eighth, 8, eighth) for eighth, char in enumerate("▁▂▃▄▅▆▇█", start=1)},
    **{char: (0, 0, eighth, 8) for char, eighth in zip("▏▎▍▌▋▊▉", range(1, 8), strict=True)},
    "▀": (0, 0, 8, 4), "▐": (4, 0, 4, 8),
}  # fmt: skip
"""Left, top, width and height in eighths of a cell."""
_SHAPES = frozenset([*_ARMS, *_CORNERS, *_BLOCKS])


class Run(NamedTuple):
    """Neighbours in a row that are written together."""

    column: int
    width: int
    text: str


def svg(picture: Picture, title: str, description: str) -> str:
    """The whole document."""
    columns, rows = len(picture[0]), len(picture)
    width, height = columns * _WIDTH + 2 * _MARGIN, rows * _HEIGHT + 2 * _MARGIN
    page = f'width="{width}" height="{height}"'
    drawn = [*_papers(picture), *_shapes(picture), *_texts(picture)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {page} {_NAMED}>',
            f'<title id="t">{escape(title)}</title>',
            f'<desc id="d">{escape(description)}</desc>',
            f"<style>text{{font:{_FONT};fill:{hexadecimal(INK)};white-space:pre}}{_CLASSES}</style>",
            f'<rect {page} rx="8" fill="{hexadecimal(PAPER)}"/>',
            f'<g transform="translate({_MARGIN} {_MARGIN})">',
            *drawn,
            "</g>",
            "</svg>",
            "",
        ]
    )


def runs(cells: Iterable[Cell], first: int = 0) -> Iterator[Run]:
    """The words of neighbouring cells of one style, a sentence in one run; ``first`` is the column of the first cell.

    Two blanks end a run. A character that may be wider or narrower than its cell in some font has one of its own.
    """
    start = end = first
    text = ""
    for column, cell in enumerate(cells, first):
        if cell.text == " ":
            continue
        if cell.text == "":
            end = column + 1
        elif text and cell.text.isascii() and text.isascii() and column - end <= 1:
            text += " " * (column - end) + cell.text
            end = column + 1
        else:
            if text:
                yield Run(start, end - start, text)
            start, end, text = column, column + 1, "" if cell.text in _SHAPES else cell.text
    if text:
        yield Run(start, end - start, text)


def _texts(picture: Picture) -> Iterator[str]:
    for number, row in enumerate(picture):
        column = 0
        for sgr, group in groupby(row, key=lambda cell: cell.sgr):
            cells = list(group)
            look = look_of(sgr)
            for run in runs(cells, column):
                yield (
                    f'<text x="{run.column * _WIDTH}" y="{number * _HEIGHT + _BASELINE:g}"'
                    f' textLength="{run.width * _WIDTH}" lengthAdjust="spacingAndGlyphs"{_attributes(look)}>'
                    f"{escape(run.text, quote=False)}</text>"
                )
            column += len(cells)


def _attributes(look: Look) -> str:
    classes = [name for name, on in zip("bius", look[2:], strict=True) if on]
    chosen = f' class="{" ".join(classes)}"' if classes else ""
    return chosen if look.ink == hexadecimal(INK) else f'{chosen} style="fill:{look.ink}"'


def _papers(picture: Picture) -> Iterator[str]:
    areas: dict[str, list[str]] = defaultdict(list)
    for number, row in enumerate(picture):
        column = 0
        for paper, group in groupby(row, key=lambda cell: look_of(cell.sgr).paper):
            width = len(list(group))
            if paper:
                areas[paper].append(
                    f"M{column * _WIDTH} {number * _HEIGHT}h{width * _WIDTH}v{_HEIGHT}h-{width * _WIDTH}z"
                )
            column += width
    for paper, paths in areas.items():
        yield f'<path style="fill:{paper}" d="{"".join(paths)}"/>'


def _shapes(picture: Picture) -> Iterator[str]:
    """A path for each colour and kind of shape; lines that go on are one."""
    lines: dict[tuple[str, int], list[tuple[str, float, float, float]]] = defaultdict(list)
    curves: dict[str, list[str]] = defaultdict(list)
    blocks: dict[str, list[str]] = defaultdict(list)
    for number, row in enumerate(picture):
        for column, cell in enumerate(row):
            if cell.text not in _SHAPES:
                continue
            ink = look_of(cell.sgr).ink
            left, top = column * _WIDTH, number * _HEIGHT
            if cell.text in _BLOCKS:
                x, y, width, height = _BLOCKS[cell.text]
                px, py = left + x * _WIDTH / 8, top + y * _HEIGHT / 8
                w, h = width * _WIDTH / 8, height * _HEIGHT / 8
                blocks[ink].append(f"M{px:g} {py:g}h{w:g}v{h:g}h-{w:g}z")
            elif cell.text in _CORNERS:
                path = _CORNERS[cell.text]
                curves[ink].append(path.format(c=left + _WIDTH / 2, t=top, b=top + _HEIGHT))
            else:
                for weight, line in _arms(cell.text, left, top):
                    lines[ink, weight].append(line)
    for ink, paths in blocks.items():
        yield f'<path style="fill:{ink}" shape-rendering="crispEdges" d="{"".join(paths)}"/>'
    for ink, paths in curves.items():
        yield f'<path stroke="{ink}" d="{"".join(paths)}"/>'
    for (ink, weight), parts in lines.items():
        yield f'<path stroke="{ink}" stroke-width="{weight}" d="{"".join(_joined(parts))}"/>'


def _arms(char: str, left: int, top: int) -> Iterator[tuple[int, tuple[str, float, float, float]]]:
    """Direction, the coordinate that stays, and from where to where."""
    up, right, down, left_arm = _ARMS[char]
    x, y = left + _WIDTH / 2, top + _HEIGHT / 2
    if up:
        yield up, ("v", x, top, y)
    if down:
        yield down, ("v", x, y, top + _HEIGHT)
    if left_arm:
        yield left_arm, ("h", y, left, x)
    if right:
        yield right, ("h", y, x, left + _WIDTH)


def _joined(parts: list[tuple[str, float, float, float]]) -> Iterator[str]:
    parts = sorted(parts)
    direction, across, start, end = parts[0]
    for part in [*parts[1:], ("", 0.0, 0.0, 0.0)]:
        if part[:2] == (direction, across) and part[2] == end:
            end = part[3]
            continue
        x, y = (start, across) if direction == "h" else (across, start)
        yield f"M{x:g} {y:g}{direction}{end - start:g}"
        direction, across, start, end = part
