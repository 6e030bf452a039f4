"""Breaks the servers of one cluster, takes that back, and judges when a server is back."""

from collections.abc import Mapping
from dataclasses import replace

from operator_protocol.errors import NotFound, Unavailable
from operator_protocol.models import Fault, FaultKind, Node, Scalar
from operatord.clock import Clock
from operatord.subjects.base import Observation
from operatord.subjects.tikv.faults.base import Means, TiKVFault
from operatord.subjects.tikv.faults.catalogue import all_faults

NOT_CONTAINED = "the servers of an attached cluster are in no containers of ours"


class Breaker:
    """``refusal`` says why nothing may be broken at all; empty when it may."""

    def __init__(self, means: Means, refusal: str, clock: Clock) -> None:
        self._means = means
        self.refusal = refusal
        self._clock = clock
        self._faults = all_faults()
        self._since: dict[str, float] = {}
        """By the id of the fault: when it was last worked on. What is older cannot speak of it."""
        self._undone: set[str] = set()
        self._left: dict[str, str] = {}
        """By the id of the fault: what was found of it since it was undone last."""
        self._felt: set[str] = set()
        """Faults that a look has shown since they were worked on: from then on one that shows nothing means an end."""

    def catalogue(self) -> Mapping[str, FaultKind]:
        """What there is, with what stands against it here."""
        return {name: self._entry(fault) for name, fault in self._faults.items()}

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        """What the undo will need. Raises ``NotFound``, ``Unavailable`` for what must not or cannot be done here."""
        kind = self._kind(fault)
        if missing := self._entry(kind).missing:
            raise Unavailable(f"{fault.kind} cannot be injected here: {missing}")
        return {"since_mono": self._clock(), **await kind.prepare(fault, self._means)}

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Returns when it has its effect."""
        kind = self._kind(fault)
        if missing := self._entry(kind).missing:
            raise Unavailable(f"{fault.kind} cannot be injected here: {missing}")
        await kind.inject(fault, self._means, memo)
        self._since[fault.id] = self._clock()

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Take it back; allowed also where nothing may be broken."""
        kind = self._kind(fault)
        await kind.undo(fault, self._means, memo)
        if self._means.contained and not kind.contained:
            # What was done by PD or the server itself may have been followed by the end of its container.
            await self._means.containers.bring_back(fault.target)
        self._undone.add(fault.id)
        self._left.pop(fault.id, None)
        self._since[fault.id] = self._clock()

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], seen: Observation) -> str:
        """What of it is left by a look that began after the fault was last worked on; empty when nothing is."""
        since, now = self._since.get(fault.id), self._clock()
        if since is None:
            told = memo.get("since_mono")
            since = float(told) if isinstance(told, int | float) else 0.0
        # A clock that reads more than now is that of an earlier boot of the machine.
        if since <= now and seen.observed_mono <= since:
            return "no look at the cluster since then"
        if seen.ok is None:
            return f"the cluster could not be observed: {seen.reason}"
        target = seen.node(fault.target)
        if target is None:
            return f"{fault.target} was not part of the last look"
        kind = self._kind(fault)
        held = kind.holds(fault, memo, seen)
        if held:
            self._felt.add(fault.id)
        elif fault.id not in self._undone and (held is None or (kind.lags and fault.id not in self._felt)):
            held = f"{fault.kind} holds {fault.target} until it is undone"
        # What was done by PD or the server itself a look can tell; what the engine did to a container it cannot.
        left = self._left.get(fault.id, "") if held is None or kind.contained else ""
        return held or left or _not_back(target)

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What the engine, or PD, still has of it. What was found, or could not be looked for, holds until it is undone
        once more: no look may take it for ended."""
        self._left[fault.id] = f"it is not known what is left of {fault.kind}"
        left = await self._kind(fault).leftovers(fault, self._means, memo)
        if left:
            self._left[fault.id] = left
        else:
            del self._left[fault.id]
        return left

    def _kind(self, fault: Fault) -> TiKVFault:
        if fault.kind not in self._faults:
            raise NotFound(f"tikv has no fault {fault.kind!r}", f"known: {', '.join(self._faults)}")
        return self._faults[fault.kind]

    def _entry(self, fault: TiKVFault) -> FaultKind:
        missing = self.refusal or ("" if self._means.contained or not fault.contained else NOT_CONTAINED)
        return replace(fault.kind, missing=missing) if missing else fault.kind


def _not_back(target: Node) -> str:
    """A node that is up by the merged rule is so by the engine, by its own port and by PD."""
    if target.state != "up":
        return f"{target.id} {target.detail.get('problem') or 'is not up'}"
    return f"PD does not hold {target.id} for well" if target.signals.get("cluster") == "down" else ""
