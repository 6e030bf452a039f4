"""What has to be written so that a terminal that shows one picture shows another."""

from collections.abc import Iterator

from operator_clients.viewer.canvas import Picture, Row

_RESET = "\x1b[0m"
BEGIN_SYNC = "\x1b[?2026h"
"""Synchronized output: the terminal shows nothing of what follows until ``END_SYNC``. Ignored where it is unknown."""
END_SYNC = "\x1b[?2026l"

_JOIN_GAP = 8
"""Runs of changed cells that are closer than this are written as one: moving the cursor costs about as much."""


def whole(picture: Picture) -> str:
    """Clear the screen and write every row."""
    rows = (_move(number, 0) + _cells(row, 0, len(row)) for number, row in enumerate(picture))
    return f"{BEGIN_SYNC}{_RESET}\x1b[2J{''.join(rows)}{_RESET}{END_SYNC}"


def changes(before: Picture, after: Picture) -> str:
    """Write the cells of ``after`` that differ from ``before``, a picture of the same size; empty if none does."""
    written = [
        _move(number, start) + _cells(new, start, end)
        for number, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
        for start, end in _runs(old, new)
    ]
    return f"{BEGIN_SYNC}{''.join(written)}{_RESET}{END_SYNC}" if written else ""


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


def _move(row: int, column: int) -> str:
    return f"\x1b[{row + 1};{column + 1}H"


def _cells(row: Row, start: int, end: int) -> str:
    parts = []
    current: str | None = None
    for cell in row[start:end]:
        if cell.sgr != current:
            parts.append(_RESET + cell.sgr)
            current = cell.sgr
        parts.append(cell.text)
    return "".join(parts)
