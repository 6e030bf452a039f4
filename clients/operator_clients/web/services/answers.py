"""What goes to the browser: the shapes of the contract, in camelCase, and beside them how old the data is."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from operator_clients.web.encoding import iso
from operator_clients.web.services.cache import Reading
from operator_clients.web.services.catalogue import SPARKLINE_METRICS, Catalogue, Metric
from operator_clients.web.services.health import Figures, Status, judge, restarted_at
from operator_clients.web.services.reading import AllFigures, Line
from operator_clients.web.services.source import Origin
from operator_clients.web.services.thresholds import Level, Threshold, Thresholds

_DIGITS = 3


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Dated(_Answer):
    stale: bool = Field(description="Old: the source does not answer, or not soon enough.")
    age_seconds: float = Field(description="Since the source was asked.")
    source: Literal["live", "cache", "mock"] = Field(description="mock: nobody measured this, it is made up.")


class ConnectionAnswer(_Answer):
    """An edge of the topology."""

    from_: Annotated[str, Field(alias="from")]
    to: str
    type: Literal["http", "redis", "elasticsearch"]


class ServiceHealthInfo(_Answer):
    """One service now; null is what is not known."""

    name: str
    status: Status
    cpu_percent: float | None = Field(description="Of the limit; null without a limit.")
    memory_percent: float | None = Field(description="Of the limit; null without a limit.")
    pod_count: int | None
    request_rate: float | None = Field(description="Requests a second.")
    latency_p50: float | None = Field(description="Milliseconds.")
    last_restart: str | None = Field(description="ISO 8601; null when none is known of.")
    reasons: list[str] = Field(description="Why it is not healthy.")


class ProblemAnswer(_Answer):
    """A query of the catalogue that the metrics server refuses."""

    service: str
    metric: Metric
    message: str


class ServicesHealthResponse(_Dated):
    """All services, and who calls whom."""

    services: list[ServiceHealthInfo]
    connections: list[ConnectionAnswer]
    timestamp: str = Field(description="Of the figures, ISO 8601.")
    problems: list[ProblemAnswer]


class DataPoint(_Answer):
    """A value, or a gap."""

    timestamp: int = Field(description="Seconds since the epoch.")
    value: float | None


class SparklineResponse(_Dated):
    """One metric of one service over fifteen minutes."""

    service: str
    metric: Metric
    unit: str
    data_points: list[DataPoint]
    interval: Literal["1m"] = "1m"
    duration: Literal["15m"] = "15m"
    current: float | None = Field(description="The last point's value.")
    level: Level = Field(description="Of the current value, not of an average.")
    problem: str | None


class CatalogueNode(_Answer):
    """A node of the topology."""

    name: str
    label: str
    kind: Literal["http", "worker", "redis", "elasticsearch", "other"]
    description: str | None
    metrics: list[Metric] = Field(description="Those that it has a query for.")


class CatalogueResponse(_Answer):
    """What does not change while the gateway runs."""

    title: str
    nodes: list[CatalogueNode]
    connections: list[ConnectionAnswer]
    thresholds: dict[str, Threshold] = Field(description="By metric; a value that is equal has reached it.")
    sparkline_metrics: list[str]
    refresh_seconds: int = Field(description="How often to ask for health and sparklines.")
    source: Literal["live", "mock", "none"]


REFRESH_S = 30
"""US-01 to US-03."""


def health_answer(reading: Reading[AllFigures], catalogue: Catalogue, origin: Origin) -> ServicesHealthResponse:
    """The figures as the contract has them."""
    return ServicesHealthResponse(
        services=[_service(name, figures, catalogue.thresholds) for name, figures in reading.value.of.items()],
        connections=_connections(catalogue),
        timestamp=iso(reading.at),
        problems=[
            ProblemAnswer(service=one.service, metric=one.metric, message=one.message) for one in reading.value.problems
        ],
        stale=reading.stale,
        age_seconds=round(reading.age_s, _DIGITS),
        source="mock" if origin == "mock" else reading.source,
    )


def sparkline_answer(
    service: str, metric: Metric, reading: Reading[Line], thresholds: Thresholds, origin: Origin
) -> SparklineResponse:
    """The line as the contract has it."""
    threshold: Threshold = getattr(thresholds, metric)
    current = reading.value.points[-1][1]
    return SparklineResponse(
        service=service,
        metric=metric,
        unit=threshold.unit,
        data_points=[DataPoint(timestamp=at, value=_rounded(value)) for at, value in reading.value.points],
        current=_rounded(current),
        level=threshold.level(current),
        problem=reading.value.problem,
        stale=reading.stale,
        age_seconds=round(reading.age_s, _DIGITS),
        source="mock" if origin == "mock" else reading.source,
    )


def catalogue_answer(catalogue: Catalogue, origin: Origin | None) -> CatalogueResponse:
    """The catalogue, without its queries: how the figures are come by is nobody's concern in a browser."""
    return CatalogueResponse(
        title=catalogue.title,
        nodes=[
            CatalogueNode(
                name=service.name,
                label=service.label or service.name,
                kind=service.kind,
                description=service.description,
                metrics=list(service.queries.asked()),
            )
            for service in catalogue.services.values()
        ],
        connections=_connections(catalogue),
        thresholds={name: getattr(catalogue.thresholds, name) for name in Thresholds.model_fields},
        sparkline_metrics=list(SPARKLINE_METRICS),
        refresh_seconds=REFRESH_S,
        source=origin or "none",
    )


def _service(name: str, figures: Figures, thresholds: Thresholds) -> ServiceHealthInfo:
    verdict = judge(figures, thresholds)
    pods = figures.get("pods")
    return ServiceHealthInfo(
        name=name,
        status=verdict.status,
        cpu_percent=_rounded(figures.get("cpu")),
        memory_percent=_rounded(figures.get("memory")),
        pod_count=None if pods is None else round(pods),
        request_rate=_rounded(figures.get("requests")),
        latency_p50=_rounded(figures.get("latency")),
        last_restart=restarted_at(figures.get("restart")),
        reasons=list(verdict.reasons),
    )


def _connections(catalogue: Catalogue) -> list[ConnectionAnswer]:
    return [ConnectionAnswer(from_=one.origin, to=one.target, type=one.type) for one in catalogue.connections]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
