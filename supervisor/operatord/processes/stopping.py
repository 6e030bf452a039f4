"""Ending processes on request, and whatever they leave behind."""

import asyncio
import signal

from operatord.clock import Clock
from operatord.processes.groups import end_group, signal_process
from operatord.processes.reaper import Reaper
from operatord.processes.slots import Slot
from operatord.procfs import ProcessId

_STRAYS_S = 2.0
_PAUSE_S = 0.01
_LATER_S = 0.02
"""From a death to the look for strays, which reads much of ``/proc``: the successor is started, and ready, first."""


class Stopper:
    """Ends groups, and the strays that groups leave: orphans that became our children."""

    def __init__(self, reaper: Reaper, clock: Clock) -> None:
        self._reaper = reaper
        self._clock = clock
        self._ending: set[int] = set()
        """Groups that are being stopped: what is left of them has its time."""
        self._look: asyncio.TimerHandle | None = None

    async def end(self, slot: Slot) -> str:
        """Stop what runs in ``slot``; returns why that did not work, which is empty when nothing is left of it."""
        if slot.starting is not None:
            slot.starting.cancel()  # either it had begun, or it never will
            await asyncio.wait([slot.starting])
        group = slot.id
        if group is None:
            return ""
        self._ending.add(group.pid)
        try:
            problem = await self._end_group(slot, group)
        finally:
            self._ending.discard(group.pid)
        if problem:
            return problem
        # The group is empty but for zombies: let the reaper have its turn.
        await slot.ended.wait()
        return ""

    async def _end_group(self, slot: Slot, group: ProcessId) -> str:
        problem = "SIGKILL did not end it"
        for timeout_s in (slot.stop_timeout_s, 0):
            try:
                if await end_group(
                    group,
                    timeout_s=timeout_s,
                    stop_signal=slot.stop_signal,
                    clock=self._clock,
                    reap=self._reaper.sweep,
                ):
                    return ""
                break
            except (OSError, ValueError) as error:
                # A signal that there is not, a process that may not be signalled: the slot must come to rest.
                problem = f"it could not be ended: {error}"
        return problem

    def end_strays_soon(self) -> None:
        """``end_strays``, but not between a death and the next start."""
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(_LATER_S, self.end_strays)

    def end_strays(self) -> None:
        """Kill what a dead process left to us: living children that nobody here started."""
        self._cancel_look()
        for stray in self._reaper.strays():
            if stray.pgrp not in self._ending:
                signal_process(stray.id, signal.SIGKILL)

    async def end_all_strays(self) -> None:
        """Until there are none: each death may bring new ones."""
        deadline = self._clock() + _STRAYS_S
        while self._reaper.strays() and self._clock() < deadline:
            self.end_strays()
            await asyncio.sleep(_PAUSE_S)
        self._cancel_look()
        self._reaper.sweep()

    def _cancel_look(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
