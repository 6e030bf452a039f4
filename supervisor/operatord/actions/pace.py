"""How often: a limit for all actions together, and a rest for each target after an action on it."""

import time
from collections import deque

from operatord.clock import Clock

_MINUTE_S = 60.0


class Pace:
    """Counts actions as they begin and end."""

    def __init__(self, per_minute: int, cooldown_s: float, clock: Clock = time.monotonic) -> None:
        self.per_minute = per_minute
        self.cooldown_s = cooldown_s
        self._clock = clock
        self._begun: deque[float] = deque(maxlen=max(per_minute, 1))
        self._rested_at: dict[str, float] = {}
        """When each target may be acted on again."""

    def wait_s(self, target: str) -> tuple[float, str]:
        """How long the next action on ``target`` has to wait, and why; 0 when it may begin."""
        now = self._clock()
        cooldown = self._rested_at.get(target, now) - now
        full = len(self._begun) == self.per_minute
        rate = self._begun[0] + _MINUTE_S - now if full else 0.0
        if cooldown <= 0 and rate <= 0:
            return 0.0, ""
        if cooldown >= rate:
            return cooldown, f"the cooldown of {target} after its last action"
        return rate, f"the limit of {self.per_minute} actions a minute"

    def began(self) -> None:
        """An action begins now."""
        self._begun.append(self._clock())

    def ended(self, target: str) -> None:
        """An action on ``target`` ended now, however."""
        now = self._clock()
        self._rested_at = {name: at for name, at in self._rested_at.items() if at > now}
        self._rested_at[target] = now + self.cooldown_s
