"""A worker that does nothing: ready as soon as it can say so."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext


async def main(ctx: "WorkerContext") -> None:
    """Entry of the worker."""
    ctx.ready()
    await asyncio.Event().wait()
