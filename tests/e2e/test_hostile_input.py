"""A whole daemon under fire, on both sockets, and put to sleep: it answers, it counts, and its workers live on."""

import os
import signal
import time

import psutil
import pytest
import zmq
from tests.fuzz import Fuzzer, fuzz_control, fuzz_ingest, harmless

from operator_protocol.codec import Body, pack
from operator_protocol.errors import OperatorError
from operator_protocol.events import FrameSeen, Resynced
from operator_protocol.requests import Requester

from .real_daemon import RealDaemon, until

MIB = 1 << 20
STRANGERS = (None, b"monitor", b"ycsb", b"agent/0123456789abcdef0123456789abcdef/1", b"fuzz")
WORKERS = ("monitor", "agent", "ycsb")
INT64 = 2**63 - 1
UINT64 = 2**64 - 1
INF, NAN = float("inf"), float("nan")


def counters(daemon: RealDaemon, asker: Requester) -> Body:
    status = asker.command("status")
    return {"rss": psutil.Process(status["pid"]).memory_info().rss, **status["counters"]}


def total(counts: Body) -> int:
    return int(counts["accepted"] + counts["repeated"] + sum(counts["refused"].values()))


def fuzz(daemon: RealDaemon, count: int, seed: int, ends_at: float = float("inf")) -> int:
    """Send up to ``count`` messages, half to each socket, and check that everything adds up; returns how many."""
    fuzzer = Fuzzer(seed)
    workers = {name: daemon.pid(name) for name in WORKERS}
    with Requester(daemon.endpoint, actor="fuzz") as asker:
        begun = before = counters(daemon, asker)
        sent, asked = 0, 0
        while sent < count and time.monotonic() < ends_at:
            half = min(10_000, count - sent) // 2
            fuzz_control(daemon.endpoint, fuzzer, half, harmless)
            for number, stranger in enumerate(STRANGERS):
                fuzz_ingest(daemon.endpoint, fuzzer, half // 5 + (half % 5 if number == 0 else 0), stranger)
            sent += 2 * half
            deadline = time.monotonic() + 30
            while True:
                now = counters(daemon, asker)
                asked += 1
                strangers = now["ingest"]["refused"].get("unknown_peer", 0)
                if strangers - begun["ingest"]["refused"].get("unknown_peer", 0) == sent // 2:
                    break
                assert time.monotonic() < deadline, (now["ingest"], sent)
            # What the daemon's own workers said is counted as well, and all of it was accepted.
            assert set(now["ingest"]["refused"]) == {"unknown_peer"}
            assert total(now["control"]) - total(begun["control"]) == sent // 2 + asked
            if before is begun:
                before = now  # from here on everything is warm
        assert asker.command("ping")["boot_id"]
        assert fuzzer.from_golden >= fuzzer.made / 2
        after = counters(daemon, asker)
        assert after["rss"] - before["rss"] < 80 * MIB
    assert {name: daemon.pid(name) for name in WORKERS} == workers
    return sent


@pytest.mark.parametrize("name", [b"monitor", b"operatord", b"stranger"])
def test_a_stranger_on_the_ingest_line_puts_nothing_on_the_bus(shared_daemon: RealDaemon, name: bytes) -> None:
    before = shared_daemon.pid("monitor")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    stranger.setsockopt(zmq.IDENTITY, name)
    stranger.setsockopt(zmq.LINGER, 0)
    stranger.connect(shared_daemon.endpoint.ingest)
    with shared_daemon.follower() as follower:
        stranger.send_multipart([b"beat", pack({"pid": before})])
        stranger.send_multipart([b"ready", pack({"pid": before})])
        stranger.send_multipart([b"frame", b"the.stranger", pack({"text": "listen to me"})])
        seen: list[str] = []

        def looks() -> int:
            seen.extend(one.frame.topic for one in follower.poll(0.1) if isinstance(one, FrameSeen))
            return seen.count("cluster.health")

        def refused() -> bool:
            looks()
            lines = [frame.body["line"] for frame in follower.tail if frame.topic == "process.operatord.log"]
            return any(line.startswith(f"ingest: refused a message from {name.decode()!r}") for line in lines)

        until(refused, "the stranger to be refused")
        # What the stranger sent last would have come before the second of these.
        enough = looks() + 2
        until(lambda: looks() >= enough, "the monitor to go on")
        assert "the.stranger" not in seen
        # A configuration would have come at the first beat.
        assert not stranger.poll(0)
    context.destroy(linger=0)
    assert shared_daemon.pid("monitor") == before


BAD_ARGUMENTS: list[tuple[str, Body, str]] = [
    ("hello", {"version": "1"}, "bad_request"),
    ("hello", {"version": 2}, "version_mismatch"),
    ("hello", {"version": -INT64}, "version_mismatch"),
    ("hello", {"version": 1, "nonce": 7}, "bad_request"),
    ("hello", {"version": 1, "nonce": "x" * 65}, "bad_request"),
    ("hello", {"version": 1, "nonce": "a\n"}, "bad_request"),
    ("restart", {}, "bad_request"),
    ("restart", {"name": None}, "bad_request"),
    ("restart", {"name": ""}, "not_found"),
    ("restart", {"name": "x" * 100_000}, "not_found"),
    ("stop", {"name": "../../etc"}, "not_found"),
    ("stop", {"name": "forkserver"}, "conflict"),
    ("fault", {"kind": "tickle"}, "not_found"),
    ("fault", {"kind": "x" * 100_000}, "not_found"),
    ("fault", {"kind": 7}, "bad_request"),
    ("fault", {"target": "nobody"}, "not_found"),
    ("fault", {"target": ["valkey-0"]}, "bad_request"),
    ("fault", {"countdown": -1}, "bad_request"),
    ("fault", {"countdown": NAN}, "bad_request"),
    ("fault", {"countdown": INF}, "bad_request"),
    ("fault", {"countdown": UINT64}, "bad_request"),
    ("fault", {"countdown": "3"}, "bad_request"),
    ("fault", {"countdown": 3_601}, "bad_request"),
    ("fault", {"for": "200h"}, "bad_request"),
    ("fault", {"for": 1e300}, "bad_request"),
    ("fault", {"for": "soon"}, "bad_request"),
    ("fault", {"for": NAN}, "bad_request"),
    ("fault", {"for": "9" * 5_000}, "bad_request"),
    ("fault", {"for": {}}, "bad_request"),
    ("fault", {"force": 1}, "bad_request"),
    ("recover", {"id": "nothing"}, "not_found"),
    ("recover", {"id": 7}, "bad_request"),
    ("goto", {"chapter": -1}, "not_found"),
    ("goto", {"chapter": UINT64}, "not_found"),
    ("goto", {"chapter": True}, "bad_request"),
    ("goto", {"chapter": 1.5}, "bad_request"),
    ("goto", {"chapter": "x" * 100_000}, "not_found"),
    ("goto", {}, "bad_request"),
    ("tickets", {"limit": 0}, "bad_request"),
    ("tickets", {"limit": UINT64}, "bad_request"),
    ("tickets", {"status": "asleep"}, "bad_request"),
    ("ticket", {"id": 99}, "not_found"),
    ("ticket", {"id": -INT64}, "not_found"),
    ("ticket", {"id": UINT64}, "not_found"),
    ("ticket", {"id": "7"}, "bad_request"),
    ("diagnose", {"ticket": UINT64}, "not_found"),
    ("diagnose", {"ticket": 99}, "not_found"),
    ("workload", {"action": "dance"}, "bad_request"),
    ("workload", {"action": "rate"}, "bad_request"),
    ("workload", {"action": "start", "rate": 0}, "bad_request"),
    ("workload", {"action": "start", "rate": NAN}, "bad_request"),
    ("workload", {"action": "start", "rate": INF}, "bad_request"),
    ("workload", {"action": "start", "rate": "2000"}, "bad_request"),
    ("workload", {"action": "rate", "rate": 100}, "unavailable"),
]


def test_arguments_that_make_no_sense_are_answered_with_a_short_typed_error(shared_daemon: RealDaemon) -> None:
    wrong = []
    with shared_daemon.follower() as follower:
        for cmd, args, code in BAD_ARGUMENTS:
            try:
                outcome = f"done: {follower.perform(cmd, args, deadline_s=5)}"
            except OperatorError as error:
                outcome = error.code if len(str(error)) < 2_000 else f"{error.code}, {len(str(error))} characters"
            if outcome != code:
                wrong.append((cmd, str(args)[:60], code, outcome[:200]))
    assert not wrong


def test_a_daemon_that_was_stopped_and_continued_is_live_again_and_blames_no_worker(shared_daemon: RealDaemon) -> None:
    workers = {name: shared_daemon.pid(name) for name in WORKERS}
    pid = shared_daemon.status()["pid"]
    with shared_daemon.follower() as follower:
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: follower.poll(0.2) is not None and follower.status == "stale", "the state to be stale")
            assert follower.age_s() >= 3
            # Longer than a worker may be silent.
            ends_at = time.monotonic() + 1
            while time.monotonic() < ends_at:
                follower.poll(0.2)
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: follower.poll(0.2) is not None and follower.status == "live", "the state to be live")
        ends_at = time.monotonic() + 1.5
        while time.monotonic() < ends_at:
            follower.poll(0.2)
    assert {name: shared_daemon.pid(name) for name in WORKERS} == workers


def test_thirty_thousand_fuzzed_messages_add_up_and_the_daemon_goes_on(shared_daemon: RealDaemon) -> None:
    with shared_daemon.follower() as follower:
        assert fuzz(shared_daemon, 30_000, seed=2) == 30_000
        snapshot = follower.command("snapshot")
        while follower.seq < snapshot["seq"]:
            assert not [event for event in follower.poll(1) if isinstance(event, Resynced)]

        def is_well() -> bool:
            follower.poll(0.2)
            return follower.state.cluster is not None and follower.state.cluster.ok is True

        until(is_well, "a look that finds the cluster healthy")
        strangers = follower.command("status")["counters"]["ingest"]["refused"]["unknown_peer"]
        dropped: list[Body] = []

        def told() -> bool:
            frames = [one.frame for one in follower.poll(0.2) if isinstance(one, FrameSeen)]
            dropped.extend(frame.body["dropped"] for frame in frames if frame.topic == "heartbeat")
            return bool(dropped) and dropped[-1]["ingest.unknown_peer"] == strangers

        until(told, "a heartbeat that says so")
        assert dropped[-1]["control.torn"] > 0


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_million_fuzzed_messages_add_up_and_the_daemon_goes_on(shared_daemon: RealDaemon) -> None:
    soak_s = float(os.environ.get("SOAK_S", "600"))
    print(fuzz(shared_daemon, 1_000_000, seed=3, ends_at=time.monotonic() + soak_s), "messages")
