"""The servers as the control half reaches them: PD's API, the status ports, and which store a node is."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from operator_protocol.errors import BadRequest, Conflict, NotFound, OperatorError, Unavailable
from operatord.clock import Clock
from operatord.subjects.base import SubjectSpec
from operatord.subjects.tikv.pd.client import PDClient
from operatord.subjects.tikv.pd.models import Store
from operatord.subjects.tikv.pd.tls import hung_up, refusal
from operatord.subjects.tikv.roster import Roster
from operatord.subjects.tikv.settings import Settings, addresses, split_address

ASK_S = 5.0
_STEP_S = 0.2
_DEFAULT_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Identity:
    """What PD says of the cluster as a whole."""

    cluster_id: str
    replicas: int
    """Copies of each piece of data, by configuration."""


class Cluster:
    """One cluster. Connections are made when they are needed; ``close`` gives them back."""

    def __init__(self, spec: SubjectSpec, clock: Clock = time.monotonic) -> None:
        settings = Settings.read(spec.options)
        self._clock = clock
        self._tls = settings.tls
        self._pds = [member for member in spec.members if member.id.startswith("pd")]
        stores = [member for member in spec.members if not member.id.startswith("pd")]
        self._places = {member.id: (member.host, member.port) for member in stores} | addresses(settings.status)
        self._endpoints = settings.endpoints or tuple(
            f"{'https' if self._tls else 'http'}://{member.host}:{member.port}" for member in self._pds
        )
        # Only for its names: it connects to nobody until it is asked to.
        self._roster = Roster(clock, None, addresses(settings.status))
        for member in stores:
            self._roster.expect_store(member)
        self._client: PDClient | None = None
        self._http: httpx.AsyncClient | None = None

    @property
    def pd(self) -> PDClient:
        """Of the loop that runs."""
        if self._client is None:
            self._client = PDClient(self._endpoints, tls=self._tls)
        return self._client

    @property
    def endpoints(self) -> tuple[str, ...]:
        """URLs of the PDs."""
        return self._endpoints

    async def close(self) -> None:
        """Give the connections back; they are made anew when they are needed."""
        client, self._client = self._client, None
        http, self._http = self._http, None
        self._roster.close()
        if client is not None:
            await client.close()
        if http is not None:
            await http.aclose()

    async def identity(self) -> Identity:
        """Ask PD. Raises what ``PDClient`` does."""
        members = await self.pd.members(deadline_s=ASK_S)
        replicas = _DEFAULT_REPLICAS
        try:
            section = (await self.pd.config(deadline_s=ASK_S)).get("replication")
        except OperatorError:
            section = None
        if isinstance(section, Mapping):
            wanted = section.get("max-replicas")
            replicas = wanted if isinstance(wanted, int) and wanted > 0 else _DEFAULT_REPLICAS
        return Identity(str(members.cluster_id), replicas)

    async def stores(self) -> dict[str, Store]:
        """PD's stores by the name of the node."""
        return self._roster.take_stores(await self.pd.stores(deadline_s=ASK_S))

    async def store_of(self, node: str) -> Store:
        """The store that ``node`` is. Raises ``NotFound``, also for a PD."""
        found = await self.stores()
        if node not in found:
            raise NotFound(f"{node} is not a store of PD's", f"there are {', '.join(found) or 'none'}")
        return found[node]

    async def pause_clients(self, node: str) -> None:
        """``PUT /pause_grpc``: the store serves nobody any more, and lives."""
        await self._put(node, "/pause_grpc")

    async def resume_clients(self, node: str) -> None:
        """``PUT /resume_grpc``; not paused is success."""
        await self._put(node, "/resume_grpc")

    async def answers(self, node: str) -> bool:
        """Whether the store's status port does."""
        try:
            await self._request("GET", node, "/status")
        except OperatorError:
            return False
        return True

    async def until_formed(self, stores: int, within_s: float) -> None:
        """Return when PD has a leader and so many stores that are Up. Raises ``Unavailable`` with what is missing."""
        end = self._clock() + within_s
        while True:
            try:
                members = await self.pd.members(deadline_s=ASK_S)
                up = [store for store in await self.pd.stores(deadline_s=ASK_S) if store.state == "Up"]
                if members.leader is not None and len(up) >= stores:
                    return
                missing = "PD has no leader" if members.leader is None else f"{len(up)} of {stores} stores are Up"
            except OperatorError as error:
                missing = error.message
            if self._clock() > end:
                raise Unavailable(f"the cluster did not form within {within_s:g} s: {missing}")
            await asyncio.sleep(_STEP_S)

    async def _put(self, node: str, path: str) -> None:
        await self._request("PUT", node, path)

    async def _request(self, method: str, node: str, path: str) -> None:
        host, port = await self._status_of(node)
        url = f"{'https' if self._tls else 'http'}://{host}:{port}{path}"
        if self._http is None:
            self._http = httpx.AsyncClient(
                verify=self._tls.context() if self._tls else True, trust_env=False, timeout=ASK_S
            )
        try:
            answer = await self._http.request(method, url)
        except (httpx.HTTPError, ssl.SSLError) as error:
            refused, hint = refusal(error)
            if self._tls is not None and isinstance(error, httpx.HTTPError) and not refused:
                refused, hint = hung_up(error)
            said = refused or str(error).partition("\n")[0] or type(error).__name__
            raise Unavailable(f"the status port of {node} does not answer ({host}:{port}): {said}", hint) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Unavailable(f"{node} does not know {path}", "it needs TiKV 8.1 or newer")
        if not answer.is_success:
            raise Unavailable(f"{node} refuses {path}: HTTP {answer.status_code} {answer.text[:80].strip()}")

    async def _status_of(self, node: str) -> tuple[str, int]:
        if node in self._places:
            return self._places[node]
        store = await self.store_of(node)
        host, port = split_address(store.status_address)
        if not host or not port:
            raise Unavailable(f"PD knows no status address of {node}", "name it in [subject.tikv] status")
        return host, port


def require_up(node: str, store: Store) -> None:
    """Raises ``Conflict`` unless PD holds it for Up."""
    if store.state != "Up":
        raise Conflict(f"PD holds {node} for {store.state}")


def store_id_of(value: object) -> int:
    """From a parameter, a number or its text. Raises ``BadRequest``."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) > 0:
        return int(value)
    raise BadRequest(f"{value!r} is not the id of a store or region")
