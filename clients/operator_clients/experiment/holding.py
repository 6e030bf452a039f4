"""Conditions over time: all of them for so long without a break, or each of them all the while."""

from collections.abc import Sequence

from operator_clients.experiment.conditions import Condition, Read, Verdict
from operator_clients.experiment.model import SteadyCondition
from operator_protocol.models import Scalar


class Holding:
    """Whether all conditions have held for ``hold_s`` seconds; asked at each frame and each tick."""

    def __init__(self, conditions: Sequence[Condition], hold_s: float) -> None:
        self.conditions = conditions
        self.verdicts: list[Verdict] = []
        """As of the last look."""
        self.since: float | None = None
        """Since when all of them hold."""
        self._hold_s = hold_s

    def check(self, read: Read, now: float) -> bool:
        """Look once; True when they have held long enough."""
        self.verdicts = [condition.judge(read) for condition in self.conditions]
        if not all(verdict.holds for verdict in self.verdicts):
            self.since = None
            return False
        if self.since is None:
            self.since = now
        return now - self.since >= self._hold_s

    def told(self) -> str:
        """What stands in the way, or how they stand."""
        pairs = list(zip(self.conditions, self.verdicts, strict=False))
        broken = [broken_text(one.text, verdict) for one, verdict in pairs if not verdict.holds]
        return "; ".join(broken or [one.text for one, _ in pairs])


class Watch:
    """One condition that must hold while the steps run."""

    def __init__(self, watched: SteadyCondition) -> None:
        self.condition = watched.condition
        self.tolerate_s = watched.tolerate_s
        self.longest_break_s = 0.0
        self.worst: Scalar = None
        """What was measured where it was furthest from holding, for comparisons of numbers."""
        self.last = Verdict(None, None, None)
        self.known_at = float("-inf")
        """When it was last known whether it holds."""
        self._broken_since: float | None = None

    def check(self, read: Read, now: float, *, excused: bool = False) -> bool:
        """Look once; False when it has been broken for longer than is put up with.

        While it is ``excused`` that nothing is known, that is no break; one that began before goes on.
        """
        self.last = self.condition.judge(read)
        self._note_worst()
        if self.last.holds is not None:
            self.known_at = now
        elif excused:
            return True
        if self.last.holds:
            self._broken_since = None
            return True
        if self._broken_since is None:
            self._broken_since = now
        broken_s = now - self._broken_since
        self.longest_break_s = max(self.longest_break_s, broken_s)
        return broken_s < self.tolerate_s if self.tolerate_s else False

    def told(self) -> str:
        """The last look in words."""
        return broken_text(self.condition.text, self.last)

    def _note_worst(self) -> None:
        value = self.last.left
        if not isinstance(value, int | float) or isinstance(value, bool):
            return
        if not isinstance(self.worst, int | float):
            self.worst = value
        elif self.condition.operator in ("<", "<="):
            self.worst = max(self.worst, value)
        elif self.condition.operator in (">", ">="):
            self.worst = min(self.worst, value)
        elif not self.last.holds:
            self.worst = value


def broken_text(text: str, verdict: Verdict) -> str:
    """``workload.ops_per_sec >= 0.9 * baseline: 512 against 1,800``."""
    if verdict.holds is None:
        return f"{text}: {verdict.why or 'unknown'}"
    return f"{text}: {figure(verdict.left)} against {figure(verdict.right)}"


def figure(value: Scalar, unit: str = "") -> str:
    """A value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        digits = 0 if value == int(value) or abs(value) >= 100 else 2 if abs(value) >= 0.1 else 3
        return f"{value:,.{digits}f}" + (f" {unit}" if unit else "")
    return repr(value)
