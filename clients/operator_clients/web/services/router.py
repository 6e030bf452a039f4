"""The routes below ``/api/metrics``: health, sparklines, and the catalogue that both are drawn with."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal, TypeVar

from fastapi import APIRouter, FastAPI, Response

from operator_clients.web.errors import ApiError, responses
from operator_clients.web.services.answers import (
    CatalogueResponse,
    ServicesHealthResponse,
    SparklineResponse,
    catalogue_answer,
    health_answer,
    sparkline_answer,
)
from operator_clients.web.services.cache import PATIENCE_S, STALE_S
from operator_clients.web.services.catalogue import Catalogue
from operator_clients.web.services.mock import MockSource
from operator_clients.web.services.prometheus import PrometheusSource
from operator_clients.web.services.reading import ServiceReader
from operator_clients.web.services.source import MetricsSource
from operator_protocol.errors import BadRequest, DeadlineExceeded, Unavailable

T = TypeVar("T")
MOCK_HEADER = "X-Operator-Mock"


def metrics_source(url: str | None, *, mock: bool = False) -> MetricsSource | None:
    """The source that was configured, None where there is none. Raises ``BadRequest`` for what is no URL, or both."""
    if mock and url is not None:
        raise BadRequest("figures are either measured or made up", "give --metrics-url or --mock-metrics, not both")
    if mock:
        return MockSource()
    return PrometheusSource(url) if url is not None else None


def services_router(
    catalogue: Catalogue,
    source: MetricsSource | None,
    clock: Callable[[], float] = time.time,
    patience_s: float = PATIENCE_S,
) -> APIRouter:
    """The routes, reading from ``source``; without one they answer 503. The source is closed with the application.

    ``patience_s`` is how long a slow source keeps a reader waiting for whom there is an old answer.
    """
    reader = ServiceReader(catalogue, source, clock, patience_s) if source is not None else None
    origin = source.origin if source is not None else None

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if reader is not None:
                await reader.close()

    router = APIRouter(prefix="/api/metrics", tags=["services"], lifespan=lifespan)

    @router.get("/services/health", responses=responses(503))
    async def services_health(response: Response) -> ServicesHealthResponse:
        """How every service is: from the metrics server, or what it last said, at most five minutes ago."""
        reading = await _answered(_there(reader).health())
        return health_answer(reading, catalogue, _marked(response))

    @router.get("/services/{name}/sparkline", responses=responses(404, 422, 503))
    async def sparkline(
        name: str, metric: Literal["cpu", "memory", "requests", "latency"], response: Response
    ) -> SparklineResponse:
        """Fifteen points, one a minute; a gap is a null. Timestamps are seconds."""
        if name not in catalogue.services:
            there_are = f"there are {', '.join(catalogue.services)}"
            raise ApiError(404, "unknown_service", f"there is no service {name[:64]!r}", there_are)
        reading = await _answered(_there(reader).sparkline(name, metric))
        return sparkline_answer(name, metric, reading, catalogue.thresholds, _marked(response))

    @router.get("/catalogue")
    async def services_catalogue() -> CatalogueResponse:
        """Services, connections and thresholds, as the gateway was configured."""
        return catalogue_answer(catalogue, origin)

    def _marked(response: Response) -> Literal["live", "mock"]:
        if origin != "mock":
            return "live"
        response.headers[MOCK_HEADER] = "1"
        return "mock"

    return router


def _there(reader: ServiceReader | None) -> ServiceReader:
    if reader is None:
        raise ApiError(
            503, "no_metrics_source", "no metrics server is configured", "start operator-web with --metrics-url URL"
        )
    return reader


async def _answered(reading: Awaitable[T]) -> T:
    """Whatever a source cannot do is a 503 here: its slowness, too, is not the reader's fault."""
    try:
        return await reading
    except (Unavailable, DeadlineExceeded) as error:
        kept = f"{error.message}; nothing younger than {STALE_S / 60:.0f} minutes is kept"
        raise ApiError(503, "source_down", kept, error.hint) from error
