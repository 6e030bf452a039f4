"""The six servers as a whole: brought up on fresh data or adopted, taken down, started again one by one.

Works on a fresh cluster after ``start``, and, without ``start``, on the one that ``cluster.json`` describes: that is
how ``operatord recover`` reaches what a daemon left behind.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operatord.clock import Clock
from operatord.injectors.base import Scene, Target
from operatord.isolation.network import IsolatedNetwork
from operatord.subjects.base import Member, Progress, Servers
from operatord.subjects.valkey import formation
from operatord.subjects.valkey.binary import server_program
from operatord.subjects.valkey.layout import SERVERS, Layout, PortClaim, node_id, node_index, plan
from operatord.subjects.valkey.procfs import stopped_by_signal
from operatord.subjects.valkey.settings import Settings
from operatord.subjects.valkey.wire import NodeClient

_ATTEMPTS = 3
"""Free ports may be taken between choosing them and listening on them; then others are chosen."""

_ASK_AGAIN_S = 0.1


class Assembly:
    """The servers of one state directory."""

    def __init__(
        self,
        servers: Servers,
        directory: Path,
        settings: Settings,
        *,
        keep: bool,
        host: str,
        network: IsolatedNetwork | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.servers = servers
        self._directory = directory
        self._settings = settings
        self._keep = keep
        self._host = host
        self._network = network
        self._clock = clock
        self._layout: Layout | None = None
        self._claim: PortClaim | None = None

    @property
    def layout(self) -> Layout | None:
        """Of the cluster that runs, or ran last; None when there is none."""
        if self._layout is None:
            self._layout = Layout.load(self._directory)
        return self._layout

    async def start(self, progress: Progress) -> None:
        """Bring the cluster up on fresh data, or, when it is to be kept, adopt what an earlier daemon left.

        Raises ``Unavailable``: no program, a port taken, a directory that cannot be written, not healthy in time.
        """
        program = server_program()
        if self._keep and (layout := Layout.load(self._directory)) and layout.formed:
            running = [member.id for member in layout.members if self.servers.pid(member.id) is not None]
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
                await self._remove_network(progress)
                if self._settings.base_port or attempt == _ATTEMPTS or not self._somebody_else_listens():
                    raise
                progress("a free port was taken by somebody else meanwhile; choosing others")
            else:
                return

    async def stop(self) -> None:
        """Take the servers down; a cluster that is to be kept stays, unless it never became one."""
        layout = self.layout
        if not self._keep or layout is None or not layout.formed:
            await self._terminate_all()
            if layout is not None:
                layout.forget()
            if self._network is not None:
                await self._network.remove()
        self._claim_ports(None)

    async def revive(self, node_id: str) -> None:
        """Start the server if it does not run, wake it if it is stopped; returns when it answers."""
        layout = self.layout_of(node_id)
        if self.servers.pid(node_id) is None:
            await self.start_again(node_id)
        else:
            self.signal(node_id, signal.SIGCONT)
        member = next(member for member in layout.members if member.id == node_id)
        client = NodeClient(member.id, member.host, member.port)
        try:
            end = self._clock() + self._settings.start_timeout_s
            await formation.answering({node_id: client}, self.servers.pid, end, self._clock)
        finally:
            client.close()

    async def start_again(self, name: str) -> None:
        """Start a server that does not run on the data that it has; it runs already is success."""
        layout = self.layout_of(name)
        try:
            await self._launch(server_program(), layout, [name])
        except Conflict:
            if self.servers.pid(name) is None:
                raise

    async def end(self, name: str) -> None:
        """Have a server end in good order; not running is success.

        One that has just copied its primary writes its first append-only file. Until that is done Valkey refuses to
        end, and forgets that it was asked to.
        """
        asking = asyncio.create_task(self._ask_again(name))
        try:
            await self.servers.terminate(name)
        finally:
            asking.cancel()

    async def _ask_again(self, name: str) -> None:
        while True:
            await asyncio.sleep(_ASK_AGAIN_S)
            self.signal(name, signal.SIGTERM)

    def signal(self, name: str, signum: int) -> None:
        """Signal a process that may end at any moment."""
        with contextlib.suppress(NotFound):
            self.servers.signal(name, signum)

    def layout_of(self, name: str) -> Layout:
        """The layout, which has ``name``. Raises ``NotFound`` when it does not, ``Unavailable`` without a cluster."""
        layout = self.layout
        if layout is None:
            raise Unavailable("there is no Valkey cluster", "start one with: operatord start")
        known = [member.id for member in layout.members]
        if name not in known:
            raise NotFound(f"there is no node {name!r}", f"known: {', '.join(known)}")
        return layout

    def scene(self, name: str) -> Scene:
        """The server of that name as an injector sees it, and the others."""
        layout = self.layout_of(name)
        targets = {member.id: self._target(layout, member) for member in layout.members}
        return Scene(targets.pop(name), tuple(targets.values()))

    def scene_without_servers(self, name: str) -> Scene:
        """The same, also when nothing is known of the cluster any more but where its data was."""
        if self.layout is not None:
            return self.scene(name)
        return Scene(Target(id=name, host="", ports=(), directory=self._directory / name))

    def _target(self, layout: Layout, member: Member) -> Target:
        return Target(
            id=member.id,
            host=member.host,
            namespace=self._network.namespace(member.id) if layout.isolated and self._network is not None else "",
            ports=(member.port, layout.bus_ports[node_index(member.id)]),
            directory=layout.data_dir(member.id),
            pid=self.servers.pid(member.id),
            start_time=self.servers.start_time(member.id),
        )

    async def _start_fresh(self, program: Path, progress: Progress) -> None:
        own_hosts = await self._build_network(progress)
        layout = plan(
            self._directory,
            self._host,
            self._settings.base_port,
            self._settings.cluster_node_timeout_ms,
            own_hosts,
        )
        self._layout = layout
        self._claim_ports(layout)
        await asyncio.to_thread(_prepare, layout)
        ports = f"{layout.ports[0]}-{layout.ports[-1]}"
        where = f"hosts of their own, {layout.hosts[0]}-{layout.hosts[-1]}" if layout.isolated else self._host
        progress(f"starting {len(layout.ports)} valkey-server processes on {where}, ports {ports}")
        await self._launch(program, layout, [member.id for member in layout.members])

        async def formed(clients: formation.Clients, end: float) -> None:
            await formation.answering(clients, self.servers.pid, end, self._clock)
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
        await self._restore_network(layout, running)
        self._claim_ports(layout)
        missing = [member.id for member in layout.members if member.id not in running]
        progress(f"adopting {len(running)} running servers" + (f", starting {', '.join(missing)}" if missing else ""))
        for name in running:
            if stopped_by_signal(self.servers.pid(name)):
                progress(f"waking {name}, which was stopped by a signal")
            self.signal(name, signal.SIGCONT)
        await self._launch(program, layout, missing)

        async def whole(clients: formation.Clients, end: float) -> None:
            await formation.answering(clients, self.servers.pid, end, self._clock)
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
            argv = layout.argv(program, name)
            if layout.isolated and self._network is not None:
                argv = self._network.argv(name, argv)
            await self.servers.launch(name, argv, cwd=layout.data_dir(name))

    async def _build_network(self, progress: Progress) -> list[str]:
        """An address for each server, if each shall have a host of its own."""
        if self._network is None or not self._network.wanted:
            await self._remove_network(progress)
            return []
        return await self._network.build([node_id(index) for index in range(SERVERS)])

    async def _restore_network(self, layout: Layout, running: Sequence[str]) -> None:
        """The network of a cluster that is kept. Faults of an earlier daemon are taken out of it before anything else:
        the cluster could not become healthy with them.
        """
        if layout.isolated and self._network is not None:
            await self._network.restore({member.id: member.host for member in layout.members}, running)
        elif self._network is not None and self._network.wanted:
            raise Unavailable(
                "the cluster that was kept is not isolated, and running servers cannot be moved",
                "start without --keep-cluster to begin with fresh data, or without --isolate",
            )

    async def _remove_network(self, progress: Progress) -> None:
        if self._network is not None:
            try:
                await self._network.remove()
            except OperatorError as error:
                progress(error.message)

    async def _terminate_all(self) -> None:
        names = [node_id(index) for index in range(SERVERS)]
        for name in names:
            # A paused server cannot follow a TERM; to one that runs this means nothing.
            self.signal(name, signal.SIGCONT)
        await asyncio.gather(*(self.end(name) for name in names))

    def _somebody_else_listens(self) -> bool:
        return self._layout is not None and bool(self._layout.taken_ports())

    def _claim_ports(self, layout: Layout | None) -> None:
        if self._claim is not None:
            self._claim.release()
        self._claim = PortClaim(layout) if layout is not None else None


def _prepare(layout: Layout) -> None:
    layout.wipe()
    layout.save()
