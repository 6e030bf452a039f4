"""Many subscribers, and those that do not read: they cost a bounded amount of memory, and nobody else a frame."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq
from tests.bus_daemon import PLAIN, ROOT, STATEFUL, BusDaemon, running_bus

from operator_protocol.codec import unpack
from operator_protocol.events import Event, FrameSeen, Resynced
from operator_protocol.follow import Follower
from operator_protocol.requests import encode_command

Socket = zmq.Socket[bytes]
MIB = 1 << 20


@pytest.fixture
def bus() -> Iterator[BusDaemon]:
    with running_bus() as daemon:
        yield daemon


@contextmanager
def sockets(kind: int, address: str, count: int, hwm: int = 100_000) -> Iterator[list[Socket]]:
    context: zmq.Context[Socket] = zmq.Context()
    made = []
    for _ in range(count):
        socket = context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, hwm)
        socket.connect(address)
        made.append(socket)
    yield made
    context.destroy(linger=0)


def rss(bus: BusDaemon) -> int:
    return int(bus.ask("counters")["rss"])


def wait_subscribers(bus: BusDaemon, count: int) -> None:
    until = time.monotonic() + 20
    while bus.ask("counters")["subscribers"] < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_two_hundred_subscribers_lose_nothing(bus: BusDaemon) -> None:
    with sockets(zmq.SUB, bus.endpoint.frames, 200) as subscribers:
        for subscriber in subscribers:
            subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        wait_subscribers(bus, 200)
        with bus.follower() as follower:
            follower.perform("burst", {"count": 300})
        received: dict[Socket, list[int]] = {subscriber: [] for subscriber in subscribers}
        for subscriber, numbers in received.items():
            done = 0
            while done < 300:
                assert subscriber.poll(10_000)
                topic, header, _ = subscriber.recv_multipart()
                numbers.append(unpack(header)[2])
                done += topic.decode() in (*PLAIN, *STATEFUL)
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_subscriber_that_never_reads_loses_frames_and_costs_bounded_memory(bus: BusDaemon) -> None:
    with sockets(zmq.SUB, bus.endpoint.frames, 3, hwm=10) as never_read, bus.follower() as follower:
        for subscriber in never_read:
            subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        wait_subscribers(bus, 4)
        before = rss(bus)
        for _ in range(3):
            assert not burst(follower, 15_000, size=1_000)
        # 20,000 frames of 1 kB are queued for the three of them, which share what they are given.
        assert rss(bus) - before < 150 * MIB
        assert follower.status == "live"


def test_a_client_that_asks_and_never_reads_holds_nobody_up_and_costs_bounded_memory(bus: BusDaemon) -> None:
    for number in range(100):
        bus.ask("say", {"topic": "agent.step", "body": {"ticket": number, "kind": "thought", "text": "." * 1_000}})
    asked = 2_000
    with sockets(zmq.DEALER, bus.endpoint.control, 1, hwm=10) as (never_reads,):
        never_reads.setsockopt(zmq.SNDHWM, 0)
        before = rss(bus)
        for number in range(asked):
            data = encode_command("snapshot", {}, command_id=f"no {number}", deadline_s=10, actor="greedy")
            never_reads.send_multipart([b"", data])
        until = time.monotonic() + 30
        while bus.ask("counters")["control"]["accepted"] < asked + 100:
            assert time.monotonic() < until
        # Each snapshot is over 100 kB.
        assert rss(bus) - before < 100 * MIB
    assert bus.ask("ping")["boot_id"]


def test_a_peer_that_sends_on_the_frames_socket_hurts_nobody(bus: BusDaemon) -> None:
    with sockets(zmq.XSUB, bus.endpoint.frames, 1) as (peer,), bus.follower() as follower:
        before = bus.ask("counters")["subscribers"]
        for message in (b"", b"\x07", b"\x02heartbeat", b"\x01\xff\xfe", b"\x00heartbeat", os.urandom(5_000)):
            peer.send(message)
        peer.send(b"\x01x")
        # When its subscription is in force is not told to it.
        deadline = time.monotonic() + 30.0
        while not peer.poll(200):
            assert time.monotonic() < deadline
            bus.ask("say", {"topic": "x", "body": {"n": 1}})
        events: list[Event] = []
        while not any(isinstance(event, FrameSeen) and event.frame.topic == "x" for event in events):
            events += follower.poll(1)
        assert not [event for event in events if isinstance(event, Resynced)]
        assert bus.ask("counters")["subscribers"] <= before


def test_a_stopped_subscriber_loses_frames_knows_it_and_resyncs_and_the_others_lose_nothing(bus: BusDaemon) -> None:
    command = [sys.executable, "-m", "tests.supervisor.bus.following_process", str(bus.directory)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "joined" in process.stdout.readline()
        with bus.follower() as other:
            process.send_signal(signal.SIGSTOP)
            assert not burst(other, 40_000)
            assert not burst(other, 40_000)
            process.send_signal(signal.SIGCONT)
            resynced = json.loads(process.stdout.readline())
            # It slept for so long that it may notice its own silence first.
            assert "lost" in resynced["resynced"] or "silent" in resynced["resynced"], resynced
            assert not burst(other, 1_000)
            bus.ask("say", {"topic": "the.end", "body": {}})
            told = [json.loads(line) for line in process.stdout]
            assert told[-1]["status"] == "live"
            assert told[-1]["processes"] == {name: one.restarts for name, one in other.state.processes.items()}
            assert sum(told[-1]["processes"].values()) == 81_000 // 16 + 1
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def burst(follower: Follower, count: int, size: int = 0) -> list[Resynced]:
    """Have that many frames published, at a pace that anybody can follow who is not stopped, and say what was lost."""
    command_id = follower.send("burst", {"count": count, "size": size, "rate": 25_000})
    events: list[Event] = []
    while not any(getattr(event, "id", "") == command_id for event in events):
        events += follower.poll(1)
    return [event for event in events if isinstance(event, Resynced)]


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_crowd_of_two_hundred_at_a_thousand_frames_a_second_loses_nothing_and_memory_stays_flat(
    bus: BusDaemon,
) -> None:
    soak_s = float(os.environ.get("SOAK_S", "600"))
    command = [sys.executable, "-m", "tests.supervisor.bus.reading_process", str(bus.directory), "100"]
    readers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        wait_subscribers(bus, 200)
        bus.ask("flood", {"rate": 1_000})
        time.sleep(min(30.0, soak_s / 4))
        warm = rss(bus)
        time.sleep(soak_s)
        grown = rss(bus) - warm
        bus.ask("flood", {"rate": 0})
        bus.ask("say", {"topic": "the.end", "body": {}})
        told = [json.loads(reader.communicate(timeout=120)[0]) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    print(f"{told}, {grown / MIB:.1f} MiB more")
    assert [one["lost"] for one in told] == [0, 0]
    assert min(one["received"] for one in told) > soak_s * 700
    assert grown < 20 * MIB
