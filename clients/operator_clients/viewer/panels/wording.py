"""What a node tells of itself, in the words of somebody who explains it.

The names are those of the wire (``slots_count``, ``p99_ms``), which scripts read; on a screen they become a phrase with
its unit. A name that nothing is known of keeps its words, without the underscores, and the unit that it ends with.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from operator_clients.format import byte_size, duration, milliseconds, number, time_of_day
from operator_protocol.models import Scalar

Detail = Mapping[str, Scalar]

FIRST: Final = (
    *("problem", "slots", "slots_count", "serves", "leaders", "regions", "primary", "repl_lag", "link"),
    *("ops_per_sec", "p99_ms", "clients", "used_memory", "replicas_connected"),
)
"""What to tell of it where there is room for little; the rest follows as the daemon tells it."""
_A_WALL_CLOCK = 1e9
"""Seconds: less is no moment of this century."""
_WHOLE_FROM, _MOST = 1_000.0, 1e15
"""From here on a figure has no decimals; beyond, it is written with an exponent."""
_UNITS: Final[Mapping[str, Callable[[float], str]]] = {
    "s": duration,
    "per_s": lambda value: f"{number(value)}/s",
    "ms": milliseconds,
    "bytes": byte_size,
    "share": lambda value: f"{value:.0%}" if value >= 0.1 else f"{value:.1%}",
}
"""By the last word of a name."""
_CONTACTS = {
    "answered": "answers",
    "refused": "refuses connections",
    "silent": "does not answer",
    "unreachable": "cannot be reached",
    "unasked": "not asked yet",
}


def phrases(detail: Detail, *, brief: bool = False) -> Iterator[str]:
    """One phrase for each thing that is told, what matters most first where it has to be ``brief``."""
    names = [*(name for name in FIRST if name in detail), *(name for name in detail if name not in FIRST)]
    for name in names if brief else detail:
        value = detail[name]
        if value in (None, ""):
            continue
        phrase = _PHRASES[name](value, detail) if name in _PHRASES else named(name, value)
        if phrase:
            yield phrase


def named(name: str, value: Scalar) -> str:
    """``oom killed no``, ``apply p99 12.5 ms``, ``sent 16/s``; of a moment (``…_at``) the time of day."""
    measured = isinstance(value, int | float) and not isinstance(value, bool)
    words, _, unit = name.rpartition("_")
    words = words.replace("_", " ")
    if measured and words and unit == "at" and float(value or 0) > _A_WALL_CLOCK:
        return f"{words if words.endswith('since') else f'{words} at'} {time_of_day(float(value or 0))}"
    if measured and words and unit in _UNITS:
        rate = words.endswith(" per")
        written = _UNITS["per_s" if rate else unit](float(value or 0))
        return f"{words.removesuffix(' per')} {written}"
    return f"{name.replace('_', ' ')} {scalar(value)}"


def scalar(value: Scalar) -> str:
    """A figure as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if _WHOLE_FROM <= abs(value) < _MOST else f"{value:,.4g}"
    return str(value)


def _slots(value: Scalar, detail: Detail) -> str:
    """Ranges, how many that are, and whether they are served."""
    count = detail.get("slots_count")
    many = f" ({count:,})" if isinstance(count, int) else ""
    if detail.get("serves") is False:
        return f"owns slots {value}{many} and serves none"
    return f"{'serves slots' if detail.get('serves') else 'slots'} {value}{many}"


def _slots_count(value: Scalar, detail: Detail) -> str:
    if detail.get("slots") not in (None, ""):
        return ""  # it stands behind the ranges
    return "no slots of its own" if value == 0 else f"{scalar(value)} slots"


def _serves(value: Scalar, detail: Detail) -> str:
    if detail.get("slots") not in (None, "") or (value is False and detail.get("slots_count") == 0):
        return ""
    return f"serves {scalar(value)}"


def _failing(value: Scalar, detail: Detail) -> str:
    asked = detail.get("asked_about_it")
    return f"called failing by {scalar(value)}" + (f" of {scalar(asked)} nodes" if asked is not None else " nodes")


def _size(words: str) -> Callable[[Scalar, Detail], str]:
    """Bytes, if it is a number of them."""

    def phrase(value: Scalar, _: Detail) -> str:
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return words.format(byte_size(float(value or 0)) if known else scalar(value))

    return phrase


def _said(words: str) -> Callable[[Scalar, Detail], str]:
    return lambda value, _: words.format(f"{value:,}" if type(value) is int else scalar(value))


_PHRASES: Final[Mapping[str, Callable[[Scalar, Detail], str]]] = {
    "problem": _said("{}"),
    "slots": _slots,
    "slots_count": _slots_count,
    "serves": _serves,
    "contact": lambda value, _: _CONTACTS.get(str(value), f"contact {scalar(value)}"),
    "data_port": lambda value, _: f"data port: {_CONTACTS.get(str(value), scalar(value))}",
    "pinged": lambda value, _: "ping answered" if value else "ping not answered",
    "process_state": _said("process {}"),
    "silent_for_s": lambda value, _: named("silent_for_s", value) if value else "",
    "flagged_failing_by": _failing,
    "asked_about_it": lambda value, detail: "" if "flagged_failing_by" in detail else f"asked {scalar(value)} nodes",
    "told_role": _said("calls itself {}"),
    "uptime_s": lambda value, _: named("up_for_s", value),
    "ops_per_sec": lambda value, _: f"{number(value)} ops/s" if isinstance(value, int | float) else "",
    "clients": lambda value, _: f"{scalar(value)} client{'' if value == 1 else 's'}",
    "used_memory": _size("{} used"),
    "maxmemory": lambda value, _: _size("limit {}")(value, {}) if value else "no memory limit",
    "capacity": _size("capacity {}"),
    "available": _size("{} free"),
    "used": _size("{} used"),
    "disk_used": _size("disk {} used"),
    "link": _said("replication link {}"),
    "primary": _said("follows {}"),
    "repl_lag": _size("{} behind"),
    "replicas_connected": lambda value, _: f"{scalar(value)} replica{'' if value == 1 else 's'} connected",
    "handed_over_s_ago": lambda value, _: f"{named('handed_over_s', value)} ago",
}
"""By name; empty where another phrase says it."""
