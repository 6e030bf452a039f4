"""The way to a Valkey Cluster through its outages: routing, redirections, retries, fresh topology.

One ``Cluster`` is shared by all clients of a run: it holds the topology and renews it from any node that answers. Each
client has a ``Session`` with connections of its own, so that one client's slow operation is never another's.

A failed attempt (connection refused, reset or silent for a second; ``CLUSTERDOWN``, ``LOADING`` and the like) is
repeated every 50 ms until the operation's five seconds are over. So an outage shows as operations that take long, and
a database that is gone as operations that fail, which is how a well-behaved application would see it.
"""

import asyncio
import contextlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from operatord.ycsb.connection import Connection, ConnectionLost, ErrorReply, connect, pack, pack_all
from operatord.ycsb.topology import Address, Topology, parse_cluster_slots, parse_redirection

_TRANSIENT = frozenset({"CLUSTERDOWN", "LOADING", "MASTERDOWN", "NOREPLICAS", "READONLY", "TRYAGAIN", "UNBLOCKED"})
"""Errors that end by themselves; any other error is final."""

_CLUSTER_SLOTS = pack("CLUSTER", "SLOTS")
_ASKING = pack("ASKING")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what. The defaults are measured: a killed primary is then seen, and nothing fails."""

    attempt_s: float = 1.0
    """For a connection, and for a reply."""
    between_s: float = 0.05
    """Between two attempts."""
    operation_s: float = 5.0
    """For an operation with all its attempts."""
    refresh_s: float = 0.1
    """At least between two looks at the topology."""
    refresh_attempt_s: float = 0.3
    """For one node to tell the topology."""


class ClusterUnreachable(Exception):
    """No node answers, or those that do serve no slot."""


class TimeIsUp(Exception):
    """The operation's time is over."""


class Cluster:
    """The topology, and who renews it."""

    def __init__(self, seeds: Sequence[Address], patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self.topology = Topology()
        self._seeds = tuple(seeds)
        self._connections: set[Connection] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, timeout_s: float) -> None:
        """Learn the topology from any seed that answers. Raises ``ClusterUnreachable`` after ``timeout_s``."""
        self._watching = asyncio.create_task(self._watch_deadlines())
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while (problem := await self._look(self._seeds, self.patience.attempt_s)) is not None:
            if loop.time() >= until:
                raise ClusterUnreachable(problem)
            await asyncio.sleep(self.patience.between_s)

    async def close(self) -> None:
        """Close every connection and stop looking."""
        for task in (self._watching, self._refreshing):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        for connection in list(self._connections):
            connection.give_up("closed")
        self._connections.clear()
        await asyncio.sleep(0)  # lets asyncio close the sockets

    def session(self) -> "Session":
        """The way of one client."""
        return Session(self)

    async def connect(self, address: Address, timeout_s: float) -> Connection:
        """A connection whose replies are awaited no longer than was said."""
        connection = await connect(address, timeout_s)
        self._connections.add(connection)
        return connection

    def refresh_soon(self) -> None:
        """Something did not go where it should: look at the topology again, in the background."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        nodes = list({*self.topology.nodes, *self._seeds})
        random.shuffle(nodes)  # a node that was cut off tells the old state of things; so do not always ask the same
        await self._look(nodes, self.patience.refresh_attempt_s)
        await asyncio.sleep(self.patience.refresh_s)

    async def _look(self, nodes: Iterable[Address], timeout_s: float) -> str | None:
        """Ask nodes until one tells the topology; what went wrong with the last one if none does."""
        problem = "there is no node to ask"
        for address in nodes:
            connection = None
            try:
                connection = await self.connect(address, timeout_s)
                (reply,) = await connection.ask(_CLUSTER_SLOTS, 1, timeout_s)
                if isinstance(reply, ErrorReply):
                    problem = f"{address}: {reply}"
                    continue
                owners, known = parse_cluster_slots(reply, address)
            except (OSError, ValueError) as error:
                problem = describe(address, error)
                continue
            finally:
                if connection is not None:
                    connection.give_up("done")
            if owners:
                self.topology.replace(owners, known)
                return None
            problem = f"{address}: serves no slot yet"
        return problem

    async def _watch_deadlines(self) -> None:
        # One look at all connections every 20 ms instead of one timer for every operation.
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.02)
            now = loop.time()
            for connection in list(self._connections):
                if connection.closed:
                    self._connections.discard(connection)
                elif connection.deadline <= now:
                    connection.give_up("no answer in time")


class Session:
    """Executes commands for one client, one operation at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._patience = cluster.patience
        self._connections: dict[Address, Connection] = {}
        self._clock = asyncio.get_running_loop().time

    def time_limit(self) -> float:
        """When an operation that begins now must be over."""
        return self._clock() + self._patience.operation_s

    async def execute(self, slot: int, command: bytes, until: float) -> object:
        """Execute a packed command on the owner of ``slot``.

        Raises ``ErrorReply`` for an error that will not pass, ``TimeIsUp`` when there was no success by ``until``.
        """
        asked: Address | None = None  # where the last answer sent us, instead of to the owner
        asking = False
        redirections = 0
        while True:
            target = asked or self._cluster.topology.owner(slot)
            try:
                reply = await self._ask(target, command, until, asking=asking)
            except OSError:
                reply = None
            asked, asking = None, False
            if reply is not None and not isinstance(reply, ErrorReply):
                return reply[0]
            if isinstance(reply, ErrorReply) and reply.kind in {"MOVED", "ASK"} and target is not None:
                asking = reply.kind == "ASK"
                slot_moved, where = parse_redirection(str(reply), target)
                if asking:
                    asked = where
                else:
                    self._cluster.topology.moved(slot_moved, where)
                redirections += 1
                if redirections % 8:
                    if not asking:
                        self._cluster.refresh_soon()
                    continue  # but for every eighth: nodes that point at each other are waited for
            elif isinstance(reply, ErrorReply) and reply.kind not in _TRANSIENT:
                raise reply
            self._cluster.refresh_soon()
            if self._clock() + self._patience.between_s >= until:
                raise TimeIsUp
            await asyncio.sleep(self._patience.between_s)

    async def execute_all(self, commands: Sequence[tuple[int, bytes]], until: float) -> list[object]:
        """Execute independent commands, those for one node in one go. What fails there is executed one by one."""
        groups: dict[Address | None, list[int]] = {}
        for number, (slot, _) in enumerate(commands):
            groups.setdefault(self._cluster.topology.owner(slot), []).append(number)
        done: dict[int, object] = {}
        for address, numbers in groups.items():
            payload = pack_all([commands[number][1] for number in numbers])
            with contextlib.suppress(OSError):
                connection = await self._connection(address, until)
                done.update(
                    zip(numbers, await connection.ask(payload, len(numbers), self._attempt_s(until)), strict=True)
                )
        for number, (slot, command) in enumerate(commands):
            if number not in done or isinstance(done[number], ErrorReply):
                done[number] = await self.execute(slot, command, until)
        return [done[number] for number in range(len(commands))]

    def close(self) -> None:
        """Give the connections back."""
        for connection in self._connections.values():
            connection.give_up("closed")
        self._connections.clear()

    async def _ask(
        self, address: Address | None, command: bytes, until: float, *, asking: bool
    ) -> "tuple[object] | ErrorReply":
        connection = await self._connection(address, until)
        if asking:
            _, reply = await connection.ask(pack_all([_ASKING, command]), 2, self._attempt_s(until))
        else:
            (reply,) = await connection.ask(command, 1, self._attempt_s(until))
        return reply if isinstance(reply, ErrorReply) else (reply,)

    async def _connection(self, address: Address | None, until: float) -> Connection:
        if address is None:
            raise ConnectionLost("nobody serves this slot")
        connection = self._connections.get(address)
        if connection is None or connection.closed:
            connection = await self._cluster.connect(address, self._attempt_s(until))
            self._connections[address] = connection
        return connection

    def _attempt_s(self, until: float) -> float:
        return max(0.0, min(self._patience.attempt_s, until - self._clock()))


def describe(address: Address, error: Exception) -> str:
    """The error with the address in front, unless it is there already."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, ConnectionRefusedError):
        text = "connection refused"
    return text if text.startswith(str(address)) else f"{address}: {text}"
