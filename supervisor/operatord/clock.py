"""Time, handed in where it is needed, so that tests need not wait for it."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds: ``time.monotonic`` for intervals, ``time.time`` for what is shown."""
