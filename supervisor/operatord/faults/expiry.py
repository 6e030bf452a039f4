"""Faults that end by themselves because somebody said ``--for``."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from operator_protocol.errors import OperatorError
from operatord.faults.tools import Tools
from operatord.faults.workflow import FaultWorkflow

_log = logging.getLogger(__name__)


class Expiry:
    """One timer for each such fault. ``recover`` undoes it; what cannot be undone is tried again and again."""

    def __init__(self, tools: Tools, recover: Callable[[FaultWorkflow], Awaitable[object]]) -> None:
        self._tools = tools
        self._recover = recover
        self._timers: dict[str, asyncio.Task[None]] = {}

    def begin(self, workflow: FaultWorkflow, seconds: float) -> None:
        """Have it undone after so many seconds."""
        self._timers[workflow.fault.id] = asyncio.create_task(self._end_after(workflow, seconds))

    def over(self, fault_id: str) -> None:
        """It is no longer owed: its timer has nothing to do."""
        timer = self._timers.pop(fault_id, None)
        if timer is not None and timer is not asyncio.current_task():
            timer.cancel()

    async def close(self) -> None:
        """Stop all timers."""
        timers = list(self._timers.values())
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    async def _end_after(self, workflow: FaultWorkflow, seconds: float) -> None:
        await self._tools.sleep(seconds)
        while workflow.fault.owed:
            try:
                await self._recover(workflow)
            except OperatorError as error:
                _log.warning("%s", error)
            except Exception:
                _log.exception("the recovery of %s failed", workflow.fault.id)
            if workflow.fault.owed:
                await self._tools.sleep(self._tools.limits.retry_s)
