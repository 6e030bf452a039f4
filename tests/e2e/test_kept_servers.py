"""Servers that ``--keep-cluster`` left running are not forgotten by the commands that look when no daemon runs."""

import json
import subprocess
from pathlib import Path

from .real_daemon import RealDaemon, alive


def test_kept_servers_are_shown_and_can_be_ended_without_a_daemon(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    assert daemon.operatord("stop", check=False).returncode == 3
    daemon.start("--keep-cluster")
    servers = daemon.servers()
    stopped = daemon.operatord("stop")
    assert f"valkey-0 (pid {servers['valkey-0']})" in stopped.stderr
    assert "operatord stop --servers" in stopped.stderr

    status = daemon.operatord("status", check=False)
    assert status.returncode == 3
    assert "6 servers of its cluster still run" in status.stderr

    doctor = json.loads(daemon.operatord("doctor", "--json", check=False).stdout)
    (kept,) = (finding for finding in doctor["findings"] if finding["what"] == "kept servers")
    assert kept["verdict"] == "warning"

    again = daemon.operatord("stop", check=False)
    assert again.returncode == 3
    assert "6 servers of its cluster still run" in again.stderr
    assert all(alive(pid) for pid in servers.values())

    daemon.operatord("stop", "--servers")
    assert not any(alive(pid) for pid in servers.values())
    assert "still run" not in daemon.operatord("stop", "--servers", check=False).stderr


def test_a_daemon_with_a_copied_state_directory_leaves_the_servers_of_the_original_alone(
    stopped_daemon: RealDaemon, tmp_path: Path
) -> None:
    daemon = stopped_daemon
    daemon.start()
    servers = daemon.servers()
    other = RealDaemon(tmp_path)
    # Of what runs, a file may be replaced by another while it is being copied.
    subprocess.run(["cp", "-a", str(daemon.state_dir), str(other.state_dir)], check=False)
    assert (other.state_dir / "servers.json").exists()
    refused = other.start(check=False)
    assert refused.returncode == 1
    assert f"is a copy of {daemon.state_dir}, with which a daemon runs (pid {daemon.keeper})" in refused.stderr
    for command in (["recover"], ["stop", "--servers"]):
        refused = other.operatord(*command, check=False)
        assert refused.returncode == 1
        assert f"is a copy of {daemon.state_dir}" in refused.stderr
    assert daemon.servers() == servers
    assert all(alive(pid) for pid in servers.values())


def test_what_a_killed_daemon_still_owes_is_said_by_status(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    daemon.start("--keep-cluster")
    daemon.ctl("fault", "pause", "--target", "valkey-4", "--countdown", "0", check=True)
    daemon.kill_with_keeper()
    status = daemon.operatord("status", check=False)
    assert status.returncode == 3
    assert "still owed: pause valkey-4" in status.stderr
    daemon.operatord("recover")
    assert "still owed" not in daemon.operatord("status", check=False).stderr
