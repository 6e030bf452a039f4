"""Who may speak on the ingest line, and what may be said there; everything else is refused, counted and logged once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zmq

from operator_protocol.codec import MAX_MESSAGE_BYTES, pack
from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.frames import Frame
from operatord.bus.admission import Passes
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.bus.intake import Intake
from operatord.rpc import worker_identity
from operatord.zmq_loop import Context

Socket = zmq.Socket[bytes]
BODY = pack({"n": 1})


class Line:
    """A broker with its ingest line, as the daemon has it: the workers are known by pid."""

    def __init__(self, directory: Path) -> None:
        self.pids: dict[str, int | None] = {"monitor": 100, "agent": 200}
        self.passes = Passes(self.pids.get)
        self.context: Context = zmq.Context()
        self.endpoint: Endpoint = runtime_endpoint(directory)
        self.frames: list[Frame] = []
        self.beats: list[tuple[str, int]] = []
        self.lines: list[str] = []
        self.broker = Broker(self.context, on_listener_error=_fail)
        self.broker.listen(self.frames.append, ("",))
        self.ingest = Ingest(
            self.context,
            self.broker,
            on_beat=lambda name, pid: self.beats.append((name, pid)),
            on_ready=lambda name, pid: self.beats.append((name, pid)),
            configuration=lambda _: None,
            admission=self.passes,
            log=self.lines.append,
        )

    def peer(self, identity: bytes | None) -> Socket:
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        if identity is not None:
            socket.setsockopt(zmq.IDENTITY, identity)
        socket.connect(self.endpoint.ingest)
        return socket

    def worker(self, name: str) -> Socket:
        pid = self.pids[name]
        assert pid is not None
        return self.peer(worker_identity(name, self.passes.secret, pid))

    async def received(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.ingest.intake.received < count:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0)


def _fail(topic: str, error: BaseException) -> None:
    raise AssertionError(topic) from error


@asynccontextmanager
async def open_line(directory: Path) -> AsyncIterator[Line]:
    line = Line(directory)
    line.broker.bind(line.endpoint.frames)
    line.ingest.bind(line.endpoint.ingest)
    try:
        yield line
    finally:
        await line.ingest.close()
        line.broker.close()
        line.context.destroy(linger=0)


def on_a_line(directory: Path, scenario: Callable[[Line], object]) -> None:
    async def run() -> None:
        async with open_line(directory) as line:
            outcome = scenario(line)
            assert asyncio.iscoroutine(outcome)
            await outcome

    asyncio.run(run())


def test_a_worker_of_the_daemon_is_heard_under_its_name(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        worker = line.worker("monitor")
        worker.send_multipart([b"beat", pack({"pid": 100})])
        worker.send_multipart([b"frame", b"x.y", BODY])
        await line.received(2)
        assert line.beats == [("monitor", 100)]
        assert [(frame.topic, frame.header.source) for frame in line.frames] == [("x.y", "monitor")]

    on_a_line(tmp_path, scenario)


@pytest.mark.parametrize(
    "identity",
    [
        None,
        b"monitor",
        b"monitor/",
        b"monitor//100",
        b"monitor/00000000000000000000000000000000/100",
        b"nobody/x/1",
        b"\xff/x/1",
    ],
)
def test_a_stranger_is_not_heard_whatever_it_calls_itself(tmp_path: Path, identity: bytes | None) -> None:
    async def scenario(line: Line) -> None:
        stranger = line.peer(identity)
        stranger.send_multipart([b"beat", pack({"pid": 100})])
        stranger.send_multipart([b"ready", pack({"pid": 100})])
        stranger.send_multipart([b"frame", b"cluster.health", pack({"subject": "valkey", "ok": True})])
        stranger.send_multipart([b"request", pack({"id": "1", "cmd": "x"})])
        await line.received(4)
        assert line.ingest.intake.refusals == {"unknown_peer": 4}
        assert line.frames == []
        assert line.beats == []
        assert not line.ingest.is_connected("monitor")
        assert all(one.startswith("ingest: refused a message from ") for one in line.lines)

    on_a_line(tmp_path, scenario)


def test_a_stranger_that_takes_a_workers_name_does_not_take_its_line(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        worker = line.worker("monitor")
        worker.send_multipart([b"beat", pack({"pid": 100})])
        await line.received(1)
        line.peer(b"monitor").send_multipart([b"frame", b"x", BODY])
        await line.received(2)
        answer = asyncio.create_task(line.ingest.request("monitor", "look", {}, timeout_s=5))
        async with asyncio.timeout(5):
            while not worker.poll(0):
                await asyncio.sleep(0.005)
        assert worker.recv_multipart()[0] == b"request"
        answer.cancel()

    on_a_line(tmp_path, scenario)


def test_a_worker_that_was_replaced_is_not_heard_any_more(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        old = line.worker("monitor")
        old.send_multipart([b"beat", pack({"pid": 100})])
        await line.received(1)
        line.pids["monitor"] = None
        line.ingest.gone("monitor")
        # Its last words may still be on their way; a sign of life from the dead is none.
        old.send_multipart([b"frame", b"x", BODY])
        old.send_multipart([b"beat", pack({"pid": 100})])
        await line.received(3)
        assert len(line.frames) == 1
        assert not line.ingest.is_connected("monitor")
        line.pids["monitor"] = 101
        new = line.worker("monitor")
        new.send_multipart([b"beat", pack({"pid": 101})])
        await line.received(4)
        assert line.ingest.is_connected("monitor")
        old.send_multipart([b"frame", b"x", BODY])
        await line.received(5)
        assert len(line.frames) == 1
        assert line.ingest.intake.refusals == {"stale_peer": 1, "unknown_peer": 1}
        assert not any(line.passes.secret in one for one in line.lines)

    on_a_line(tmp_path, scenario)


SAID = {
    "unknown_kind": [[b"what"], [b"what", b"x"], [b""]],
    "torn": [
        [b"frame", b"t"],
        [b"frame", b"t", BODY, b"more"],
        [b"beat"],
        [b"beat", BODY, BODY],
        [b"beat", b"\xc1"],
        [b"reply", BODY[:-1]],
    ],
    "not_a_map": [[b"frame", b"t", b""], [b"frame", b"t", pack([1])], [b"frame", b"t", b"\xc1"], [b"reply", pack(7)]],
    "oversized": [[b"frame", b"t", BODY + b"\x00" * MAX_MESSAGE_BYTES], [b"reply", b"\x00" * (MAX_MESSAGE_BYTES + 1)]],
    "bad_topic": [
        [b"frame", topic, BODY]
        for topic in (
            *(b"", b"\xff", b"a b", b"a\n", b"x" * 129, b"heartbeat", b"join.x", b"command.finished"),
            *(b"process.monitor.state", b"ticket.opened", b"fault.recovered", b"demo.chapter"),
        )
    ],
    "bad_body": [
        [b"beat", pack({})],
        [b"beat", pack({"pid": "100"})],
        [b"ready", pack({"pid": True})],
        [b"request", pack({"cmd": "x"})],
    ],
    "stale_peer": [[b"beat", pack({"pid": 99})], [b"ready", pack({"pid": 101})]],
}


def test_each_thing_that_must_not_be_said_is_counted_under_its_reason(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        worker = line.worker("monitor")
        sent = 0
        for messages in SAID.values():
            for parts in messages:
                worker.send_multipart(parts)
                sent += 1
        await line.received(sent)
        assert line.ingest.intake.refusals == {reason: len(messages) for reason, messages in SAID.items()}
        worker.send_multipart([b"frame", b"x", BODY])
        await line.received(sent + 1)
        assert line.ingest.intake.accepted == 1
        assert [frame.topic for frame in line.frames] == ["x"]

    on_a_line(tmp_path, scenario)


def test_a_worker_cannot_make_up_topics_without_end(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        worker = line.worker("monitor")
        for number in range(5_000):
            worker.send_multipart([b"frame", b"topic.%d" % number, BODY])
        await line.received(5_000)
        assert line.ingest.intake.refusals == {"bad_topic": 5_000 - 4_096}
        worker.send_multipart([b"frame", b"topic.0", BODY])
        await line.received(5_001)
        assert line.ingest.intake.accepted == 4_097

    on_a_line(tmp_path, scenario)


def test_a_flood_of_garbage_is_not_a_flood_of_lines() -> None:
    now, lines = [0.0], list[str]()
    intake = Intake("ingest", lines.append, clock=lambda: now[0])
    for _ in range(10_000):
        intake.refuse("torn", "peer 00", "of no use")
    assert len(lines) == 20
    now[0] = 1.0
    intake.refuse("torn", "peer 00", "of no use")
    assert lines[-1] == "ingest: refused a message from peer 00: of no use (9980 more refused before)"
    assert intake.refusals == {"torn": 10_001}
