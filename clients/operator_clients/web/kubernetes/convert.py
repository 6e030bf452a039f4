"""From the API server's objects to those of the contract. Pure: the time is handed in."""

import functools
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import get_args

from .model import (
    Container,
    ContainerPhase,
    Event,
    LastState,
    Node,
    NodeCondition,
    NodeUsage,
    Pod,
    PodPhase,
    ReadyStatus,
    Resources,
    Truth,
)
from .objects import (
    ContainerSpec,
    ContainerStatus,
    EventObject,
    NodeMetrics,
    NodeObject,
    Owner,
    PodObject,
    State,
)

_PHASES: dict[str, PodPhase] = {phase: phase for phase in get_args(PodPhase)}
_TRUTHS: dict[str, Truth] = {truth: truth for truth in get_args(Truth)}
_READY: dict[Truth, ReadyStatus] = {"True": "Ready", "False": "NotReady", "Unknown": "Unknown"}
_ROLE = "node-role.kubernetes.io/"
_OLD_ROLE = "kubernetes.io/role"
_ENDED = ("Succeeded", "Failed")
_MINUTE_S, _HOUR_S, _DAY_S, _YEAR_S = 60, 3_600, 86_400, 365 * 86_400


def pod_of(found: PodObject, now: datetime) -> Pod:
    """What a row of the table shows."""
    metadata, spec, status = found.metadata, found.spec, found.status
    containers = containers_of(spec.containers, status.container_statuses, found)
    owner = _owner(metadata.owner_references)
    created = metadata.creation_timestamp
    return Pod(
        name=metadata.name,
        namespace=metadata.namespace,
        status="Unknown" if status.reason == "NodeLost" else _PHASES.get(status.phase, "Unknown"),
        phase=status.phase,
        reason=_reason(found, containers),
        node_name=spec.node_name or None,
        pod_ip=status.pod_ip or None,
        host_ip=status.host_ip or None,
        containers=containers,
        restarts=sum(container.restart_count for container in containers),
        age="" if created is None else age((now - created).total_seconds()),
        created_at=created,
        labels=metadata.labels or {},
        owner_kind=owner.kind if owner else None,
        owner_name=owner.name if owner else None,
    )


def containers_of(
    specs: Sequence[ContainerSpec] | None, statuses: Sequence[ContainerStatus] | None, pod: PodObject
) -> tuple[Container, ...]:
    """In the order of the specification. One of which the kubelet has said nothing waits, or ended with its pod."""
    told = {status.name: status for status in statuses or ()}
    # A tuple: the garbage collector takes it off its lists, of which there would be tens of thousands.
    return tuple(_container(spec, told.get(spec.name), pod) for spec in specs or ())


def _container(spec: ContainerSpec, status: ContainerStatus | None, pod: PodObject) -> Container:
    if status is None:
        ended = pod.status.phase in _ENDED
        state: ContainerPhase = "terminated" if ended else "waiting"
        return Container(spec.name, spec.image, False, 0, state, pod.status.reason or None, None)
    state, reason = _state(status.state)
    last = _last_state(status.last_state)
    return Container(spec.name, spec.image, status.ready, status.restart_count, state, reason, last)


def _state(state: State) -> tuple[ContainerPhase, str | None]:
    if state.running is not None:
        return "running", None
    if state.terminated is not None:
        return "terminated", state.terminated.reason or None
    return "waiting", (state.waiting.reason or None) if state.waiting is not None else None


def _last_state(state: State) -> LastState | None:
    if ended := state.terminated:
        return LastState("terminated", ended.reason or None, ended.exit_code, ended.started_at, ended.finished_at)
    if state.running is not None:
        return LastState("running", None, None, state.running.started_at, None)
    return None if state.waiting is None else LastState("waiting", state.waiting.reason or None, None, None, None)


def _reason(pod: PodObject, containers: Sequence[Container]) -> str:
    """As ``printPod`` of kubectl's server side puts the column STATUS together, without its rarer cases."""
    status = pod.status
    if pod.metadata.deletion_timestamp is not None:
        return "Unknown" if status.reason == "NodeLost" else "Terminating"
    if status.reason:
        return status.reason
    for first in status.init_container_statuses or ():
        kind, why = _state(first.state)
        # A sidecar is an init container that goes on running.
        if kind == "waiting" and why and why != "PodInitializing":
            return f"Init:{why}"
        if first.state.terminated is not None and first.state.terminated.exit_code != 0:
            return f"Init:{why or 'Error'}"
    return next((one.state_reason for one in containers if one.state_reason), "") or status.phase


def _owner(owners: Sequence[Owner] | None) -> Owner | None:
    found = owners or ()
    return next((one for one in found if one.controller), found[0] if found else None)


def node_of(found: NodeObject, metrics: NodeMetrics | None, disk: float | None, pods: int) -> Node:
    """``disk`` in percent, ``pods`` those that run there."""
    metadata, status = found.metadata, found.status
    conditions = [
        NodeCondition(one.type, _TRUTHS.get(one.status, "Unknown"), one.reason, one.message, one.last_transition_time)
        for one in status.conditions or ()
    ]
    capacity, allocatable = status.capacity or {}, status.allocatable or {}
    used = metrics.usage if metrics is not None else {}
    return Node(
        name=metadata.name,
        status=_ready(conditions),
        roles=_roles(metadata.labels or {}),
        version=status.node_info.kubelet_version,
        os=status.node_info.os_image,
        container_runtime=status.node_info.container_runtime_version,
        capacity=_resources(capacity),
        allocatable=_resources(allocatable),
        usage=NodeUsage(_share(used, allocatable, "cpu"), _share(used, allocatable, "memory"), disk, pods),
        conditions=conditions,
        created_at=metadata.creation_timestamp,
        schedulable=not found.spec.unschedulable,
    )


def event_of(found: EventObject) -> Event:
    """Old events count and have two times, new ones have one."""
    first = found.first_timestamp or found.event_time or found.metadata.creation_timestamp
    last = found.last_timestamp or found.event_time or first
    told = (found.type or "Normal", found.reason or "", found.message or "")
    return Event(*told, found.count or 1, first, last, found.source.component)


def age(seconds: float) -> str:
    """As kubectl writes it: ``45s``, ``3m12s``, ``47m``, ``5h12m``, ``20h``, ``3d4h``, ``41d``, ``2y``."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // _MINUTE_S, whole // _HOUR_S, whole // _DAY_S
    if whole < 2 * _MINUTE_S:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % _MINUTE_S, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    years = whole // _YEAR_S
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


@functools.lru_cache(maxsize=4096)
def quantity(text: str | None) -> float | None:
    """``7910m`` is 7.91, ``32086508Ki`` so many bytes; None for what is no quantity."""
    if not text:
        return None
    from kubernetes.utils.quantity import parse_quantity  # with all of the client library, which few gateways need

    try:
        found = float(parse_quantity(text))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def percent(used: float | None, whole: float | None) -> float | None:
    """One decimal; None when one of both is not known, or there is nothing to use."""
    return None if used is None or not whole else round(100 * used / whole, 1)


def _two(many: int, unit: str, rest: int, small: str) -> str:
    return f"{many}{unit}{rest}{small}" if rest else f"{many}{unit}"


def _share(used: Mapping[str, str], whole: Mapping[str, str], what: str) -> float | None:
    return percent(quantity(used.get(what)), quantity(whole.get(what)))


def _ready(conditions: Sequence[NodeCondition]) -> ReadyStatus:
    return next((_READY[one.status] for one in conditions if one.type == "Ready"), "Unknown")


def _roles(labels: Mapping[str, str]) -> list[str]:
    """From the labels, as kubectl has them; a node without a role is a worker."""
    found = {label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE)}
    found |= {labels[_OLD_ROLE]} if labels.get(_OLD_ROLE) else set()
    return sorted(found - {""}) or ["worker"]


def _resources(told: Mapping[str, str]) -> Resources:
    pods = told.get("pods", "")
    return Resources(told.get("cpu", ""), told.get("memory", ""), int(pods) if pods.isdigit() else 0)
