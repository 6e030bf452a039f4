"""Names of everything that one daemon puts into the kernel, derived from its state directory alone.

So whoever comes later finds it without a record of it, and nobody takes that of another daemon for it.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

NETNS_DIR = Path("/run/netns")
"""Where ``ip netns`` keeps the names of network namespaces."""

BRIDGE = "hub"
"""Name of the bridge, inside the hub's namespace."""

HOST_PORT = "host"
"""Name of the bridge port that leads to the host; the other ports are called like the members behind them."""

MEMBER_LINK = "eth0"
"""Name of a member's only link, inside its namespace."""

_LINKS = Path("/sys/class/net")
_TAG_LENGTH = 10
_LINK_NAME_LENGTH = 15
"""IFNAMSIZ without the closing zero (linux/if.h)."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that belong to one state directory."""

    state_dir: Path
    tag: str

    @classmethod
    def of(cls, state_dir: Path) -> "Names":
        """The names for ``state_dir``, by whichever path it is reached."""
        real = state_dir.resolve()
        return cls(real, hashlib.sha256(os.fsencode(real)).hexdigest()[:_TAG_LENGTH])

    @property
    def link(self) -> str:
        """The one link on the host, which leads to the hub."""
        return f"op-{self.tag}"

    @property
    def hub(self) -> str:
        """Namespace of the bridge."""
        return f"{self.prefix}hub"

    @property
    def prefix(self) -> str:
        """What the names of all namespaces begin with."""
        return f"operatord-{self.tag}-"

    def namespace(self, member: str) -> str:
        """Namespace of a member of the subject."""
        return f"{self.prefix}{member}"

    def port(self, member: str) -> str:
        """The bridge port that leads to ``member``, in the hub."""
        if member in (BRIDGE, HOST_PORT, "lo") or len(member) > _LINK_NAME_LENGTH:
            raise ValueError(f"no link can be called {member!r}")
        return member

    def namespaces_there(self) -> list[str]:
        """Those of our namespaces that exist now."""
        try:
            return sorted(path.name for path in NETNS_DIR.iterdir() if path.name.startswith(self.prefix))
        except FileNotFoundError:
            return []

    def link_there(self) -> bool:
        """Whether our link exists on the host."""
        return (_LINKS / self.link).exists()

    def anything_there(self) -> list[str]:
        """Namespaces and link that exist now."""
        return [*self.namespaces_there(), *([self.link] if self.link_there() else [])]


def inside(namespace: str, argv: list[str]) -> list[str]:
    """The command that runs ``argv`` in ``namespace``; it execs, so the process keeps its pid."""
    return ["nsenter", f"--net={NETNS_DIR / namespace}", "--", *argv]
