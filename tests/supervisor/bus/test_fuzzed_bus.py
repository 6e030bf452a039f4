"""The bus under fire from peers that it listens to: all of it is counted, and a client follows as if nothing were."""

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest
from tests.bus_daemon import BusDaemon, running_bus
from tests.fuzz import Fuzzer, fuzz_control, fuzz_ingest

from operator_protocol.codec import Body, pack
from operator_protocol.events import Resynced
from operator_protocol.follow import Follower

MIB = 1 << 20
_AT_ONCE = 5_000


@pytest.fixture
def bus() -> Iterator[BusDaemon]:
    with running_bus() as daemon:
        yield daemon


def total(counts: Body) -> int:
    return int(counts["accepted"]) + int(counts["repeated"]) + int(sum(counts["refused"].values()))


class Following(threading.Thread):
    """A client that follows all the while."""

    def __init__(self, bus: BusDaemon) -> None:
        super().__init__(name="following")
        self.follower = Follower(bus.endpoint, actor="following")
        self.follower.join(10)
        self.resyncs: list[str] = []
        self.problem: BaseException | None = None
        self._running = True

    def run(self) -> None:
        try:
            while self._running:
                self.resyncs += [one.reason for one in self.follower.poll(0.05) if isinstance(one, Resynced)]
        except BaseException as error:
            self.problem = error

    def catch_up(self, seq: int) -> None:
        until = time.monotonic() + 30
        while self.follower.seq < seq and self.problem is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        self._running = False
        self.join(10)


def fuzz(bus: BusDaemon, count: int, seed: int, until: float = float("inf")) -> int:
    """Send up to ``count`` messages, half to each socket, and check that everything adds up; returns how many."""
    fuzzer = Fuzzer(seed)
    following = Following(bus)
    following.start()
    begun = before = bus.ask("counters")
    sent, asked = 0, 0
    try:
        while sent < count and time.monotonic() < until:
            half = min(_AT_ONCE, count - sent) // 2
            fuzz_control(bus.endpoint, fuzzer, half)
            fuzz_ingest(bus.endpoint, fuzzer, half, b"fuzz")
            sent += 2 * half
            deadline = time.monotonic() + 30
            while True:
                now = bus.ask("counters")
                asked += 1
                if total(now["ingest"]) - total(begun["ingest"]) == sent // 2:
                    break
                assert time.monotonic() < deadline, (now["ingest"], begun["ingest"], sent)
            assert total(now["control"]) - total(begun["control"]) == sent // 2 + asked
            if before is begun:
                before = now  # from here on everything is warm
        assert bus.ask("ping")["boot_id"] == following.follower.boot_id
        assert fuzzer.from_golden >= fuzzer.made / 2
        snapshot = bus.ask("snapshot")
        following.catch_up(snapshot["seq"])
    finally:
        following.catch_up(0)
    assert following.problem is None, following.problem
    assert following.resyncs == []
    # As bytes, since one that is not a number does not equal itself.
    assert pack(following.follower.state.to_wire()) == pack(snapshot["state"])
    following.follower.close()
    after = bus.ask("counters")
    print(after["ingest"], after["control"], (after["rss"] - before["rss"]) // MIB)
    assert after["rss"] - before["rss"] < 60 * MIB
    assert min(len(after["ingest"]["refused"]), len(after["control"]["refused"])) >= 4
    assert after["rejected"] > 0
    return sent


def test_fifty_thousand_fuzzed_messages_on_each_socket_add_up_and_hurt_nobody(bus: BusDaemon) -> None:
    assert fuzz(bus, 100_000, seed=1) == 100_000


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_million_fuzzed_messages_on_each_socket_add_up_and_hurt_nobody(bus: BusDaemon) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    print(fuzz(bus, 2_000_000, seed, time.monotonic() + float(os.environ.get("SOAK_S", "600"))), "messages")
