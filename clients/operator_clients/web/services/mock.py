"""Made-up figures for working on the pages without a metrics server: ``--mock-metrics``, and only that.

Every answer that has them says so. They are a function of the service, the metric and the time, so that two readers
see the same.
"""

import math
import zlib
from collections.abc import Sequence

from operator_clients.web.services.source import Origin, Question

_MIDDLE = {"cpu": 45.0, "memory": 55.0, "requests": 120.0, "latency": 180.0}
_PERIOD_S = 1800.0
_DAY_S = 86400.0


class MockSource:
    """Figures that nobody measured."""

    @property
    def origin(self) -> Origin:
        """What it tells is made up."""
        return "mock"

    async def close(self) -> None:
        """There is nothing to give back."""

    async def figure(self, question: Question, at: float) -> float | None:
        """A value on a slow wave of its own."""
        return _figure(question, at)

    async def points(self, question: Question, times: Sequence[float]) -> list[float | None]:
        """The wave at ``times``."""
        return [_figure(question, at) for at in times]


def _figure(question: Question, at: float) -> float:
    seed = zlib.crc32(f"{question.service}/{question.metric}".encode())
    if question.metric == "pods":
        return float(1 + seed % 3)
    if question.metric == "restart":
        return math.floor(at / _DAY_S) * _DAY_S - (seed % 48) * 3600.0
    phase = (seed % 1000) / 1000
    wave = math.sin(2 * math.pi * (at / _PERIOD_S + phase)) + 0.3 * math.sin(2 * math.pi * (at / 300.0 + 3 * phase))
    return round(_MIDDLE[question.metric] * (1 + 0.4 * wave), 2)
