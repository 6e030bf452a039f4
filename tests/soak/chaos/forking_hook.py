"""Lets a person from outside make a Python process fork: what it then starts is nobody's plan.

A test copies this file as ``sitecustomize.py`` into a directory on the ``PYTHONPATH`` of everything it starts. At the
signal ``FORK`` a process forks a child, a grandchild whose parent ends at once, and, unless the environment forbids
it, a grandchild in a session of its own, which no signal to the group reaches.
"""

import os
import signal
from types import FrameType

FORK = signal.SIGRTMIN + 5
"""Workers reset the signals that have a meaning; this one has none."""
TAME = "OPERATOR_TEST_TAME"
"""Environment variable of those whose descendants stay in their group: clients, which have no supervisor."""
_ENDS = ("3", "900")
"""Seconds for which they live: some end while they still have a foster parent, some never do."""


def fork(_signum: int = 0, _frame: FrameType | None = None) -> None:
    """Three at once."""
    _start(_ENDS[0])
    _orphan(session=False)
    if TAME not in os.environ:
        _orphan(session=True)


def _start(seconds: str) -> None:
    if os.fork() == 0:
        os.execv("/bin/sleep", ["sleep", seconds])


def _orphan(*, session: bool) -> None:
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    if session:
        os.setsid()
    for seconds in _ENDS:
        _start(seconds)
    os._exit(0)


if __name__ == "sitecustomize":
    signal.signal(FORK, fork)
