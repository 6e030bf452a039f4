"""A hundred readers ask for the health of the services at once; the gateway has a real VictoriaMetrics behind it."""

import time

from tests.clients.web.services.platform import platform
from tests.real_gateway import running_gateway
from tests.standins.metrics import victoria_metrics

from .buses import percentile
from .figures import Figure
from .readers import ask_together
from .registry import Bench, Benchmark

TARGET_MS = 500.0
_READERS = 100
_PATH = "/api/metrics/services/health"
_LEFT_S = 900.0
"""The series go on for so long, so that the gateway's clock is within them throughout."""


def run(bench: Bench) -> list[Figure]:
    """Each round is a new gateway, whose cache is empty; then the same from its cache."""
    uncached, cached = [], []
    with victoria_metrics(bench.directory(), platform(time.time() + _LEFT_S)) as metrics_url:
        for _ in range(bench.rounds(10, 2)):
            # The daemon that it is told of is not there: none is needed for this.
            directory = bench.directory()
            with running_gateway(directory, "--metrics-url", metrics_url, runtime_dir=directory / "none") as gateway:
                # Its first answer of all, of something else: the time to import is not the question.
                ask_together(gateway.url, "/api/metrics/catalogue", 1)
                uncached.append(percentile(ask_together(gateway.url, _PATH, _READERS), 99))
                cached.append(percentile(ask_together(gateway.url, _PATH, _READERS), 99))
    note = f"99th percentile of {_READERS} at once, each from connecting to its last byte"
    return [
        Figure("console_health", "ms", uncached, target=TARGET_MS, note=f"{note}; nothing cached"),
        Figure("console_health.cached", "ms", cached, target=TARGET_MS, note=f"{note}; from the cache"),
    ]


BENCHMARK = Benchmark("console-health", "100 readers at once ask the console for the health of the services", run)
