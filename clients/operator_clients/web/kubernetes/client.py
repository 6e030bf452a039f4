"""A cluster as its API server tells it, asked in threads of our own: the official client blocks."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from .connection import DEADLINE_S, Connection, Deadline, Expired, decoded
from .convert import containers_of, event_of, percent, pod_of
from .model import Event, LogTail, Pod
from .objects import (
    EventList,
    NodeList,
    NodeMetrics,
    NodeMetricsList,
    NodeObject,
    PodList,
    PodObject,
    Summary,
)
from .source import NoSuchObject, PodParts, Refused, Unreachable
from .threads import LooseThreads

T = TypeVar("T")

PAGE = 500
"""Objects in one answer, as kubectl has it. More would hold the interpreter too long in one piece when it is read."""
THREADS = 8
MAX_EVENTS = 100
LOG_BYTES = 1 << 20
_GRACE_S = 1.0
_PODS = msgspec.json.Decoder(PodList)
_POD = msgspec.json.Decoder(PodObject)
_NODES = msgspec.json.Decoder(NodeList)
_EVENTS = msgspec.json.Decoder(EventList)
_METRICS = msgspec.json.Decoder(NodeMetricsList)
_SUMMARY = msgspec.json.Decoder(Summary)


class KubernetesClient:
    """A ``ClusterSource``. ``clock`` is wall clock, in seconds since the epoch."""

    origin: Literal["live"] = "live"

    def __init__(self, kubeconfig: Path | None, context: str | None, clock: Callable[[], float]) -> None:
        self._line = Connection(kubeconfig, context, THREADS)
        self._clock = clock
        self._threads = LooseThreads(THREADS, "kubernetes")

    async def pods(self) -> Sequence[Pod]:
        """In pages, each of which is read and converted before the next one is asked for."""
        return await self._in_thread(self._pods)

    async def nodes(self) -> Sequence[NodeObject]:
        """In pages."""
        return await self._in_thread(self._nodes)

    async def metrics(self) -> Sequence[NodeMetrics]:
        """Nothing where there is no metrics API, or no right to ask it."""
        try:
            return await self._in_thread(self._metrics)
        except (NoSuchObject, Refused):
            return ()

    async def disk_percent(self, node: str) -> float | None:
        """Through the API server, from the kubelet's stats."""
        try:
            return await self._in_thread(self._disk_percent, node)
        except (NoSuchObject, Unreachable):
            return None

    async def pod(self, namespace: str, name: str) -> PodParts:
        """One question."""
        return await self._in_thread(self._pod, namespace, name)

    async def events(self, kind: Literal["Pod", "Node"], name: str, namespace: str | None, uid: str) -> Sequence[Event]:
        """At most ``MAX_EVENTS``."""
        return await self._in_thread(self._events, kind, name, namespace, uid)

    async def log(self, namespace: str, name: str, container: str, lines: int) -> LogTail:
        """What the container has printed, or why it has printed nothing."""
        return await self._in_thread(self._log, namespace, name, container, lines)

    async def close(self) -> None:
        """What is under way in a thread ends by itself, or with the process."""
        self._threads.close()
        self._line.close()

    async def _in_thread(self, ask: Callable[..., T], *args: Any) -> T:
        try:
            # The thread has deadlines of its own; this one is for what has none, like a login command.
            async with asyncio.timeout(DEADLINE_S + _GRACE_S):
                return await self._threads.run(ask, *args)
        except TimeoutError as error:
            raise Unreachable("the Kubernetes API server does not answer in time") from error

    # in threads

    def _pods(self) -> list[Pod]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        api = self._line.core()
        found: list[Pod] = []

        def take(data: bytes) -> str:
            page = decoded(data, _PODS, "PodList")
            found.extend(pod_of(one, now) for one in page.items or ())
            return page.metadata.continue_

        self._all_pages(api.list_pod_for_all_namespaces, take, found.clear)
        return found

    def _nodes(self) -> list[NodeObject]:
        api = self._line.core()
        found: list[NodeObject] = []

        def take(data: bytes) -> str:
            page = decoded(data, _NODES, "NodeList")
            found.extend(page.items or ())
            return page.metadata.continue_

        self._all_pages(api.list_node, take, found.clear)
        return found

    def _all_pages(self, ask: Callable[..., Any], take: Callable[[bytes], str], drop: Callable[[], None]) -> None:
        """``take`` each page; it returns what the next one is asked with. Once, when told so, anew from the start."""
        deadline = Deadline()
        for again in (True, False):
            position = ""
            try:
                while True:
                    options = {"limit": PAGE, **({"_continue": position} if position else {})}
                    position = take(self._line.read(ask, options=options, deadline=deadline))
                    if not position:
                        return
            except Expired:
                if not again:
                    raise
                drop()
            except NoSuchObject as error:
                raise Unreachable(f"what answers is not a Kubernetes API server: {error.message}") from error

    def _metrics(self) -> list[NodeMetrics]:
        data = self._line.read(self._line.custom().list_cluster_custom_object, "metrics.k8s.io", "v1beta1", "nodes")
        return decoded(data, _METRICS, "NodeMetricsList").items or []

    def _disk_percent(self, node: str) -> float | None:
        ask = self._line.core().connect_get_node_proxy_with_path
        disk = decoded(self._line.read(ask, node, "stats/summary"), _SUMMARY).node.fs
        if disk is None or disk.available_bytes is None or not disk.capacity_bytes:
            return None
        # Of what is there and not available: room that is reserved for root is of no use to pods.
        return percent(disk.capacity_bytes - disk.available_bytes, disk.capacity_bytes)

    def _pod(self, namespace: str, name: str) -> PodParts:
        found = decoded(self._line.read(self._line.core().read_namespaced_pod, name, namespace), _POD)
        first = containers_of(found.spec.init_containers, found.status.init_container_statuses, found)
        return PodParts(pod_of(found, datetime.fromtimestamp(self._clock(), UTC)), first, found.metadata.uid)

    def _events(self, kind: str, name: str, namespace: str | None, uid: str) -> list[Event]:
        api = self._line.core()
        # A node's events name the node, not its uid, in some versions.
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        selector += f",involvedObject.uid={uid}" if namespace and uid else ""
        options = {"field_selector": selector, "limit": PAGE}
        ask, where = (api.list_namespaced_event, (namespace,)) if namespace else (api.list_event_for_all_namespaces, ())
        page = decoded(self._line.read(ask, *where, options=options), _EVENTS, "EventList")
        found = [event_of(one) for one in page.items or ()]
        found.sort(key=lambda one: one.last_seen.timestamp() if one.last_seen else 0.0, reverse=True)
        return found[:MAX_EVENTS]

    def _log(self, namespace: str, name: str, container: str, lines: int) -> LogTail:
        ask = self._line.core().read_namespaced_pod_log
        options = {"container": container, "tail_lines": lines}
        try:
            data = self._line.read(ask, name, namespace, options=options, tail_bytes=LOG_BYTES + 1)
        except NoSuchObject as error:
            return LogTail(container, (), False, error.message)
        return log_tail(container, data)


def log_tail(container: str, data: bytes) -> LogTail:
    """The last ``LOG_BYTES`` of it in whole lines. ``limitBytes`` of the API would keep the oldest instead."""
    truncated = len(data) > LOG_BYTES
    if truncated:
        data = data[-LOG_BYTES:].partition(b"\n")[2]
    return LogTail(container, data.decode(errors="replace").splitlines(), truncated, None)
