"""What TiKV is for here: broken in every way, seen, explained and repaired, on containers of a real engine.

One cluster for as much of it as one daemon permits; ``test_tikv_daemon`` and the soak have the rest.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.e2e.real_daemon import until
from tests.e2e.tikv.tikv_daemon import SETTLED_S, TiKVDaemon, leaving_nothing, settle, summary_of
from tests.standins.engine import Engine

from operator_protocol.events import FrameSeen
from operator_protocol.follow import Follower
from operator_protocol.models import ClusterEvent
from operator_protocol.records import from_body
from operator_protocol.state import State
from operator_protocol.topics import CLUSTER_EVENT, process_log
from operatord.faults.undo_journal import read_owed
from operatord.subjects.tikv import project as projects


@pytest.fixture
def stopped(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    yield daemon
    daemon.end()


@pytest.fixture(scope="module")
def kept(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    """One cluster, which outlives its first daemon."""
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    try:
        with leaving_nothing(daemon):
            daemon.start_tikv("--keep-cluster")
            yield daemon
            daemon.stop()
            daemon.operatord("stop", "--servers")
    finally:
        daemon.end()


@pytest.fixture
def well(kept: TiKVDaemon) -> TiKVDaemon:
    return settle(kept)


def wait_for(follower: Follower, condition: Callable[[State], bool], what: str) -> None:
    """Follow until it holds."""
    deadline = time.monotonic() + SETTLED_S
    while not condition(follower.state):
        assert time.monotonic() < deadline, f"waited {SETTLED_S:g} s for {what}"
        follower.poll(0.2)


def is_well(state: State) -> bool:
    return state.cluster is not None and state.cluster.ok is True and not (state.violations or state.faults)


def until_led_again(follower: Follower, began_at: float) -> None:
    """Follow until the log of a store told that a region has a leader since then."""
    deadline = time.monotonic() + SETTLED_S
    told = list[ClusterEvent]()
    while not any(one.kind == "leader" and one.at >= began_at for one in told):
        assert time.monotonic() < deadline, f"the logs told {told}"
        frames = [event.frame for event in follower.poll(0.2) if isinstance(event, FrameSeen)]
        told += [from_body(ClusterEvent, frame.body) for frame in frames if frame.topic == CLUSTER_EVENT]


def is_explained(state: State, target: str) -> bool:
    """There is a ticket whose diagnosis names the target."""
    found = [one.diagnosis for one in state.tickets.values() if one.diagnosis is not None]
    return any(diagnosis.component == target for diagnosis in found)


def test_the_whole_story_walks_by_itself_and_leaves_nothing_on_the_engine(stopped: TiKVDaemon) -> None:
    with leaving_nothing(stopped):
        summary = summary_of(stopped.tell_story())
    assert (summary["ok"], summary["subject"], summary["role"]) == (True, "tikv", "tikv")
    assert summary["fault"] == "kill"
    assert summary["diagnosis"]["component"] == summary["target"]
    assert summary["degraded_seen"] is True
    assert (summary["zombies"], summary["orphans"], summary["faults_owed"]) == (0, 0, 0)
    assert read_owed(stopped.state_dir / "undo.journal") == []
    assert not (stopped.state_dir / projects.DIRECTORY / projects.FILE).exists()


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["partition", "pause", "grpc-pause", "evict-leader"])
def test_the_whole_story_is_told_with_another_fault(stopped: TiKVDaemon, kind: str) -> None:
    with leaving_nothing(stopped):
        summary = summary_of(stopped.tell_story("--fault", kind))
    assert (summary["ok"], summary["fault"], summary["role"]) == (True, kind, "tikv")
    assert summary["diagnosis"]["component"] == summary["target"]
    assert summary["degraded_expected"] is (kind != "evict-leader")
    assert (summary["zombies"], summary["orphans"], summary["faults_owed"]) == (0, 0, 0)
    assert read_owed(stopped.state_dir / "undo.journal") == []


def test_every_way_to_break_a_store_is_seen_ticketed_explained_and_repaired(well: TiKVDaemon) -> None:
    with well.follower() as follower:
        for kind, target in (
            ("partition", "tikv0"),
            ("pause", "tikv1"),
            ("grpc-pause", "tikv2"),
            ("evict-leader", "tikv0"),
        ):
            follower.perform("fault", {"kind": kind, "target": target, "countdown": 0})
            wait_for(follower, partial(is_explained, target=target), f"{kind} to be explained")
            violated = {one.node for one in follower.state.violations.values()}
            assert target in violated, f"{kind}: {follower.state.violations}"
            follower.perform("recover")
            wait_for(follower, is_well, f"a cluster that is well after {kind}")
            wait_for(follower, lambda state: not state.tickets, f"the tickets of {kind} to be resolved")


def test_a_killed_store_is_down_while_pd_still_takes_it_for_up(well: TiKVDaemon) -> None:
    began_at = time.time()
    with well.follower() as follower:
        follower.perform("fault", {"kind": "kill", "target": "tikv1", "countdown": 0})

        def is_down_but_for_pd(state: State) -> bool:
            node = state.nodes["tikv1"]
            return (node.state, node.signals["container"], node.signals["cluster"]) == ("down", "down", "up")

        wait_for(follower, is_down_but_for_pd, "tikv1 to be down while PD takes it for up")
        follower.perform("recover")
        # Of the other stores, or of this one when it came back before they missed it.
        until_led_again(follower, began_at)


def test_what_a_container_prints_is_on_the_bus_before_and_after_its_restart(well: TiKVDaemon) -> None:
    lines = list[str]()

    def over(follower: Follower) -> bool:
        look(follower)
        return not follower.state.faults

    def look(follower: Follower) -> None:
        frames = [event.frame for event in follower.poll(0.2) if isinstance(event, FrameSeen)]
        lines.extend(str(frame.body["line"]) for frame in frames if frame.topic == process_log("tikv2"))

    def printed(follower: Follower, text: str, after: int = 0) -> int:
        """Where the first such line is."""
        deadline = time.monotonic() + SETTLED_S
        while True:
            for number, line in enumerate(lines[after:], after):
                if text in line:
                    return number
            assert time.monotonic() < deadline, f"tikv2 printed {lines}, and after line {after} no {text!r}"
            look(follower)

    with well.follower() as follower:
        follower.perform("fault", {"kind": "restart", "target": "tikv2", "countdown": 0})
        served = printed(follower, "ready to serve")
        # Only a store that leads something can tell that it does not any more.
        led = printed(follower, "became leader", served)
        until(partial(over, follower), "the restart to be over", SETTLED_S)
        follower.perform("fault", {"kind": "evict-leader", "target": "tikv2", "countdown": 0})
        printed(follower, "became follower", led)


def test_two_of_three_pds_lost_is_unknown_and_closes_nothing_else(well: TiKVDaemon) -> None:
    def violated(state: State) -> set[str]:
        return {f"{one.invariant} {one.node}" for one in state.violations.values()}

    with well.follower() as follower:
        follower.perform("fault", {"kind": "evict-leader", "target": "tikv1", "countdown": 0})
        wait_for(follower, lambda state: "leaders_evicted tikv1" in violated(state), "the violation")
        for name in projects.PDS[:2]:
            follower.perform("fault", {"kind": "stop", "target": name, "countdown": 0, "force": True})
        wait_for(follower, lambda state: "no_pd_leader None" in violated(state), "no PD leader")
        cluster = follower.state.cluster
        assert cluster is not None
        assert cluster.ok is None
        assert "no PD leader" in cluster.reason
        assert "leaders_evicted tikv1" in violated(follower.state)
        wait_for(
            follower, lambda state: "no_pd_leader" in {one.invariant for one in state.tickets.values()}, "a ticket"
        )
        follower.perform("recover")
        wait_for(follower, is_well, "a cluster that is well")
        wait_for(follower, lambda state: not state.tickets, "every ticket to be resolved")


def test_what_a_killed_daemon_owes_is_taken_back_by_the_next(well: TiKVDaemon) -> None:
    network = well.network_of("tikv1")
    ids = {node: well.container(node)["Id"] for node in projects.NODES}
    well.inject("partition", "tikv1")
    well.inject("evict-leader", "tikv2", "--force")
    keeper, daemon = well.keeper, int(well.status()["pid"])
    # Both: nobody is left who could take it back before the next start.
    os.kill(keeper, signal.SIGSTOP)
    os.kill(daemon, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{keeper}").exists(), "the keeper to end")
    well.wait_gone()
    assert {fault.fault.kind for fault in read_owed(well.state_dir / "undo.journal")} == {"partition", "evict-leader"}
    well.start_tikv("--keep-cluster")
    assert well.network_of("tikv1") == network
    assert "evict-leader-scheduler" not in well.evicting()
    assert {node: well.container(node)["Id"] for node in projects.NODES} == ids
    assert well.status()["faults"] == []
    assert read_owed(well.state_dir / "undo.journal") == []
