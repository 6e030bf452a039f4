"""Messages that nobody in their right mind would send; more than half of them are golden ones with some damage.

``Fuzzer`` makes them, from a seed; ``fuzz_control`` and ``fuzz_ingest`` send them and count.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import zmq
from tests.protocol import golden_files as golden

from operator_protocol.codec import unpack_map
from operator_protocol.endpoint import Endpoint

Socket = zmq.Socket[bytes]

_NUMBERS = (0, 1, -1, 127, 128, 255, 2**16, 2**31, 2**32, 2**53, 2**63 - 1, 2**64 - 1, -(2**63))
_VALUES: tuple[Any, ...] = (
    *_NUMBERS,
    None,
    True,
    0.0,
    -0.5,
    float("inf"),
    float("nan"),
    "",
    "x",
    "\x00",
    "ü" * 300,
    "x" * 5_000,
    b"",
    b"\xff" * 40,
    [],
    {},
    [[[]]],
    {"a": {"b": {"c": 1}}},
    ["x"] * 200,
    msgpack.ExtType(5, b"ext"),
    msgpack.Timestamp(1, 2),
)
_CHANGES_THE_DAEMON = {
    *("shutdown", "restart", "stop", "fault", "recover", "next", "previous", "goto", "diagnose", "workload"),
    *("approve", "reject", "act", "agent"),
}
_WINDOW = 50
"""Messages on their way; fewer than the daemon queues for one client."""
_ANSWER_MS = 20_000


class Fuzzer:
    """Makes messages. The same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._commands = [golden.read("command", name)[0].data for name in golden.names("command")]
        replies = [golden.read("reply", name)[0].data for name in golden.names("reply")]
        self._control_corpus = [*self._commands, *replies[:4]]
        self._frames = [
            [b"frame", parts[0].data, parts[2].data]
            for parts in (golden.read("frame", name) for name in golden.names("frame"))
        ]
        pid = msgpack.packb({"pid": 4242})
        self._signs = [[b"beat", pid], [b"ready", pid], [b"reply", replies[0]], [b"request", self._commands[0]]]
        self.from_golden = 0
        self.made = 0

    def control(self) -> list[bytes]:
        """One message for ``control``: mostly an empty part and a command."""
        self.made += 1
        if self.random.random() < 0.7:
            self.from_golden += 1
            data = self._damaged(self.random.choice(self._control_corpus))
        else:
            data = self._invented()
        chance = self.random.random()
        if chance < 0.9:
            return [b"", data]
        if chance < 0.95:
            return [data]
        return [self.random.randbytes(self.random.randrange(300)) for _ in range(self.random.randrange(12))] + [data]

    def ingest(self) -> list[bytes]:
        """One message for ``ingest``: mostly a frame."""
        self.made += 1
        if self.random.random() < 0.7:
            self.from_golden += 1
            parts = list(self.random.choice(self._frames if self.random.random() < 0.8 else self._signs))
            place = self.random.randrange(len(parts)) if self.random.random() < 0.3 else -1
            parts[place] = self._damaged(parts[place])
            if self.random.random() < 0.05:
                self.random.shuffle(parts)
            return parts
        kind = self.random.choice((b"frame", b"beat", b"ready", b"reply", b"request", b"", self._bytes(8)))
        topic = self.random.choice((b"x", b"heartbeat", b"join.x", b"cluster.health", b"\xff", self._bytes(140)))
        return [kind, topic, self._invented()][: self.random.choice((1, 2, 3, 3, 3))]

    def _damaged(self, data: bytes) -> bytes:
        """``data`` with something done to it: to what it says, or to its bytes."""
        if self.random.random() < 0.5:
            return self._replace(data)
        for _ in range(self.random.choice((1, 1, 2, 3))):
            data = self.random.choice((self._flip, self._cut, self._insert, self._repeat, self._splice))(data)
        return data

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return b"\x00"
        place = self.random.randrange(len(data))
        return data[:place] + bytes((data[place] ^ (1 << self.random.randrange(8)),)) + data[place + 1 :]

    def _cut(self, data: bytes) -> bytes:
        start = self.random.randrange(len(data) + 1)
        return data[:start] if self.random.random() < 0.5 else data[:start] + data[start + self.random.randrange(9) :]

    def _insert(self, data: bytes) -> bytes:
        place = self.random.randrange(len(data) + 1)
        return data[:place] + self._bytes(9) + data[place:]

    def _repeat(self, data: bytes) -> bytes:
        start = self.random.randrange(len(data) + 1)
        piece = data[start : start + self.random.randrange(40)]
        return data[:start] + piece * self.random.randrange(2, 6) + data[start:]

    def _splice(self, data: bytes) -> bytes:
        other = self.random.choice(self._control_corpus)
        return data[: self.random.randrange(len(data) + 1)] + other[self.random.randrange(len(other)) :]

    def _replace(self, data: bytes) -> bytes:
        """Still a map, but one of its members is something else, is gone, or is one too many."""
        try:
            body = unpack_map(data)
        except Exception:
            return data[::-1]
        where = body
        while (
            inner := [one for one in where.values() if isinstance(one, dict) and one]
        ) and self.random.random() < 0.6:
            where = self.random.choice(inner)
        key = self.random.choice([*where, "more"])
        if self.random.random() < 0.2:
            where.pop(key, None)
        else:
            where[key] = self.random.choice(_VALUES)
        if "cmd" in body and self.random.random() < 0.8:
            body["id"] = self.random.randbytes(8).hex()
        try:
            packed: bytes = msgpack.packb(body)
        except (ValueError, TypeError, OverflowError):
            return data
        return packed

    def _invented(self) -> bytes:
        match self.random.randrange(5):
            case 0:
                return self._bytes(60)
            case 1:
                value: Any = self.random.choice(_VALUES)
            case 2:
                value = {self.random.choice("abvid"): self.random.choice(_VALUES) for _ in range(4)}
            case 3:
                return self.random.choice((b"\x81\xa1a", b"\x91")) * self.random.choice((3, 40, 900, 2_000)) + b"\xc0"
            case _:
                return self.random.choice((b"\xdf", b"\xdd", b"\xdb", b"\xc6")) + self._bytes(12)
        packed: bytes = msgpack.packb(value)
        return packed

    def _bytes(self, at_most: int) -> bytes:
        return self.random.randbytes(self.random.randrange(at_most))


def harmless(parts: list[bytes]) -> bool:
    """Whether a daemon with a cluster stays as it is: damage may leave a command whole that changes something."""
    try:
        cmd = unpack_map(parts[-1]).get("cmd")
    except Exception:
        return True
    return not isinstance(cmd, str) or cmd not in _CHANGES_THE_DAEMON


def fuzz_control(
    endpoint: Endpoint, fuzzer: Fuzzer, count: int, allowed: Callable[[list[bytes]], bool] = lambda _: True
) -> None:
    """Send ``count`` messages; each has to be answered."""
    with _dealer(endpoint.control) as socket:
        on_the_way = 0
        for _ in range(count):
            while not allowed(parts := fuzzer.control()):
                pass
            socket.send_multipart(parts)
            on_the_way += 1
            while on_the_way >= _WINDOW or (on_the_way and socket.poll(0)):
                _answer(socket)
                on_the_way -= 1
        for _ in range(on_the_way):
            _answer(socket)
        assert not socket.poll(50), "more answers than messages"


def fuzz_ingest(endpoint: Endpoint, fuzzer: Fuzzer, count: int, identity: bytes | None = None) -> None:
    """Send ``count`` messages under ``identity``; nobody answers here."""
    with _dealer(endpoint.ingest, identity, linger_ms=-1) as socket:
        for _ in range(count):
            socket.send_multipart(fuzzer.ingest())
            while socket.poll(0):
                socket.recv_multipart()


def _answer(socket: Socket) -> None:
    assert socket.poll(_ANSWER_MS), "a message was not answered"
    answer = unpack_map(socket.recv_multipart()[-1], 1 << 26)
    assert isinstance(answer["ok"], bool)
    if not answer["ok"]:
        assert answer["error"]["code"] != "internal", answer


@contextmanager
def _dealer(address: str, identity: bytes | None = None, linger_ms: int = 0) -> Iterator[Socket]:
    context: zmq.Context[Socket] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, linger_ms)
    socket.setsockopt(zmq.SNDHWM, 1_000)
    if identity is not None:
        socket.setsockopt(zmq.IDENTITY, identity)
    socket.connect(address)
    try:
        yield socket
    finally:
        socket.close()
        context.term()
