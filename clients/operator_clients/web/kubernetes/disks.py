"""How full the nodes' disks are. There is no list of it: each kubelet is asked by itself, through the API server.

For 500 nodes that takes longer than a page may, and a disk does not fill in seconds. So the figures are read in the
background, a few nodes at a time, and once a minute at most; what is not there yet is not known yet.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from operator_protocol.errors import Unavailable

from .source import ClusterSource, Refused

FRESH_S = 60.0
OLD_S = 300.0
"""Older figures are not shown."""
AT_ONCE = 4
"""Of the client's threads: the others are for those who wait for pods."""
WAIT_S = 0.25
"""How long an answer waits for figures that were never read, in a cluster of at most FEW nodes."""
FEW = 50
"""Of more they are not there in time anyway, and to wait is in vain."""


class DiskFigures:
    """Percent by node. ``clock`` is monotonic, in seconds."""

    def __init__(self, source: ClusterSource, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._figures: dict[str, tuple[float, float | None]] = {}
        self._asked_at = float("-inf")
        self._round: asyncio.Task[None] | None = None

    async def get(self, nodes: Sequence[str]) -> Mapping[str, float | None]:
        """Those that are known."""
        now = self._clock()
        if self._round is None and now - self._asked_at >= FRESH_S:
            self._asked_at = now
            self._round = asyncio.create_task(self._ask_all(list(nodes)))
            self._round.add_done_callback(self._done)
        if self._round is not None and len(nodes) <= FEW and not any(node in self._figures for node in nodes):
            await asyncio.wait([self._round], timeout=WAIT_S)
        return {node: figure for node, (at, figure) in self._figures.items() if now - at < OLD_S}

    async def one(self, node: str) -> float | None:
        """Of one node: asked for unless it was just now."""
        known = self._figures.get(node)
        if known is not None and self._clock() - known[0] < FRESH_S:
            return known[1]
        try:
            figure = await self._source.disk_percent(node)
        except Unavailable:
            return None
        self._figures[node] = (self._clock(), figure)
        return figure

    async def close(self) -> None:
        """Give up what is under way."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait([self._round])

    async def _ask_all(self, nodes: Sequence[str]) -> None:
        left = iter(nodes)

        async def ask_some() -> None:
            for node in left:
                figure = await self._source.disk_percent(node)
                self._figures[node] = (self._clock(), figure)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(ask_some())
        except* Refused:
            # Of one node it would be of all: not asked again before the next round.
            self._figures.clear()
        self._figures = {node: self._figures[node] for node in nodes if node in self._figures}

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._round = None
        if not task.cancelled():
            task.exception()
