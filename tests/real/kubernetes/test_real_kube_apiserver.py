"""The console's client against a real kube-apiserver, and the stand-in held against it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from tests.real.kubernetes.cluster import CONSOLE, STRANGER, RealKubernetes
from tests.real.tikv.shapes import differences, shape
from tests.standins.kubernetes.api import TOKEN, KubernetesApi
from tests.standins.serving import ask

from operator_clients.web.kubernetes import client as client_module
from operator_clients.web.kubernetes.client import KubernetesClient
from operator_clients.web.kubernetes.filtering import PodQuery
from operator_clients.web.kubernetes.reader import ClusterReader
from operator_clients.web.kubernetes.source import NoSuchObject, Refused

pytestmark = [pytest.mark.real, pytest.mark.timeout(2_400)]

T = TypeVar("T")
# What the real one decides by itself: when something was made, and what it adds to what was written.
DIFFERS = {"age", "createdAt", "ageSeconds", "lastUpdated"}


def asked(config: Path, question: Callable[[ClusterReader], Awaitable[T]]) -> T:
    async def story() -> T:
        reader = ClusterReader(KubernetesClient(config, None, time.time))
        try:
            async with asyncio.timeout(60):
                return await question(reader)
        finally:
            await reader.close()

    return asyncio.run(story())


def told(answer: msgspec.Struct) -> Any:
    """As it goes to the browser, without what differs."""
    return without(json.loads(msgspec.json.encode(answer)))


def without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without(one) for key, one in value.items() if key not in DIFFERS}
    return [without(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def config(real: RealKubernetes) -> Path:
    """Of an account with the rights that docs/console-kubernetes.md has, and no others."""
    real.allow()
    return real.kubeconfig("console", CONSOLE)


def test_of_the_same_objects_the_real_one_and_the_standin_make_the_same_answers(
    config: Path, standin: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many pages, so that the real one's continue tokens are used.
    monkeypatch.setattr(client_module, "PAGE", 7)
    questions: list[Callable[[ClusterReader], Awaitable[msgspec.Struct]]] = [
        lambda reader: reader.health(),
        lambda reader: reader.nodes(),
        lambda reader: reader.pods(PodQuery(limit=500)),
        lambda reader: reader.pods(PodQuery(limit=20, status="Failed", sort="restarts", order="desc")),
    ]
    other = standin.kubeconfig(tmp_path / "standin")
    for question in questions:
        ours, theirs = told(asked(other, question)), told(asked(config, question))
        for answer in (ours, theirs):
            # There is neither a metrics API nor a kubelet behind the real one.
            for name in ("cpuUsagePercent", "memoryUsagePercent"):
                answer.pop(name, None)
            for node in answer.get("nodes", []):
                if isinstance(node, dict):
                    node["usage"] = node["usage"]["podsCount"]
            for pod in answer.get("pods", []):
                # The real one does not let a pod be deleted by what is written of it.
                pod["reason"] = "Running" if pod["reason"] == "Terminating" else pod["reason"]
        assert theirs == ours


def test_without_a_metrics_api_and_kubelets_figures_are_null_and_a_log_says_why(config: Path) -> None:
    async def question(reader: ClusterReader) -> None:
        health, nodes = await reader.health(), await reader.nodes()
        assert (health.cpu_usage_percent, health.memory_usage_percent) == (None, None)
        assert {(one.usage.cpu_percent, one.usage.disk_percent) for one in nodes.nodes} == {(None, None)}
        pod = (await reader.pods(PodQuery(status="Running", limit=1))).pods[0]
        detail = await reader.pod(pod.namespace, pod.name, None, 10)
        assert (detail.pod.name, list(detail.events or ()), detail.events_problem) == (pod.name, [], None)
        assert (list(detail.log.lines), bool(detail.log.problem)) == ([], True)
        with pytest.raises(NoSuchObject, match='pods "no-such-pod" not found'):
            await reader.pod("default", "no-such-pod", None, 10)

    asked(config, question)


def test_events_of_a_pod_are_found_by_its_uid(config: Path, real: RealKubernetes) -> None:
    async def question(reader: ClusterReader) -> None:
        pod = (await reader.pods(PodQuery(namespace="search", limit=1))).pods[0]
        _, found = real.ask("GET", f"/api/v1/namespaces/search/pods/{pod.name}")
        for number, uid in ((1, found["metadata"]["uid"]), (2, "somebody-elses")):
            about = {"kind": "Pod", "name": pod.name, "namespace": "search", "uid": uid, "apiVersion": "v1"}
            event = {
                "metadata": {"name": f"{pod.name}.{number}", "namespace": "search"},
                "involvedObject": about,
                "reason": f"Reason{number}",
                "message": "it happened",
                "type": "Warning",
                "eventTime": "2026-11-21T12:00:00.123456Z",
                "reportingComponent": "tests",
                "reportingInstance": "tests",
                "action": "Testing",
            }
            code, answer = real.ask("POST", "/api/v1/namespaces/search/events", event)
            assert code in (201, 409), answer
        detail = await reader.pod("search", pod.name, None, 0)
        assert [(one.reason, one.type, one.message) for one in detail.events or ()] == [
            ("Reason1", "Warning", "it happened")
        ]

    asked(config, question)


def test_a_stranger_is_refused_and_so_is_an_account_without_rights(real: RealKubernetes) -> None:
    for token, said in (("nobodys-token", "does not know us"), (STRANGER, "forbidden")):
        with pytest.raises(Refused, match=said):
            asked(real.kubeconfig("other", token), lambda reader: reader.health())


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pods?limit=100",
        "/api/v1/nodes",
        "/api/v1/nodes/node-9999",
        "/api/v1/namespaces/default/pods/no-such-pod",
        "/apis/metrics.k8s.io/v1beta1/pods",
    ],
)
def test_the_standins_bodies_have_the_keys_and_types_that_are_read_of_the_real_ones(
    real: RealKubernetes, standin: KubernetesApi, path: str
) -> None:
    code, theirs = real.ask("GET", path)
    status, data = ask("GET", standin.url + path, headers={"Authorization": f"Bearer {TOKEN}"}, timeout_s=20)
    try:
        ours = json.loads(data)
    except ValueError:
        ours = data
    assert status == code
    if isinstance(theirs, bytes) or code != 200:
        assert ours == theirs
        return
    # Of fields that only one has, those count that the console reads.
    read = {"containers", "containerStatuses", "initContainerStatuses", "phase", "nodeName", "conditions", "capacity"}
    read |= {"allocatable", "nodeInfo", "state", "lastState", "restartCount", "ready", "labels", "ownerReferences"}
    found = [
        one
        for one in differences(shape(ours), shape(theirs))
        if one.partition(":")[0].rpartition(".")[2] in read or "in the stand-in" in one
    ]
    assert found == []


def test_the_standin_refuses_in_the_real_ones_words(real: RealKubernetes, standin: KubernetesApi) -> None:
    code, theirs = real.ask("GET", "/api/v1/pods", token="nobodys-token")  # noqa: S106  # of nothing
    status, data = ask("GET", f"{standin.url}/api/v1/pods", headers={"Authorization": "Bearer x"}, timeout_s=20)
    assert (status, json.loads(data)) == (code, theirs)
