"""Running a system command (``nft``, ``ip``, ``tc``) from wherever an injector runs.

The daemon must not use ``subprocess`` or asyncio's children: its reaper would race with them. So it passes an
implementation that goes through its process table; ``operatord recover`` passes one of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Completed(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Commands(Protocol):
    """Runs commands to their end."""

    async def run(self, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 10.0) -> Completed:
        """Run ``argv`` and return how it ended.

        Raises ``Unavailable`` when it cannot be started, ``DeadlineExceeded`` when it was killed after ``timeout_s``.
        """
