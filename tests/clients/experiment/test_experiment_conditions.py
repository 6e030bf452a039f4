"""Conditions: what can be said, what it comes to, and what is not known."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clients import bodies

from operator_clients.experiment.conditions import Reading, parse_condition
from operator_clients.experiment.holding import Holding, Watch
from operator_clients.experiment.model import SteadyCondition
from operator_clients.experiment.world import World
from operator_protocol import topics
from operator_protocol.codec import Body
from operator_protocol.frames import Frame, Header
from operator_protocol.models import ClusterHealth, LatencySummary, Node
from operator_protocol.records import to_body
from operator_protocol.state import State


class Time:
    """Ours and the daemon's clock in one."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def frame(topic: str, body: object, at: float) -> Frame:
    plain: Body = body if isinstance(body, dict) else to_body(body)
    return Frame(topic, Header(1, "b", 1, 1, 1000.0 + at, at, "x"), plain)


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def world(clock: Time) -> World:
    world = World(State(), clock)
    sample = bodies.sample(
        1500.0,
        100,
        latency={"READ": LatencySummary(10, p99=3.0), "UPDATE": LatencySummary(10, p99=8.0), "SCAN": LatencySummary(0)},
    )
    nodes = [
        Node("valkey-0", "primary", "shard-0", "a", "up", detail={"p99_ms": 2.5}),
        Node("valkey-1", "replica", "shard-0", "a", "down"),
    ]
    world.see(frame(topics.CLUSTER_HEALTH, ClusterHealth("valkey", False, "one is down", nodes), 100.0))
    world.see(frame(topics.WORKLOAD_SAMPLE, sample, 100.0))
    world.see(frame(topics.VIOLATION_OPENED, bodies.violation(), 100.0))
    world.see(frame("process.valkey-1.state", bodies.process("valkey-1", "failed"), 100.0))
    world.targets = {"target": "valkey-1", "kill": "valkey-1"}
    return world


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("cluster.ok == true", False),
        ("cluster.ok != true", True),
        ("cluster.nodes_up == 1", True),
        ("cluster.nodes == 2", True),
        ("workload.ops_per_sec >= 0.7 * baseline", True),
        ("workload.ops_per_sec >= 0.8 * baseline", False),
        ("0.8 * workload.baseline > workload.ops_per_sec", True),
        ("workload.ops_per_sec >= 80 % * baseline", False),
        ("workload.ops_per_sec > 1_400 ops/s", True),
        ("workload.latency.READ.p99 <= 3 ms", True),
        ("workload.latency.READ.p99 <= 0.002 s", False),
        ("workload.latency.*.p99 == 8", True),
        ("workload.degraded == false", True),
        ("violations == 0", False),
        ("violations.node_down == 1", True),
        ("violations.warning == 0", True),
        ("violations.slot_uncovered == 0", True),
        ("tickets == 0", True),
        ("faults == 0", True),
        ("node.$kill.state == 'down'", True),
        ("node.$target.role == 'primary'", False),
        ("node.valkey-0.detail.p99_ms < 3", True),
        ('process.$kill.state == "failed"', True),
        ("process.valkey-1.restarts < 1", True),
        ("node.valkey-9.state == 'up'", None),
        ("workload.latency.SCAN.p99 < 5 ms", None),
        ("workload.latency.NONE.p99 < 5 ms", None),
        ("cluster.reason > 3", None),
    ],
)
def test_a_condition_holds_or_not_or_is_unknown(world: World, text: str, holds: bool | None) -> None:
    verdict = parse_condition(text).judge(world.read)
    assert verdict.holds is holds
    assert (verdict.why != "") == (holds is None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cluster.ok", "is not a condition like"),
        ("cluster.ok = true", "'= true' is not understood"),
        ("1 < 2", "compares nothing that is measured"),
        ("cluster.ok == up", "a text stands in quotes"),
        ("clutser.ok == true", "there is no quantity 'clutser.ok'"),
        ("workload.ops_per_sc > 3", "did you mean workload.ops_per_sec?"),
        ("workload.latency.p99 > 3", "write it as workload.latency.OPERATION.p99"),
        ("workload.latency.READ.p98 > 3", "did you mean"),
        ("node.valkey-0 == 'up'", "there are state, role"),
        ("process.monitor.status == 'up'", "did you mean process.monitor.state?"),
        ("violations.a.b == 0", "write it as violations.INVARIANT"),
        ("workload.ops_per_sec > 3 ms", "3 ms is compared with what is measured in ops/s"),
        ("workload.latency.READ.p99 > 3 MiB", "3 MiB is compared with what is measured in ms"),
        ("violations > 3 ms", "measured in plain numbers"),
        ("workload.ops_per_sec > 0.9 baseline", "a side is a value, a quantity, or a product"),
        ("1 < cluster.nodes < 7", "is not a condition like"),
        ("", "is not a condition like"),
    ],
)
def test_what_is_not_a_condition_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_condition(text)
    assert told in str(caught.value)


def test_what_was_not_seen_for_a_while_is_unknown(world: World, clock: Time) -> None:
    conditions = {
        "workload.ops_per_sec > 0": "no sample of the load for 4.0 s",
        "cluster.nodes > 0": "",
        "violations >= 0": "",
    }
    clock.now = 104.0
    assert {text: parse_condition(text).judge(world.read).why for text in conditions} == conditions
    clock.now = 106.0
    assert parse_condition("violations >= 0").judge(world.read).why == "no look at the cluster for 6.0 s"


def test_a_source_that_speaks_rarely_is_given_time(world: World, clock: Time) -> None:
    for at in (110.0, 120.0):
        clock.now = at
        world.see(frame(topics.WORKLOAD_SAMPLE, bodies.sample(), at))
    clock.now = 140.0
    assert parse_condition("workload.ops_per_sec > 0").judge(world.read).holds is True
    clock.now = 151.0
    assert parse_condition("workload.ops_per_sec > 0").judge(world.read).holds is None


def test_what_was_seen_before_the_last_change_says_nothing_after_it(world: World, clock: Time) -> None:
    condition = parse_condition("workload.degraded == false")
    world.acted_at = 100.5
    assert condition.judge(world.read) == (None, None, False, "no sample of the load since the last step")
    assert condition.judge(world.read_throughout).holds is True
    clock.now = 101.0
    world.see(frame(topics.WORKLOAD_SAMPLE, bodies.sample(), 101.0))
    assert condition.judge(world.read).holds is True


def test_the_daemons_clock_is_known_by_the_fastest_frame_and_never_goes_back() -> None:
    ours = Time()
    world = World(State(), ours)
    for late_s, expected in ((3.0, 0.0), (1.0, 2.0), (2.0, 2.0)):
        ours.now += 10
        world.see(frame("heartbeat", {}, ours.now - 50 - late_s))
        assert world.now() == pytest.approx(ours.now - 50 - 3 + expected)
    now = world.now()
    world.see(frame("heartbeat", {}, ours.now - 100))
    assert world.now() == now
    ours.now -= 5
    assert world.now() == now


def test_conditions_must_hold_together_and_without_a_break() -> None:
    readings = {"cluster": True, "violations": 0}
    holding = Holding([parse_condition("cluster.ok == true"), parse_condition("violations == 0")], 3.0)

    def check(now: float) -> bool:
        return holding.check(lambda path: Reading(readings[path[0]]), now)

    assert not check(0.0)
    assert not check(2.9)
    readings["violations"] = 1
    assert not check(2.95)
    assert holding.told() == "violations == 0: 1 against 0"
    readings["violations"] = 0
    assert not check(3.0)
    assert not check(5.9)
    assert check(6.0)


def test_a_watched_condition_may_be_broken_for_as_long_as_is_tolerated() -> None:
    value = 5.0
    watch = Watch(SteadyCondition(parse_condition("workload.errors_per_sec <= 10"), during=True, tolerate_s=3.0))

    def check(now: float) -> bool:
        return watch.check(lambda _: Reading(value), now)

    assert check(0.0)
    value = 40.0
    assert check(1.0)
    value = 25.0
    assert check(3.9)
    value = 5.0
    assert check(3.95)
    assert watch.longest_break_s == pytest.approx(2.9)
    assert watch.worst == 40.0
    value = 11.0
    assert check(5.0)
    assert not check(8.0)
    assert watch.told() == "workload.errors_per_sec <= 10: 11 against 10"


def test_a_watched_condition_without_leave_is_broken_at_once() -> None:
    watch = Watch(SteadyCondition(parse_condition("cluster.nodes_down == 0"), during=True))
    assert watch.check(lambda _: Reading(0), time.monotonic())
    assert not watch.check(lambda _: Reading(None, "no look"), time.monotonic())
    assert watch.told() == "cluster.nodes_down == 0: no look"


@given(st.text(alphabet="cluster.okworadn$*<>=!%'\" 019_-msbi", max_size=60))
def test_any_text_is_a_condition_or_told_not_to_be_one(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_condition(text).judge(World(State()).read)
