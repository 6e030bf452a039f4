"""Threads that are left behind at the end: what hangs in one of them does not keep the process.

The interpreter waits for every thread of a ``ThreadPoolExecutor`` before it ends, and a login command of a kubeconfig
may take for ever.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class LooseThreads:
    """At most ``most`` of them, each made when there is something for it to do."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._made = 0
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    async def run(self, ask: Callable[..., T], *args: Any) -> T:
        """What ``ask(*args)`` returns or raises in one of the threads. Cancelled before its turn, it is not called."""
        outcome: Future[T] = Future()

        def work() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                outcome.set_result(ask(*args))
            except BaseException as error:
                outcome.set_exception(error)

        self._work.put(work)
        if self._made < self._most:
            self._made += 1
            threading.Thread(target=self._serve, name=f"{self._name}-{self._made}", daemon=True).start()
        return await asyncio.wrap_future(outcome)

    def close(self) -> None:
        """Let those end that have nothing to do; nobody waits for the others."""
        for _ in range(self._made):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
