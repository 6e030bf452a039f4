"""The clients of a run at work: each takes a turn, waits for its start, does the operation, takes the next turn."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from operatord.ycsb.core import CoreClient
from operatord.ycsb.pacing import Pacer

_LONGEST_NAP_S = 0.1
"""A client that waits for its start looks this often whether the rate has changed or the run is over."""

_STOP_GRACE_S = 1.0
"""For operations that are under way when the run is stopped; then they are given up, uncounted."""

Do = Callable[[CoreClient, int], Awaitable[bool]]
"""Does the turn of that number; true if it succeeded."""


class Crew:
    """Works through turns with several clients at once, and counts."""

    def __init__(self, pacer: Pacer, stopping: asyncio.Event) -> None:
        self._pacer = pacer
        self._stopping = stopping
        self.succeeded = 0
        self.failed = 0

    async def work(self, clients: list[CoreClient], turns: Iterator[int], do: Do) -> None:
        """Return when the turns are used up, or soon after ``stopping`` is set."""
        tasks = [asyncio.create_task(self._client(client, turns, do)) for client in clients]
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            pending = set(tasks)
            while pending and not stopped.done():
                done, _ = await asyncio.wait({*pending, stopped}, return_when=asyncio.FIRST_COMPLETED)
                pending -= done
            if pending:
                await asyncio.wait(pending, timeout=_STOP_GRACE_S)
        finally:
            for task in (stopped, *tasks):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result  # a defect of ours; what the database does never comes as an exception

    async def _client(self, client: CoreClient, turns: Iterator[int], do: Do) -> None:
        for turn in turns:
            if self._pacer.rate:
                await self._wait_for_start()
            if self._stopping.is_set():
                return
            if await do(client, turn):
                self.succeeded += 1
            else:
                self.failed += 1

    async def _wait_for_start(self) -> None:
        pacer = self._pacer
        while not self._stopping.is_set():
            epoch, start = pacer.epoch, pacer.reserve()
            while pacer.epoch == epoch and not self._stopping.is_set():
                wait_s = start - time.monotonic()
                if wait_s <= 0:
                    return
                await asyncio.sleep(min(wait_s, _LONGEST_NAP_S))
