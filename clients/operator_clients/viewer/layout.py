"""Where the five panels stand, for every size from 80x24 on. Pure arithmetic."""

from typing import Literal, NamedTuple

PanelName = Literal["narration", "cluster", "workload", "monitor", "agent"]

Zoom = Literal["normal", "half", "full"]
"""How much of the screen the focused panel takes: its own place, half of it, all but header and footer."""

_ALL: tuple[PanelName, ...] = ("narration", "cluster", "workload", "monitor", "agent")
_STORY_ROWS = 6
_NOTES_ROWS = 11
"""The longest of the shipped notes at 80 columns, with what stands around it."""
_PAIR_ROWS = 8

MIN_WIDTH = 80
MIN_HEIGHT = 24
_LARGEST = (500, 200)
_LONGEST_SIZE = 12
_THREE_COLUMNS_FROM = (160, 36)


class Size(NamedTuple):
    """Columns and rows."""

    width: int
    height: int


def screen_size(text: str) -> Size:
    """``120x40``. Raises ``ValueError`` for what the panels do not fit into."""
    columns, _, rows = text.partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and len(text) < _LONGEST_SIZE):
        raise ValueError(f"{text!r} is not a size like 120x40, columns by rows")
    size = Size(int(columns), int(rows))
    if size.width < MIN_WIDTH or size.height < MIN_HEIGHT:
        raise ValueError(f"{text} is too small: the five panels need {MIN_WIDTH}x{MIN_HEIGHT}")
    if size.width > _LARGEST[0] or size.height > _LARGEST[1]:
        raise ValueError(f"{text} is too large: {_LARGEST[0]}x{_LARGEST[1]} at most")
    return size


class Rect(NamedTuple):
    """Part of the screen; ``x`` and ``y`` from 0."""

    x: int
    y: int
    width: int
    height: int


class Layout(NamedTuple):
    """A header line, five panels that tile what is between, and lines left for the footer."""

    header: Rect
    panels: dict[PanelName, Rect]


def too_small(size: Size) -> bool:
    """True where the panels would not be whole."""
    return size.width < MIN_WIDTH or size.height < MIN_HEIGHT


def arrange(
    size: Size, below: int = 1, focus: PanelName | None = None, zoom: Zoom = "normal", *, notes: bool = False
) -> Layout:
    """The layout for ``size``, which must not be too small, with so many lines left for the footer.

    With ``notes`` in the place of the story it is what grows first. A zoomed panel leaves the others as much as they
    need to be whole, or no place at all.
    """
    body = Rect(0, 1, size.width, size.height - 1 - below)
    wide = size.width >= _THREE_COLUMNS_FROM[0] and size.height >= _THREE_COLUMNS_FROM[1]
    if focus is None or zoom == "normal":
        panels = _three_columns(body) if wide else _two_columns(body, _NOTES_ROWS if notes else 0)
    elif zoom == "full":
        panels = {focus: body}
    else:
        others: list[PanelName] = [name for name in _ALL if name != focus]
        panels = _half_beside(body, focus, others) if wide else _half_below(body, focus, others)
    return Layout(header=Rect(0, 0, size.width, 1), panels=panels)


def _half_beside(body: Rect, focus: PanelName, others: list[PanelName]) -> dict[PanelName, Rect]:
    """The right half for the focus; the others one above the other, the story as high as it needs to be."""
    left = body.width // 2
    panels = {focus: Rect(left, body.y, body.width - left, body.height)}
    y, end = body.y, body.y + body.height
    for number, name in enumerate(others):
        height = _STORY_ROWS + 2 if name == "narration" else (end - y) // (len(others) - number)
        panels[name] = Rect(0, y, left, height)
        y += height
    return panels


def _half_below(body: Rect, focus: PanelName, others: list[PanelName]) -> dict[PanelName, Rect]:
    """The lower part for the focus; above it the story, then as many pairs of the others as leave it half."""
    spare = body.height - body.height // 2
    rows: list[tuple[list[PanelName], int]] = []
    if "narration" in others:
        others = others[1:]
        rows.append((["narration"], _STORY_ROWS))
        spare -= _STORY_ROWS
    while others and spare >= _PAIR_ROWS:
        rows.append((others[:2], _PAIR_ROWS))
        others = others[2:]
        spare -= _PAIR_ROWS
    panels: dict[PanelName, Rect] = {}
    y = body.y
    for names, height in rows:
        left = body.width if len(names) == 1 else max(40, body.width * 42 // 100)
        for number, name in enumerate(names):
            panels[name] = Rect(left * number, y, body.width - left if number else left, height)
        y += height
    panels[focus] = Rect(0, y, body.width, body.y + body.height - y)
    return panels


def _two_columns(body: Rect, story_rows: int) -> dict[PanelName, Rect]:
    """The story over the whole width; below it what is measured, below that who watches and who thinks.

    The story gets ``story_rows``, as far as the others stay whole.
    """
    spare = body.height - (MIN_HEIGHT - 2)
    top = max(_STORY_ROWS + spare // 8, min(_STORY_ROWS + spare, story_rows))
    middle = min(_PAIR_ROWS + spare // 4, body.height - top - _PAIR_ROWS)
    bottom = body.height - top - middle
    left = max(43, body.width * 42 // 100)
    right = body.width - left
    watching = max(38, body.width * 42 // 100)
    y = body.y
    return {
        "narration": Rect(0, y, body.width, top),
        "cluster": Rect(0, y + top, left, middle),
        "workload": Rect(left, y + top, right, middle),
        "monitor": Rect(0, y + top + middle, watching, bottom),
        "agent": Rect(watching, y + top + middle, body.width - watching, bottom),
    }


def _three_columns(body: Rect) -> dict[PanelName, Rect]:
    """On a large screen the agent has a column of its own: its lines are the longest."""
    first = body.width * 32 // 100
    second = body.width * 34 // 100
    top = max(10, body.height * 30 // 100)
    load = max(14, body.height * 45 // 100)
    y = body.y
    return {
        "narration": Rect(0, y, first, top),
        "cluster": Rect(0, y + top, first, body.height - top),
        "workload": Rect(first, y, second, load),
        "monitor": Rect(first, y + load, second, body.height - load),
        "agent": Rect(first + second, y, body.width - first - second, body.height),
    }
