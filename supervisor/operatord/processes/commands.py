"""Running a system command to its end without ``subprocess`` ever waiting for it; see ``injectors.commands``.

The same code serves the daemon, whose reaper tells how a command ended, and a short-lived process without a reaper.
What goes to its standard input is a file in memory, so that nobody has to feed a pipe.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from operator_protocol.errors import DeadlineExceeded
from operatord.injectors.commands import Completed
from operatord.processes.groups import signal_group
from operatord.processes.reaper import ExitCallback, ExitStatus
from operatord.processes.spawn import spawn

_KEPT_BYTES = 1 << 20
"""Of each stream; what is printed beyond is read and dropped."""

_READ_BYTES = 64 * 1024
_READS_AT_END = 64
"""Empties a full pipe, and ends although somebody else may still write to it."""

Watch = Callable[[int, int, ExitCallback], None]
"""``watch(pid, pidfd, on_exit)``, see ``Reaper.watch``."""


class ChildCommands:
    """``Commands`` of a process: each command is its child, in a group of its own, and dies with it.

    ``watch`` sees to the child when it has ended; it is asked for at each command, because a daemon's reaper comes and
    goes. Without one, the child is waited for here. Must be used from the main thread.
    """

    def __init__(
        self,
        watch: Callable[[], Watch] | None = None,
        environment: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._watch = watch or (lambda: _watch_alone)
        self._environment = environment

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout_s: float = 10.0,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Completed:
        """Run ``argv`` and return how it ended; of a signal the code is negative, as ``subprocess`` has it.

        ``cwd``, ``env`` (added to ours) and ``user`` are those of ``spawn``.
        Raises ``Unavailable`` when it cannot be started, ``DeadlineExceeded`` when it was killed after ``timeout_s``.
        """
        watch = self._watch()
        given = _file_with(stdin) if stdin else None
        try:
            spawned = spawn(argv, cwd=cwd, env={**self._environment(), **(env or {})}, user=user, stdin=given)
        finally:
            if given is not None:
                os.close(given)
        # Nothing may be awaited up to the watch: an orphan reaper takes a child that nobody watches.
        ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        streams = {name: _Stream(fd) for name, fd in spawned.streams.items()}

        def on_exit(status: ExitStatus) -> None:
            # What it left in its group goes along, while the number of the group is surely its own.
            signal_group(spawned.id, signal.SIGKILL)
            spawned.settle(status.returncode)
            if not ended.done():
                ended.set_result(status)

        watch(spawned.pid, os.pidfd_open(spawned.pid), on_exit)
        try:
            async with asyncio.timeout(timeout_s):
                status = await asyncio.shield(ended)
        except TimeoutError:
            signal_group(spawned.id, signal.SIGKILL)
            await ended
            raise DeadlineExceeded(f"{' '.join(argv[:3])} did not end within {timeout_s:g} s and was killed") from None
        except asyncio.CancelledError:
            # What comes next, perhaps an undo, must not find it still at work.
            signal_group(spawned.id, signal.SIGKILL)
            await asyncio.wait([ended])
            raise
        finally:
            spawned.settle()
            output = {name: stream.finish() for name, stream in streams.items()}
        return Completed(status.returncode, output["stdout"], output["stderr"])


class _Stream:
    """Keeps the beginning of what comes out of a pipe, and never lets it fill up. Owns the descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def finish(self) -> str:
        """What has come by now; the pipe is closed."""
        for _ in range(_READS_AT_END):
            if not self._read():
                break
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        return self._kept.decode(errors="replace")

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._fd)
            return False
        self._kept += data[: _KEPT_BYTES - len(self._kept)]
        return True


def _file_with(text: str) -> int:
    """A file in memory that holds ``text``, to be read from its beginning."""
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    data = memoryview(text.encode())
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _watch_alone(_pid: int, pidfd: int, on_exit: ExitCallback) -> None:
    """Wait for a child on the running loop and reap it; for a process in which nobody else reaps."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        loop.remove_reader(pidfd)
        status = ExitStatus()
        with suppress(ChildProcessError):
            result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
            if result is not None and result.si_code == os.CLD_EXITED:
                status = ExitStatus(code=result.si_status)
            elif result is not None:
                status = ExitStatus(signal=result.si_status)
        try:
            on_exit(status)
        finally:
            with suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
            os.close(pidfd)

    loop.add_reader(pidfd, readable)
