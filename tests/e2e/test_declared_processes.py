"""Processes of a user's own, under a real daemon and seen through real clients."""

import contextlib
import json
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.ports import free_port

from .real_daemon import RealDaemon, alive, until

FLOOD_LINES = 300_000
SHARED = """
[process.web]
command = ["sh", "-c", "echo here; exec sleep 600"]
[process.waiting]
command = "sleep 600"
depends_on = ["never"]
[process.never]
command = "sleep 600"
ready = { log = "no such line" }
[process.flapping]
command = ["sh", "-c", "echo attempt; echo 'cannot open the data file' >&2; exit 3"]
backoff = { base = 0.01, deaths = 4 }
[process.job]
command = ["sh", "-c", "echo done"]
restart = "never"
[process.unready]
command = "sleep 600"
ready = { http = "http://127.0.0.1:1/" }
start_timeout = 2
backoff = { base = 0.01, deaths = 2 }
[process.told]
command = ['sh', '-c', 'echo ${SECRET%-*}; exec sleep 600']
env = { SECRET = 'hush-4711' }
"""
"""Of tests that ask nothing of the daemon but these."""


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    try:
        daemon.start("--config", declare(daemon, SHARED))
        yield daemon
        daemon.stop()
    finally:
        daemon.end()


def declare(daemon: RealDaemon, text: str, **values: object) -> str:
    """Write a configuration beside the daemon's directories; returns its path."""
    file = daemon.state_dir.parent / "operatord.toml"
    for key, value in {"PYTHON": sys.executable, **values}.items():
        text = text.replace(key, str(value))
    file.write_text(text)
    return str(file)


def until_state(daemon: RealDaemon, name: str, state: str) -> dict[str, Any]:
    until(lambda: daemon.process(name)["state"] == state, f"{name} to be {state}")
    return daemon.process(name)


def test_they_become_ready_by_log_http_tcp_and_command_and_come_back_when_killed(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    config = declare(
        daemon,
        """
        [process.by-log]
        command = ["sh", "-c", "echo starting; sleep 0.3; echo 'serving on port 80'; exec sleep 600"]
        ready = { log = "serving on port [0-9]+" }
        [process.by-http]
        command = "PYTHON -m http.server HTTP_PORT --bind 127.0.0.1"
        ready = { http = "http://127.0.0.1:HTTP_PORT/" }
        [process.by-tcp]
        command = "PYTHON -m http.server TCP_PORT --bind 127.0.0.1"
        ready = { tcp = "127.0.0.1:TCP_PORT" }
        [process.by-exec]
        command = ["sh", "-c", "sleep 0.3; touch there; exec sleep 600"]
        ready = { exec = "test -e there" }
        [process.at-once]
        command = "sleep 600"
        """,
        HTTP_PORT=free_port(),
        TCP_PORT=free_port(),
    )
    names = ["by-log", "by-http", "by-tcp", "by-exec", "at-once"]
    daemon.start("--config", config)
    with daemon.follower() as follower:

        def each_is_ready() -> bool:
            follower.poll(0.2)
            return all(follower.state.processes[name].state == "ready" for name in names)

        until(each_is_ready, "all to be ready")
        first = {name: follower.state.processes[name] for name in names}
        assert {one.kind for one in first.values()} == {"declared"}
        for one in first.values():
            assert one.pid is not None
            os.kill(one.pid, signal.SIGKILL)

        def each_is_back() -> bool:
            now = [follower.state.processes[name] for name in names]
            return each_is_ready() and all(one.pid != first[one.name].pid for one in now)

        until(each_is_back, "all to be back")
        bodies = [frame.body for frame in follower.tail if frame.topic == "process.by-http.state"]
        assert any(body["signal"] == signal.SIGKILL for body in bodies)
        lines = [frame.body["line"] for frame in follower.tail if frame.topic == "process.by-log.log"]
        assert lines.count("serving on port 80") == 2
    shown = daemon.ctl("processes", check=True).stdout
    assert all(name in shown for name in names)
    shown = daemon.ctl("status", check=True).stdout
    assert all(name in shown for name in names)


def test_they_start_and_stop_in_the_order_of_their_dependencies(stopped_daemon: RealDaemon, tmp_path: Path) -> None:
    daemon = stopped_daemon
    journal = tmp_path / "order"
    program = 'echo "start $0" >> ORDER; trap \'echo "stop $0" >> ORDER; exit 0\' TERM; while :; do sleep 0.05; done'
    sections = [
        f"[process.{name}]\ncommand = ['sh', '-c', '''{program}''', '{name}']\ndepends_on = {depends}\nready = {ready}"
        for name, depends, ready in (
            ("front", "['api']", "{ exec = ['grep', '-q', 'start front', 'ORDER'] }"),
            ("api", "['db', 'cluster', 'monitor', 'agent', 'ycsb']", "{ exec = ['grep', '-q', 'start api', 'ORDER'] }"),
            ("db", "[]", "{ exec = ['grep', '-q', 'start db', 'ORDER'] }"),
        )
    ]
    daemon.start("--config", declare(daemon, "\n".join(sections), ORDER=journal))
    until_state(daemon, "front", "ready")
    began = {one["name"]: one["since_at"] for one in daemon.status()["processes"]}
    assert began["api"] > max(began[name] for name in ("monitor", "agent", "ycsb"))
    daemon.stop()
    assert journal.read_text().split("\n")[:-1] == [
        *("start db", "start api", "start front"),
        *("stop front", "stop api", "stop db"),
    ]


def test_a_person_stops_and_restarts_them(declared: RealDaemon) -> None:
    daemon = declared
    web = until_state(daemon, "web", "ready")["pid"]
    assert daemon.ctl("stop", "web").returncode == 0
    assert not alive(web)
    assert daemon.process("web")["state"] == "stopped"
    restarted = json.loads(daemon.ctl("restart", "web", "--json", check=True).stdout)
    assert restarted["process"]["state"] == "ready"
    assert daemon.process("waiting")["reason"] == "waits for never"
    assert daemon.process("never")["reason"] == "no line yet that matches 'no such line'"
    assert daemon.ctl("restart", "waiting").returncode == 0
    assert daemon.process("waiting")["state"] == "ready"
    refused = daemon.ctl("stop", "nobody")
    assert refused.returncode == 1
    assert "waiting" in refused.stderr


def test_ends_are_final_or_not_as_declared_and_the_last_lines_are_told(declared: RealDaemon) -> None:
    daemon = declared
    flapping = until_state(daemon, "flapping", "failed")
    assert (flapping["exit_code"], flapping["restarts"]) == (3, 3)
    assert "given up after 4 deaths" in flapping["reason"]
    assert flapping["last_lines"] == ["attempt", "cannot open the data file"]
    until(lambda: daemon.process("job")["exit_code"] == 0, "the job to end")
    assert daemon.process("job")["state"] == "stopped"
    unready = until_state(daemon, "unready", "failed")
    assert "not ready after" in unready["reason"]
    assert "GET http://127.0.0.1:1/: no connection to 127.0.0.1:1: Connection refused" in unready["reason"]
    with daemon.follower() as follower:
        assert follower.state.processes["flapping"].last_lines == ["attempt", "cannot open the data file"]
        daemon.healthy_status()


def test_one_that_floods_forks_and_ignores_term_goes_with_all_it_started(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    program = f"""
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "601"])
subprocess.Popen(["setsid", "sleep", "602"])
for number in range({FLOOD_LINES}):
    print("line", number)
print("flood is over", flush=True)
signal.pause()
"""
    text = f"""
    [process.wild]
    command = ["PYTHON", "-c", '''{program}''']
    stop_timeout = 0.3
    [process.tame]
    command = "sleep 600"
    """
    daemon.start("--config", declare(daemon, text))
    with daemon.follower() as follower:

        def over() -> bool:
            follower.poll(0.2)
            return any(frame.body.get("line") == "flood is over" for frame in follower.tail)

        until(over, "the end of the flood")
    wild = psutil.Process(daemon.pid("wild"))
    everything = [wild, *wild.children(recursive=True)]
    assert len(everything) == 3
    assert daemon.ctl("stop", "wild").returncode == 0
    until(lambda: not any(alive(one.pid) for one in everything), "all of it to be gone")
    assert daemon.process("tame")["restarts"] == 0
    assert daemon.process("monitor")["restarts"] == 0


@pytest.mark.parametrize("also_the_keeper", [False, True])
def test_a_killed_daemon_leaves_none_of_them_even_when_the_servers_are_kept(
    stopped_daemon: RealDaemon, also_the_keeper: bool
) -> None:
    daemon = stopped_daemon
    text = """
    [process.web]
    command = ["sh", "-c", "sleep 601 & setsid sleep 602 & exec sleep 603"]
    [process.stubborn]
    command = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    stop_timeout = 0.3
    """
    config = declare(daemon, text)
    daemon.start("--config", config, "--keep-cluster")
    servers = daemon.servers()
    until_state(daemon, "web", "ready")
    first = [psutil.Process(daemon.pid(name)) for name in ("web", "stubborn")]
    until(lambda: len(first[0].children()) == 2, "the grandchildren")
    everything = [*first, *first[0].children()]
    if also_the_keeper:
        daemon.kill_with_keeper()
    else:
        os.kill(daemon.status()["pid"], signal.SIGKILL)
        daemon.wait_gone()
    daemon.start("--config", config, "--keep-cluster")
    assert [one.pid for one in everything if alive(one.pid)] == []
    assert daemon.servers() == servers
    assert until_state(daemon, "web", "ready")["pid"] != first[0].pid


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_one_runs_as_the_user_it_is_declared_for_and_dies_with_the_daemon(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    text = """
    [process.web]
    command = ["sh", "-c", "id -un; exec sleep 600"]
    user = "nobody"
    cwd = "/"
    ready = { log = "^nobody$" }
    """
    daemon.start("--config", declare(daemon, text))
    process = psutil.Process(until_state(daemon, "web", "ready")["pid"])
    assert set(process.uids()) == {pwd.getpwnam("nobody").pw_uid}
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: daemon.process("web")["restarts"] == 1, "it to be started again")
    process = psutil.Process(until_state(daemon, "web", "ready")["pid"])
    os.kill(daemon.status()["pid"], signal.SIGKILL)
    daemon.wait_gone()
    assert not alive(process.pid)


def test_what_cannot_work_is_refused_before_anything_starts(stopped_daemon: RealDaemon) -> None:
    daemon = stopped_daemon
    for text, said in (
        ("[process.web]\ncommand = 'no-such-command'", "process.web.command: 'no-such-command' is not here"),
        (
            "[process.web]\ncommand = 'sleep 1'\ndepends_on = ['web']",
            "process.web.depends_on: they wait for each other",
        ),
        ("[process.agent]\ncommand = 'sleep 1'", "process.agent: the daemon has a part of that name"),
    ):
        config = declare(daemon, text)
        refused = daemon.start("--config", config, check=False)
        assert refused.returncode == 1
        assert f"{config}: {said}" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_what_a_process_is_told_in_its_environment_is_on_no_command_line(declared: RealDaemon) -> None:
    daemon = declared
    until_state(daemon, "told", "ready")
    until(lambda: "hush" in daemon.ctl("logs", "told").stdout, "its output")
    keeper = psutil.Process(daemon.keeper)
    for process in (keeper, *keeper.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            assert not any("hush-4711" in argument for argument in process.cmdline())
