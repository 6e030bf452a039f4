"""The Kubernetes routes of the console on a cluster of 500 nodes and 10,000 pods, with nothing in the cache.

The API server is a stand-in in a process of its own with objects of real size: the list of pods is 64 MB. The reader's
clock jumps before each sample, so that all of it is read anew; connections stay, as they do in a gateway that runs.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
from fastapi import FastAPI
from tests.real_gateway import running_gateway

from operator_clients.web.errors import install_handlers
from operator_clients.web.heap import made_for_good
from operator_clients.web.kubernetes.client import KubernetesClient
from operator_clients.web.kubernetes.reader import STALE_S, ClusterReader
from operator_clients.web.kubernetes.router import kubernetes_router

from .buses import percentile
from .clusterwatch import Unexpected
from .figures import Figure
from .registry import Bench, Benchmark

NODES, PODS = 500, 10_000
TARGET_MS = 1_000.0
HOLD_MS = 50.0
_STEP_S = 0.005
ROUTES = {
    "health": "/api/k8s/health",
    "nodes": "/api/k8s/nodes",
    "pods": "/api/k8s/pods?sort=restarts&order=desc&search=a&limit=500",
}


class _Late(NamedTuple):
    """Of a timer, the longest, in milliseconds."""

    wall_ms: float
    held_ms: float
    """As much of one delay as this process was busy with: the rest is the machine's, which others use as well."""


def run(bench: Bench) -> list[Figure]:
    """The 99th percentile of the samples of each route, and how long the loop was held up meanwhile."""
    directory = bench.directory()
    config = directory / "kubeconfig"
    samples: dict[str, list[float]] = {name: [] for name in ROUTES}
    late: list[_Late] = []
    with serving_cluster(config):
        for _ in range(bench.rounds(5, 1)):
            for name, path in ROUTES.items():
                took, latest = asyncio.run(_ask(config, path, bench.rounds(30, 5)))
                samples[name].append(percentile(took, 99))
                late.append(latest)
        first = [_first(bench, config) for _ in range(bench.rounds(3, 1))]
    note = f"99th percentile of an answer about {NODES} nodes and {PODS:,} pods; nothing cached"
    return [
        *(
            Figure(f"console_kubernetes.{name}", "ms", took, target=TARGET_MS, note=note)
            for name, took in samples.items()
        ),
        Figure("console_kubernetes.first", "ms", first, note="of a gateway that has just started, over HTTP"),
        Figure(
            "console_kubernetes.loop",
            "ms",
            [one.wall_ms for one in late],
            note="longest time that a stream would have had to wait",
        ),
        Figure(
            "console_kubernetes.hold",
            "ms",
            [one.held_ms for one in late],
            target=HOLD_MS,
            note="longest hold of the loop: as much of one wait as the process itself was busy with",
        ),
    ]


async def _ask(config: Path, path: str, times: int) -> tuple[list[float], _Late]:
    """Milliseconds of each answer, and by how much the loop was late."""
    jumped_s, took = 0.0, []
    reader = ClusterReader(KubernetesClient(config, None, time.time), lambda: time.time() + jumped_s)
    with made_for_good():  # as in ``serving``
        app = _application(reader)
    async with _served(app) as client:
        await client.get(path)
        stop = asyncio.Event()
        watch = asyncio.create_task(_watch(stop))
        try:
            for _ in range(times):
                jumped_s += 2 * STALE_S
                began = time.perf_counter()
                answer = await client.get(path)
                took.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200 or answer.json()["source"] != "live":
                    raise Unexpected(f"{path}: {answer.text[:200]}")
        finally:
            stop.set()
            late = await watch
    return took, late


def _application(reader: ClusterReader) -> FastAPI:
    app = FastAPI()
    install_handlers(app)
    app.include_router(kubernetes_router(reader))
    return app


@contextlib.asynccontextmanager
async def _served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as client,
    ):
        yield client


async def _watch(stop: asyncio.Event) -> _Late:
    wall_ms = held_ms = 0.0
    while not stop.is_set():
        began, busy = time.perf_counter(), time.process_time()
        await asyncio.sleep(_STEP_S)
        late_ms = (time.perf_counter() - began - _STEP_S) * 1000
        wall_ms = max(wall_ms, late_ms)
        held_ms = max(held_ms, min(late_ms, (time.process_time() - busy) * 1000))
    return _Late(wall_ms, held_ms)


def _first(bench: Bench, config: Path) -> float:
    directory = bench.directory()
    with running_gateway(directory, "--kubeconfig", str(config), runtime_dir=directory / "none") as gateway:
        # The time to start is not the question.
        gateway.get("/api/metrics/catalogue")
        began = time.perf_counter()
        answer = gateway.get(ROUTES["pods"])
        took_ms = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise Unexpected(answer.text[:200])
    return took_ms


@contextlib.contextmanager
def serving_cluster(config: Path) -> Iterator[None]:
    """The API server, as long as it is wanted; ``config`` is the kubeconfig that leads to it."""
    words = ["--nodes", str(NODES), "--pods", str(PODS), "--kubeconfig", str(config)]
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.standins.kubernetes", *words],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        yield
    finally:
        server.kill()
        server.communicate()


BENCHMARK = Benchmark("console-kubernetes", f"nodes and pods of a cluster of {PODS:,} pods, nothing cached", run)
