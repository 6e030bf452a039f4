"""``grpc-pause``: the store lives, beats and answers on its status port, but serves no client and no other store."""

from operator_protocol.errors import Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv.faults.base import STORES, Means, Memo, require_store

GRPC_PAUSE = "grpc-pause"


class GrpcPause:
    """TiKV's own ``PUT /pause_grpc``. It ends with the process: a store that is started anew serves."""

    contained = False
    roles = STORES
    lags = True

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            GRPC_PAUSE,
            "PUT /pause_grpc: the store lives, beats and answers on its status port, but serves nobody",
            "PUT /resume_grpc",
            outage=True,
        )

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Its status port must answer: the way back leads through it."""
        require_store(fault, "a PD has no service that could be paused so")
        if not await means.cluster.answers(fault.target):
            raise Unavailable(f"the status port of {fault.target} does not answer")
        return {}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """It holds at once."""
        await means.cluster.pause_clients(fault.target)

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """A container that ended, or was frozen meanwhile, is brought back: then nothing is paused any more."""
        if means.contained and await means.containers.bring_back(fault.target) == "started":
            return
        await means.cluster.resume_clients(fault.target)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """Nothing outside the store."""
        return ""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """By its port for clients, which may be the last to notice; where that is not asked, no look can tell."""
        node = seen.node(fault.target)
        port = node.detail.get("data_port") if node is not None else None
        if port in (None, "", "unasked"):
            return None
        return "" if port == "answered" else f"{fault.target} does not answer its clients"
