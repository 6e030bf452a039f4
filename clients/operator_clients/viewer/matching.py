"""Lines that match a pattern which somebody is typing: whatever it is, the screen does not wait for it.

A regular expression can take for ever (``(a+)+$``), and the loop that draws is the one that reads the keys. ``re``
looks at signals while it searches, so a timer of this process's own CPU time ends it; such a pattern is remembered,
and from then on looked for as it stands.
"""

import re
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from operator_protocol.errors import OperatorError

PATIENCE_S: Final = 0.1
"""CPU time that all lines of a panel may take."""
TOO_SLOW: Final = "it takes too long"
_REMEMBERED: Final = 200
_too_slow: dict[str, None] = {}


class _TooLong(OperatorError):
    """The timer ran out."""


def complaint(pattern: str) -> str:
    """Why ``pattern`` is not used as a regular expression; empty if it is."""
    if pattern in _too_slow:
        return TOO_SLOW
    try:
        _compiled(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def matches(pattern: str, lines: Sequence[str]) -> list[bool]:
    """Which of ``lines`` match, whatever their case; ``pattern`` as it stands where there is a ``complaint``."""
    if not complaint(pattern):
        search = _compiled(pattern).search
        try:
            with _no_longer_than(PATIENCE_S):
                return [search(one) is not None for one in lines]
        except _TooLong:
            if len(_too_slow) >= _REMEMBERED:
                _too_slow.pop(next(iter(_too_slow)))
            _too_slow[pattern] = None
    found = re.compile(re.escape(pattern), re.IGNORECASE).search
    return [found(one) is not None for one in lines]


def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        # What a later Python may understand otherwise (``[[a]``) would be told on the screen that is being drawn.
        warnings.simplefilter("ignore")
        return re.compile(pattern, re.IGNORECASE)


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """Raise ``_TooLong`` in the body when it has had so much CPU time; only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _ring(_signum: int, _frame: FrameType | None) -> None:
    raise _TooLong("the pattern takes too long")
