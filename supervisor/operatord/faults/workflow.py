"""One fault, from its countdown to its verified recovery.

::

    countdown ──► injecting ──► active ──► recovering ──► recovered
        │             │                        │
        ▼             ▼                        ▼
      failed        failed                   failed, still owed: recover may be tried again
    (nothing owed) (taken back)

The intent is in the undo journal before the injection, and leaves it only after the undo was verified: by what is seen,
not by how long it took.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Collection
from dataclasses import replace

from operator_protocol import topics
from operator_protocol.errors import Conflict, OperatorError
from operator_protocol.models import Fault
from operator_protocol.records import to_body
from operatord.faults.tools import Tools
from operatord.faults.undo_journal import Owed
from operatord.faults.verification import Verification, clear, typed
from operatord.subjects.base import Observation

ABORTED = "aborted during the countdown"
INHERITED = "left by an earlier run of the daemon"

_log = logging.getLogger(__name__)


class FaultWorkflow:
    """The life of one fault; ``fault`` is how it stands.

    ``others`` tells which nodes other faults hold at the moment. With ``owed`` it takes up what an earlier daemon left.
    """

    def __init__(
        self, fault: Fault, tools: Tools, others: Callable[[], Collection[str]], owed: Owed | None = None
    ) -> None:
        self.fault = replace(fault, state="failed", owed=True, error=INHERITED) if owed else fault
        self.instance = owed.instance if owed else ""
        self._tools = tools
        self._others = others
        self._owed = owed
        self._aborted = asyncio.Event()
        self._turn = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None
        self._active_since = tools.clock()
        """When the injection was complete; an observation that began before tells nothing about it."""

    @property
    def holds_target(self) -> bool:
        """True from the moment at which the injection is certain until nothing is owed."""
        return self.fault.owed or self.fault.state == "injecting"

    @property
    def over(self) -> bool:
        """True when nothing is owed and nothing will be."""
        return not self.fault.owed and self.fault.state in ("failed", "recovered")

    async def count_down(self, seconds: float) -> None:
        """Announce the fault once a second. Raises ``Conflict`` when it is aborted meanwhile."""
        left = seconds
        try:
            while left > 0 and not self._aborted.is_set():
                whole = math.ceil(left)
                self._publish(topics.FAULT_COUNTDOWN, replace(self.fault, remaining=whole))
                await self._pause(left - (whole - 1))
                left = whole - 1
        except asyncio.CancelledError:
            self.abort()
            raise
        self.check_not_aborted()

    def abort(self) -> None:
        """End a countdown; nothing once the injection has begun."""
        if self.fault.state == "countdown":
            self._aborted.set()
            self.refuse(ABORTED)

    async def check_possible(self) -> None:
        """Raise what the subject has against it now, so that nobody counts down to a refusal."""
        try:
            async with asyncio.timeout(self._tools.limits.inject_s):
                await self._tools.control.prepare(self.fault)
        except Exception as error:
            raise typed(error, f"{self.fault.kind} {self.fault.target}") from error

    def check_not_aborted(self) -> None:
        """Raise ``Conflict`` if the countdown was aborted."""
        if self._aborted.is_set():
            raise Conflict(f"{self.fault.kind} {self.fault.target} was {ABORTED}")

    def refuse(self, reason: str) -> None:
        """End it before anything was done."""
        self._become(topics.FAULT_FAILED, replace(self.fault, state="failed", owed=False, error=reason))

    def begin(self, *, was_healthy: bool) -> "asyncio.Task[None]":
        """Start the injection as a task of its own: from here on it cannot be aborted, only undone.

        The task journals the intent, then does it; if that fails half-way it is taken back. Raises the reason, typed.
        """
        self.fault = replace(self.fault, state="injecting")
        task = asyncio.create_task(self._inject(was_healthy), name=f"inject {self.fault.id}")
        task.add_done_callback(_retrieve)
        return task

    async def _inject(self, was_healthy: bool) -> None:
        async with self._turn:
            try:
                owed = await self._intend(was_healthy)
            except Exception as error:
                reason = typed(error, f"{self.fault.kind} {self.fault.target}")
                self.refuse(reason.message)
                raise reason from error
            self._owed, self.fault = owed, owed.fault
            # Taken before, not after: what the fault causes is seen while ``inject`` is still at work.
            injected_at = self._tools.wall()
            try:
                async with asyncio.timeout(self._tools.limits.inject_s):
                    await self._tools.control.inject(self.fault, owed.memo)
            except Exception as error:
                reason = typed(error, f"{self.fault.kind} {self.fault.target}")
                await self._take_back(owed, reason)
                raise reason from error
            self._active_since = self._tools.clock()
            self.fault = replace(self.fault, state="active", injected_at=injected_at)
            try:
                self._tools.journal.injected(self.fault)
            except OperatorError as error:
                # The intent is on disk, so it will be undone all the same.
                _log.warning("%s", error)
            self._publish(topics.FAULT_INJECTED, self.fault)

    async def recover(self, by: str) -> None:
        """Undo it and see it gone; a call during another one joins that one. Raises the reason, typed, if it fails."""
        if self._recovery is None or self._recovery.done():
            # An injection that has begun is a task created earlier, so it has its turn before this one.
            self._recovery = asyncio.create_task(self._recover(by), name=f"recover {self.fault.id}")
            self._recovery.add_done_callback(_retrieve)
        await asyncio.shield(self._recovery)

    async def cancel(self) -> None:
        """Stop working on it, as it is: what is owed stays in the journal."""
        if self._recovery is not None and not self._recovery.done():
            self._recovery.cancel()
            await asyncio.wait([self._recovery])

    def note(self, observation: Observation) -> None:
        """Strike it out when ``observation`` shows that someone else brought the target back.

        After a recovery that failed, the subject must also be healthy again, as the recovery would have demanded.
        """
        owed = self._owed
        if owed is None or self._turn.locked() or self.fault.state not in ("active", "failed") or not self.fault.owed:
            return
        if observation.observed_mono <= self._active_since:
            return
        if self._verification(owed).missing(observation, health=self.fault.state == "failed"):
            return
        try:
            self.strike("observation")
        except OperatorError as error:
            _log.warning("%s", error)

    def strike(self, by: str) -> None:
        """Nothing of it is left: out of the journal. Raises ``Unavailable`` when the journal cannot be written."""
        self._tools.journal.strike(self.fault.id, by)
        self._become(
            topics.FAULT_RECOVERED,
            replace(
                self.fault, state="recovered", owed=False, recovered_at=self._tools.wall(), recovered_by=by, error=""
            ),
        )

    async def clear(self) -> str:
        """Take back what of it is outside the subject; returns what is left, in one line."""
        return await clear(self._tools.control, self._owed, self._tools.limits.inject_s) if self._owed else ""

    def remains(self, observation: Observation) -> str:
        """What of it is left in ``observation``; empty when nothing is."""
        return self._verification(self._owed).missing(observation, health=False) if self._owed else ""

    async def _intend(self, was_healthy: bool) -> Owed:
        async with asyncio.timeout(self._tools.limits.inject_s):
            memo = await self._tools.control.prepare(self.fault)
        self.instance = self._tools.instance()
        owed = Owed(replace(self.fault, owed=True), dict(memo), self.instance, was_healthy)
        self._tools.journal.intend(owed)
        return owed

    def _verification(self, owed: Owed) -> Verification:
        return Verification(owed, self._tools, self._others)

    async def _take_back(self, owed: Owed, reason: OperatorError) -> None:
        try:
            await self._verification(owed).undo()
            self._tools.journal.strike(self.fault.id, "undo")
        except OperatorError as error:
            text = f"{reason.message}; taking it back failed as well: {error.message}"
            self._become(topics.FAULT_FAILED, replace(self.fault, state="failed", error=text))
        else:
            self.refuse(reason.message)

    async def _recover(self, by: str) -> None:
        async with self._turn:
            owed = self._owed
            if owed is None or not self.fault.owed:
                return
            self._become(topics.FAULT_RECOVERING, replace(self.fault, state="recovering", error=""))
            try:
                await self._verification(owed).undo()
                self.strike(by)
            except OperatorError as error:
                self._become(topics.FAULT_FAILED, replace(self.fault, state="failed", error=error.message))
                raise
            except asyncio.CancelledError:
                self.fault = replace(self.fault, state="failed", error="its recovery was interrupted")
                raise

    async def _pause(self, seconds: float) -> None:
        """Sleep, or less if it is aborted."""
        sleeping = asyncio.ensure_future(self._tools.sleep(seconds))
        aborting = asyncio.ensure_future(self._aborted.wait())
        try:
            await asyncio.wait((sleeping, aborting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, aborting):
                task.cancel()

    def _become(self, topic: str, fault: Fault) -> None:
        self.fault = fault
        self._publish(topic, fault)

    def _publish(self, topic: str, fault: Fault) -> None:
        self._tools.publish(topic, to_body(fault))


def _retrieve(task: "asyncio.Task[None]") -> None:
    """Look at the outcome, so that a failure nobody awaited any more is not reported as lost."""
    if not task.cancelled():
        task.exception()
