"""ZeroMQ sockets on an asyncio loop, drained in batches.

``zmq.asyncio`` makes a future of every message, which costs several times what the message costs. Here the loop
watches the socket's descriptor and a callback drains what is there. The descriptor is edge-triggered: it says that
something changed, not that something is there, so the socket's own event mask is asked until it is empty, and asked
again after every send.
"""

import asyncio
from collections.abc import Callable

import zmq

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]

# Plain integers: pyzmq's enums cost more than the calls that they are passed to.
_DONTWAIT = int(zmq.DONTWAIT)
_RCVMORE = int(zmq.RCVMORE)
_AGAIN_S = 0.1


class SocketPump:
    """Calls ``on_message(parts)`` for each message that arrives on ``socket``.

    ``first_part(flags)`` may stand in for the socket's own ``recv`` to look at what ZeroMQ knows of the sender.
    """

    def __init__(
        self,
        socket: Socket,
        on_message: Callable[[list[bytes]], None],
        *,
        batch: int = 500,
        first_part: Callable[[int], bytes] | None = None,
    ) -> None:
        self.socket = socket
        self._on_message = on_message
        self._batch = batch
        self._first_part = first_part or socket.recv
        self._loop = asyncio.get_running_loop()
        self._fd = int(socket.getsockopt(zmq.FD))
        self._scheduled = False
        self._closed = False
        self._loop.add_reader(self._fd, self._drain)
        self.nudge()

    def send(self, parts: list[bytes]) -> bool:
        """Send without waiting; False when the peer is gone or does not keep up."""
        try:
            self.socket.send_multipart(parts, zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        finally:
            self.nudge()
        return True

    def nudge(self) -> None:
        """Look at the socket once more soon; due after everything that may have consumed its edge."""
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def close(self) -> None:
        """Stop watching; the socket itself stays open."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)

    def _drain(self) -> None:
        self._scheduled = False
        first, receive, more, handle = self._first_part, self.socket.recv, self.socket.getsockopt, self._on_message
        for _ in range(self._batch):
            if self.is_closed():
                return
            try:
                parts = [first(_DONTWAIT)]
                while more(_RCVMORE):
                    parts.append(receive())
            except zmq.Again:
                return
            except zmq.ZMQError as error:
                # What is left would not wake the loop again; nor shall a socket that is broken keep it busy.
                self._loop.call_exception_handler({"message": "cannot receive", "exception": error})
                self._loop.call_later(_AGAIN_S, self.nudge)
                return
            try:
                handle(parts)
            except Exception as error:
                # A defect in one message's handler must not keep the others in the socket.
                self._loop.call_exception_handler({"message": "defect in a message handler", "exception": error})
        self.nudge()

    def is_closed(self) -> bool:
        """True once ``close`` was called, be it by a message's own handler."""
        return self._closed
