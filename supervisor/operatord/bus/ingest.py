"""The line between the daemon and its workers: ROUTER here, one DEALER in each worker.

Up come ``frame`` (forwarded unread), ``beat``, ``ready``, ``request`` and ``reply``; down go ``configure``,
``request`` and ``reply``. ``admission`` says whose identity is that of a worker: anybody else is refused, and so is a
worker that has been replaced. One that starts anew is configured at its first beat; whatever was asked of its
predecessor fails at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from operator_protocol.codec import MAX_MESSAGE_BYTES, Body, pack, unpack_map
from operator_protocol.errors import BadRequest, Unavailable
from operator_protocol.topics import AGENT_SWITCH, HEARTBEAT
from operatord.bus.admission import Admission, ByName
from operatord.bus.broker import Broker
from operatord.bus.intake import Intake, peer_name, why_unreadable
from operatord.rpc import PendingRequests, answer
from operatord.subjects.base import Handler
from operatord.zmq_loop import Context, SocketPump

RECEIVE_HWM = 50_000
_MAX_WIRE_BYTES = 16 << 20
"""A peer that sends more than this in one part is cut off by ZeroMQ."""
_MAX_TOPIC_BYTES = 128
_MAX_TOPICS = 4_096
"""Topics that workers may use in one run: each costs memory in the daemon and in every client."""
_RESERVED = (
    HEARTBEAT,
    AGENT_SWITCH,
    *("action.", "command.", "coordination.", "demo.", "devops.", "fault.", "join.", "process.", "ticket."),
)
"""What the daemon alone says."""
_MAP_STARTS = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
"""First byte of a msgpack map."""
_MAX_TASKS = 1_000
"""Requests of workers that are being answered at once."""


class _Refused(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


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
        admission: Admission | None = None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._broker = broker
        self._on_beat = on_beat
        self._on_ready = on_ready
        self._configuration = configuration
        self._admission = admission or ByName()
        self.intake = Intake("ingest", log)
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
        self._socket.setsockopt(zmq.SNDHWM, 1_000)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_WIRE_BYTES)
        self._pump: SocketPump | None = None
        self._handlers: dict[str, Handler] = {}
        self._peers: dict[bytes, str] = {}
        """Identities that were admitted, and whose they are; one for each worker."""
        self._identities: dict[str, bytes] = {}
        self._topics: dict[bytes, str] = {}
        """Topics that were used, and found good."""
        self._incarnations: dict[str, int] = {}
        self._pending = PendingRequests()
        self._tasks: set[asyncio.Task[None]] = set()

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
        identity = self._identities.get(worker)
        return self._pump is not None and identity is not None and self._pump.send([identity, kind, payload])

    def _message(self, parts: list[bytes]) -> None:
        try:
            worker = self._peers.get(parts[0]) or self._admit(parts[0])
            if parts[1] == b"frame":
                self._frame(worker, parts)
            else:
                self._other(worker, parts)
        except _Refused as refused:
            # What follows the name is the secret of this run.
            self.intake.refuse(refused.reason, peer_name(parts[0].partition(b"/")[0]), str(refused))
        else:
            self.intake.accepted += 1

    def _admit(self, identity: bytes) -> str:
        worker = self._admission.name_of(identity)
        if worker is None:
            raise _Refused("unknown_peer", "it is no worker of this daemon, or one that was replaced")
        # Until now the words of the one before were its last ones; from now on it would speak in another's name.
        self._peers.pop(self._identities.get(worker, b""), None)
        self._peers[identity] = worker
        self._identities[worker] = identity
        return worker

    def _frame(self, worker: str, parts: list[bytes]) -> None:
        if len(parts) != 4:
            raise _Refused("torn", f"a frame of {len(parts) - 2} parts instead of topic and body")
        body = parts[3]
        if len(body) > MAX_MESSAGE_BYTES:
            raise _Refused("oversized", f"a body of {len(body)} bytes on {_shown(parts[2])}")
        if not body or body[0] not in _MAP_STARTS:
            raise _Refused("not_a_map", f"a body that is no map on {_shown(parts[2])}")
        self._broker.forward(self._topics.get(parts[2]) or self._topic(parts[2]), body, worker)

    def _topic(self, data: bytes) -> str:
        try:
            topic = data.decode() if 0 < len(data) <= _MAX_TOPIC_BYTES else ""
        except UnicodeDecodeError:
            topic = ""
        if not topic.isprintable() or " " in topic or not topic or topic.startswith(_RESERVED):
            raise _Refused("bad_topic", f"{_shown(data)} is not a topic that a worker may use")
        if len(self._topics) >= _MAX_TOPICS:
            raise _Refused("bad_topic", f"{topic} would be one topic more than {_MAX_TOPICS}")
        self._topics[data] = topic
        return topic

    def _other(self, worker: str, parts: list[bytes]) -> None:
        kind = parts[1]
        if kind not in (b"beat", b"ready", b"reply", b"request"):
            raise _Refused("unknown_kind", f"{_shown(kind)} is not a kind of message")
        if len(parts) != 3:
            raise _Refused("torn", f"{kind.decode()} with {len(parts) - 2} parts instead of one")
        try:
            body = unpack_map(parts[2])
        except BadRequest as error:
            raise _Refused(why_unreadable(parts[2]), f"{kind.decode()}: {error.message}") from error
        if kind == b"reply":
            self._pending.settle(body)
        elif kind == b"request":
            self._requested(worker, body)
        else:
            self._sign(worker, kind, body)

    def _sign(self, worker: str, kind: bytes, body: Body) -> None:
        pid = body.get("pid")
        if not isinstance(pid, int) or isinstance(pid, bool):
            raise _Refused("bad_body", f"{kind.decode()} without a pid")
        if not self._admission.is_current(worker, pid):
            raise _Refused("stale_peer", f"{kind.decode()} of process {pid}, which {worker} no longer is")
        if kind == b"ready":
            self._on_ready(worker, pid)
            return
        if self._incarnations.get(worker) != pid:
            self._incarnations[worker] = pid
            self.configure(worker)
        self._on_beat(worker, pid)

    def _requested(self, worker: str, body: Body) -> None:
        if not isinstance(body.get("id"), str):
            raise _Refused("bad_body", "a request without an id")
        if len(self._tasks) >= _MAX_TASKS:
            raise _Refused("busy", f"more than {_MAX_TASKS} requests are being answered")
        task = asyncio.create_task(self._answer(worker, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, worker: str, request: Body) -> None:
        self._send(worker, b"reply", pack(await answer(self._handlers, request, "the daemon")))


def _shown(data: bytes) -> str:
    return repr(data[:64])[1:]
