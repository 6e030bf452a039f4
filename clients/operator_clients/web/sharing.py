"""Many who ask the same at once are given one answer: fifty pages ask again in the moment when something changes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Asks for those who wait. Nobody gets an answer that was asked for before they came: it might be out of date."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._asking = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """An answer that was asked for after this call. Raises what the asking raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._run())
            self._next.add_done_callback(_heard)
        return await asyncio.shield(self._next)

    async def _run(self) -> T:
        async with self._asking:
            self._next = None
            return await self._ask()


def _heard(task: "asyncio.Task[T]") -> None:
    """Those who waited may all have left."""
    if not task.cancelled():
        task.exception()
