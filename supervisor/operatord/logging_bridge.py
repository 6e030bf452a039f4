"""What modules log goes where everything else that the daemon says goes: to its own log, on stderr and on the bus."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _LogHandler(logging.Handler):
    """Hands each record to ``say`` as text, on the loop's thread whichever thread it comes from."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say
        self._loop = asyncio.get_running_loop()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a log line is not worth what it is about."""
        try:
            text = self.format(record)
            if _running_loop() is self._loop:
                self._say(text)
            else:
                self._loop.call_soon_threadsafe(self._say, text)
        except Exception:
            self.handleError(record)


@contextmanager
def logging_to(say: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, ``say`` gets every record of level WARNING and above, and of ours from INFO."""
    root, ours = logging.getLogger(), logging.getLogger("operatord")
    handler, level = _LogHandler(say), ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
