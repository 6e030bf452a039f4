"""The three ``prctl`` settings that supervision needs; Linux only.

Two of them are easy to get wrong. The parent-death signal belongs to the *thread* that created the child, is cleared
by ``fork`` and by a change of user, and is not sent if the parent died before it was set: whoever sets it checks
``getppid`` afterwards. The subreaper flag is inherited by nobody: each process that wants orphans sets it itself.
"""

import ctypes
import os

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37

_libc = ctypes.CDLL(None, use_errno=True)


def set_parent_death_signal(signum: int) -> None:
    """Have the kernel send ``signum`` to this process when the thread that is its parent ends; 0 switches it off."""
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signum))


def set_child_subreaper(enabled: bool) -> bool:
    """Make this process the parent of descendants whose own parent ends; returns what was set before."""
    before = ctypes.c_int(0)
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before))
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(int(enabled)))
    return bool(before.value)


def set_process_name(name: str) -> None:
    """Set the name that ``ps`` and ``/proc/PID/comm`` show; the kernel keeps 15 bytes of it."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def _prctl(option: int, argument: object) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), argument, zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
