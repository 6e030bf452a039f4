"""A daemon that speaks the real wire and does what a test tells it: XPUB for frames, ROUTER for commands, one thread.

It keeps state and tails, echoes joins and executes each command once, as the design says (section 4), so the real
client library joins it. What a command does is a function from its arguments to its result; one that takes time is a
generator that yields the seconds it sleeps.
"""

import heapq
import itertools
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import zmq

from operator_protocol import PROTOCOL_VERSION
from operator_protocol.codec import Body, pack, unpack_map
from operator_protocol.errors import OperatorError, UnknownCommand
from operator_protocol.frames import Frame, Header, encode_frame
from operator_protocol.records import to_body
from operator_protocol.state import State

Script = Generator[float, None, Body]
Handler = Callable[[Body], "Body | Script"]
_READING_S = 0.5
_HEARTBEAT_S = 0.25
LONG = frozenset({"restart", "stop", "fault", "recover", "diagnose", "workload", "approve", "act"})


class Request(NamedTuple):
    cmd: str
    args: Body


class ScriptedDaemon:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = State()
        self.requests: list[Request] = []
        """Commands that came in, without those that only serve the joining."""
        self.handlers: dict[str, Handler] = {
            "ping": lambda _: {"boot_id": self.boot_id, "wall_ts": time.time()},
            "hello": self._hello,
            "snapshot": lambda _: self._snapshot(),
        }
        self.boot_id = os.urandom(8).hex()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._frames = self._context.socket(zmq.XPUB)
        self._frames.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._control = self._context.socket(zmq.ROUTER)
        self._wake_in = self._context.socket(zmq.PAIR)
        self._wake_out = self._context.socket(zmq.PAIR)
        for socket in (self._frames, self._control, self._wake_in, self._wake_out):
            # Long enough for the last replies.
            socket.setsockopt(zmq.LINGER, 2_000)
        self._frames.bind(f"ipc://{directory}/frames.sock")
        self._control.bind(f"ipc://{directory}/control.sock")
        self._wake_in.bind("inproc://wake")
        self._wake_out.connect("inproc://wake")
        self._seq = 0
        self._topic_seqs: dict[str, int] = {}
        self._moved: set[str] = set()
        self._tails: deque[Frame] = deque(maxlen=1_000)
        self._subscribed: set[str] = set()
        self._awaited: set[str] = set()
        self._jobs: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._joined = threading.Event()
        self._joined_mono = 0.0
        self._outcomes: dict[str, Body | None] = {}
        """By id of the command; None while it runs."""
        self._lost_a_frame = False
        self._joined_again = threading.Event()
        self._running = True
        self._thread = threading.Thread(target=self._serve, name="scripted daemon")

    # for tests

    def on(self, cmd: str, handler: Handler) -> None:
        """Have ``cmd`` answered by ``handler``, on the daemon's thread."""
        self.handlers[cmd] = handler

    def publish(self, topic: str, body: object, *, wall_ts: float | None = None) -> None:
        """Publish ``body`` (a map or a record); from any thread, even before the start, and sent when this returns."""
        plain = body if isinstance(body, dict) else to_body(body)
        if threading.current_thread() is self._thread or self._thread.ident is None:
            self._publish(topic, plain, wall_ts)
            return
        done = threading.Event()

        def publish() -> None:
            self._publish(topic, plain, wall_ts)
            done.set()

        self._run(publish)
        assert done.wait(30)

    def later(self, delay_s: float, work: Callable[[], object]) -> None:
        """Call ``work`` on the daemon's thread after ``delay_s`` seconds."""
        self._run(lambda: self._at(time.monotonic() + delay_s, work))

    def asked(self, cmd: str) -> list[Body]:
        """The arguments of each ``cmd`` that came in."""
        return [request.args for request in self.requests if request.cmd == cmd]

    def wait_joined(self) -> None:
        """Wait until a client has taken a snapshot."""
        assert self._joined.wait(30)

    def wait_followed(self) -> None:
        """Wait until a client has read its snapshot: only then it misses a frame, and begins to join again."""
        self.wait_joined()
        self._run(self._lose_a_frame)
        assert self._joined_again.wait(30)

    def stop(self) -> None:
        """Be gone, sockets included."""
        if self._running:
            # ZeroMQ throws away what a client has not read yet when its connection ends, and a client that lost the
            # reply to its join has never known us.
            time.sleep(max(0.0, self._joined_mono + _READING_S - time.monotonic()))
            self._run(self._end)
            self._thread.join(30)
            for socket in (self._frames, self._control, self._wake_in, self._wake_out):
                socket.close()
            self._context.term()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    # the thread

    def _run(self, work: Callable[[], None]) -> None:
        self._jobs.append(work)
        if threading.current_thread() is not self._thread:
            self._wake_out.send(b"")

    def _at(self, when: float, work: Callable[[], object]) -> None:
        heapq.heappush(self._timers, (when, next(self._order), work))

    def _end(self) -> None:
        self._running = False

    def _serve(self) -> None:
        poller = zmq.Poller()
        for socket in (self._frames, self._control, self._wake_in):
            poller.register(socket, zmq.POLLIN)
        self._heartbeat()
        while self._running:
            left_s = max(0.0, self._timers[0][0] - time.monotonic())
            ready = dict(poller.poll(0 if self._jobs else int(left_s * 1000) + 1))
            if self._wake_in in ready:
                self._wake_in.recv()
            if self._frames in ready:
                self._subscription(self._frames.recv())
            if self._control in ready:
                self._command(self._control.recv_multipart())
            while self._jobs:
                self._jobs.popleft()()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()

    def _heartbeat(self) -> None:
        topics = {topic: self._topic_seqs[topic] for topic in self._moved}
        self._moved.clear()
        self._publish("heartbeat", {"seq": self._seq + 1, "topics": topics, "uptime": 1.0, "subscribers": 1})
        self._at(time.monotonic() + _HEARTBEAT_S, self._heartbeat)

    def _lose_a_frame(self) -> None:
        self._lost_a_frame = True
        self._seq += 1
        # Whatever a client follows, it follows the heartbeat as well.
        self._topic_seqs["heartbeat"] += 1
        self._publish("heartbeat", {"seq": self._seq + 1, "topics": {}, "uptime": 1.0, "subscribers": 1})

    def _publish(self, topic: str, body: Body, wall_ts: float | None = None) -> None:
        self._seq += 1
        topic_seq = 1 if topic.startswith("join.") else self._topic_seqs.get(topic, 0) + 1
        if not topic.startswith("join."):
            self._topic_seqs[topic] = topic_seq
            self._moved.add(topic)
        now = time.time() if wall_ts is None else wall_ts
        header = Header(PROTOCOL_VERSION, self.boot_id, self._seq, topic_seq, now, time.monotonic(), "scripted")
        frame = Frame(topic, header, body)
        self.state.apply(topic, body)
        family = topic.split(".", maxsplit=1)[0]
        if family in ("violation", "ticket", "agent", "fault", "demo", "process") or topic == "cluster.event":
            self._tails.append(frame)
        self._frames.send_multipart(encode_frame(frame))

    def _subscription(self, message: bytes) -> None:
        topic = message[1:].decode()
        if message[:1] == b"\x01":
            self._subscribed.add(topic)
        else:
            self._subscribed.discard(topic)
        self._echo()

    def _echo(self) -> None:
        for nonce in list(self._awaited):
            if f"join.{nonce}" in self._subscribed:
                self._awaited.discard(nonce)
                self._publish(f"join.{nonce}", {"nonce": nonce})

    def _hello(self, args: Body) -> Body:
        self._awaited.add(str(args["nonce"]))
        self._echo()
        if self._lost_a_frame:
            self._joined_again.set()
        return {"boot_id": self.boot_id, "version": "0.1.0"}

    def _snapshot(self) -> Body:
        self._joined_mono = time.monotonic()
        self._joined.set()
        return {
            "boot_id": self.boot_id,
            "seq": self._seq,
            "topic_seqs": dict(self._topic_seqs),
            "state": self.state.to_wire(),
            "tails": [[frame.topic, list(frame.header), frame.body] for frame in self._tails],
        }

    def _command(self, parts: list[bytes]) -> None:
        envelope, request = parts[:-1], unpack_map(parts[-1])
        cmd, command_id, args = str(request["cmd"]), str(request["id"]), dict(request["args"])

        def reply(outcome: Body) -> None:
            self._control.send_multipart([*envelope, pack({"v": 1, "id": command_id} | outcome)])

        def answer(outcome: Body) -> None:
            if command_id in self._outcomes:
                self._outcomes[command_id] = outcome
            if cmd in LONG:
                self._publish("command.finished", {"id": command_id, "cmd": cmd} | outcome)
            else:
                reply(outcome)

        again, outcome = command_id in self._outcomes, self._outcomes.get(command_id)
        if outcome is not None:
            reply(outcome)
            return
        if not again and cmd not in ("ping", "hello", "snapshot"):
            self.requests.append(Request(cmd, args))
            self._outcomes[command_id] = None
        if cmd in LONG:
            reply({"ok": True, "result": {"accepted": True, "id": command_id}})
        if again:
            return  # it runs, and is answered when it ends
        try:
            if cmd not in self.handlers:
                raise UnknownCommand(f"no command {cmd!r}")
            result = self.handlers[cmd](args)
        except OperatorError as error:
            answer({"ok": False, "error": error.to_wire()})
            return
        if isinstance(result, dict):
            answer({"ok": True, "result": result})
        else:
            self._step(result, answer)

    def _step(self, script: Script, answer: Callable[[Body], None]) -> None:
        try:
            delay_s = next(script)
        except StopIteration as end:
            answer({"ok": True, "result": end.value})
        except OperatorError as error:
            answer({"ok": False, "error": error.to_wire()})
        else:
            self._at(time.monotonic() + delay_s, lambda: self._step(script, answer))


def any_json(text: str) -> Any:
    """The one JSON document in ``text``."""
    return json.loads(text)
