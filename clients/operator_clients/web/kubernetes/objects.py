"""What is read of the API server's objects: these fields, and no others.

A list of 10,000 pods is 64 MB of JSON. Made into the official client's own objects that takes seven seconds of CPU, as
plain dictionaries up to two, and read by this schema less than 0.1: what it does not name is skipped, not built.
Lists may be ``null``: Go writes an empty one so.
"""

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""With its offset from UTC, as all times of the API are; another one could not be compared with any."""


class Read(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of all: no cycles, so the garbage collector need not look at tens of thousands of them."""


class Owner(Read, frozen=True):
    """Who made an object."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Metadata(Read, frozen=True):
    """Of any object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: Moment | None = None
    deletion_timestamp: Moment | None = None
    labels: dict[str, str] | None = None
    owner_references: list[Owner] | None = None


class ListMetadata(Read, frozen=True):
    """``continue`` is there as long as more is to come."""

    continue_: str = msgspec.field(name="continue", default="")


class Waiting(Read, frozen=True):
    """A container that has not begun, or not again."""

    reason: str = ""
    message: str = ""


class Running(Read, frozen=True):
    """A container that runs."""

    started_at: Moment | None = None


class Terminated(Read, frozen=True):
    """A container that has ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: Moment | None = None
    finished_at: Moment | None = None


class State(Read, frozen=True):
    """At most one of them."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


NO_STATE = State()


class ContainerStatus(Read, frozen=True):
    """What the kubelet says of a container."""

    name: str
    ready: bool = False
    restart_count: int = 0
    state: State = NO_STATE
    last_state: State = NO_STATE


class ContainerSpec(Read, frozen=True):
    """What was asked for."""

    name: str
    image: str = ""


class PodSpec(Read, frozen=True):
    """``node_name`` is empty until a node was found."""

    node_name: str = ""
    containers: list[ContainerSpec] | None = None
    init_containers: list[ContainerSpec] | None = None


class Condition(Read, frozen=True):
    """Of a node or a pod."""

    type: str
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: Moment | None = None


class PodStatus(Read, frozen=True):
    """``reason`` is the pod's own: ``Evicted``, ``NodeLost``."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    host_ip: str = msgspec.field(name="hostIP", default="")
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


NO_POD_STATUS = PodStatus()


class PodObject(Read, frozen=True):
    """A pod."""

    metadata: Metadata
    spec: PodSpec
    status: PodStatus = NO_POD_STATUS


class NodeInfo(Read, frozen=True):
    """What runs on a node."""

    kubelet_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""


NO_INFO = NodeInfo()


class NodeStatus(Read, frozen=True):
    """Quantities are texts as Kubernetes writes them: ``7910m``, ``32086508Ki``."""

    capacity: dict[str, str] | None = None
    allocatable: dict[str, str] | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo = NO_INFO


NO_NODE_STATUS = NodeStatus()


class NodeSpec(Read, frozen=True):
    """A node that is drained is unschedulable."""

    unschedulable: bool = False


NO_NODE_SPEC = NodeSpec()


class NodeObject(Read, frozen=True):
    """A node."""

    metadata: Metadata
    spec: NodeSpec = NO_NODE_SPEC
    status: NodeStatus = NO_NODE_STATUS


class NodeMetrics(Read, frozen=True):
    """An entry of ``metrics.k8s.io``: what a node uses."""

    metadata: Metadata
    usage: dict[str, str]


class EventSource(Read, frozen=True):
    """Who saw it."""

    component: str = ""


NO_SOURCE = EventSource()


class EventObject(Read, frozen=True):
    """Of the core API. New ones have ``event_time`` instead of the other two."""

    metadata: Metadata
    reason: str | None = None
    message: str | None = None
    type: str | None = None
    count: int | None = None
    first_timestamp: Moment | None = None
    last_timestamp: Moment | None = None
    event_time: Moment | None = None
    source: EventSource = NO_SOURCE


class Disk(Read, frozen=True):
    """A file system as the kubelet sees it."""

    capacity_bytes: int | None = None
    available_bytes: int | None = None


class NodeStats(Read, frozen=True):
    """``fs`` is the kubelet's root: what pods fill until they are evicted."""

    fs: Disk | None = None


class Summary(Read, frozen=True):
    """Of ``/stats/summary``; the pods in it are skipped."""

    node: NodeStats


class PodList(Read, frozen=True):
    """A page."""

    kind: str
    metadata: ListMetadata
    items: list[PodObject] | None


class NodeList(Read, frozen=True):
    """A page."""

    kind: str
    metadata: ListMetadata
    items: list[NodeObject] | None


class EventList(Read, frozen=True):
    """A page."""

    kind: str
    metadata: ListMetadata
    items: list[EventObject] | None


class NodeMetricsList(Read, frozen=True):
    """Never in pages."""

    kind: str
    items: list[NodeMetrics] | None


class ApiStatus(Read, frozen=True):
    """What an API server says when it does not do something."""

    kind: str
    message: str = ""
    reason: str = ""
