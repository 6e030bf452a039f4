"""From observations to violations: what must last before it counts, and what must hold again before it is over.

Pure but for the clock that it is handed. An observation that could not be made (``ok`` None) closes none of the
subject's violations, and opens only those of invariants that say so (``Invariant.on_unknown``); if it goes on and
none of them explains it, it is a violation of its own, ``observation_unknown``. (A monitor that took "could not look"
for "nothing wrong" would declare every outage of its own eyes an all-clear.)
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, get_args

from operator_protocol.models import Violation
from operatord.clock import Clock
from operatord.subjects.base import Breach, Invariant, Observation, OnUnknown

OBSERVATION_UNKNOWN = "observation_unknown"
UNKNOWN_GRACE_S = 2.0
"""Four looks at the default interval: one that was lost is no news."""


class Key(NamedTuple):
    """What is violated, and where."""

    invariant: str
    node: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What one observation changed."""

    opened: list[Violation] = field(default_factory=list)
    closed: list[Violation] = field(default_factory=list)
    repeated: list[Violation] = field(default_factory=list)
    """Those that were open before and still are, as they are now."""
    failed_checks: list[str] = field(default_factory=list)
    """Invariants that could not be evaluated, with the reason; theirs neither open nor close."""


@dataclass(slots=True)
class _Pending:
    """A breach within its grace period."""

    since: float
    first_seen_at: float


@dataclass(slots=True)
class _Open:
    violation: Violation
    holds_since: float | None = None
    """Since when the invariant holds again, on the clock; None while it is broken."""


def new_violation_id() -> str:
    """Unique across restarts, short enough to type."""
    return f"v-{secrets.token_hex(6)}"


class ViolationTracker:
    """Which violations are open."""

    def __init__(
        self,
        invariants: Sequence[Invariant],
        clock: Clock,
        *,
        open_violations: Iterable[Violation] = (),
        new_id: Callable[[], str] = new_violation_id,
    ) -> None:
        unknown = Invariant(
            name=OBSERVATION_UNKNOWN,
            severity="warning",
            grace_s=UNKNOWN_GRACE_S,
            check=_no_breach,
            runbook="Read the monitor's log; is the host overloaded?",
        )
        self._invariants = {invariant.name: invariant for invariant in (*invariants, unknown)}
        self._clock = clock
        self._new_id = new_id
        self._pending: dict[Key, _Pending] = {}
        self._open = {_key(violation): _Open(violation) for violation in open_violations}

    def open(self) -> list[Violation]:
        """Those open now."""
        return [entry.violation for entry in self._open.values()]

    def feed(self, observation: Observation) -> Changes:
        """Take one observation; returns what it opened, closed and found again."""
        now = self._clock()
        changes = Changes()
        if observation.ok is None:
            for entry in self._open.values():
                entry.holds_since = None  # what was not seen to hold did not hold for ``clear_s``
            seen, _ = self._check(observation, changes, among=("checked", "explains"))
            for key, breach in seen.items():
                self._breached(key, breach, observation, now, changes)
            if any(self._invariants[key.invariant].on_unknown == "explains" for key in seen):
                return changes
            breach = Breach(None, f"the cluster could not be observed: {observation.reason or 'no reason was given'}")
            self._breached(Key(OBSERVATION_UNKNOWN, None), breach, observation, now, changes)
            return changes
        broken, unsettled = self._check(observation, changes)
        for key, breach in broken.items():
            self._breached(key, breach, observation, now, changes)
        for key in [key for key in self._pending if key not in broken and key.invariant not in unsettled]:
            del self._pending[key]
        for key in [key for key in self._open if key not in broken and key.invariant not in unsettled]:
            self._holds(key, observation, now, changes)
        return changes

    def _check(
        self, observation: Observation, changes: Changes, *, among: Collection[OnUnknown] = get_args(OnUnknown)
    ) -> tuple[dict[Key, Breach], set[str]]:
        broken: dict[Key, Breach] = {}
        unsettled: set[str] = set()
        for invariant in self._invariants.values():
            if invariant.on_unknown not in among:
                continue
            try:
                breaches = list(invariant.check(observation))
            except Exception as error:
                changes.failed_checks.append(f"{invariant.name}: {type(error).__name__}: {error}")
                unsettled.add(invariant.name)
                continue
            for breach in breaches:
                broken.setdefault(Key(invariant.name, breach.node), breach)
        return broken, unsettled

    def _breached(self, key: Key, breach: Breach, observation: Observation, now: float, changes: Changes) -> None:
        entry = self._open.get(key)
        seen_at = observation.observed_at
        if entry is not None:
            entry.holds_since = None
            entry.violation = replace(
                entry.violation,
                message=breach.message,
                last_seen_at=seen_at,
                value=breach.value,
                threshold=breach.threshold,
                unit=breach.unit,
            )
            changes.repeated.append(entry.violation)
            return
        invariant = self._invariants[key.invariant]
        pending = self._pending.setdefault(key, _Pending(now, seen_at))
        if now - pending.since < invariant.grace_s:
            return
        del self._pending[key]
        violation = Violation(
            id=self._new_id(),
            invariant=key.invariant,
            node=key.node,
            severity=invariant.severity,
            message=breach.message,
            first_seen_at=pending.first_seen_at,
            last_seen_at=seen_at,
            value=breach.value,
            threshold=breach.threshold,
            unit=breach.unit,
        )
        self._open[key] = _Open(violation)
        changes.opened.append(violation)

    def _holds(self, key: Key, observation: Observation, now: float, changes: Changes) -> None:
        entry = self._open[key]
        if entry.holds_since is None:
            entry.holds_since = now
        invariant = self._invariants.get(key.invariant)
        # A violation taken over from an earlier run may be of an invariant that there no longer is: it just ends.
        if now - entry.holds_since >= (invariant.clear_s if invariant is not None else 0.0):
            del self._open[key]
            changes.closed.append(entry.violation)


def _no_breach(_observation: Observation) -> Sequence[Breach]:
    return ()


def _key(violation: Violation) -> Key:
    return Key(violation.invariant, violation.node)
