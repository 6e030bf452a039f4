"""Learning of deaths, and reaping: each child by its own pidfd, orphans when SIGCHLD says that there are some.

``waitpid(-1)`` is never called here. It takes the exit status of whichever child comes first, also of one that someone
else is waiting for (who then reads 0), so orphans are first looked at with WNOWAIT and only reaped when nobody here
knows them. Some kinds of child are not orphans: those that are watched; those just being forked, whose pid the daemon
has not been told yet (``hold``); and those in the daemon's own process group or older than the reaper, which some other
code started, since all that is started here gets a group of its own.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from operatord import procfs
from operatord.procfs import ProcessStat


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process ended; both are None when it was not our child, so that only the fact is known."""

    code: int | None = None
    signal: int | None = None

    @property
    def returncode(self) -> int:
        """As ``subprocess`` has it: the code, or minus the signal."""
        return -self.signal if self.signal is not None else (self.code or 0)

    def __str__(self) -> str:
        if self.signal is not None:
            try:
                return f"killed by {signal.Signals(self.signal).name}"
            except ValueError:
                return f"killed by signal {self.signal}"
        return "ended" if self.code is None else f"exited with {self.code}"


ExitCallback = Callable[[ExitStatus], None]


@dataclass(slots=True)
class _Watch:
    pidfd: int
    on_exit: ExitCallback


class Reaper:
    """Watches processes on the running loop; created and closed on the main thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: dict[int, _Watch] = {}
        self._held = 0
        self.looked_after: set[int] = set()
        """Process groups whose living members somebody else sees to: the fork server's, with its spares."""
        self._not_ours = {stat.id for stat in procfs.children(os.getpid())}
        self._loop.add_signal_handler(signal.SIGCHLD, self.sweep)

    def watch(self, pid: int, pidfd: int, on_exit: ExitCallback) -> None:
        """Call ``on_exit`` once when ``pid`` has ended, then reap it and close ``pidfd``, which the reaper takes over.

        During the call the process is still a zombie: its pid, and its group's, belong to nobody else yet.
        """
        self._watched[pid] = _Watch(pidfd, on_exit)
        self._loop.add_reader(pidfd, self._ended, pid)

    def forget(self, pid: int) -> None:
        """Let ``pid`` live and die unwatched; it does not become an orphan by that."""
        stat = procfs.read_stat(pid)
        if stat is not None:
            self._not_ours.add(stat.id)
        watch = self._watched.pop(pid, None)
        if watch is not None:
            self._loop.remove_reader(watch.pidfd)
            os.close(watch.pidfd)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A child is about to appear whose pid is not known yet: no orphan is reaped meanwhile."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                self._loop.call_soon(self.sweep)

    def sweep(self) -> None:
        """Reap every orphan that has ended."""
        while (pid := _peek()) is not None:
            if pid in self._watched:
                self._ended(pid)  # its pidfd says the same, later in this turn of the loop
            elif self._held:
                return
            elif not self._reap_orphan(pid):
                # A child of other code hides what may be behind it, so look at each.
                for stat in self._strangers():
                    if not stat.alive:
                        self._reap_orphan(stat.pid)
                return

    def strays(self) -> list[ProcessStat]:
        """Living children that nobody here started: orphans of something that died. None while one is being forked."""
        if self._held:
            return []
        return [stat for stat in self._strangers() if stat.alive and stat.pgrp not in self.looked_after]

    def close(self) -> None:
        """Stop watching; children that are left stay unreaped."""
        self._loop.remove_signal_handler(signal.SIGCHLD)
        for pid in list(self._watched):
            self.forget(pid)

    def _strangers(self) -> list[ProcessStat]:
        ours = os.getpgrp()
        return [
            stat
            for stat in procfs.children(os.getpid())
            if stat.pid not in self._watched and stat.pgrp != ours and stat.id not in self._not_ours
        ]

    def _reap_orphan(self, pid: int) -> bool:
        stat = procfs.read_stat(pid)
        if stat is None or stat.pgrp == os.getpgrp() or stat.id in self._not_ours:
            return False
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        return True

    def _ended(self, pid: int) -> None:
        watch = self._watched.get(pid)
        if watch is None:
            return
        try:
            result = os.waitid(os.P_PIDFD, watch.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if result is None:
                return
            ended = ExitStatus(code=result.si_status)
            if result.si_code != os.CLD_EXITED:
                ended = ExitStatus(signal=result.si_status)
        except ChildProcessError:
            ended = ExitStatus()
        del self._watched[pid]
        self._loop.remove_reader(watch.pidfd)
        try:
            watch.on_exit(ended)
        finally:
            with suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, watch.pidfd, os.WEXITED | os.WNOHANG)
            os.close(watch.pidfd)


def _peek() -> int | None:
    """The pid of some child that has ended and is not reaped yet."""
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if result is None else result.si_pid
