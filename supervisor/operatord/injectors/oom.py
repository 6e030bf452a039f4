"""How gladly the kernel ends a process when memory is short: ``oom_score_adj`` (proc_pid_oom_score_adj(5))."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from operator_protocol.errors import Unavailable

FIRST_TO_GO = 1000
"""As gladly as possible. Raising it takes no privilege, and lowering it to what it was before that does not either."""


def score_adj(pid: int) -> int:
    """That of ``pid``; 0, the default, when it has ended."""
    try:
        return int(_file(pid).read_text(encoding="ascii"))
    except OSError:
        return 0


def adjust(pids: Iterable[int], value: int) -> None:
    """Set it for each of ``pids`` that has not ended. Raises ``Unavailable``."""
    for pid in pids:
        try:
            with suppress(FileNotFoundError, ProcessLookupError):
                _file(pid).write_text(str(value), encoding="ascii")
        except OSError as error:
            raise Unavailable(f"cannot set oom_score_adj of process {pid} to {value}: {error.strerror}") from error


def _file(pid: int) -> Path:
    return Path(f"/proc/{pid}/oom_score_adj")
