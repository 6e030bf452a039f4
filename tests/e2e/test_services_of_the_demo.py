"""The demo as services: a real daemon under load, a VictoriaMetrics that scrapes the console, the demo catalogue."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.real_daemon import RealDaemon, running_daemon, until
from tests.real_gateway import RealGateway, running_gateway
from tests.standins.metrics import victoria_metrics

from operator_clients.web.encoding import iso

pytestmark = pytest.mark.soak
HEALTH = "/api/metrics/services/health"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RealDaemon]:
    with tempfile.TemporaryDirectory(prefix="op-") as path, running_daemon(Path(path), "--load") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def gateway(daemon: RealDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A console whose figures come from a server that scrapes another console of the same daemon."""
    directory = tmp_path_factory.mktemp("console")
    with running_gateway(directory / "scraped", runtime_dir=daemon.runtime_dir) as scraped:
        host = scraped.url.removeprefix("http://")
        config = directory / "scrape.yml"
        job = f"{{job_name: console, scrape_interval: 1s, static_configs: [{{targets: ['{host}']}}]}}"
        config.write_text(f"scrape_configs: [{job}]\n")
        # What was scraped is to be seen at once: there is one target only to wait for.
        scrape = (f"-promscrape.config={config}", "-search.latencyOffset=1s")
        with victoria_metrics(directory, [], *scrape) as url:
            options = ("--metrics-url", url, "--catalogue", "demo")
            with running_gateway(directory / "asked", *options, runtime_dir=daemon.runtime_dir) as asked:
                yield asked


def services(gateway: RealGateway) -> dict[str, Any]:
    answer = gateway.get(HEALTH)
    assert answer.status_code == 200, answer.text
    assert answer.json()["problems"] == []
    return {one["name"]: one for one in answer.json()["services"]}


def seen(gateway: RealGateway, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The services, once ``condition`` holds; health is kept for 15 s."""
    found: list[dict[str, Any]] = []

    def holds() -> bool:
        found.append(services(gateway))
        return bool(condition(found[-1]))

    until(holds, "the services", 90)
    return found[-1]


@pytest.mark.criterion("US-02", "CPU, memory, pods, req/s and p50 of an HTTP service")
def test_the_demo_catalogue_finds_its_figures_in_what_the_console_publishes(
    daemon: RealDaemon, gateway: RealGateway
) -> None:
    found = seen(gateway, lambda now: now["nodes"]["requestRate"] and now["nodes"]["cpuPercent"] is not None)
    assert found["daemon"]["podCount"] == 1
    workers = [one for one in daemon.status()["processes"] if one["kind"] == "worker" and one["state"] == "ready"]
    assert found["workers"]["podCount"] == len(workers) > 0
    assert found["workers"]["cpuPercent"] is not None
    assert found["workers"]["lastRestart"] is None
    nodes = found["nodes"]
    assert nodes["podCount"] == 6
    assert nodes["requestRate"] > 100
    assert nodes["latencyP50"] is not None
    assert [one["memoryPercent"] for one in found.values()] == [None, None, None]
    assert found["daemon"]["status"] == "healthy"


@pytest.mark.criterion("defect-6", "real restart times")
def test_a_worker_that_was_killed_has_a_last_restart(daemon: RealDaemon, gateway: RealGateway) -> None:
    os.kill(daemon.pid("monitor"), signal.SIGKILL)
    found = seen(gateway, lambda now: now["workers"]["lastRestart"])
    since = daemon.process("monitor")["since_at"]
    assert found["workers"]["lastRestart"] == iso(since)
