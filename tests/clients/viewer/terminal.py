"""A terminal for a program under test: a pty whose screen is read back through ``pyte``."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyte

DEADLINE_S = 30.0
_PICTURE_S = 10.0
"""For the rest of a picture, should the program get no time in the midst of it."""
# The program gets the pty as its controlling terminal, so that keys become signals as they do for a person.
_WITH_TERMINAL = (
    "import fcntl,os,sys,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
_SYNCHRONIZED = 2026
"""The mode in which a program draws a picture; it ends with the mode."""


class _Screen(pyte.Screen):
    """Keeps each picture as the program finished it, if that is asked for."""

    pictures: list[str] | None = None

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        super().reset_mode(*modes, **kwargs)
        if self.pictures is not None and kwargs.get("private") and _SYNCHRONIZED in modes:
            self.pictures.append("\n".join(self.display))


class Terminal:
    """Runs a program on a pty of its own. The slave side stays open here, so that its modes can be looked at."""

    def __init__(self, argv: Sequence[str], *, width: int, height: int, env: Mapping[str, str] | None = None) -> None:
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.received = bytearray()
        self._screen = _Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        self._set_size(width, height)
        self.modes_before = self.modes()
        environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        environment |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WITH_TERMINAL, *argv],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            env=environment,
        )

    def modes(self) -> list[object]:
        """termios of the terminal as the program left them."""
        return list(termios.tcgetattr(self.slave))

    def rows(self) -> list[str]:
        """What is on the screen now."""
        self.read(0.0)
        return list(self._screen.display)

    def text(self) -> str:
        """The same as one string."""
        return "\n".join(self.rows())

    def pictures(self) -> list[str]:
        """A list that has each picture from now on: of those that come together, the screen shows only the last."""
        self._screen.pictures = []
        return self._screen.pictures

    def colour_at(self, text: str) -> str:
        """The foreground colour of the first place where ``text`` stands."""
        for number, row in enumerate(self.rows()):
            if text in row:
                return str(self._screen.buffer[number][row.index(text)].fg)
        raise AssertionError(f"{text!r} is not on the screen:\n{self.text()}")

    def until(self, wanted: str | Callable[[str], bool], deadline_s: float = DEADLINE_S) -> str:
        """Wait until the screen contains (or satisfies) ``wanted``; returns it."""
        give_up_at = time.monotonic() + deadline_s
        while True:
            text = self.text()
            if wanted in text if isinstance(wanted, str) else wanted(text):
                return text
            if time.monotonic() > give_up_at:
                raise AssertionError(f"not seen in {deadline_s} s: {wanted!r}; the screen is\n{text}")
            self.read(0.1)

    def read(self, timeout_s: float) -> int:
        """Take in what the program writes, waiting for it at most ``timeout_s``; returns how many bytes came."""
        count = 0
        while select.select([self.master], [], [], self._patience_s(timeout_s, count))[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            count += len(data)
            self.received += data
            self._stream.feed(data)
        return count

    def _patience_s(self, timeout_s: float, count: int) -> float:
        """A picture that has begun (synchronized output) is taken in whole, as a terminal would show it."""
        begun = self.received.count(b"\x1b[?2026h") > self.received.count(b"\x1b[?2026l")
        # Nobody finishes the picture of a program that has ended.
        if begun and self.process.poll() is None:
            return _PICTURE_S
        return timeout_s if not count else 0.0

    def quiet(self, for_s: float) -> None:
        """Wait until nothing was written for ``for_s``."""
        give_up_at = time.monotonic() + DEADLINE_S
        while self.read(for_s):
            assert time.monotonic() < give_up_at, "it never stops writing"

    def press(self, keys: str) -> None:
        """Type ``keys``."""
        os.write(self.master, keys.encode())

    def resize(self, width: int, height: int) -> None:
        """Change the size; the kernel sends SIGWINCH."""
        self._set_size(width, height)
        self._screen.resize(lines=height, columns=width)

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def ended(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for the program's end; returns its exit code."""
        give_up_at = time.monotonic() + deadline_s
        while self.process.poll() is None:
            assert time.monotonic() < give_up_at, f"still running; the screen is\n{self.text()}"
            self.read(0.02)
        self.read(0.0)
        return self.process.returncode

    def is_clean(self) -> bool:
        """True when the terminal is as it was before the program ran."""
        left = self.received.rfind(b"\x1b[?1049l")
        visible = self.received.rfind(b"\x1b[?25h") > self.received.rfind(b"\x1b[?25l")
        wrapping = self.received.rfind(b"\x1b[?7h") > self.received.rfind(b"\x1b[?7l")
        return left > self.received.rfind(b"\x1b[?1049h") and visible and wrapping and self.modes() == self.modes_before

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(DEADLINE_S)
        self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away."""
        for fd in (self.slave, self.master):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.master = self.slave = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
