"""The load's process: started, listened to, told the rate, ended.

It is a child of this worker and must not outlive it: the kernel kills it when the worker's main thread ends
(``setpriv --pdeathsig KILL``), and a client of ours notices as well that nobody reads its lines any more.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Sequence

from operator_protocol.errors import Unavailable

MAX_LINE_BYTES = 65_536
"""A longer line is cut here, as everywhere in this house."""

TAIL_LINES = 20
_READ_BYTES = 65_536
_QUIET_S = 0.2
"""Without a new line for this long, a table that has no end mark is complete."""


class LoadProcess:
    """One run of a load generator."""

    def __init__(self, command: Sequence[str], on_line: Callable[[str], None], on_quiet: Callable[[], None]) -> None:
        self._command = list(command)
        self._on_line = on_line
        self._on_quiet = on_quiet
        self._process: asyncio.subprocess.Process | None = None
        self._rest = b""
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """The last lines, for saying why it ended."""
        self.spoke = asyncio.Event()
        """Set with the first line, or with the end."""
        self.ended = asyncio.Event()
        self.status: int | None = None
        """Exit status once it has ended, negative for a signal."""

    @property
    def pid(self) -> int | None:
        """The process, once it was started."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it. Raises ``Unavailable`` when the command cannot be run."""
        if not self._command or shutil.which(self._command[0]) is None:
            raise Unavailable(
                f"the load's command cannot be run: {' '.join(self._command) or '(empty)'}",
                "is it installed, and on the PATH of the daemon?",
            )
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        try:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                # A load may be a script that runs the program: they end together.
                process_group=0,
            )
        except OSError as error:
            raise Unavailable(f"the load could not be started: {error}") from error

    async def listen(self) -> int:
        """Hand on every line until the process has ended; its exit status, negative for a signal."""
        process = self._running()
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        quiet = True
        while True:
            try:
                async with asyncio.timeout(None if quiet else _QUIET_S):
                    data = await process.stdout.read(_READ_BYTES)
            except TimeoutError:
                quiet = True
                self._on_quiet()
                continue
            if not data:
                break
            quiet = False
            self._feed(data)
        if self._rest:
            self._feed(b"\n")
        self._on_quiet()
        self.status = await process.wait()
        self.spoke.set()
        self.ended.set()
        return self.status

    def epitaph(self) -> str:
        """Why it ended, as far as can be told: how, and its last words."""
        how = how_it_ended(self.status) if self.status is not None else "it runs"
        words = next((line for line in reversed(self.tail) if line.strip()), "")
        return f"{how}, last line: {words}" if words else how

    def send(self, line: str) -> None:
        """Write a line to its stdin; a process that does not listen, or is gone, is no error."""
        stdin = self._running().stdin
        if stdin is not None and not stdin.is_closing():
            with contextlib.suppress(OSError):
                stdin.write(f"{line}\n".encode())

    async def stop(self, *, timeout_s: float = 2.0) -> None:
        """TERM, and KILL after ``timeout_s``. One that has ended, or never began, is stopped."""
        process = self._process
        if process is None or self.ended.is_set():
            return
        for signum, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signum)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), patience_s)
                break
        # Whoever is left of its group, and holds its output open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise Unavailable("the load has not been started")
        return self._process

    def _feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest[:MAX_LINE_BYTES])
            self._rest = b""
        for raw in lines:
            line = raw[:MAX_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
            self.tail.append(line)
            self.spoke.set()
            self._on_line(line)


def how_it_ended(status: int) -> str:
    """An exit status in words: ``exit code 1``, ``killed by SIGKILL``."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
