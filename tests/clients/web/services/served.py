"""The routes of the services, asked over ASGI, with a clock that stands still."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from operator_clients.web.errors import install_handlers
from operator_clients.web.services.catalogue import Catalogue
from operator_clients.web.services.prometheus import PrometheusSource
from operator_clients.web.services.router import services_router
from operator_clients.web.services.source import MetricsSource

HEALTH = "/api/metrics/services/health"
LONG_S = 50.0
"""What no machine is too loaded for."""


@dataclass
class Wall:
    """A wall clock that is set by hand."""

    now: float = 1_800_000_030.0

    def __call__(self) -> float:
        return self.now


def asking(url: str) -> PrometheusSource:
    """The source that is used, without its deadline."""
    return PrometheusSource(url, deadline_s=LONG_S)


@contextlib.asynccontextmanager
async def served(
    catalogue: Catalogue, source: MetricsSource | None, clock: Callable[[], float], patience_s: float = LONG_S
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_handlers(app)
    app.include_router(services_router(catalogue, source, clock, patience_s))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://console") as client,
    ):
        yield client


def run(story: Callable[[], Awaitable[None]]) -> None:
    """A story to its end, or sixty seconds."""

    async def told() -> None:
        async with asyncio.timeout(60):
            await story()

    asyncio.run(told())
