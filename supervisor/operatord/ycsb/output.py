"""Lines for people and for the tailer."""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import TextIO


class Output:
    """Writes whole lines, each flushed. When nobody reads them any more, ``on_closed`` is called, once."""

    def __init__(self, on_closed: Callable[[], None]) -> None:
        self._on_closed = on_closed
        self.closed = False

    def remark(self, line: str) -> None:
        """A status line or a remark, to stderr."""
        self._write(sys.stderr, line)

    def result(self, line: str) -> None:
        """A line of the final block, to stdout."""
        self._write(sys.stdout, line)

    def _write(self, stream: TextIO, line: str) -> None:
        if self.closed:
            return
        try:
            print(line, file=stream, flush=True)
        except BrokenPipeError:
            self.closed = True
            # What is still buffered would raise again when the interpreter flushes it at its end.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            self._on_closed()
