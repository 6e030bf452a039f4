"""One worker forked ahead, which only waits to be told who it is. For the fork server alone."""

import select
import socket
from collections.abc import Callable, Sequence

_PAUSE_S = 0.1
"""Without a request for so long, the next spare is forked: the worker that took the last one comes first."""


class Spares:
    """Keeps at most one spare. ``fork`` is like ``os.fork``; ``requests`` is where the fork server gets its own."""

    def __init__(self, fork: Callable[[], int], requests: socket.socket) -> None:
        self._fork = fork
        self._requests = requests
        self._pid = 0
        self._errand: socket.socket | None = None
        """To the spare; its other end is what the spare waits on, and ends with."""

    def wait(self) -> socket.socket | None:
        """Until there is a request. Returns more than once: in each spare, with the socket on which it is told."""
        while True:
            watched = [self._requests] if self._errand is None else [self._requests, self._errand]
            ready, _, _ = select.select(watched, [], [], _PAUSE_S if self._errand is None else None)
            if self._errand in ready:
                self._drop()  # it has ended: nothing else makes this socket readable
            if self._requests in ready:
                return None
            if not ready and (errand := self._fork_one()) is not None:
                return errand

    def hand_out(self, request: bytes, fds: Sequence[int]) -> int | None:
        """Have the spare be that worker; its pid, or None if there is none."""
        if self._errand is None:
            return None
        pid = self._pid
        try:
            socket.send_fds(self._errand, [request], list(fds))
        except OSError:
            return None
        finally:
            self._drop()
        return pid

    def _fork_one(self) -> socket.socket | None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._pid = self._fork()
        except OSError:
            # Too many processes, say. It was only an attempt to be early.
            ours.close()
            theirs.close()
            return None
        if self._pid == 0:
            ours.close()
            self._requests.close()
            return theirs
        theirs.close()
        self._errand = ours
        return None

    def _drop(self) -> None:
        if self._errand is not None:
            self._errand.close()
            self._errand = None
