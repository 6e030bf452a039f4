"""The desk where faults are asked for and paid back: all of them, and the rules between them."""

import asyncio
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Callable

from operator_protocol.errors import BadRequest, Conflict, NotFound, OperatorError, Unavailable
from operator_protocol.models import Fault, Node, Scalar
from operatord.clock import Clock
from operatord.durations import require_seconds
from operatord.faults.guard import refusals, refuse, unexplained
from operatord.faults.targets import RANDOM, candidates, may_be_broken
from operatord.faults.tools import Limits, Observe, Publish, Sleep, Tools
from operatord.faults.undo_journal import Owed, UndoJournal
from operatord.faults.workflow import FaultWorkflow
from operatord.subjects.base import Observation, SubjectControl

DEFAULT_KIND = "kill"
DEFAULT_COUNTDOWN_S = 3.0

_MAX_COUNTDOWN_S = 3600.0
_MAX_FOR_S = 7 * 86_400.0
_HISTORY = 200
_log = logging.getLogger(__name__)


class FaultDesk:
    """Injects faults, undoes them, and knows what is owed.

    Lives on one event loop. Faults on different targets are independent of each other: they may be injected and
    recovered at the same time. What the journal holds when the desk is made is owed from then on.
    """

    def __init__(
        self,
        control: SubjectControl,
        journal: UndoJournal,
        publish: Publish,
        observe: Observe,
        *,
        instance: Callable[[], str] | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
        rng: random.Random | None = None,
        limits: Limits | None = None,
    ) -> None:
        which = instance or (lambda: control.instance)
        self._tools = Tools(control, journal, publish, observe, which, clock, wall, sleep, limits or Limits())
        self._rng = rng or random.Random()
        self._workflows: dict[str, FaultWorkflow] = {}
        """Those that count down or are owed, by id."""
        self._ended: deque[str] = deque(maxlen=_HISTORY)
        """Ids of faults that are over: recovering one of them again is no mistake."""
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._injections: set[asyncio.Task[None]] = set()
        self._closed = False
        for owed in journal.owed():
            self._add(owed.fault, owed)
        self._inherited = list(self._workflows)

    def owed(self) -> list[Fault]:
        """Faults that have to be undone, oldest first."""
        return [workflow.fault for workflow in self._workflows.values() if workflow.fault.owed]

    def counting_down(self) -> list[Fault]:
        """Faults that were asked for and are not injected yet."""
        return [workflow.fault for workflow in self._workflows.values() if not workflow.fault.owed]

    async def inject(
        self,
        kind: str = DEFAULT_KIND,
        target: str = RANDOM,
        countdown_s: float = DEFAULT_COUNTDOWN_S,
        for_s: float | None = None,
        force: bool = False,
    ) -> Fault:
        """Break ``target`` (a node, a role, or ``random``) and return the fault once it is active.

        Announces it for ``countdown_s`` seconds before; takes it back by itself after ``for_s`` seconds, if given.
        ``force`` overrides the guard rails. Raises ``BadRequest`` for bad times, ``NotFound`` for an unknown kind or
        target, ``NoTarget``, ``Conflict`` when a guard rail or another fault stands against it or the countdown was
        aborted, ``Unavailable`` when the subject cannot do it or cannot be seen, and what the injection raised.
        """
        params = _check_times(countdown_s, for_s)
        catalogue = self._tools.control.faults()
        if kind not in catalogue:
            raise NotFound(f"no fault is called {kind!r}", f"there are {', '.join(catalogue)}")
        observation = await self._tools.observe()
        # From here to the registration nothing is awaited, so that two requests never choose the same node.
        self._require_open()
        node = self._choose(kind, target, observation, force)
        workflow = self._add(
            Fault(
                id=secrets.token_hex(4),
                kind=kind,
                target=node.id,
                role=node.role,
                params=params,
                state="countdown",
                requested_at=self._tools.wall(),
            )
        )
        try:
            await workflow.count_down(countdown_s)
            was_healthy = await self._check_again(workflow, force)
            # Nothing is awaited between check and beginning: of two at the same moment, the second sees the first.
            injection = workflow.begin(was_healthy=was_healthy)
            self._injections.add(injection)
            injection.add_done_callback(self._injected)
            # It is not interrupted when the one who asked for it goes away.
            await asyncio.shield(injection)
        except (Exception, asyncio.CancelledError) as error:
            if workflow.fault.state == "countdown":
                workflow.refuse(error.message if isinstance(error, OperatorError) else "interrupted")
            raise
        finally:
            self._tidy()
        if for_s is not None and workflow.fault.owed and not self._closed:
            self._timers[workflow.fault.id] = asyncio.create_task(self._end_after(workflow, for_s))
        return workflow.fault

    async def recover(self, fault_id: str | None = None) -> list[Fault]:
        """Undo one fault, or everything, and return the faults when that is verified; countdowns are aborted.

        Nothing to undo is an empty list. A fault whose countdown was aborted is in the list as ``failed``, not owed.
        Raises ``NotFound`` for an id that never was, and when an undo fails the reason, typed; the others are undone
        all the same.
        """
        if fault_id is None:
            chosen = list(self._workflows.values())
        elif fault_id in self._workflows:
            chosen = [self._workflows[fault_id]]
        elif fault_id in self._ended:
            return []
        else:
            known = ", ".join(f"{fault.id} ({fault.kind} {fault.target})" for fault in self.owed())
            raise NotFound(f"no fault has the id {fault_id!r}", f"owed: {known}" if known else "nothing is owed")
        return await self._recover(chosen, "undo")

    def abort_countdowns(self) -> None:
        """End every countdown; nothing was injected yet."""
        for workflow in list(self._workflows.values()):
            workflow.abort()
        self._tidy()

    def note(self, observation: Observation) -> None:
        """Take in an observation: what others brought back is no longer owed."""
        for workflow in list(self._workflows.values()):
            workflow.note(observation)
        self._tidy()

    async def sweep(self) -> list[Fault]:
        """Undo what an earlier daemon left owed, and return the faults that this settled.

        Needs the subject up, or adopted. When the cluster was built anew since and shows nothing of a fault, the fault
        is struck out without touching anything (``recovered_by`` is ``rebuild``). What cannot be undone stays owed.
        """
        chosen = [self._workflows[fault_id] for fault_id in self._inherited if fault_id in self._workflows]
        self._inherited = []
        rebuilt = [workflow for workflow in chosen if workflow.instance != self._tools.instance()]
        if rebuilt:
            await self._strike_what_is_gone(rebuilt)
        try:
            await self._recover([workflow for workflow in chosen if not workflow.over], "sweep")
        except OperatorError as error:
            _log.warning("%s", error)
        self._tidy()
        return [workflow.fault for workflow in chosen if workflow.over]

    async def close(self) -> None:
        """The end of the desk: countdowns are aborted, no fault is taken on any more, and what is owed is undone.

        Raises like ``recover`` when something could not be undone: that stays in the journal for the next start.
        """
        self._closed = True
        try:
            await self.recover()
        finally:
            await self.release()

    async def release(self) -> None:
        """Abort countdowns and stop all work without undoing anything: what is owed stays owed, in the journal."""
        self._closed = True
        self.abort_countdowns()
        if self._injections:
            await asyncio.wait(self._injections)
        timers = list(self._timers.values())
        for timer in timers:
            timer.cancel()
        await asyncio.gather(*timers, return_exceptions=True)
        for workflow in list(self._workflows.values()):
            await workflow.cancel()

    def forfeit(self, by: str) -> list[Fault]:
        """Strike everything out because the cluster it was done to has ended; ``by`` says how that came about.

        For a daemon that has stopped its servers, after ``release``. Raises ``Unavailable`` when the journal cannot be
        written.
        """
        faults = []
        for workflow in list(self._workflows.values()):
            workflow.strike(by)
            faults.append(workflow.fault)
        self._tidy()
        return faults

    def _add(self, fault: Fault, owed: Owed | None = None) -> FaultWorkflow:
        workflow = FaultWorkflow(fault, self._tools, lambda: self._held(but=fault.id), owed)
        self._workflows[fault.id] = workflow
        return workflow

    def _held(self, but: str) -> set[str]:
        """The nodes that faults other than ``but`` have taken down, or are just taking down."""
        return {
            workflow.fault.target
            for fault_id, workflow in self._workflows.items()
            if fault_id != but and workflow.holds_target
        }

    def _choose(self, kind: str, target: str, observation: Observation, force: bool) -> Node:
        control, rng = self._tools.control, self._rng
        holders = {workflow.fault.target: workflow.fault for workflow in self._workflows.values()}
        nodes = candidates(
            target,
            observation,
            default_role=control.default_fault_role,
            roles=(control.guard.voting_role,),
            taken=holders,
            rng=rng,
        )
        if held := holders.get(nodes[0].id):
            raise _taken(held)
        first_reasons: list[str] = []
        for node in nodes:
            reasons = refusals(node, observation, control.guard, holders)
            if not reasons:
                return node
            first_reasons = first_reasons or reasons
        if force:
            return nodes[0]
        raise refuse(nodes[0], kind, first_reasons)

    async def _check_again(self, workflow: FaultWorkflow, force: bool) -> bool:
        """The guard rails at the moment of injection, seconds later. Returns whether the subject is healthy."""
        fault = workflow.fault
        observation = await self._tools.observe()
        workflow.check_not_aborted()
        self._require_open()
        node = observation.node(fault.target)
        if node is None:
            raise NotFound(f"{fault.target} has left {observation.subject}")
        if not may_be_broken(node):
            raise Conflict(f"{fault.target} went down during the countdown")
        others = self._held(but=fault.id)
        if not force and (reasons := refusals(node, observation, self._tools.control.guard, others)):
            raise refuse(node, fault.kind, reasons)
        return not unexplained(observation, others)

    def _injected(self, task: "asyncio.Task[None]") -> None:
        self._injections.discard(task)
        self._tidy()

    async def _recover(self, chosen: list[FaultWorkflow], by: str) -> list[Fault]:
        for workflow in chosen:
            workflow.abort()
        outcomes = await asyncio.gather(*(workflow.recover(by) for workflow in chosen), return_exceptions=True)
        self._tidy()
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in errors:
            if isinstance(error, asyncio.CancelledError):
                raise Unavailable("the recovery was interrupted: the daemon is stopping") from error
            if not isinstance(error, OperatorError):
                raise error
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise Unavailable("; ".join(str(error) for error in errors))
        return [workflow.fault for workflow in chosen]

    async def _strike_what_is_gone(self, rebuilt: list[FaultWorkflow]) -> None:
        try:
            observation = await self._tools.observe()
            for workflow in rebuilt:
                if not workflow.remains(observation):
                    workflow.strike("rebuild")
        except OperatorError as error:
            _log.warning("faults of an earlier cluster cannot be judged yet: %s", error)

    async def _end_after(self, workflow: FaultWorkflow, seconds: float) -> None:
        await self._tools.sleep(seconds)
        while workflow.fault.owed and not self._closed:
            try:
                await self._recover([workflow], "undo")
            except OperatorError as error:
                _log.warning("%s", error)
            except Exception:
                _log.exception("the recovery of %s failed", workflow.fault.id)
            if workflow.fault.owed:
                await self._tools.sleep(self._tools.limits.retry_s)

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the daemon is stopping: no fault is injected any more")

    def _tidy(self) -> None:
        """Forget what is over, and the timers of what is no longer owed."""
        for fault_id, workflow in list(self._workflows.items()):
            if workflow.over:
                del self._workflows[fault_id]
                self._ended.append(fault_id)
        for fault_id, timer in list(self._timers.items()):
            if fault_id not in self._workflows:
                del self._timers[fault_id]
                if timer is not asyncio.current_task():
                    timer.cancel()


def _check_times(countdown_s: float, for_s: float | None) -> dict[str, Scalar]:
    if require_seconds(countdown_s, "countdown") > _MAX_COUNTDOWN_S:
        raise BadRequest(f"countdown: over {_MAX_COUNTDOWN_S:g} s is longer than anybody waits", "give less")
    if for_s is None:
        return {}
    if require_seconds(for_s, "for") == 0:
        raise BadRequest("for: a fault of no duration is none", "leave it out, or give it at least a second")
    if for_s > _MAX_FOR_S:
        raise BadRequest(f"for: over {_MAX_FOR_S:g} s is for good", "leave it out, and recover the fault by hand")
    return {"for_s": for_s}


def _taken(fault: Fault) -> Conflict:
    how = f"has a fault already: {fault.kind} ({fault.state}), id {fault.id}"
    return Conflict(f"{fault.target} {how}", f"operatorctl recover {fault.id} ends it")
