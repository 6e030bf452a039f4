"""The cluster in a few figures (US-10), and how its state is judged."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.clients.web.kubernetes.served import ALL_NODES, HEALTH, NODES, PODS, console, run
from tests.standins.kubernetes import objects
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.faults import Fault
from tests.standins.kubernetes.population import usage

from operator_clients.web.kubernetes.convert import node_of, pod_of
from operator_clients.web.kubernetes.health import Load, judge
from operator_clients.web.kubernetes.model import Node, Pod
from operator_clients.web.kubernetes.objects import NodeObject, PodObject

NOW = 1_790_000_000.0
IDLE = Load(None, None)


@pytest.mark.criterion("US-10", "/api/k8s/health: nodes ready and total, pods running, pending and failed")
@pytest.mark.criterion("US-13", "health is the bare ClusterHealth, not wrapped")
def test_health_counts_what_the_cluster_has(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            health = await there.get(HEALTH)
            counts = {key: value for key, value in health.items() if key.startswith(("nodes", "pods"))}
            assert counts == {
                "nodesReady": NODES - 2,
                "nodesTotal": NODES,
                "podsRunning": 376,
                "podsTotal": PODS,
                "podsPending": 8,
                "podsFailed": 8,
            }
            assert health["status"] == "degraded"
            assert health["reasons"] == ["node-0007, node-0011 are not ready"]
            assert (health["stale"], health["source"]) == (False, "live")
            assert datetime.fromisoformat(health["lastUpdated"]).timestamp() == pytest.approx(there.wall.now)

    run(story)


@pytest.mark.criterion("US-10", "real CPU and memory percentages, from the metrics API")
@pytest.mark.criterion("defect-5", "CPU and memory of the cluster are measured, not made of the number of pods")
def test_cpu_and_memory_of_the_cluster_are_what_the_metrics_api_says_over_what_is_allocatable(
    api: KubernetesApi, tmp_path: Path
) -> None:
    measured = [usage(number) for number in range(NODES) if number not in (7, 11)]
    cpu = sum(cores for cores, _ in measured) / (len(measured) * 7.91e9)
    memory = sum(kib for _, kib in measured) / (len(measured) * 32_086_508)

    async def story() -> None:
        async with console(api, tmp_path) as there:
            health = await there.get(HEALTH)
            assert health["cpuUsagePercent"] == pytest.approx(100 * cpu, abs=0.06)
            assert health["memoryUsagePercent"] == pytest.approx(100 * memory, abs=0.06)

    run(story)


@pytest.mark.criterion("defect-5", "without a metrics API the percentages are null, not made up")
def test_without_a_metrics_api_there_are_no_percentages_and_all_the_rest(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            health, nodes = await there.get(HEALTH), (await there.get(ALL_NODES))["nodes"]
            assert (health["cpuUsagePercent"], health["memoryUsagePercent"]) == (None, None)
            assert (health["nodesTotal"], health["podsTotal"]) == (NODES, PODS)
            assert {(one["usage"]["cpuPercent"], one["usage"]["memoryPercent"]) for one in nodes} == {(None, None)}

    for fault in (Fault("no-metrics"), Fault("forbidden", on="metrics.k8s.io"), Fault("half", on="metrics.k8s.io")):
        api.break_(fault)
        run(story)


def nodes(*ready: str, **more: Any) -> list[Node]:
    made = (objects.node(number, f"n{number}", NOW, one, **more) for number, one in enumerate(ready))
    return [node_of(msgspec.convert(one, NodeObject), None, None, 0) for one in made]


def pods(*phases: str) -> list[Pod]:
    found = []
    for number, phase in enumerate(phases):
        made = objects.Pod(number, f"p{number}", "default", "n0", phase, "", "", [objects.Container("a", "b")], 60.0)
        found.append(pod_of(msgspec.convert(objects.pod(made, NOW), PodObject), datetime.fromtimestamp(NOW, UTC)))
    return found


@pytest.mark.parametrize(
    ("ready", "phases", "load", "status"),
    [
        (["True"] * 3, ["Running"] * 10, IDLE, "healthy"),
        (["True"] * 3, ["Running"] * 19 + ["Failed"], IDLE, "healthy"),
        (["True"] * 3, ["Running"] * 8 + ["Pending", "Failed"], IDLE, "degraded"),
        (["True", "True", "False"], ["Running"], IDLE, "degraded"),
        (["True", "True", "Unknown"], ["Running"], IDLE, "degraded"),
        (["True", "False", "False"], ["Running"], IDLE, "critical"),
        ([], [], IDLE, "critical"),
        (["True"], ["Running"], Load(84.9, 84.9), "healthy"),
        (["True"], ["Running"], Load(10.0, 85.0), "degraded"),
    ],
)
def test_the_cluster_is_judged_by_one_table(
    ready: Sequence[str], phases: Sequence[str], load: Load, status: str
) -> None:
    verdict = judge(nodes(*ready), pods(*phases), load)
    assert verdict.status == status
    assert bool(verdict.reasons) == (status != "healthy")


def test_without_a_control_plane_that_is_ready_it_is_critical() -> None:
    leading = nodes("False", roles=("control-plane",))
    assert judge([*leading, *nodes("True", "True", "True")], [], IDLE).status == "critical"
