"""What the host tells of a server, and what is made of it: real processes, real cgroups where they can be made."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.supervisor.workers.agent_cases import server

from operator_protocol.models import Node, Scalar
from operatord.procfs import ProcessId, read_stat
from operatord.subjects.base import Observation
from operatord.subjects.valkey import invariants
from operatord.subjects.valkey.handover import TOLD_S, Handovers
from operatord.subjects.valkey.host import HostTrack, started_ago_s
from operatord.subjects.valkey.settings import Settings


def identify(pid: int) -> ProcessId:
    stat = read_stat(pid)
    assert stat is not None
    return stat.id


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[int]:
    """A process that computes all the time, with a directory of its own."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], cwd=tmp_path) as process:
        yield process.pid
        process.kill()


def test_a_busy_process_is_seen_to_run_and_its_directory_to_grow(busy: int, tmp_path: Path) -> None:
    track = HostTrack()
    track.meet(identify(busy))
    track.look(time.monotonic())
    (tmp_path / "dump").write_bytes(b"x" * 1_000_000)
    ends = time.monotonic() + 20
    while True:
        time.sleep(0.3)
        seen = track.look(time.monotonic())
        assert seen.cpu_share is not None
        assert seen.cpu_wait_share is not None
        if seen.cpu_share + seen.cpu_wait_share > 0.5:
            break
        assert time.monotonic() < ends, "it neither runs nor waits to"
    assert seen.disk_used is not None
    assert seen.disk_used >= 1_000_000
    assert seen.disk_free_share is not None
    assert "cpu_share" in seen.detail()
    assert all("/" not in str(value) for value in seen.detail().values()), "no name of a group or a file"


def test_stops_are_counted_over_glances_and_only_after_enough_of_them(busy: int) -> None:
    track = HostTrack()
    track.meet(identify(busy))
    for number in range(20):
        os.kill(busy, signal.SIGSTOP if number % 2 else signal.SIGCONT)
        wanted = "T" if number % 2 else "RS"
        while (stat := read_stat(busy)) is not None and stat.state not in wanted:
            time.sleep(0.001)
        track.glance()
        if number == 3:
            assert track.look(time.monotonic()).stopped_share is None
    assert track.look(time.monotonic()).stopped_share == 0.5
    os.kill(busy, signal.SIGCONT)


def test_of_a_process_that_has_ended_and_of_none_nothing_is_told(busy: int) -> None:
    track = HostTrack()
    assert track.look(0.0).detail() == {}
    track.meet(ProcessId(busy, 1))  # another one had that pid
    assert set(track.look(0.0).detail()) <= {"oom_kills"}


def test_the_age_of_a_process_is_that_of_its_start(busy: int) -> None:
    age_s = started_ago_s(identify(busy))
    assert age_s is not None
    assert 0 <= age_s < 60


def shard(primary: str, **signals: str) -> list[Node]:
    """Two nodes, of which ``primary`` leads; ``valkey_0="down"`` is what the others say of it."""
    nodes = []
    for number in (0, 3):
        node = server(number)
        said = {**node.signals, **({"cluster": signals[f"valkey_{number}"]} if f"valkey_{number}" in signals else {})}
        nodes.append(replace(node, leader=node.id == primary, signals=said))  # type: ignore[arg-type]  # see base
    return nodes


def told(nodes: list[Node]) -> dict[str, Scalar]:
    return {node.id: node.detail.get("handed_over_to") for node in nodes if node.detail.get("handed_over_to")}


def test_a_primary_that_steps_down_in_good_order_tells_of_it_for_a_while() -> None:
    handovers = Handovers()
    handovers.look(shard("valkey-0"), 0.0)
    assert told(handovers.look(shard("valkey-3"), 20.0)) == {"valkey-0": "valkey-3"}
    assert told(handovers.look(shard("valkey-3"), 20.0 + TOLD_S)) == {"valkey-0": "valkey-3"}
    assert told(handovers.look(shard("valkey-3"), 20.5 + TOLD_S)) == {}


def test_one_that_was_replaced_because_it_was_held_for_failed_did_not_hand_over() -> None:
    handovers = Handovers()
    handovers.look(shard("valkey-0"), 0.0)
    handovers.look(shard("valkey-0", valkey_0="down"), 19.0)
    assert told(handovers.look(shard("valkey-3"), 20.0)) == {}
    assert told(handovers.look(shard("valkey-3"), 25.0)) == {}


@pytest.mark.parametrize(
    ("detail", "invariant"),
    [
        ({"memory_headroom": 33_000_000}, "memory_headroom"),
        ({"disk_used": 1_079_832_576}, "disk_used"),
        ({"throttled_share": 0.95}, "cpu_throttled"),
        ({"stopped_share": 0.4}, "stopped_at_times"),
        ({"retrans_share": 0.12, "retransmits": 148}, "retransmissions"),
        ({"asked_least_ms": 20.6, "ping_median_ms": 0.1, "asked_chars": 8_751}, "slow_transfers"),
        ({"asked_least_ms": 41.0, "ping_median_ms": 40.2}, ""),
        ({"handed_over_to": "valkey-4", "handed_over_s_ago": 0.5}, "leader_moved"),
        ({"retrans_share": 0.5, "retransmits": 5}, ""),
        ({"memory_headroom": 500_000_000, "throttled_share": 0.1, "stopped_share": 0.05}, ""),
    ],
)
def test_each_strain_is_a_violation_of_its_own_and_a_little_is_none(detail: dict[str, Scalar], invariant: str) -> None:
    node = server(1)
    nodes = [server(0), replace(node, detail={**node.detail, **detail})]
    seen = Observation("valkey", True, "", nodes, {"slots_assigned": 16_384, "cluster_ok": 1})
    names = {
        *("memory_headroom", "disk_used", "cpu_throttled", "stopped_at_times"),
        *("retransmissions", "slow_transfers", "leader_moved"),
    }
    broken = {one.name: one.check(seen) for one in invariants.of(Settings()) if one.name in names and one.check(seen)}
    assert set(broken) == ({invariant} if invariant else set())
    assert all([breach.node for breach in breaches] == ["valkey-1"] for breaches in broken.values())


def test_a_node_that_is_cut_off_is_not_reported_for_what_it_sends_in_vain() -> None:
    node = server(1)
    signals = {"process": "up", "probe": "up", "cluster": "down"}
    lost = replace(node, signals=signals, detail={**node.detail, "retrans_share": 0.5, "retransmits": 90})  # type: ignore[arg-type]  # signs of life
    assert invariants.retransmissions(Observation("valkey", False, "", [lost]), 0.05) == []
