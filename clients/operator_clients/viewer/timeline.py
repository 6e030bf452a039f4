"""Where a replay stands: a line with the position, the total, and what to look for."""

from rich.text import Text

from operator_clients.format import date_and_time
from operator_clients.viewer.panels.paper import line
from operator_clients.viewer.shell import Tape
from operator_clients.viewer.theme import BAD, DIM, FAULT, GOOD, INFO, STRONG, WARN

_MARKS = {
    "fault": ("F", FAULT),
    "detection": ("D", WARN),
    "recovery": ("R", GOOD),
    "restart": ("|", WARN),
    "gap": ("?", BAD),
}
_MOST_ASIDE = 2
"""Marks of one instant stand side by side, in their order, up to so many cells from where they belong."""


def timeline(tape: Tape, width: int) -> Text:
    """`` ▶ 2x  1:05 ━━F━━D●┄┄R┄┄┄┄ 9:58 ``: what was played, what is to come, and the marks."""
    total = clock(tape.duration_s)
    left, right = f"  {clock(tape.position_s):>{len(total)}} ", f" {total} "
    room = max(1, width - 1 - len(pace(tape)) - len(left) - len(right))
    here = _cell(tape.position_s, tape, room)
    cells = [("━", INFO) if cell < here else ("┄", DIM) for cell in range(room)]
    for cell, kind in _placed(tape, room).items():
        char, style = _MARKS[kind]
        cells[cell] = (char, f"{STRONG} {style}")
    cells[here] = ("●", STRONG)
    return line((f" {pace(tape)}", f"{STRONG} {INFO}"), left, *cells, right)


def pace(tape: Tape) -> str:
    """``▶ 2x``, ``‖ paused``, ``■ end``."""
    if tape.ended:
        return "■ end"
    return "‖ paused" if tape.paused else f"▶ {tape.speed:g}x"


def recorded_at(tape: Tape) -> str:
    """Date and time of day that the clock showed, in local time."""
    return date_and_time(tape.wall)


def _placed(tape: Tape, room: int) -> dict[int, str]:
    placed: dict[int, str] = {}
    for mark in tape.marks:
        first = _cell(mark.at_s, tape, room)
        free = range(first, min(room, first + _MOST_ASIDE + 1))
        cell = next((cell for cell in free if placed.get(cell, mark.kind) == mark.kind), first)
        placed[cell] = mark.kind
    return placed


def _cell(at_s: float, tape: Tape, room: int) -> int:
    share = at_s / tape.duration_s if tape.duration_s > 0 else 1.0
    return min(room - 1, max(0, int(share * (room - 1) + 0.5)))


def clock(seconds: float) -> str:
    """``1:05``, ``1:02:03``."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"
