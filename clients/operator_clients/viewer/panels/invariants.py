"""What must hold, each with its state and since when: what the monitor panel is made of."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.text import Text

from operator_clients.format import age, time_of_day
from operator_clients.viewer.layout import Size
from operator_clients.viewer.panels.paper import hanging, line, sides
from operator_clients.viewer.theme import BAD, DIM, GOOD, SEVERITY, STRONG, WARN
from operator_clients.viewer.view import View
from operator_protocol.models import Violation

_STATE = {"broken": ("✗", BAD), "holds": ("✓", GOOD), "unknown": ("?", WARN)}
_GAP = 2
_TIME_WIDTH = 9


class Row(NamedTuple):
    """One invariant."""

    name: str
    state: Literal["broken", "holds", "unknown"]
    violations: tuple[Violation, ...] = ()
    """The open ones of it, the oldest first."""
    since_at: float = 0.0
    """Wall clock; 0 where it is not known."""
    runbook: str = ""
    grace_s: float = 0.0


def rows(view: View) -> list[Row]:
    """All that are known of: the broken ones first, then those that were broken, then the rest in the monitor's order.

    A daemon that does not tell what it checks leaves those that were seen broken.
    """
    state, ended = view.state, view.story.ended
    names = dict.fromkeys([*state.invariants, *(one.invariant for one in state.violations.values()), *ended])
    unknown = state.cluster is None or state.cluster.ok is None
    monitor = state.processes.get("monitor")
    found = []
    for name in names:
        open_ones = sorted(
            (one for one in state.violations.values() if one.invariant == name), key=lambda one: one.first_seen_at
        )
        kind = state.invariants.get(name)
        since_at = ended.get(name) or (monitor.since_at if monitor else 0.0)
        found.append(
            Row(
                name,
                "broken" if open_ones else "unknown" if unknown else "holds",
                tuple(open_ones),
                open_ones[0].first_seen_at if open_ones else since_at,
                kind.runbook if kind else "",
                kind.grace if kind else 0.0,
            )
        )
    return sorted(found, key=lambda row: (*_rank(row), -ended.get(row.name, 0.0)))


def _rank(row: Row) -> tuple[int, int]:
    if row.state != "broken":
        return 1, 0
    return 0, 0 if any(one.severity == "critical" for one in row.violations) else 1


def glance(view: View, room: Size, *, told: str = "") -> list[Text]:
    """As much as fits in ``room``: the broken ones with their age, then the others, at last only how many they are.

    ``told`` is the id of a violation that stands above already.
    """
    every = rows(view)
    broken = [text for row in every for text in _broken(view, row, room.width, told)]
    rest = [row for row in every if row.state != "broken"]
    if len(broken) >= room.height:
        shown = broken[: max(0, room.height - 1)]
        more = len(broken) - len(shown)
        return [*shown, line((f"… {more} more broken", BAD))] if more > 1 else broken[: room.height]
    return [*broken, *_others(view, rest, Size(room.width, room.height - len(broken)), bool(broken or told))]


def _broken(view: View, row: Row, width: int, told: str) -> list[Text]:
    lines = []
    for one in row.violations:
        if one.id == told:
            continue
        left = line(("✗ ", f"{STRONG} {SEVERITY[one.severity]}"), (_about(one), SEVERITY[one.severity]))
        since = age(view.now - one.first_seen_at)
        for words in (f"{one.severity} for {since}", since):
            right = line((words, DIM))
            if left.cell_len + right.cell_len < width:
                break
        lines.append(sides(left, right, width))
    return lines


def _others(view: View, rest: Sequence[Row], room: Size, broken: bool) -> list[Text]:
    if not view.state.invariants:
        return [_summary(rest, broken, known=False)]
    for timed in (True, False):
        columns = _columns(rest, room, timed=timed)
        if columns:
            return columns
    # Those that were broken a moment ago come first; what there is no room for is a number.
    shown = rest[: max(0, room.height - 1)]
    more = [_summary(rest[len(shown) :], broken or bool(shown), known=True)] if room.height > 0 else []
    return [*(_held(row, room.width) for row in shown), *more]


def _columns(rest: Sequence[Row], room: Size, *, timed: bool) -> list[Text]:
    """All of them below one another, in as many columns as it takes; empty where they do not fit."""
    cell = max((len(row.name) for row in rest), default=0) + 2 + (_TIME_WIDTH if timed else 0)
    most = max(1, (room.width + _GAP) // (cell + _GAP))
    count = -(-len(rest) // room.height) if room.height > 0 else len(rest) + 1
    if not rest or count > most:
        return []
    if count == 1 and timed:
        return [_held(row, room.width) for row in rest]
    height = -(-len(rest) // count)
    lines = []
    for number in range(height):
        text = line()
        for row in rest[number::height]:
            text.append_text(_cell(row, cell, timed=timed))
            text.append(" " * _GAP)
        lines.append(text)
    return lines


def _cell(row: Row, width: int, *, timed: bool) -> Text:
    glyph, style = _STATE[row.state]
    text = line((f"{glyph} ", style), row.name)
    if timed and row.since_at:
        return sides(text, line((time_of_day(row.since_at), DIM)), width)
    text.pad_right(max(0, width - text.cell_len))
    return text


def _held(row: Row, width: int) -> Text:
    glyph, style = _STATE[row.state]
    left = line((f"{glyph} ", style), row.name)
    since = f"since {time_of_day(row.since_at)}" if row.since_at else ""
    choices = [f"holds {since}".rstrip(), since, "holds"] if row.state == "holds" else ["not known"]
    told = next((words for words in choices if left.cell_len + len(words) < width), choices[-1])
    return sides(left, line((told, DIM)), width)


def _summary(rest: Sequence[Row], some: bool, *, known: bool) -> Text:
    """``✓ 17 others hold``."""
    if rest and rest[0].state == "unknown":
        return line(("? ", WARN), "nothing observed")
    if not known:
        return line(("✓ ", GOOD), "the others hold" if some else "all invariants hold")
    since = max((row.since_at for row in rest), default=0.0)
    words = f"{len(rest)} {'others hold' if some else 'invariants hold'}"
    return line(("✓ ", GOOD), words, (f" since {time_of_day(since)}" if since else "", DIM))


def whole(view: View, width: int) -> list[Text]:
    """Every one of them, the broken ones with what is wrong and what to do about it."""
    lines: list[Text] = []
    for row in rows(view):
        if row.state != "broken":
            lines.append(_held(row, width))
            continue
        for one in row.violations:
            lines += _broken(view, row._replace(violations=(one,)), width, "")
            lines += hanging(line("    "), one.message + _measured(one), width)
        if row.runbook:
            lines += hanging(line(("    → ", WARN)), row.runbook, width, DIM)
    if not view.state.invariants:
        lines.append(_summary([], bool(lines), known=False))
    return lines


def _measured(one: Violation) -> str:
    if one.value is None:
        return ""
    limit = f", limit {one.threshold:,.4g}" if one.threshold is not None else ""
    return f" ({one.value:,.4g}{limit} {one.unit})".replace(" )", ")")


def _about(one: Violation) -> str:
    return f"{one.invariant} {one.node}" if one.node else one.invariant
