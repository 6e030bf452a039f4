"""The client library against a live bus: whatever happens on the way, it shows what the daemon knows, or says so."""

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bus_daemon import PLAIN, STATEFUL, BusDaemon, running_bus, violation
from tests.clients.scripted import ScriptedDaemon
from tests.lossy_line import LossyLine

from operator_protocol.aio import AsyncFollower
from operator_protocol.codec import Body
from operator_protocol.endpoint import runtime_endpoint
from operator_protocol.errors import DaemonUnreachable, DeadlineExceeded, VersionMismatch
from operator_protocol.events import Event, FrameSeen, Joined, Resynced, StatusChanged
from operator_protocol.follow import Follower
from operator_protocol.link import Link
from operator_protocol.requests import Requester

FLOOD = 10_000
"""Frames per second."""
TWO = (STATEFUL[0], PLAIN[1])


def poll_until(follower: Follower, done: Callable[[list[Event]], object], timeout_s: float = 20.0) -> list[Event]:
    """Everything that happened until ``done`` says that it is enough."""
    events: list[Event] = []
    until = time.monotonic() + timeout_s
    while not done(events):
        assert time.monotonic() < until, f"after {timeout_s:g} s: {follower.status}, {events[-5:]}"
        events.extend(follower.poll(0.1))
    return events


def frames(events: list[Event]) -> list[FrameSeen]:
    return [event for event in events if isinstance(event, FrameSeen)]


def resyncs(events: list[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, Resynced)]


def seen(topic: str, value: object) -> Callable[[list[Event]], bool]:
    return lambda events: any(one.frame.topic == topic and one.frame.body.get("n") == value for one in frames(events))


def join_once(bus: BusDaemon, topics: tuple[str, ...]) -> int:
    """Join, follow for some frames, and check that nothing is missing; returns how many frames that were."""
    with bus.follower(*topics) as follower:
        mirror = follower._link.mirror
        events = poll_until(follower, lambda so_far: len(frames(so_far)) >= (40 if not topics else 8))
        assert not resyncs(events)
        assert follower.status == "live"
        followed = [one.frame for one in frames(events)]
        if not topics:
            numbers = [frame.header.seq for frame in followed]
            # Echoes of joins are frames as well, but not for anybody to see.
            assert numbers == sorted(set(numbers))
            assert follower.seq >= numbers[-1]
        for topic in topics or (*STATEFUL, *PLAIN):
            of_topic = [frame.header.topic_seq for frame in followed if frame.topic == topic]
            assert of_topic == list(range(of_topic[0], of_topic[0] + len(of_topic))) if of_topic else True
        # The snapshot and what was applied on top of it: each state frame says which one of its topic it is.
        for topic in STATEFUL:
            known = follower.state.processes.get(topic.split(".")[1])
            if known is not None and (not topics or topic in topics):
                assert known.restarts == mirror._topic_seqs[topic]
        return len(followed)


def test_three_hundred_joins_under_ten_thousand_frames_a_second_lose_nothing(bus: BusDaemon) -> None:
    bus.ask("flood", {"rate": FLOOD})
    for number in range(300):
        assert join_once(bus, TWO if number % 3 == 0 else ())
    bus.ask("flood", {"rate": 0})


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_ten_thousand_joins_under_ten_thousand_frames_a_second_lose_nothing(bus: BusDaemon) -> None:
    until = time.monotonic() + float(os.environ.get("SOAK_S", "600"))
    bus.ask("flood", {"rate": FLOOD})
    joins = 0
    while joins < 10_000 and time.monotonic() < until:
        assert join_once(bus, TWO if joins % 3 == 0 else ())
        joins += 1
    print(f"{joins} joins")
    assert joins


def test_a_lost_frame_is_a_visible_resync_that_brings_what_was_lost(bus: BusDaemon) -> None:
    with LossyLine(bus.endpoint) as line, Follower(line.endpoint) as follower:
        follower.join(10)
        line.lose("violation.opened")
        bus.ask("say", {"topic": "violation.opened", "body": violation(1)})
        line.wait_lost()
        bus.ask("say", {"topic": "x", "body": {"n": 1}})
        events = poll_until(follower, resyncs)
        assert resyncs(events) == ["1 frame lost"]
        assert [event.status for event in events if isinstance(event, StatusChanged)][-2:] == ["joining", "live"]
        assert list(follower.state.violations) == ["v1"]


def test_what_was_lost_last_shows_at_the_next_heartbeat(bus: BusDaemon) -> None:
    with LossyLine(bus.endpoint) as line, Follower(line.endpoint, topics=["violation.opened", "x"]) as follower:
        follower.join(10)
        line.lose("violation.opened")
        bus.ask("say", {"topic": "violation.opened", "body": violation(1)})
        events = poll_until(follower, resyncs)
        assert resyncs(events) == ["frames of violation.opened lost"]
        assert list(follower.state.violations) == ["v1"]


def test_a_subscriber_of_two_topics_notices_a_gap_in_each_of_them_and_none_in_the_others(bus: BusDaemon) -> None:
    with LossyLine(bus.endpoint) as line, Follower(line.endpoint, topics=["a.x", "b.y"]) as follower:
        follower.join(10)
        for number in range(5):
            bus.ask("say", {"topic": "c.z", "body": {"n": number}})
        bus.ask("say", {"topic": "a.x", "body": {"n": 1}})
        assert not resyncs(poll_until(follower, seen("a.x", 1)))
        for topic in ("a.x", "b.y"):
            line.lose(topic)
            bus.ask("say", {"topic": topic, "body": {"n": 2}})
            bus.ask("say", {"topic": topic, "body": {"n": 3}})
            # One frame comes after the lost one, unless the heartbeat is quicker to tell.
            (reason,) = resyncs(poll_until(follower, resyncs))
            assert reason in ("1 frame lost", f"frames of {topic} lost")
        assert follower.status == "live"


def test_a_body_that_cannot_be_read_is_no_gap(bus: BusDaemon) -> None:
    with bus.follower() as follower:
        bus.ask("say", {"topic": "cluster.health", "body": {"ok": "perhaps"}})
        bus.ask("say", {"topic": "x", "body": {"n": 1}})
        assert not resyncs(poll_until(follower, seen("x", 1)))
        assert follower.state.cluster is None


def test_a_daemon_that_was_killed_and_started_again_is_joined_again(bus: BusDaemon) -> None:
    with bus.follower() as follower:
        bus.ask("say", {"topic": "violation.opened", "body": violation(1)})
        poll_until(follower, lambda _: follower.state.violations)
        before = follower.boot_id
        bus.kill()
        bus.start()
        events = poll_until(follower, resyncs)
        assert resyncs(events) == ["the daemon restarted"]
        assert follower.boot_id not in (None, before)
        assert follower.state.violations == {}
        bus.ask("say", {"topic": "x", "body": {"n": 1}})
        poll_until(follower, seen("x", 1))


def test_a_client_that_had_fallen_behind_when_the_daemon_was_killed_resyncs_once(bus: BusDaemon) -> None:
    with bus.follower() as follower:
        bus.ask("burst", {"count": 15_000})
        bus.kill()
        bus.start()
        bus.ask("say", {"topic": "x", "body": {"n": 1}})
        events = poll_until(follower, resyncs)
        bus.ask("say", {"topic": "x", "body": {"n": 2}})
        events += poll_until(follower, seen("x", 2))
        assert resyncs(events) == ["the daemon restarted"]


def test_clients_that_were_there_before_the_daemon_join_as_soon_as_it_is() -> None:
    with running_bus() as bus:
        bus.kill()
        with Follower(bus.endpoint) as whole, Follower(bus.endpoint, topics=TWO) as filtered:
            for follower in (whole, filtered):
                with pytest.raises(DaemonUnreachable):
                    follower.join(0.3)
                assert follower.status == "joining"
            bus.start()
            for follower in (whole, filtered):
                poll_until(follower, lambda so_far: Joined in map(type, so_far))
                assert follower.status == "live"


def test_a_silent_daemon_makes_the_state_stale_and_live_again_when_it_speaks(bus: BusDaemon) -> None:
    with bus.follower() as follower:
        bus.signal(signal.SIGSTOP)
        events = poll_until(follower, lambda _: follower.status == "stale")
        assert follower.age_s() >= 3
        bus.signal(signal.SIGCONT)
        events = poll_until(follower, lambda _: follower.status == "live")
        (reason,) = resyncs(events)
        # Rounded, and looked at when there is time to.
        assert re.fullmatch(r"silent for \d+ s", reason)


def test_questions_to_a_daemon_that_is_not_there_do_not_pile_up(tmp_path: Path) -> None:
    link = Link(runtime_endpoint(tmp_path), topics=None, actor="test")
    try:
        for retry in range(1, 200):
            link.mirror.tick(time.monotonic() + 10 * retry)
            link.pump()
        assert link._outbox == []
        assert link.wants_to_send()
    finally:
        link.close()


def test_a_daemon_that_stood_still_when_a_client_came_is_waited_for(bus: BusDaemon) -> None:
    bus.signal(signal.SIGSTOP)
    woken = threading.Timer(2.0, bus.signal, [signal.SIGCONT])
    woken.start()
    with Requester(bus.endpoint) as requester:
        assert requester.command("ping", deadline_s=30)["boot_id"]
    woken.join()


def test_a_daemon_that_is_there_but_does_not_answer_is_slow_and_not_missing(bus: BusDaemon) -> None:
    with Requester(bus.endpoint) as known:
        known.command("ping")
        bus.signal(signal.SIGSTOP)
        with pytest.raises(DeadlineExceeded, match=r"did not answer ping within 0\.2 s") as slow:
            known.command("ping", deadline_s=0.2)
        with Requester(bus.endpoint) as late, pytest.raises(DeadlineExceeded, match="did not answer"):
            late.command("ping", deadline_s=0.2)
        assert slow.value.retryable
        bus.signal(signal.SIGCONT)
        assert known.command("ping")["boot_id"]
        bus.kill()
        with pytest.raises(DaemonUnreachable):
            known.command("ping")


def test_a_daemon_of_another_version_is_told_apart_from_none() -> None:
    def refuse(_: Body) -> Body:
        raise VersionMismatch("this daemon speaks protocol version 2, the client 1", "install version 2")

    with running_bus() as bus:
        bus.kill()
        with ScriptedDaemon(bus.directory) as daemon:
            daemon.on("hello", refuse)
            with Follower(bus.endpoint) as follower, pytest.raises(VersionMismatch, match="version 2"):
                follower.join(10)

            async def scenario() -> None:
                async with AsyncFollower(bus.endpoint) as follower:
                    with pytest.raises(VersionMismatch, match="version 2"):
                        await follower.join(10)

            asyncio.run(scenario())


def test_the_asyncio_client_joins_performs_and_tells_of_frames_gaps_and_restarts(bus: BusDaemon) -> None:
    async def scenario(line: LossyLine) -> None:
        async with AsyncFollower(line.endpoint) as follower, asyncio.timeout(30):
            await follower.join(10)
            boot_id = follower.boot_id
            assert (await follower.perform("long_work", {"target": "a"}))["executed"] == 1
            line.lose("violation.opened")
            await follower.perform("say", {"topic": "violation.opened", "body": violation(1)})
            await follower.perform("say", {"topic": "x", "body": {"n": 1}})
            reasons: list[str] = []
            async for event in follower.events():
                if isinstance(event, Resynced):
                    reasons.append(event.reason)
                    if len(reasons) == 2:
                        break
                    assert list(follower.state.violations) == ["v1"]
                    bus.kill()
                    await asyncio.to_thread(bus.start)
            assert reasons == ["1 frame lost", "the daemon restarted"]
            assert follower.boot_id not in (None, boot_id)
            assert follower.state.violations == {}
            await follower.perform("say", {"topic": "x", "body": {"n": 2}})
            async for event in follower.events():
                if isinstance(event, FrameSeen) and event.frame.body == {"n": 2}:
                    break

    with LossyLine(bus.endpoint) as line:
        asyncio.run(scenario(line))


def test_the_asyncio_client_goes_stale_and_comes_back(bus: BusDaemon) -> None:
    async def scenario() -> None:
        async with AsyncFollower(bus.endpoint) as follower, asyncio.timeout(30):
            await follower.join(10)
            bus.signal(signal.SIGSTOP)
            statuses = []
            async for event in follower.events():
                if isinstance(event, StatusChanged):
                    statuses.append(event.status)
                    if event.status == "stale":
                        bus.signal(signal.SIGCONT)
                    if event.status == "live" and len(statuses) > 1:
                        break
            # Late with the signal to go on, it is lost meanwhile.
            assert [one for one in statuses if one != "lost"] == ["live", "stale", "live"]

    asyncio.run(scenario())
