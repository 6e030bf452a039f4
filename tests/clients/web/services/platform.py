"""Twenty minutes in the life of the five services, as the exporters of a Kubernetes cluster tell of them.

- hitl-ui: two pods, never restarted, CPU at 25 %, memory at 75 %; HTTP.
- orchestrator: no CPU limit, so none of its percentages; a sidecar without limits; nobody asks it anything.
- workers: CPU at 10 % until the last three minutes, then at 95 %; for five minutes nobody scraped its memory.
- redis: its container was restarted an hour ago.
- elasticsearch: its only pod is pending.
"""

import time
from collections.abc import Callable, Mapping

from tests.standins.metrics import Series

SCRAPE_S = 15
LENGTH_S = 20 * 60
MIB = float(1 << 20)
RESTARTED_BEFORE_S = 3600.0
SPIKE_S = 180.0
UNSCRAPED_S = (600.0, 300.0)
"""Of the workers' memory: from so long to so long before the end."""

END = time.time() // 60 * 60 - 90
"""Half a minute past a whole one, and long enough ago for VictoriaMetrics to have settled on it."""

Rate = Callable[[float], float]
"""A rate by the seconds that are left to the end."""

_BUCKET = "asdlc_http_request_duration_seconds_bucket"
_MEMORY = "container_memory_working_set_bytes"


def platform(end: float = END) -> list[Series]:
    """All their series until ``end``."""
    told = _Exporters(end)
    return [
        *_hitl_ui(told),
        *_orchestrator(told),
        *_workers(told),
        *_redis(told),
        *told.phases("elasticsearch-0", "Pending"),
    ]


def _hitl_ui(told: "_Exporters") -> list[Series]:
    return [*_hitl_ui_pod(told, "hitl-ui-7d4b9-abcde", 4.0), *_hitl_ui_pod(told, "hitl-ui-7d4b9-fghij", 6.0)]


def _hitl_ui_pod(told: "_Exporters", pod: str, requests: float) -> list[Series]:
    found = told.pod(pod, cpu=lambda _: 0.5, memory=300 * MIB, limits={"cpu": 2.0, "memory": 400 * MIB})
    labels = {"app": "hitl-ui", "pod": pod}
    found.append(told.counter("asdlc_http_requests_total", labels, lambda _: requests))
    # All of them take between 100 and 200 ms.
    found.append(told.counter(_BUCKET, {**labels, "le": "0.1"}, lambda _: 0.0))
    return found + [told.counter(_BUCKET, {**labels, "le": le}, lambda _: requests) for le in ("0.2", "+Inf")]


def _orchestrator(told: "_Exporters") -> list[Series]:
    pod = "orchestrator-0"
    found = told.pod(pod, cpu=lambda _: 0.7, memory=100 * MIB, limits={"memory": 200 * MIB})
    found += told.usage(pod, "sidecar", cpu=lambda _: 3.0, memory=900 * MIB)
    return found + [told.counter(_BUCKET, {"app": "orchestrator", "le": le}, lambda _: 0.0) for le in ("0.1", "+Inf")]


def _workers(told: "_Exporters") -> list[Series]:
    spiking = told.pod(
        "workers-5f6-xyz12",
        cpu=lambda before_s: 0.95 if before_s < SPIKE_S else 0.10,
        memory=256 * MIB,
        limits={"cpu": 1.0, "memory": 512 * MIB},
    )
    first, last = UNSCRAPED_S
    return [
        Series(
            one.name, one.labels, {at: value for at, value in one.values.items() if not last < told.end - at < first}
        )
        if one.name == _MEMORY
        else one
        for one in spiking
    ]


def _redis(told: "_Exporters") -> list[Series]:
    limits = {"cpu": 1.0, "memory": 128 * MIB}
    return told.pod("redis-0", cpu=lambda _: 0.1, memory=64 * MIB, limits=limits, restarts=3)


class _Exporters:
    """cAdvisor, kube-state-metrics and the services' own, until ``end``."""

    def __init__(self, end: float) -> None:
        self.end = end
        self._times = [end - LENGTH_S + SCRAPE_S * place for place in range(LENGTH_S // SCRAPE_S + 1)]

    def pod(
        self, pod: str, *, cpu: Rate, memory: float, limits: Mapping[str, float], restarts: int = 0
    ) -> list[Series]:
        labels = {"namespace": "platform", "pod": pod, "container": "main"}
        started = self.end - (RESTARTED_BEFORE_S if restarts else 86400.0)
        found = self.usage(pod, "main", cpu=cpu, memory=memory)
        # The kubelet tells of the whole pod as well, without a container.
        found += self.usage(pod, "", cpu=lambda _: 50.0, memory=9e9)
        found += self.phases(pod, "Running")
        found.append(self.gauge("kube_pod_container_status_restarts_total", labels, float(restarts)))
        found.append(self.gauge("kube_pod_container_state_started", labels, started))
        found += [
            self.gauge("kube_pod_container_resource_limits", {**labels, "resource": resource, "node": "n1"}, limit)
            for resource, limit in limits.items()
        ]
        return found

    def usage(self, pod: str, container: str, *, cpu: Rate, memory: float) -> list[Series]:
        labels = {"namespace": "platform", "pod": pod, "container": container}
        return [
            self.counter("container_cpu_usage_seconds_total", {**labels, "cpu": "total"}, cpu),
            self.gauge(_MEMORY, labels, memory),
        ]

    def phases(self, pod: str, phase: str) -> list[Series]:
        labels = {"namespace": "platform", "pod": pod}
        return [
            self.gauge("kube_pod_status_phase", {**labels, "phase": one}, float(one == phase))
            for one in ("Pending", "Running", "Succeeded", "Failed")
        ]

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> Series:
        return Series(name, labels, dict.fromkeys(self._times, value))

    def counter(self, name: str, labels: Mapping[str, str], rate: Rate) -> Series:
        total, values = 1000.0, {}
        for at in self._times:
            total += SCRAPE_S * rate(self.end - at)
            values[at] = total
        return Series(name, labels, values)
