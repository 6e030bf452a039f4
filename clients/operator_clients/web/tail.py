"""What a page that opens is told of the time before: the last frames that read like a log, in bounds."""

from collections import deque
from typing import Any

FRAMES = 400
"""Of what reads like a log, in a snapshot."""
BYTES = 1 << 19
"""Of the same: a ticket with its diagnosis may have 100 KiB, and is told again with each change."""


class Tail:
    """The last frames that read like a log, as they are sent."""

    def __init__(self) -> None:
        self._kept: deque[tuple[dict[str, Any], int]] = deque()
        self._bytes = 0

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()
        self._bytes = 0

    def add(self, document: dict[str, Any], size: int) -> None:
        """Keep one more, and the older ones as far as there is room."""
        self._kept.append((document, size))
        self._bytes += size
        while len(self._kept) > FRAMES or (self._bytes > BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[1]

    def documents(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return [document for document, _ in self._kept]
