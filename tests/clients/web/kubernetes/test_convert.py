"""From the API server's objects to the contract's: the cases that a population has few of."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.standins.kubernetes import objects
from tests.standins.kubernetes.objects import Container

from operator_clients.web.kubernetes.client import LOG_BYTES, log_tail
from operator_clients.web.kubernetes.connection import decoded
from operator_clients.web.kubernetes.convert import age, node_of, percent, pod_of, quantity
from operator_clients.web.kubernetes.model import Node, Pod, PodsAnswer
from operator_clients.web.kubernetes.objects import NodeObject, PodList, PodObject
from operator_clients.web.kubernetes.schema import answer_schema
from operator_clients.web.kubernetes.source import Unreachable

NOW = 1_790_000_000.0
PLAIN = objects.Pod(1, "api-1", "default", "node-0001", "Running", "ReplicaSet", "api", [Container("api", "a:1")], 90.0)


def shown(pod: objects.Pod, **status: Any) -> Pod:
    made = objects.pod(pod, NOW)
    made["status"] |= status
    return pod_of(msgspec.convert(made, PodObject), datetime.fromtimestamp(NOW, UTC))


def waiting(reason: str) -> Container:
    return Container("api", "a:1", f"waiting:{reason}", ready=False)


@pytest.mark.parametrize(
    ("pod", "status", "reason"),
    [
        (PLAIN, "Running", "Running"),
        (PLAIN._replace(containers=[waiting("CrashLoopBackOff")]), "Running", "CrashLoopBackOff"),
        (PLAIN._replace(phase="Pending", containers=[waiting("ContainerCreating")]), "Pending", "ContainerCreating"),
        (PLAIN._replace(phase="Pending", node=""), "Pending", "Pending"),
        (PLAIN._replace(phase="Failed", reason="Evicted"), "Failed", "Evicted"),
        (
            PLAIN._replace(phase="Succeeded", containers=[Container("a", "b", "terminated:Completed:0", ready=False)]),
            "Succeeded",
            "Completed",
        ),
        (PLAIN._replace(deleted=True), "Running", "Terminating"),
        (PLAIN._replace(deleted=True, reason="NodeLost"), "Unknown", "Unknown"),
        (PLAIN._replace(phase="Sleeping"), "Unknown", "Sleeping"),
        (
            PLAIN._replace(phase="Pending", init_containers=[Container("i", "b", "waiting:ImagePullBackOff")]),
            "Pending",
            "Init:ImagePullBackOff",
        ),
        (
            PLAIN._replace(phase="Pending", init_containers=[Container("i", "b", "terminated:Error:3")]),
            "Pending",
            "Init:Error",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else None,
)
def test_status_is_one_of_five_and_the_reason_is_kubectls_status(pod: objects.Pod, status: str, reason: str) -> None:
    found = shown(pod)
    assert (found.status, found.reason) == (status, reason)


def test_a_container_of_which_the_kubelet_says_nothing_waits_or_ended_with_its_pod() -> None:
    (pending,) = shown(PLAIN._replace(phase="Pending", node="")).containers
    assert (pending.state, pending.ready, pending.state_reason) == ("waiting", False, None)
    (evicted,) = shown(PLAIN._replace(phase="Failed", reason="Evicted")).containers
    assert (evicted.state, evicted.state_reason) == ("terminated", "Evicted")


def test_lists_that_go_writes_as_null_are_empty() -> None:
    made = objects.pod(PLAIN, NOW)
    made["metadata"] |= {"labels": None, "ownerReferences": None}
    made["spec"]["containers"] = made["status"]["containerStatuses"] = None
    found = pod_of(msgspec.convert(made, PodObject), datetime.fromtimestamp(NOW, UTC))
    assert (found.labels, found.owner_kind, list(found.containers), found.restarts) == ({}, None, [], 0)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-3, "0s"),
        (45, "45s"),
        (119, "119s"),
        (192, "3m12s"),
        (180, "3m"),
        (47 * 60, "47m"),
        (5 * 3600 + 720, "5h12m"),
        (20 * 3600, "20h"),
        (76 * 3600, "3d4h"),
        (41 * 86_400, "41d"),
        (800 * 86_400, "2y70d"),
    ],
)
def test_an_age_is_written_as_kubectl_does(seconds: float, told: str) -> None:
    assert age(seconds) == told


@pytest.mark.parametrize(
    ("text", "value"),
    [("7910m", 7.91), ("8", 8.0), ("412345678n", 0.412345678), ("32086508Ki", 32_086_508 * 1024), ("1e3", 1000.0)],
)
def test_a_quantity_is_a_number(text: str, value: float) -> None:
    assert quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "lots", "5Qi", "NaN", "Infinity", "1e400", None])
def test_what_is_no_quantity_is_not_known(text: str | None) -> None:
    assert quantity(text) is None


def test_of_nothing_there_is_no_percentage() -> None:
    assert percent(1.0, 0.0) is None
    assert percent(None, 8.0) is None
    assert percent(0.0, 8.0) == 0.0


def node(**labels: str) -> Node:
    made = objects.node(1, "n", NOW)
    made["metadata"]["labels"] = labels or None
    return node_of(msgspec.convert(made, NodeObject), None, None, 0)


def test_roles_come_from_labels_old_and_new() -> None:
    assert node().roles == ["worker"]
    roles = {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/etcd": "true"}
    assert node(**roles).roles == ["control-plane", "etcd"]
    assert node(**{"kubernetes.io/role": "storage"}).roles == ["storage"]


def test_a_cordoned_node_is_not_schedulable() -> None:
    made = objects.node(1, "n", NOW)
    made["spec"]["unschedulable"] = True
    assert node_of(msgspec.convert(made, NodeObject), None, None, 0).schedulable is False
    assert node().schedulable is True


def test_of_a_log_that_is_too_long_the_newest_whole_lines_are_kept() -> None:
    lines = [f"{number:07} {'x' * 1000}" for number in range(2_000)]
    found = log_tail("api", "".join(f"{line}\n" for line in lines).encode())
    assert found.truncated
    assert list(found.lines) == lines[-len(found.lines) :]
    assert sum(len(line) + 1 for line in found.lines) <= LOG_BYTES
    assert not log_tail("api", b"one\n\xfftwo\n").truncated
    assert list(log_tail("api", b"one\n\xfftwo\n").lines) == ["one", "\ufffdtwo"]


def test_a_time_without_its_offset_is_no_time_of_an_api_server() -> None:
    metadata = b'{"name": "a", "creationTimestamp": "2026-01-01T00:00:00"}'
    page = b'{"kind": "PodList", "metadata": {}, "items": [{"metadata": %s, "spec": {}}]}' % metadata
    with pytest.raises(Unreachable, match="not a Kubernetes API server"):
        decoded(page, msgspec.json.Decoder(PodList), "PodList")


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_whatever_answers_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(Unreachable):
        decoded(data, msgspec.json.Decoder(PodList), "PodList")


def test_the_schema_of_an_answer_refers_to_nothing_outside_of_it() -> None:
    schema = answer_schema(PodsAnswer)
    assert "$ref" not in str(schema)
    assert schema["properties"]["pods"]["items"]["properties"]["podIP"]["anyOf"] == [
        {"type": "string"},
        {"type": "null"},
    ]
