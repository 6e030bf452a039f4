"""Undoing a fault until it is seen to be gone.

Seen means: an observation that began later than the undo shows nothing of it and a subject as healthy as the other
owed faults allow, and nothing of it is left outside the subject. What is not seen is undone again after a while: an
undo is idempotent, and the first one may have met a server that was just starting.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from operator_protocol.errors import DeadlineExceeded, InternalError, OperatorError
from operatord.faults.guard import unexplained
from operatord.faults.tools import Tools
from operatord.faults.undo_journal import Owed
from operatord.subjects.base import Observation, SubjectControl

_log = logging.getLogger(__name__)


class Verification:
    """The undo of one fault, and how it is judged. ``others`` tells which nodes other faults hold at the moment."""

    def __init__(self, owed: Owed, tools: Tools, others: Callable[[], Collection[str]]) -> None:
        self._owed = owed
        self._tools = tools
        self._others = others

    async def undo(self) -> None:
        """Return when the fault is gone. Raises ``DeadlineExceeded`` with what stands against it."""
        clock, limits, fault = self._tools.clock, self._tools.limits, self._owed.fault
        begun = next_undo = clock()
        undone_at: float | None = None
        problem = ""
        while True:
            if clock() >= next_undo:
                problem = await self._undo_once(limits.recover_s - (clock() - begun))
                next_undo = clock() + limits.undo_again_s
                undone_at = None if problem else clock()
            if undone_at is not None:
                problem = await self._look(undone_at)
                if not problem:
                    return
            if clock() - begun >= limits.recover_s:
                raise DeadlineExceeded(
                    f"{fault.kind} {fault.target} is not undone after {limits.recover_s:g} s: {problem}",
                    f"it stays owed; operatorctl recover {fault.id} tries again",
                )
            await self._tools.sleep(limits.poll_s)

    def missing(self, observation: Observation, *, health: bool) -> str:
        """What of the fault is left in ``observation``, or keeps the subject from being healthy; empty when nothing."""
        owed = self._owed
        if observation.ok is None:
            return f"the state of {observation.subject} is unknown: {observation.reason or 'no observation'}"
        left = self._tools.control.remains(owed.fault, owed.memo, observation)
        if left or not health or not owed.was_healthy:
            return left
        reason = unexplained(observation, self._others())
        return f"{observation.subject} is not healthy: {reason}" if reason else ""

    async def _undo_once(self, within_s: float) -> str:
        owed = self._owed
        try:
            async with asyncio.timeout(max(within_s, 1.0)):
                await self._tools.control.undo(owed.fault, owed.memo)
        except Exception as error:
            return typed(error, f"the undo of {owed.fault.kind} {owed.fault.target}").message
        return ""

    async def _look(self, since: float) -> str:
        owed, limits = self._owed, self._tools.limits
        try:
            async with asyncio.timeout(limits.look_s):
                observation = await self._tools.observe()
        except Exception as error:
            return typed(error, "the observation").message
        if observation.observed_mono < since:
            return "no look at the subject since the undo"
        if missing := self.missing(observation, health=True):
            return missing
        try:
            async with asyncio.timeout(limits.look_s):
                return await self._tools.control.leftovers(owed.fault, owed.memo)
        except Exception as error:
            return typed(error, f"the check of what {owed.fault.kind} left").message


async def clear(control: SubjectControl, owed: Owed, within_s: float) -> str:
    """Take back what of a fault is outside its subject; returns what is left or went wrong, in one line."""
    fault = owed.fault
    try:
        async with asyncio.timeout(within_s):
            return await control.clear(fault, owed.memo)
    except Exception as error:
        return typed(error, f"the undo of {fault.kind} {fault.target}").message


def typed(error: Exception, what: str) -> OperatorError:
    """``error`` as one of ours; a defect is logged with its traceback."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"{what} took too long")
    _log.error("%s failed", what, exc_info=error)
    return InternalError(f"{what}: {type(error).__name__}: {error}")
