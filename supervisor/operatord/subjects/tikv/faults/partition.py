"""``partition``: the container is taken out of its network; it lives, and reaches nobody."""

from operator_protocol.errors import Conflict
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv.engine import Attachment
from operatord.subjects.tikv.faults.base import EVERY, Means, Memo, require_running

PARTITION = "partition"


class Partition:
    """``docker network disconnect``."""

    contained = True
    roles = EVERY
    lags = False

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            PARTITION,
            "docker network disconnect: the server lives, and neither the others nor clients reach it",
            "docker network connect with the same address and names",
            outage=True,
        )

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Remember where it hangs."""
        await require_running(fault.target, means)
        there = await means.containers.attachment(fault.target)
        if there is None:
            raise Conflict(f"{fault.target} is cut off already", "recover it first")
        return {"network": there.network, "address": there.address, "aliases": ",".join(there.aliases)}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Connections that stand are cut, too."""
        await means.containers.disconnect(fault.target)

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Connect it as it was; one that ended meanwhile is started afterwards, on its old address."""
        if await means.containers.attachment(fault.target) is None:
            await means.containers.connect(fault.target, _attachment(memo))
        await means.containers.bring_back(fault.target)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """By the engine's word."""
        there, before = await means.containers.attachment(fault.target), _attachment(memo)
        if there is None:
            return f"{fault.target} is connected to no network"
        if there.network != before.network or there.address != before.address:
            return f"{fault.target} is at {there.address} of {there.network}, and was at {before.address}"
        missing = set(before.aliases) - set(there.aliases)
        return f"{fault.target} lost the names {', '.join(sorted(missing))}" if missing else ""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """It answers no look while it is cut off: its state tells."""
        return ""


def _attachment(memo: Memo) -> Attachment:
    aliases = tuple(alias for alias in str(memo.get("aliases") or "").split(",") if alias)
    return Attachment(str(memo["network"]), str(memo["address"]), aliases)
