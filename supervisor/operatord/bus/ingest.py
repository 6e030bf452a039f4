"""The line between the daemon and its workers: ROUTER here, one DEALER in each worker, identity = process name.

Up come ``frame`` (forwarded unread), ``beat``, ``ready``, ``request`` and ``reply``; down go ``configure``,
``request`` and ``reply``. A worker that starts anew takes over its name (ROUTER_HANDOVER) and is configured at its
first beat; whatever was asked of its predecessor fails at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from operator_protocol.codec import MAX_MESSAGE_BYTES, Body, pack, unpack_map
from operator_protocol.errors import BadRequest, Unavailable
from operatord.bus.broker import Broker
from operatord.rpc import PendingRequests, answer
from operatord.subjects.base import Handler
from operatord.zmq_loop import Context, SocketPump

RECEIVE_HWM = 50_000


class Ingest:
    """Workers' frames in, requests both ways."""

    def __init__(
        self,
        context: Context,
        broker: Broker,
        *,
        on_beat: Callable[[str, int], None],
        on_ready: Callable[[str, int], None],
        configuration: Callable[[str], Body | None],
    ) -> None:
        self._broker = broker
        self._on_beat = on_beat
        self._on_ready = on_ready
        self._configuration = configuration
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
        self._socket.setsockopt(zmq.SNDHWM, 1_000)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._pump: SocketPump | None = None
        self._handlers: dict[str, Handler] = {}
        self._incarnations: dict[str, int] = {}
        self._pending = PendingRequests()
        self._tasks: set[asyncio.Task[None]] = set()
        self.malformed = 0

    def bind(self, address: str) -> None:
        """Open the socket for workers."""
        self._socket.bind(address)
        self._pump = SocketPump(self._socket, self._message)

    def handle(self, cmd: str, handler: Handler) -> None:
        """Have ``handler`` answer the workers' requests ``cmd``."""
        self._handlers[cmd] = handler

    def is_connected(self, worker: str) -> bool:
        """True once the worker's present incarnation has been heard."""
        return worker in self._incarnations

    def configure(self, worker: str) -> None:
        """Send ``worker`` its configuration, if there is one yet."""
        body = self._configuration(worker)
        if body is not None and worker in self._incarnations:
            self._send(worker, b"configure", pack(body))

    async def request(self, worker: str, cmd: str, args: Mapping[str, Any], *, timeout_s: float) -> Body:
        """Ask ``worker``. Raises its typed error, ``Unavailable`` if it is not there or dies, ``DeadlineExceeded``."""
        if worker not in self._incarnations:
            raise Unavailable(f"the {worker} worker is not running", "it restarts by itself; try again")
        return await self._pending.ask(
            worker, cmd, args, send=lambda data: self._send(worker, b"request", data), timeout_s=timeout_s
        )

    def gone(self, worker: str) -> None:
        """The worker's process ended: fail what was asked of it."""
        self._incarnations.pop(worker, None)
        self._pending.fail(worker, f"the {worker} worker ended before it answered")

    async def close(self) -> None:
        """Stop answering and close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._pump is not None:
            self._pump.close()
        self._socket.close()

    def _send(self, worker: str, kind: bytes, payload: bytes) -> bool:
        return self._pump is not None and self._pump.send([worker.encode(), kind, payload])

    def _message(self, parts: list[bytes]) -> None:
        try:
            worker = parts[0].decode()
            kind = parts[1]
            if kind == b"frame" and len(parts) == 4:
                if len(parts[3]) > MAX_MESSAGE_BYTES:
                    raise BadRequest("frame too large")
                self._broker.forward(parts[2].decode(), parts[3], worker)
            else:
                self._other(worker, kind, parts[2:])
        except (BadRequest, UnicodeDecodeError, IndexError):
            self.malformed += 1

    def _other(self, worker: str, kind: bytes, rest: list[bytes]) -> None:
        if kind == b"beat":
            self._beat(worker, _pid(unpack_map(rest[0])))
        elif kind == b"ready":
            self._on_ready(worker, _pid(unpack_map(rest[0])))
        elif kind == b"reply":
            self._pending.settle(unpack_map(rest[0]))
        elif kind == b"request":
            task = asyncio.create_task(self._answer(worker, unpack_map(rest[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            raise BadRequest("unknown kind of message")

    def _beat(self, worker: str, pid: int) -> None:
        if self._incarnations.get(worker) != pid:
            self._incarnations[worker] = pid
            self.configure(worker)
        self._on_beat(worker, pid)

    async def _answer(self, worker: str, request: Body) -> None:
        self._send(worker, b"reply", pack(await answer(self._handlers, request, "the daemon")))


def _pid(body: Body) -> int:
    pid = body.get("pid")
    if not isinstance(pid, int):
        raise BadRequest("a worker says its pid")
    return pid
