"""A hundred readers ask for the health of the services at once; the gateway has a real VictoriaMetrics behind it."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from tests.clients.web.services.platform import platform
from tests.real_gateway import running_gateway
from tests.standins.metrics import victoria_metrics

from .clusterwatch import Unexpected
from .figures import Figure
from .registry import Bench, Benchmark

TARGET_MS = 500.0
_READERS = 100
_LEFT_S = 900.0
"""The series go on for so long, so that the gateway's clock is within them throughout."""
_ANSWERED_WITHIN_S = 30.0


def run(bench: Bench) -> list[Figure]:
    """Each round is a new gateway, whose cache is empty; then the same from its cache."""
    uncached, cached = [], []
    with victoria_metrics(bench.directory(), platform(time.time() + _LEFT_S)) as metrics_url:
        for _ in range(bench.rounds(10, 2)):
            # The daemon that it is told of is not there: none is needed for this.
            directory = bench.directory()
            with running_gateway(directory, "--metrics-url", metrics_url, runtime_dir=directory / "none") as gateway:
                host, port = str(urlsplit(gateway.url).hostname), int(urlsplit(gateway.url).port or 0)
                # Its first answer of all, of something else: the time to import is not the question.
                asyncio.run(_crowd(host, port, "/api/metrics/catalogue", 1))
                uncached.append(_p99(asyncio.run(_crowd(host, port, "/api/metrics/services/health", _READERS))))
                cached.append(_p99(asyncio.run(_crowd(host, port, "/api/metrics/services/health", _READERS))))
    note = f"99th percentile of {_READERS} at once, each from connecting to its last byte"
    return [
        Figure("console_health", "ms", uncached, target=TARGET_MS, note=f"{note}; nothing cached"),
        Figure("console_health.cached", "ms", cached, target=TARGET_MS, note=f"{note}; from the cache"),
    ]


async def _crowd(host: str, port: int, path: str, readers: int) -> list[float]:
    """Milliseconds that each of ``readers`` waited."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()

    async def one() -> float:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        answer = await reader.read()
        taken_ms = (time.monotonic() - began) * 1000
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200") or b"{" not in answer:
            raise Unexpected(f"{path}: {answer[:200]!r}")
        return taken_ms

    async with asyncio.timeout(_ANSWERED_WITHIN_S):
        return await asyncio.gather(*(one() for _ in range(readers)))


def _p99(samples: Sequence[float]) -> float:
    # Of a hundred it is the second largest, of one that one.
    return sorted(samples)[max(0, -(-len(samples) * 99 // 100) - 1)]


BENCHMARK = Benchmark("console-health", "100 readers at once ask the console for the health of the services", run)
