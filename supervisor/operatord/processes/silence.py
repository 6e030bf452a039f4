"""Finding those that are silent for too long: the one look that nobody triggers.

A death shows by itself; a process that is stopped, or runs in circles, shows only in that nothing comes from it any
more. So someone looks: at the latest every half second, and earlier when somebody's time is up before that.
"""

import asyncio
from collections.abc import Callable, Iterable

from operatord.clock import Clock
from operatord.processes.lifecycle import LIVE, Event, overdue
from operatord.processes.slots import Slot

_LOOK_S = 0.5
_LATE_S = 0.5
"""A look that comes this late: it was the daemon that did not run."""
_SOONEST_S = 0.01


class SilenceWatch:
    """Calls ``on_silent(slot, event, reason)`` for each slot whose patience has run out."""

    def __init__(
        self, slots: Callable[[], Iterable[Slot]], on_silent: Callable[[Slot, Event, str], None], clock: Clock
    ) -> None:
        self._slots = slots
        self._on_silent = on_silent
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._due = clock() + _LOOK_S
        self._timer = self._loop.call_later(_LOOK_S, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._clock()
        # Beats may be waiting unread then, so nobody else is to blame.
        daemon_slept = now - self._due > _LATE_S
        soonest = now + _LOOK_S
        for slot in list(self._slots()):
            patience = slot.patience
            if patience is None or slot.phase not in LIVE or slot.id is None:
                continue
            if daemon_slept:
                slot.last_sign = now
            verdict = overdue(patience, slot.phase, now=now, last_sign=slot.last_sign)
            if verdict.event is not None:
                told = f": {slot.reason}" if slot.phase == "starting" and slot.reason else ""
                self._on_silent(slot, verdict.event, verdict.reason + told)
            elif verdict.due_at is not None:
                soonest = min(soonest, verdict.due_at)
        self._due = max(soonest, now + _SOONEST_S)
        self._timer = self._loop.call_later(self._due - now, self._look)
