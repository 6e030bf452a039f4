"""``operatord start --subject tikv`` on a real engine, with stand-ins in the containers: everything but the data."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.real_daemon import BIN, RealDaemon, until
from tests.standins.engine import Engine
from tests.standins.serving import ask

from operatord.cli.aftermath import remove_containers
from operatord.faults.undo_journal import read_owed
from operatord.subjects.tikv import project as projects

pytestmark = pytest.mark.soak
"""A daemon, eight containers and a load: minutes of two cores."""


CONFIG = """\
[workload]
rate = 100.0
record_count = 200
threads = 4
[faults]
recovery_deadline_s = 60.0
[subject.tikv]
stop_grace_s = 1.0
"""
SETTLED_S = 60.0


class TiKVDaemon(RealDaemon):
    """A daemon whose servers are containers."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        super().__init__(directory)
        self.engine = engine
        self.config = directory / "tikv.toml"
        self.config.write_text(CONFIG)

    def start_tikv(self, *options: str) -> None:
        self.start("--subject", "tikv", "--config", str(self.config), *options)

    def end(self) -> None:
        super().end()
        remove_containers(self.state_dir)

    @property
    def project(self) -> projects.Project:
        found = projects.load(self.state_dir / projects.DIRECTORY)
        assert found is not None
        return found

    def container(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", f"{self.project.name}-{node}-1"))[0]
        return found

    def node(self, name: str) -> dict[str, Any]:
        return next((one for one in self.status()["health"]["nodes"] if one["id"] == name), {"state": "unknown"})

    def is_well(self) -> bool:
        status = self.status()
        return status["health"]["ok"] is True and not status["violations"]

    def inject(self, kind: str, target: str, *options: str) -> dict[str, Any]:
        words = ["fault", kind, "--target", target, "--countdown", "0", "--json", *options]
        found: dict[str, Any] = json.loads(self.ctl(*words, check=True).stdout)["fault"]
        return found

    def open_now(self) -> set[str]:
        return {f"{one['invariant']} {one['node']}" for one in self.status()["violations"]}

    def network_of(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = self.container(node)["NetworkSettings"]["Networks"]
        return {name: (about["IPAddress"], sorted(about["Aliases"])) for name, about in found.items()}

    def evicting(self) -> str:
        pd = self.project.members[0]
        _, data = ask("GET", f"http://{pd.host}:{pd.port}/pd/api/v1/schedulers", timeout_s=5.0)
        return data.decode()


@pytest.fixture(scope="module", autouse=True)
def quick_checks() -> Iterator[None]:
    os.environ["OPERATOR_HEALTH_INTERVAL"] = "1s"
    yield
    del os.environ["OPERATOR_HEALTH_INTERVAL"]


@pytest.fixture(scope="module")
def running(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    """One cluster for the tests that leave it as it was."""
    before = docker_engine.everything()
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    try:
        daemon.start_tikv()
        yield daemon
        daemon.stop()
        assert docker_engine.everything() <= before | {one for one in docker_engine.everything() if "test-" in one}
    finally:
        daemon.end()


@pytest.fixture
def well(running: TiKVDaemon) -> TiKVDaemon:
    running.ctl("recover")
    until(running.is_well, "a cluster that is well", SETTLED_S)
    return running


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


def test_while_pd_still_takes_a_killed_store_for_up_both_are_shown(well: TiKVDaemon) -> None:
    well.inject("kill", "tikv2")
    until(lambda: well.node("tikv2")["state"] == "down", "tikv2 to be down")
    signals = well.node("tikv2")["signals"]
    well.ctl("recover", check=True)
    assert signals["container"] == "down"
    assert signals["cluster"] == "up"


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


def test_two_of_three_pds_lost_is_unknown_and_said_so_and_closes_nothing_else(well: TiKVDaemon) -> None:
    well.inject("evict-leader", "tikv1")
    until(lambda: "leaders_evicted tikv1" in well.open_now(), "the violation")
    first = well.inject("kill", "pd")["target"]
    second = next(name for name in projects.PDS if name != first)
    refused = well.ctl("fault", "kill", "--target", second, "--countdown", "0")
    assert "majority" in refused.stderr
    well.inject("kill", second, "--force")
    until(lambda: "no_pd_leader None" in well.open_now(), "no PD leader", SETTLED_S)
    status = well.status()
    assert status["health"]["ok"] is None
    assert "no PD leader" in status["health"]["reason"]
    assert "leaders_evicted tikv1" in well.open_now()
    well.ctl("recover", check=True)
    until(well.is_well, "a cluster that is well", SETTLED_S)


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


def test_a_daemon_killed_during_faults_has_them_taken_back_and_its_successor_adopts(stopped: TiKVDaemon) -> None:
    stopped.start_tikv("--keep-cluster")
    network = stopped.network_of("tikv1")
    ids = {node: stopped.container(node)["Id"] for node in projects.NODES}
    stopped.inject("partition", "tikv1")
    stopped.inject("evict-leader", "tikv2", "--force")
    keeper, daemon = stopped.keeper, int(stopped.status()["pid"])
    # Both: nobody is left who could take it back before the next start.
    os.kill(keeper, signal.SIGSTOP)
    os.kill(daemon, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{keeper}").exists(), "the keeper to end")
    stopped.wait_gone()
    assert len(read_owed(stopped.state_dir / "undo.journal")) == 2
    stopped.start_tikv("--keep-cluster")
    assert stopped.network_of("tikv1") == network
    assert "evict-leader-scheduler" not in stopped.evicting()
    assert {node: stopped.container(node)["Id"] for node in projects.NODES} == ids
    assert stopped.status()["faults"] == []
    stopped.stop()
    kept = stopped.operatord("status", check=False)
    assert "containers of its cluster are still there" in kept.stdout + kept.stderr
    name = stopped.project.name
    stopped.operatord("stop", "--servers")
    assert not [one for one in stopped.engine.everything() if name in one]


def test_a_daemon_that_is_killed_leaves_no_container_network_or_volume(stopped: TiKVDaemon) -> None:
    stopped.start_tikv()
    name = stopped.project.name
    stopped.inject("partition", "pd2")
    os.kill(int(stopped.status()["pid"]), signal.SIGKILL)
    stopped.wait_gone()
    assert not [one for one in stopped.engine.everything() if name in one]
    assert read_owed(stopped.state_dir / "undo.journal") == []


def test_the_whole_story_walks_by_itself_on_tikv(stopped: TiKVDaemon) -> None:
    words = [str(BIN / "operatord"), "demo", "--headless", "--subject", "tikv", "--config", str(stopped.config)]
    done = subprocess.run(
        [*words, "--state-dir", str(stopped.state_dir)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, f"{summary}\n{done.stderr}"
    assert (summary["ok"], summary["subject"], summary["role"]) == (True, "tikv", "tikv")
    assert (summary["zombies"], summary["orphans"], summary["faults_owed"]) == (0, 0, 0)
    assert not (stopped.state_dir / projects.DIRECTORY / projects.FILE).exists()
