"""Answers about the cluster, from a source that is asked at most every ten seconds, however many readers there are."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypedDict

from operator_clients.web.services.cache import Cache, Reading
from operator_protocol.errors import Unavailable

from .convert import node_of
from .disks import DiskFigures
from .filtering import PodQuery, nodes_of, page_of
from .health import Load, count, judge, load, ready
from .model import (
    ClusterHealth,
    Event,
    LogTail,
    Node,
    NodeDetail,
    NodesAnswer,
    Origin,
    Pod,
    PodDetail,
    PodsAnswer,
    ReadyStatus,
)
from .objects import NodeMetrics, NodeObject
from .source import ClusterSource, NoSuchObject

FRESH_S = 10.0
STALE_S = 60.0
"""How long the last answer stands in for an API server that fails."""
PATIENCE_S = 0.9
"""How long a slow API server keeps a reader waiting for whom there is an old answer."""
_DIGITS = 3
_RUNS = ("Running", "Pending", "Unknown")


class Age(NamedTuple):
    """Of an answer that is made of several."""

    stale: bool
    seconds: float
    source: Origin
    at: datetime


class ClusterReader:
    """``clock`` is wall clock, in seconds since the epoch."""

    def __init__(self, source: ClusterSource, clock: Callable[[], float] = time.time) -> None:
        self._source = source
        self._clock = clock
        self._pods = Cache[Sequence[Pod]](
            lambda _at: source.pods(), fresh_s=FRESH_S, clock=clock, stale_s=STALE_S, patience_s=PATIENCE_S
        )
        self._nodes = Cache[Sequence[NodeObject]](
            lambda _at: source.nodes(), fresh_s=FRESH_S, clock=clock, stale_s=STALE_S, patience_s=PATIENCE_S
        )
        self._metrics = Cache[Sequence[NodeMetrics]](
            lambda _at: source.metrics(), fresh_s=FRESH_S, clock=clock, stale_s=STALE_S, patience_s=PATIENCE_S
        )
        self._disks = DiskFigures(source, time.monotonic)

    @property
    def origin(self) -> Literal["live", "mock"]:
        """Whether it tells of a cluster or is made up."""
        return self._source.origin

    async def health(self) -> ClusterHealth:
        """The whole cluster in a few figures. Raises ``Unavailable``."""
        nodes, pods, metrics = await asyncio.gather(self._nodes.get(), self._pods.get(), self._measured())
        age = self._age(nodes, pods)
        return await asyncio.to_thread(_health, nodes.value, pods.value, metrics, age)

    async def nodes(self, status: ReadyStatus | None = None, search: str | None = None) -> NodesAnswer:
        """All nodes of that status and part of a name. Raises ``Unavailable``."""
        nodes, pods, metrics = await asyncio.gather(self._nodes.get(), self._pods.get(), self._measured())
        disks = await self._disks.get([one.metadata.name for one in nodes.value])
        age = self._age(nodes, pods)

        def answer() -> NodesAnswer:
            used, runs = {one.metadata.name: one for one in metrics}, _per_node(pods.value)
            all_nodes = [
                node_of(one, used.get(name), disks.get(name), runs[name])
                for one in nodes.value
                for name in (one.metadata.name,)
            ]
            found = nodes_of(all_nodes, status, search)
            return NodesAnswer(nodes=found, total=len(found), **_dated(age))

        return await asyncio.to_thread(answer)

    async def node(self, name: str) -> NodeDetail:
        """One node with its pods and events. Raises ``Unavailable`` and ``NoSuchObject``."""
        nodes, pods, metrics = await asyncio.gather(self._nodes.get(), self._pods.get(), self._measured())
        found = next((one for one in nodes.value if one.metadata.name == name), None)
        if found is None:
            raise NoSuchObject(f"there is no node {name!r}", "it may have been removed: see /api/k8s/nodes")
        disk, (events, problem) = await asyncio.gather(self._disks.one(name), self._events("Node", name, None, ""))
        used = next((one for one in metrics if one.metadata.name == name), None)
        there = [pod for pod in pods.value if pod.node_name == name]
        return NodeDetail(
            node=node_of(found, used, disk, _per_node(there)[name]),
            labels=found.metadata.labels or {},
            pods=there,
            events=events,
            events_problem=problem,
            **_dated(self._age(nodes, pods)),
        )

    async def pods(self, query: PodQuery) -> PodsAnswer:
        """A page of the table. Raises ``Unavailable``."""
        pods = await self._pods.get()

        def answer() -> PodsAnswer:
            page = page_of(pods.value, query)
            return PodsAnswer(
                pods=page.pods,
                total=page.total,
                limit=query.limit,
                offset=query.offset,
                namespaces=sorted({pod.namespace for pod in pods.value}),
                nodes=sorted({pod.node_name for pod in pods.value if pod.node_name}),
                **_dated(self._age(pods)),
            )

        # Sorting tens of thousands takes long enough for a stream to falter.
        return await asyncio.to_thread(answer)

    async def pod(self, namespace: str, name: str, container: str | None, lines: int) -> PodDetail:
        """One pod with its events and last lines. Raises ``Unavailable`` and ``NoSuchObject``.

        From the last list, without events and lines, while the API server fails.
        """
        try:
            found = await self._source.pod(namespace, name)
        except Unavailable as error:
            return await self._kept_pod(namespace, name, error)
        chosen = _chosen(found.pod, container, [one.name for one in found.init_containers])
        (events, problem), log = await asyncio.gather(
            self._events("Pod", name, namespace, found.uid), self._tail(namespace, name, chosen, lines)
        )
        return PodDetail(
            pod=found.pod,
            init_containers=found.init_containers,
            events=events,
            events_problem=problem,
            log=log,
            stale=False,
            age_seconds=0.0,
            source=self.origin,
        )

    async def log(self, namespace: str, name: str, container: str | None, lines: int) -> LogTail:
        """The last lines of a container. Raises ``Unavailable`` and ``NoSuchObject``."""
        found = await self._source.pod(namespace, name)
        chosen = _chosen(found.pod, container, [one.name for one in found.init_containers])
        return await self._source.log(namespace, name, chosen, lines)

    async def close(self) -> None:
        """Give up what is under way, and close the source."""
        for one in (self._pods, self._nodes, self._metrics, self._disks):
            await one.close()
        await self._source.close()

    async def _measured(self) -> Sequence[NodeMetrics]:
        try:
            return (await self._metrics.get()).value
        except (Unavailable, TimeoutError):
            # Figures of use are missing then, as they are without a metrics API. Nodes and pods are not.
            return ()

    async def _events(
        self, kind: Literal["Pod", "Node"], name: str, namespace: str | None, uid: str
    ) -> tuple[Sequence[Event] | None, str | None]:
        try:
            return await self._source.events(kind, name, namespace, uid), None
        except (Unavailable, NoSuchObject) as error:
            return None, error.message

    async def _tail(self, namespace: str, name: str, container: str, lines: int) -> LogTail:
        if not lines:
            return LogTail(container, (), False, None)
        try:
            return await self._source.log(namespace, name, container, lines)
        except Unavailable as error:
            return LogTail(container, (), False, error.message)

    async def _kept_pod(self, namespace: str, name: str, why: Unavailable) -> PodDetail:
        try:
            pods = await self._pods.get()
        except TimeoutError:
            raise why from None
        pod = next((one for one in pods.value if (one.namespace, one.name) == (namespace, name)), None)
        if pod is None:
            raise why
        log = LogTail("", (), False, why.message)
        age = self._age(pods)._replace(stale=True)
        return PodDetail(pod=pod, init_containers=(), events=None, events_problem=why.message, log=log, **_dated(age))

    def _age(self, *readings: "Reading[Sequence[Pod]] | Reading[Sequence[NodeObject]]") -> Age:
        """As old as its oldest part, and live only if all of it is."""
        live: Origin = "live" if all(one.source == "live" for one in readings) else "cache"
        return Age(
            stale=any(one.stale for one in readings),
            seconds=round(max(one.age_s for one in readings), _DIGITS),
            source="mock" if self.origin == "mock" else live,
            at=datetime.fromtimestamp(min(one.at for one in readings), UTC),
        )


def _health(
    objects: Sequence[NodeObject], pods: Sequence[Pod], metrics: Sequence[NodeMetrics], age: Age
) -> ClusterHealth:
    nodes: list[Node] = [node_of(one, None, None, 0) for one in objects]
    used: Load = load(nodes, metrics)
    verdict = judge(nodes, pods, used)
    return ClusterHealth(
        status=verdict.status,
        nodes_ready=ready(nodes),
        nodes_total=len(nodes),
        pods_running=count(pods, "Running"),
        pods_total=len(pods),
        pods_pending=count(pods, "Pending"),
        pods_failed=count(pods, "Failed"),
        cpu_usage_percent=used.cpu_percent,
        memory_usage_percent=used.memory_percent,
        last_updated=age.at,
        reasons=verdict.reasons,
        **_dated(age),
    )


class _Dated(TypedDict):
    stale: bool
    age_seconds: float
    source: Origin


def _dated(age: Age) -> _Dated:
    return {"stale": age.stale, "age_seconds": age.seconds, "source": age.source}


def _per_node(pods: Sequence[Pod]) -> Counter[str]:
    """Pods that take up one of the node's places: those that have ended do not."""
    return Counter(pod.node_name for pod in pods if pod.node_name and pod.status in _RUNS)


def _chosen(pod: Pod, container: str | None, init_containers: Sequence[str]) -> str:
    names = [one.name for one in pod.containers]
    if container is None:
        return names[0] if names else ""
    if container not in (*names, *init_containers):
        raise NoSuchObject(
            f"pod {pod.name!r} has no container {container!r}", f"there are {', '.join((*names, *init_containers))}"
        )
    return container
