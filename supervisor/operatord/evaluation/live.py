"""Runs trials on a live subject: a daemon of its own, faults through its control socket as any client would ask for."""

import asyncio
import contextlib
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from operator_protocol.aio import AsyncFollower
from operator_protocol.errors import DaemonUnreachable, OperatorError, Unavailable
from operator_protocol.events import FrameSeen, Resynced
from operator_protocol.models import Fault, FaultKind
from operator_protocol.records import from_body
from operator_protocol.topics import CLUSTER_HEALTH, WORKLOAD_SAMPLE
from operatord.evaluation.campaign import Campaign, Variant
from operatord.evaluation.execute import Hopeless
from operatord.evaluation.own_daemon import AgentChoice, OwnDaemon
from operatord.evaluation.plan import Trial, check_plan, choose_nodes, variant_of
from operatord.evaluation.recording import Recording
from operatord.evaluation.seen import Seen, not_run
from operatord.evaluation.waiting import awaited, unfit
from operatord.workers.agent.settings import KEY_VARIABLE

_TOPICS = (CLUSTER_HEALTH, WORKLOAD_SAMPLE, "violation.", "ticket.", "agent.", "fault.", "action.")
_LOOK_S = 0.1
_JOIN_S = 20.0
_UNDO_S = 90.0
_LEFT_ALONE_S = 5.0
"""A ticket whose violation is over, and that nobody resolves, is resolved by us after this."""
_SPARE_S = 300.0
"""For building a daemon anew, and for the undo, besides what the campaign says."""
_API_FAILED = re.compile(r"did not answer: (?!the answer).*(\bHTTP \d{3}\b|\bAPI\b|no key|key_file|ceiling|no answer)")
"""In the remark with which the rules answer for a model: nobody knows what that would have said. Whatever else keeps it
from answering (a refusal, an answer that is none, a budget) is its own doing, and graded."""


class LiveRunner:
    """One daemon at a time, built anew for a variant that needs another one, or when it cannot be brought to health."""

    def __init__(self, campaign: Campaign, base: Path, log_file: Path, tell: Callable[[str], None]) -> None:
        self._campaign = campaign
        self._base = base
        self._log_file = log_file
        self._tell = tell
        self._daemon: OwnDaemon | None = None
        self._links = AsyncExitStack()
        self._follower: AsyncFollower | None = None
        self._listener: asyncio.Task[None] | None = None
        self._recording: Recording | None = None
        self._gap = ""
        self._isolate = False
        self._why_not_isolated = ""
        self._is_spoilt = False
        self._kinds: dict[str, FaultKind] = {}
        self._rate: float | None = None

    @property
    def isolated(self) -> bool:
        """Whether the nodes have network namespaces of their own."""
        return self._isolate

    @property
    def deadline_s(self) -> float:
        """Within which one trial is over, or something hangs."""
        limits = self._campaign.limits
        longest_after = max((sum(part.after for part in case.fault) for case in self._campaign.case), default=0.0)
        waits = 2 * (limits.healthy + limits.settle) + limits.detect + limits.diagnose + limits.recover
        return waits + longest_after + 1.5 * self._campaign.controls.watch + _SPARE_S

    async def open(self, trials: Sequence[Trial]) -> None:
        """Start a daemon, and check that it can do what ``trials`` ask for. Raises ``BadRequest`` if it never can."""
        choice = AgentChoice.of(variant_of(self._campaign, trials[0]))
        await self._build(choice)
        wanted = {injection.kind for trial in trials for injection in trial.injections}
        if any("--isolate" in kind.missing for name, kind in self._kinds.items() if name in wanted):
            await self._isolate_if_possible(choice)
        check_plan(trials, list(self._kinds.values()), list(self._joined.state.nodes.values()))

    async def close(self) -> None:
        """Nothing of it is left."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError, OperatorError):
                await self._listener
            self._listener = None
        self._follower = None
        await self._links.aclose()
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            await daemon.stop()

    async def run(self, trial: Trial) -> Seen:
        """One trial, from a healthy subject to a healthy subject."""
        variant = variant_of(self._campaign, trial)
        for injection in trial.injections:
            if missing := self._kinds[injection.kind].missing:
                why = self._why_not_isolated if "--isolate" in missing else ""
                return not_run(f"{injection.kind} cannot be injected here: {why or missing}")
        if variant.diagnoser == "claude" and not os.environ.get(KEY_VARIABLE):
            return not_run(f"there is no key in {KEY_VARIABLE}")
        await self._make_fit(AgentChoice.of(variant))
        try:
            return await self._guarded(trial, variant)
        except BaseException:
            # Cancelled, a defect, or a daemon that is gone: what it is in, nobody knows.
            self._is_spoilt = True
            raise
        finally:
            self._recording = None

    # a trial

    async def _guarded(self, trial: Trial, variant: Variant) -> Seen:
        began = time.monotonic()
        self._gap = ""
        recording = Recording(trial, began, healthy=True, with_answers=variant.diagnoser != "none")
        self._recording = recording
        if trial.is_control:
            watch_s = self._campaign.controls.watch * random.Random(trial.seed).uniform(0.5, 1.5)
            await self._while(lambda: time.monotonic() < began + watch_s)
            return recording.seen(time.monotonic() - began, None)
        try:
            await self._inject(trial, recording)
        except DaemonUnreachable:
            raise
        except OperatorError as error:
            # What was injected before the refusal is taken back; nobody is judged for half a trial.
            await self._undo()
            return not_run(str(error), time.monotonic() - began)
        agent = variant.diagnoser != "none"
        limits = self._campaign.limits
        await self._while(
            lambda: (
                awaited(recording, limits, recording.since(time.monotonic()), agent=agent)
                and not (variant.diagnoser == "claude" and _did_not_answer(recording))
            )
        )
        undone_at = recording.since(time.monotonic()) if self._joined.state.faults else None
        await self._undo()
        if variant.diagnoser == "claude" and (reason := _did_not_answer(recording)):
            return not_run(reason, time.monotonic() - began)
        return recording.seen(time.monotonic() - began, undone_at)

    async def _inject(self, trial: Trial, recording: Recording) -> None:
        nodes = list(self._joined.state.nodes.values())
        for injection, node in zip(trial.injections, choose_nodes(trial, nodes), strict=True):
            await asyncio.sleep(injection.after_s)
            told = {"kind": injection.kind, "target": node.id, "countdown": 0, "params": dict(injection.params)}
            reply = await self._joined.perform("fault", told, deadline_s=_UNDO_S)
            fault = from_body(Fault, reply["fault"])
            ago_s = max(0.0, time.time() - fault.injected_at) if fault.injected_at is not None else 0.0
            recording.struck(injection.kind, node, nodes, recording.since(time.monotonic() - ago_s))

    async def _undo(self) -> None:
        """Undo and have it verified; if that fails, the daemon is not used any more."""
        try:
            if self._joined.state.faults:
                await self._joined.perform("recover", {}, deadline_s=_UNDO_S)
        except OperatorError as error:
            self._tell(f"  the undo failed: {error}")
            self._is_spoilt = True

    async def _while(self, goes_on: Callable[[], object]) -> None:
        while goes_on():
            self._check()
            await asyncio.sleep(_LOOK_S)
        self._check()

    def _check(self) -> None:
        if self._daemon is None or not self._daemon.runs:
            raise Unavailable("the daemon has ended", f"its log is {self._log_file}")
        if self._listener is None or self._listener.done():
            raise Unavailable("the daemon cannot be followed any more")
        if self._gap:
            raise Unavailable(f"not all of it was seen: {self._gap}")

    # between two trials

    async def _make_fit(self, choice: AgentChoice) -> None:
        """A healthy subject under its usual load, with an agent of this ``choice``. Raises ``Unavailable``."""
        reason = ""
        for _ in range(2):
            daemon = self._daemon
            if self._is_spoilt or daemon is None or not daemon.runs or daemon.choice != choice:
                await self._build(choice)
            try:
                reason = await self._settle()
            except OperatorError as error:
                reason = str(error)
            if not reason:
                return
            self._tell(f"  a new daemon is needed: {reason}")
            self._is_spoilt = True
        raise Unavailable(f"the subject did not become fit for a trial: {reason}")

    async def _settle(self) -> str:
        """Wait until it was fit for long enough; what is in the way if it is not."""
        self._gap = ""
        await self._undo()
        if self._is_spoilt:
            return "the undo failed"
        await self._restore_load()
        limits = self._campaign.limits
        began = fit_since = time.monotonic()
        reason = "nothing was seen yet"
        while time.monotonic() < began + limits.healthy + limits.settle:
            self._check()
            if reason := unfit(self._joined.state):
                fit_since = time.monotonic()
            elif time.monotonic() >= fit_since + limits.settle:
                return ""
            if time.monotonic() > began + _LEFT_ALONE_S:
                await self._resolve_leftovers()
            await asyncio.sleep(_LOOK_S)
        return reason or f"not for {limits.settle:g} s together"

    async def _restore_load(self) -> None:
        load = await self._joined.perform("workload", {"action": "show"})
        if not load.get("running"):
            await self._joined.perform("workload", {"action": "start", "rate": self._rate}, deadline_s=_UNDO_S)
        elif self._rate is None:
            self._rate = load.get("rate")
        elif load.get("rate") != self._rate:
            await self._joined.perform("workload", {"action": "rate", "rate": self._rate})

    async def _resolve_leftovers(self) -> None:
        state = self._joined.state
        violated = {(one.invariant, one.node) for one in state.violations.values()}
        for ticket in list(state.tickets.values()):
            if (ticket.invariant, ticket.node) not in violated:
                await self._joined.perform("resolve", {"id": ticket.id, "note": "its trial is over"})

    # the daemon

    async def _build(self, choice: AgentChoice) -> None:
        """Another daemon in place of this one. Raises ``Hopeless`` if there can be none."""
        try:
            await self.close()
            try:
                await self._start(choice, isolate=self._isolate)
            except OperatorError as error:
                self._tell(f"the daemon is started again: {error.message}")
                await self.close()
                await self._start(choice, isolate=self._isolate)
        except OperatorError as error:
            raise Hopeless(f"no daemon for the trials: {error.message}", error.hint) from error

    async def _isolate_if_possible(self, choice: AgentChoice) -> None:
        await self.close()
        try:
            await self._start(choice, isolate=True)
        except OperatorError as error:
            self._why_not_isolated = error.message
            await self._build(choice)
        else:
            self._isolate = True

    async def _start(self, choice: AgentChoice, *, isolate: bool) -> None:
        daemon = OwnDaemon(self._base, self._log_file, self._campaign.subject, choice, isolate=isolate)
        await daemon.start(lambda _: None)
        self._daemon = daemon
        self._links = AsyncExitStack()
        self._follower = await self._links.enter_async_context(
            AsyncFollower(daemon.endpoint, topics=_TOPICS, actor="evaluation")
        )
        await self._joined.join(_JOIN_S)
        self._listener = asyncio.create_task(self._listen(self._joined))
        catalogue = await self._joined.perform("faults")
        self._kinds = {kind.name: kind for kind in (from_body(FaultKind, one) for one in catalogue["kinds"])}
        self._is_spoilt, self._gap, self._rate = False, "", None

    async def _listen(self, follower: AsyncFollower) -> None:
        async for event in follower.events():
            if isinstance(event, FrameSeen) and self._recording is not None:
                self._recording.take(event.frame)
            elif isinstance(event, Resynced):
                self._gap = event.reason

    @property
    def _joined(self) -> AsyncFollower:
        if self._follower is None:
            raise Unavailable("no daemon runs for the trials")
        return self._follower


def _did_not_answer(recording: Recording) -> str:
    """Why nobody knows what the model would have said; empty if it could."""
    remarks = [remark for one in recording.answers() for remark in one.remarks]
    return next((remark for remark in remarks if _API_FAILED.search(remark)), "")
