"""``slow``: a processor quota, so that the server lives and is late."""

from operator_protocol.models import Fault, FaultKind, FaultParam, Scalar
from operatord.subjects.base import Observation
from operatord.subjects.tikv.engine import Inspected
from operatord.subjects.tikv.faults.base import EVERY, Means, Memo, require_running

SLOW = "slow"
_SHARE = FaultParam("cpu", "share of one processor that is left to it", 5.0, "%", 1.0, 100.0)
_PERIOD_US = 100_000


class Slow:
    """``docker update --cpu-quota``."""

    contained = True
    roles = EVERY
    lags = False

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""
        return FaultKind(
            SLOW,
            "docker update --cpu-quota: the server gets a small share of one processor",
            "the quota that it had before, usually none",
            [_SHARE],
        )

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Remember the quota, and of which container it is."""
        await require_running(fault.target, means)
        found = await means.containers.inspect(fault.target)
        return {"quota_before": found.cpu_quota, "container": found.id}

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """It holds at once."""
        given = fault.params.get(_SHARE.name)
        share = float(given if isinstance(given, int | float) else 5.0)
        await means.containers.limit_cpu(fault.target, max(1_000, int(share / 100 * _PERIOD_US)))

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """``--cpus 0`` would undo nothing; -1 does. A container that replaced it never had the quota."""
        if await self.leftovers(fault, means, memo):
            await means.containers.limit_cpu(fault.target, _before(memo))
        await means.containers.bring_back(fault.target)

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """By the engine's word."""
        found = await means.containers.inspect(fault.target)
        return "" if _same(found, memo) else f"{fault.target} has a processor quota of {found.cpu_quota} µs"

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """No look at the cluster can tell."""
        return None


def _before(memo: Memo) -> int:
    before = memo.get("quota_before")
    return before if isinstance(before, int) and before > 0 else -1


def _same(found: Inspected, memo: Memo) -> bool:
    return max(found.cpu_quota, 0) == max(_before(memo), 0)
