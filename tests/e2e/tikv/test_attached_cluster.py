"""``operatord start --pd URL``: watching a cluster that runs already, and changing it once that is allowed."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.real_daemon import RealDaemon, until
from tests.standins.certificates import Certificates, make_certificates
from tests.standins.cluster import ROOT, STORE_IDS, StandInCluster, standin_cluster

ELECTIONS = ("--election-s", "0.2", "--raft-election-s", "1")
STORE = f"store-{STORE_IDS['tikv0']}"
CLUSTER = "7301234567890123456"
SETTLED_S = 60.0


class Attached(RealDaemon):
    """A daemon beside a cluster of somebody else's."""

    def configure(self, text: str) -> str:
        self.state_dir.parent.mkdir(exist_ok=True)
        file = self.state_dir.parent / "attached.toml"
        file.write_text(text)
        return str(file)

    def is_well(self) -> bool:
        return self.status()["health"]["ok"] is True

    def refused(self, *words: str) -> str:
        done = self.ctl(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def open_now(self) -> set[str]:
        return {f"{one['invariant']} {one['node']}" for one in self.status()["violations"]}


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    daemon = Attached(tmp_path_factory.mktemp("d"))
    yield daemon
    daemon.end()


@pytest.fixture(scope="module")
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*ELECTIONS) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_an_attached_cluster_is_only_watched_and_a_load_of_others_is_read(
    cluster: StandInCluster, daemon: Attached
) -> None:
    report = daemon.state_dir.parent / "go-ycsb.log"
    file = daemon.configure('[workload]\nfollow = "go-ycsb.log"\n[faults]\ncountdown_s = 0\n')
    started = daemon.start("--pd", cluster.pd_urls["pd2"], "--config", file)
    assert f"attached to cluster {CLUSTER}; it is only watched" in started.stderr
    until(daemon.is_well, "a cluster that is well", SETTLED_S)
    assert set(daemon.nodes()) == {"pd0", "pd1", "pd2", *(f"store-{one}" for one in STORE_IDS.values())}
    for kind in ("grpc-pause", "evict-leader", "kill"):
        said = daemon.refused("fault", kind, "--target", STORE)
        assert "only watched" in said
        assert f'allow_faults_on = "{CLUSTER}"' in said
    daemon.ctl("workload", "start", check=True)
    with report.open("a") as file_of_others:
        for takes in range(1, 4):
            file_of_others.write(f"READ   - Takes(s): {takes}.0, Count: {takes * 500}, OPS: 500.0, Avg(us): 540\n")
            file_of_others.flush()
            wanted = takes * 500
            until(lambda wanted=wanted: _operations(daemon) == wanted, "the sample", SETTLED_S)  # type: ignore[misc]  # bound
    assert _sample(daemon)["ops_per_sec"] == pytest.approx(500)
    daemon.ctl("workload", "stop", check=True)
    daemon.stop()


def test_what_the_configuration_allows_for_this_cluster_is_done_and_taken_back(
    cluster: StandInCluster, daemon: Attached
) -> None:
    pds = ",".join(url.partition("://")[2] for url in cluster.pd_urls.values())
    words = [sys.executable, "-m", "tests.standins.ycsb", "run", "tikv", "-P"]
    words += [str(ROOT / "deploy/tikv/workloads/workloada"), "-p", f"tikv.pd={pds}", "-p", "tikv.type=raw"]
    words += ["-p", "recordcount=100", "-p", "operationcount=1000000", "--threads=2", "--target=50", "--interval=1"]
    # A script that runs the program, as that of Java YCSB does: both must end when the load is stopped.
    script = f"cd {shlex.quote(str(ROOT))}; {shlex.join(words)}; true"
    file = daemon.configure(
        f"""\
[subject]
name = "tikv"
[subject.tikv]
pd = "{cluster.pd_urls["pd0"]}"
data = "{STORE}={cluster.addresses["tikv0"]}"
allow_faults_on = {CLUSTER}
allow_load_on = "1, {CLUSTER}"
[workload]
command = ["sh", "-c", {json.dumps(script)}]
[faults]
countdown_s = 0
"""
    )
    examined = daemon.operatord("doctor", "--config", file).stdout
    assert f"attached cluster: attached to cluster {CLUSTER}; it is open to faults, load" in examined
    assert "load: " in examined
    daemon.start("--config", file)
    until(daemon.is_well, "a cluster that is well", SETTLED_S)
    assert "no containers of ours" in daemon.refused("fault", "kill", "--target", STORE)
    daemon.ctl("workload", "start", check=True)
    until(lambda: _operations(daemon) > 0, "the load", SETTLED_S)
    assert "fixed by its command" in daemon.refused("workload", "rate", "5")
    daemon.ctl("workload", "stop", check=True)
    daemon.ctl("fault", "grpc-pause", "--target", STORE, check=True)
    until(lambda: daemon.nodes()[STORE]["state"] == "degraded", "the store to serve nobody", SETTLED_S)
    daemon.ctl("recover", check=True)
    daemon.ctl("fault", "evict-leader", "--target", STORE, "--force", check=True)
    until(lambda: f"leaders_evicted {STORE}" in daemon.open_now(), "the violation", SETTLED_S)
    keeper, pid = daemon.keeper, int(daemon.status()["pid"])
    # Both: nobody is left who could take it back.
    os.kill(keeper, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    daemon.wait_gone()
    assert "evict-leader-scheduler" in schedulers(cluster)
    # Where that cluster is was noted: who starts another one does not forget it, and who recovers finds it.
    refused = daemon.start(check=False)
    assert refused.returncode == 1
    assert f"still owed in the cluster of {cluster.pd_urls['pd0']}: evict-leader on {STORE}" in refused.stderr
    daemon.operatord("recover")
    assert "evict-leader-scheduler" not in schedulers(cluster)


@pytest.mark.soak
def test_over_tls_the_right_certificate_works_and_with_another_the_daemon_stays_up_and_knows_nothing(
    certificates: Certificates, daemon: Attached
) -> None:
    with standin_cluster(*ELECTIONS, certificates=certificates) as cluster:
        tls = ["--pd", cluster.pd_urls["pd0"], "--cacert", str(certificates.ca)]
        refused = daemon.start(*tls, "--cert", "nowhere.pem", check=False)
        assert refused.returncode == 1
        assert "cannot use the client certificate" in refused.stderr
        other = ["--cert", str(certificates.cert("stranger")), "--key", str(certificates.key("stranger"))]
        started = daemon.start(*tls, *other)
        assert "client certificate" in started.stderr
        until(lambda: "client certificate" in daemon.status()["health"]["reason"], "the reason", SETTLED_S)
        assert daemon.status()["health"]["ok"] is None
        assert "not known which cluster" in daemon.refused("fault", "evict-leader", "--target", "x", "--countdown", "0")
        assert daemon.process("monitor")["state"] == "ready"
        daemon.stop()
        ours = ["--cert", str(certificates.cert("operator")), "--key", str(certificates.key("operator"))]
        daemon.start(*tls, *ours)
        until(daemon.is_well, "a cluster that is well", SETTLED_S)
        daemon.stop()


def schedulers(cluster: StandInCluster) -> str:
    return cluster.ask(f"{cluster.pd_urls['pd0']}/pd/api/v1/schedulers")[1].decode()


def _sample(daemon: Attached) -> dict[str, Any]:
    return daemon.status()["workload"]["sample"] or {}


def _operations(daemon: Attached) -> int:
    return int(_sample(daemon).get("operations", 0))
