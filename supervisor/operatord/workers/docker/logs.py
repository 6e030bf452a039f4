"""What the containers print, followed by one command for all of them and handed on in batches.

Compose names the container before each line, takes a container up again when it is started anew, and ends when the last
one does. Too much is thinned as it is for processes: a burst passes, a flood is dropped and counted.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from operator_protocol.errors import OperatorError
from operatord.clock import Clock
from operatord.throttle import LineThrottle, OutputPolicy
from operatord.workers.docker.notable import NotableLines
from operatord.workers.docker.streams import following

REQUEST = "container_log"
_POLICY = OutputPolicy(lines_per_s=100.0, burst_lines=300)
_LINE = re.compile(r"([a-z][a-z0-9-]{0,31}?)-\d+ +\| ?(.*)", re.DOTALL)
_LONGEST = 16_384
"""Characters; Docker itself cuts lines there."""
_BATCH_S = 0.1
_BATCH_LINES = 500
_BATCH_BYTES = 1 << 19
_PAUSE_S = 1.0
"""Between the end of a command and the next one."""

Hand = Callable[[str, Mapping[str, Any]], Awaitable[object]]


def parse(line: str) -> tuple[str, str] | None:
    """Service and text of a line of ``docker compose logs``; None for what compose says itself."""
    found = _LINE.fullmatch(line)
    return (found[1], found[2]) if found else None


class LogFollower:
    """``command`` makes the command for what was printed since a moment; ``hand`` takes the batches.

    ``runs`` says whether any of the containers does; ``notable`` gets every line, before any is dropped.
    """

    def __init__(
        self,
        command: Callable[[str], Sequence[str]],
        hand: Hand,
        runs: Callable[[], bool],
        clock: Clock = time.monotonic,
        *,
        notable: NotableLines | None = None,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._command = command
        self._hand = hand
        self._any_runs = runs
        self._notable = notable
        self._pause_s = pause_s
        self._clock = clock
        self._throttles: dict[str, LineThrottle] = {}
        self._waiting: list[tuple[str, str, int]] = []
        self._runs = asyncio.Event()

    def look(self) -> None:
        """Something is different about the containers."""
        if self._any_runs():
            self._runs.set()

    async def follow(self) -> None:
        """Until cancelled; what was printed between two commands is not lost."""
        since = _now()
        sending = asyncio.create_task(self._send())
        try:
            while True:
                self._runs.clear()
                self.look()
                await self._runs.wait()
                # A line that is longer than the stream takes ends the reading; the next command goes on behind it.
                with contextlib.suppress(OperatorError, ValueError):
                    async with following(self._command(since), errors=False) as stream:
                        async for line in stream.lines:
                            self._take(line.decode(errors="replace").rstrip("\r\n"))
                since = _now()
                await asyncio.sleep(self._pause_s)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _take(self, line: str) -> None:
        found = parse(line)
        if found is not None:
            service, text = found
            if self._notable is not None:
                self._notable.take(service, text[:_LONGEST])
            throttle = self._throttles.setdefault(service, LineThrottle(_POLICY, self._clock))
            passed = throttle.offer("stdout", text[:_LONGEST])
            self._waiting += [(service, one.text, one.dropped) for one in passed]

    async def _send(self) -> None:
        while True:
            await asyncio.sleep(_BATCH_S)
            if self._notable is not None:
                self._notable.release()
            for service, throttle in self._throttles.items():
                self._waiting += [(service, one.text, one.dropped) for one in throttle.release()]
            while batch := self._batch():
                try:
                    await self._hand(REQUEST, {"lines": [list(entry) for entry in batch]})
                except OperatorError:
                    break  # a daemon that does not take them has other troubles

    def _batch(self) -> list[tuple[str, str, int]]:
        size = count = 0
        for _, text, _ in self._waiting[:_BATCH_LINES]:
            size += len(text) * 4 + 64
            if count and size > _BATCH_BYTES:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
