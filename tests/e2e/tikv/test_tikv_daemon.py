"""``operatord start --subject tikv`` on a real engine, with stand-ins in the containers: everything but the data."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.real_daemon import until
from tests.e2e.tikv.tikv_daemon import SETTLED_S, TiKVDaemon, leaving_nothing, settle
from tests.standins.engine import Engine

from operatord.faults.undo_journal import read_owed
from operatord.subjects.tikv import project as projects

pytestmark = pytest.mark.soak
"""A daemon, eight containers and a load: minutes of two cores."""


@pytest.fixture(scope="module")
def running(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    """One cluster for the tests that leave it as it was."""
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    try:
        with leaving_nothing(daemon):
            daemon.start_tikv()
            yield daemon
            daemon.stop()
    finally:
        daemon.end()


@pytest.fixture
def well(running: TiKVDaemon) -> TiKVDaemon:
    return settle(running)


@pytest.fixture
def stopped(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    yield daemon
    daemon.end()


def test_all_six_nodes_are_there_with_their_containers(well: TiKVDaemon) -> None:
    nodes = {one["id"]: one for one in well.status()["health"]["nodes"]}
    assert list(nodes) == list(projects.NODES)
    assert {one["signals"]["container"] for one in nodes.values()} == {"up"}
    assert {one["signals"]["probe"] for one in nodes.values()} == {"up"}
    assert [one["role"] for one in nodes.values()] == ["pd"] * 3 + ["tikv"] * 3
    assert sum(one["leader"] for one in nodes.values()) == 1


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("kill", "tikv1"),
        ("partition", "pd1"),
        *(
            (kind, target)
            for kind, target in (
                *(("stop", node) for node in ("tikv1", "pd1")),
                *(("pause", node) for node in ("tikv1", "pd1")),
                ("kill", "pd1"),
                ("partition", "tikv1"),
            )
        ),
    ],
)
def test_a_node_that_is_broken_is_seen_at_once_and_comes_back_as_it_was(
    well: TiKVDaemon, kind: str, target: str
) -> None:
    before = well.network_of(target)
    well.inject(kind, target)
    until(lambda: well.node(target)["state"] == "down", f"{target} to be down")
    well.ctl("recover", check=True)
    assert well.container(target)["State"]["Status"] == "running"
    assert well.network_of(target) == before
    assert well.status()["faults"] == []


def test_a_slowed_store_gets_its_processor_back(well: TiKVDaemon) -> None:
    well.inject("slow", "tikv0", "--set", "cpu=20%")
    assert well.container("tikv0")["HostConfig"]["CpuQuota"] == 20_000
    well.ctl("recover", check=True)
    assert well.container("tikv0")["HostConfig"]["CpuQuota"] <= 0


def test_a_restarted_store_runs_with_another_pid_and_owes_nothing_soon(well: TiKVDaemon) -> None:
    before = well.container("tikv0")["State"]["Pid"]
    well.inject("restart", "tikv0")
    until(lambda: not well.status()["faults"], "the fault to be over by itself", SETTLED_S)
    assert well.container("tikv0")["State"]["Pid"] not in (0, before)


def test_what_pd_and_the_store_do_themselves_is_taken_back(well: TiKVDaemon) -> None:
    well.inject("evict-leader", "tikv0")
    assert "evict-leader-scheduler" in well.evicting()
    until(lambda: "leaders_evicted tikv0" in well.open_now(), "the violation")
    well.ctl("recover", check=True)
    assert "evict-leader-scheduler" not in well.evicting()
    until(well.is_well, "a cluster that is well", SETTLED_S)
    well.inject("grpc-pause", "tikv0")
    until(lambda: well.node("tikv0")["state"] == "degraded", "tikv0 to serve nobody")
    well.ctl("recover", check=True)
    assert well.node("tikv0")["state"] == "up"


def test_filling_a_disk_without_a_quota_is_refused_with_the_reason(well: TiKVDaemon) -> None:
    refused = well.ctl("fault", "disk", "--target", "tikv0", "--countdown", "0")
    assert refused.returncode != 0
    assert "no quota" in refused.stderr


def test_the_load_runs_in_containers_shows_an_outage_and_is_gone_when_it_is_stopped(well: TiKVDaemon) -> None:
    well.ctl("workload", "start", check=True)
    try:

        def sample() -> dict[str, Any]:
            return well.status()["workload"]["sample"] or {}

        until(lambda: sample().get("baseline"), "a baseline", SETTLED_S)
        well.inject("kill", "tikv0")
        until(lambda: sample().get("degraded"), "the outage", SETTLED_S)
        well.ctl("recover", check=True)
        until(lambda: sample().get("degraded") is False, "the load to come back", SETTLED_S)
    finally:
        well.ctl("workload", "stop", check=True)
    until(
        lambda: not [one for one in well.engine.everything() if f"{well.project.name}-ycsb" in one],
        "the containers of the load to be gone",
    )


def test_a_load_that_is_started_during_a_fault_does_not_bring_the_broken_node_back(well: TiKVDaemon) -> None:
    well.inject("kill", "tikv1")
    try:
        well.ctl("workload", "start", check=True)
        until(lambda: well.status()["workload"]["sample"], "a sample", SETTLED_S)
        assert well.container("tikv1")["State"]["Status"] == "exited"
    finally:
        well.ctl("workload", "stop", check=True)
        well.ctl("recover", check=True)


def test_the_docker_worker_may_die_and_faults_go_on(well: TiKVDaemon) -> None:
    first = well.pid("docker")
    os.kill(first, signal.SIGKILL)
    until(lambda: well.process("docker")["state"] == "ready" and well.pid("docker") != first, "the worker", SETTLED_S)
    until(lambda: well.node("tikv2")["signals"]["container"] == "up", "the monitor to know of the containers")
    well.inject("pause", "tikv2")
    until(lambda: well.node("tikv2")["state"] == "down", "tikv2 to be down")
    well.ctl("recover", check=True)


def test_a_monitor_that_is_replaced_knows_of_the_containers(well: TiKVDaemon) -> None:
    first = well.pid("monitor")
    os.kill(first, signal.SIGKILL)
    until(lambda: well.process("monitor")["state"] == "ready" and well.pid("monitor") != first, "the monitor")
    until(lambda: well.node("pd0").get("signals", {}).get("container") == "up", "it to know of the containers")


def test_a_kept_cluster_is_told_of_and_taken_down_when_that_is_asked(stopped: TiKVDaemon) -> None:
    stopped.start_tikv("--keep-cluster")
    stopped.stop()
    kept = stopped.operatord("status", check=False)
    assert "containers of its cluster are still there" in kept.stdout + kept.stderr
    name = stopped.project.name
    stopped.operatord("stop", "--servers")
    assert not [one for one in stopped.engine.everything() if name in one]


def test_the_majority_of_the_pds_is_guarded(well: TiKVDaemon) -> None:
    first = well.inject("kill", "pd")["target"]
    second = next(name for name in projects.PDS if name != first)
    refused = well.ctl("fault", "kill", "--target", second, "--countdown", "0")
    assert "majority" in refused.stderr
    well.ctl("recover", check=True)


def test_a_daemon_that_is_killed_leaves_no_container_network_or_volume(stopped: TiKVDaemon) -> None:
    stopped.start_tikv()
    name = stopped.project.name
    stopped.inject("partition", "pd2")
    os.kill(int(stopped.status()["pid"]), signal.SIGKILL)
    stopped.wait_gone()
    assert not [one for one in stopped.engine.everything() if name in one]
    assert read_owed(stopped.state_dir / "undo.journal") == []
