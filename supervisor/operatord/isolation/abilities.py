"""Can this host isolate servers, and which network faults can it do? Tried out, in a namespace that ends with the try.

What a kernel can do is not to be had from its version: parts of it are modules that a distribution packs separately,
and rights depend on containers as much as on the user.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from operator_protocol.errors import OperatorError, Unavailable
from operatord.injectors.commands import Commands
from operatord.isolation.names import NETNS_DIR
from operatord.isolation.tools import PACKAGES, complaint

_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""Bit numbers, linux/capability.h."""

_THROWAWAY = ("unshare", "--net", "--")

NFT, TBF, NETEM = "nft", "tbf", "netem"

_RULES = """\
add table bridge try
add chain bridge try forward { type filter hook forward priority 0; }
add rule bridge try forward iifname "a" numgen random mod 10000 < 3000 counter drop
"""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What was found."""

    problem: str = ""
    """Why servers cannot be isolated here; empty when they can."""
    hint: str = ""
    lacks: dict[str, str] = field(default_factory=dict)
    """Parts of the kernel that only some faults need, and what is missing of them; empty text when nothing is."""

    def require(self) -> None:
        """Raise ``Unavailable`` unless servers can be isolated here."""
        if self.problem:
            raise Unavailable(f"servers cannot be isolated here: {self.problem}", self.hint)


async def examine(commands: Commands) -> Abilities:
    """Look for the commands and the rights, and try the kernel out."""
    absent = [name for name in PACKAGES if shutil.which(name) is None]
    if absent:
        packages = " ".join(dict.fromkeys(PACKAGES[name] for name in absent))
        return Abilities(f"{', '.join(absent)} not found", f"install {packages}")
    if lacking := _capabilities_lacking():
        return Abilities(f"{' and '.join(lacking)} not held", "run it as root, or with these capabilities")
    nearest = NETNS_DIR if NETNS_DIR.exists() else NETNS_DIR.parent
    if not os.access(nearest, os.W_OK):
        return Abilities(f"{nearest} is not writable", "run it as root")
    namespace, bridge, veth, nft, tbf, netem = await asyncio.gather(
        _attempt(commands, ("true",)),
        _attempt(commands, ("ip", "link", "add", "name", "op0", "type", "bridge")),
        _attempt(commands, ("ip", "link", "add", "name", "op0", "type", "veth", "peer", "name", "op1")),
        _attempt(commands, ("nft", "-f", "-"), _RULES),
        _attempt(commands, ("tc", "qdisc", "add", "dev", "lo", "root", "tbf", *_TBF)),
        _attempt(commands, ("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")),
    )
    for said, what in ((namespace, "network namespaces"), (bridge, "bridges (bridge)"), (veth, "veth pairs (veth)")):
        if said:
            return Abilities(f"no {what}: {said}", "use a kernel, or a container, that has them")
    return Abilities(
        lacks={
            NFT: f"the kernel has no nftables for bridges with numgen ({nft})" if nft else "",
            TBF: f"the kernel has no tbf queue, module sch_tbf ({tbf})" if tbf else "",
            NETEM: f"the kernel has no netem queue, module sch_netem ({netem})" if netem else "",
        }
    )


_TBF = ("rate", "1000000bps", "burst", "32768", "limit", "65536")


async def _attempt(commands: Commands, argv: tuple[str, ...], stdin: str = "") -> str:
    """Why it does not work; empty when it does."""
    try:
        done = await commands.run([*_THROWAWAY, *argv], stdin=stdin)
    except OperatorError as error:
        return error.message
    return "" if done.returncode == 0 else complaint(done.stderr) or f"status {done.returncode}"


def _capabilities_lacking() -> list[str]:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
            return [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    return list(_CAPABILITIES)
