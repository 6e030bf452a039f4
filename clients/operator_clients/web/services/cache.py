"""Keeps the last answer of a source: fresh ones are not asked for again, old ones tide over a source that is down.

Whoever asks while the source is being asked waits for that answer: a hundred readers are one question.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from operator_protocol.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")

STALE_S = 300.0
"""Older than this an answer is not shown any more, not even as an old one (US-04)."""
PATIENCE_S = 0.25
"""How long a slow source keeps a reader waiting for whom there is an old answer: half of what a page may take."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """An answer, and when the source was asked for it, in seconds since the epoch."""

    value: T
    at: float


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """An answer as a reader gets it."""

    value: T
    at: float
    """When the source was asked, in seconds since the epoch."""
    age_s: float
    source: Literal["live", "cache"]
    stale: bool
    """It is older than what is fresh, and the source has no newer one to give."""


class Cache(Generic[T]):
    """The last answer of ``ask``. Not younger than ``fresh_s``, it is asked for anew."""

    def __init__(
        self,
        ask: Callable[[float], Awaitable[T]],
        *,
        fresh_s: float,
        clock: Callable[[], float],
        stale_s: float = STALE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """``ask`` gets the time it is asked at; ``clock`` is wall clock. Shown as old for ``stale_s`` at most."""
        self._ask = ask
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._patience_s = patience_s
        self._clock = clock
        self._kept: Kept[T] | None = None
        self._flight: asyncio.Task[Kept[T]] | None = None

    async def get(self) -> Reading[T]:
        """The freshest answer there is. Raises what ``ask`` raises when there is none young enough."""
        kept = self._kept
        if kept is not None and self._age_s(kept) < self._fresh_s:
            return self._reading(kept, "cache")
        flight = self._take_off()
        usable = kept is not None and self._age_s(kept) <= self._stale_s
        try:
            async with asyncio.timeout(self._patience_s if usable else None):
                # Shielded: others wait for it too, and the next reader will have use for it.
                return self._reading(await asyncio.shield(flight), "live")
        except (TimeoutError, Unavailable, DeadlineExceeded):
            if kept is None or self._age_s(kept) > self._stale_s:
                raise
            return self._reading(kept, "cache", stale=True)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    def _take_off(self) -> "asyncio.Task[Kept[T]]":
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
            self._flight.add_done_callback(self._land)
        return self._flight

    async def _fly(self) -> Kept[T]:
        at = self._clock()
        return Kept(await self._ask(at), at)

    def _land(self, flight: "asyncio.Task[Kept[T]]") -> None:
        self._flight = None
        # Reading the exception also tells asyncio that somebody has seen it, should all readers have gone.
        if not flight.cancelled() and flight.exception() is None:
            self._kept = flight.result()

    def _reading(self, kept: Kept[T], source: Literal["live", "cache"], *, stale: bool = False) -> Reading[T]:
        return Reading(kept.value, kept.at, max(0.0, self._clock() - kept.at), source, stale)

    def _age_s(self, kept: Kept[T]) -> float:
        """Infinite for an answer from the future: the clock was set back, and how old it is nobody knows."""
        age_s = self._clock() - kept.at
        return age_s if age_s >= 0 else float("inf")
