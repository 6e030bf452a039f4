"""The output side of a terminal: the alternate screen, and nothing written that is there already."""

import contextlib
import os
import select
import time
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
_MOST = Size(1_000, 500)
"""A terminal that claims to be larger is painted so far: a picture costs time and memory by the cell."""
_LEAVE_PATIENCE_S = 0.5


class Screen:
    """A terminal that shows pictures. Not for use by several threads.

    It is written to through an open file of our own, which does not block: whatever the terminal takes, or does not,
    keys are read and the bus is followed. To make the shared one non-blocking would do the same to others (rich#2614).
    """

    def __init__(self, fd: int, breakable: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self.fd = fd
        self._breakable = breakable
        self._shown: Picture | None = None
        self._entered = False
        self._own: int | None = None
        self._left = memoryview(b"")

    @property
    def behind(self) -> bool:
        """True while the terminal has not taken all of the last picture: another one has to wait for ``catch_up``."""
        return bool(self._left)

    @property
    def out(self) -> int:
        """What is written to; wait for it to be writable while ``behind``."""
        return self.fd if self._own is None else self._own

    def size(self) -> Size:
        """What the terminal says now. COLUMNS and LINES of the environment are not asked: they do not resize."""
        try:
            width, height = os.get_terminal_size(self.fd)
        except OSError:
            return _FALLBACK
        return Size(min(width, _MOST.width), min(height, _MOST.height)) if width and height else _FALLBACK

    def enter(self) -> None:
        """Take the terminal over, again if need be; the next picture is written whole."""
        self._entered = True
        self._shown = None
        if self._own is None:
            self._own = _reopened(self.fd)
        self._write(_ENTER)

    def leave(self) -> None:
        """Give the terminal back as it was; may be called at any time, more than once, and on one that is gone."""
        self._shown = None
        if not self._entered:
            return
        self._entered = False
        # Where the terminal has stopped, perhaps in the middle of a sequence, an escape begins anew.
        left, until = _LEAVE, time.monotonic() + _LEAVE_PATIENCE_S
        with contextlib.suppress(OSError):
            # One that takes nothing (Ctrl+S) must not keep us from ending.
            while left and select.select([], [self.out], [], max(0.0, until - time.monotonic()))[1]:
                left = left[os.write(self.out, left) :]
        self._left = memoryview(b"")
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def forget(self) -> None:
        """What the terminal shows is not known any more; the next picture is written whole."""
        self._shown = None

    def show(self, picture: Picture) -> int:
        """Bring ``picture`` on the screen; returns how many bytes that took, 0 if it was there already."""
        before = None if self.behind else self._shown
        same_size = before is not None and len(before) == len(picture) and len(before[0]) == len(picture[0])
        text = diff.changes(before, picture) if before is not None and same_size else diff.whole(picture)
        data = text.encode("utf-8", "replace")
        self._shown = None
        self._write(data)
        self._shown = picture
        return len(data)

    def catch_up(self) -> None:
        """Write what the terminal did not take before, as far as it takes it now."""
        while self._left:
            try:
                with self._breakable():
                    self._left = self._left[os.write(self.out, self._left) :]
            except BlockingIOError:
                return
            except OSError as error:
                raise TerminalGone("the terminal is gone") from error

    def _write(self, data: bytes) -> None:
        self._left = memoryview(data)
        self.catch_up()


def _reopened(fd: int) -> int | None:
    """The terminal behind ``fd``, opened once more; None where that is refused (``su``), or has no name here."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
