"""The frames socket: stamps what is published, forwards it unread, and tells the daemon's own parts afterwards.

The forwarding path never decodes a body and never waits: ZeroMQ drops for a subscriber that does not keep up, and
that subscriber sees the gap in ``seq``. The state, the tails and the daemon's own listeners are served right after,
from a queue, so a slow listener delays nobody but itself.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body, pack, unpack_map
from operator_protocol.errors import BadRequest
from operator_protocol.frames import Frame, Header, encode_frame
from operator_protocol.journal import checkpoint
from operator_protocol.models import Heartbeat
from operator_protocol.records import to_body
from operator_protocol.topics import HEARTBEAT, join_echo
from operatord.bus.journal import Journal
from operatord.bus.memory import Memory
from operatord.zmq_loop import Context, Socket, SocketPump

Listener = Callable[[Frame], None]

SEND_HWM = 20_000
"""Frames queued for one subscriber before ZeroMQ drops for it."""
_LINGER_MS = 200
"""How long the last frames (the end of the daemon) may take to leave."""
_MAX_SUBSCRIPTION_BYTES = 1 << 16
"""What a subscriber may send; it holds before a peer on TCP has shown its key, too."""
_SOURCE = "operatord"
# Plain integers: combining the flags of pyzmq's enum costs as much as a send.
_LAST = int(zmq.DONTWAIT)
_MORE = int(zmq.DONTWAIT) | int(zmq.SNDMORE)
_MAX_NONCES = 1_000


class Broker:
    """One daemon's bus."""

    def __init__(
        self,
        context: Context,
        *,
        journal: Journal | None = None,
        on_listener_error: Callable[[str, BaseException], None],
    ) -> None:
        self.boot_id = os.urandom(8).hex()
        self.memory = Memory()
        self._journal = journal
        self._on_listener_error = on_listener_error
        self._socket = context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._socket.setsockopt(zmq.SNDHWM, SEND_HWM)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_SUBSCRIPTION_BYTES)
        self._pump: SocketPump | None = None
        self._listeners: list[tuple[Listener, tuple[str, ...]]] = []
        self._seq = 0
        self._topic_seqs: dict[str, int] = {}
        self._moved: set[str] = set()
        self._queue: deque[tuple[str, Header, bytes]] = deque()
        self._serving = False
        self._started_mono = time.monotonic()
        self._subscriptions: dict[str, int] = {}
        self._wanted_nonces: deque[str] = deque(maxlen=_MAX_NONCES)

    def bind(self, address: str) -> None:
        """Open the socket for subscribers."""
        self._socket.bind(address)
        self._pump = SocketPump(self._socket, self._subscription)

    @property
    def socket(self) -> Socket:
        """For another address to be bound."""
        return self._socket

    def nudge(self) -> None:
        """Look for subscriptions soon; due after everything else that used the socket."""
        if self._pump is not None:
            self._pump.nudge()

    def listen(self, listener: Listener, families: tuple[str, ...]) -> None:
        """Have ``listener`` called, after it was forwarded, with each frame whose topic begins with one of these."""
        self._listeners.append((listener, families))

    def publish(self, topic: str, body: Body, source: str = _SOURCE) -> None:
        """Publish a body of the daemon's own."""
        self.forward(topic, pack(body), source)

    def forward(self, topic: str, body: bytes, source: str) -> None:
        """Stamp and send a body as it is."""
        if self._seq == 0 and self._journal is not None:
            self._journal.begin(self._checkpoint())
        self._seq += 1
        topic_seq = self._topic_seqs.get(topic, 0) + 1
        if topic.startswith("join."):
            topic_seq = 1
        else:
            self._topic_seqs[topic] = topic_seq
            self._moved.add(topic)
        header = Header(PROTOCOL_VERSION, self.boot_id, self._seq, topic_seq, time.time(), time.monotonic(), source)
        parts = [topic.encode(), pack(list(header)), body]
        # Three sends cost half of what send_multipart does. XPUB drops rather than blocks, so none of them can fail.
        send = self._socket.send
        send(parts[0], _MORE)
        send(parts[1], _MORE)
        send(parts[2], _LAST)
        if self._journal is not None:
            self._journal.append(parts)
        self._queue.append((topic, header, body))
        if not self._serving:
            self._serving = True
            asyncio.get_running_loop().call_soon(self._serve)

    def heartbeat(self, dropped: Mapping[str, int] | None = None) -> None:
        """Publish the once-a-second frame that lets subscribers notice loss at the tail.

        ``dropped`` counts what others have dropped or refused since the start, by reason.
        """
        moved = {topic: self._topic_seqs[topic] for topic in self._moved}
        self._moved.clear()
        beat = Heartbeat(
            seq=self._seq + 1,
            topics=moved,
            uptime=time.monotonic() - self._started_mono,
            subscribers=self.subscribers,
            dropped={"rejected": self.memory.rejected, **(dropped or {})},
        )
        self.publish(HEARTBEAT, to_body(beat))

    @property
    def subscribers(self) -> int:
        """Clients that follow: each subscribes to everything or, with a filter, to the heartbeat."""
        return self._subscriptions.get("", 0) + self._subscriptions.get(HEARTBEAT, 0)

    def expect_join(self, nonce: str) -> None:
        """Echo on the nonce's topic, now or as soon as its subscription is in force."""
        if join_echo(nonce) in self._subscriptions:
            self._echo(nonce)
        else:
            self._wanted_nonces.append(nonce)

    def snapshot(self) -> Body:
        """Everything a joining client needs, as of the last frame that was stamped."""
        self._serve()
        return self._snapshot()

    def close(self) -> None:
        """Serve what is queued and close; what was sent has a moment to leave."""
        self._serve()
        if self._pump is not None:
            self._pump.close()
        self._socket.close()
        if self._journal is not None:
            self._journal.close()

    def _serve(self) -> None:
        self._serving = False
        while self._queue:
            topic, header, data = self._queue.popleft()
            listeners = [listener for listener, families in self._listeners if topic.startswith(families)]
            if not listeners and not self.memory.wants(topic):
                continue
            try:
                frame = Frame(topic, header, unpack_map(data))
            except BadRequest:
                self.memory.rejected += 1
                continue
            if not self.memory.take(frame, len(data)):
                continue
            for listener in listeners:
                try:
                    listener(frame)
                except Exception as error:
                    # One listener must not stop the bus; what it raised is reported.
                    self._on_listener_error(topic, error)
        if self._journal is not None:
            if self._journal.full:
                # Only here is the state what the frames in the journal have made of it.
                self._journal.begin(self._checkpoint())
            self._journal.flush()

    def _snapshot(self) -> Body:
        return {
            "boot_id": self.boot_id,
            "seq": self._seq,
            "topic_seqs": dict(self._topic_seqs),
            "state": self.memory.state.to_wire(),
            "tails": self.memory.tails(),
        }

    def _checkpoint(self) -> list[bytes]:
        now = Header(PROTOCOL_VERSION, self.boot_id, self._seq, 0, time.time(), time.monotonic(), _SOURCE)
        return encode_frame(checkpoint(self._snapshot(), now))

    def _subscription(self, parts: list[bytes]) -> None:
        message = parts[0]
        topic = message[1:].decode("utf-8", "replace")
        if message[:1] == b"\x01":
            self._subscriptions[topic] = self._subscriptions.get(topic, 0) + 1
            nonce = topic.removeprefix("join.")
            if nonce in self._wanted_nonces and topic.startswith("join."):
                self._wanted_nonces.remove(nonce)
                self._echo(nonce)
        elif message[:1] != b"\x00":
            return  # not a subscription at all: a peer other than a SUB may send what it likes
        elif (count := self._subscriptions.get(topic, 0)) > 1:
            self._subscriptions[topic] = count - 1
        else:
            self._subscriptions.pop(topic, None)

    def _echo(self, nonce: str) -> None:
        self.publish(join_echo(nonce), {"nonce": nonce})
