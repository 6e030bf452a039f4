"""What a stage makes of frames that come late, and of a daemon that says nothing for a while."""

import io
import itertools
import time
from types import SimpleNamespace
from typing import cast

import pytest
from tests.clients import bodies
from tests.clients.experiment.test_experiment_conditions import Time

from operator_clients.ctl.feed import Feed
from operator_clients.experiment.conditions import parse_condition
from operator_clients.experiment.holding import Watch
from operator_clients.experiment.live import Live
from operator_clients.experiment.model import SteadyCondition
from operator_clients.experiment.outcome import Stop
from operator_clients.experiment.stage import Interrupts, Stage
from operator_clients.experiment.world import World
from operator_protocol import topics
from operator_protocol.frames import Frame, Header
from operator_protocol.records import to_body
from operator_protocol.state import State

ELSEWHERE_S = 5000.0
"""The daemon is on another host, whose clock is behind ours by this."""


class Bus:
    """A feed of what was said; ``clock`` is ours."""

    def __init__(self) -> None:
        self.clock = Time()
        self.clock.now = 10_000.0
        self.follower = SimpleNamespace(state=State())
        self.gaps: list[str] = []
        self.waiting: list[Frame] = []
        self.silent_polls = 0
        self.sleeps_s = 0.0
        self._seq = itertools.count(1)

    def say(self, topic: str, *, ops_per_sec: float = 2000.0) -> None:
        body = to_body(bodies.sample(ops_per_sec, 100)) if topic == topics.WORKLOAD_SAMPLE else {}
        at = self.clock.now - ELSEWHERE_S
        self.waiting.append(Frame(topic, Header(1, "b", next(self._seq), 1, at, at, "x"), body))

    def poll(self, _timeout_s: float) -> list[Frame]:
        if self.silent_polls:
            self.silent_polls -= 1
            time.sleep(self.sleeps_s)
            return []
        taken, self.waiting = self.waiting, []
        return taken

    def take_outcomes(self) -> dict[str, object]:
        return {}


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def stage(bus: Bus) -> Stage:
    made = Stage(cast("Feed", bus), Live(io.StringIO(), quiet=True), Interrupts())
    made.world = World(State(), bus.clock)
    made.watches = [Watch(SteadyCondition(parse_condition("workload.ops_per_sec > 1000"), during=True))]
    return made


def go_on(bus: Bus, stage: Stage, seconds: int, *, load: bool = True, heard: bool = True) -> None:
    """A heartbeat each second, and a sample while the load runs; ``heard`` as they come, or all of them at the end."""
    for _ in range(seconds):
        bus.clock.now += 1.0
        bus.say(topics.HEARTBEAT)
        if load:
            bus.say(topics.WORKLOAD_SAMPLE)
        if heard:
            stage.pump(0)
    stage.pump(0)


@pytest.fixture
def running(bus: Bus, stage: Stage) -> Stage:
    bus.say(topics.WORKLOAD_SAMPLE)
    go_on(bus, stage, 3)
    return stage


def unbroken(stage: Stage) -> bool:
    return stage.watches[0].longest_break_s == 0.0


def test_a_stall_of_ours_breaks_nothing_that_is_watched(bus: Bus, running: Stage) -> None:
    go_on(bus, running, 30, heard=False)
    assert unbroken(running)


def test_what_is_read_in_parts_after_a_stall_of_ours_breaks_nothing(bus: Bus, running: Stage) -> None:
    for _ in range(10):
        bus.clock.now += 1.0
        bus.say(topics.HEARTBEAT)
        bus.say(topics.WORKLOAD_SAMPLE)
    late, bus.waiting = bus.waiting, []
    for frame in late:
        bus.waiting = [frame]
        running.pump(0)
    running.pump(0)
    assert unbroken(running)


def test_a_load_that_ended_during_a_stall_of_ours_is_found_broken(bus: Bus, running: Stage) -> None:
    with pytest.raises(Stop, match="no sample of the load"):
        go_on(bus, running, 5, load=False, heard=False)


def test_what_was_low_for_a_moment_during_a_stall_of_ours_is_found_broken(bus: Bus, running: Stage) -> None:
    bus.clock.now += 1.0
    bus.say(topics.WORKLOAD_SAMPLE, ops_per_sec=10.0)
    with pytest.raises(Stop, match="10 against 1,000"):
        go_on(bus, running, 5, heard=False)


def test_a_load_that_ended_is_found_broken_while_the_daemon_speaks(bus: Bus, running: Stage) -> None:
    go_on(bus, running, 3, load=False)
    with pytest.raises(Stop, match="no sample of the load for 4"):
        go_on(bus, running, 1, load=False)


def test_a_daemon_that_was_silent_is_given_time_for_its_next_sample(bus: Bus, running: Stage) -> None:
    for _ in range(20):
        bus.clock.now += 0.25
        running.pump(0)
    bus.say(topics.HEARTBEAT)
    go_on(bus, running, 2, load=False)
    go_on(bus, running, 3)
    assert unbroken(running)


def test_a_load_that_did_not_come_back_with_its_daemon_is_found_broken(bus: Bus, running: Stage) -> None:
    bus.clock.now += 5.0
    running.pump(0)
    bus.say(topics.HEARTBEAT)
    go_on(bus, running, 3, load=False)
    with pytest.raises(Stop, match="no sample of the load"):
        go_on(bus, running, 1, load=False)


def test_a_daemon_that_falters_again_and_again_does_not_hide_that_its_load_has_ended(bus: Bus, running: Stage) -> None:
    def falter() -> None:
        bus.clock.now += 2.5
        bus.say(topics.HEARTBEAT)
        running.pump(0)

    falter()
    falter()  # this silence excuses it
    with pytest.raises(Stop, match="no sample of the load"):
        falter()


def test_the_times_of_a_run_are_those_of_the_daemon_however_late_its_first_frame_comes(bus: Bus, stage: Stage) -> None:
    stage.watches = []
    bus.silent_polls, bus.sleeps_s = 3, 0.2
    bus.say(topics.HEARTBEAT)
    stage.start()
    assert stage.began == bus.clock.now - ELSEWHERE_S
