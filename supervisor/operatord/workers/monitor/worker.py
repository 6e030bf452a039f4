"""The monitor worker: one look at a time, on time, and at once when asked.

A look that the daemon asks for (a process just died) must *begin* after the request, or it may show the state from
before the event. So requests that arrive while a look is under way share the next one.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from operator_protocol.models import ClusterHealth, InvariantKind, InvariantTable, Violation
from operator_protocol.records import from_body, to_body
from operator_protocol.topics import CLUSTER_HEALTH, CLUSTER_INVARIANTS, VIOLATION_CLOSED, VIOLATION_OPENED
from operatord.subjects.base import Observation, SubjectProbe, SubjectSpec
from operatord.workers.containers import tell_containers
from operatord.workers.monitor.tracker import ViolationTracker

if TYPE_CHECKING:
    from operatord.workers.runtime import WorkerContext

INTERVAL_S = 0.5
DEADLINE_S = 0.4
"""A look is over before the next one is due."""
_OVERRUN_S = 0.6
"""A probe that has not come back this long after its deadline is cancelled."""
_LATE_S = 0.2
"""A look that is cancelled this long after its time: it was we who did not run."""


class Monitor:
    """Looks at the subject and publishes what it sees."""

    def __init__(
        self, ctx: "WorkerContext", probe: SubjectProbe, tracker: ViolationTracker, subject: str, interval_s: float
    ) -> None:
        self._ctx = ctx
        self._probe = probe
        self._tracker = tracker
        self._subject = subject
        self._interval_s = interval_s
        self._asked = asyncio.Event()
        self._waiting: asyncio.Future[Observation] | None = None
        self._complaint = ""

    async def observe(self) -> Observation:
        """A look that begins after this call; it is published like any other."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        self._asked.set()
        return await asyncio.shield(self._waiting)

    def look_soon(self) -> None:
        """Have the next look begin now, or right after the one under way."""
        self._asked.set()

    async def run(self) -> None:
        """Look forever. Nothing that the probe does ends this."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._interval_s
            waiting, self._waiting = self._waiting, None
            self._asked.clear()
            observation, trouble = await self._look()
            self._tell(observation, trouble)
            if waiting is not None and not waiting.done():
                waiting.set_result(observation)
            try:
                async with asyncio.timeout_at(max(due, loop.time())):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _look(self, *, again: bool = True) -> tuple[Observation, str]:
        """One observation, and what was wrong with the looking.

        One that took so long because this process stood still tells of nobody else, and is taken ``again``, once.
        """
        began_at, began = time.time(), time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S + _OVERRUN_S):
                return await self._probe.observe(DEADLINE_S), ""
        except TimeoutError:
            if again and time.monotonic() - began > DEADLINE_S + _OVERRUN_S + _LATE_S:
                return await self._look(again=False)
            trouble = f"the probe did not come back within {DEADLINE_S + _OVERRUN_S:g} s"
        except Exception as error:
            trouble = f"the probe failed: {type(error).__name__}: {' '.join(str(error).split())}"
        return Observation(self._subject, None, trouble, [], {}, began_at, began), trouble

    def _tell(self, observation: Observation, trouble: str) -> None:
        health = ClusterHealth(
            subject=observation.subject,
            ok=observation.ok,
            reason=observation.reason,
            nodes=list(observation.nodes),
            observed_at=observation.observed_at,
            observed_mono=observation.observed_mono,
        )
        self._ctx.publish(CLUSTER_HEALTH, to_body(health))
        changes = self._tracker.feed(observation)
        for violation in changes.opened:
            self._ctx.publish(VIOLATION_OPENED, to_body(violation))
        for violation in changes.closed:
            self._ctx.publish(VIOLATION_CLOSED, to_body(violation))
        if changes.failed_checks:
            trouble = f"invariants could not be checked: {'; '.join(changes.failed_checks)}"
        self._complain(trouble)

    def _complain(self, reason: str) -> None:
        """One line to the log when a trouble begins and when it is over, not one for each look."""
        if reason and reason != self._complaint:
            print(reason)
        elif self._complaint and not reason:
            print("looking works again")
        self._complaint = reason


async def main(ctx: "WorkerContext") -> None:
    """Entry of the worker: ``configure`` brings ``{subject, interval_s, open_violations}``."""
    configuration = await ctx.configured()
    later: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    ctx.on_configure(later.put_nowait)
    while True:
        watching = asyncio.create_task(_watch(ctx, configuration))
        reconfigured = asyncio.create_task(later.get())
        try:
            await asyncio.wait((watching, reconfigured), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            reconfigured.cancel()
            results = await asyncio.gather(watching, reconfigured, return_exceptions=True)
        failure, configuration = results[0], results[1]
        if isinstance(failure, Exception):
            raise failure


async def _watch(ctx: "WorkerContext", configuration: Mapping[str, Any]) -> None:
    """Watch what one configuration names, until cancelled."""
    from operatord.subjects.registry import make_probe  # a subject's client library, wanted only here

    spec = from_body(SubjectSpec, configuration["subject"])
    probe = make_probe(spec)
    try:
        known = [from_body(Violation, body) for body in configuration.get("open_violations") or []]
        invariants = probe.invariants()
        tracker = ViolationTracker(invariants, time.monotonic, open_violations=known)
        monitor = Monitor(ctx, probe, tracker, spec.name, float(configuration.get("interval_s") or INTERVAL_S))

        async def observe(_args: Mapping[str, Any]) -> Mapping[str, Any]:
            return to_body(await monitor.observe())

        async def containers(args: Mapping[str, Any]) -> Mapping[str, Any]:
            tell_containers(probe, args)
            monitor.look_soon()
            return {}

        ctx.handle("observe", observe)
        ctx.handle("containers", containers)
        kinds = [InvariantKind(one.name, one.severity, one.grace_s, one.runbook) for one in invariants]
        ctx.publish(CLUSTER_INVARIANTS, to_body(InvariantTable(spec.name, kinds)))
        ctx.ready()
        await monitor.run()
    finally:
        await probe.close()
