"""A question that takes longer than a look may: asked in the background, its last answer kept with its age."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from operator_protocol.errors import InternalError, OperatorError
from operatord.clock import Clock

T = TypeVar("T")


class Standing(Generic[T]):
    """``ask`` is called when ``nudge`` finds that the last answer is ``every_s`` old, one call at a time."""

    def __init__(self, ask: Callable[[], Awaitable[T]], every_s: float, clock: Clock) -> None:
        self._ask = ask
        self._every_s = every_s
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._due = clock()
        self.value: T | None = None
        """The last answer."""
        self.at: float | None = None
        """When it was asked for, on the clock."""
        self.error: OperatorError | None = None
        """Why the last try failed; None when it did not."""
        self.error_at = 0.0

    def nudge(self) -> None:
        """Ask if it is time and nobody asks already."""
        if self._clock() >= self._due and (self._task is None or self._task.done()):
            self._due = self._clock() + self._every_s
            self._task = asyncio.create_task(self._run())

    def keep(self, value: T) -> None:
        """An answer that was had otherwise."""
        self.value, self.at, self.error = value, self._clock(), None
        self._due = self._clock() + self._every_s

    async def first(self, deadline_s: float) -> None:
        """Nudge; while nothing is known at all, wait for up to ``deadline_s`` for the first answer or failure."""
        self.nudge()
        if self.at is None and self.error is None and self._task is not None:
            await asyncio.wait([self._task], timeout=deadline_s)

    def age_s(self) -> float | None:
        """Seconds since the last answer was asked for; None when there is none."""
        return None if self.at is None else self._clock() - self.at

    def fresh(self, most_s: float) -> T | None:
        """The last answer, unless it is older than that."""
        age_s = self.age_s()
        return self.value if age_s is not None and age_s <= most_s else None

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        asked_at = self._clock()
        try:
            self.value = await self._ask()
        except OperatorError as error:
            self.error, self.error_at = error, self._clock()
        except Exception as error:
            # Nobody waits for this task: what it does not tell here is lost.
            self.error = InternalError(f"{type(error).__name__}: {error}")
            self.error_at = self._clock()
        else:
            self.at, self.error = asked_at, None
