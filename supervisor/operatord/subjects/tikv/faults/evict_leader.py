"""``evict-leader``: PD's scheduler takes every leader from the store; it is kept by PD until it is deleted."""

import asyncio

from operator_protocol.errors import Conflict, Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv.cluster import ASK_S, store_id_of
from operatord.subjects.tikv.faults.base import STORES, Means, Memo, require_store

EVICT_LEADER = "evict-leader"
_EFFECT_S = 5.0
"""PD moves leaders at its own pace; after this long it is at it, and that is enough."""
_STEP_S = 0.1


class EvictLeader:
    """``evict-leader-scheduler``."""

    contained = False
    roles = STORES
    lags = False

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            EVICT_LEADER,
            "PD's evict-leader-scheduler: the store may lead no region, and the others take over",
            "deleting the scheduler; PD balances leaders back at its own pace",
        )

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """The id is remembered as text: it may exceed what other readers of the journal take for a number."""
        require_store(fault, "a PD leads no regions")
        store = await means.cluster.store_of(fault.target)
        if store.id in await means.cluster.pd.evicting(deadline_s=ASK_S):
            raise Conflict(f"the leaders of {fault.target} are being evicted already", "somebody else does that")
        return {"store_id": str(store.id)}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Returns when PD has the scheduler, and the store leads nothing or has had some seconds for it."""
        store_id, pd = store_id_of(memo["store_id"]), means.cluster.pd
        await pd.evict_leaders(store_id, deadline_s=ASK_S)
        if store_id not in await pd.evicting(deadline_s=ASK_S):
            raise Unavailable(f"PD took the scheduler for {fault.target}, and does not show it")
        loop = asyncio.get_running_loop()
        end = loop.time() + _EFFECT_S
        while loop.time() < end:
            if not (await pd.region_stats(deadline_s=ASK_S)).leaders.get(store_id):
                return
            await asyncio.sleep(_STEP_S)

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Not evicting is success."""
        await means.cluster.pd.stop_evicting(store_id_of(memo["store_id"]), deadline_s=ASK_S)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """By PD's word."""
        evicting = await means.cluster.pd.evicting(deadline_s=ASK_S)
        held = store_id_of(memo["store_id"]) in evicting
        return f"PD still evicts the leaders of {fault.target}" if held else ""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """By what PD told in the look."""
        node = seen.node(fault.target)
        evicting = node.detail.get("evicting") if node is not None else None
        if evicting is None:
            return None
        return f"PD evicts the leaders of {fault.target}" if evicting else ""
