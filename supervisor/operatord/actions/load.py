"""What can be done about the load: the one action that is the daemon's own, whatever the subject."""

from collections.abc import Mapping

from operator_protocol.errors import Conflict, NotFound
from operator_protocol.models import Action, ActionKind, FaultParam
from operatord.loading import LoadDesk

LOWER_RATE = "lower_rate"
TARGET = "workload"
_PERCENT = FaultParam("percent", "of the present target rate, what remains of it", 50.0, "%", 1.0, 95.0)
_KINDS: Mapping[str, ActionKind] = {
    LOWER_RATE: ActionKind(LOWER_RATE, "the load goes on at a lower rate", "disruptive", [_PERCENT]),
}


class LoadActions:
    """``Acting`` on the load."""

    def __init__(self, load: LoadDesk) -> None:
        self._load = load

    def actions(self) -> Mapping[str, ActionKind]:
        """The catalogue."""
        return _KINDS

    async def check(self, action: Action) -> str:
        """Raises ``Conflict`` when no load runs, ``NotFound`` for a target that is not the load."""
        before, after = self._rates(action)
        return f"lower the rate of the load from {before:,.0f} to {after:,.0f} ops/s"

    async def act(self, action: Action) -> str:
        """Pace it."""
        before, after = self._rates(action)
        await self._load.pace(after)
        return f"the rate of the load was lowered from {before:,.0f} to {after:,.0f} ops/s"

    def _rates(self, action: Action) -> tuple[float, float]:
        if action.target != TARGET:
            raise NotFound(f"{LOWER_RATE} is for the load, not for {action.target!r}", f"its target is {TARGET}")
        rate = self._load.rate
        if rate is None:
            raise Conflict("no load is running: there is no rate to lower")
        share = action.params.get(_PERCENT.name)
        return rate, rate * (float(share) if isinstance(share, int | float) else 50.0) / 100
