"""What is asked for figures: one seam, behind which is a server (``prometheus``) or made-up data (``mock``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from operator_clients.web.services.catalogue import Metric
from operator_protocol.errors import BadRequest

Origin = Literal["live", "mock"]


class BadQuery(BadRequest):
    """The source works, but does not understand this query, or it does not yield what it should.

    A mistake in the catalogue. What the source cannot do for other reasons is ``Unavailable``.
    """


@dataclass(frozen=True, slots=True)
class Question:
    """One metric of one service, and how to ask for it."""

    service: str
    metric: Metric
    expression: str


class MetricsSource(Protocol):
    """Answers questions. Every call may raise ``BadQuery``, ``Unavailable`` and ``DeadlineExceeded``."""

    @property
    def origin(self) -> Origin:
        """Whether its figures are measured or made up."""

    async def figure(self, question: Question, at: float) -> float | None:
        """The value at ``at`` (seconds since the epoch); None where there is no data, NaN and infinities included."""

    async def points(self, question: Question, times: Sequence[float]) -> list[float | None]:
        """The values at ``times``, which are evenly spaced."""

    async def close(self) -> None:
        """Give connections back."""
