"""Calls that may take a while (moving a process between cgroups, filling a disk), away from the event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def offload(work: Callable[[], T], stop: threading.Event | None = None) -> T:
    """Run ``work`` in a thread and return what it returns.

    A caller that is cancelled is so only after ``work`` is done: an undo that comes next must not find it half-way.
    ``stop`` is set then, for work that can end early.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        await asyncio.wait([task])
        # Looked at, or asyncio complains about an exception that nobody asked for.
        task.cancelled() or task.exception()
        raise
