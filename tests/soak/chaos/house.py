"""The daemon under attack with all that it runs, as its attacker sees it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from tests.e2e.real_daemon import RealDaemon, until
from tests.ports import free_port

from operator_protocol.errors import OperatorError
from operator_protocol.follow import Follower
from operator_protocol.models import Node, ProcessState
from operatord import procfs
from operatord.leftovers import MARKER
from operatord.paths import lock_holder

_CONFIG = """
[monitor]
interval_s = 0.5
[journal]
max_mib = 64.0
keep_files = 64
[process.ticker]
command = ["{python}", "-c", "import time\\nwhile True: print('tick', flush=True); time.sleep(0.2)"]
restart = "always"
[process.api]
command = ["{python}", "-m", "http.server", "{port}", "--bind", "127.0.0.1"]
restart = "always"
ready = {{ http = "http://127.0.0.1:{port}/" }}
"""
DECLARED = ("ticker", "api")
WORKERS = ("monitor", "agent", "ycsb", "forkserver")
_KEEPER_S = 90.0
"""It may owe an undo that has to wait for servers which nobody brings back before the next start."""
SERVERS = tuple(f"valkey-{number}" for number in range(6))


class House:
    """Starts the daemon, knows the pids of today, and never signals a process that is not of this run."""

    def __init__(self, directory: Path, marker: str, *, keep: bool, isolate: bool) -> None:
        self.daemon = RealDaemon(directory)
        self.options = ["--load", "--config", str(directory / "operatord.toml")]
        self.options += ["--keep-cluster"] if keep else []
        self.options += ["--isolate"] if isolate else []
        self.keep = keep
        self.faults: tuple[str, ...] = ()
        """Kinds that can be injected here."""
        self.starts = 0
        self.usage: deque[tuple[float, int, int]] = deque()
        """Monotonic time, pid, and bytes resident of the daemon, once a second."""
        self._marker = f"{MARKER}={marker}"
        self._directory = directory
        self._processes: dict[str, ProcessState] = {}
        self._nodes: list[Node] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch the daemon")
        port = free_port()
        (directory / "operatord.toml").write_text(_CONFIG.format(python=sys.executable, port=port))

    def open(self) -> None:
        self.start()
        self._watcher.start()
        until(lambda: all(self.pid(name) for name in (*WORKERS[:3], *SERVERS, *DECLARED)), "everything to be seen")
        catalogue = json.loads(self.daemon.ctl("faults", "--json", check=True).stdout)["kinds"]
        self.faults = tuple(kind["name"] for kind in catalogue if not kind["missing"])

    def close(self) -> None:
        """Stop everything that the daemon has, kept servers included."""
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if lock_holder(self.daemon.runtime_dir) is not None:
            self.daemon.operatord("stop", *(["--servers"] if self.keep else []))
        self.daemon.end()

    def start(self) -> None:
        """Again and again, as a person would whose daemon is gone; a start may be hit, too."""
        with self._lock:
            self.starts += 1
            for _ in range(3):
                until(lambda: self.keeper_pid() is None, "the keeper to end", _KEEPER_S)
                done = self.daemon.start(*self.options, check=False)
                if done.returncode == 0:
                    return
            raise AssertionError(f"the daemon does not start any more:\n{done.stderr}\n{self.log_tail()}")

    def log_tail(self) -> str:
        log = self.daemon.state_dir / "operatord.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-60:]) if log.exists() else ""

    @property
    def up(self) -> bool:
        return self.main_pid() is not None and not self._lock.locked()

    def keeper_pid(self) -> int | None:
        return lock_holder(self.daemon.runtime_dir)

    def main_pid(self) -> int | None:
        """The daemon: the child of its keeper."""
        keeper = self.keeper_pid()
        if keeper is None:
            return None
        with suppress(psutil.Error):
            for child in psutil.Process(keeper).children():
                if "operatord.daemon" in child.cmdline():
                    return child.pid
        return None

    def pid(self, name: str) -> int | None:
        if name == "forkserver":
            return self._fork_server()
        state = self._processes.get(name)
        return state.pid if state is not None and state.pid is not None and self._is_ours(state.pid) else None

    def phase(self, name: str) -> str:
        state = self._processes.get(name)
        return "" if state is None else state.state

    def signal(self, pid: int | None, signum: int) -> bool:
        """False when there is no such process of ours any more."""
        if pid is None:
            return False
        with suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                if self._is_ours(pid):
                    signal.pidfd_send_signal(descriptor, signum)
                    return True
            finally:
                os.close(descriptor)
        return False

    def ctl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.daemon.ctl(*arguments)

    def _fork_server(self) -> int | None:
        """Not one of the processes that clients hear of."""
        main = self.main_pid()
        with suppress(psutil.Error):
            for child in [] if main is None else psutil.Process(main).children():
                if child.name() == "op:forkserver":
                    return child.pid
        return None

    def address(self, server: str) -> tuple[str, int] | None:
        """Where a server listens."""
        node = next((node for node in self._nodes if node.id == server), None)
        host, _, port = (node.address if node else "").rpartition(":")
        return (host, int(port)) if host else None

    def _is_ours(self, pid: int) -> bool:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            # A server overwrites its environment; it is in a directory of ours.
            return procfs.environment_has(pid, self._marker) or Path(process.cwd()).is_relative_to(self._directory)
        return False

    def _watch(self) -> None:
        with Follower(self.daemon.endpoint, actor="chaos") as follower:
            due = 0.0
            while not self._over.is_set():
                with suppress(OperatorError):
                    follower.poll(0.1)
                self._processes = dict(follower.state.processes)
                self._nodes = list(follower.state.nodes.values())
                if time.monotonic() >= due:
                    due = time.monotonic() + 1
                    self._sample()

    def _sample(self) -> None:
        main = self.main_pid()
        if main is not None:
            with suppress(psutil.Error):
                self.usage.append((time.monotonic(), main, psutil.Process(main).memory_info().rss))


def eventually(condition: Callable[[], object], timeout_s: float) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
