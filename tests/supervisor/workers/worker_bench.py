"""A worker's line to the daemon, kept in memory: what it published and what it can be asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from operator_protocol.codec import Body, pack
from operatord.subjects.base import Handler
from operatord.workers.runtime import WorkerContext


class MemoryContext(WorkerContext):
    """The contract of ``WorkerContext`` without a socket."""

    def __init__(self, configuration: Body, on_frame: Callable[[str, Body], None] | None = None) -> None:
        self.name = "worker"
        self.frames: list[tuple[str, Body]] = []
        self.handlers: dict[str, Handler] = {}
        self.is_ready = asyncio.Event()
        self.reconfigure: Callable[[Body], None] | None = None
        self._first = configuration
        self._on_frame = on_frame

    def publish(self, topic: str, body: Body) -> None:
        pack(body)  # the wire must be able to carry it
        self.frames.append((topic, body))
        if self._on_frame is not None:
            self._on_frame(topic, body)

    def ready(self) -> None:
        self.is_ready.set()

    def handle(self, cmd: str, handler: Handler) -> None:
        self.handlers[cmd] = handler

    async def configured(self) -> Body:
        return self._first

    def on_configure(self, callback: Callable[[Body], None]) -> None:
        self.reconfigure = callback

    async def ask(self, cmd: str, args: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """What the daemon does with ``Ingest.request``."""
        return await self.handlers[cmd](args or {})

    def bodies(self, topic: str) -> list[Body]:
        return [body for one, body in self.frames if one == topic]


@contextlib.asynccontextmanager
async def running(work: Awaitable[object]) -> AsyncIterator[None]:
    """Have ``work`` run meanwhile; what it raises is raised here."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        failed = task.done() and not task.cancelled()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if failed:
            task.result()


async def until(condition: Callable[[], bool], deadline_s: float = 15.0) -> None:
    """Wait until ``condition`` holds; a test that waits in vain fails."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.01)
