"""A cluster whose servers have a network of their own: built, partitioned, and gone whatever is killed meanwhile."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.isolated import require_isolation, require_part

from operatord.cli.aftermath import remove_network
from operatord.faults.undo_journal import read_owed
from operatord.isolation.names import Names

from .network import fault_rules, heard_from_kernel, subnet_of
from .real_daemon import BIN, RealDaemon, alive, run, until


@pytest.fixture
def isolated(stopped_daemon: RealDaemon) -> Callable[..., RealDaemon]:
    require_isolation()

    def start(*options: str) -> RealDaemon:
        stopped_daemon.start("--isolate", *options)
        return stopped_daemon

    return start


def _names(daemon: RealDaemon) -> Names:
    return Names.of(daemon.state_dir)


def _partition(daemon: RealDaemon, target: str = "valkey-0") -> None:
    require_part("nft")
    daemon.ctl("fault", "partition", "--target", target, "--countdown", "0", check=True)
    assert fault_rules(_names(daemon)) != []


def _kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _owed(daemon: RealDaemon) -> list[str]:
    return [one.fault.kind for one in read_owed(daemon.state_dir / "undo.journal")]


def _require_healthy(daemon: RealDaemon) -> None:
    assert daemon.healthy_status()["faults"] == []
    assert _owed(daemon) == []


def test_every_server_has_a_network_of_its_own_and_after_the_stop_the_host_is_as_before(
    isolated: Callable[..., RealDaemon],
) -> None:
    daemon = isolated("--load")
    servers, names = daemon.servers(), _names(daemon)
    own = {Path(f"/proc/{pid}/ns/net").readlink() for pid in servers.values()}
    assert len(own) == 6
    assert Path("/proc/self/ns/net").readlink() not in own
    assert all(os.getpgid(pid) == pid for pid in servers.values())
    addresses = {node["address"].partition(":")[0] for node in daemon.status()["health"]["nodes"]}
    assert len(addresses) == 6
    subnet = subnet_of(addresses.pop())
    daemon.stop()
    assert names.anything_there() == []
    # Others may work on this host meanwhile, so only what is ours can be looked for.
    assert [line for line in heard_from_kernel() if subnet in line or names.tag in line] == []
    assert not [line for line in heard_from_kernel() if line.startswith("nft") and "operatord" in line]


def test_a_daemon_killed_during_a_partition_leaves_nothing_of_its_network(
    isolated: Callable[..., RealDaemon],
) -> None:
    daemon = isolated()
    servers = daemon.servers()
    _partition(daemon)
    _kill(daemon.status()["pid"])
    daemon.wait_gone()
    assert not any(alive(pid) for pid in servers.values())
    assert _names(daemon).anything_there() == []
    assert _owed(daemon) == []


def test_keeper_and_daemon_killed_during_a_partition_are_cleaned_up_by_the_next_start(
    isolated: Callable[..., RealDaemon],
) -> None:
    daemon = isolated()
    servers = daemon.servers()
    _partition(daemon)
    daemon.kill_with_keeper()
    # They die with the daemon though they were started through nsenter.
    until(lambda: not any(alive(pid) for pid in servers.values()), "the servers to die")
    assert _names(daemon).anything_there() != []
    started = daemon.start()
    assert "removed the network of an earlier run" in started.stderr
    assert _names(daemon).anything_there() == []
    _require_healthy(daemon)


def test_recover_removes_the_network_of_a_cluster_that_is_gone(isolated: Callable[..., RealDaemon]) -> None:
    daemon = isolated()
    servers = daemon.servers()
    _partition(daemon)
    daemon.kill_with_keeper()
    until(lambda: not any(alive(pid) for pid in servers.values()), "the servers to die")
    daemon.operatord("recover", check=True)
    assert _names(daemon).anything_there() == []
    assert _owed(daemon) == []


def test_the_keeper_takes_a_partition_out_of_a_kept_network_and_the_next_daemon_adopts_it(
    isolated: Callable[..., RealDaemon],
) -> None:
    daemon = isolated("--keep-cluster")
    servers, names = daemon.servers(), _names(daemon)
    _partition(daemon)
    _kill(daemon.status()["pid"])
    daemon.wait_gone()
    assert _owed(daemon) == []
    assert fault_rules(names) == []
    assert all(alive(pid) for pid in servers.values())
    # What is kept stays isolated, whether or not it is asked for again.
    daemon.start("--keep-cluster")
    assert daemon.servers() == servers
    _require_healthy(daemon)
    _partition(daemon, "valkey-5")
    daemon.ctl("recover", check=True)
    assert fault_rules(names) == []
    daemon.stop()
    assert all(alive(pid) for pid in servers.values())
    assert names.anything_there() != []
    daemon.start()
    assert not any(alive(pid) for pid in servers.values())
    assert names.anything_there() == []
    _require_healthy(daemon)


@pytest.mark.parametrize("by", ["start", pytest.param("recover", marks=pytest.mark.soak)])
def test_a_partition_of_a_kept_cluster_is_undone_when_keeper_and_daemon_were_killed(
    isolated: Callable[..., RealDaemon], by: str
) -> None:
    daemon = isolated("--keep-cluster")
    servers, names = daemon.servers(), _names(daemon)
    _partition(daemon)
    daemon.kill_with_keeper()
    assert _owed(daemon) == ["partition"]
    assert fault_rules(names) != []
    if by == "recover":
        daemon.operatord("recover", check=True)
        assert fault_rules(names) == []
        assert _owed(daemon) == []
    daemon.start("--keep-cluster", "--isolate")
    assert fault_rules(names) == []
    assert daemon.servers() == servers
    _require_healthy(daemon)


def test_a_partition_outlasts_its_target_and_is_undone_for_the_one_that_took_its_place(
    isolated: Callable[..., RealDaemon],
) -> None:
    daemon = isolated()
    names = _names(daemon)
    _partition(daemon)
    rules = fault_rules(names)
    _kill(daemon.servers()["valkey-0"])
    until(lambda: daemon.process("valkey-0")["state"] != "ready", "the death to be noticed")
    daemon.ctl("restart", "valkey-0", check=True)
    assert fault_rules(names) == rules
    assert [fault["kind"] for fault in daemon.status()["faults"]] == ["partition"]
    daemon.ctl("recover", check=True)
    assert fault_rules(names) == []
    _require_healthy(daemon)


@pytest.mark.soak
def test_a_kept_cluster_comes_back_on_its_addresses_after_the_machine_was_restarted(
    isolated: Callable[..., RealDaemon],
) -> None:
    daemon = isolated("--keep-cluster")
    addresses = {node["id"]: node["address"] for node in daemon.status()["health"]["nodes"]}
    servers = daemon.servers()
    daemon.stop()
    # What a restart of the machine does to a cluster.
    _kill(*servers.values())
    until(lambda: not any(alive(pid) for pid in servers.values()), "the servers to die")
    remove_network(daemon.state_dir)
    daemon.start("--keep-cluster")
    assert {node["id"]: node["address"] for node in daemon.status()["health"]["nodes"]} == addresses
    _require_healthy(daemon)


def test_a_start_that_is_given_up_leaves_no_network_even_if_its_cluster_was_to_be_kept(
    stopped_daemon: RealDaemon,
) -> None:
    require_isolation()
    names = Names.of(stopped_daemon.state_dir)
    command = [str(BIN / "operatord"), "start", *stopped_daemon.directories, "--isolate", "--keep-cluster"]
    cluster = stopped_daemon.state_dir / "valkey" / "cluster.json"
    for _ in range(3):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as keeper:
            until(names.link_there, "the network to be built")
            keeper.terminate()
            keeper.wait(60)
        if not (done_first := cluster.exists() and json.loads(cluster.read_text())["formed"]):
            break
        # A start that was done before it was told to give up leaves its cluster, as it was asked to.
        stopped_daemon.end()
        shutil.rmtree(cluster.parent)
    assert not done_first, "each start was done before it could be given up"
    assert names.anything_there() == []


@pytest.mark.parametrize("lacking", ["net_admin", "sys_admin"])
def test_without_the_right_isolation_is_refused_by_its_name_and_doctor_says_so(
    stopped_daemon: RealDaemon, lacking: str
) -> None:
    require_isolation()
    without = ["setpriv", "--bounding-set", f"-{lacking}", "--inh-caps", f"-{lacking}", "--", str(BIN / "operatord")]
    refused = run([*without, "start", "--detach", *stopped_daemon.directories, "--isolate"], check=False)
    assert refused.returncode == 1
    assert f"CAP_{lacking.upper()} not held" in refused.stderr
    assert "root" in refused.stderr
    examined = run([*without, "doctor", *stopped_daemon.directories], check=True)
    assert f"isolation: not possible, so no faults of the network: CAP_{lacking.upper()}" in examined.stdout
    assert "isolation: possible" in stopped_daemon.operatord("doctor").stdout


def test_a_kept_cluster_that_is_not_isolated_cannot_become_so(stopped_daemon: RealDaemon) -> None:
    require_isolation()
    daemon = stopped_daemon
    daemon.start("--keep-cluster")
    daemon.stop()
    refused = daemon.start("--keep-cluster", "--isolate", check=False)
    assert refused.returncode == 1
    assert "not isolated" in refused.stderr
    assert _names(daemon).anything_there() == []
