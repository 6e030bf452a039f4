"""A real Prometheus that scrapes a stand-in cluster once a second."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ports import free_ports
from tests.standins.cluster import StandInCluster
from tests.standins.serving import ask


@contextlib.contextmanager
def prometheus(cluster: StandInCluster) -> Iterator[str]:
    """Its URL, once it has scraped every target twice. Skips where Prometheus is not installed."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    directory = Path(cluster.directory)
    targets = {
        "tikv": list(cluster.status.values()),
        "pd": [url.removeprefix("http://") for url in cluster.pd_urls.values()],
    }
    jobs = "".join(
        f"  - job_name: {job}\n    static_configs: [{{targets: [{', '.join(map(repr, hosts))}]}}]\n"
        for job, hosts in targets.items()
    )
    config = directory / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{jobs}")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                status, data = ask("GET", f"{url}/api/v1/query?query=sum(count_over_time(up[1m])>1)")
                if status == 200 and b'"6"' not in data and b'"value"' in data:
                    break
            time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()
