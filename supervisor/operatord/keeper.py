"""The keeper: a tiny parent that outlives the daemon by as long as it takes to clean up after it.

A daemon that is killed with -9 cannot stop anything. Its workers die of their parent-death signal, its servers too;
but what those had started in turn has nobody to end it. All of it becomes children of the keeper, a child subreaper,
which kills and reaps until there is nothing left. It has no threads and no ZeroMQ, and imports no more than it needs,
so that there is little in it that could fail. If the keeper itself is killed, the daemon gets TERM and stops in good
order. ABRT is what a service manager sends whose watchdog has not heard from the daemon: that one hangs, and is killed.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress

from operatord import procfs
from operatord.processes import prctl
from operatord.processes.spawn import Spawned, spawn
from operatord.procfs import ProcessStat

_FORWARDED = {signal.SIGTERM: signal.SIGTERM, signal.SIGINT: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}
"""What the keeper passes on, and as what: Ctrl+C and a closed terminal are requests to stop. As INT it would be a
traceback in a daemon that has just begun to import."""

_CLEAN_UP_S = 10.0
"""SIGKILL ends anything at once, unless it hangs in the kernel."""


def run_keeper(
    argv: Sequence[str],
    *,
    pass_fds: Sequence[int] = (),
    spared: Callable[[], AbstractSet[tuple[int, int]]],
    after: Callable[[], None],
    stop_timeout_s: float = 60.0,
) -> int:
    """Run ``argv`` as the daemon until it ends; return its exit status, 128 + signal if a signal ended it.

    TERM, INT and HUP are passed on once. ABRT, a second INT, or ``stop_timeout_s`` without an end, kills the daemon.
    When it has ended, however it did, all that is left of it is killed and reaped, but for what ``spared`` returns:
    pairs of pid and start time. Then ``after`` is called. Raises ``Unavailable`` when the daemon cannot be started.
    """
    before = prctl.set_child_subreaper(enabled=True)
    try:
        with _signals() as signals:
            daemon = spawn(argv, output="inherit", death_signal=signal.SIGTERM, pass_fds=pass_fds)
            try:
                status = _follow(daemon, signals, stop_timeout_s)
            finally:
                _end_children(_ask(spared), signals)
        # From here on signals do what they do by default: nobody should have to wait for an undo that hangs.
        try:
            after()
        except KeyboardInterrupt:
            _say("interrupted; what is still owed is undone at the next start")
            status = status or 128 + signal.SIGINT
        except Exception:
            with suppress(OSError):
                traceback.print_exc()
            status = status or 1
    finally:
        prctl.set_child_subreaper(enabled=before)
    return status


def _follow(daemon: Spawned, signals: socket.socket, stop_timeout_s: float) -> int:
    """Pass signals on until the daemon has ended; returns its status and leaves it reaped."""
    pidfd = os.pidfd_open(daemon.pid)
    asked: list[int] = []
    deadline: float | None = None
    try:
        while True:
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            select.select([pidfd, signals.fileno()], [], [], wait_s)
            if select.select([pidfd], [], [], 0)[0]:
                return _reap_daemon(daemon, pidfd)
            for signum in _read(signals):
                if signum == signal.SIGABRT:
                    _say("the daemon hangs, says the service manager, and is killed")
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                if signum not in _FORWARDED:
                    continue
                if not asked:
                    deadline = time.monotonic() + stop_timeout_s
                    signal.pidfd_send_signal(pidfd, _FORWARDED[signal.Signals(signum)])
                elif signum == signal.SIGINT:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                asked.append(signum)
            if deadline is not None and time.monotonic() >= deadline:
                _say(f"the daemon did not stop within {stop_timeout_s:g} s and is killed")
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                deadline = None
    finally:
        os.close(pidfd)


def _reap_daemon(daemon: Spawned, pidfd: int) -> int:
    result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    if result is None:  # only without WEXITED or with WNOHANG
        return 1
    if result.si_code == os.CLD_EXITED:
        daemon.settle(result.si_status)
        return result.si_status
    daemon.settle(-result.si_status)
    _say(f"the daemon was killed by {signal.Signals(result.si_status).name}; cleaning up")
    return 128 + result.si_status


def _end_children(spared: AbstractSet[tuple[int, int]], signals: socket.socket) -> None:
    """Kill and reap until no child is left but the spared: each death may bring new children, orphans of the dead."""
    deadline = time.monotonic() + _CLEAN_UP_S
    while True:
        _reap_all()
        left = [child for child in procfs.children(os.getpid()) if child.id not in spared]
        if not left:
            return
        if time.monotonic() >= deadline:
            _say(f"could not end {', '.join(map(_described, left))}")
            return
        for child in left:
            with suppress(ProcessLookupError):
                # Nobody but this function reaps: a pid that was a child a moment ago is still the same.
                os.kill(child.pid, signal.SIGKILL)
        # SIGCHLD wakes; the time limit is for a child that was adopted between the look and the wait.
        if select.select([signals], [], [], 0.05)[0]:
            _read(signals)


def _reap_all() -> None:
    with suppress(ChildProcessError):
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is not None:
            pass


def _ask(spared: Callable[[], AbstractSet[tuple[int, int]]]) -> AbstractSet[tuple[int, int]]:
    try:
        return spared()
    except Exception:
        with suppress(OSError):
            traceback.print_exc()
        return frozenset()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket from which the numbers of arriving signals can be read; exec resets the handlers for the daemon."""
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    handlers = {signum: signal.signal(signum, _noted) for signum in (*_FORWARDED, signal.SIGABRT, signal.SIGCHLD)}
    wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(wakeup)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        reading.close()
        writing.close()


def _noted(_signum: int, _frame: object) -> None:
    """Python writes the number to the wake-up descriptor only for signals that have a handler."""


def _read(signals: socket.socket) -> bytes:
    try:
        return signals.recv(4096)
    except BlockingIOError:
        return b""


def _described(child: ProcessStat) -> str:
    return f"{child.comm} ({child.pid}, {child.state})"


def _say(text: str) -> None:
    # The terminal may be gone: the clean-up is what matters.
    with suppress(OSError, ValueError):
        sys.stderr.write(f"operatord: {text}\n")
