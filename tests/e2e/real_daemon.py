"""Real daemons with directories of their own, driven through their command lines."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from operator_protocol.codec import Body
from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.errors import OperatorError
from operator_protocol.follow import Follower
from operator_protocol.requests import Requester
from operatord.cli.aftermath import remove_network
from operatord.paths import lock_holder
from operatord.processes.records import ServerRecords, end_leftovers

BIN = Path(sys.executable).parent
START_S = 60.0
STOP_S = 60.0


class RealDaemon:
    """One daemon: started, asked, killed, started again."""

    def __init__(self, directory: Path) -> None:
        self.runtime_dir = directory / "r"
        self.state_dir = directory / "s"
        self.directories = ["--runtime-dir", str(self.runtime_dir), "--state-dir", str(self.state_dir)]

    @property
    def endpoint(self) -> Endpoint:
        return runtime_endpoint(self.runtime_dir)

    def start(self, *options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return self.operatord("start", "--detach", *options, check=check)

    def stop(self) -> None:
        if lock_holder(self.runtime_dir) is not None:
            self.operatord("stop")

    def end(self) -> None:
        """Whatever a test left: no daemon, no servers that were kept. As ``operatord stop``, without its process."""
        if (keeper := lock_holder(self.runtime_dir)) is not None:
            try:
                self.ask("shutdown")
            except OperatorError:
                assert keeper > 1, "the keeper has not said who it is"
                with contextlib.suppress(ProcessLookupError):
                    os.kill(keeper, signal.SIGTERM)
            self.wait_gone(STOP_S)
        servers = self.state_dir / "servers.json"
        if servers.exists():
            asyncio.run(end_leftovers(ServerRecords(servers)))
        remove_network(self.state_dir)

    def operatord(self, command: str, *options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return run([str(BIN / "operatord"), command, *self.directories, *options], check=check)

    def ctl(self, *arguments: str, check: bool = False) -> "subprocess.CompletedProcess[str]":
        return run([str(BIN / "operatorctl"), "--endpoint", str(self.runtime_dir), *arguments], check=check)

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def ask(self, cmd: str, args: Body | None = None) -> Body:
        """What ``operatorctl CMD --json`` prints, without a process for each time that a test looks."""
        with Requester(self.endpoint, actor="test") as requester:
            return requester.command(cmd, args)

    def healthy_status(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """The status, once the cluster is healthy in it: on a loaded machine a look may miss a node that is well."""
        seen: list[dict[str, Any]] = []

        def healthy() -> bool:
            seen.append(self.status())
            return is_healthy(seen[-1])

        until(healthy, "the cluster to be healthy", timeout_s)
        return seen[-1]

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The nodes of the newest look by their ids; there are none in a look that could not be made in time."""
        found: dict[str, dict[str, Any]] = {}

        def some() -> bool:
            found.update(nodes_of(self.status()))
            return bool(found)

        until(some, "a look that has nodes")
        return found

    def process(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.status()["processes"] if one["name"] == name)
        return found

    def pid(self, name: str) -> int:
        return int(self.process(name)["pid"])

    @property
    def keeper(self) -> int:
        holder = lock_holder(self.runtime_dir)
        assert holder is not None
        return holder

    def servers(self) -> dict[str, int]:
        return {one["name"]: one["pid"] for one in self.status()["processes"] if one["kind"] == "server"}

    def kill_with_keeper(self) -> None:
        """Both are gone, and neither had the time to clean up: killed first, each would let the other do so."""
        keeper, main = self.keeper, int(self.status()["pid"])
        os.kill(keeper, signal.SIGSTOP)
        for pid in (main, keeper):
            os.kill(pid, signal.SIGKILL)
        self.wait_gone()

    def wait_gone(self, timeout_s: float = 30.0) -> None:
        until(lambda: lock_holder(self.runtime_dir) is None, "the keeper to end", timeout_s)

    @contextlib.contextmanager
    def follower(self) -> Iterator[Follower]:
        with Follower(self.endpoint, actor="test") as follower:
            follower.join(10)
            yield follower


@contextlib.contextmanager
def running_daemon(directory: Path, *options: str) -> Iterator[RealDaemon]:
    """One that is taken down at the end, also when its start failed half-way."""
    daemon = RealDaemon(directory)
    try:
        daemon.start(*options)
        yield daemon
    finally:
        daemon.end()


def run(command: list[str], *, check: bool) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=START_S, stdin=subprocess.DEVNULL, check=False
    )
    if check:
        assert done.returncode == 0, f"{command[1:]} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Look again and again; where a look is a process of its own, it costs the half of the time at most."""
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        if condition():
            return
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(max(0.05, time.monotonic() - began))


def is_healthy(status: dict[str, Any]) -> bool:
    """There is no health before the first look."""
    return status["health"] is not None and status["health"]["ok"] is True


def nodes_of(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes of a status by their ids."""
    return {} if status["health"] is None else {node["id"]: node for node in status["health"]["nodes"]}


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
