"""A client of PD's HTTP API that any PD of the cluster may answer.

Reads go to the PD that answered last; when it is slow, the next one is asked as well and the first answer counts, so
that one frozen PD costs a moment and not a deadline. Writes go to one PD at a time, and to the next only when the
request cannot have been carried out. No answer is an error, never an empty answer: whoever asks must say *unknown*.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, OperatorError, Unavailable
from operatord.subjects.tikv.pd import models

PREFIX = "/pd/api/v1"
_LONGEST_S = 60.0
"""No request lasts longer, whatever its deadline."""

_NEXT_AFTER_S = 0.3
"""A PD that has not answered a read by then is slow: the next one is asked beside it. A leader that answers from
memory takes milliseconds; a follower forwards."""


class NoLeader(Unavailable):
    """PD answers, but nobody leads it: what the cluster is doing cannot be known."""


class NotBootstrapped(Unavailable):
    """There is a PD, and no store has joined it yet."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: whom to trust, and who we are."""

    ca: str
    cert: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """For ``https`` endpoints. Raises ``BadRequest`` naming the file that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as error:
            raise BadRequest(f"cannot use the CA file {self.ca}: {_first_line(error)}") from error
        if self.cert:
            try:
                context.load_cert_chain(self.cert, self.key or None)
            except (OSError, ssl.SSLError) as error:
                raise BadRequest(f"cannot use the client certificate {self.cert}: {_first_line(error)}") from error
        return context


class PDClient:
    """Asks a cluster of PDs. One instance belongs to one event loop; ``close`` gives its connections back.

    ``endpoints`` are URLs (``http://pd0:2379``). Every call takes ``deadline_s``, the seconds after which it ends
    whatever the PDs do. Calls raise ``NoLeader``, ``NotBootstrapped``, ``Unavailable`` when no PD can be reached or
    the answer is none (``models.BadAnswer``), ``DeadlineExceeded``, and what PD refuses: ``BadRequest``, ``NotFound``,
    ``Conflict``.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        tls: Tls | None = None,
        next_after_s: float = _NEXT_AFTER_S,
    ) -> None:
        if not endpoints:
            raise BadRequest("a cluster has at least one PD", "give its URL: http://HOST:2379")
        self.endpoints = tuple(endpoint.rstrip("/") for endpoint in endpoints)
        self._next_after_s = next_after_s
        self._preferred = 0
        # Proxies of the environment are for the outside world.
        self._http = httpx.AsyncClient(verify=tls.context() if tls else True, trust_env=False, timeout=_LONGEST_S)

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    # what there is

    async def members(self, *, deadline_s: float) -> models.Members:
        """All PDs, and the one that leads."""
        return models.Members.read(await self._get("/members", deadline_s))

    async def health(self, *, deadline_s: float) -> tuple[models.MemberHealth, ...]:
        """What one PD finds when it asks the others: it waits 3 s for each that is frozen."""
        return models.MemberHealth.read_all(await self._get("/health", deadline_s))

    async def stores(self, *, deadline_s: float) -> tuple[models.Store, ...]:
        """All stores but the tombstones."""
        return models.Store.read_all(await self._get("/stores", deadline_s))

    async def store(self, store_id: int, *, deadline_s: float) -> models.Store:
        """One store, of any state."""
        return models.Store.read(await self._get(f"/store/{store_id}", deadline_s))

    async def region_stats(self, *, deadline_s: float) -> models.RegionStats:
        """Counts and sizes over all regions."""
        return models.RegionStats.read(await self._get("/stats/region?start_key=&end_key=", deadline_s))

    async def region(self, region_id: int, *, deadline_s: float) -> models.Region:
        """One region."""
        return models.Region.read(await self._get(f"/region/id/{region_id}", deadline_s))

    async def regions_of_store(self, store_id: int, *, deadline_s: float) -> tuple[models.Region, ...]:
        """The regions that have a peer on the store."""
        return models.regions(await self._get(f"/regions/store/{store_id}", deadline_s))

    async def regions_with(self, problem: str, *, deadline_s: float) -> int:
        """How many regions are ``miss-peer``, ``down-peer``, ``pending-peer``, ``offline-peer`` or ``extra-peer``."""
        return models.region_count(await self._get(f"/regions/check/{problem}", deadline_s))

    async def schedulers(self, *, deadline_s: float) -> tuple[str, ...]:
        """Names of the schedulers that run."""
        return models.names(await self._get("/schedulers", deadline_s))

    async def evicting(self, *, deadline_s: float) -> tuple[int, ...]:
        """Ids of the stores whose leaders are being evicted; none when that scheduler does not run."""
        try:
            found = await self._get("/scheduler-config/evict-leader-scheduler/list", deadline_s)
        except NotFound:
            return ()
        if not isinstance(found, dict):
            return ()
        ranges = found.get("store-id-ranges")
        return tuple(sorted(int(store_id) for store_id in ranges)) if isinstance(ranges, dict) else ()

    async def operators(self, *, deadline_s: float) -> tuple[str, ...]:
        """What PD is doing to regions at the moment, one line each."""
        return models.names(await self._get("/operators", deadline_s))

    async def config(self, *, deadline_s: float) -> Mapping[str, Any]:
        """The whole configuration."""
        found = await self._get("/config", deadline_s)
        if not isinstance(found, dict):
            raise models.BadAnswer("PD: config is not an object", "is this a PD of version 8?")
        return found

    async def regions_operated(self, *, deadline_s: float) -> tuple[int, ...]:
        """Ids of the regions to which PD is doing something."""
        return models.operated(await self._get("/operators?object=1", deadline_s))

    # one PD alone

    async def ping(self, endpoint: str, *, deadline_s: float) -> None:
        """Return when that very PD answers for itself; it need not have a leader."""
        await self._within(deadline_s, lambda: self._ask(endpoint, "GET", "/ping", None))

    # what to do

    async def transfer_leader(self, region_id: int, to_store_id: int, *, deadline_s: float) -> None:
        """Have another store lead the region."""
        body = {"name": "transfer-leader", "region_id": region_id, "to_store_id": to_store_id}
        await self._write("POST", "/operators", body, deadline_s)

    async def transfer_peer(self, region_id: int, from_store_id: int, to_store_id: int, *, deadline_s: float) -> None:
        """Move a replica of the region to another store."""
        body = {
            "name": "transfer-peer",
            "region_id": region_id,
            "from_store_id": from_store_id,
            "to_store_id": to_store_id,
        }
        await self._write("POST", "/operators", body, deadline_s)

    async def cancel_operator(self, region_id: int, *, deadline_s: float) -> None:
        """Stop what is being done to the region."""
        await self._write("DELETE", f"/operators/{region_id}", None, deadline_s)

    async def evict_leaders(self, store_id: int, *, deadline_s: float) -> None:
        """Have the store lead nothing, until ``stop_evicting``; it survives restarts of PD."""
        await self._write("POST", "/schedulers", {"name": "evict-leader-scheduler", "store_id": store_id}, deadline_s)

    async def stop_evicting(self, store_id: int, *, deadline_s: float) -> None:
        """Let the store lead again. Not evicting is success."""
        with contextlib.suppress(NotFound):
            await self._write("DELETE", f"/schedulers/evict-leader-scheduler-{store_id}", None, deadline_s)

    async def resign(self, *, deadline_s: float) -> None:
        """Have another PD lead."""
        await self._write("POST", "/leader/resign", None, deadline_s)

    async def set_config(self, key: str, value: object, *, deadline_s: float) -> None:
        """Change one key, such as ``schedule.max-store-down-time``."""
        await self._write("POST", "/config", {key: value}, deadline_s)

    # how

    async def _get(self, path: str, deadline_s: float) -> object:
        return await self._within(deadline_s, lambda: self._first_answer(path))

    async def _within(self, deadline_s: float, work: Callable[[], Awaitable[object]]) -> object:
        try:
            async with asyncio.timeout(deadline_s):
                return await work()
        except TimeoutError as error:
            names = ", ".join(self.endpoints)
            raise DeadlineExceeded(f"no PD answered within {deadline_s:g} s ({names})", "is it frozen?") from error

    async def _first_answer(self, path: str) -> object:
        """Ask one PD after the other, the next one as soon as one failed or is slow; the first answer counts."""
        waiting = [(self._preferred + step) % len(self.endpoints) for step in range(len(self.endpoints))]
        asked: dict[asyncio.Task[object], int] = {}
        failures: list[OperatorError] = []
        try:
            while waiting or asked:
                if waiting:
                    index = waiting.pop(0)
                    task = asyncio.create_task(self._ask(self.endpoints[index], "GET", path, None))
                    asked[task] = index
                done, _ = await asyncio.wait(
                    asked, timeout=self._next_after_s if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    index = asked.pop(task)
                    error = task.exception()
                    if error is None:
                        self._preferred = index
                        return task.result()
                    if not isinstance(error, OperatorError) or not error.retryable:
                        raise error
                    failures.append(error)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise _summary(failures)

    async def _write(self, method: str, path: str, body: object, deadline_s: float) -> None:
        await self._within(deadline_s, lambda: self._write_somewhere(method, path, body))

    async def _write_somewhere(self, method: str, path: str, body: object) -> object:
        failures: list[OperatorError] = []
        for step in range(len(self.endpoints)):
            index = (self._preferred + step) % len(self.endpoints)
            try:
                answer = await self._ask(self.endpoints[index], method, path, body)
            except (_NotSent, NoLeader) as error:
                # Nothing was carried out; after any other failure nobody knows.
                failures.append(error)
            else:
                self._preferred = index
                return answer
        raise _summary(failures)

    async def _ask(self, endpoint: str, method: str, path: str, body: object) -> object:
        url = f"{endpoint}{PREFIX}{path}"
        try:
            response = await self._http.request(method, url, json=body if body is not None else None)
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise _NotSent(f"{endpoint}: {_first_line(error)}", _connect_hint(error)) from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{endpoint}: {_first_line(error) or type(error).__name__}") from error
        if response.is_success:
            return _decoded(response, endpoint)
        raise _refusal(response, endpoint)


class _NotSent(Unavailable):
    """The request did not reach a PD."""


def _decoded(response: httpx.Response, endpoint: str) -> object:
    if not response.content:
        return None
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise models.BadAnswer(
            f"{endpoint} does not speak PD's API: it answered {response.text[:60]!r}", "is this the URL of a PD?"
        ) from error


def _refusal(response: httpx.Response, endpoint: str) -> OperatorError:
    text = _error_text(response)
    said = f"{endpoint}: {text}" if text else f"{endpoint}: HTTP {response.status_code}"
    if "ErrRedirectNoLeader" in text or "ErrRedirect" in text or "no leader" in text.lower():
        return NoLeader(f"no PD leads the cluster ({text})", "it is unknown how the cluster is until PD has a leader")
    if "ErrNotBootstrapped" in text or "not bootstrapped" in text:
        return NotBootstrapped("no store has joined the cluster yet")
    match response.status_code:
        case 404:
            return NotFound(said)
        case 400:
            return BadRequest(said)
        case 409 | 410:
            return Conflict(said)
        case _:
            return Unavailable(said)


def _error_text(response: httpx.Response) -> str:
    """Handlers answer with a JSON string, redirects with plain text."""
    text = response.text.strip()
    with contextlib.suppress(json.JSONDecodeError):
        decoded = json.loads(text)
        text = decoded if isinstance(decoded, str) else text
    return text[:300]


def _summary(failures: Sequence[OperatorError]) -> OperatorError:
    """What to say when all PDs failed: that nobody leads is more than that another one does not answer."""
    for kind in (NoLeader, NotBootstrapped, models.BadAnswer):
        for failure in failures:
            if isinstance(failure, kind):
                return failure
    said = "; ".join(dict.fromkeys(failure.message for failure in failures))
    hint = next((failure.hint for failure in failures if failure.hint), "is it running, and is the address right?")
    return Unavailable(f"no PD answers: {said}", hint)


def _connect_hint(error: Exception) -> str:
    text = str(error).lower()
    if "certificate" in text or "ssl" in text or "tls" in text:
        return "the PD refuses our TLS, or we its: check the CA, the client certificate, and https in its URL"
    return ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
