"""A start that cannot be is refused with one clear line."""

import contextlib
import json
import os
import random
import socket
import sqlite3
from pathlib import Path

from .real_daemon import BIN, RealDaemon, run, until


def refused(daemon: RealDaemon, *options: str, code: int = 1) -> str:
    done = daemon.start(*options, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_unknown_subject(stopped_daemon: RealDaemon) -> None:
    assert "valkey" in refused(stopped_daemon, "--subject", "oracle")


def test_a_demo_with_a_fault_that_the_subject_does_not_have(stopped_daemon: RealDaemon) -> None:
    error = refused(stopped_daemon, "--demo-fault", "evict-leader")
    assert "valkey has no fault 'evict-leader'" in error
    assert "known: kill" in error


def test_a_broken_configuration(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[workload]\nrate = -3.0\n")
    assert "workload.rate" in refused(stopped_daemon, "--config", str(config))


def free_range() -> int:
    """First of six ports that are free, as are those 10,000 above; none is among those of outgoing connections."""
    while True:
        base = random.randrange(11_000, 22_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in (*range(base, base + 6), *range(base + 10_000, base + 10_006)):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return base


def test_a_port_taken(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    base = free_range()
    port = base + 2
    with socket.create_server(("127.0.0.1", port)):
        config = tmp_path / "c.toml"
        config.write_text(f"[subject.valkey]\nbase_port = {base}\n")
        error = refused(stopped_daemon, "--config", str(config))
        assert f"port {port}" in error
        assert "base_port" in error
        # The daemon is up all the same, says so to everybody, and waits until that is mended.
        health = stopped_daemon.status()["health"]
        assert (health["ok"], health["nodes"]) == (None, [])
        assert f"port {port}" in health["reason"]
        for words in (["restart", "cluster"], ["workload", "start"], ["fault", "kill", "--countdown", "0"]):
            assert f"port {port}" in stopped_daemon.ctl(*words).stderr
    stopped_daemon.ctl("restart", "cluster", check=True)
    until(lambda: stopped_daemon.status()["health"]["ok"], "a cluster that is healthy")
    stopped_daemon.ctl("fault", "kill", "--countdown", "0", check=True)
    stopped_daemon.ctl("recover", check=True)
    assert "the cluster is up" in stopped_daemon.ctl("restart", "cluster").stderr


def test_a_second_daemon_names_the_first(shared_daemon: RealDaemon) -> None:
    error = refused(shared_daemon)
    assert f"pid {shared_daemon.keeper}" in error


def test_a_second_demo_names_the_first(shared_daemon: RealDaemon) -> None:
    done = run([str(BIN / "operatord"), "demo", "--headless", "--state-dir", str(shared_daemon.state_dir)], check=False)
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem.startswith(f"a daemon runs already with {shared_daemon.state_dir}")


def test_a_state_directory_that_is_no_directory(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    stopped_daemon.directories = ["--runtime-dir", str(stopped_daemon.runtime_dir), "--state-dir", str(blocked)]
    assert "--state-dir" in refused(stopped_daemon)


def test_a_state_directory_that_cannot_be_written(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o500)
    # Root writes everywhere but into the kernel's own file systems.
    state = Path("/proc/operatord") if os.getuid() == 0 else sealed / "s"
    stopped_daemon.directories = ["--runtime-dir", str(stopped_daemon.runtime_dir), "--state-dir", str(state)]
    assert "--state-dir" in refused(stopped_daemon)


def test_a_socket_path_that_is_too_long(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    long = tmp_path / ("d" * 100)
    stopped_daemon.directories = ["--runtime-dir", str(long), "--state-dir", str(stopped_daemon.state_dir)]
    assert "107 bytes" in refused(stopped_daemon)


def test_a_damaged_database_and_a_damaged_undo_journal_are_moved_aside_and_said_so(stopped_daemon: RealDaemon) -> None:
    state = stopped_daemon.state_dir
    state.mkdir(mode=0o700)
    (state / "tickets.sqlite").write_bytes(b"this is not a database, not at all" * 100)
    (state / "undo.journal").write_text("rubbish\nmore rubbish\n")
    (state / "servers.json").write_text("{nonsense")
    started = stopped_daemon.start()
    for name in ("tickets.sqlite", "undo.journal", "servers.json"):
        assert list(state.glob(f"{name}.corrupt-*")), name
        assert name in started.stderr
    stopped_daemon.stop()


def test_a_ticket_database_of_a_newer_version_is_refused_and_left_as_it_is(stopped_daemon: RealDaemon) -> None:
    state = stopped_daemon.state_dir
    state.mkdir(mode=0o700)
    connection = sqlite3.connect(state / "tickets.sqlite")
    connection.executescript("CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (99)")
    connection.close()
    assert "has schema 99, this version knows" in refused(stopped_daemon)
    after = sqlite3.connect(state / "tickets.sqlite")
    assert after.execute("SELECT name FROM sqlite_master").fetchall() == [("schema_version",)]
    after.close()
    assert list(state.glob("*.corrupt-*")) == []


def test_usage_errors_exit_with_2() -> None:
    from .real_daemon import BIN

    for arguments in (["start", "--nonsense"], ["frobnicate"], []):
        done = run([str(BIN / "operatord"), *arguments], check=False)
        assert done.returncode == 2
        assert "usage" in done.stderr


def test_doctor_finds_this_host_fit(stopped_daemon: RealDaemon) -> None:
    done = stopped_daemon.operatord("doctor")
    assert "valkey-server" in done.stdout
    assert "✗" not in done.stdout
