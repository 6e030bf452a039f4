"""What the kernel says about a process on this machine: running, stopped by a signal, or gone."""

from pathlib import Path
from typing import Literal, NamedTuple

ProcessLife = Literal["running", "stopped", "gone"]


class ProcessGlance(NamedTuple):
    """A process by pid and start time, so that a recycled pid is not taken for it."""

    pid: int
    start_ticks: int


def glance(pid: int, program: str = "") -> ProcessGlance | None:
    """Remember the process that has ``pid`` now; None when there is none, or it runs something but ``program``.

    A server that says its pid over the network may live in another pid namespace, where the number means another
    process: hence ``program``, the beginning of the name that the kernel has for it.
    """
    stat = _stat(pid)
    return ProcessGlance(pid, stat[2]) if stat and stat[0].startswith(program) else None


def life(process: ProcessGlance) -> ProcessLife:
    """What became of it since."""
    stat = _stat(process.pid)
    if stat is None or stat[2] != process.start_ticks or stat[1] in "ZX":
        return "gone"
    return "stopped" if stat[1] in "Tt" else "running"


def _stat(pid: int) -> tuple[str, str, int] | None:
    """Name, state letter and start time (fields 2, 3 and 22 of proc_pid_stat(5))."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        head, _, rest = line.rpartition(")")
        fields = rest.split()
        return head.partition("(")[2], fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
