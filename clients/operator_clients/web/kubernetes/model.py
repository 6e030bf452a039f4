"""What goes to the browser: the shapes of the contract, in camelCase, with ``null`` for what is not known.

They are msgspec structs and not dataclasses for the same reason as ``objects``: there are tens of thousands of them
every ten seconds, and a page of 500 is written within a few milliseconds.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

ClusterStatus = Literal["healthy", "degraded", "critical"]
ReadyStatus = Literal["Ready", "NotReady", "Unknown"]
PodPhase = Literal["Running", "Pending", "Succeeded", "Failed", "Unknown"]
ContainerPhase = Literal["running", "waiting", "terminated"]
Truth = Literal["True", "False", "Unknown"]
Origin = Literal["live", "cache", "mock"]


class Shown(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of all."""


class Dated(Shown, frozen=True, kw_only=True):
    """Beside every answer: how old it is, and where it comes from."""

    stale: bool
    age_seconds: float
    source: Origin


class ClusterHealth(Dated, frozen=True, kw_only=True):
    """Counts, and what the nodes use of what they can give to pods."""

    status: ClusterStatus
    nodes_ready: int
    nodes_total: int
    pods_running: int
    pods_total: int
    pods_pending: int
    pods_failed: int
    cpu_usage_percent: float | None
    """Null without a metrics API; so is the memory's."""
    memory_usage_percent: float | None
    last_updated: datetime
    reasons: Sequence[str]
    """Why it is not healthy."""


class Resources(Shown, frozen=True):
    """Quantities as Kubernetes writes them."""

    cpu: str
    memory: str
    pods: int


class NodeUsage(Shown, frozen=True):
    """Percent of what is allocatable; of the disk, percent of its capacity. Null is what nobody measured."""

    cpu_percent: float | None
    memory_percent: float | None
    disk_percent: float | None
    pods_count: int


class NodeCondition(Shown, frozen=True):
    """One of the conditions that the kubelet reports."""

    type: str
    status: Truth
    reason: str
    message: str
    last_transition: datetime | None


class Node(Shown, frozen=True):
    """A node."""

    name: str
    status: ReadyStatus
    roles: Sequence[str]
    version: str
    os: str
    container_runtime: str
    capacity: Resources
    allocatable: Resources
    usage: NodeUsage
    conditions: Sequence[NodeCondition]
    created_at: datetime | None
    schedulable: bool


class LastState(Shown, frozen=True):
    """How a container's run before this one went."""

    state: ContainerPhase
    reason: str | None
    exit_code: int | None
    started_at: datetime | None
    finished_at: datetime | None


class Container(Shown, frozen=True):
    """A container."""

    name: str
    image: str
    ready: bool
    restart_count: int
    state: ContainerPhase
    state_reason: str | None
    last_state: LastState | None


class Pod(Shown, frozen=True):
    """``status`` is one of five; ``reason`` is what kubectl's column STATUS says: ``CrashLoopBackOff``, ``Evicted``."""

    name: str
    namespace: str
    status: PodPhase
    phase: str
    reason: str
    node_name: str | None
    pod_ip: str | None = msgspec.field(name="podIP")
    host_ip: str | None = msgspec.field(name="hostIP")
    containers: Sequence[Container]
    restarts: int
    age: str
    created_at: datetime | None
    labels: dict[str, str]
    owner_kind: str | None
    owner_name: str | None


class Event(Shown, frozen=True):
    """Something that happened to a pod or a node."""

    type: str
    """``Normal`` or ``Warning``."""
    reason: str
    message: str
    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    source: str


class NodesAnswer(Dated, frozen=True, kw_only=True):
    """``total`` counts what the filter lets through."""

    nodes: Sequence[Node]
    total: int


class PodsAnswer(Dated, frozen=True, kw_only=True):
    """A page. ``total`` counts what the filter lets through, ``namespaces`` and ``nodes`` are all there are."""

    pods: Sequence[Pod]
    total: int
    limit: int
    offset: int
    namespaces: Sequence[str]
    nodes: Sequence[str]


class LogTail(Shown, frozen=True):
    """The last lines of one container."""

    container: str
    lines: Sequence[str]
    truncated: bool
    """Older lines of those that were asked for are missing: they were too many bytes."""
    problem: str | None
    """Why there are no lines."""


class PodDetail(Dated, frozen=True, kw_only=True):
    """A pod, and what happened to it. ``events`` is null, with the reason, when they cannot be read."""

    pod: Pod
    init_containers: Sequence[Container]
    events: Sequence[Event] | None
    events_problem: str | None
    log: LogTail


class NodeDetail(Dated, frozen=True, kw_only=True):
    """A node, its pods, and what happened to it."""

    node: Node
    labels: dict[str, str]
    pods: Sequence[Pod]
    events: Sequence[Event] | None
    events_problem: str | None
