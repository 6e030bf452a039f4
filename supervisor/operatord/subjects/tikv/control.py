"""The half that changes things: starts the containers, breaks them, brings them back; or only attaches to a cluster."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operator_protocol.models import Action, ActionKind, Fault, FaultKind, Scalar
from operatord.clock import Clock
from operatord.injectors.limits import ResourceLimits
from operatord.subjects.base import GuardRules, Observation, Progress, SubjectSpec, WorkloadSource
from operatord.subjects.tikv import project as projects
from operatord.subjects.tikv import workload
from operatord.subjects.tikv.actions import Actor
from operatord.subjects.tikv.assembly import Assembly
from operatord.subjects.tikv.breaking import Breaker
from operatord.subjects.tikv.cluster import Cluster, Identity
from operatord.subjects.tikv.engine import Containers, Engine, NoEngine
from operatord.subjects.tikv.faults.base import PD, TIKV, Means
from operatord.subjects.tikv.options import ids, split

NAME = "tikv"
_CLUSTER = "cluster"
"""In the memo of a fault: the id of the attached cluster that it is done to."""
_REPLICAS = 3
_FORM_S = 60.0
_FIRST_ASK_S = 3.0
"""Of an attached cluster; if it does not answer by then, the start goes on without."""
_STOP_MARGIN_S = 25.0
"""For removing containers, network and volumes, beside the grace of the servers."""


class TiKVControl:
    """``SubjectControl`` of a TiKV cluster; also ``Outliving`` and ``Acting``.

    Attached (option ``pd``) it starts and stops nothing, and changes only what the configuration allows for the
    cluster of that id. Without ``start`` it works on what ``project.json`` describes, for ``operatord recover``.
    """

    name = NAME
    default_fault_role = TIKV

    def __init__(
        self,
        engine: Engine,
        state_dir: Path,
        options: Mapping[str, Scalar],
        *,
        keep: bool,
        load: WorkloadSource | None = None,
        limits: ResourceLimits | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._options, self._settings = split(options)
        self._load = load
        self._limits = limits or ResourceLimits()
        self._attached = bool(self._settings.pd)
        self._keep = keep
        self._clock = clock
        self._directory = state_dir / projects.DIRECTORY
        self._assembly = None if self._attached else Assembly(engine, state_dir, self._options, keep=keep, clock=clock)
        self._identity: Identity | None = None
        self._asking: asyncio.Task[None] | None = None
        self._built = self._build()

    @property
    def spec(self) -> SubjectSpec:
        """Members are empty as long as there are no containers; who belongs to an attached cluster its PD tells."""
        project = self._assembly.project if self._assembly is not None else None
        if project is None:
            return SubjectSpec(NAME, [], self._settings.to_options())
        settings = replace(self._settings, prometheus=project.prometheus, data=project.data)
        return SubjectSpec(NAME, project.members, settings.to_options())

    @property
    def instance(self) -> str:
        """Of containers what was written down when they were planned, else the id of the cluster."""
        if self._assembly is not None:
            return self._assembly.project.instance if self._assembly.project is not None else ""
        return f"cluster {self._identity.cluster_id}" if self._identity is not None else ""

    @property
    def guard(self) -> GuardRules:
        """The PDs vote; of the stores so many may be down as leave a majority of each region's replicas."""
        replicas = self._identity.replicas if self._identity is not None else _REPLICAS
        return GuardRules(voting_role=PD, losable={TIKV: (replicas - 1) // 2})

    @property
    def stands(self) -> bool:
        """An attached cluster always may; containers until they were taken down."""
        return self._attached or (self._assembly is not None and self._assembly.project is not None)

    @property
    def stop_budget_s(self) -> float:
        """The containers end side by side."""
        return _STOP_MARGIN_S + self._options.stop_grace_s

    async def start(self, progress: Progress) -> None:
        """Returns when the cluster serves. An attached one that does not answer is no error: it is watched for."""
        if self._assembly is None:
            await self._attach(progress)
            return
        await self._assembly.start(progress)
        await self._rebuild()
        cluster = self._built.means.cluster
        try:
            await cluster.until_formed(len(projects.STORES), _FORM_S)
            self._identity = await cluster.identity()
        except OperatorError:
            await self._assembly.give_up(progress)
            raise
        progress(f"the cluster serves: {len(projects.PDS)} PDs, {len(projects.STORES)} stores")

    async def stop(self) -> None:
        """Take down what ``start`` brought up, and nothing else; what is to be kept stays."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._built.means.cluster.close()
        if self._assembly is not None:
            await self._assembly.stop()

    async def revive(self, node_id: str) -> None:
        """Start, wake, connect: whatever its container needs."""
        if self._assembly is None:
            raise Unavailable(f"{node_id} is in no container of ours", "bring it back where it runs")
        await self._assembly.bring_back(node_id)

    def faults(self) -> Mapping[str, FaultKind]:
        """With what stands against each here."""
        self._permit()
        return self._built.breaker.catalogue()

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        """See ``Breaker.prepare``."""
        await self._recognise()
        self._permit()
        memo = await self._built.breaker.prepare(fault)
        return {**memo, _CLUSTER: self._identity.cluster_id} if self._attached and self._identity else memo

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Returns when it has its effect."""
        self._permit()
        await self._built.breaker.inject(fault, memo)

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Take it back, and bring the container back if it does not run."""
        await self._recognise()
        of, here = memo.get(_CLUSTER), self._identity
        if of and here is not None and here.cluster_id != of:
            # By the same address: ids of stores mean others there.
            raise Conflict(f"{fault.kind} was done to cluster {of}, and this is {here.cluster_id}")
        await self._built.breaker.undo(fault, memo)

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        """Judged by a look that began after the fault was last worked on."""
        return self._built.breaker.remains(fault, memo, observation)

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What the engine, or PD, still has of it."""
        return await self._built.breaker.leftovers(fault, memo)

    async def clear(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """All of a fault is in containers and in PD: it goes with them, or ``undo`` takes it back."""
        return ""

    def actions(self) -> Mapping[str, ActionKind]:
        """What ``act`` accepts here."""
        return self._built.actor.kinds()

    def by_hand(self) -> Mapping[str, str]:
        """Of a cluster that was attached to and is only watched, everything; else what its containers would take."""
        self._permit()
        return self._built.actor.by_hand()

    async def check(self, action: Action) -> str:
        """What would be done. Raises what stands against it now."""
        await self._recognise()
        self._permit()
        return await self._built.actor.check(action)

    async def act(self, action: Action) -> str:
        """Check again, do it, and say what was done."""
        await self._recognise()
        self._permit()
        return await self._built.actor.act(action)

    def workload(self) -> WorkloadSource:
        """What the configuration names, else go-ycsb.

        Raises ``Unavailable`` when there is nothing to load, or it must not be. To read what somebody else's load
        prints is allowed anywhere.
        """
        if self._load is not None and self._load.passive:
            return self._load
        if self._assembly is None:
            if refusal := self._refusal(self._options.allow_load_on, "allow_load_on"):
                raise Unavailable(f"a load is refused: {refusal}")
            endpoints, secure = self._built.means.cluster.endpoints, self._settings.tls is not None
            return self._load or workload.of_attached(endpoints, self._options, secure=secure)
        if self._assembly.project is None:
            raise NotFound("there are no containers to load", "the cluster is still starting")
        return self._load or workload.of_project(self._directory, self._assembly.project, self._options)

    async def _attach(self, progress: Progress) -> None:
        await self._rebuild()
        try:
            async with asyncio.timeout(_FIRST_ASK_S):
                self._identity = await self._built.means.cluster.identity()
        except (OperatorError, TimeoutError) as error:
            said = error.message if isinstance(error, OperatorError) else f"no answer within {_FIRST_ASK_S:g} s"
            progress(f"the cluster does not answer yet: {said}")
            self._asking = asyncio.create_task(self._await_identity(progress), name="await the attached cluster")
        else:
            progress(f"attached to cluster {self._identity.cluster_id}; it is {self._permission()}")

    async def _await_identity(self, progress: Progress) -> None:
        while self._identity is None:
            await asyncio.sleep(_FIRST_ASK_S)
            try:
                self._identity = await self._built.means.cluster.identity()
            except OperatorError:
                continue
            progress(f"attached to cluster {self._identity.cluster_id}; it is {self._permission()}")

    async def _recognise(self) -> None:
        """Ask again which cluster this is: what is allowed for one must not be done to its successor."""
        if self._attached:
            with contextlib.suppress(OperatorError):
                self._identity = await self._built.means.cluster.identity()

    def _permission(self) -> str:
        allowed = {
            "faults": self._options.allow_faults_on,
            "actions": self._options.allow_actions_on,
            "load": self._options.allow_load_on,
        }
        found = [what for what, text in allowed.items() if not self._refusal(text, what)]
        return f"open to {', '.join(found)}" if found else "only watched"

    def _refusal(self, allowed: str, option: str) -> str:
        """Why an attached cluster must be left alone; empty when it need not be."""
        if not self._attached:
            return ""
        if self._identity is None:
            return "it is not known which cluster this is: its PD has not answered"
        if self._identity.cluster_id in ids(allowed):
            return ""
        return (
            f"this cluster was attached to and is only watched; {option} = "
            f'"{self._identity.cluster_id}" in [subject.tikv] allows it'
        )

    def _permit(self) -> None:
        """Which cluster it is may have become known since."""
        self._built.breaker.refusal = self._refusal(self._options.allow_faults_on, "allow_faults_on")
        self._built.actor.refusal = self._refusal(self._options.allow_actions_on, "allow_actions_on")

    def _build(self) -> "_Built":
        containers = self._assembly.containers if self._assembly is not None else Containers(NoEngine())
        means = Means(
            Cluster(self.spec, self._clock),
            containers,
            contained=self._assembly is not None,
            helper_image=self._options.helper_image,
            limits=self._limits,
        )
        return _Built(means, Breaker(means, "", self._clock), Actor(means, ""))

    async def _rebuild(self) -> None:
        """The addresses are known now."""
        await self._built.means.cluster.close()
        self._built = self._build()


class _Built:
    """What works on one set of addresses."""

    def __init__(self, means: Means, breaker: Breaker, actor: Actor) -> None:
        self.means = means
        self.breaker = breaker
        self.actor = actor
