"""Telling a service manager how the daemon is: the ``sd_notify(3)`` protocol, without a library.

The manager started the keeper; the daemon is its child, and speaks for it: it names the keeper as the main process
(``MAINPID``), so the unit needs ``NotifyAccess=all``. A daemon that hangs stops saying ``WATCHDOG=1``; the manager then
sends SIGABRT to the keeper, which kills the daemon and cleans up after it.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import MutableMapping

_SOCKET = "NOTIFY_SOCKET"
_WATCHDOG_USEC = "WATCHDOG_USEC"
_WATCHDOG_PID = "WATCHDOG_PID"
_PATIENCE_S = 1.0
"""The kernel queues ten datagrams for a manager that is busy; what must not get lost waits this long for a place."""


class ServiceManager:
    """Whoever started us and wants to know; nobody does when there is no ``NOTIFY_SOCKET``."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Takes the variables out of ``environment``: what we start must not speak in our name."""
        address = environment.pop(_SOCKET, "")
        every_usec = environment.pop(_WATCHDOG_USEC, "")
        meant_for = environment.pop(_WATCHDOG_PID, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        ours = meant_for in ("", str(os.getpid()), str(os.getppid()))
        self.watchdog_s = int(every_usec) / 1e6 if every_usec.isdigit() and ours and address else 0.0
        """We must be heard at least this often; 0 when nobody listens."""
        self._is_ready = asyncio.Event()

    def ready(self, status: str) -> None:
        """The start is done; the keeper, our parent, is the main process."""
        self._tell(f"READY=1\nMAINPID={os.getppid()}\nSTATUS={status}", _PATIENCE_S)
        self._is_ready.set()

    def status(self, status: str) -> None:
        """How it is now, for people."""
        self._tell(f"STATUS={status}", 0)

    def stopping(self, status: str) -> None:
        """The stop has begun."""
        self._tell(f"STOPPING=1\nSTATUS={status}", _PATIENCE_S)

    async def keep_alive(self) -> None:
        """From ``ready`` on, say twice in each interval that the loop turns, until cancelled."""
        await self._is_ready.wait()
        while self.watchdog_s:
            self._tell("WATCHDOG=1", 0)
            await asyncio.sleep(self.watchdog_s / 2)

    def _tell(self, message: str, patience_s: float) -> None:
        if not self._address:
            return
        # The manager may be restarting, and is never worth an error.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(patience_s)
            sock.sendto(message.encode(), self._address)
