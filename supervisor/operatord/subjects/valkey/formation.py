"""How six empty servers become a cluster, and how one tells that it is ready.

Everything goes through the documented cluster commands. The order of roles is what makes it quick: a server that
starts as a primary does not accept writes for its first two seconds (``CLUSTER_WRITABLE_DELAY``, a constant of the
server that protects a primary which returns after a failover). There is nothing to protect in a new cluster, and a
replica that is promoted has no such delay. So the slots are first given to the three servers that shall become the
replicas, the future primaries follow them, and as soon as they are in sync they are told to take over.
"""

import asyncio
import binascii
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from operator_protocol.errors import Unavailable
from operatord.clock import Clock
from operatord.subjects.valkey.layout import SHARDS, Layout, slot_range
from operatord.subjects.valkey.views import parse_info, parse_nodes, slot_owners
from operatord.subjects.valkey.wire import CommandRefused, NodeClient, NodeGone, NodeSilent, text

_STEP_S = 0.005
"""Between two looks at a condition that the servers reach by themselves."""

_ASK_S = 2.0
"""For one command while the cluster forms; servers of this machine answer in under a millisecond."""

T = TypeVar("T")

Clients = Mapping[str, NodeClient]
Running = Callable[[str], int | None]
"""The pid of a server while it runs."""


async def answering(clients: Clients, running: Running, end: float, clock: Clock = time.monotonic) -> None:
    """Return when each of ``clients`` is answered by the very process that was started for it.

    Raises ``Unavailable`` when one of them ended, or when somebody else listens on its port.
    """
    await asyncio.gather(*(_answering(client, running, end, clock) for client in clients.values()))


async def _answering(client: NodeClient, running: Running, end: float, clock: Clock) -> None:
    while True:
        pid = running(client.name)
        if pid is None:
            raise Unavailable(
                f"{client.name} ended while it started", f"its last lines are in the log of process {client.name}"
            )
        try:
            info = parse_info(text(await client.command("INFO", "server", deadline_s=_ASK_S)))
        except (NodeGone, NodeSilent):
            info = {}
        if info.get("process_id") == str(pid):
            return
        if clock() > end:
            found = f"process {info['process_id']} answers there" if "process_id" in info else "nobody answers"
            raise Unavailable(f"{client.name} (pid {pid}) does not serve port {client.port}: {found}")
        await asyncio.sleep(_STEP_S)


async def form(clients: Clients, layout: Layout, end: float, clock: Clock = time.monotonic) -> None:
    """Make one cluster of six servers that know of no other. Each must answer already."""
    names = [member.id for member in layout.members]
    firsts, seconds = names[:SHARDS], names[SHARDS:]
    ids = dict(
        zip(
            names,
            await _all(clients[name].command("CLUSTER", "MYID", deadline_s=_ASK_S) for name in names),
            strict=True,
        )
    )
    # Distinct epochs from the start: without them the nodes would find collisions and settle them one by one.
    await _all(
        clients[name].command("CLUSTER", "SET-CONFIG-EPOCH", epoch, deadline_s=_ASK_S)
        for epoch, name in enumerate(names, start=1)
    )
    await _all(
        clients[name].command("CLUSTER", "ADDSLOTSRANGE", *slot_range(shard), deadline_s=_ASK_S)
        for shard, name in enumerate(seconds)
    )
    # Everyone meets everyone: by gossip alone it takes half a second longer until the last pair has met.
    await _all(
        clients[names[index]].command(
            "CLUSTER", "MEET", layout.host, layout.ports[other], layout.bus_ports[other], deadline_s=_ASK_S
        )
        for index in range(len(names))
        for other in range(index)
    )
    await _all(
        _follow(clients[first], text(ids[second]), end, clock) for first, second in zip(firsts, seconds, strict=True)
    )
    await _all(_take_over(clients[first], end, clock) for first in firsts)


async def _follow(client: NodeClient, primary_id: str, end: float, clock: Clock) -> None:
    """Make the node a replica as soon as it knows the primary."""

    async def followed() -> str:
        try:
            await client.command("CLUSTER", "REPLICATE", primary_id, deadline_s=_ASK_S)
        except CommandRefused as refused:
            return refused.message
        return ""

    await until(followed, end, clock)


async def _take_over(client: NodeClient, end: float, clock: Clock) -> None:
    """Promote the replica once it is in sync and would serve."""

    async def ready() -> str:
        replies = await client.ask(("INFO", "replication"), ("CLUSTER", "INFO"), deadline_s=_ASK_S)
        replication, cluster = (parse_info(text(reply)) for reply in replies)
        if replication.get("master_link_status") != "up":
            return f"{client.name} is not in sync"
        return "" if cluster.get("cluster_state") == "ok" else f"{client.name} does not see the whole cluster"

    await until(ready, end, clock)
    await client.command("CLUSTER", "FAILOVER", "TAKEOVER", deadline_s=_ASK_S)


async def healthy(clients: Clients, layout: Layout, end: float, clock: Clock = time.monotonic) -> None:
    """Return when the cluster is whole: three primaries with a replica each that is in sync, agreed on by all, and a
    write accepted by every primary and acknowledged by its replica. Raises ``Unavailable`` with what is missing."""

    async def whole() -> str:
        try:
            return await _missing(clients, layout) or await _unwritable(clients)
        except (NodeGone, NodeSilent) as error:
            return error.message

    await until(whole, end, clock)


async def _missing(clients: Clients, layout: Layout) -> str:
    """What keeps the cluster from being whole, by the word of every node; empty when it is."""
    by_port = {member.port: member.id for member in layout.members}
    maps = set()
    for name, replies in zip(
        clients,
        await _all(
            client.ask(("CLUSTER", "INFO"), ("CLUSTER", "NODES"), ("INFO", "replication"), deadline_s=_ASK_S)
            for client in clients.values()
        ),
        strict=True,
    ):
        cluster, nodes, replication = (text(reply) for reply in replies)
        view = parse_nodes(nodes)
        if parse_info(cluster).get("cluster_state") != "ok":
            return f"{name} says cluster_state:fail"
        if len(view) != len(layout.ports) or any(peer.failing or not peer.connected for peer in view):
            return f"{name} does not reach all other nodes"
        told = parse_info(replication)
        if told.get("role") == "slave" and told.get("master_link_status") != "up":
            return f"{name} is not in sync with its primary"
        if told.get("role") == "master" and ",state=online," not in told.get("slave0", ""):
            return f"{name} has no replica in sync"
        owners = slot_owners([view])
        maps.add(tuple(sorted((by_port.get(peer.port, ""), peer.role, owners.get(peer.node_id, ())) for peer in view)))
    if len(maps) != 1:
        return "the nodes do not agree yet on who owns which slots"
    primaries = [entry for entry in next(iter(maps)) if entry[2]]
    return "" if len(primaries) == SHARDS else f"{len(primaries)} primaries own slots instead of {SHARDS}"


async def _unwritable(clients: Clients) -> str:
    """Write one key to each shard, wait for its replica, take the key away again."""
    names = iter(clients.values())
    view = parse_nodes(text(await next(names).command("CLUSTER", "NODES", deadline_s=_ASK_S)))
    by_port = {client.port: client for client in clients.values()}
    for node, slots in slot_owners([view]).items():
        peer = next(peer for peer in view if peer.node_id == node)
        client, key = by_port[peer.port], _key_in(slots[0])
        try:
            await client.command("SET", key, 1, "PX", 1000, deadline_s=_ASK_S)
            copies = await client.command("WAIT", 1, 1000, deadline_s=_ASK_S)
            await client.command("DEL", key, deadline_s=_ASK_S)
        except CommandRefused as refused:
            return refused.message
        if not copies:
            return f"{client.name}: its replica did not acknowledge a write"
    return ""


def key_slot(key: str) -> int:
    """The slot of a key without a hash tag: CRC-16/XMODEM modulo 16,384 (Valkey cluster specification)."""
    return binascii.crc_hqx(key.encode(), 0) % 16_384


def _key_in(slots: tuple[int, int]) -> str:
    number = 0
    while not slots[0] <= key_slot(key := f"operator:ready:{number}") <= slots[1]:
        number += 1
    return key


async def until(missing: Callable[[], Awaitable[str]], end: float, clock: Clock = time.monotonic) -> None:
    """Return when ``missing`` has nothing to say any more. Raises ``Unavailable`` with its last word at ``end``."""
    while what := await missing():
        if clock() > end:
            raise Unavailable(f"the cluster did not become healthy in time: {what}")
        await asyncio.sleep(_STEP_S)


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*calls))
