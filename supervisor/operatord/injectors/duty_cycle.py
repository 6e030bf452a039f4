"""The driver of ``slow``: stops a process and continues it again, over and over, until it is told to end.

Run as ``python -I -S duty_cycle.py PARENT PID START_TIME PERCENT PERIOD_MS``, by the daemon (``PARENT``). It uses
nothing but the standard library, so that it is there in a few milliseconds. However it ends (TERM, the end of its
parent, the end of the target), it leaves the target continued; only a SIGKILL keeps it from that, and then the undo
does it. The target is held by a descriptor (pidfd), so no other process is ever hit.
"""

import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path

TITLE = "duty-cycle"
"""Its name in the process table (``/proc/PID/comm``) from the moment at which it cycles."""

EXIT_TARGET_GONE = 3
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SIGSET_WORDS = 16
"""``sigset_t`` of glibc and musl has 1,024 bits."""


def phases(percent: float, period_ms: float) -> tuple[float, float]:
    """Seconds stopped and seconds running in each period."""
    stopped_s = period_ms / 1000 * percent / 100
    return stopped_s, period_ms / 1000 - stopped_s


def main(argv: list[str]) -> int:
    """Exit status 0 after a signal or the end of the parent, 3 when the target has ended or is another process."""
    parent, pid = int(argv[0]), int(argv[1])
    start_time, percent, period_ms = map(float, argv[2:5])
    # Blocked, they are waited for instead of sleeping; so no signal can come between two lines and leave it stopped.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    libc = ctypes.CDLL(None, use_errno=True)
    endings = _open_endings(libc)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        target = os.pidfd_open(pid)
    except ProcessLookupError:
        return EXIT_TARGET_GONE
    if _start_time(pid) != start_time:
        return EXIT_TARGET_GONE
    libc.prctl(_PR_SET_NAME, TITLE.encode())
    try:
        return _cycle(target, endings, parent, *phases(percent, period_ms))
    finally:
        _send(target, signal.SIGCONT)


def _cycle(target: int, endings: int, parent: int, stopped_s: float, running_s: float) -> int:
    due = time.monotonic()
    while os.getppid() == parent:
        for signum, phase_s in ((signal.SIGSTOP, stopped_s), (signal.SIGCONT, running_s)):
            if not _send(target, signum):
                return EXIT_TARGET_GONE
            # From due time to due time: a late wake-up shortens the next phase instead of stretching the period.
            due = max(due + phase_s, time.monotonic())
            ready, _, _ = select.select([target, endings], [], [], max(0.0, due - time.monotonic()))
            if ready:
                return 0 if endings in ready else EXIT_TARGET_GONE
    return 0


def _open_endings(libc: ctypes.CDLL) -> int:
    """A descriptor (signalfd) that can be read when one of the signals came. ``signal.sigtimedwait`` is no way: when it
    was interrupted (we were stopped, or traced) and is overdue then, CPython returns a signal that nobody sent."""
    words = (ctypes.c_uint64 * _SIGSET_WORDS)(sum(1 << (signum - 1) for signum in _ENDINGS))
    found = int(libc.signalfd(-1, words, os.O_CLOEXEC))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return found


def _send(target: int, signum: int) -> bool:
    """Signal the target; False when it has ended."""
    if select.select([target], [], [], 0)[0]:
        return False
    try:
        signal.pidfd_send_signal(target, signum)
    except ProcessLookupError:
        return False
    return True


def _start_time(pid: int) -> float | None:
    """Field 22 of proc_pid_stat(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return float(stat.rpartition(")")[2].split()[19])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
