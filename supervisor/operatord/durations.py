"""Durations as people write them, read and written in one place: ``30s``, ``2m``, ``1m30s``, ``500ms``, or seconds."""

import math
import re

from operator_protocol.errors import BadRequest

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")

_FORMS = "write 30s, 2m, 1m30s, 500ms or plain seconds"


def parse_duration(value: object, what: str = "duration") -> float:
    """Seconds of ``value``: a number of seconds, or text such as ``30s``, ``2m``, ``1m30s``, ``500ms``, ``45``.

    Zero is a duration; below zero, not finite and everything else is a ``BadRequest`` that names ``what``.
    """
    if isinstance(value, str):
        return _parse_text(value.strip(), what)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return require_seconds(float(value), what)
    raise BadRequest(f"{what}: {value!r} is not a duration", _FORMS)


def require_seconds(seconds: float, what: str) -> float:
    """``seconds`` unchanged if finite and not negative; ``BadRequest`` otherwise."""
    if not math.isfinite(seconds) or seconds < 0:
        raise BadRequest(f"{what}: {seconds} is not a number of seconds from 0 on", _FORMS)
    return seconds


def format_duration(seconds: float) -> str:
    """``seconds`` for a person: ``15 ms``, ``0.2 s``, ``12 s``, ``2 min 5 s``, ``1 h 3 min``."""
    if 0.0005 <= seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _parse_text(text: str, what: str) -> float:
    if _WHOLE.fullmatch(text):
        return require_seconds(sum(float(n) * _UNIT_S[unit] for n, unit in _PART.findall(text)), what)
    try:
        return require_seconds(float(text), what)
    except ValueError:
        raise BadRequest(f"{what}: {text!r} is not a duration", _FORMS) from None
