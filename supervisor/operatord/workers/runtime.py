"""What every worker runs in: its line to the daemon, its beat, its end.

The fork server calls ``run`` in the freshly forked child. The worker's module has an ``async def main(ctx)`` that
waits for its configuration, says ``ready`` and works until it is cancelled; returning ends the process.
"""

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import zmq

from operator_protocol.codec import Body, pack, unpack_map
from operator_protocol.errors import BadRequest
from operatord.rpc import PendingRequests, answer, worker_identity
from operatord.subjects.base import Handler
from operatord.zmq_loop import Context, Socket, SocketPump

BEAT_S = 1.0
_ARRIVED_MS = 1000
"""What a worker sends to itself has come by then."""
Main = Callable[["WorkerContext"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every worker stands on, whoever it is: ZeroMQ with its threads, a socket that is not connected, a loop."""

    context: Context
    socket: Socket
    runner: asyncio.Runner


_ahead: list[_Ground] = []
"""Made by ``warm_up`` in a process that was forked ahead, for the worker that it becomes."""


class WorkerContext:
    """A worker's view of the daemon."""

    def __init__(self, name: str, socket: "zmq.Socket[bytes]") -> None:
        self.name = name
        self._pump = SocketPump(socket, self._message)
        self._handlers: dict[str, Handler] = {}
        self._configuration: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._on_configure: Callable[[Body], None] | None = None
        self._pending = PendingRequests()
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, topic: str, body: Body) -> None:
        """Put a frame on the bus."""
        self._pump.send([b"frame", topic.encode(), pack(body)])

    def ready(self) -> None:
        """Tell the daemon that this worker does its work now."""
        self._pump.send([b"ready", pack({"pid": os.getpid()})])

    def beat(self) -> None:
        """Say that the loop is alive; the runtime does this once a second."""
        self._pump.send([b"beat", pack({"pid": os.getpid()})])

    def handle(self, cmd: str, handler: Handler) -> None:
        """Have ``handler`` answer the daemon's requests ``cmd``."""
        self._handlers[cmd] = handler

    async def configured(self) -> Body:
        """The configuration, as soon as it is there."""
        return await self._configuration

    def on_configure(self, callback: Callable[[Body], None]) -> None:
        """Have ``callback`` called with each later configuration."""
        self._on_configure = callback

    async def request(self, cmd: str, args: Mapping[str, Any], timeout_s: float = 5.0) -> Body:
        """Ask the daemon. Raises its typed error, or ``DeadlineExceeded``."""
        return await self._pending.ask("the daemon", cmd, args, send=self._send_request, timeout_s=timeout_s)

    def close(self) -> None:
        """Stop listening."""
        self._pump.close()

    def _message(self, parts: list[bytes]) -> None:
        kind = parts[0]
        try:
            body = unpack_map(parts[1])
        except (BadRequest, IndexError):
            return
        if kind == b"configure":
            self._configure(body)
        elif kind == b"reply":
            self._pending.settle(body)
        elif kind == b"request":
            task = asyncio.create_task(self._answer(body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _configure(self, body: Body) -> None:
        if not self._configuration.done():
            self._configuration.set_result(body)
        elif self._on_configure is not None:
            self._on_configure(body)

    def _send_request(self, data: bytes) -> bool:
        return self._pump.send([b"request", data])

    async def _answer(self, request: Body) -> None:
        self._pump.send([b"reply", pack(await answer(self._handlers, request, f"the {self.name} worker"))])


def run(args: Mapping[str, Any]) -> None:
    """Run the worker ``args["name"]`` from ``args["module"]`` against the ingest socket ``args["ingest"]``.

    ``args["secret"]`` is what the daemon knows its workers by; a bus that has none takes the name for it.
    """
    ground = _ahead.pop() if _ahead else _lay_ground()
    socket = ground.socket
    module = importlib.import_module(str(args["module"]))
    name, secret = str(args["name"]), str(args.get("secret", ""))
    identity = worker_identity(name, secret, os.getpid()) if secret else name.encode()
    socket.setsockopt(zmq.IDENTITY, identity)
    socket.connect(str(args["ingest"]))
    try:
        with ground.runner:
            ground.runner.run(_run(name, socket, module.main))
    except BadRequest as error:
        # What the daemon configured it with makes no sense to it, and will not on the next start.
        print(f"cannot work with this configuration: {error}", file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    finally:
        socket.close()
        ground.context.term()


def warm_up(_: Mapping[str, Any]) -> None:
    """Make what every worker needs, and use it once for nobody: the pages that this touches are its own from then on.

    A ``run`` in the same process finds it.
    """

    async def nothing(ctx: WorkerContext) -> None:
        ctx.ready()
        await asyncio.sleep(0)

    ground = _lay_ground()
    with ground.context.socket(zmq.ROUTER) as nobody, ground.context.socket(zmq.DEALER) as trial:
        trial.setsockopt(zmq.LINGER, 0)
        nobody.setsockopt(zmq.LINGER, 0)
        # In the abstract namespace, where no file is left behind.
        address = f"ipc://@operator-spare-{os.getpid()}"
        nobody.bind(address)
        trial.connect(address)
        ground.runner.run(_run("spare", trial, nothing))
        nobody.poll(_ARRIVED_MS)
        ground.runner.run(asyncio.sleep(0))  # what was cancelled ends
    # Until it is somebody, the process ends at TERM as any other.
    ground.runner.get_loop().remove_signal_handler(signal.SIGTERM)
    _ahead.append(ground)


def _lay_ground() -> _Ground:
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="replace")
    context: Context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 100)
    socket.setsockopt(zmq.SNDHWM, 50_000)
    socket.setsockopt(zmq.RCVHWM, 1_000)
    runner = asyncio.Runner()
    runner.get_loop()
    return _Ground(context, socket, runner)


async def _run(name: str, socket: "zmq.Socket[bytes]", main: Main) -> None:
    ctx = WorkerContext(name, socket)
    work = asyncio.ensure_future(main(ctx))
    beats = asyncio.create_task(_beat(ctx))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        pass
    finally:
        beats.cancel()
        ctx.close()


async def _beat(ctx: WorkerContext) -> None:
    while True:
        ctx.beat()
        await asyncio.sleep(BEAT_S)
