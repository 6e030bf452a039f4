"""Asks Prometheus or VictoriaMetrics, through the query API that both have.

The other side may be slow, may be another server behind that port, or may break off in the middle: whatever it does,
a call ends within the deadline, reads no more than it must, and ends in a figure or in an error of ours.
"""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from operator_clients.web.services.source import BadQuery, Origin, Question
from operator_protocol.errors import BadRequest, DeadlineExceeded, Unavailable

DEADLINE_S = 3.0
"""Of one query. Rendering a page must not wait for a server that will not answer."""
_AT_ONCE = 8
"""Queries under way: enough to hide the round trips, few enough for a small server."""
_LONGEST_BYTES = 1 << 20
"""One figure or fifteen points are well under 1 KiB; a million series are a mistake in the query."""
_HINT = "is it running, and is --metrics-url the address of VictoriaMetrics or Prometheus?"


class PrometheusSource:
    """Asks the server at ``url``; a name and password in it are sent, and never shown."""

    def __init__(self, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Raises ``BadRequest`` for what is no URL."""
        try:
            parsed = httpx.URL(url.rstrip("/"))
        except (httpx.InvalidURL, TypeError, ValueError) as error:
            # Without what was given, and what is said of it: there may be a password in both.
            raise BadRequest("the metrics URL cannot be read", "like http://127.0.0.1:8428") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise BadRequest("the metrics URL must begin with http:// or https://", "like http://127.0.0.1:8428")
        self._url = str(parsed.copy_with(query=None, fragment=None)).rstrip("/")
        self.shown = str(parsed.copy_with(username=None, password=None, query=None, fragment=None)).rstrip("/")
        self._deadline_s = deadline_s
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._http = httpx.AsyncClient(
            trust_env=False,
            timeout=deadline_s,
            limits=httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE),
        )

    @property
    def origin(self) -> Origin:
        """What it tells is measured."""
        return "live"

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def figure(self, question: Question, at: float) -> float | None:
        """The value of the one series that the query yields at ``at``."""
        parameters = {"query": question.expression, "time": f"{at:.3f}"}
        kind, result = await self._ask("query", parameters)
        if kind == "scalar":
            return _pair(result, self.shown)[1]
        if kind != "vector":
            raise BadQuery(f"the query yields a {kind}, not one value")
        series = _only(result)
        return None if series is None else _pair(series.get("value"), self.shown)[1]

    async def points(self, question: Question, times: Sequence[float]) -> list[float | None]:
        """The values of the one series that the query yields, at each of ``times``."""
        step_s = times[1] - times[0]
        parameters = {
            "query": question.expression,
            "start": f"{times[0]:.3f}",
            "end": f"{times[-1]:.3f}",
            "step": f"{step_s:.3f}",
        }
        kind, result = await self._ask("query_range", parameters)
        if kind != "matrix":
            raise _foreign(self.shown)
        series = _only(result)
        if series is None:
            return [None] * len(times)
        values = series.get("values")
        if not isinstance(values, list):
            raise _foreign(self.shown)
        # By their place on the grid: a point that is missing is left out of the answer, not sent as a null.
        found = {round((at - times[0]) / step_s): value for at, value in (_pair(one, self.shown) for one in values)}
        return [found.get(place) for place in range(len(times))]

    async def _ask(self, call: str, parameters: Mapping[str, str]) -> tuple[str, Any]:
        parameters = {**parameters, "timeout": f"{self._deadline_s:g}s"}
        try:
            async with asyncio.timeout(self._deadline_s), self._limit:
                status, body = await self._post(f"{self._url}/api/v1/{call}", parameters)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise DeadlineExceeded(f"{self.shown} did not answer within {self._deadline_s:g} s", _HINT) from error
        except (httpx.HTTPError, OSError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise Unavailable(f"{self.shown}: {reason}", _HINT) from error
        return self._data(status, body)

    async def _post(self, url: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        # In the body: some queries are longer than proxies let addresses be.
        async with self._http.stream("POST", url, data=parameters) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LONGEST_BYTES:
                    raise BadQuery(f"{self.shown} answers with more than {_LONGEST_BYTES >> 20} MiB")
            return response.status_code, bytes(body)

    def _data(self, status: int, body: bytes) -> tuple[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            if 200 <= status < 300:
                raise _foreign(self.shown) from error
            raise Unavailable(f"{self.shown}: HTTP {status}", _HINT) from error
        if not isinstance(answer, dict) or answer.get("status") not in ("success", "error"):
            raise _foreign(self.shown)
        if answer["status"] == "error":
            said = str(answer.get("error") or f"HTTP {status}")[:300]
            # Both answer 400 or 422 to a query that makes no sense; everything else is trouble of their own.
            raise BadQuery(said) if status in (400, 422) else Unavailable(f"{self.shown}: {said}", _HINT)
        data = answer.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise _foreign(self.shown)
        return str(data.get("resultType")), data["result"]


def _only(result: Sequence[Any]) -> Mapping[str, Any] | None:
    """The one series there is, or None. Which of several was meant nobody can say."""
    if len(result) > 1:
        raise BadQuery(f"the query yields {len(result)} series, not one")
    if not result:
        return None
    return result[0] if isinstance(result[0], dict) else {}


def _pair(value: Any, url: str) -> tuple[float, float | None]:
    """Time and value; the value is a text on the wire, and NaN is what a quantile of no observations comes out as."""
    try:
        at, text = value
        number, moment = float(text), float(at)
        if not math.isfinite(moment):
            raise ValueError("no time")
        return moment, number if math.isfinite(number) else None
    except (TypeError, ValueError) as error:
        raise _foreign(url) from error


def _foreign(url: str) -> Unavailable:
    return Unavailable(f"{url} does not speak Prometheus' query API", _HINT)
