"""A pause after each recovery, for those who want one: what follows shall be measured on a cluster at rest."""

from operator_protocol.errors import Conflict
from operatord.clock import Clock
from operatord.durations import format_duration


class Cooldown:
    """Refuses a new fault within ``seconds`` after the last recovery; none by default."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        """A fault was recovered just now."""
        self._until = self._clock() + self._seconds

    def check(self) -> None:
        """Raise ``Conflict`` with how long it still takes."""
        left_s = 0.0 if self._until is None else self._until - self._clock()
        if left_s > 0:
            raise Conflict(
                f"the last recovery is less than {format_duration(self._seconds)} ago: the cooldown takes"
                f" {format_duration(left_s)} more",
                "wait, or --force",
            )
