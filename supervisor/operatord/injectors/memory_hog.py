"""The process that takes memory away from a server: ``python -m operatord.injectors.memory_hog``.

It joins the cgroup that it is given before it takes anything, so that everything is charged there. It takes it in
steps, and gives up when the host would be left with less than the floor: what was free when it was asked for may be
gone by now. Then it changes its name to ``hog-holding``, by which others learn of it, and holds it until it is ended.
"""

import argparse
import contextlib
import ctypes
import mmap
import os
import signal
import sys
from pathlib import Path

from operatord.injectors.room import room_in_memory

STEP_BYTES = 16 * 1024**2

HOLDING = "hog-holding"
"""Its name (``/proc/PID/comm``) from then on."""

_PATTERN = b"\xa5" * 1024**2
"""Not zeros: pages of those may be merged, or never be there at all."""

_MCL_CURRENT = 1


def main() -> None:
    """Take, say so, hold."""
    parser = argparse.ArgumentParser(prog="memory-hog")
    parser.add_argument("--fault", required=True, help="for whom; only to be recognised by")
    parser.add_argument("--group", required=True, type=Path, help="cgroup to join")
    parser.add_argument("--size", required=True, type=int, help="bytes to take")
    parser.add_argument("--floor", required=True, type=int, help="bytes that must stay available on the host")
    parser.add_argument("--oom-score-adj", required=True, help="how gladly the kernel ends it when memory is short")
    asked = parser.parse_args()
    (asked.group / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    # Only raising it takes no privilege; who inherited more keeps that.
    with contextlib.suppress(PermissionError):
        Path("/proc/self/oom_score_adj").write_text(asked.oom_score_adj, encoding="ascii")
    held = take(asked.size, asked.floor)
    Path("/proc/self/comm").write_text(HOLDING, encoding="ascii")
    print(f"holding {asked.size} bytes in {asked.group}", flush=True)
    while held:
        signal.pause()


def take(size: int, floor: int) -> list[mmap.mmap]:
    """``size`` bytes of memory, every page written to; exits when less than ``floor`` would be left on the host."""
    held: list[mmap.mmap] = []
    for start in range(0, size, STEP_BYTES):
        step = min(STEP_BYTES, size - start)
        if (left := room_in_memory().available - step) < floor:
            sys.exit(f"gave up at {start} bytes: the host would be left with {left} bytes, and the floor is {floor}")
        block = mmap.mmap(-1, step, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for offset in range(0, step, len(_PATTERN)):
            block.write(_PATTERN[: step - offset])
        held.append(block)
    # Keeps it from being swapped out, where we may.
    ctypes.CDLL(None).mlockall(_MCL_CURRENT)
    return held


if __name__ == "__main__":
    main()
