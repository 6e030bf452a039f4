"""The nodes and one of them (US-11)."""

import asyncio
from pathlib import Path

import pytest
from tests.clients.web.kubernetes.served import ALL_NODES, NODES, Console, console, run
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.faults import Fault
from tests.standins.kubernetes.population import disk_share, usage

KEYS = {
    "name",
    "status",
    "roles",
    "version",
    "os",
    "containerRuntime",
    "capacity",
    "allocatable",
    "usage",
    "conditions",
    "createdAt",
    "schedulable",
}


async def with_disks(there: Console) -> dict[str, float | None]:
    """Disk of each node, once the background has read them."""
    while True:
        found = await there.get(ALL_NODES)
        disks = {one["name"]: one["usage"]["diskPercent"] for one in found["nodes"]}
        if sum(disk is not None for disk in disks.values()) >= NODES - 2:
            return disks
        await asyncio.sleep(0.05)


@pytest.mark.criterion("US-11", "names, status and roles of the real nodes")
def test_a_node_is_told_with_the_fields_of_the_contract(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            answer = await there.get(ALL_NODES)
            assert (answer["total"], len(answer["nodes"])) == (NODES, NODES)
            first, last = answer["nodes"][0], answer["nodes"][-1]
            assert set(first) == KEYS
            assert (first["name"], first["status"]) == ("node-0000", "Ready")
            assert (first["roles"], last["roles"]) == (["control-plane"], ["worker"])
            assert (answer["nodes"][7]["name"], answer["nodes"][7]["status"]) == ("node-0007", "NotReady")
            assert (first["version"], first["os"]) == ("v1.34.4", "Debian GNU/Linux 12 (bookworm)")
            assert first["containerRuntime"] == "containerd://1.7.24"
            assert first["capacity"] == {"cpu": "8", "memory": "32858508Ki", "pods": 110}
            assert first["allocatable"] == {"cpu": "7910m", "memory": "32086508Ki", "pods": 110}
            assert set(first["conditions"][0]) == {"type", "status", "reason", "message", "lastTransition"}
            assert first["createdAt"].endswith("Z")

    run(story)


@pytest.mark.criterion("US-11", "CPU, memory and pods of each node")
@pytest.mark.criterion("defect-5", "CPU and memory of a node are measured, not a constant")
def test_what_a_node_uses_is_measured_and_null_where_nobody_measured_it(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            found = {one["name"]: one["usage"] for one in (await there.get(ALL_NODES))["nodes"]}
            for number in (0, 5, 12):
                cores, kib = usage(number)
                used = found[f"node-{number:04}"]
                assert used["cpuPercent"] == pytest.approx(100 * cores / 7.91e9, abs=0.06)
                assert used["memoryPercent"] == pytest.approx(100 * kib / 32_086_508, abs=0.06)
            assert (found["node-0007"]["cpuPercent"], found["node-0011"]["memoryPercent"]) == (None, None)
            # 20 pods each by number; node 13 has those that ended, too, which take up no place.
            assert found["node-0005"]["podsCount"] == 20
            assert found["node-0013"]["podsCount"] == 12

    run(story)


@pytest.mark.criterion("US-11", "disk of each node, from its stats summary")
def test_the_disk_of_a_node_is_what_its_kubelet_says(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            disks = await with_disks(there)
            assert disks["node-0003"] == pytest.approx(100 * disk_share(3), abs=0.06)
            assert disks["node-0019"] == pytest.approx(100 * disk_share(19), abs=0.06)
            assert (disks["node-0007"], disks["node-0011"]) == (None, None)
            # Read once, though the list was asked for again and again.
            assert there.asked("/api/v1/nodes/node-0003/proxy/stats/summary") == 1

    run(story)


def test_without_the_right_to_ask_kubelets_there_is_no_disk_and_nothing_else_is_missing(
    api: KubernetesApi, tmp_path: Path
) -> None:
    api.break_(Fault("forbidden", on="/proxy/"))

    async def story() -> None:
        async with console(api, tmp_path) as there:
            found = await there.get(ALL_NODES)
            assert {one["usage"]["diskPercent"] for one in found["nodes"]} == {None}
            assert found["nodes"][0]["usage"]["cpuPercent"] is not None
            # A refusal holds for all: the others are not asked.
            assert there.asked("/api/v1/nodes/node-") < NODES

    run(story)


@pytest.mark.criterion("US-11", "filter by status")
def test_nodes_are_filtered_by_status_and_by_a_part_of_their_name(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            for asked, names in [
                ({"status": "NotReady"}, ["node-0007"]),
                ({"status": "Unknown"}, ["node-0011"]),
                ({"search": "E-001"}, [f"node-001{digit}" for digit in range(10)]),
                ({"status": "Unknown", "search": "e-001"}, ["node-0011"]),
            ]:
                found = await there.get(ALL_NODES, **asked)
                assert [one["name"] for one in found["nodes"]] == names
                assert found["total"] == len(names)
            assert (await there.get(ALL_NODES, status="Ready"))["total"] == NODES - 2
            await there.error(ALL_NODES, 422, status="Broken")

    run(story)


@pytest.mark.criterion("US-11", "a node's detail")
def test_the_detail_of_a_node_has_its_pods_labels_events_and_disk(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            found = await there.get(f"{ALL_NODES}/node-0003")
            assert found["node"]["usage"]["diskPercent"] == pytest.approx(100 * disk_share(3), abs=0.06)
            assert found["labels"]["kubernetes.io/hostname"] == "node-0003"
            assert {one["nodeName"] for one in found["pods"]} == {"node-0003"}
            assert (found["events"], found["eventsProblem"]) == ([], None)
            silent = await there.get(f"{ALL_NODES}/node-0011")
            assert silent["node"]["usage"]["diskPercent"] is None
            assert [one["reason"] for one in silent["events"]] == ["NodeNotReady"]
            error = await there.error(f"{ALL_NODES}/node-9999", 404)
            assert "node-9999" in error["message"]

    run(story)
