"""The table of pods (US-12), and one pod."""

from pathlib import Path
from typing import Any

import pytest
from tests.clients.web.kubernetes.served import ALL_PODS, PODS, console, run
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.faults import Fault

from operator_clients.web.kubernetes.filtering import COLUMNS

KEYS = {
    "name",
    "namespace",
    "status",
    "phase",
    "reason",
    "nodeName",
    "podIP",
    "hostIP",
    "containers",
    "restarts",
    "age",
    "createdAt",
    "labels",
    "ownerKind",
    "ownerName",
}


def by_reason(api: KubernetesApi, reason: str) -> tuple[str, str]:
    """Namespace and name of the first pod with a container that waits for this."""
    for (namespace, name), pod in api.population.pods.items():
        for status in pod["status"].get("containerStatuses", ()):
            if status["state"].get("waiting", {}).get("reason") == reason:
                return namespace, name
    raise AssertionError(reason)


@pytest.mark.criterion("US-12", "real names, namespaces, status, nodes and restarts")
def test_a_pod_is_told_with_the_fields_of_the_contract(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            answer = await there.get(ALL_PODS, sort="restarts", order="desc", limit=1)
            (pod,) = answer["pods"]
            namespace, name = by_reason(api, "CrashLoopBackOff")
            assert set(pod) == KEYS
            assert (pod["status"], pod["phase"], pod["reason"]) == ("Running", "Running", "CrashLoopBackOff")
            assert (pod["restarts"], pod["ownerKind"]) == (17, "StatefulSet")
            there_is = api.population.pods[namespace, name]
            assert (pod["namespace"], pod["name"]) == (namespace, name)
            assert pod["nodeName"] == there_is["spec"]["nodeName"]
            assert pod["labels"] == there_is["metadata"]["labels"]
            container = pod["containers"][0]
            assert (container["ready"], container["state"], container["stateReason"]) == (
                False,
                "waiting",
                "CrashLoopBackOff",
            )
            assert (container["lastState"]["reason"], container["lastState"]["exitCode"]) == ("OOMKilled", 137)
            assert (answer["total"], answer["limit"], answer["offset"]) == (PODS, 1, 0)

    run(story)


@pytest.mark.criterion("US-12", "pagination with true totals")
@pytest.mark.criterion("US-13", "limit 50, at most 500, and offset")
def test_pages_do_not_overlap_and_the_total_is_of_all_that_match(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            assert len((await there.get(ALL_PODS))["pods"]) == 50
            seen = []
            for offset in range(0, PODS, 150):
                page = await there.get(ALL_PODS, limit=150, offset=offset)
                assert page["total"] == PODS
                seen += [(one["namespace"], one["name"]) for one in page["pods"]]
            assert len(seen) == len(set(seen)) == PODS
            assert (await there.get(ALL_PODS, offset=100_000))["pods"] == []
            running = await there.get(ALL_PODS, status="Running", limit=500)
            assert running["total"] == len(running["pods"]) == 376
            for wrong in ({"limit": 0}, {"limit": 501}, {"offset": -1}, {"sort": "colour"}, {"order": "up"}):
                await there.error(ALL_PODS, 422, **wrong)

    run(story)


@pytest.mark.criterion("US-12", "filters by namespace, status and node, search by a part of the name")
@pytest.mark.criterion("US-13", "namespace, status, nodeName and search")
def test_filters_are_joined_and_search_finds_a_part_of_the_name(api: KubernetesApi, tmp_path: Path) -> None:
    every = [(one["metadata"], one["spec"].get("nodeName")) for one in api.population.pods.values()]
    waiting = {name for (_, name), one in api.population.pods.items() if one["status"]["phase"] == "Pending"}

    async def story() -> None:
        async with console(api, tmp_path) as there:

            async def names(**asked: str) -> set[str]:
                found = await there.get(ALL_PODS, limit=500, **asked)
                assert found["total"] == len(found["pods"])
                return {one["name"] for one in found["pods"]}

            assert await names(namespace="search") == {m["name"] for m, _ in every if m["namespace"] == "search"}
            assert await names(nodeName="node-0004") == {m["name"] for m, node in every if node == "node-0004"}
            assert await names(status="Pending") == waiting
            assert await names(search="LEDGER-") == {m["name"] for m, _ in every if "ledger-" in m["name"]}
            both = await names(namespace="search", nodeName="node-0003", search="a")
            assert both == {
                m["name"] for m, node in every if (m["namespace"], node) == ("search", "node-0003") and "a" in m["name"]
            }
            assert both
            assert await names(namespace="nowhere") == set()
            menus = await there.get(ALL_PODS, namespace="search", limit=1)
            assert len(menus["namespaces"]) == 15
            assert len(menus["nodes"]) == 20

    run(story)


@pytest.mark.criterion("US-12", "sort by every column")
@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_sorts_both_ways_with_what_is_unknown_last(
    api: KubernetesApi, tmp_path: Path, column: str
) -> None:
    def value(pod: dict[str, Any]) -> Any:
        match column:
            case "age":
                return pod["createdAt"]
            case "owner":
                return pod["ownerKind"] and (pod["ownerKind"], pod["ownerName"])
            case "ready":
                return sum(one["ready"] for one in pod["containers"]) / len(pod["containers"])
            case "podIP":
                return pod["podIP"] and tuple(map(int, pod["podIP"].split(".")))
            case _:
                return pod[column]

    async def story() -> None:
        async with console(api, tmp_path) as there:
            for order in ("asc", "desc"):
                found = (await there.get(ALL_PODS, sort=column, order=order, limit=500))["pods"]
                values = [value(one) for one in found]
                known = [one for one in values if one is not None]
                assert values[len(known) :] == [None] * (PODS - len(known))
                # An old pod was created early.
                upwards = (order == "asc") != (column == "age")
                assert known == sorted(known, reverse=not upwards)
                assert len({one["name"] for one in found}) == PODS
                equal: dict[Any, list[tuple[str, str]]] = {}
                for one in found:
                    equal.setdefault(value(one), []).append((one["namespace"], one["name"]))
                assert all(names == sorted(names) for names in equal.values())

    run(story)


@pytest.mark.criterion("US-12", "containers, events and last log lines of a pod")
def test_the_detail_of_a_pod_has_containers_events_and_the_last_lines(api: KubernetesApi, tmp_path: Path) -> None:
    namespace, name = by_reason(api, "CrashLoopBackOff")

    async def story() -> None:
        async with console(api, tmp_path) as there:
            found = await there.get(f"{ALL_PODS}/{namespace}/{name}", lines=3)
            assert found["pod"]["name"] == name
            assert [one["reason"] for one in found["events"]] == ["BackOff", "Pulled"]
            assert found["events"][0]["type"] == "Warning"
            assert found["log"]["container"] == found["pod"]["containers"][0]["name"]
            assert [line.partition("request=")[2] for line in found["log"]["lines"]] == [
                f"{number} took=3ms" for number in (4997, 4998, 4999)
            ]
            assert (found["source"], found["stale"]) == ("live", False)
            log = await there.get(f"{ALL_PODS}/{namespace}/{name}/log")
            assert (len(log["lines"]), log["truncated"], log["problem"]) == (1000, False, None)
            await there.error(f"{ALL_PODS}/{namespace}/{name}/log", 422, lines=1001)

    run(story)


def test_a_pod_that_prints_nothing_yet_says_why_and_an_unknown_one_is_not_found(
    api: KubernetesApi, tmp_path: Path
) -> None:
    namespace, name = by_reason(api, "ImagePullBackOff")

    async def story() -> None:
        async with console(api, tmp_path) as there:
            found = await there.get(f"{ALL_PODS}/{namespace}/{name}")
            assert (found["log"]["lines"], found["pod"]["status"]) == ([], "Pending")
            assert "is waiting to start" in found["log"]["problem"]
            error = await there.error(f"{ALL_PODS}/{namespace}/no-such-pod", 404)
            assert "no-such-pod" in error["message"]
            error = await there.error(f"{ALL_PODS}/{namespace}/{name}", 404, container="no-such-container")
            assert "there are" in error["hint"]

    run(story)


def test_an_address_with_anything_but_a_name_in_it_never_reaches_the_api_server(
    api: KubernetesApi, tmp_path: Path
) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            for path in ("default/..%2f..%2fsecrets", "default/UPPER", "default/a%3Fb", "-x/pod", "default/a%0ab"):
                answer = await there.client.get(f"{ALL_PODS}/{path}")
                assert answer.status_code in (404, 422)
            assert api.requests == []

    run(story)


def test_without_the_right_to_read_events_and_logs_the_pod_is_shown_with_the_reason(
    api: KubernetesApi, tmp_path: Path
) -> None:
    namespace, name = by_reason(api, "CrashLoopBackOff")

    async def story() -> None:
        async with console(api, tmp_path) as there:
            for fault, part in ((Fault("forbidden", on="/events"), "events"), (Fault("forbidden", on="/log"), "log")):
                api.break_(fault)
                found = await there.get(f"{ALL_PODS}/{namespace}/{name}")
                assert found["pod"]["name"] == name
                problem = found["eventsProblem"] if part == "events" else found["log"]["problem"]
                assert "forbidden" in problem

    run(story)
