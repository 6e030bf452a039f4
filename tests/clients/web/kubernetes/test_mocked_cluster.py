"""``--mock-k8s``: for development, off unless asked for, and plain to see."""

import httpx
import pytest
from tests.clients.web.kubernetes.served import ALL_NODES, ALL_PODS, HEALTH, run, served

from operator_clients.web.kubernetes.opening import cluster_reader


@pytest.mark.criterion("US-13", "mock mode for development, marked as such in every answer")
@pytest.mark.criterion("defect-11", "made-up data only when asked for, and marked")
def test_every_made_up_answer_says_that_it_is() -> None:
    async def story() -> None:
        async with served(cluster_reader(mock=True)) as client:
            pods = await client.get(ALL_PODS)
            one = pods.json()["pods"][0]
            detail = await client.get(f"{ALL_PODS}/{one['namespace']}/{one['name']}")
            log = await client.get(f"{ALL_PODS}/{one['namespace']}/{one['name']}/log")
            nodes = await client.get(ALL_NODES)
            node = await client.get(f"{ALL_NODES}/{nodes.json()['nodes'][0]['name']}")
            answers: list[httpx.Response] = [await client.get(HEALTH), nodes, node, pods, detail, log]
            assert {answer.headers.get("X-Operator-Mock") for answer in answers} == {"1"}
            assert {answer.json().get("source", "mock") for answer in answers} == {"mock"}
            assert "made up" in log.text

    run(story)


def test_it_has_something_of_each_kind_to_show() -> None:
    async def story() -> None:
        async with served(cluster_reader(mock=True)) as client:
            pods = (await client.get(ALL_PODS, params={"limit": 500})).json()["pods"]
            assert {one["status"] for one in pods} == {"Running", "Pending", "Failed"}
            assert "CrashLoopBackOff" in {one["reason"] for one in pods}
            nodes = (await client.get(ALL_NODES)).json()["nodes"]
            assert {one["status"] for one in nodes} == {"Ready", "NotReady"}
            assert (await client.get(HEALTH)).json()["status"] == "degraded"

    run(story)
