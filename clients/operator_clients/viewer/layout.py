"""Where the five panels stand, for every size from 80x24 on. Pure arithmetic."""

from typing import Literal, NamedTuple

PanelName = Literal["narration", "cluster", "workload", "monitor", "agent"]

MIN_WIDTH = 80
MIN_HEIGHT = 24
_THREE_COLUMNS_FROM = (160, 36)


class Size(NamedTuple):
    """Columns and rows."""

    width: int
    height: int


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


def arrange(size: Size, below: int = 1) -> Layout:
    """The layout for ``size``, which must not be too small, with so many lines left for the footer."""
    body = Rect(0, 1, size.width, size.height - 1 - below)
    wide = size.width >= _THREE_COLUMNS_FROM[0] and size.height >= _THREE_COLUMNS_FROM[1]
    return Layout(
        header=Rect(0, 0, size.width, 1),
        panels=_three_columns(body) if wide else _two_columns(body),
    )


def _two_columns(body: Rect) -> dict[PanelName, Rect]:
    """The story over the whole width; below it what is measured, below that who watches and who thinks."""
    spare = body.height - (MIN_HEIGHT - 2)
    top = 6 + spare // 8
    middle = 8 + spare // 4
    bottom = body.height - top - middle
    left = max(40, body.width * 42 // 100)
    right = body.width - left
    y = body.y
    return {
        "narration": Rect(0, y, body.width, top),
        "cluster": Rect(0, y + top, left, middle),
        "workload": Rect(left, y + top, right, middle),
        "monitor": Rect(0, y + top + middle, left, bottom),
        "agent": Rect(left, y + top + middle, right, bottom),
    }


def _three_columns(body: Rect) -> dict[PanelName, Rect]:
    """On a large screen the agent has a column of its own: its lines are the longest."""
    first = body.width * 32 // 100
    second = body.width * 34 // 100
    top = max(10, body.height * 30 // 100)
    y = body.y
    return {
        "narration": Rect(0, y, first, top),
        "cluster": Rect(0, y + top, first, body.height - top),
        "workload": Rect(first, y, second, top),
        "monitor": Rect(first, y + top, second, body.height - top),
        "agent": Rect(first + second, y, body.width - first - second, body.height),
    }
