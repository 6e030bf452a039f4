"""A client of Prometheus' query API (VictoriaMetrics answers it as well).

Values are texts on the wire, ``NaN`` and ``+Inf`` among them. An empty result is not a zero: it is ``None`` wherever
one figure was asked for, and so is NaN, which is what a quantile of no observations comes out as.
"""

import asyncio
import math
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from operator_protocol.errors import BadRequest, DeadlineExceeded, Unavailable

_LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one time; ``value`` may be NaN or infinite."""

    labels: Mapping[str, str]
    at: float
    """Seconds since the epoch."""
    value: float

    @property
    def figure(self) -> float | None:
        """The value where it is a number that means something; None for NaN and infinities."""
        return self.value if math.isfinite(self.value) else None


@dataclass(frozen=True, slots=True)
class Series:
    """One series over time, oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
    """(seconds since the epoch, value)."""


class PrometheusClient:
    """Asks one server. ``deadline_s`` of a call is the seconds after which it ends, whatever the server does.

    Calls raise ``BadRequest`` for a query that the server does not understand, ``Unavailable`` when it cannot be
    reached, refuses, or is no Prometheus, ``DeadlineExceeded``.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(trust_env=False, timeout=_LONGEST_S)

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def ready(self, *, deadline_s: float) -> None:
        """Return when the server says that it is ready."""
        await self._get("/-/ready", {}, deadline_s)

    async def query(self, expression: str, *, deadline_s: float, at: float | None = None) -> list[Sample]:
        """The series that ``expression`` yields now, or at ``at``; a scalar is one series without labels."""
        parameters = {"query": expression, "timeout": f"{deadline_s:.3f}"}
        if at is not None:
            parameters["time"] = f"{at:.3f}"
        kind, result = _data(await self._get("/api/v1/query", parameters, deadline_s), self.url)
        if kind == "scalar":
            return [_sample({}, result, self.url)]
        if kind != "vector":
            raise BadRequest(f"{expression} yields a {kind}, not one value for each series")
        return [_sample(item.get("metric", {}), item.get("value"), self.url) for item in result]

    async def query_range(
        self, expression: str, start: float, end: float, step_s: float, *, deadline_s: float
    ) -> list[Series]:
        """The series over ``start`` to ``end``, a point each ``step_s`` seconds where there is one."""
        parameters = {
            "query": expression,
            "start": f"{start:.3f}",
            "end": f"{end:.3f}",
            "step": f"{step_s:.3f}",
            "timeout": f"{deadline_s:.3f}",
        }
        kind, result = _data(await self._get("/api/v1/query_range", parameters, deadline_s), self.url)
        if kind != "matrix":
            raise _foreign(self.url)
        found = []
        for item in result:
            samples = [_sample({}, value, self.url) for value in item.get("values", [])]
            found.append(Series(dict(item.get("metric", {})), tuple((one.at, one.value) for one in samples)))
        return found

    async def _get(self, path: str, parameters: Mapping[str, str], deadline_s: float) -> httpx.Response:
        try:
            async with asyncio.timeout(deadline_s):
                response = await self._http.get(f"{self.url}{path}", params=parameters)
        except TimeoutError as error:
            raise DeadlineExceeded(f"{self.url} did not answer within {deadline_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise Unavailable(f"{self.url}: {reason}", "is Prometheus running, and is the address right?") from error
        if response.status_code in (400, 422):
            raise BadRequest(f"{self.url}: {_error(response)}")
        if not response.is_success:
            raise Unavailable(f"{self.url}: {_error(response)}")
        return response


def one(samples: Sequence[Sample]) -> float | None:
    """The figure of a query that yields one series; None where there is no data."""
    return samples[0].figure if samples else None


def by_label(samples: Sequence[Sample], label: str) -> dict[str, float]:
    """Figures by the value of ``label``; series without it, and values that are no figures, are left out."""
    return {
        sample.labels[label]: sample.figure
        for sample in samples
        if label in sample.labels and sample.figure is not None
    }


def _data(response: httpx.Response, url: str) -> tuple[str, Any]:
    try:
        body = response.json()
        if body["status"] != "success":
            raise Unavailable(f"{url}: {body.get('error') or 'the query failed'}")
        return str(body["data"]["resultType"]), body["data"]["result"]
    except (ValueError, KeyError, TypeError) as error:
        raise _foreign(url) from error


def _sample(labels: Mapping[str, str], value: Any, url: str) -> Sample:
    try:
        at, text = value
        return Sample(dict(labels), float(at), float(text))
    except (TypeError, ValueError) as error:
        raise _foreign(url) from error


def _error(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"


def _foreign(url: str) -> Unavailable:
    return Unavailable(f"{url} does not speak Prometheus' query API", "give the URL of a Prometheus server")
