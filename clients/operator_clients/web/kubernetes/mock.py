"""A made-up cluster for working on the page without one: ``--mock-k8s``, and only that.

Every answer that has it says so. It is small, has something of each kind to show, and its restarts and load move with
the time, so that two readers see the same.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from .convert import pod_of
from .model import Event, LogTail, Pod
from .objects import NodeMetrics, NodeObject, PodObject
from .source import NoSuchObject, PodParts

_NODES = ("mock-control-1", "mock-worker-1", "mock-worker-2", "mock-worker-3", "mock-worker-4")
_BAD_NODE = "mock-worker-4"
_APPS = {"mock-shop": ("cart", "catalogue", "checkout"), "mock-data": ("cache", "search"), "kube-system": ("proxy",)}
_COPIES = 7
_PERIOD_S = 600.0


class MockCluster:
    """A ``ClusterSource`` that asks nobody. ``clock`` is wall clock, in seconds since the epoch."""

    origin: Literal["mock"] = "mock"

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def pods(self) -> Sequence[Pod]:
        """A few dozen."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        found = []
        for namespace, apps in _APPS.items():
            for app in apps:
                for copy in range(_COPIES):
                    made = _pod(namespace, app, copy, now)
                    found.append(pod_of(msgspec.convert(made, PodObject), now))
        return found

    async def nodes(self) -> Sequence[NodeObject]:
        """Five, one of which is not ready."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return [msgspec.convert(_node(name, now), NodeObject) for name in _NODES]

    async def metrics(self) -> Sequence[NodeMetrics]:
        """Of the nodes that are ready."""
        now = self._clock()
        return [
            msgspec.convert(
                {
                    "metadata": {"name": name},
                    "usage": {
                        "cpu": f"{int(1500 + 1000 * _wave(name, now))}m",
                        "memory": f"{int(7000 + 3000 * _wave(name + 'm', now))}Mi",
                    },
                },
                NodeMetrics,
            )
            for name in _NODES
            if name != _BAD_NODE
        ]

    async def disk_percent(self, node: str) -> float | None:
        """Made up as well."""
        return None if node == _BAD_NODE else 30.0 + zlib.crc32(node.encode()) % 50

    async def pod(self, namespace: str, name: str) -> PodParts:
        """One of those there are."""
        for pod in await self.pods():
            if (pod.namespace, pod.name) == (namespace, name):
                return PodParts(pod, (), f"{namespace}/{name}")
        raise NoSuchObject(f'pods "{name}" not found')

    async def events(self, kind: Literal["Pod", "Node"], name: str, namespace: str | None, uid: str) -> Sequence[Event]:
        """One that says what it is."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return [Event("Normal", "MadeUp", f"{kind} {name} is made up", 1, now - timedelta(hours=1), now, "mock")]

    async def log(self, namespace: str, name: str, container: str, lines: int) -> LogTail:
        """Lines that nobody printed."""
        printed = tuple(f"line {number} of {namespace}/{name}: made up" for number in range(1, 251))
        return LogTail(container, printed[-lines:], False, None)

    async def close(self) -> None:
        """There is nothing to give back."""


def _pod(namespace: str, app: str, copy: int, now: datetime) -> dict[str, Any]:
    owner = f"{app}-{zlib.crc32(app.encode()) % 0xFFFFF:05x}"
    name = f"{owner}-{zlib.crc32(f'{app}{copy}'.encode()) % 0xFFFFF:05x}"
    node = _NODES[1 + zlib.crc32(name.encode()) % 4]
    born = now - timedelta(hours=3 + 17 * copy)
    status: dict[str, Any] = {"phase": "Running", "podIP": f"10.1.{copy}.{zlib.crc32(name.encode()) % 250}"}
    container: dict[str, Any] = {"name": app, "ready": True, "restartCount": copy % 3, "state": {"running": {}}}
    match app, copy:
        case "checkout", 2:
            waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
            ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
            container |= {"ready": False, "restartCount": 23, "state": waiting, "lastState": ended}
        case "search", 3:
            node, status = "", {"phase": "Pending"}
            container |= {"ready": False, "restartCount": 0, "state": {"waiting": {"reason": "Unschedulable"}}}
        case "catalogue", 4:
            status = {"phase": "Failed", "reason": "Evicted"}
            container |= {"ready": False, "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": born,
            "labels": {"app": app},
            "ownerReferences": [{"kind": "ReplicaSet", "name": owner, "controller": True}],
        },
        "spec": {"nodeName": node, "containers": [{"name": app, "image": f"mock.invalid/{app}:1.0"}]},
        "status": {**status, "containerStatuses": [container]},
    }


def _node(name: str, now: datetime) -> dict[str, Any]:
    ready = "False" if name == _BAD_NODE else "True"
    whole = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    since = now - timedelta(minutes=30)
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": now - timedelta(days=40),
            "labels": {"node-role.kubernetes.io/control-plane": ""} if "control" in name else {},
        },
        "status": {
            "capacity": whole,
            "allocatable": whole,
            "conditions": [
                {
                    "type": "Ready",
                    "status": ready,
                    "reason": "MadeUp",
                    "message": "nobody measured this",
                    "lastTransitionTime": since,
                }
            ],
            "nodeInfo": {
                "kubeletVersion": "v0.0.0-mock",
                "osImage": "made up",
                "containerRuntimeVersion": "mock://0",
            },
        },
    }


def _wave(name: str, now: float) -> float:
    """From -1 to 1, each name at its own phase."""
    phase = (zlib.crc32(name.encode()) % 1000) / 1000
    return math.sin(2 * math.pi * (now / _PERIOD_S + phase))
