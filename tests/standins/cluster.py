"""A stand-in TiKV cluster of plain local processes: three PDs, three stores, on free ports of the loopback."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.ports import free_ports
from tests.standins import containers
from tests.standins.certificates import Certificates
from tests.standins.pd import REGIONS
from tests.standins.serving import ask, client_of

ROOT = Path(__file__).parents[2]
STORE_IDS = containers.STORE_IDS


def is_balanced(leaders: Iterable[float]) -> bool:
    """Whether three stores lead all regions, as evenly as PD leaves it: two more or fewer it does not mend."""
    led = list(leaders)
    return len(led) == 3 and sum(led) == REGIONS and max(led) - min(led) <= 2


class StandInCluster:
    """``pds`` and ``stores`` by name; each can be killed, frozen and started again."""

    def __init__(
        self, directory: Path, pd_options: Sequence[str] = (), certificates: Certificates | None = None
    ) -> None:
        self.directory = directory
        self._tls = certificates.words("server") if certificates is not None else []
        self._opener = client_of(*self._tls[1::2]) if self._tls else None
        ports = free_ports(9)
        scheme = "https" if self._tls else "http"
        self.pd_urls = {f"pd{index}": f"{scheme}://127.0.0.1:{ports[index]}" for index in range(3)}
        self.addresses = {f"tikv{index}": f"127.0.0.1:{ports[3 + index]}" for index in range(3)}
        self.status = {f"tikv{index}": f"127.0.0.1:{ports[6 + index]}" for index in range(3)}
        self._pd_options = list(pd_options)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names or (*self.pd_urls, *self.addresses):
            with (self.directory / f"{name}.log").open("ab") as output:
                self._processes[name] = subprocess.Popen(self._command(name), cwd=ROOT, stdout=output, stderr=output)

    def _command(self, name: str) -> list[str]:
        return [*self._program(name), *self._tls]

    def _program(self, name: str) -> list[str]:
        if name in self.pd_urls:
            url = self.pd_urls[name]
            peers = ",".join(f"{one}={other}" for one, other in self.pd_urls.items())
            words = ["--name", name, "--listen", url.partition("://")[2], "--peers", peers]
            words += ["--data", str(self.directory / f"{name}.json"), *self._pd_options]
            return [sys.executable, "-m", "tests.standins.pd", *words]
        address, status = self.addresses[name], self.status[name]
        words = ["--store-id", str(STORE_IDS[name]), "--addr", address, "--addr-advertised", address]
        words += ["--status-addr", status, "--status-advertised", status, "--pd", ",".join(self.pd_urls.values())]
        words += ["--data-dir", str(self.directory), "--heartbeat-s", "0.3"]
        return [sys.executable, "-m", "tests.standins.tikv", *words]

    def await_bootstrapped(self, timeout_s: float = 20.0) -> None:
        """Until every PD tells of three stores and of a leader for every region."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if all(self._tells_of_all(url) for url in self.pd_urls.values()):
                return
            time.sleep(0.1)
        raise AssertionError("the stand-in cluster did not come up")

    def _tells_of_all(self, url: str) -> bool:
        with contextlib.suppress(OSError):
            status, data = self.ask(f"{url}/pd/api/v1/stats/region")
            return status == 200 and is_balanced(json.loads(data)["store_leader_count"].values())
        return False

    def ask(self, url: str) -> tuple[int, bytes]:
        """What a server says, with the certificate of a server where one is needed."""
        return ask("GET", url, timeout_s=5.0, opener=self._opener)

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
def standin_cluster(*pd_options: str, certificates: Certificates | None = None) -> Iterator[StandInCluster]:
    with tempfile.TemporaryDirectory(prefix="standin-") as directory:
        cluster = StandInCluster(Path(directory), pd_options, certificates)
        try:
            cluster.start()
            cluster.await_bootstrapped()
            yield cluster
        finally:
            cluster.stop()
