"""What goes to the terminal: plain aligned tables, a few colours, durations. No Rich: it would double the start-up."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from operator_clients.format import time_of_day

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_STATE_STYLES = {
    "up": "green",
    "ready": "green",
    "resolved": "green",
    "recovered": "green",
    "degraded": "yellow",
    "proposed": "yellow",
    "approved": "yellow",
    "running": "yellow",
    "succeeded": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "backoff": "yellow",
    "diagnosing": "yellow",
    "acting": "yellow",
    "held": "yellow",
    "down": "red",
    "failed": "red",
    "critical": "red",
    "open": "red",
    "escalated": "red",
    "unknown": "dim",
    "stopped": "dim",
}


class Paint:
    """Colours for one stream: none unless it is a terminal that wants them (``NO_COLOR``, ``TERM=dumb``)."""

    def __init__(self, *, enabled: bool, width: int | None = None) -> None:
        self.enabled = enabled
        self.width = width
        """Columns of the terminal; None where lines may be as long as they like."""

    def __call__(self, style: str, text: str) -> str:
        """``text`` in ``style``."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.enabled else text

    def state(self, text: str, padded: str) -> str:
        """``padded`` in the colour that the state word ``text`` has."""
        style = _STATE_STYLES.get(text)
        return self(style, padded) if style else padded


def stdout_paint() -> Paint:
    """The ``Paint`` of standard output."""
    if not sys.stdout.isatty():
        return Paint(enabled=False)
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    try:
        width = os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        width = None
    return Paint(enabled=not plain, width=width)


def clean(text: object) -> str:
    """``text`` on one line, without control characters: what comes from logs must not move the cursor."""
    value = str(text)
    if value.isprintable():
        return value
    return "".join(
        character if character.isprintable() else " " if character in "\n\t" else f"\\x{ord(character):02x}"
        for character in value.rstrip("\n")
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]], paint: Paint, *, indent: str = "") -> list[str]:
    """Aligned lines; on a terminal the last column is cut at its edge."""
    cells = [[clean("-" if cell is None or cell == "" else cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [indent + paint("bold", _line(header, widths, None).rstrip())]
    for row in cells:
        if paint.width:
            room = paint.width - len(indent) - sum(widths[:-1]) - 2 * (len(widths) - 1)
            row[-1] = shorten(row[-1], max(room, 8))
        lines.append((indent + _line(row, widths, paint)).rstrip())
    return lines


def _line(row: Sequence[str], widths: Sequence[int], paint: Paint | None) -> str:
    padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    if paint is not None:
        padded = [paint.state(cell, text) for cell, text in zip(row, padded, strict=True)]
    padded[-1] = padded[-1].rstrip()
    return "  ".join(padded)


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"


def ops(value: object) -> str:
    """A rate as ``2,000 ops/s``; a dash for None."""
    return f"{value:,.0f} ops/s" if isinstance(value, int | float) else "-"


def count(number: int, noun: str) -> str:
    """``1 ticket``, ``3 tickets``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def clock(wall_ts: object) -> str:
    """Local time of day of a wall-clock stamp, or a dash."""
    return time_of_day(wall_ts) if isinstance(wall_ts, int | float) else "-"


def maps(value: object) -> list[Mapping[str, Any]]:
    """The maps in a list that came over the wire; anything else in it is passed over."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
