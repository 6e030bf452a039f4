"""Whatever is killed, nothing stays behind and nothing stays owed."""

import os
import signal
import time

import psutil
import pytest

from operator_protocol.follow import Follower
from operatord.faults.undo_journal import read_owed

from .real_daemon import RealDaemon, alive, until


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def everything_of(daemon: RealDaemon) -> list[int]:
    return [child.pid for child in psutil.Process(daemon.keeper).children(recursive=True)]


def assert_restarted_once(follower: Follower, worker: str, before: int, killed_at: float) -> None:
    """More often only if it got no time for so long that it passed for dead, and was replaced for that."""
    frames = [one for one in follower.tail if one.topic == f"process.{worker}.state"]
    told = [str(one.body["reason"]) for one in frames if one.header.wall_ts >= killed_at]
    restarts = follower.state.processes[worker].restarts - before
    assert restarts == 1 or (restarts > 1 and any("no sign of life" in reason for reason in told)), told


@pytest.mark.parametrize("worker", ["monitor", "agent", "ycsb"])
def test_a_killed_worker_is_back_and_ready_and_a_client_sees_both(shared_daemon: RealDaemon, worker: str) -> None:
    daemon = shared_daemon
    before = daemon.pid(worker)
    with daemon.follower() as follower:
        restarts = follower.state.processes[worker].restarts
        killed_at = time.time()
        kill(before)
        states: list[tuple[str, int | None]] = []

        def ready_again() -> bool:
            follower.poll(0.2)
            process = follower.state.processes[worker]
            if not states or states[-1] != (process.state, process.pid):
                states.append((process.state, process.pid))
            return process.state == "ready" and process.pid != before

        until(ready_again, f"{worker} to be ready again")
        assert_restarted_once(follower, worker, restarts, killed_at)
        seen = [frame.body for frame in follower.tail if frame.topic == f"process.{worker}.state"]
        assert any(body["state"] != "ready" and body["signal"] == signal.SIGKILL for body in seen)


def test_a_hung_worker_is_found_by_its_missing_beats_and_replaced(shared_daemon: RealDaemon) -> None:
    daemon = shared_daemon
    before = daemon.pid("monitor")
    os.kill(before, signal.SIGSTOP)
    until(lambda: daemon.process("monitor")["pid"] not in (before, None), "the monitor to be replaced")
    until(lambda: daemon.process("monitor")["state"] == "ready", "the new monitor to be ready")
    assert not alive(before)


def test_the_load_comes_back_when_its_worker_was_killed(shared_daemon: RealDaemon) -> None:
    daemon = shared_daemon
    daemon.ctl("workload", "start", check=True)
    with daemon.follower() as follower:
        restarts = follower.state.processes["ycsb"].restarts
        until(lambda: follower.poll(0.2) and follower.state.workload, "a sample")
        killed_at = time.time()
        kill(daemon.pid("ycsb"))

        def again() -> bool:
            follower.poll(0.2)
            window = follower.state.workload
            return bool(window) and window[-1].sampled_at > killed_at + 2 and window[-1].ops_per_sec > 0

        until(again, "the load to run again")
        assert_restarted_once(follower, "ycsb", restarts, killed_at)
    daemon.ctl("workload", "stop", check=True)


def test_a_daemon_killed_during_a_fault_leaves_nothing_and_the_next_start_is_clean(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--load")
    daemon.ctl("fault", "pause", "--countdown", "0", check=True)
    left = everything_of(daemon)
    assert len(left) >= 11
    kill(daemon.status()["pid"])
    daemon.wait_gone()
    assert [pid for pid in left if alive(pid)] == []
    assert read_owed(daemon.state_dir / "undo.journal") == []
    daemon.start()
    assert daemon.healthy_status()["faults"] == []


def test_keeper_and_daemon_killed_together_are_cleaned_up_by_the_next_start(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--load")
    daemon.ctl("fault", "kill", "--countdown", "0", check=True)
    left = everything_of(daemon)
    daemon.kill_with_keeper()
    daemon.start()
    assert [pid for pid in left if alive(pid)] == []
    status = daemon.healthy_status()
    assert status["faults"] == []
    assert status["tickets_open"] == 0


def test_a_kept_cluster_survives_its_daemon_the_keeper_undoes_and_the_next_daemon_adopts(
    stopped_daemon: RealDaemon,
) -> None:
    daemon = stopped_daemon
    daemon.start("--keep-cluster")
    servers = daemon.servers()
    killed = daemon.ctl("fault", "kill", "--target", "valkey-1", "--countdown", "0", "--json", check=True)
    assert "valkey-1" in killed.stdout
    kill(daemon.status()["pid"])
    daemon.wait_gone()
    assert read_owed(daemon.state_dir / "undo.journal") == []
    assert all(alive(pid) for name, pid in servers.items() if name != "valkey-1")
    daemon.start("--keep-cluster")
    adopted = daemon.servers()
    assert {name: pid for name, pid in adopted.items() if name != "valkey-1"} == {
        name: pid for name, pid in servers.items() if name != "valkey-1"
    }
    daemon.healthy_status()
    daemon.stop()
    assert all(alive(pid) for pid in adopted.values())
    daemon.start()
    assert not any(alive(pid) for pid in adopted.values())


def test_a_paused_server_of_a_kept_cluster_is_woken_when_keeper_and_daemon_were_killed(
    stopped_daemon: RealDaemon,
) -> None:
    daemon = stopped_daemon
    daemon.start("--keep-cluster")
    servers = daemon.servers()
    daemon.ctl("fault", "pause", "--target", "valkey-2", "--countdown", "0", check=True)
    daemon.kill_with_keeper()
    # The kernel wakes the stopped members of a process group that its parents' death has orphaned, so the server may
    # run by now; what counts is that the next daemon settles the debt.
    assert read_owed(daemon.state_dir / "undo.journal") != []
    daemon.start("--keep-cluster")
    assert daemon.servers() == servers
    daemon.healthy_status()
    assert read_owed(daemon.state_dir / "undo.journal") == []


def test_operatord_recover_undoes_without_a_daemon(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--keep-cluster")
    servers = daemon.servers()
    daemon.ctl("fault", "pause", "--target", "valkey-0", "--countdown", "0", check=True)
    refused = daemon.operatord("recover", check=False)
    assert refused.returncode == 1
    assert "operatorctl recover" in refused.stderr
    daemon.kill_with_keeper()
    done = daemon.ctl("recover")
    assert done.returncode == 0, done.stderr
    assert psutil.Process(servers["valkey-0"]).status() != psutil.STATUS_STOPPED
    assert read_owed(daemon.state_dir / "undo.journal") == []
    assert daemon.operatord("recover").returncode == 0
    daemon.start()
    assert not any(alive(pid) for pid in servers.values())
