"""How faults show in the kernel: one nftables table for each, and queues under handles of ours.

A table for each fault makes its undo one command that cannot touch another fault, and that may be given twice.
"""

import asyncio
import json
import re
from collections.abc import Iterable

from operator_protocol.errors import BadRequest, Unavailable
from operatord.injectors.commands import Commands
from operatord.isolation.names import BRIDGE, HOST_PORT, MEMBER_LINK, NETNS_DIR, Names, inside
from operatord.isolation.tools import complaint, listed, must

TABLE_PREFIX = "operatord-"
"""What the names of our tables (family bridge, in the hub) begin with; the fault's id follows."""

HANDLES = {"bandwidth": "6f62:", "latency": "6f6c:"}
"""Major numbers of our queues ("ob", "ol"): nobody else's is taken for ours, and ours tell which fault they are of."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def table_of(fault_id: str) -> str:
    """Name of the table of a fault. Raises ``BadRequest`` for an id that cannot be part of one."""
    if not _ID.fullmatch(fault_id):
        raise BadRequest(f"{fault_id!r} is no id of a fault")
    return f"{TABLE_PREFIX}{fault_id}"


async def add_table(commands: Commands, names: Names, fault_id: str, rules: Iterable[str]) -> None:
    """Put ``rules`` (match and verdict each) in force for what the bridge forwards, all of them or none."""
    table = table_of(fault_id)
    lines = [
        f"add table bridge {table}",
        f"add chain bridge {table} forward {{ type filter hook forward priority 0; policy accept; }}",
        *(f'add rule bridge {table} forward {rule} comment "{fault_id}"' for rule in rules),
    ]
    await _nft(commands, names, "\n".join(lines) + "\n", what="adding the rules")


async def delete_tables(commands: Commands, names: Names, tables: Iterable[str]) -> None:
    """Take tables away; one that is not there is fine."""
    if names.hub not in names.namespaces_there():
        return
    # Adding first makes the deletion succeed in either case; both happen at once.
    lines = [line for table in tables for line in (f"add table bridge {table}", f"delete table bridge {table}")]
    if lines:
        await _nft(commands, names, "\n".join(lines) + "\n", what="removing the rules")


async def fault_tables(commands: Commands, names: Names) -> list[str]:
    """The tables of faults that are there now."""
    if names.hub not in names.namespaces_there():
        return []
    output = await must(
        commands, inside(names.hub, ["nft", "-j", "list", "tables", "bridge"]), what="listing the rules"
    )
    try:
        entries = json.loads(output)["nftables"]
        found = [str(entry["table"]["name"]) for entry in entries if "table" in entry]
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("listing the rules failed: nft answered with something else than its JSON") from error
    return [name for name in found if name.startswith(TABLE_PREFIX)]


async def queue_of(commands: Commands, namespace: str, link: str) -> str:
    """Handle of the queue of ours on ``link``; empty when there is none, or no such link."""
    done = await commands.run(["tc", "-n", namespace, "-j", "qdisc", "show", "dev", link])
    if done.returncode != 0:
        if "Cannot find device" in done.stderr or not (NETNS_DIR / namespace).exists():
            return ""
        raise Unavailable(f"reading the queue of {link} failed: {complaint(done.stderr)}")
    try:
        rows = json.loads(done.stdout or "[]")
        handles = [str(row.get("handle")) for row in rows if row.get("root")]
    except (ValueError, AttributeError, TypeError) as error:
        raise Unavailable(f"tc said of {link} something else than its JSON") from error
    return next((handle for handle in handles if handle in HANDLES.values()), "")


async def set_queue(commands: Commands, namespace: str, link: str, handle: str, queue: Iterable[str]) -> None:
    """Send all that leaves through ``link`` through ``queue``."""
    argv = ["tc", "-n", namespace, "qdisc", "replace", "dev", link, "root", "handle", handle, *queue]
    await must(commands, argv, what=f"setting the queue of {link}")


async def delete_queue(commands: Commands, namespace: str, link: str, handle: str) -> None:
    """Take our queue of that handle away, if it is there."""
    if await queue_of(commands, namespace, link) == handle:
        argv = ["tc", "-n", namespace, "qdisc", "del", "dev", link, "root", "handle", handle]
        await must(commands, argv, what=f"removing the queue of {link}")


async def clear_faults(commands: Commands, names: Names) -> None:
    """Take away every table and every queue of a fault in our namespaces."""
    there = names.namespaces_there()
    await delete_tables(commands, names, await fault_tables(commands, names))
    places = [(namespace, MEMBER_LINK) for namespace in there if namespace != names.hub]
    if names.hub in there:
        rows = await listed(
            commands, ["ip", "-n", names.hub, "-j", "link", "show", "master", BRIDGE], what="reading the bridge"
        )
        ports = [str(row.get("ifname")) for row in rows]
        places += [(names.hub, port) for port in ports if port != HOST_PORT]

    async def clear(namespace: str, link: str) -> None:
        if handle := await queue_of(commands, namespace, link):
            await delete_queue(commands, namespace, link, handle)

    await asyncio.gather(*(clear(*place) for place in places))


async def _nft(commands: Commands, names: Names, script: str, *, what: str) -> None:
    await must(commands, inside(names.hub, ["nft", "-f", "-"]), stdin=script, what=what)
