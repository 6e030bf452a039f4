"""Signals as something to select on.

A handler only puts the number on a queue; the loop, woken through a socket, does the rest. The one exception is a
write that blocks, to a terminal that was stopped with Ctrl+S or a pipe that nobody empties: inside ``breakable`` the
signals that end the viewer raise ``Interrupted``, or they would wait as long as the write does.
"""

import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self

from operator_protocol.errors import OperatorError

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_HANDLED = (*ENDING, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)


class Interrupted(OperatorError):
    """A signal arrived that ends the viewer while it was blocked in a write."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by signal {signum}")
        self.signum = signum


class Signals:
    """A context in which signals are queued; the handlers that were there before come back at its end."""

    def __init__(self, handled: Iterable[int] = _HANDLED) -> None:
        self._handled = handled
        self._queue: deque[int] = deque()
        self._breakable = False
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for signum in self._handled:
            self._before[signum] = signal.signal(signum, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable when a signal is waiting."""
        return self._reader.fileno()

    def take(self) -> list[int]:
        """The signals that came, in order."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        taken = []
        while self._queue:
            taken.append(self._queue.popleft())
        return taken

    @contextlib.contextmanager
    def breakable(self) -> Iterator[None]:
        """Within this, an ending signal raises ``Interrupted`` instead of waiting its turn; so does one that waits."""
        self._breakable = True
        try:
            for signum in tuple(self._queue):
                if signum in ENDING:
                    raise Interrupted(signum)
            yield
        finally:
            self._breakable = False

    def stop_here(self) -> None:
        """Let the process be stopped as SIGTSTP stops any other; returns when it is continued. That is then no news."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            os.kill(os.getpid(), signal.SIGTSTP)
        finally:
            signal.signal(signal.SIGTSTP, self._note)
            self._queue = deque(signum for signum in self._queue if signum != signal.SIGCONT)

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        if self._breakable and signum in ENDING:
            raise Interrupted(signum)
        self._queue.append(signum)
