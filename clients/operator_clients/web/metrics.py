"""``/metrics`` for Prometheus: what the daemons report, and what the gateway does.

Names follow Prometheus' own advice: base units, ``_total`` for what only grows. ``docs/console.md`` lists them.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client import generate_latest as in_text_format
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from operator_clients.web.daemons import Daemon, Daemons
from operator_protocol.models import WorkloadSample

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
_STREAM = "/api/stream"
_NODE_STATES = ("up", "degraded", "down", "unknown")
_TICKET_STATES = ("open", "diagnosing", "diagnosed", "acting", "escalated", "held")
_SEVERITIES = ("info", "warning", "critical")
_QUANTILES = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99"}


class Figures:
    """All that ``/metrics`` tells, in a registry of its own."""

    def __init__(self, daemons: Daemons) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "operator_web_requests", "HTTP requests.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "operator_web_request_seconds",
            "Time to answer, without streams.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_DaemonFigures(daemons))
        ProcessCollector(namespace="operator_web", registry=self.registry)

    def requested(self, scope: Mapping[str, Any], status: int, took_s: float) -> None:
        """One request was answered."""
        # The pattern of the route and not the address: a stranger must not be able to make up series.
        route = str(getattr(scope.get("route"), "path", "")) or "other"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        self._requests.labels(route, method, str(status)).inc()
        if route != _STREAM:
            self._seconds.labels(route).observe(took_s)


def metrics_router(figures: Figures) -> APIRouter:
    """``/metrics``."""
    router = APIRouter(tags=["operation"])

    @router.get("/metrics", response_class=Response, responses=_TEXT)
    async def metrics() -> Response:
        """The figures of the gateway and of the daemons that it follows, for Prometheus."""
        return Response(in_text_format(figures.registry), media_type=CONTENT_TYPE_LATEST)

    return router


_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class _Table:
    """Families of one scrape, made as they are first given a value."""

    def __init__(self) -> None:
        self._families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}

    def gauge(self, name: str, about: str, labels: Mapping[str, str], value: float | None) -> None:
        """A figure that goes up and down; None is one that is not there."""
        if value is not None and not math.isnan(value):
            self._family(GaugeMetricFamily, name, about, labels).add_metric(tuple(labels.values()), value)

    def counter(self, name: str, about: str, labels: Mapping[str, str], value: float) -> None:
        """A figure that only grows."""
        self._family(CounterMetricFamily, name, about, labels).add_metric(tuple(labels.values()), value)

    def families(self) -> Iterator[Metric]:
        """All of them."""
        yield from self._families.values()

    def _family(
        self,
        kind: type[GaugeMetricFamily] | type[CounterMetricFamily],
        name: str,
        about: str,
        labels: Mapping[str, str],
    ) -> GaugeMetricFamily | CounterMetricFamily:
        if name not in self._families:
            self._families[name] = kind(name, about, labels=tuple(labels))
        return self._families[name]


class _DaemonFigures(Collector):
    """Read from the mirrors when a scrape asks: nothing is counted twice."""

    def __init__(self, daemons: Daemons) -> None:
        self._daemons = daemons

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: a registry would otherwise collect to find out."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One scrape."""
        table = _Table()
        for daemon in self._daemons:
            own = {"daemon": daemon.name}
            _link(table, daemon, own)
            _streams(table, daemon, own)
            if daemon.boot_id:
                _cluster(table, daemon, own)
                _processes(table, daemon, own)
                _load(table, daemon, own)
                _work(table, daemon, own)
        yield from table.families()


def _link(table: _Table, daemon: Daemon, own: dict[str, str]) -> None:
    live = daemon.connection == "live"
    table.gauge("operator_daemon_up", "Whether the daemon answers.", own, float(live))
    if math.isfinite(daemon.age_s):
        table.gauge("operator_daemon_last_frame_age_seconds", "Since its last frame.", own, daemon.age_s)
    if not daemon.boot_id:
        return
    version = daemon.state.version
    told = {**own, "version": version.get("operatord", ""), "subject": version.get("subject", "")}
    table.gauge("operator_daemon_info", "What it is; always 1.", told, 1)
    table.gauge("operator_daemon_uptime_seconds", "Since its start.", own, daemon.uptime_s)
    table.gauge("operator_daemon_subscribers", "Clients that follow it.", own, daemon.subscribers)
    table.counter("operator_daemon_frames", "Frames that arrived here.", own, daemon.frames)
    table.counter("operator_daemon_resyncs", "New snapshots after a gap or a restart.", own, daemon.resyncs)
    for what, count in daemon.dropped.items():
        told = {**own, "reason": what}
        table.counter("operator_daemon_dropped", "What its bus dropped or refused.", told, count)


def _streams(table: _Table, daemon: Daemon, own: dict[str, str]) -> None:
    counters = daemon.stream.counters
    table.gauge("operator_web_streams", "Pages that are open.", own, daemon.stream.tabs)
    table.counter("operator_web_streams_opened", "Pages that were opened or came back.", own, counters.opened)
    table.counter("operator_web_stream_snapshots", "Snapshots that were sent.", own, counters.snapshots)
    table.counter("operator_web_stream_replays", "Pages that went on where they were.", own, counters.replays)
    table.counter("operator_web_stream_overruns", "Pages that read too slowly.", own, counters.overrun)


def _cluster(table: _Table, daemon: Daemon, own: dict[str, str]) -> None:
    cluster = daemon.state.cluster
    if cluster is not None and cluster.ok is not None:
        table.gauge("operator_cluster_healthy", "Whether it is; absent if unknown.", own, float(cluster.ok))
    for node in daemon.state.nodes.values():
        told = {**own, "node": node.id, "role": node.role, "group": node.group}
        up = None if node.state == "unknown" else float(node.state in ("up", "degraded"))
        table.gauge("operator_node_up", "Whether the node serves; absent if unknown.", told, up)
        table.gauge("operator_node_leader", "Whether it leads its group.", told, float(node.leader))
    states: list[str] = [node.state for node in daemon.state.nodes.values()]
    for state in _NODE_STATES:
        table.gauge("operator_nodes", "Nodes by state.", {**own, "state": state}, states.count(state))


def _processes(table: _Table, daemon: Daemon, own: dict[str, str]) -> None:
    for process in daemon.state.processes.values():
        told = {**own, "process": process.name, "kind": process.kind}
        ready = float(process.state == "ready")
        table.gauge("operator_process_up", "Whether it runs and is ready.", told, ready)
        table.counter("operator_process_restarts", "Since the daemon started.", told, process.restarts)
        if process.pid is None:
            continue
        cpu = None if process.cpu_percent is None else process.cpu_percent / 100
        table.gauge("operator_process_cpu_cores", "Cores in use, over the last second.", told, cpu)
        table.gauge("operator_process_resident_memory_bytes", "Resident memory.", told, process.rss)
        table.gauge("operator_process_open_fds", "Open file descriptors.", told, process.descriptors)
        table.gauge("operator_process_threads", "Threads.", told, process.threads)
        if process.since_at:
            about = "Since when it is in its state, seconds since the epoch."
            table.gauge("operator_process_state_since_seconds", about, told, process.since_at)


def _load(table: _Table, daemon: Daemon, own: dict[str, str]) -> None:
    sample = daemon.state.workload[-1] if daemon.state.workload else None
    if sample is None or not _is_recent(sample):
        return
    prefix = "operator_workload"
    table.gauge(f"{prefix}_operations_per_second", "Successful ones.", own, sample.ops_per_sec)
    table.gauge(f"{prefix}_errors_per_second", "Failed ones.", own, sample.errors_per_sec)
    table.gauge(f"{prefix}_baseline_operations_per_second", "Mean after warm-up.", own, sample.baseline)
    table.gauge(f"{prefix}_threshold_operations_per_second", "Degraded below.", own, sample.threshold)
    table.gauge(f"{prefix}_degraded", "Whether it is below the threshold.", own, float(sample.degraded))
    table.counter(f"{prefix}_operations", "Successful ones since the load began.", own, sample.operations)
    table.counter(f"{prefix}_errors", "Failed ones since the load began.", own, sample.errors)
    for operation, latency in sample.latency.items():
        for field, quantile in _QUANTILES.items():
            told = {**own, "operation": operation, "quantile": quantile}
            value: float | None = getattr(latency, field)
            seconds = None if value is None else value / 1_000
            table.gauge(f"{prefix}_latency_seconds", "Of the last sample.", told, seconds)


def _is_recent(sample: WorkloadSample) -> bool:
    """A load that was stopped has no figures; its last ones would stand there for ever."""
    return not sample.sampled_at or time.time() - sample.sampled_at < 15


def _work(table: _Table, daemon: Daemon, own: dict[str, str]) -> None:
    state = daemon.state
    severities: list[str] = [violation.severity for violation in state.violations.values()]
    for severity in _SEVERITIES:
        told = {**own, "severity": severity}
        table.gauge("operator_violations", "Invariants that do not hold.", told, severities.count(severity))
    statuses: list[str] = [ticket.status for ticket in state.tickets.values()]
    for status in _TICKET_STATES:
        table.gauge("operator_tickets", "Unresolved tickets.", {**own, "status": status}, statuses.count(status))
    owed = sum(fault.owed for fault in state.faults.values())
    table.gauge("operator_faults_owed", "Faults that are to be undone.", own, owed)
    waiting = sum(action.status == "proposed" for action in state.actions.values())
    table.gauge("operator_actions_proposed", "Actions that wait for a decision.", own, waiting)
    if state.demo is not None:
        table.gauge("operator_demo_chapter", "Where the story is, from 0.", own, state.demo.index)
