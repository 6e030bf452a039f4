"""Standard input, output and error as a program of ours wants to find them, however it was started."""

import errno
import os
import sys

_UNWRITABLE = frozenset((errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC))


def fill_closed_streams() -> None:
    """Put ``/dev/null`` in place of standard streams that are closed (``>&-``); due before anything is opened.

    Otherwise the next descriptor that is opened becomes number 1, be it a socket of ZeroMQ, and is printed into.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free number is given out first, and those below are taken.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 (it lives as long as the program)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115


def unwritable(error: OSError) -> str:
    """What to tell a person if it was the output that could not be written; else empty."""
    if error.filename is None and error.errno in _UNWRITABLE:
        return f"cannot write the output: {error.strerror}"
    return ""


def discard_output() -> None:
    """Forget what is printed and not yet written: the interpreter would try once more at its end, and complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
