"""Real daemons with directories of their own, driven through their command lines."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from operator_protocol.endpoint import Endpoint, runtime_endpoint
from operator_protocol.follow import Follower
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
        """Whatever a test left: no daemon, no servers that were kept."""
        with contextlib.suppress(AssertionError):
            self.stop()
        if (keeper := lock_holder(self.runtime_dir)) is not None:
            os.kill(keeper, signal.SIGTERM)
            self.wait_gone()
        servers = self.state_dir / "servers.json"
        if servers.exists():
            asyncio.run(end_leftovers(ServerRecords(servers)))
        remove_network(self.state_dir)

    def operatord(self, command: str, *options: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return run([str(BIN / "operatord"), command, *self.directories, *options], check=check)

    def ctl(self, *arguments: str, check: bool = False) -> "subprocess.CompletedProcess[str]":
        return run([str(BIN / "operatorctl"), "--endpoint", str(self.runtime_dir), *arguments], check=check)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.ctl("status", "--json", check=True).stdout)
        return status

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

    def wait_gone(self) -> None:
        until(lambda: lock_holder(self.runtime_dir) is None, "the keeper to end")

    @contextlib.contextmanager
    def follower(self) -> Iterator[Follower]:
        with Follower(self.endpoint, actor="test") as follower:
            follower.join(10)
            yield follower


def run(command: list[str], *, check: bool) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=START_S, stdin=subprocess.DEVNULL, check=False
    )
    if check:
        assert done.returncode == 0, f"{command[1:]} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
