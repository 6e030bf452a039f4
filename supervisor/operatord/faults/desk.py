"""The desk where faults are asked for and paid back: all of them, and the rules between them."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from operator_protocol.errors import OperatorError, Unavailable
from operator_protocol.models import Fault, FaultAnswer, Node, Scalar
from operatord.clock import Clock
from operatord.faults import request as requests
from operatord.faults.choice import check_again, choose
from operatord.faults.cooldown import Cooldown
from operatord.faults.expiry import Expiry
from operatord.faults.guard import is_undecided
from operatord.faults.register import Register
from operatord.faults.request import Request
from operatord.faults.targets import RANDOM, candidates
from operatord.faults.tools import Limits, Observe, Publish, Sleep, Tools
from operatord.faults.undo_journal import UndoJournal
from operatord.faults.workflow import FaultWorkflow
from operatord.subjects.base import Observation, SubjectControl

DEFAULT_KIND = "kill"
DEFAULT_COUNTDOWN_S = 3.0

_log = logging.getLogger(__name__)


class FaultDesk:
    """Injects faults, undoes them, and knows what is owed.

    Lives on one event loop. Faults on different targets are independent of each other: they may be injected and
    recovered at the same time. What the journal holds when the desk is made is owed from then on. ``lost`` are nodes
    that are down for reasons of their own, and are not waited for.
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
        cooldown_s: float = 0.0,
        lost: Collection[str] = (),
    ) -> None:
        which = instance or (lambda: control.instance)
        self._tools = Tools(control, journal, publish, observe, which, clock, wall, sleep, limits or Limits())
        self._rng = rng or random.Random()
        self._cooldown = Cooldown(cooldown_s, clock)
        self._register = Register(self._tools, self._is_over, lost)
        self._expiry = Expiry(self._tools, lambda workflow: self._recover([workflow], "undo"))
        self._injections: set[asyncio.Task[None]] = set()
        self._checking = asyncio.Lock()
        self._closed = False
        for owed in journal.owed():
            self._register.add(owed.fault, owed)
        self._inherited = self._register.all()

    def owed(self) -> list[Fault]:
        """Faults that have to be undone, oldest first."""
        return self._register.owed()

    def counting_down(self) -> list[Fault]:
        """Faults that were asked for and are not injected yet."""
        return self._register.counting_down()

    async def inject(
        self,
        kind: str = DEFAULT_KIND,
        target: str = RANDOM,
        countdown_s: float = DEFAULT_COUNTDOWN_S,
        for_s: float | None = None,
        force: bool = False,
        *,
        params: Mapping[str, Scalar] | None = None,
    ) -> Fault:
        """Break ``target`` (a node, a role, or ``random``) and return the fault once it is active.

        Announces it for ``countdown_s`` seconds before; takes it back by itself after ``for_s`` seconds, if given.
        ``params`` are those of the kind, see the catalogue. ``force`` overrides guard rails and cooldown. Raises
        ``BadRequest`` for bad times or parameters, ``NotFound`` for an unknown kind or target, ``NoTarget``,
        ``Conflict`` when a guard rail, the cooldown or another fault stands against it or the countdown was aborted,
        ``Unavailable`` when the subject cannot do it or cannot be seen, and what the injection raised.
        """
        request = requests.read(
            self._tools.control.faults(),
            kind,
            target,
            countdown_s=countdown_s,
            for_s=for_s,
            force=force,
            params=params or {},
        )
        observation = await self._look(force)
        # From here to the registration nothing is awaited, so that two requests never choose the same node.
        self._require_open()
        if not force:
            self._cooldown.check()
        node = choose(request, observation, self._tools.control, self._register.holders(), self._rng)
        workflow = self._register.add(self._fault(request, node))
        try:
            if countdown_s > 0:
                await self._check_possible(workflow)
            await workflow.count_down(countdown_s)
            was_healthy = await self._check_again(workflow, force)
            # Nothing is awaited between check and beginning: of two at the same moment, the second sees the first.
            injection = workflow.begin(was_healthy=was_healthy)
            self._injections.add(injection)
            injection.add_done_callback(lambda task: self._injected(task, workflow, for_s))
            # It is not interrupted when the one who asked for it goes away.
            await asyncio.shield(injection)
        except (Exception, asyncio.CancelledError) as error:
            if workflow.fault.state == "countdown" and self._register.has(workflow.fault.id):
                workflow.refuse(error.message if isinstance(error, OperatorError) else "interrupted")
            raise
        finally:
            self._register.tidy()
        return workflow.fault

    async def check(
        self, kind: str, target: str | None = None, force: bool = False, *, params: Mapping[str, Scalar] | None = None
    ) -> list[FaultAnswer]:
        """What ``inject`` would answer now for each node that ``target`` may mean, for all nodes without one.

        Nothing is done, registered or published, and the answer binds nobody: a moment later it may be another one.
        Raises what ``inject`` raises before it comes to the nodes.
        """
        request = requests.read(
            self._tools.control.faults(), kind, RANDOM, countdown_s=0, for_s=None, force=force, params=params or {}
        )
        observation = await self._look(force)
        self._require_open()
        nodes = [node for node in observation.nodes if target in (None, node.id, node.role)]
        if not nodes:
            # An unknown name, or none that could be meant: said as ``inject`` would.
            nodes = candidates(
                target or RANDOM, observation, default_role=self._tools.control.default_fault_role, rng=self._rng
            )
        # One after the other, whoever asks and how often: some kinds run a command on the host to find out.
        async with self._checking:
            return [await self._answer(replace(request, target=node.id), node, observation) for node in nodes]

    async def recover(self, fault_id: str | None = None) -> list[Fault]:
        """Undo one fault, or everything, and return the faults when that is verified; countdowns are aborted.

        Nothing to undo is an empty list. A fault whose countdown was aborted is in the list as ``failed``, not owed.
        Raises ``NotFound`` for an id that never was, and when an undo fails the reason, typed; the others are undone
        all the same.
        """
        return await self._recover(self._register.find(fault_id), "undo")

    def abort_countdowns(self) -> None:
        """End every countdown; nothing was injected yet."""
        for workflow in self._register.all():
            workflow.abort()
        self._register.tidy()

    def note(self, observation: Observation) -> None:
        """Take in an observation: what others brought back is no longer owed."""
        for workflow in self._register.all():
            workflow.note(observation)
        self._register.tidy()

    async def sweep(self) -> list[Fault]:
        """Undo what an earlier daemon left owed, and return the faults that this settled.

        Needs the subject up, or adopted. When the cluster was built anew since and shows nothing of a fault, the fault
        is struck out without touching anything (``recovered_by`` is ``rebuild``). What cannot be undone stays owed.
        """
        chosen = [workflow for workflow in self._inherited if not workflow.over]
        self._inherited = []
        rebuilt = [workflow for workflow in chosen if workflow.instance != self._tools.instance()]
        if rebuilt:
            await self._strike_what_is_gone(rebuilt)
        try:
            await self._recover([workflow for workflow in chosen if not workflow.over], "sweep")
        except OperatorError as error:
            _log.warning("%s", error)
        self._register.tidy()
        return [workflow.fault for workflow in chosen if workflow.over]

    async def retry(self) -> list[Fault]:
        """Undo again what could not be undone, and return the faults that this settled; the rest stays owed."""
        chosen = [workflow for workflow in self._register.all() if workflow.fault.state == "failed"]
        try:
            await self._recover([workflow for workflow in chosen if workflow.fault.owed], "undo")
        except OperatorError as error:
            _log.warning("%s", error)
        return [workflow.fault for workflow in chosen if workflow.fault.state == "recovered"]

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
        await self._expiry.close()
        for workflow in self._register.all():
            await workflow.cancel()

    async def clear(self) -> None:
        """Take back what owed faults did outside the subject, before it is started; they stay owed until they are
        swept, which verifies it."""
        for workflow in self._register.all():
            if left := await workflow.clear():
                _log.warning("%s %s: %s", workflow.fault.kind, workflow.fault.target, left)

    async def forfeit(self, by: str) -> list[Fault]:
        """Strike out what ended with the cluster it was done to; ``by`` says how that came about.

        For a daemon that has stopped its servers, after ``release``. What a fault did outside the servers is taken back
        first; if something of that is left, it stays owed. Raises ``Unavailable`` when the journal cannot be written.
        """
        faults = []
        for workflow in self._register.all():
            if left := await workflow.clear():
                _log.warning("%s %s stays owed: %s", workflow.fault.kind, workflow.fault.target, left)
                continue
            workflow.strike(by)
            faults.append(workflow.fault)
        self._register.tidy()
        return faults

    async def _answer(self, request: Request, node: Node, observation: Observation) -> FaultAnswer:
        try:
            if not request.force:
                self._cooldown.check()
            choose(request, observation, self._tools.control, self._register.holders(), self._rng)
            # A workflow that no register knows: nothing is announced.
            await FaultWorkflow(self._fault(request, node), self._tools, frozenset).check_possible()
        except OperatorError as refusal:
            return FaultAnswer(node.id, False, refusal.message, refusal.hint)
        return FaultAnswer(node.id, True)

    def _fault(self, request: Request, node: Node) -> Fault:
        return Fault(
            id=secrets.token_hex(4),
            kind=request.kind,
            target=node.id,
            role=node.role,
            params=request.params,
            state="countdown",
            requested_at=self._tools.wall(),
        )

    async def _check_possible(self, workflow: FaultWorkflow) -> None:
        """What the subject refuses is refused at once; nobody has heard of the fault yet, so nobody is told."""
        try:
            await workflow.check_possible()
        except BaseException:
            self._register.drop(workflow.fault.id)
            raise

    async def _look(self, force: bool, but: str = "") -> Observation:
        """A look at which each node is up or down, as far as that can be waited for; ``force`` takes the first."""
        until = self._tools.clock() + (0.0 if force else self._tools.limits.answer_s)
        while True:
            observation = await self._tools.observe()
            if self._tools.clock() >= until or not is_undecided(observation, self._register.held(but=but)):
                return observation
            await self._tools.sleep(self._tools.limits.poll_s)

    async def _check_again(self, workflow: FaultWorkflow, force: bool) -> bool:
        observation = await self._look(force, but=workflow.fault.id)
        workflow.check_not_aborted()
        self._require_open()
        others = self._register.held(but=workflow.fault.id)
        return check_again(workflow.fault, observation, self._tools.control.guard, others, force=force)

    def _injected(self, task: "asyncio.Task[None]", workflow: FaultWorkflow, for_s: float | None) -> None:
        self._injections.discard(task)
        self._register.tidy()
        # Here, and not where it was asked for: that one may have gone away, and an injection that failed may be owed.
        if for_s is not None and workflow.fault.owed and not self._closed:
            self._expiry.begin(workflow, for_s)

    async def _recover(self, chosen: list[FaultWorkflow], by: str) -> list[Fault]:
        for workflow in chosen:
            workflow.abort()
        outcomes = await asyncio.gather(*(workflow.recover(by) for workflow in chosen), return_exceptions=True)
        self._register.tidy()
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

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the daemon is stopping: no fault is injected any more")

    def _is_over(self, fault: Fault) -> None:
        self._expiry.over(fault.id)
        if fault.state == "recovered":
            self._cooldown.begin()
