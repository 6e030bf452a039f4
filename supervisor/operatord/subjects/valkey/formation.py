"""How six empty servers become a cluster, and how one tells that it is ready.

Everything goes through the documented cluster commands. The order of roles is what makes it quick: a server that
starts as a primary does not accept writes for its first two seconds (``CLUSTER_WRITABLE_DELAY``, a constant of the
server that protects a primary which returns after a failover). There is nothing to protect in a new cluster, and a
replica that is promoted has no such delay. So the slots are first given to the three servers that shall become the
replicas, the future primaries follow them, and as soon as they are in sync they are told to take over.
"""

import asyncio
import binascii
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from operator_protocol.errors import Unavailable
from operatord.clock import Clock
from operatord.subjects.valkey.layout import SHARDS, Layout, slot_range
from operatord.subjects.valkey.views import Peer, parse_info, parse_nodes, slot_owners
from operatord.subjects.valkey.wire import CommandRefused, NodeClient, NodeGone, NodeSilent, connection, text

_STEP_S = 0.005
"""Between two looks at a condition that the servers reach by themselves."""

_ASK_S = 2.0
"""For one question while the cluster forms; servers of this machine answer in under a millisecond."""

_INTRODUCED_S = 1.5
"""An introduction to a server that does not answer it is forgotten after the node timeout, one second at least."""

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
    # None of these is asked twice, so a server that the host lets wait has all the time that there is.
    patience_s = max(_ASK_S, end - clock())
    names = [member.id for member in layout.members]
    firsts, seconds = names[:SHARDS], names[SHARDS:]
    ids = dict(
        zip(
            names,
            await _all(clients[name].command("CLUSTER", "MYID", deadline_s=patience_s) for name in names),
            strict=True,
        )
    )
    # Distinct epochs from the start: without them the nodes would find collisions and settle them one by one.
    await _all(
        clients[name].command("CLUSTER", "SET-CONFIG-EPOCH", epoch, deadline_s=patience_s)
        for epoch, name in enumerate(names, start=1)
    )
    await _all(
        clients[name].command("CLUSTER", "ADDSLOTSRANGE", *slot_range(shard), deadline_s=patience_s)
        for shard, name in enumerate(seconds)
    )
    await _introduce(layout, patience_s)
    shards = [
        (clients[first], clients[second], text(ids[second])) for first, second in zip(firsts, seconds, strict=True)
    ]
    await _all(_follow(first, second_id, layout, end, clock) for first, _, second_id in shards)
    await _all(_take_over(first, text(ids[first.name]), second, end, clock) for first, second, _ in shards)


async def _introduce(layout: Layout, deadline_s: float) -> None:
    """Everyone meets everyone: by gossip alone it takes half a second longer until the last pair has met.

    On connections of their own: one that is silent is dropped, and with it whatever else was asked over it.
    """

    async def meet(index: int) -> None:
        member = layout.members[index]
        async with connection(member.id, member.host, member.port) as client:
            await _all(
                client.command("CLUSTER", "MEET", host, port, bus_port, deadline_s=deadline_s)
                for host, port, bus_port in zip(
                    layout.hosts[:index], layout.ports[:index], layout.bus_ports[:index], strict=True
                )
            )

    await _all(meet(index) for index in range(1, len(layout.members)))


async def _follow(client: NodeClient, primary_id: str, layout: Layout, end: float, clock: Clock) -> None:
    """Make the node a replica as soon as it knows the primary."""
    again = clock() + _INTRODUCED_S

    async def followed() -> str:
        nonlocal again
        try:
            await client.command("CLUSTER", "REPLICATE", primary_id, deadline_s=_ASK_S)
        except (CommandRefused, NodeSilent) as error:
            if clock() >= again:
                with contextlib.suppress(CommandRefused, NodeGone, NodeSilent):
                    await _introduce(layout, _ASK_S)
                again = clock() + _INTRODUCED_S
            return error.message
        return ""

    await until(followed, end, clock)


async def _take_over(first: NodeClient, first_id: str, second: NodeClient, end: float, clock: Clock) -> None:
    """Promote the replica ``first`` once it is in sync and would serve, and its primary knows it as its replica.

    A primary that loses its slots to a node of another shard, as it thinks, stays behind as an empty primary. One that
    stood still for longer than the others wait has lost them already: then there is nothing left to do.
    """

    elected = False

    async def ready() -> str:
        nonlocal elected
        try:
            replies = await first.ask(("INFO", "replication"), ("CLUSTER", "INFO"), deadline_s=_ASK_S)
            view = parse_nodes(text(await second.command("CLUSTER", "NODES", deadline_s=_ASK_S)))
        except NodeSilent as error:
            return error.message
        replication, cluster = (parse_info(text(reply)) for reply in replies)
        if elected := replication.get("role") == "master":
            return ""
        if replication.get("master_link_status") != "up":
            return f"{first.name} is not in sync"
        if cluster.get("cluster_state") != "ok":
            return f"{first.name} does not see the whole cluster"
        known = any(peer.node_id == first_id and peer.role == "replica" for peer in view)
        return "" if known else f"{second.name} does not know {first.name} as its replica"

    await until(ready, end, clock)
    if not elected:
        await first.command("CLUSTER", "FAILOVER", "TAKEOVER", deadline_s=max(_ASK_S, end - clock()))


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
    told = await _all(
        client.ask(("CLUSTER", "INFO"), ("CLUSTER", "NODES"), ("INFO", "replication"), deadline_s=_ASK_S)
        for client in clients.values()
    )
    views = [parse_nodes(text(nodes)) for _, nodes, _ in told]
    problems = [
        f"{name} {problem}"
        for name, view, (cluster, _, replication) in zip(clients, views, told, strict=True)
        if (problem := _problem(view, parse_info(text(cluster)), parse_info(text(replication)), len(layout.ports)))
    ]
    if problems:
        return "; ".join(problems)
    maps = set()
    for view in views:
        owners = slot_owners([view])
        maps.add(tuple(sorted((peer.port, peer.role, owners.get(peer.node_id, ())) for peer in view)))
    if len(maps) != 1:
        return "the nodes do not agree yet on who owns which slots"
    primaries = [entry for entry in maps.pop() if entry[2]]
    return "" if len(primaries) == SHARDS else f"{len(primaries)} primaries own slots instead of {SHARDS}"


def _problem(view: list[Peer], cluster: Mapping[str, str], replication: Mapping[str, str], size: int) -> str:
    """What is wrong in the eyes of one node."""
    if cluster.get("cluster_state") != "ok":
        return "says cluster_state:fail"
    if len(view) != size or any(peer.failing or not peer.connected for peer in view):
        return "does not reach all other nodes"
    if replication.get("role") == "slave":
        return "" if replication.get("master_link_status") == "up" else "is not in sync with its primary"
    if not any(peer.slots for peer in view if "myself" in peer.flags):
        return "is a primary without slots"
    # "slave0:ip=127.0.0.1,port=7003,state=online,…", one line for each replica.
    online = any(key.startswith("slave") and ",state=online," in value for key, value in replication.items())
    return "" if online else "has no replica in sync"


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
