"""What a fault of this subject consists of, and what it works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from operator_protocol.errors import BadRequest, Conflict
from operator_protocol.models import Fault, FaultKind, Scalar
from operatord.injectors.limits import ResourceLimits
from operatord.subjects.base import Observation
from operatord.subjects.tikv.cluster import Cluster
from operatord.subjects.tikv.engine import Containers

Memo = Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Means:
    """The ways to the servers."""

    cluster: Cluster
    containers: Containers
    contained: bool
    """Whether the servers are containers of ours."""
    helper_image: str = ""
    """Of helper containers; none if empty."""
    limits: ResourceLimits = field(default_factory=ResourceLimits)


class TiKVFault(Protocol):
    """One kind. As with ``injectors.base.Injector``, ``undo`` and ``leftovers`` rely on memo and means only."""

    contained: bool
    """Whether it takes a container of ours."""
    roles: frozenset[str]
    """To which nodes it can be done."""
    lags: bool
    """Whether a look may show nothing of it yet; before one has shown it, nothing says that somebody ended it."""

    @property
    def kind(self) -> FaultKind:
        """Its catalogue entry."""

    async def prepare(self, fault: Fault, means: Means) -> dict[str, Scalar]:
        """Check what can be checked and return the memo; without side effects."""

    async def inject(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Do it, and return when it has its effect."""

    async def undo(self, fault: Fault, means: Means, memo: Memo) -> None:
        """Take it back."""

    async def leftovers(self, fault: Fault, means: Means, memo: Memo) -> str:
        """What of it is still there, in one line; empty when nothing is."""

    def holds(self, fault: Fault, memo: Memo, seen: Observation) -> str | None:
        """What still holds by ``seen``, empty when nothing does; None when no look can tell: it holds until undone."""


PD, TIKV = "pd", "tikv"
EVERY = frozenset((PD, TIKV))
STORES = frozenset((TIKV,))


def role_of(node: str) -> str:
    """By the name, as the compose file has them."""
    return PD if node.startswith("pd") else TIKV


def require_store(fault: Fault, why: str) -> None:
    """Raises ``BadRequest`` for a PD."""
    if (fault.role or role_of(fault.target)) != TIKV:
        raise BadRequest(f"{fault.kind} {fault.target}: {why}", "give a store as target")


async def require_running(node: str, means: Means) -> None:
    """Raises ``Conflict`` when its container does not run, ``NotFound`` when it has none."""
    state = (await means.containers.inspect(node)).state
    if state != "running":
        raise Conflict(f"the container of {node} is {state}", "recover it first")
