"""The routes below ``/api/k8s``."""

import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI, Path, Query, Response

from operator_clients.web.errors import ApiError, responses
from operator_protocol.errors import DeadlineExceeded, Unavailable

from .filtering import DEFAULT_LIMIT, MAX_LIMIT, Column, Order, PodQuery
from .model import (
    ClusterHealth,
    LogTail,
    NodeDetail,
    NodesAnswer,
    PodDetail,
    PodPhase,
    PodsAnswer,
    ReadyStatus,
)
from .reader import STALE_S, ClusterReader
from .schema import answer_schema
from .source import NoSuchObject, Refused

T = TypeVar("T", bound=msgspec.Struct)

MOCK_HEADER = "X-Operator-Mock"
MAX_LINES = 1_000
_MAX_OFFSET = 10_000_000
# RFC 1123 subdomains, which all names in an address are: nothing else ever gets into an address of the API server.
_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"

Name = Annotated[str, Path(pattern=_NAME)]
Chosen = Annotated[str | None, Query(pattern=_NAME, description="A container; the first one if none is named.")]
Part = Annotated[str | None, Query(max_length=253, description="A part of a name, upper or lower case.")]
Exact = Annotated[str | None, Query(max_length=253)]


def kubernetes_router(reader: ClusterReader) -> APIRouter:
    """The routes, reading from ``reader``, which is closed with the application."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await reader.close()

    router = APIRouter(prefix="/api/k8s", tags=["kubernetes"], lifespan=lifespan)

    def sent(answer: msgspec.Struct) -> Response:
        headers = {MOCK_HEADER: "1"} if reader.origin == "mock" else None
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)

    @router.get("/health", responses=_told(ClusterHealth, 503))
    async def cluster_health() -> Response:
        """How many nodes are ready and pods run, and what the nodes use."""
        return sent(await _answered(reader.health()))

    @router.get("/nodes", responses=_told(NodesAnswer, 422, 503))
    async def cluster_nodes(status: ReadyStatus | None = None, search: Part = None) -> Response:
        """All nodes, or those of one status."""
        return sent(await _answered(reader.nodes(status, search)))

    @router.get("/nodes/{name}", responses=_told(NodeDetail, 404, 422, 503))
    async def cluster_node(name: Name) -> Response:
        """One node with its pods and events."""
        return sent(await _answered(reader.node(name)))

    @router.get("/pods", responses=_told(PodsAnswer, 422, 503))
    async def cluster_pods(  # noqa: PLR0917  # by name, from the query
        namespace: Exact = None,
        status: PodPhase | None = None,
        node_name: Annotated[str | None, Query(alias="nodeName", max_length=253)] = None,
        search: Part = None,
        sort: Column = "name",
        order: Order = "asc",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
        offset: Annotated[int, Query(ge=0, le=_MAX_OFFSET)] = 0,
    ) -> Response:
        """A page of the pods that all filters let through; ``total`` counts them all."""
        query = PodQuery(namespace, status, node_name, search, sort, order, limit, offset)
        return sent(await _answered(reader.pods(query)))

    @router.get("/pods/{namespace}/{name}", responses=_told(PodDetail, 404, 422, 503))
    async def cluster_pod(
        namespace: Name,
        name: Name,
        container: Chosen = None,
        lines: Annotated[int, Query(ge=0, le=MAX_LINES)] = 100,
    ) -> Response:
        """One pod with its containers, events and last log lines, read now."""
        return sent(await _answered(reader.pod(namespace, name, container, lines)))

    @router.get("/pods/{namespace}/{name}/log", responses=_told(LogTail, 404, 422, 503))
    async def pod_log(
        namespace: Name,
        name: Name,
        container: Chosen = None,
        lines: Annotated[int, Query(ge=1, le=MAX_LINES)] = MAX_LINES,
    ) -> Response:
        """The last lines of one container, read now."""
        return sent(await _answered(reader.log(namespace, name, container, lines)))

    return router


def _told(answer: type[msgspec.Struct], *statuses: int) -> dict[int | str, dict[str, Any]]:
    right = {"description": "The answer.", "content": {"application/json": {"schema": answer_schema(answer)}}}
    return {200: right, **responses(*statuses)}


async def _answered(reading: Awaitable[T]) -> T:
    try:
        return await reading
    except NoSuchObject as error:
        raise ApiError(404, "not_found", error.message, error.hint) from error
    except Refused as error:
        raise ApiError(503, "kubernetes_refuses", error.message, error.hint) from error
    except (Unavailable, DeadlineExceeded) as error:
        kept = f"{error.message}; nothing younger than {STALE_S:.0f} s is kept"
        raise ApiError(503, "kubernetes_down", kept, error.hint) from error
    except TimeoutError as error:
        raise ApiError(503, "kubernetes_down", "the Kubernetes API server answers too slowly") from error
