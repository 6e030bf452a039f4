"""One action, from its approval to its verified end.

::

    approved ──► running ──► succeeded: done, and the violation is over
        │           │
        ▼           ▼
     expired      failed: it could not be done, or the violation is still open; the ticket goes to a person
     rejected

Between approval and beginning it may wait: for another action on the same target, for the cooldown, for the limit of
actions a minute, for the story of a demo; and what is disruptive for whatever else is: two that are each harmless
alone, a restart of a primary and one of its replica, take a shard away together. At its beginning everything is asked
again: the switch, the ticket, the preconditions, and, if only the policy approved it, whether the target is down
because somebody stopped it. What runs is not interrupted, by the switch neither: half of an action is worse than all
of it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from operator_protocol.errors import Conflict, DeadlineExceeded, InternalError, OperatorError
from operator_protocol.models import STOPPED_BY_COMMAND, Action, Risk, Ticket
from operatord.actions.pace import Pace
from operatord.actions.register import Entry, Register, describe
from operatord.actions.registry import Registry
from operatord.actions.switch import Switch
from operatord.actions.verification import Verification
from operatord.clock import Clock
from operatord.durations import format_duration
from operatord.tickets.desk import TicketDesk

CHECK_S = 10.0
"""For the preconditions."""
ACT_S = 120.0
"""For the action itself; a container may take a while to start."""
DAEMON = "operatord"
_HARMLESS: tuple[Risk, ...] = ("read", "safe")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What an action is carried out with."""

    registry: Registry
    register: Register
    tickets: TicketDesk
    verification: Verification
    pace: Pace
    switch: Switch
    held: Callable[[], bool]
    """Whether what the policy approved has to wait for a story."""
    kept_down: Callable[[str], bool]
    """Whether that target is down because somebody asked for it: then nothing is done to it unasked."""
    clock: Clock
    wall: Clock


class Execution:
    """Carries out what was approved: side by side, but one at a time on each target."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._busy: dict[str, Action] = {}
        """By target, what begins or runs."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def begin(self, entry: Entry) -> None:
        """Carry ``entry`` out as soon as it is its turn."""
        task = asyncio.create_task(self._carry_out(entry), name=f"action {entry.action.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def wake(self) -> None:
        """Something changed that an action may be waiting for."""
        self._changed.set()
        self._changed = asyncio.Event()

    def waits_for(self, entry: Entry) -> str:
        """What keeps an approved action from beginning, in words; empty when nothing does."""
        action = entry.action
        if action.target in self._busy:
            return f"another action on {action.target}"
        if action.risk not in _HARMLESS:
            for other in self._busy.values():
                if other.risk not in _HARMLESS:
                    return f"{describe(other)}, which is {other.risk} as well"
        return self._pause(entry)

    def _pause(self, entry: Entry) -> str:
        """What it has to wait for besides other actions."""
        action, means = entry.action, self._means
        if entry.by_policy and means.held():
            return "the recovery stage of the demo"
        seconds, why = means.pace.wait_s(action.target)
        return f"{why}: {format_duration(seconds)} more" if seconds > 0 else ""

    async def close(self) -> None:
        """Interrupt what still runs; what it came to is then not known, and said so."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry_out(self, entry: Entry) -> None:
        while await self._turn(entry):
            target = entry.action.target
            self._busy[target] = entry.action
            try:
                if await self._may_begin(entry):
                    await self._run(entry)
            finally:
                del self._busy[target]
                self.wake()

    async def _turn(self, entry: Entry) -> bool:
        """Wait until nothing keeps it any more; False once it is not approved, or not any more."""
        while entry.action.status == "approved" and self.waits_for(entry):
            await self._changed.wait()
        return entry.action.status == "approved"

    async def _may_begin(self, entry: Entry) -> bool:
        """Ask everything again; what does not hold any more ends the action before it began."""
        means, action = self._means, entry.action
        try:
            await self.check(action)
        except OperatorError as error:
            if entry.action.status == "approved":
                self._drop(entry, error.message)
            return False
        if entry.action.status != "approved":
            return False  # it was stopped, or ran out of time, meanwhile
        if means.switch.off:
            self.stop(entry)
            return False
        if entry.by_policy and means.kept_down(action.target):
            self._drop(entry, on_purpose(action.target))
            return False
        if self._pause(entry):
            return False  # others began while the preconditions were asked for: it waits on
        # From here to the deed nothing is awaited.
        try:
            means.register.begin(entry)
        except OperatorError as error:
            self._drop(entry, error.message)
            return False
        return True

    async def check(self, action: Action) -> str:
        """What would be done. Raises what stands against it now: its ticket, or a precondition of the subject."""
        self._require_wanted(action)
        try:
            async with asyncio.timeout(CHECK_S):
                would = await self._means.registry.check(action)
        except Exception as error:
            raise _typed(error, f"the check of {action.kind} {action.target}") from error
        # The subject may have taken its time, and a person the ticket.
        self._require_wanted(action)
        return would

    def _require_wanted(self, action: Action) -> None:
        if action.ticket is None:
            return
        status = self._means.tickets.get(action.ticket).status
        if status == "resolved":
            raise Conflict(f"ticket {action.ticket} is resolved: nothing is left to be done for it")
        if status == "held":
            raise Conflict(
                f"ticket {action.ticket} is held: a person keeps it",
                f"operatorctl reopen {action.ticket} gives it back to the agent",
            )

    def stop(self, entry: Entry) -> None:
        """The kill switch, between approval and beginning."""
        reason = f"the agent was switched off before it began ({self._means.switch.reason})"
        self._means.register.become(
            entry,
            replace(entry.action, status="rejected", result=reason, expires_at=None),
            by="kill switch",
            why=reason,
        )

    def _drop(self, entry: Entry, reason: str) -> None:
        ended = replace(entry.action, status="expired", result=reason, expires_at=None)
        self._means.register.become(entry, ended, by=DAEMON, why="it does not apply any more")

    async def _run(self, entry: Entry) -> None:
        means, action = self._means, entry.action
        means.pace.began()
        status, result = "failed", "interrupted: the daemon is stopping, and whether it was done is not known"
        try:
            try:
                async with asyncio.timeout(ACT_S):
                    done = await means.registry.act(action)
            except Exception as error:
                result = _typed(error, f"{action.kind} {action.target}").message
            else:
                result = f"{done}; the daemon stopped before that could be verified"
                try:
                    status, result = await self._verify(action, done)
                except Exception as error:
                    reason = _typed(error, f"the verification of {action.kind} {action.target}").message
                    result = f"{done}, but that could not be verified: {reason}"
        finally:
            means.pace.ended(action.target)
            ended = replace(
                entry.action,
                status="succeeded" if status == "succeeded" else "failed",
                result=result,
                finished_at=means.wall(),
            )
            means.register.become(entry, ended, by=DAEMON, why=action.reason)

    async def _verify(self, action: Action, done: str) -> tuple[str, str]:
        """Whether the violation ended in time, and the words for it."""
        means, since = self._means, self._means.clock()
        if action.ticket is None:
            return "succeeded", f"{done}; it is for no ticket, so there is nothing to verify"
        ticket = means.tickets.get(action.ticket)
        within_s = action.verify_within or 0.0  # as it was told with the proposal
        while not means.verification.is_over(ticket, since):
            if means.clock() - since >= within_s:
                open_still = "still open" if means.verification.is_open(ticket) else "not seen to be over"
                return "failed", f"{done}, but the violation {_named(ticket)} is {open_still} after {within_s:g} s"
            await self._changed.wait()
        return "succeeded", f"{done}; {_named(ticket)} is over, seen {format_duration(means.clock() - since)} later"


def on_purpose(target: str) -> str:
    """Why the policy leaves a server alone."""
    return f"{target} was {STOPPED_BY_COMMAND}, so nothing is done to it without asking"


def _named(ticket: Ticket) -> str:
    return f"{ticket.invariant} on {ticket.node}" if ticket.node else ticket.invariant


def _typed(error: Exception, what: str) -> OperatorError:
    """``error`` as one of ours; a defect is logged with its traceback."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"{what} took too long")
    _log.error("%s failed", what, exc_info=error)
    return InternalError(f"{what}: {type(error).__name__}: {error}")
