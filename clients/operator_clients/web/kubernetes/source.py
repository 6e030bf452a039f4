"""What is asked about the cluster: one seam, behind which is an API server (``client``) or made-up data (``mock``)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from operator_protocol.errors import NotFound, Unavailable

from .model import Container, Event, LogTail, Pod
from .objects import NodeMetrics, NodeObject


class Unreachable(Unavailable):
    """The API server does not answer, or not in time, or not as one."""


class Refused(Unavailable):
    """The API server does not let us in, or not there. Time does not heal that."""


class NoSuchObject(NotFound):
    """There is no pod, node or container of that name."""


class PodParts(NamedTuple):
    """One pod, read by itself. ``uid`` tells it from one of the same name before it."""

    pod: Pod
    init_containers: Sequence[Container]
    uid: str


class ClusterSource(Protocol):
    """Every call may raise ``Unreachable`` and ``Refused``; those that name something ``NoSuchObject``."""

    @property
    def origin(self) -> Literal["live", "mock"]:
        """Whether it tells of a cluster or is made up."""

    async def pods(self) -> Sequence[Pod]:
        """All of them."""

    async def nodes(self) -> Sequence[NodeObject]:
        """All of them."""

    async def metrics(self) -> Sequence[NodeMetrics]:
        """What each node uses, of those that are measured; nothing without a metrics API."""

    async def disk_percent(self, node: str) -> float | None:
        """How full the node's disk is; None where its kubelet does not tell. ``Refused`` holds for all nodes."""

    async def pod(self, namespace: str, name: str) -> PodParts:
        """As it is now."""

    async def events(self, kind: Literal["Pod", "Node"], name: str, namespace: str | None, uid: str) -> Sequence[Event]:
        """What happened to it, the newest first."""

    async def log(self, namespace: str, name: str, container: str, lines: int) -> LogTail:
        """The last lines of a container."""

    async def close(self) -> None:
        """Give connections and threads back."""
