"""What can be done about a TiKV cluster, each with what must be true before it: checked when it is executed.

Between the proposal of an action and its execution a person decides; what was true then may not be true any more.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from operator_protocol.errors import BadRequest, Conflict, NotFound, Unavailable
from operator_protocol.models import Action, ActionKind, FaultParam
from operatord.subjects.tikv.breaking import NOT_CONTAINED
from operatord.subjects.tikv.cluster import ASK_S, require_up, store_id_of
from operatord.subjects.tikv.faults.base import Means
from operatord.subjects.tikv.pd.models import Region, Store

_LOW_SPACE_SHARE = 0.2
"""Under this share of the disk PD itself places no more replicas on a store."""
_GRPC = "grpc"

_REGION = FaultParam("region_id", "id of the region")
_STORE = FaultParam("store_id", "id of the store at PD")
_FROM = FaultParam("from_store_id", "id of the store that has the replica")
_TO = FaultParam("to_store_id", "id of the store that gets it")

KINDS: Mapping[str, ActionKind] = {
    kind.name: kind
    for kind in (
        ActionKind("start_container", "docker start: a container that ended runs again on its data", "safe"),
        ActionKind(
            "resume",
            "docker unpause; with what=grpc PUT /resume_grpc",
            "safe",
            [FaultParam("what", "the container, or its service for clients", "", choices=["", _GRPC])],
        ),
        ActionKind("restart_container", "docker restart: the server starts anew from its files", "disruptive"),
        ActionKind("transfer_leader", "PD has another replica lead the region", "safe", [_REGION, _TO]),
        ActionKind("transfer_peer", "PD moves a replica to another store", "disruptive", [_REGION, _FROM, _TO]),
        ActionKind("remove_evict_leader", "PD lets the store lead again", "safe", [_STORE]),
        ActionKind("cancel_operator", "PD stops what it is doing to the region", "safe", [_REGION]),
    )
}

_Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """An action whose preconditions hold at this moment."""

    do: _Step
    would: str
    """What it would do, after ``it would``."""
    done: str
    """What to say afterwards."""


class Actor:
    """Executes actions. ``refusal`` says why none may be; empty when they may."""

    def __init__(self, means: Means, refusal: str) -> None:
        self._means = means
        self.refusal = refusal

    def kinds(self) -> Mapping[str, ActionKind]:
        """What can be executed here; advice such as ``inspect_disk`` is not among it."""
        if self._means.contained:
            return KINDS
        return {name: kind for name, kind in KINDS.items() if name not in ("start_container", "restart_container")}

    def by_hand(self) -> Mapping[str, str]:
        """What only a person can do here, see ``Restricted``."""
        if self.refusal:
            return dict.fromkeys(KINDS, self.refusal)
        if self._means.contained:
            return {}
        return {
            **dict.fromkeys(("start_container", "restart_container", "resume"), NOT_CONTAINED),
            "resume what=grpc": "",
        }

    async def check(self, action: Action) -> str:
        """What would be done. Raises ``Conflict`` with what stands against it now, ``NotFound``, ``BadRequest``,
        ``Unavailable``."""
        return (await self._ready(action)).would

    async def act(self, action: Action) -> str:
        """Check again, do it, and say in one line what was done."""
        ready = await self._ready(action)
        await ready.do()
        return ready.done

    async def _ready(self, action: Action) -> _Ready:
        if action.kind not in KINDS:
            raise NotFound(f"tikv has no action {action.kind!r}", f"known: {', '.join(KINDS)}")
        if self.refusal:
            raise Unavailable(f"{action.kind} is refused: {self.refusal}")
        if action.kind not in self.kinds():
            raise Unavailable(f"{action.kind} cannot be done here: {NOT_CONTAINED}")
        match action.kind:
            case "start_container":
                return await self._start(action.target)
            case "restart_container":
                return await self._restart(action.target)
            case "resume":
                return await self._resume(action)
            case "transfer_leader":
                return await self._transfer_leader(action)
            case "transfer_peer":
                return await self._transfer_peer(action)
            case "remove_evict_leader":
                return await self._remove_evict_leader(action)
            case _:
                return await self._cancel_operator(action)

    async def _start(self, name: str) -> _Ready:
        containers = self._means.containers
        state = (await containers.inspect(name)).state
        if state not in ("exited", "created", "dead"):
            raise Conflict(f"the container of {name} is {state}: there is nothing to start")
        return _Ready(
            lambda: containers.start(name), f"start the container of {name}", f"the container of {name} was started"
        )

    async def _restart(self, name: str) -> _Ready:
        containers = self._means.containers
        state = (await containers.inspect(name)).state
        if state not in ("running", "paused"):
            raise Conflict(f"the container of {name} is {state}: there is nothing to restart")

        async def restart() -> None:
            if state == "paused":
                # A frozen process follows no TERM.
                await containers.unpause(name)
            await containers.restart(name)

        return _Ready(restart, f"restart the container of {name}", f"the container of {name} was restarted")

    async def _resume(self, action: Action) -> _Ready:
        name, what = action.target, action.params.get("what") or ""
        if what not in ("", _GRPC):
            raise BadRequest(f"resume: what is {what!r}", f"it is {_GRPC}, or left out for the container")
        if what == _GRPC:
            if not await self._means.cluster.answers(name):
                raise Conflict(f"the status port of {name} does not answer")
            return _Ready(
                lambda: self._means.cluster.resume_clients(name),
                f"tell {name} to serve its clients again (PUT /resume_grpc)",
                f"{name} was told to serve its clients",
            )
        if not self._means.contained:
            raise Unavailable(f"resume cannot be done here: {NOT_CONTAINED}")
        state = (await self._means.containers.inspect(name)).state
        if state != "paused":
            raise Conflict(f"the container of {name} is {state}, not paused")
        return _Ready(
            lambda: self._means.containers.unpause(name),
            f"resume the container of {name} (docker unpause)",
            f"the container of {name} was resumed",
        )

    async def _transfer_leader(self, action: Action) -> _Ready:
        pd = self._means.cluster.pd
        region = await self._region(action)
        to = store_id_of(action.params.get(_TO.name))
        name, store = await self._store(to)
        require_up(name, store)
        if region.leader is not None and region.leader.store_id == to:
            raise Conflict(f"{name} leads region {region.id} already")
        if to not in (peer.store_id for peer in region.peers):
            raise Conflict(f"region {region.id} has no replica on {name}")
        if to in region.pending_peers or to in (down for down, _ in region.down_peers):
            raise Conflict(f"the replica of region {region.id} on {name} lags behind")
        if to in await pd.evicting(deadline_s=ASK_S):
            raise Conflict(f"the leaders of {name} are being evicted")
        return _Ready(
            lambda: pd.transfer_leader(region.id, to, deadline_s=ASK_S),
            f"ask PD to have {name} lead region {region.id}",
            f"PD has {name} lead region {region.id}",
        )

    async def _transfer_peer(self, action: Action) -> _Ready:
        pd = self._means.cluster.pd
        region = await self._region(action)
        source, to = store_id_of(action.params.get(_FROM.name)), store_id_of(action.params.get(_TO.name))
        having = {peer.store_id for peer in region.peers}
        name, store = await self._store(to)
        require_up(name, store)
        if source not in having:
            raise Conflict(f"region {region.id} has no replica on store {source}")
        if to in having:
            raise Conflict(f"region {region.id} has a replica on {name} already")
        if region.down_peers:
            raise Conflict(f"region {region.id} has a replica that is down", "wait until PD has repaired it")
        if store.capacity and store.available is not None and store.available < _LOW_SPACE_SHARE * store.capacity:
            raise Conflict(f"{name} is low on space")
        return _Ready(
            lambda: pd.transfer_peer(region.id, source, to, deadline_s=ASK_S),
            f"ask PD to move a replica of region {region.id} from store {source} to {name}",
            f"PD moves a replica of region {region.id} from store {source} to {name}",
        )

    async def _remove_evict_leader(self, action: Action) -> _Ready:
        pd = self._means.cluster.pd
        given = action.params.get(_STORE.name)
        store_id = store_id_of(given) if given else (await self._means.cluster.store_of(action.target)).id
        if store_id not in await pd.evicting(deadline_s=ASK_S):
            raise Conflict(f"nobody evicts the leaders of store {store_id}")
        return _Ready(
            lambda: pd.stop_evicting(store_id, deadline_s=ASK_S),
            f"have PD let store {store_id} lead again",
            f"store {store_id} may lead again, says PD",
        )

    async def _cancel_operator(self, action: Action) -> _Ready:
        pd = self._means.cluster.pd
        region_id = store_id_of(action.params.get(_REGION.name))
        if region_id not in await pd.regions_operated(deadline_s=ASK_S):
            raise Conflict(f"PD is doing nothing to region {region_id}")
        return _Ready(
            lambda: pd.cancel_operator(region_id, deadline_s=ASK_S),
            f"have PD stop what it is doing to region {region_id}",
            f"PD stops what it was doing to region {region_id}",
        )

    async def _region(self, action: Action) -> Region:
        return await self._means.cluster.pd.region(store_id_of(action.params.get(_REGION.name)), deadline_s=ASK_S)

    async def _store(self, store_id: int) -> tuple[str, Store]:
        for name, store in (await self._means.cluster.stores()).items():
            if store.id == store_id:
                return name, store
        raise NotFound(f"PD has no store {store_id}")
