"""The half that changes things: starts the cluster, breaks it, brings it back."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from operator_protocol.models import Action, ActionKind, Fault, FaultKind, Scalar
from operatord.clock import Clock
from operatord.injectors.base import Injector
from operatord.isolation.network import IsolatedNetwork
from operatord.subjects.base import GuardRules, Observation, Progress, Servers, SubjectSpec, WorkloadSource
from operatord.subjects.valkey import actions, workload
from operatord.subjects.valkey.assembly import Assembly
from operatord.subjects.valkey.breaking import Breaker
from operatord.subjects.valkey.client_pause import ClientPause
from operatord.subjects.valkey.failover import Failover
from operatord.subjects.valkey.health import PRIMARY
from operatord.subjects.valkey.settings import Settings


class ValkeyControl:
    """``SubjectControl`` of the Valkey cluster, and ``Acting``; see ``subjects.base``.

    Works on a fresh cluster after ``start``, and, without ``start``, on the one that ``cluster.json`` describes: that
    is how ``operatord recover`` undoes what a daemon left behind.
    """

    name = "valkey"
    default_fault_role = PRIMARY

    def __init__(
        self,
        servers: Servers,
        state_dir: Path,
        options: Mapping[str, Scalar],
        *,
        keep: bool,
        workload: str = "a",
        load: WorkloadSource | None = None,
        host: str = "127.0.0.1",
        injectors: Sequence[Injector] = (),
        network: IsolatedNetwork | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._settings = Settings.read(options)
        self._workload = workload
        self._load = load
        self._assembly = Assembly(
            servers, state_dir / "valkey", self._settings, keep=keep, host=host, network=network, clock=clock
        )
        self._actor = actions.Actor(self._assembly, clock)
        self._breaker = Breaker(self._assembly, clock, inside=[ClientPause(clock), Failover(clock)], outside=injectors)

    @property
    def spec(self) -> SubjectSpec:
        """Members are empty as long as there is no cluster."""
        layout = self._assembly.layout
        return SubjectSpec(self.name, layout.members if layout else [], self._settings.to_options())

    @property
    def instance(self) -> str:
        """Changes when the cluster is built anew, not when it is adopted; empty as long as there is none."""
        layout = self._assembly.layout
        return layout.instance if layout else ""

    @property
    def guard(self) -> GuardRules:
        """The primaries vote; of each shard one node must live."""
        return GuardRules(voting_role=PRIMARY)

    async def start(self, progress: Progress) -> None:
        """See ``Assembly.start``."""
        await self._assembly.start(progress)

    async def stop(self) -> None:
        """Take the servers down; a cluster that is to be kept stays."""
        await self._assembly.stop()

    async def revive(self, node_id: str) -> None:
        """Start the server if it does not run, wake it if it is stopped; returns when it answers."""
        await self._assembly.revive(node_id)

    def faults(self) -> Mapping[str, FaultKind]:
        """Those done by signals, those that are Valkey's own, and those of the injectors."""
        return self._breaker.catalogue()

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        """Raises ``NotFound`` for an unknown fault or node, ``Conflict`` when the node does not run."""
        return await self._breaker.prepare(fault)

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Returns when it has its effect."""
        await self._breaker.inject(fault, memo)

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Take it back, and start the server if it does not run. ``remains`` tells when it is back."""
        await self._breaker.undo(fault, memo)

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        """Judged by the process now and by a look that began after the fault was last worked on."""
        return self._breaker.remains(fault, memo, observation)

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What the injector finds of it."""
        return await self._breaker.leftovers(fault, memo)

    async def clear(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What an injector did outside the servers, taken back whether or not they are still there."""
        return await self._breaker.clear(fault, memo)

    def actions(self) -> Mapping[str, ActionKind]:
        """What ``act`` accepts."""
        return actions.KINDS

    async def check(self, action: Action) -> str:
        """What would be done. Raises what stands against it now."""
        return await self._actor.check(action)

    async def act(self, action: Action) -> str:
        """Check again, do it, and say what was done."""
        return await self._actor.act(action)

    def workload(self) -> WorkloadSource:
        """What the configuration names, else its YCSB core workload, against the nodes of this cluster."""
        return self._load or workload.source(self._settings, self.spec.members, self._workload)
