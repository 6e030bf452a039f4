"""The network of one cluster: built, found again, cleared of faults, removed.

::

    host ──op-TAG══host── [hub: bridge] ──valkey-0══eth0── [namespace of valkey-0]
                                  └────── valkey-1══eth0── [namespace of valkey-1] …

The bridge is in a namespace of its own and not on the host, because there it would be subject to the host's firewall:
once a Docker daemon has run, the host drops what bridges forward, even after it has stopped. So the host gets one link
and one address, and all rules and queues of faults are in our namespaces, where they end with them at the latest. The
members have no default route: nothing but this host can talk to them.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from pathlib import Path

from operator_protocol.errors import Unavailable
from operatord.clock import Clock
from operatord.injectors.commands import Commands
from operatord.isolation.abilities import Abilities, examine
from operatord.isolation.addresses import Subnet, free_subnet
from operatord.isolation.faults import clear_faults
from operatord.isolation.names import BRIDGE, HOST_PORT, MEMBER_LINK, Names, inside
from operatord.isolation.tools import listed, must

NOT_ISOLATED = "start the daemon with --isolate"

_GONE_S = 5.0
"""Removed names and links are gone from one moment to the next; a busy kernel may let that moment wait."""

_POLL_S = 0.02
_BUILDS = 5
"""Another daemon may choose the same addresses at the same moment; then others are chosen."""


class IsolatedNetwork:
    """The network that belongs to ``state_dir``. One process at a time works on it (the directory is locked).

    ``wanted`` says whether a cluster that is built anew shall be isolated; ``subnet`` fixes its addresses.
    """

    def __init__(
        self,
        state_dir: Path,
        commands: Commands,
        *,
        wanted: bool = False,
        subnet: str = "",
        clock: Clock = time.monotonic,
    ) -> None:
        self.names = Names.of(state_dir)
        self.wanted = wanted
        self.commands = commands
        self._subnet = subnet
        self._clock = clock
        self._abilities: Abilities | None = None

    def missing(self, part: str) -> str:
        """What keeps a fault from being injected that needs ``part`` of the kernel; empty when nothing does."""
        if self._abilities is None:
            return NOT_ISOLATED
        return self._abilities.problem or self._abilities.lacks.get(part, "")

    def namespace(self, member: str) -> str:
        """Name of the namespace of ``member``."""
        return self.names.namespace(member)

    def argv(self, member: str, argv: Sequence[str]) -> list[str]:
        """The command that starts ``argv`` as ``member``."""
        return inside(self.namespace(member), list(argv))

    async def build(self, members: Sequence[str]) -> list[str]:
        """A new network for ``members``, after removing what there is; returns their addresses, in order.

        Raises ``Unavailable`` with what this host lacks, or what stands against it.
        """
        await self._examine()
        await self.remove()
        for attempt in range(1, _BUILDS + 1):
            routed = await self._routed()
            if self._subnet:
                subnet = self._require_free(Subnet.parse(self._subnet), routed)
            else:
                subnet = free_subnet(routed, seed=f"{self.names.tag}-{attempt}")
            await self._raise(members, subnet)
            if await self._is_alone(subnet):
                return [subnet.member(index) for index in range(len(members))]
            await self.remove()
        raise Unavailable(
            "the addresses chosen were taken by somebody else each time", "name others with network in [isolation]"
        )

    async def restore(self, hosts: Mapping[str, str], running: Iterable[str]) -> None:
        """The network of a cluster that is kept, its members at the addresses ``hosts``, free of faults.

        What is whole stays; what is not is built anew, unless some of its members are ``running`` in it. Raises
        ``Unavailable`` then, and when the addresses are somebody else's by now.
        """
        await self._examine()
        subnet = Subnet.around(next(iter(hosts.values())))
        damage = await self._damage(list(hosts), subnet)
        if not damage:
            await self.clear_faults()
            return
        fresh = "start without --keep-cluster to begin with fresh data"
        if running := sorted(running):
            raise Unavailable(
                f"the network of the kept cluster is damaged ({damage}) while {', '.join(running)} still run in it",
                fresh,
            )
        await self.remove()
        self._require_free(subnet, await self._routed(), hint=fresh)
        await self._raise(list(hosts), subnet)

    async def clear_faults(self) -> None:
        """Take away every rule and queue of a fault, whoever put it there."""
        await clear_faults(self.commands, self.names)

    async def remove(self) -> bool:
        """Remove all of it, in whatever state it is; True if there was anything. Raises ``Unavailable`` when some of it
        stays. Processes that are still in a namespace keep it alive, without a name and without a link to anywhere.
        """
        found = self.names.anything_there()
        if not found:
            return False
        lines = [f"link del dev {self.names.link}"] if self.names.link_there() else []
        if self.names.hub in found:
            # What still runs in the members' namespaces would keep their links; without a bridge these lead nowhere.
            await self.commands.run(["ip", "-n", self.names.hub, "link", "del", "dev", BRIDGE])
        lines += [f"netns del {name}" for name in self.names.namespaces_there()]
        done = await self.commands.run(["ip", "-force", "-batch", "-"], stdin="\n".join(lines) + "\n")
        end = self._clock() + _GONE_S
        while left := self.names.anything_there():
            if done.returncode != 0 or self._clock() > end:
                reason = done.stderr.strip().replace("\n", "; ") or "the kernel does not let go of it"
                raise Unavailable(f"cannot remove {', '.join(left)}: {reason}", "remove it as root: ip netns del NAME")
            await asyncio.sleep(_POLL_S)
        return True

    async def _examine(self) -> None:
        abilities = await examine(self.commands)
        abilities.require()
        self._abilities = abilities

    async def _raise(self, members: Sequence[str], subnet: Subnet) -> None:
        names = self.names
        on_host = [
            f"netns add {names.hub}",
            *(f"netns add {names.namespace(member)}" for member in members),
            f"link add {names.link} type veth peer name {HOST_PORT} netns {names.hub}",
            f"addr add {subnet.with_length(subnet.host)} dev {names.link}",
            f"link set {names.link} up",
        ]
        in_hub = [
            # Without spanning tree and without the delay that it needs, a port forwards as soon as it is up.
            f"link add {BRIDGE} type bridge forward_delay 0 stp_state 0",
            f"link set {BRIDGE} up",
            f"link set {HOST_PORT} master {BRIDGE} up",
        ]
        for member in members:
            port = names.port(member)
            in_hub += [
                f"link add {port} type veth peer name {MEMBER_LINK} netns {names.namespace(member)}",
                f"link set {port} master {BRIDGE} up",
            ]
        await self._batch([], on_host)
        # A host that forwards (Docker makes it) would let its containers in, with its own address.
        with suppress(OSError):
            Path(f"/proc/sys/net/ipv4/conf/{names.link}/forwarding").write_text("0")  # noqa: ASYNC240 - a file of the kernel
        await self._batch(["-n", names.hub], in_hub)
        await asyncio.gather(
            *(
                self._batch(
                    ["-n", names.namespace(member)],
                    [
                        "link set lo up",
                        f"addr add {subnet.with_length(subnet.member(index))} dev {MEMBER_LINK}",
                        f"link set {MEMBER_LINK} up",
                    ],
                )
                for index, member in enumerate(members)
            )
        )
        # Last, and only for people: whose link is this?
        alias = ["ip", "link", "set", "dev", names.link, "alias", f"operatord {names.state_dir}"[:255]]
        await must(self.commands, alias, what=f"naming {names.link}")

    async def _batch(self, options: Sequence[str], lines: Sequence[str]) -> None:
        await must(
            self.commands,
            ["ip", *options, "-batch", "-"],
            stdin="\n".join(lines) + "\n",
            what="building the isolated network",
        )

    async def _routed(self) -> list[IPv4Network]:
        rows = await listed(
            self.commands, ["ip", "-4", "-j", "route", "show", "table", "all"], what="reading the routes"
        )
        return [network for row in rows if (network := _network(str(row.get("dst", "")))) is not None]

    def _require_free(self, subnet: Subnet, routed: Iterable[IPv4Network], hint: str = "") -> Subnet:
        if not subnet.is_free(routed):
            raise Unavailable(
                f"{subnet.network} is routed on this host already",
                hint or "choose another network in [isolation], or leave it out",
            )
        return subnet

    async def _is_alone(self, subnet: Subnet) -> bool:
        """No one has given himself addresses of the same network meanwhile."""
        rows = await listed(
            self.commands, ["ip", "-4", "-j", "addr", "show", "to", str(subnet.network)], what="reading the addresses"
        )
        return {str(row.get("ifname")) for row in rows if row.get("addr_info")} == {self.names.link}

    async def _damage(self, members: Sequence[str], subnet: Subnet) -> str:
        """What is wrong with the network that should be there; empty when it is whole."""
        names = self.names
        wanted = [names.hub, *(names.namespace(member) for member in members)]
        if absent := sorted({*wanted} - {*names.namespaces_there()}):
            return f"namespace {absent[0]} is gone"
        if not names.link_there():
            return f"link {names.link} is gone"
        if not await self._is_alone(subnet):
            return f"{subnet.host} is not the address of {names.link}"
        rows = await listed(
            self.commands, ["ip", "-n", names.hub, "-j", "link", "show", "master", BRIDGE], what="reading the bridge"
        )
        up = {str(row.get("ifname")) for row in rows if row.get("operstate") == "UP"}
        if absent := sorted({HOST_PORT, *(names.port(member) for member in members)} - up):
            return f"bridge port {absent[0]} is gone or down"
        return ""


def _network(text: str) -> IPv4Network | None:
    """The destination of a route; None for the default one, and for what is not an address."""
    try:
        return IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None
