"""The output side of a terminal: the alternate screen, and nothing written that is there already."""

import contextlib
import os
import select
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from operator_clients.viewer import diff
from operator_clients.viewer.canvas import Picture
from operator_clients.viewer.keys import TerminalGone
from operator_clients.viewer.layout import Size

# Alternate screen, no cursor, no wrapping at the right margin (what a terminal draws wider than we think is cut off),
# and a mark before and after what is pasted, which is text and no keys.
_ENTER = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h"
_LEAVE = b"\x1b[?2004l\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_FALLBACK = Size(80, 24)
_LEAVE_PATIENCE_S = 0.5


class Screen:
    """A terminal that shows pictures. Not for use by several threads."""

    def __init__(self, fd: int, breakable: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.fd = fd
        self._breakable = breakable
        self._shown: Picture | None = None
        self._entered = False

    def size(self) -> Size:
        """What the terminal says now. COLUMNS and LINES of the environment are not asked: they do not resize."""
        try:
            width, height = os.get_terminal_size(self.fd)
        except OSError:
            return _FALLBACK
        return Size(width, height) if width and height else _FALLBACK

    def enter(self) -> None:
        """Take the terminal over, again if need be; the next picture is written whole."""
        self._entered = True
        self._shown = None
        self._write(_ENTER)

    def leave(self) -> None:
        """Give the terminal back as it was; may be called at any time, more than once, and on one that is gone."""
        self._shown = None
        if not self._entered:
            return
        self._entered = False
        with contextlib.suppress(OSError):
            # A terminal that takes nothing (Ctrl+S) must not keep us from ending.
            if select.select([], [self.fd], [], _LEAVE_PATIENCE_S)[1]:
                os.write(self.fd, _LEAVE)

    def forget(self) -> None:
        """What the terminal shows is not known any more; the next picture is written whole."""
        self._shown = None

    def show(self, picture: Picture) -> int:
        """Bring ``picture`` on the screen; returns how many bytes that took, 0 if it was there already."""
        before = self._shown
        same_size = before is not None and len(before) == len(picture) and len(before[0]) == len(picture[0])
        text = diff.changes(before, picture) if before is not None and same_size else diff.whole(picture)
        data = text.encode("utf-8", "replace")
        self._shown = None
        self._write(data)
        self._shown = picture
        return len(data)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                with self._breakable():
                    left = left[os.write(self.fd, left) :]
            except BlockingIOError:
                # Somebody who shares the terminal made it non-blocking.
                select.select([], [self.fd], [], 1.0)
            except OSError as error:
                raise TerminalGone("the terminal is gone") from error
