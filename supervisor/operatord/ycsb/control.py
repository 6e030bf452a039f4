"""What reaches a run from outside while it runs: signals, lines on stdin, the end of its parent."""

import asyncio
import ctypes
import math
import os
import signal
import stat
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""``linux/prctl.h``."""

_LONGEST_LINE_BYTES = 4096


class StdinLines:
    """Calls ``on_line`` for each line on stdin, if stdin is something that lines come from.

    A file or ``/dev/null`` is not (epoll refuses them), and neither is the terminal of a job in the background. The
    end of stdin does not end the run: ``echo rate 500 | python -m operatord.ycsb run …`` is a fine thing to type.
    """

    def __init__(self, on_line: Callable[[str], None], fd: int = 0) -> None:
        self._on_line = on_line
        self._fd = fd
        self._rest = b""
        self._reading = False

    def start(self) -> None:
        """Begin to listen; must be called on the event loop."""
        try:
            mode = os.fstat(self._fd).st_mode
            if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or self._is_our_terminal()):
                return
        except OSError:
            return
        # Reading a terminal from the background would stop the process; so it becomes an error instead (EIO).
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        self._reading = True

    def stop(self) -> None:
        """Listen no more."""
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._fd)

    def _is_our_terminal(self) -> bool:
        return os.isatty(self._fd) and os.tcgetpgrp(self._fd) == os.getpgrp()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _LONGEST_LINE_BYTES)
        except OSError:
            data = b""
        if not data:
            self.stop()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE_BYTES:
            self._rest = b""
        for line in lines:
            if text := line.decode("utf-8", "replace").strip():
                self._on_line(text)


def parse_rate(line: str) -> float:
    """The number of ``rate 3000``. Raises ``ValueError``, with what to type instead, for any other line."""
    word, _, number = line.strip().partition(" ")
    try:
        rate = float(number)
    except ValueError:
        rate = math.nan
    if word != "rate" or not math.isfinite(rate) or rate < 0:
        raise ValueError(f"{line.strip()[:80]!r} is not understood; type 'rate N' (operations per second, 0: no limit)")
    return rate


def die_with_parent(parent_pid: int) -> bool:
    """Have the kernel send TERM when the parent ends. False if it has ended already.

    The signal belongs to the thread that started this process, not to the parent as a whole.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent_pid
