"""The broker, the journal and the line to the workers over real sockets."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from operator_protocol.codec import Body, pack, unpack
from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, Unavailable, UnknownCommand
from operator_protocol.frames import Frame, decode_frame
from operator_protocol.journal import read_frames, read_journal
from operator_protocol.recording import Recording
from operator_protocol.replay import Replay
from operatord.bus.broker import Broker
from operatord.bus.ingest import Ingest
from operatord.bus.journal import Journal
from operatord.workers.runtime import WorkerContext
from operatord.zmq_loop import Context


@dataclass
class Bus:
    broker: Broker
    ingest: Ingest
    context: Context
    endpoint: Endpoint
    beats: list[str]
    ready: list[str]
    configuration: Body | None = None

    def worker(self, name: str) -> tuple[WorkerContext, "zmq.Socket[bytes]"]:
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(self.endpoint.ingest)
        return WorkerContext(name, socket), socket

    def subscriber(self, *topics: str) -> "zmq.Socket[bytes]":
        socket = self.context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        for topic in topics:
            socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        socket.connect(self.endpoint.frames)
        return socket


def no_defect(topic: str, error: BaseException) -> None:
    raise AssertionError(topic) from error


@asynccontextmanager
async def running_bus(directory: Path, journal: Journal | None = None) -> AsyncIterator[Bus]:
    context: Context = zmq.Context()
    endpoint = runtime_endpoint(directory)
    broker = Broker(context, journal=journal, on_listener_error=no_defect)
    beats: list[str] = []
    ready: list[str] = []
    bus: Bus
    ingest = Ingest(
        context,
        broker,
        on_beat=lambda name, _pid: beats.append(name),
        on_ready=lambda name, _pid: ready.append(name),
        configuration=lambda _name: bus.configuration,
    )
    bus = Bus(broker, ingest, context, endpoint, beats, ready)
    broker.bind(endpoint.frames)
    ingest.bind(endpoint.ingest)
    try:
        yield bus
    finally:
        await ingest.close()
        broker.close()
        context.destroy(linger=0)


async def receive(socket: "zmq.Socket[bytes]", count: int) -> list[Frame]:
    frames: list[Frame] = []
    async with asyncio.timeout(10):
        while len(frames) < count:
            try:
                frames.append(decode_frame(socket.recv_multipart(zmq.DONTWAIT)))
            except zmq.Again:
                await asyncio.sleep(0.005)
    return frames


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_frames_carry_gapless_sequences_of_the_whole_and_of_each_topic(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            socket = bus.subscriber("")
            await until(lambda: bus.broker.subscribers == 1)
            for number in range(300):
                bus.broker.publish(f"topic.{number % 3}", {"n": number})
            frames = await receive(socket, 300)
            assert [frame.header.seq for frame in frames] == list(range(1, 301))
            assert [frame.header.topic_seq for frame in frames[::3]] == list(range(1, 101))
            assert {frame.header.boot_id for frame in frames} == {bus.broker.boot_id}

    asyncio.run(scenario())


def test_a_workers_body_is_forwarded_as_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            socket = bus.subscriber("x.y")
            worker, worker_socket = bus.worker("monitor")
            await until(lambda: bus.broker.subscribers == 0 and "x.y" in bus.broker._subscriptions)
            body = {"text": "grün", "raw": b"\x00\xff", "big": 2**63}
            worker.publish("x.y", body)
            (frame,) = await receive(socket, 1)
            assert frame.body == body
            assert frame.header.source == "monitor"
            worker.close()
            worker_socket.close()

    asyncio.run(scenario())


def test_a_join_is_echoed_whichever_of_hello_and_subscription_comes_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            bus.broker.expect_join("early")
            early = bus.subscriber("join.early")
            assert (await receive(early, 1))[0].body == {"nonce": "early"}
            late = bus.subscriber("join.late")
            await until(lambda: "join.late" in bus.broker._subscriptions)
            bus.broker.expect_join("late")
            assert (await receive(late, 1))[0].body == {"nonce": "late"}

    asyncio.run(scenario())


def test_a_snapshot_holds_what_was_published_before_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            for ok in (True, False, None):
                bus.broker.publish("cluster.health", {"subject": "valkey", "ok": ok, "reason": "r"})
            bus.broker.publish("agent.step", {"ticket": 1, "kind": "thought", "text": "hm"})
            snapshot = bus.broker.snapshot()
            assert snapshot["seq"] == 4
            assert snapshot["state"]["cluster"]["ok"] is None
            assert [tail[0] for tail in snapshot["tails"]] == ["agent.step"]

    asyncio.run(scenario())


def test_a_malformed_body_is_counted_and_forwarded_and_hurts_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            bus.broker.forward("cluster.health", b"\xc1\xc1", "monitor")
            bus.broker.publish("cluster.health", {"subject": 3})
            bus.broker.publish("cluster.health", {"subject": "valkey", "ok": True})
            assert bus.broker.snapshot()["state"]["cluster"]["ok"] is True
            assert bus.broker.memory.rejected == 2

    asyncio.run(scenario())


def test_requests_go_both_ways_with_typed_errors(tmp_path: Path) -> None:
    async def add(args: Mapping[str, object]) -> Body:
        if args.get("a") == "boom":
            raise Conflict("no booms", "add numbers")
        return {"sum": int(str(args["a"])) + 1}

    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            bus.configuration = {"interval_s": 0.5}
            bus.ingest.handle("add", add)
            worker, socket = bus.worker("monitor")
            with pytest.raises(Unavailable):
                await bus.ingest.request("monitor", "look", {}, timeout_s=1)
            worker.beat()
            assert await worker.configured() == {"interval_s": 0.5}
            worker.handle("look", add)
            worker.ready()
            await until(lambda: bus.ready == ["monitor"])
            assert await bus.ingest.request("monitor", "look", {"a": 1}, timeout_s=5) == {"sum": 2}
            assert await worker.request("add", {"a": 41}) == {"sum": 42}
            with pytest.raises(Conflict, match="no booms"):
                await worker.request("add", {"a": "boom"})
            with pytest.raises(UnknownCommand):
                await bus.ingest.request("monitor", "nothing", {}, timeout_s=5)
            worker.close()
            socket.close()

    asyncio.run(scenario())


def test_what_was_asked_of_a_worker_that_ended_fails_at_once_and_one_that_is_silent_in_time(tmp_path: Path) -> None:
    async def never(_args: Mapping[str, object]) -> Body:
        await asyncio.sleep(60)
        return {}

    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            worker, socket = bus.worker("agent")
            worker.handle("think", never)
            worker.beat()
            await until(lambda: bus.ingest.is_connected("agent"))
            with pytest.raises(DeadlineExceeded):
                await bus.ingest.request("agent", "think", {}, timeout_s=0.05)
            request = asyncio.create_task(bus.ingest.request("agent", "think", {}, timeout_s=60))
            await asyncio.sleep(0)
            bus.ingest.gone("agent")
            with pytest.raises(Unavailable, match="ended before it answered"):
                await request
            worker.close()
            socket.close()
            for task in worker._tasks:
                task.cancel()

    asyncio.run(scenario())


def test_garbage_on_the_ingest_line_is_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_bus(tmp_path) as bus:
            socket = bus.context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(bus.endpoint.ingest)
            for parts in ([b"what"], [b"beat", b"\xc1"], [b"frame", b"\xff\xfe", b""], [b""], [b"frame", b"t"]):
                socket.send_multipart(parts)
            await until(lambda: bus.ingest.intake.refusals.total() == 5)
            socket.close()

    asyncio.run(scenario())


def journal_of(directory: Path, max_bytes: int = 1 << 20, errors: list[str] | None = None) -> Journal:
    return Journal(directory, max_bytes=max_bytes, keep_files=3, on_error=(errors if errors is not None else []).append)


def test_the_journal_replays_to_the_state_that_a_client_had(tmp_path: Path) -> None:
    async def scenario() -> Body:
        async with running_bus(tmp_path, journal_of(tmp_path / "j")) as bus:
            for ok in (True, False):
                bus.broker.publish("cluster.health", {"subject": "valkey", "ok": ok, "reason": "r"})
            return bus.broker.snapshot()

    snapshot = asyncio.run(scenario())
    frames = list(read_journal(tmp_path / "j"))
    assert [frame.header.seq for frame in frames] == [1, 2]
    assert frames[-1].body["ok"] == snapshot["state"]["cluster"]["ok"]


def test_the_journal_rotates_by_size_keeps_the_newest_files_and_still_replays_to_the_same_state(tmp_path: Path) -> None:
    async def scenario() -> Body:
        async with running_bus(tmp_path, journal_of(tmp_path / "j", max_bytes=2_000)) as bus:
            bus.broker.memory.state.version = {"operatord": "1", "subject": "valkey"}
            bus.broker.publish("demo.chapter", {"index": 3, "total": 8, "title": "t", "narration": "n"})
            bus.broker.publish("agent.step", {"ticket": 1, "kind": "thought", "text": "hm"})
            for number in range(400):
                bus.broker.publish("x.y", {"n": number})
                if number % 3 == 0:
                    bus.broker.publish("process.a.state", {"name": "a", "state": "ready", "restarts": number})
                if number % 7 == 0:
                    await asyncio.sleep(0)
            return bus.broker.snapshot()

    snapshot = asyncio.run(scenario())
    files = sorted((tmp_path / "j").glob("*.opj"))
    assert len(files) == 3
    numbers = [frame.body["n"] for frame in read_journal(tmp_path / "j") if frame.topic == "x.y"]
    assert numbers[0] > 0
    assert numbers == list(range(numbers[0], 400))
    for path in (tmp_path / "j", *files):
        with Recording.open(path) as recording:
            replay = Replay(recording, paused=True, at_s=recording.duration_s)
            replay.poll(0)
            if path == files[-1] or path == tmp_path / "j":
                assert replay.state.to_wire() == snapshot["state"]
                assert replay.seq == snapshot["seq"]
            assert replay.state.demo is not None
            assert "agent.step" in [frame.topic for frame in replay.tail]
            assert recording.notes() == []


def test_as_long_as_there_are_fewer_files_than_are_kept_none_is_dropped(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    for count in range(1, 6):
        journal.begin([b"journal.checkpoint", b"", b""])
        assert len(list(tmp_path.glob("*.opj"))) == min(count, 3)
    journal.close()


@pytest.mark.parametrize("cut", [1, 3, 9, 20])
def test_a_torn_tail_is_tolerated(tmp_path: Path, cut: int) -> None:
    journal = journal_of(tmp_path)
    for number in range(10):
        journal.append([b"t", pack([1, "b", number, number, 0.0, 0.0, "s"]), pack({"n": number})])
    journal.close()
    (path,) = tmp_path.glob("*.opj")
    os.truncate(path, path.stat().st_size - cut)
    assert [frame.body["n"] for frame in read_frames(path)] == list(range(9))


def test_a_file_that_is_no_journal_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "x.opj"
    path.write_bytes(b"hello")
    with pytest.raises(BadRequest, match="not a journal"):
        list(read_frames(path))
    with pytest.raises(NotFound):
        list(read_frames(tmp_path / "none.opj"))


def test_a_journal_that_cannot_be_written_stops_and_says_so_once(tmp_path: Path) -> None:
    errors: list[str] = []
    directory = tmp_path / "j"
    journal = journal_of(directory, errors=errors)
    directory.rmdir()
    for _ in range(3):
        journal.append([b"t", b"h", b"b"])
        journal.flush()
    assert len(errors) == 1
    assert unpack(pack(errors[0])) == errors[0]
