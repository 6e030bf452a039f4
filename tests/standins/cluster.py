"""A stand-in TiKV cluster of plain local processes: three PDs, three stores, on free ports of the loopback."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.standins import containers
from tests.standins.serving import ask

ROOT = Path(__file__).parents[2]
STORE_IDS = containers.STORE_IDS


class StandInCluster:
    """``pds`` and ``stores`` by name; each can be killed, frozen and started again."""

    def __init__(self, directory: Path, pd_options: Sequence[str] = ()) -> None:
        self.directory = directory
        ports = free_ports(9)
        self.pd_urls = {f"pd{index}": f"http://127.0.0.1:{ports[index]}" for index in range(3)}
        self.addresses = {f"tikv{index}": f"127.0.0.1:{ports[3 + index]}" for index in range(3)}
        self.status = {f"tikv{index}": f"127.0.0.1:{ports[6 + index]}" for index in range(3)}
        self._pd_options = list(pd_options)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names or (*self.pd_urls, *self.addresses):
            with (self.directory / f"{name}.log").open("ab") as output:
                self._processes[name] = subprocess.Popen(self._command(name), cwd=ROOT, stdout=output, stderr=output)

    def _command(self, name: str) -> list[str]:
        if name in self.pd_urls:
            url = self.pd_urls[name]
            peers = ",".join(f"{one}={other}" for one, other in self.pd_urls.items())
            words = ["--name", name, "--listen", url.removeprefix("http://"), "--peers", peers]
            words += ["--data", str(self.directory / f"{name}.json"), *self._pd_options]
            return [sys.executable, "-m", "tests.standins.pd", *words]
        address, status = self.addresses[name], self.status[name]
        words = ["--store-id", str(STORE_IDS[name]), "--addr", address, "--addr-advertised", address]
        words += ["--status-addr", status, "--status-advertised", status, "--pd", ",".join(self.pd_urls.values())]
        words += ["--data-dir", str(self.directory), "--heartbeat-s", "0.3"]
        return [sys.executable, "-m", "tests.standins.tikv", *words]

    def await_bootstrapped(self, timeout_s: float = 20.0) -> None:
        """Until some PD tells of three stores and of a leader for every region."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for url in self.pd_urls.values():
                with contextlib.suppress(OSError):
                    status, data = ask("GET", f"{url}/pd/api/v1/stats/region", timeout_s=5.0)
                    if status == 200 and list(json.loads(data)["store_leader_count"].values()) == [4, 4, 4]:
                        return
            time.sleep(0.1)
        raise AssertionError("the stand-in cluster did not come up")

    def kill(self, *names: str) -> None:
        for name in names:
            self._processes[name].kill()
            self._processes[name].wait()

    def freeze(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def standin_cluster(*pd_options: str) -> Iterator[StandInCluster]:
    with tempfile.TemporaryDirectory(prefix="standin-") as directory:
        cluster = StandInCluster(Path(directory), pd_options)
        try:
            cluster.start()
            cluster.await_bootstrapped()
            yield cluster
        finally:
            cluster.stop()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
