"""Filter, sort and cut a list of pods, as the table asks for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

from .model import Node, Pod, PodPhase, ReadyStatus

Column = Literal["name", "namespace", "status", "nodeName", "restarts", "age", "podIP", "owner", "ready"]
Order = Literal["asc", "desc"]
COLUMNS: tuple[Column, ...] = get_args(Column)
MAX_LIMIT = 500
DEFAULT_LIMIT = 50


class PodQuery(NamedTuple):
    """None lets everything through."""

    namespace: str | None = None
    status: PodPhase | None = None
    node_name: str | None = None
    search: str | None = None
    sort: Column = "name"
    order: Order = "asc"
    limit: int = DEFAULT_LIMIT
    offset: int = 0


class PodPage(NamedTuple):
    """``total`` of all that were let through."""

    pods: Sequence[Pod]
    total: int


def page_of(pods: Sequence[Pod], query: PodQuery) -> PodPage:
    """One page. What is equal in the column is in the order of namespace and name, whichever way is sorted."""
    part = (query.search or "").lower()
    found = [
        pod
        for pod in pods
        if (query.namespace is None or pod.namespace == query.namespace)
        and (query.status is None or pod.status == query.status)
        and (query.node_name is None or pod.node_name == query.node_name)
        and part in pod.name.lower()
    ]
    # Sorts are stable: first the order among equals, then the column.
    found.sort(key=lambda pod: (pod.namespace, pod.name))
    key = _KEYS[query.sort]
    known = sorted((pod for pod in found if key(pod) is not None), key=key, reverse=query.order == "desc")
    unknown = [pod for pod in found if key(pod) is None]
    return PodPage([*known, *unknown][query.offset : query.offset + query.limit], len(found))


def nodes_of(nodes: Sequence[Node], status: ReadyStatus | None, search: str | None) -> list[Node]:
    """Those of that status with that part of a name."""
    part = (search or "").lower()
    return [one for one in nodes if (status is None or one.status == status) and part in one.name.lower()]


def _number(address: str | None) -> tuple[int, ...] | None:
    """So that 10.0.0.9 comes before 10.0.0.10; IPv6 after IPv4."""
    if address is None:
        return None
    if ":" in address:
        return (1 << 8, *address.encode())
    return tuple(int(part) if part.isdigit() else 0 for part in address.split("."))


def _owner(pod: Pod) -> tuple[str, str] | None:
    return None if pod.owner_kind is None else (pod.owner_kind, pod.owner_name or "")


def _born(pod: Pod) -> float | None:
    """Younger is less."""
    return None if pod.created_at is None else -pod.created_at.timestamp()


def _ready(pod: Pod) -> float | None:
    return sum(one.ready for one in pod.containers) / len(pod.containers) if pod.containers else None


# The values of one column can be compared with each other, those of two columns not: a type that says so there is not.
_KEYS: Mapping[Column, Callable[[Pod], Any]] = {
    "name": lambda pod: pod.name,
    "namespace": lambda pod: pod.namespace,
    "status": lambda pod: pod.status,
    "nodeName": lambda pod: pod.node_name,
    "restarts": lambda pod: pod.restarts,
    "age": _born,
    "podIP": lambda pod: _number(pod.pod_ip),
    "owner": _owner,
    "ready": _ready,
}
