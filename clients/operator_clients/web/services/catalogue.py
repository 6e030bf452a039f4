"""The catalogue: which services there are, who calls whom, and with which queries their figures are asked for.

It is a TOML file; ``docs/console-services.md`` describes it. Two are shipped, ``services`` and ``demo``, in
``deploy/console``.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from operator_clients.web.services.thresholds import Threshold, Thresholds
from operator_protocol.errors import BadRequest, NotFound

Metric = Literal["cpu", "memory", "pods", "requests", "latency", "restart"]
"""What may be asked of a service: percent, percent, count, 1/s, ms (the median), seconds since the epoch."""
SPARKLINE_METRICS = ("cpu", "memory", "requests", "latency")
SHIPPED = ("services", "demo")
_DOCUMENT = "docs/console-services.md"
_VARIABLE = re.compile(r"\$(\w*)")

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""As Kubernetes names services."""
Words = Annotated[str, Field(min_length=1, max_length=200)]
Expression = Annotated[str, Field(max_length=4000)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Queries(_Section):
    """A PromQL expression for each metric, yielding one series. Empty: there is no such figure, whatever is usual."""

    cpu: Expression | None = None
    memory: Expression | None = None
    pods: Expression | None = None
    requests: Expression | None = None
    latency: Expression | None = None
    restart: Expression | None = None

    def asked(self) -> tuple[Metric, ...]:
        """The metrics that there is a query for."""
        return tuple(metric for metric in get_args(Metric) if getattr(self, metric))


class Service(_Section):
    """``[[service]]``: one node of the topology."""

    name: Name
    label: Words | None = None
    kind: Literal["http", "worker", "redis", "elasticsearch", "other"] = "other"
    description: Words | None = None
    selector: str = ""
    """What ``$selector`` stands for in its queries: label matchers."""
    queries: Queries = Queries()
    """Its own ones; they win over the catalogue's."""


class Connection(_Section):
    """``[[connection]]``: an edge of the topology."""

    origin: Name = Field(alias="from")
    target: Name = Field(alias="to")
    type: Literal["http", "redis", "elasticsearch"]


class ThresholdLimits(_Section):
    """What a catalogue says of one threshold; units and directions are not its to choose."""

    warning: float | None = None
    critical: float | None = None


class _File(_Section):
    title: Words
    thresholds: dict[Literal["cpu", "memory", "disk", "latency", "requests", "pods"], ThresholdLimits] = {}
    queries: Queries = Queries()
    service: list[Service] = Field(min_length=1, max_length=100)
    connection: list[Connection] = Field(default=[], max_length=1000)

    @field_validator("queries", mode="after")
    @classmethod
    def _known_variables(cls, queries: Queries) -> Queries:
        _check_variables(queries)
        return queries

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [service.name for service in self.service]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"there is more than one service {doubled[0]}")
        for service in self.service:
            _check_variables(service.queries)
        ends = [(one.origin, one.target, one.type) for one in self.connection]
        for origin, target, kind in ends:
            if unknown := sorted({origin, target} - set(names)):
                raise ValueError(f"connection {origin} to {target}: there is no service {unknown[0]}")
            if origin == target:
                raise ValueError(f"connection {origin} to {target}: it leads back to itself")
            if ends.count((origin, target, kind)) > 1:
                raise ValueError(f"connection {origin} to {target} ({kind}) is there more than once")
        return self


class Catalogue(BaseModel):
    """A whole catalogue, checked, with the queries of every service filled in."""

    model_config = ConfigDict(frozen=True)

    title: str
    services: dict[str, Service]
    """By name, in the order of the file."""
    connections: tuple[Connection, ...]
    thresholds: Thresholds

    def expression(self, service: str, metric: Metric) -> str | None:
        """The query for a metric of a service; None where it has none. Raises ``KeyError`` for an unknown service."""
        found: str | None = getattr(self.services[service].queries, metric)
        return found


def load_catalogue(named: str) -> Catalogue:
    """The catalogue in the file ``named``, or the shipped one of that name.

    Raises ``NotFound`` for a file that is not there, ``BadRequest`` naming file and key of what is wrong in it.
    """
    file = _shipped(named) if named in SHIPPED else Path(named)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        there_are = f"give a file, or one of {', '.join(SHIPPED)}, which are shipped"
        raise NotFound(f"cannot read the catalogue {file}: {error.strerror}", there_are) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file}: {error}", f"mend that line; {_DOCUMENT} shows every key") from error
    hint = f"{_DOCUMENT} shows every key"
    try:
        return _made_of(_File.model_validate(data))
    except BadRequest as error:
        raise BadRequest(f"{file}: {error.message}", hint) from error
    except ValidationError as error:
        first, *more = error.errors()
        key = ".".join(str(part) for part in first["loc"]) or "catalogue"
        others = f" (and {len(more)} more)" if more else ""
        raise BadRequest(f"{file}: {key}: {_problem(error)}{others}", hint) from error


def _made_of(file: _File) -> Catalogue:
    return Catalogue(
        title=file.title,
        services={service.name: _with_queries(service, file.queries) for service in file.service},
        connections=tuple(file.connection),
        thresholds=_thresholds(file),
    )


def _with_queries(service: Service, usual: Queries) -> Service:
    variables = {"service": service.name, "selector": service.selector}
    filled = {}
    for metric in Queries.model_fields:
        own = getattr(service.queries, metric)
        chosen = getattr(usual, metric) if own is None else own
        filled[metric] = _filled(chosen, variables) if chosen else None
    return service.model_copy(update={"queries": Queries(**filled)})


def _thresholds(file: _File) -> Thresholds:
    defaults = Thresholds()
    chosen: dict[str, Threshold] = {}
    for name, limits in file.thresholds.items():
        usual: Threshold = getattr(defaults, name)
        told = {**usual.model_dump(), "warning": limits.warning, "critical": limits.critical}
        try:
            chosen[name] = Threshold(**told)
        except ValidationError as error:
            raise BadRequest(f"thresholds.{name}: {_problem(error)}") from error
    return defaults.model_copy(update=chosen)


def _problem(error: ValidationError) -> str:
    first = error.errors()[0]
    unknown = first["type"] == "extra_forbidden"
    return "there is no such key" if unknown else first["msg"].removeprefix("Value error, ")


def _filled(expression: str, variables: dict[str, str]) -> str:
    # Not string.Template: in PromQL a $ may also end a regular expression, which it would not let stand.
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), expression).strip()


def _check_variables(queries: Queries) -> None:
    for metric in Queries.model_fields:
        for name in _VARIABLE.findall(getattr(queries, metric) or ""):
            if name and name not in ("service", "selector"):
                raise ValueError(f"queries.{metric}: there is no ${name}, only $service and $selector")


def _shipped(name: str) -> Path:
    here = Path(__file__).resolve()
    # Beside the package in an installation, in the sources otherwise.
    places = [here.parents[depth] / "deploy" / "console" / f"{name}.toml" for depth in (2, 4)]
    return next((place for place in places if place.is_file()), places[0])
