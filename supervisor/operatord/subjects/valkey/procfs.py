"""What the kernel says about a server of this machine: running, stopped by a signal, or gone."""

from typing import Literal

from operatord.procfs import ProcessId, read_stat

ProcessLife = Literal["running", "stopped", "gone"]


def glance(pid: int, program: str = "") -> ProcessId | None:
    """Remember the process that has ``pid`` now; None when there is none, or it runs something but ``program``.

    A server that says its pid over the network may live in another pid namespace, where the number means another
    process: hence ``program``, the beginning of the name that the kernel has for it.
    """
    stat = read_stat(pid)
    return stat.id if stat is not None and stat.comm.startswith(program) else None


def life(process: ProcessId) -> ProcessLife:
    """What became of it since."""
    stat = read_stat(process.pid)
    if stat is None or stat.id != process or not stat.alive:
        return "gone"
    return "stopped" if stat.state in "Tt" else "running"


def stopped_by_signal(pid: int | None) -> bool:
    """True while the process is there and stopped (state T)."""
    process = glance(pid) if pid is not None else None
    return process is not None and life(process) == "stopped"
