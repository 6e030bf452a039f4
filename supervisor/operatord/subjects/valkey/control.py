"""The half that changes things: starts the cluster, breaks it, brings it back."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.clock import Clock
from operatord.injectors.base import Injector, Scene, Target
from operatord.subjects.base import (
    GuardRules,
    Member,
    Observation,
    Progress,
    Servers,
    SubjectSpec,
    WorkloadSource,
)
from operatord.subjects.valkey import faults, formation, workload
from operatord.subjects.valkey.binary import server_program
from operatord.subjects.valkey.health import PRIMARY
from operatord.subjects.valkey.layout import SERVERS, Layout, PortClaim, node_id, node_index, plan
from operatord.subjects.valkey.settings import Settings
from operatord.subjects.valkey.wire import NodeClient

_ATTEMPTS = 3
"""Free ports may be taken between choosing them and listening on them; then others are chosen."""

_SIGNAL_S = 2.0
"""Within this time a signalled process has ended or stopped, or something is very wrong."""

_STEP_S = 0.005


class ValkeyControl:
    """``SubjectControl`` of the Valkey cluster; see ``subjects.base``.

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
        host: str = "127.0.0.1",
        injectors: Sequence[Injector] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        self._servers = servers
        self._directory = state_dir / "valkey"
        self._settings = Settings.read(options)
        self._keep = keep
        self._workload = workload
        self._host = host
        self._injectors = {injector.kind.name: injector for injector in injectors}
        self._clock = clock
        self._layout: Layout | None = None
        self._claim: PortClaim | None = None
        self._traces: dict[str, faults.Trace] = {}

    @property
    def spec(self) -> SubjectSpec:
        """Members are empty as long as there is no cluster."""
        layout = self._known_layout()
        return SubjectSpec(self.name, layout.members if layout else [], self._settings.to_options())

    @property
    def instance(self) -> str:
        """Changes when the cluster is built anew, not when it is adopted; empty as long as there is none."""
        layout = self._known_layout()
        return layout.instance if layout else ""

    @property
    def guard(self) -> GuardRules:
        """The primaries vote; of each shard one node must live."""
        return GuardRules(voting_role=PRIMARY)

    # Start and stop

    async def start(self, progress: Progress) -> None:
        """Bring the cluster up on fresh data, or, when it is to be kept, adopt what an earlier daemon left.

        Raises ``Unavailable``: no program, a port taken, a directory that cannot be written, not healthy in time.
        """
        program = server_program()
        if self._keep and (layout := Layout.load(self._directory)) and layout.formed:
            running = [member.id for member in layout.members if self._servers.pid(member.id) is not None]
            if running or layout.has_data():
                await self._resume(program, layout, running, progress)
                return
        await self._terminate_all()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._start_fresh(program, progress)
            except OperatorError:
                await self._terminate_all()
                self._claim_ports(None)
                if self._settings.base_port or attempt == _ATTEMPTS or not self._somebody_else_listens():
                    raise
                progress("a free port was taken by somebody else meanwhile; choosing others")
            else:
                return

    async def stop(self) -> None:
        """Take the servers down; a cluster that is to be kept stays."""
        if not self._keep:
            await self._terminate_all()
            if self._layout is not None:
                self._layout.forget()
        self._claim_ports(None)

    async def _start_fresh(self, program: Path, progress: Progress) -> None:
        layout = plan(self._directory, self._host, self._settings.base_port, self._settings.cluster_node_timeout_ms)
        self._layout = layout
        self._claim_ports(layout)
        await asyncio.to_thread(_prepare, layout)
        ports = f"{layout.ports[0]}-{layout.ports[-1]}"
        progress(f"starting {len(layout.ports)} valkey-server processes on {self._host}, ports {ports}")
        await self._launch(program, layout, [member.id for member in layout.members])

        async def formed(clients: formation.Clients, end: float) -> None:
            await formation.answering(clients, self._servers.pid, end, self._clock)
            progress("the servers answer; forming the cluster")
            await formation.form(clients, layout, end, self._clock)
            await formation.healthy(clients, layout, end, self._clock)

        await self._with_clients(layout, formed)
        self._layout = replace(layout, formed=True)
        self._layout.save()
        progress("the cluster is healthy: three primaries, each with a replica in sync")

    async def _resume(self, program: Path, layout: Layout, running: list[str], progress: Progress) -> None:
        """Adopt the servers that run, start those that do not, and wake those that are stopped."""
        self._layout = layout
        self._claim_ports(layout)
        missing = [member.id for member in layout.members if member.id not in running]
        progress(f"adopting {len(running)} running servers" + (f", starting {', '.join(missing)}" if missing else ""))
        for name in running:
            if faults.stopped_by_signal(self._servers.pid(name)):
                progress(f"waking {name}, which was stopped by a signal")
            self._signal(name, signal.SIGCONT)
        await self._launch(program, layout, missing)

        async def whole(clients: formation.Clients, end: float) -> None:
            await formation.answering(clients, self._servers.pid, end, self._clock)
            await formation.healthy(clients, layout, end, self._clock)

        try:
            await self._with_clients(layout, whole)
        except OperatorError as error:
            raise Unavailable(
                f"the cluster that was kept is not healthy: {error.message}",
                "start without --keep-cluster to begin with fresh data",
            ) from error
        progress("the cluster is healthy again on its data")

    async def _with_clients(self, layout: Layout, work: Callable[[formation.Clients, float], Awaitable[None]]) -> None:
        clients = {member.id: NodeClient(member.id, member.host, member.port) for member in layout.members}
        try:
            await work(clients, self._clock() + self._settings.start_timeout_s)
        finally:
            for client in clients.values():
                client.close()

    async def _launch(self, program: Path, layout: Layout, names: list[str]) -> None:
        for name in names:
            await self._servers.launch(name, layout.argv(program, name), cwd=layout.data_dir(name))

    async def _terminate_all(self) -> None:
        names = [node_id(index) for index in range(SERVERS)]
        for name in names:
            # A paused server cannot follow a TERM; to one that runs this means nothing.
            self._signal(name, signal.SIGCONT)
        await asyncio.gather(*(self._servers.terminate(name) for name in names))

    def _somebody_else_listens(self) -> bool:
        return self._layout is not None and bool(self._layout.taken_ports())

    def _claim_ports(self, layout: Layout | None) -> None:
        if self._claim is not None:
            self._claim.release()
        self._claim = PortClaim(layout) if layout is not None else None

    def _known_layout(self) -> Layout | None:
        if self._layout is None:
            self._layout = Layout.load(self._directory)
        return self._layout

    # Faults

    def faults(self) -> Mapping[str, FaultKind]:
        """Those done by signals, and those of the injectors."""
        return {**faults.CATALOGUE, **{name: injector.kind for name, injector in self._injectors.items()}}

    async def prepare(self, fault: Fault) -> Mapping[str, Scalar]:
        """Raises ``NotFound`` for an unknown fault or node, ``Conflict`` when the node does not run."""
        if fault.kind not in self.faults():
            raise NotFound(f"valkey has no fault {fault.kind!r}", f"known: {', '.join(self.faults())}")
        self._member_layout(fault.target)
        pid = self._servers.pid(fault.target)
        if pid is None:
            raise Conflict(f"{fault.target} does not run", "recover it first")
        memo = faults.memo(pid, self._clock())
        if injector := self._injectors.get(fault.kind):
            memo |= await injector.prepare(fault, self._scene(fault.target))
        return memo

    async def inject(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Returns when the signal has had its effect: the process is gone, stopped, or started again."""
        layout, name = self._member_layout(fault.target), fault.target
        if injector := self._injectors.get(fault.kind):
            await injector.inject(fault, self._scene(name), memo)
            self._trace(fault)
            return
        match fault.kind:
            case faults.KILL | faults.RESTART:
                self._servers.signal(name, signal.SIGKILL)
                await self._wait(lambda: self._servers.pid(name) is None, f"{name} did not end after SIGKILL")
                if fault.kind == faults.RESTART:
                    await self._launch(server_program(), layout, [name])
            case faults.STOP:
                await self._servers.terminate(name)
            case faults.PAUSE:
                self._servers.signal(name, signal.SIGSTOP)
                await self._wait(
                    lambda: faults.stopped_by_signal(self._servers.pid(name)), f"{name} did not stop after SIGSTOP"
                )
            case _:
                raise NotFound(f"valkey has no fault {fault.kind!r}", f"known: {', '.join(faults.CATALOGUE)}")
        self._trace(fault)

    async def undo(self, fault: Fault, memo: Mapping[str, Scalar]) -> None:
        """Start the server if it does not run; wake it if it was paused. ``remains`` tells when it is back."""
        self._member_layout(fault.target)
        if injector := self._injectors.get(fault.kind):
            await injector.undo(fault, self._scene(fault.target), memo)
        # For the rest the process table knows better what is running than a memo from before the fault.
        if self._servers.pid(fault.target) is None:
            await self._start_again(fault.target)
        elif fault.kind == faults.PAUSE:
            self._signal(fault.target, signal.SIGCONT)
        self._trace(fault)

    def remains(self, fault: Fault, memo: Mapping[str, Scalar], observation: Observation) -> str:
        """Judged by the process now and by a look that began after the fault was last worked on."""
        return faults.remains(
            fault,
            memo,
            observation,
            trace=self._traces.get(fault.id),
            pid=self._servers.pid(fault.target),
            now_mono=self._clock(),
        )

    async def leftovers(self, fault: Fault, memo: Mapping[str, Scalar]) -> str:
        """What the injector finds of it."""
        injector = self._injectors.get(fault.kind)
        return await injector.leftovers(fault, self._scene(fault.target), memo) if injector else ""

    def _scene(self, name: str) -> Scene:
        layout = self._member_layout(name)
        targets = {member.id: self._target(layout, member) for member in layout.members}
        return Scene(targets.pop(name), tuple(targets.values()))

    def _target(self, layout: Layout, member: Member) -> Target:
        return Target(
            id=member.id,
            host=member.host,
            ports=(member.port, layout.bus_ports[node_index(member.id)]),
            directory=layout.data_dir(member.id),
            pid=self._servers.pid(member.id),
            start_time=self._servers.start_time(member.id),
        )

    async def revive(self, node_id: str) -> None:
        """Start the server if it does not run, wake it if it is stopped; returns when it answers."""
        layout = self._member_layout(node_id)
        if self._servers.pid(node_id) is None:
            await self._start_again(node_id)
        else:
            self._signal(node_id, signal.SIGCONT)
        member = next(member for member in layout.members if member.id == node_id)
        client = NodeClient(member.id, member.host, member.port)
        try:
            end = self._clock() + self._settings.start_timeout_s
            await formation.answering({node_id: client}, self._servers.pid, end, self._clock)
        finally:
            client.close()

    async def _start_again(self, name: str) -> None:
        layout = self._member_layout(name)
        try:
            await self._launch(server_program(), layout, [name])
        except Conflict:
            if self._servers.pid(name) is None:
                raise

    def _trace(self, fault: Fault) -> None:
        self._traces[fault.id] = faults.Trace(self._clock())

    def _signal(self, name: str, signum: int) -> None:
        """Signal a process that may end at any moment."""
        with contextlib.suppress(NotFound):
            self._servers.signal(name, signum)

    async def _wait(self, done: Callable[[], bool], otherwise: str) -> None:
        end = self._clock() + _SIGNAL_S
        while not done():
            if self._clock() > end:
                raise Unavailable(otherwise)
            await asyncio.sleep(_STEP_S)

    def _member_layout(self, name: str) -> Layout:
        layout = self._known_layout()
        if layout is None:
            raise Unavailable("there is no Valkey cluster", "start one with: operatord start")
        known = [member.id for member in layout.members]
        if name not in known:
            raise NotFound(f"there is no node {name!r}", f"known: {', '.join(known)}")
        return layout

    # Load

    def workload(self) -> WorkloadSource:
        """The YCSB core workload of the configuration, against the nodes of this cluster."""
        return workload.source(self._settings, self.spec.members, self._workload)


def _prepare(layout: Layout) -> None:
    layout.wipe()
    layout.save()
