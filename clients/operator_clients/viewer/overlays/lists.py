"""A list that one row of is chosen: which one, and the part of the list around it that fits."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from rich.text import Text

from operator_clients.viewer.interaction import SCROLLING, Extent, Scroll
from operator_clients.viewer.keymap import Action, Binding
from operator_clients.viewer.theme import STRONG

K = TypeVar("K")

LIST_KEYS: tuple[Binding, ...] = (
    Binding(Action.UP, ("up", "k"), "up", "The row above", in_footer=False),
    Binding(Action.DOWN, ("down", "j"), "down", "The row below", in_footer=False),
    Binding(Action.PAGE_UP, ("pgup",), "page up", "Up one page", in_footer=False),
    Binding(Action.PAGE_DOWN, ("pgdn",), "page down", "Down one page", in_footer=False),
    Binding(Action.TOP, ("g", "home"), "top", "The first row", in_footer=False),
    Binding(Action.BOTTOM, ("G", "end"), "end", "The last row", in_footer=False),
)
POINTER = "▶ "
"""What stands before the row that is chosen; before the others as many blanks."""
_PAGE = 8


class Cursor(Generic[K]):
    """Which row is chosen: by what it is about, so that it stays chosen while others come and go.

    When the row itself goes, the one in its place is chosen.
    """

    def __init__(self) -> None:
        self._key: K | None = None
        self._place = 0

    def place(self, keys: Sequence[K]) -> int:
        """The number of the row among ``keys``; 0 of an empty list."""
        if self._key is not None and self._key in keys:
            self._place = keys.index(self._key)
        self._place = max(0, min(self._place, len(keys) - 1))
        return self._place

    def chosen(self, keys: Sequence[K]) -> K | None:
        """What the row is about; None of an empty list."""
        return keys[self.place(keys)] if keys else None

    def choose(self, key: K | None) -> None:
        """Choose the row about ``key``; None: the first one."""
        self._key = key
        if key is None:
            self._place = 0

    def move(self, action: Action, keys: Sequence[K]) -> bool:
        """Move by one of the scrolling actions; False for any other."""
        if action not in SCROLLING:
            return False
        if keys:
            step = {Action.UP: -1, Action.DOWN: 1, Action.PAGE_UP: -_PAGE, Action.PAGE_DOWN: _PAGE}.get(action)
            ends = {Action.TOP: 0, Action.BOTTOM: len(keys) - 1}
            place = ends[action] if step is None else self.place(keys) + step
            self._place = max(0, min(place, len(keys) - 1))
            self._key = keys[self._place]
        return True


def around(rows: Sequence[Text], place: int, height: int) -> tuple[list[Text], str]:
    """As many of ``rows`` as fit around ``place``, and where that is: ``3/12``; nothing where all fit."""
    extent = Extent(len(rows), max(0, height))
    first = Scroll(place - extent.room // 2).within(extent)
    where = f"{place + 1}/{len(rows)}" if len(rows) > extent.room else ""
    return list(rows[first : first + extent.room]), where


def pointed(row: Text, *, chosen: bool) -> Text:
    """``row`` with the pointer before it, or with blanks."""
    marked = Text.assemble((POINTER if chosen else "  ", STRONG), row, no_wrap=True, overflow="ellipsis")
    if chosen:
        marked.stylize(STRONG)
    return marked
