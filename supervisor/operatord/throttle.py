"""How much of what one process prints goes on: a burst passes, a flood is dropped and counted.

Lines wait in a short queue that lets a token bucket pass; when the queue overflows its oldest line goes. So the order
is kept, and the last lines of a burst, or of a life, always come through.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from operatord.clock import Clock


@dataclass(frozen=True, slots=True)
class OutputPolicy:
    """How much of one process' output goes on."""

    lines_per_s: float = 200.0
    burst_lines: int = 1000
    queue_lines: int = 50
    """Lines that wait for the bucket; also how many last lines are safe."""


class Line(NamedTuple):
    """A line on its way to the sink."""

    stream: str
    text: str
    dropped: int = 0
    """Lines of this process that were dropped between the line before and this one."""


class LineThrottle:
    """A token bucket with a short queue before it, for all streams of one process."""

    def __init__(self, policy: OutputPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._tokens = float(policy.burst_lines)
        self._filled_at = clock()
        self._queue: deque[tuple[str, str]] = deque()
        self._dropped = 0

    def offer(self, stream: str, text: str) -> list[Line]:
        """Take one line in; return those that may go on now."""
        self._queue.append((stream, text))
        passed = self.release()
        if len(self._queue) > self._policy.queue_lines:
            self._queue.popleft()
            self._dropped += 1
        return passed

    def skip(self, lines: int) -> None:
        """Count ``lines`` as dropped, and with them what waits before them."""
        self._dropped += lines + len(self._queue)
        self._queue.clear()

    @property
    def room(self) -> int:
        """How many lines may go on at once."""
        return int(self._tokens)

    def release(self) -> list[Line]:
        """The waiting lines for which there are tokens by now."""
        now = self._clock()
        gained = (now - self._filled_at) * self._policy.lines_per_s
        self._tokens = min(float(self._policy.burst_lines), self._tokens + gained)
        self._filled_at = now
        passed: list[Line] = []
        while self._queue and self._tokens >= 1:
            self._tokens -= 1
            passed.append(self._pop())
        return passed

    def finish(self) -> list[Line]:
        """Everything that still waits."""
        return [self._pop() for _ in range(len(self._queue))]

    @property
    def wait_s(self) -> float | None:
        """Seconds until ``release`` has something to give; None when nothing waits."""
        if not self._queue:
            return None
        return max(0.0, (1 - self._tokens) / self._policy.lines_per_s)

    def _pop(self) -> Line:
        stream, text = self._queue.popleft()
        line = Line(stream, text, self._dropped)
        self._dropped = 0
        return line
