"""The routes of the console's Kubernetes page in an application of their own, asked over HTTP in the same process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.population import Population

from operator_clients.web.errors import install_handlers
from operator_clients.web.kubernetes import reader
from operator_clients.web.kubernetes.client import KubernetesClient
from operator_clients.web.kubernetes.router import kubernetes_router

NODES, PODS = 20, 400
HEALTH, ALL_NODES, ALL_PODS = "/api/k8s/health", "/api/k8s/nodes", "/api/k8s/pods"


class Wall:
    """A wall clock that goes when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Console:
    """Asks; ``wall`` is the gateway's clock, ``api`` the cluster."""

    def __init__(self, client: httpx.AsyncClient, api: KubernetesApi, wall: Wall) -> None:
        self.client = client
        self.api = api
        self.wall = wall

    async def get(self, path: str, /, **params: Any) -> Any:
        """The body of an answer that is a success."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def error(self, path: str, code: int, /, **params: Any) -> dict[str, str]:
        """What an answer that is none says."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == code, answer.text
        found: dict[str, str] = answer.json()["error"]
        assert set(found) == {"code", "message", "hint"}
        return found

    def asked(self, start: str) -> int:
        """How often the API server was asked for what begins so."""
        return sum(one.startswith(start) for one in self.api.requests)


@contextlib.contextmanager
def standin(nodes: int = NODES, pods: int = PODS) -> Iterator[KubernetesApi]:
    api = KubernetesApi(Population(nodes, pods))
    try:
        yield api
    finally:
        api.stop()


@contextlib.asynccontextmanager
async def served(told: reader.ClusterReader) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_handlers(app)
    app.include_router(kubernetes_router(told))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://console") as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def console(
    api: KubernetesApi, directory: Path, *, token: str | None = None, patience_s: float = 50.0
) -> AsyncIterator[Console]:
    """With a kubeconfig that leads to ``api``, and the patience to wait for a machine that is busy."""
    wall = Wall(api.population.now)
    config = api.kubeconfig(directory / "kubeconfig", token=token)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "PATIENCE_S", patience_s)
        told = reader.ClusterReader(KubernetesClient(config, None, wall), wall)
    async with served(told) as client:
        yield Console(client, api, wall)


def run(story: Callable[[], Awaitable[None]]) -> None:
    """A story to its end, at most a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(bounded())
