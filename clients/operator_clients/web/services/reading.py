"""Reads the catalogue's figures from the source, and keeps what it read."""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from operator_clients.web.services.cache import PATIENCE_S, Cache, Reading
from operator_clients.web.services.catalogue import SPARKLINE_METRICS, Catalogue, Metric
from operator_clients.web.services.health import Figures
from operator_clients.web.services.source import BadQuery, MetricsSource, Question
from operator_protocol.errors import DeadlineExceeded, Unavailable

HEALTH_FRESH_S = 15.0
SPARKLINE_FRESH_S = 60.0
STEP_S = 60
POINTS = 15
_log = logging.getLogger("operator_web")


@dataclass(frozen=True, slots=True)
class Problem:
    """A query of the catalogue that the source refuses."""

    service: str
    metric: Metric
    message: str


@dataclass(frozen=True, slots=True)
class AllFigures:
    """Every figure of every service at one time."""

    of: dict[str, Figures]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A figure over time."""

    points: tuple[tuple[int, float | None], ...]
    """(seconds since the epoch, value); None is a gap."""
    problem: str | None


def minutes(at: float) -> list[float]:
    """The times of a sparkline that is read at ``at``: fifteen whole minutes, the last one not in the future."""
    last = int(at // STEP_S) * STEP_S
    return [float(last - STEP_S * back) for back in reversed(range(POINTS))]


class ServiceReader:
    """Answers from ``source`` for the services of ``catalogue``.

    Both calls raise ``Unavailable`` or ``DeadlineExceeded`` when the source has nothing to say and nothing young
    enough is kept; ``sparkline`` raises ``KeyError`` for a service or metric that there is not.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        source: MetricsSource,
        clock: Callable[[], float],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._catalogue = catalogue
        self._source = source
        self._said: str | None = None
        self._health = Cache(self._read_health, fresh_s=HEALTH_FRESH_S, clock=clock, patience_s=patience_s)
        self._lines = {
            (service, metric): Cache(
                functools.partial(self._read_line, service, metric),
                fresh_s=SPARKLINE_FRESH_S,
                clock=clock,
                patience_s=patience_s,
            )
            for service in catalogue.services
            for metric in get_args(Metric)
            if metric in SPARKLINE_METRICS
        }

    async def health(self) -> Reading[AllFigures]:
        """Every figure of every service."""
        return await self._health.get()

    async def sparkline(self, service: str, metric: Metric) -> Reading[Line]:
        """A figure over the last fifteen minutes."""
        return await self._lines[service, metric].get()

    async def close(self) -> None:
        """End what is under way, and the source."""
        await self._health.close()
        for line in self._lines.values():
            await line.close()
        await self._source.close()

    async def _read_health(self, at: float) -> AllFigures:
        questions = [
            Question(service, metric, expression)
            for service in self._catalogue.services
            for metric in get_args(Metric)
            if (expression := self._catalogue.expression(service, metric)) is not None
        ]
        answers = await asyncio.gather(
            *(self._source.figure(question, at) for question in questions), return_exceptions=True
        )
        figures: dict[str, dict[Metric, float | None]] = {service: {} for service in self._catalogue.services}
        problems = []
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, BadQuery):
                problems.append(Problem(question.service, question.metric, answer.message))
            elif isinstance(answer, BaseException):
                self._say(answer)
                raise answer
            else:
                figures[question.service][question.metric] = answer
        if problems and len(problems) == len(questions):
            raise Unavailable(f"the metrics server refuses every query: {problems[0].message}", "mend the catalogue")
        self._say(None)
        return AllFigures(dict(figures), tuple(problems))

    async def _read_line(self, service: str, metric: Metric, at: float) -> Line:
        times = minutes(at)
        expression = self._catalogue.expression(service, metric)
        values: list[float | None] = [None] * len(times)
        problem = None
        if expression is not None:
            try:
                values = await self._source.points(Question(service, metric, expression), times)
            except BadQuery as error:
                problem = error.message
        return Line(tuple((int(time), value) for time, value in zip(times, values, strict=True)), problem)

    def _say(self, error: BaseException | None) -> None:
        """Log that the source went down, and that it came back, once each."""
        said = type(error).__name__ if error is not None else None
        if said != self._said:
            if isinstance(error, Unavailable | DeadlineExceeded):
                _log.warning("no service figures: %s", error.message)
            elif error is None:
                _log.info("service figures are there again")
        self._said = said
