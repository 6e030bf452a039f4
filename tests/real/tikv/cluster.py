"""Three real PDs as plain local processes, with stores that heartbeat to them (``pd-server/stores``)."""

import contextlib
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_ports
from tests.real.tikv.programs import Programs
from tests.standins.serving import ask

STORE_IDS = {"tikv0": 1, "tikv1": 4, "tikv2": 9_007_199_254_740_994, "tikv3": 9_007_199_254_740_996}
"""The first three hold a replica of each region; the last one is there to move one to. Two are beyond
2**53, and still doubles, since PD reads the ids of requests as such."""
REGIONS = 12
_READY_S = 60.0


class RealCluster:
    """``pds`` and ``stores`` by name; PDs can be killed and frozen, stores killed and muted."""

    def __init__(self, directory: Path, programs: Programs) -> None:
        self.directory = directory
        self._programs = programs
        ports = free_ports(6 + 2 * len(STORE_IDS))
        self.pd_urls = {f"pd{index}": f"http://127.0.0.1:{ports[index]}" for index in range(3)}
        self._peer_urls = {f"pd{index}": f"http://127.0.0.1:{ports[3 + index]}" for index in range(3)}
        places = iter(ports[6:])
        self.addresses = {name: f"127.0.0.1:{next(places)}" for name in STORE_IDS}
        self.status = {name: f"127.0.0.1:{next(places)}" for name in STORE_IDS}
        self._processes: dict[str, subprocess.Popen[str]] = {}

    # PDs

    def start(self, *names: str) -> None:
        for name in names or tuple(self.pd_urls):
            self._run(
                name,
                str(self._programs.pd_server),
                f"--name={name}",
                f"--data-dir={self.directory / name}",
                f"--client-urls={self.pd_urls[name]}",
                f"--peer-urls={self._peer_urls[name]}",
                f"--initial-cluster={','.join(f'{one}={url}' for one, url in self._peer_urls.items())}",
                "--log-level=info",
            )

    def kill(self, *names: str) -> None:
        for name in names:
            self._processes[name].kill()
            self._processes[name].wait()

    def freeze(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGCONT)

    def leader(self) -> str:
        """The PD that leads; waits until there is one, as those that live say."""
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            for name, url in self.pd_urls.items():
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    if self._processes[name].poll() is None:
                        status, data = ask("GET", f"{url}/pd/api/v1/leader", timeout_s=5)
                        found: str = json.loads(data)["name"] if status == 200 else ""
                        if found and self._processes[found].poll() is None:
                            return found
            time.sleep(0.1)
        raise AssertionError("no PD came to lead")

    def await_healthy(self) -> None:
        """Until PD holds all of its members for healthy: right after they started it does not."""
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found = [self.get(url, "/health") for url in self.pd_urls.values()]
                if all(one["health"] for members in found for one in members):
                    return
            time.sleep(0.1)
        raise AssertionError("the PDs did not become healthy")

    # stores

    def start_stores(self) -> None:
        words = [f"{one}={self.addresses[name]}={self.status[name]}" for name, one in STORE_IDS.items()]
        pds = ",".join(url.removeprefix("http://") for url in self.pd_urls.values())
        self._run("stores", str(self._programs.stores), f"-pd={pds}", f"-regions={REGIONS}", *words)

    def tell(self, command: str, store: str) -> None:
        """``kill``, ``mute`` or ``start`` a store; returns when it is done."""
        process = self._processes["stores"]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{command} {STORE_IDS[store]}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    def await_regions(self) -> None:
        """Until PD has been told of every region and its leader."""
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            for url in self.pd_urls.values():
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    stats = self.get(url, "/stats/region?start_key=&end_key=")
                    if stats["count"] == REGIONS == sum(stats["store_leader_count"].values()):
                        return
            time.sleep(0.1)
        raise AssertionError(f"the stores did not register: {self.log('stores')[-2000:]}")

    # all

    def get(self, url: str, path: str) -> Any:
        """A body as it came."""
        return json.loads(ask("GET", f"{url}/pd/api/v1{path}", timeout_s=10)[1])

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _run(self, name: str, *command: str) -> None:
        if name in self._processes:
            self.kill(name)
        with (self.directory / f"{name}.log").open("a") as errors:
            commanded = name == "stores"
            self._processes[name] = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.PIPE if commanded else subprocess.DEVNULL,
                stdout=subprocess.PIPE if commanded else errors,
                stderr=errors,
                text=True,
            )


@contextlib.contextmanager
def real_cluster(programs: Programs, *, stores: bool = True) -> Iterator[RealCluster]:
    with tempfile.TemporaryDirectory(prefix="real-pd-") as directory:
        cluster = RealCluster(Path(directory), programs)
        try:
            cluster.start()
            cluster.leader()
            cluster.await_healthy()
            if stores:
                cluster.start_stores()
                cluster.await_regions()
            yield cluster
        finally:
            cluster.stop()
