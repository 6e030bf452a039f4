"""What has to be written so that a terminal that shows one picture shows another."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from operator_clients.viewer.canvas import Picture, Row

_RESET = "\x1b[0m"
BEGIN_SYNC = "\x1b[?2026h"
"""Synchronized output: the terminal shows nothing of what follows until ``END_SYNC``. Ignored where it is unknown."""
END_SYNC = "\x1b[?2026l"

_FOREGROUND: Final = frozenset(["1", "2", "3", *map(str, (*range(30, 38), *range(90, 98)))])
"""Codes that change how a character looks and leave a space what it is."""
_JOIN_GAP = 4
"""Runs of changed cells that are closer than this are written as one: moving the cursor costs about as much."""


def whole(picture: Picture) -> str:
    """Clear the screen and write every row."""
    pencil = _Pencil()
    for number, row in enumerate(picture):
        pencil.write(number, row, 0, len(row))
    return f"{BEGIN_SYNC}{_RESET}\x1b[2J{pencil.written()}{END_SYNC}"


def changes(before: Picture, after: Picture) -> str:
    """Write the cells of ``after`` that differ from ``before``, a picture of the same size; empty if none does."""
    pencil = _Pencil()
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            for start, end in _runs(old, new):
                pencil.write(number, new, start, end)
    written = pencil.written()
    return f"{BEGIN_SYNC}{written}{END_SYNC}" if written else ""


class _Pencil:
    """Remembers where the cursor is and which style is on, so that neither is said twice."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._row = -1
        self._sgr = ""

    def write(self, number: int, row: Row, start: int, end: int) -> None:
        """Columns ``start`` to ``end`` of that row."""
        self._parts.append(f"\x1b[{start + 1}G" if number == self._row else f"\x1b[{number + 1};{start + 1}H")
        self._row = number
        for column in range(start, end):
            text, sgr = row[column]
            if sgr != self._sgr and not (text == " " and _blank(sgr) and _blank(self._sgr)):
                # Both in one sequence: half of what is written when one second follows another is sequences.
                self._parts.append(f"\x1b[0;{sgr[2:]}" if sgr else _RESET)
                self._sgr = sgr
            # A terminal may draw a wide character narrower than we think: what follows it is put in its place.
            self._parts.append(text or f"\x1b[{column + 2}G")

    def written(self) -> str:
        """All of it, with no style left on."""
        return "".join(self._parts) + (_RESET if self._sgr else "")


@cache
def _blank(sgr: str) -> bool:
    """True of a style in which a space looks as in any other such: it has neither background nor lines."""
    codes = sgr[2:-1].split(";") if sgr else []
    return all(code in _FOREGROUND for code in codes)


def _runs(old: Row, new: Row) -> Iterator[tuple[int, int]]:
    """Half-open ranges of columns that cover every difference and never begin or end inside a wide character."""
    start = end = -1
    for column, (one, other) in enumerate(zip(old, new, strict=True)):
        if one == other:
            continue
        if start >= 0 and column - end > _JOIN_GAP:
            yield _widened(new, start, end)
            start = -1
        if start < 0:
            start = column
        end = column + 1
    if start >= 0:
        yield _widened(new, start, end)


def _widened(row: Row, start: int, end: int) -> tuple[int, int]:
    while start > 0 and row[start].text == "":
        start -= 1
    while end < len(row) and row[end].text == "":
        end += 1
    return start, end
