"""Calls of the container engine: each blocks, so a thread makes it, and nobody waits for it longer than a deadline."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from operator_protocol.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")

COMMAND_S = 30.0
"""For one command on one container; the grace period of a stop comes on top."""
_THREADS = 16


class Calls:
    """Those on one service wait for each other, those on different ones do not."""

    def __init__(self) -> None:
        # Not the loop's own pool: the end of the loop would wait for a command that hangs.
        self._pool = ThreadPoolExecutor(_THREADS, "docker")
        self._locks: dict[str, asyncio.Lock] = {}

    async def on(self, service: str, work: Callable[[], T], timeout_s: float) -> T:
        """``work`` on the container of ``service``. Raises as ``do``."""
        async with self._locks.setdefault(service, asyncio.Lock()):
            return await self.do(service, work, timeout_s)

    async def do(self, what: str, work: Callable[[], T], timeout_s: float) -> T:
        """What ``work`` returns. Raises ``DeadlineExceeded`` naming ``what``, ``Unavailable`` once closed."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                return await loop.run_in_executor(self._pool, work)
        except TimeoutError:
            raise DeadlineExceeded(f"docker did not finish within {timeout_s:g} s: {what}") from None
        except RuntimeError as error:
            raise Unavailable(f"docker takes no commands: {error}") from error

    def close(self) -> None:
        """Let go; what is under way ends with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)
