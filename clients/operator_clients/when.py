"""Durations and moments as people type them: ``90``, ``1m30s``, ``500ms``; ``14:03``, ``14:03:07``."""

import argparse
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from operator_protocol.errors import BadRequest

if TYPE_CHECKING:
    from operator_protocol.recording import Recording

T = TypeVar("T")

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_SECONDS = re.compile(r"\d+(?:\.\d+)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_SPEED = re.compile(r"(\d+(?:\.\d+)?|\.\d+)x?")
_FASTEST = 1000.0
_JUST_BEFORE_S = 1e-6
"""A moment that is asked for is one whose frames are still to come."""


class Clock(NamedTuple):
    """A local time of day."""

    hour: int
    minute: int
    second: int


def seconds(text: str) -> float:
    """Seconds of a duration. Raises ``ValueError`` that says what one looks like."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration like 10, 500ms, 30s or 1m30s")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def moment(text: str) -> float | Clock:
    """A duration, in seconds, or a time of day. Raises ``ValueError`` that says what they look like."""
    if clock := _CLOCK.fullmatch(text):
        hour, minute, second = clock.groups("0")
        return Clock(int(hour), int(minute), int(second))
    try:
        return seconds(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a duration like 90 or 1m30s nor a time of day like 14:03:07") from None


def argument(read: Callable[[str], T]) -> Callable[[str], T]:
    """``read`` as the type of an option: argparse shows the words of its own error only."""

    def typed(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return typed


def speed(text: str) -> float:
    """How many times as fast: ``4``, ``0.5``, ``2x``. Raises ``ValueError``."""
    found = _SPEED.fullmatch(text)
    value = float(found[1]) if found else 0.0
    if not 0 < value <= _FASTEST:
        raise ValueError(f"{text!r} is not a speed from above 0 to {_FASTEST:g}, like 0.5, 2 or 16")
    return value


def within(recording: "Recording", wanted: float | Clock) -> float:
    """Seconds into ``recording``. Raises ``BadRequest`` for what lies outside of it, with what lies inside."""
    if isinstance(wanted, Clock):
        return max(0.0, recording.of_clock(*wanted) - _JUST_BEFORE_S)
    if wanted > recording.duration_s:
        raise BadRequest(f"the recording is only {recording.duration_s:.1f} s long, {wanted:g} s is beyond its end")
    return wanted


def ago(wanted: float | Clock, now: float) -> float:
    """The wall clock of a moment in the past: so many seconds before ``now``, or the last time it was that late."""
    if not isinstance(wanted, Clock):
        return now - wanted
    today = time.localtime(now)
    for day in (0, -1):
        then = time.mktime((*today[:2], today[2] + day, *wanted, 0, 0, -1))
        if then <= now:
            break
    return then
