"""A client of PD's HTTP API that any PD of the cluster may answer.

Reads go to the PD that answered last; when it is slow, the next one is asked as well and the first answer counts, so
that one frozen PD costs a moment and not a deadline. Writes go to one PD at a time, and to the next only when the
request cannot have been carried out. No answer is an error, never an empty answer: whoever asks must say *unknown*.
"""

import asyncio
import contextlib
import json
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, OperatorError, Unavailable
from operatord.subjects.tikv.pd import models
from operatord.subjects.tikv.pd.tls import Tls, hung_up, refusal
from operatord.subjects.tikv.status import OWN_WORD

PREFIX = "/pd/api/v1"
_EVICTING = "evict-leader-scheduler"
_LONGEST_S = 60.0
"""No request lasts longer, whatever its deadline."""

_NEXT_AFTER_S = 0.3
"""A PD that has not answered a read by then is slow: the next one is asked beside it. A leader that answers from
memory takes milliseconds; a follower forwards."""


class NoLeader(Unavailable):
    """PD answers, but nobody leads it: what the cluster is doing cannot be known."""


class NotBootstrapped(Unavailable):
    """There is a PD, and no store has joined it yet."""


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
        found = await self._get(f"/region/id/{region_id}", deadline_s)
        if found is None or (isinstance(found, dict) and found.get("id") == 0):
            # PD has no error for this: it answers with a region in which everything is zero.
            raise NotFound(f"PD knows of no region {region_id}")
        return models.Region.read(found)

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
        """Ids of the stores whose leaders are being evicted; none when that scheduler does not run.

        Raises ``Unavailable`` while PD runs no scheduler at all: one that has just come to lead begins with them after
        a while, and until then it does not show those that it has kept.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        running = await self.schedulers(deadline_s=deadline_s)
        if not running:
            raise Unavailable("PD runs no schedulers yet: whose leaders it evicts is not known")
        if not any(name.startswith(_EVICTING) for name in running):
            return ()
        try:
            found = await self._get(f"/scheduler-config/{_EVICTING}/list", max(0.0, end - loop.time()))
        except NotFound:
            return ()
        ranges = found.get("store-id-ranges") if isinstance(found, dict) else None
        known = ranges if isinstance(ranges, dict) else {}
        return tuple(sorted(int(store_id) for store_id in known if store_id.isascii() and store_id.isdigit()))

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
        own_word = {OWN_WORD: "true"}
        await self._within(deadline_s, lambda: self._ask(endpoint, "GET", "/ping", None, own_word))

    # what to do

    async def transfer_leader(self, region_id: int, to_store_id: int, *, deadline_s: float) -> None:
        """Have another store lead the region."""
        _tellable(region_id, to_store_id)
        body = {"name": "transfer-leader", "region_id": region_id, "to_store_id": to_store_id}
        await self._write("POST", "/operators", body, deadline_s)

    async def transfer_peer(self, region_id: int, from_store_id: int, to_store_id: int, *, deadline_s: float) -> None:
        """Move a replica of the region to another store."""
        _tellable(region_id, from_store_id, to_store_id)
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
        _tellable(store_id)
        await self._write("POST", "/schedulers", {"name": _EVICTING, "store_id": store_id}, deadline_s)

    async def stop_evicting(self, store_id: int, *, deadline_s: float) -> None:
        """Let the store lead again. Not evicting is success."""
        with contextlib.suppress(NotFound):
            await self._write("DELETE", f"/schedulers/{_EVICTING}-{store_id}", None, deadline_s)

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
        failures: list[tuple[str, OperatorError]] = []
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
                    failures.append((self.endpoints[index], error))
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise _summary(failures)

    async def _write(self, method: str, path: str, body: object, deadline_s: float) -> None:
        await self._within(deadline_s, lambda: self._write_somewhere(method, path, body))

    async def _write_somewhere(self, method: str, path: str, body: object) -> object:
        failures: list[tuple[str, OperatorError]] = []
        for step in range(len(self.endpoints)):
            index = (self._preferred + step) % len(self.endpoints)
            try:
                answer = await self._ask(self.endpoints[index], method, path, body)
            except (_NotSent, NoLeader) as error:
                # Nothing was carried out; after any other failure nobody knows.
                failures.append((self.endpoints[index], error))
            else:
                self._preferred = index
                return answer
        raise _summary(failures)

    async def _ask(
        self, endpoint: str, method: str, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> object:
        url = f"{endpoint}{PREFIX}{path}"
        try:
            response = await self._http.request(method, url, json=body if body is not None else None, headers=headers)
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL, ssl.SSLError) as error:
            # With TLS 1.3 a server refuses our certificate after the handshake, and before it reads the request.
            said, hint = refusal(error)
            raise _NotSent(f"{endpoint}: {said or _reason(error)}", hint) from error
        except httpx.HTTPError as error:
            said, hint = hung_up(error) if endpoint.startswith("https:") else ("", "")
            raise Unavailable(f"{endpoint}: {said or _first_line(error) or type(error).__name__}", hint) from error
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
    if "to an HTTPS server" in text:
        # As Go's servers put it.
        return Unavailable(f"{endpoint}: it speaks only TLS", "write https:// in its URL")
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
    """Handlers answer with a JSON string, some with one inside another, with an object, or with null; redirects with
    plain text; and a handler that panicked with its stack. One line of it."""
    said: object = response.text
    for _ in range(3):
        with contextlib.suppress(json.JSONDecodeError, TypeError):
            said = json.loads(said)  # type: ignore[arg-type]  # TypeError ends it
    if isinstance(said, dict):
        said = said.get("msg")
    return said.strip().partition("\n")[0][:300] if isinstance(said, str) else ""


def _tellable(*ids: int) -> None:
    """Refuse ids that PD would take for others: it reads those of a request as floating-point numbers."""
    for one in ids:
        if int(float(one)) != one:
            raise BadRequest(
                f"PD cannot be told of id {one}: it would take it for {int(float(one))}",
                "it reads the ids of requests as floating-point numbers; ids that it gives out itself are small",
            )


def _summary(failures: Sequence[tuple[str, OperatorError]]) -> OperatorError:
    """What to say when all PDs failed. That no store has joined is the word of the one that leads, even if another one
    does not know of it yet; and that nobody leads is more than that another one does not answer."""
    for kind in (NotBootstrapped, NoLeader, models.BadAnswer):
        for _, failure in failures:
            if isinstance(failure, kind):
                return failure
    by_reason: dict[str, list[str]] = {}
    for endpoint, failure in failures:
        by_reason.setdefault(failure.message.removeprefix(f"{endpoint}: "), []).append(endpoint)
    said = "; ".join(f"{reason} ({', '.join(endpoints)})" for reason, endpoints in by_reason.items())
    hint = next((failure.hint for _, failure in failures if failure.hint), "")
    return Unavailable(f"no PD answers: {said}", hint or "is it running, and is the address right?")


def _reason(error: Exception) -> str:
    """Why there is no connection, by the kernel or the resolver; what is around that says less."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            return str(cause.strerror if isinstance(cause, socket.gaierror) else os.strerror(cause.errno)).lower()
        cause = cause.__cause__ or cause.__context__
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
