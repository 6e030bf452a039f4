"""The output of every process of the table: read while it lives, drained at its death, its last lines remembered.

Whoever else holds the pipes of a dead process (a grandchild that left its group) is read for a moment longer, so that
nobody loses what was printed around a crash, and then let go.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

from operatord.clock import Clock
from operatord.processes.output import LogSink, OutputCapture
from operatord.throttle import OutputPolicy

_LINGER_S = 5.0
_LAST_LINES = 20
_LAST_LINE_CHARS = 500
"""The last lines travel in state frames: enough for a traceback, not for a dump."""

LastLines = deque[str]
"""The end of the output of one incarnation, stdout and stderr as they came."""


class Captures:
    """Makes captures and looks after those whose process is gone."""

    def __init__(self, sink: LogSink, policy: OutputPolicy, clock: Clock) -> None:
        self._sink = sink
        self._policy = policy
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lingering: set[OutputCapture] = set()

    def open(self, name: str, streams: dict[str, int]) -> tuple[OutputCapture, LastLines]:
        """Read ``streams`` (descriptors, given away) as the output of ``name``."""
        last: LastLines = deque(maxlen=_LAST_LINES)

        def deliver(name: str, stream: str, line: str, dropped: int) -> None:
            last.append(line[:_LAST_LINE_CHARS])
            self._sink(name, stream, line, dropped)

        return OutputCapture(name, streams, deliver, self._policy, self._clock), last

    def settle(self, capture: OutputCapture) -> None:
        """Its process has ended: deliver what it left, now, and what others may add, for a while."""
        capture.drain()
        if not capture.closed:
            self._lingering.add(capture)
            self._loop.call_later(_LINGER_S, self._let_go, (capture,))

    def close(self) -> None:
        """Let go of all that linger."""
        self._let_go(tuple(self._lingering))

    def _let_go(self, captures: Iterable[OutputCapture]) -> None:
        for capture in captures:
            capture.close()
            self._lingering.discard(capture)
