"""How long a process has waited for a processor while it could run: what the host's load did to it, not it itself.

``/proc/PID/schedstat`` counts it in nanoseconds for the first thread, which in Valkey is the one that serves clients.
It is read around every ping, so the file is kept open.
"""

import os

from operatord.procfs import ProcessId, read_stat


class RunQueue:
    """The waiting time of one process; of none, or of one that has ended, it stands still."""

    def __init__(self) -> None:
        self._process: ProcessId | None = None
        self._fd = -1
        self._waited_ns = 0

    def follow(self, process: ProcessId | None) -> None:
        """Read that of ``process`` from now on."""
        if process == self._process:
            return
        self.close()
        self._process = process
        if process is None:
            return
        try:
            self._fd = os.open(f"/proc/{process.pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        stat = read_stat(process.pid)
        if stat is None or stat.id != process:
            self.close()  # its pid belongs to another one by now

    def waited_s(self) -> float:
        """Seconds since it was started; only differences mean something."""
        if self._fd >= 0:
            try:
                self._waited_ns = int(os.pread(self._fd, 128, 0).split()[1])
            except (OSError, ValueError, IndexError):
                self.close()
        return self._waited_ns / 1e9

    def close(self) -> None:
        """Give the file back."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._process = -1, None
