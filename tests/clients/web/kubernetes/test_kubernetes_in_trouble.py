"""An API server that is down, slow, wrong or somebody else's, and what is kept of it (US-13)."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.web.kubernetes.served import (
    ALL_NODES,
    ALL_PODS,
    HEALTH,
    PODS,
    Console,
    console,
    run,
    served,
)
from tests.standins.kubernetes.api import KubernetesApi
from tests.standins.kubernetes.faults import Fault, Kind

from operator_clients.web.kubernetes import connection, reader
from operator_clients.web.kubernetes.opening import cluster_reader

ROUTES = (HEALTH, ALL_NODES, ALL_PODS)
WRONG: list[tuple[Kind, str, str]] = [
    ("down", "kubernetes_down", "does not answer"),
    ("half", "kubernetes_down", "does not answer"),
    ("html", "kubernetes_down", "not a Kubernetes API server"),
    ("redirect", "kubernetes_down", "not a Kubernetes API server"),
    ("unauthorized", "kubernetes_refuses", "does not know us"),
    ("forbidden", "kubernetes_refuses", "forbidden"),
    ("throttled", "kubernetes_down", "too many requests"),
    ("error", "kubernetes_down", "500"),
]


@pytest.mark.criterion("US-13", "Kubernetes down: 503 with a message")
@pytest.mark.criterion("defect-11", "an API that fails is shown as such, never replaced by made-up data")
@pytest.mark.parametrize(("kind", "code", "said"), WRONG, ids=[kind for kind, _, _ in WRONG])
def test_without_anything_kept_whatever_is_wrong_is_a_503_that_says_what(
    api: KubernetesApi, tmp_path: Path, kind: Kind, code: str, said: str
) -> None:
    api.break_(Fault(kind))

    async def story() -> None:
        async with console(api, tmp_path) as there:
            for route in ROUTES:
                error = await there.error(route, 503)
                assert (error["code"], said in error["message"]) == (code, True), error
            await there.error(f"{ALL_PODS}/default/any", 503)
            api.break_(Fault())
            # It is well as soon as the API server is.
            assert (await there.get(ALL_PODS))["total"] == PODS

    run(story)


@pytest.mark.criterion("US-13", "Kubernetes down: 503 with a message")
def test_a_server_that_is_not_there_is_a_503_until_it_is(api: KubernetesApi, tmp_path: Path) -> None:
    api.stop()

    async def story() -> None:
        async with console(api, tmp_path) as there:
            assert "does not answer" in (await there.error(ALL_PODS, 503))["message"]
            api.start()
            assert (await there.get(ALL_PODS))["total"] == PODS

    run(story)


@pytest.mark.criterion("US-13", "answers younger than 10 s come from the cache")
def test_within_ten_seconds_the_api_server_is_asked_once_however_many_ask(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path) as there:
            answers = await asyncio.gather(*(there.get(route) for route in ROUTES * 10))
            assert there.asked("/api/v1/pods?") == 1
            assert there.asked("/api/v1/nodes?") == 1
            assert {one["stale"] for one in answers} == {False}
            there.wall.now += 9.9
            kept = await there.get(ALL_PODS)
            assert (kept["source"], kept["stale"], kept["ageSeconds"]) == ("cache", False, 9.9)
            assert there.asked("/api/v1/pods?") == 1
            there.wall.now += 0.2
            fresh = await there.get(ALL_PODS)
            assert (fresh["source"], fresh["ageSeconds"]) == ("live", 0.0)
            assert there.asked("/api/v1/pods?") == 2

    run(story)


@pytest.mark.criterion("US-13", "Kubernetes down for a short while: cached data, marked stale with its age; then 503")
@pytest.mark.criterion("defect-11", "old data is marked as old, and not shown for ever")
def test_for_a_minute_the_last_answer_stands_in_marked_as_old_and_then_there_is_none(
    api: KubernetesApi, tmp_path: Path
) -> None:
    namespace, name = next(iter(api.population.pods))

    async def story() -> None:
        async with console(api, tmp_path) as there:
            for route in ROUTES:
                await there.get(route)
            api.break_(Fault("down"))
            there.wall.now += 30
            for route in ROUTES:
                old = await there.get(route)
                assert (old["stale"], old["ageSeconds"], old["source"]) == (True, 30.0, "cache")
            kept = await there.get(f"{ALL_PODS}/{namespace}/{name}")
            assert (kept["pod"]["name"], kept["stale"], kept["events"]) == (name, True, None)
            assert "does not answer" in kept["log"]["problem"]
            there.wall.now += 31
            for route in ROUTES:
                assert (await there.error(route, 503))["code"] == "kubernetes_down"

    run(story)


def test_a_slow_server_keeps_nobody_waiting_for_whom_there_is_an_old_answer(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path, patience_s=reader.PATIENCE_S) as there:
            await there.get(ALL_PODS)
            api.break_(Fault("held"))
            there.wall.now += 20
            old = await there.get(ALL_PODS)
            assert (old["stale"], old["ageSeconds"]) == (True, 20.0)
            # What was asked for comes all the same, and is there for the next one.
            api.break_(Fault())
            while (found := await there.get(ALL_PODS))["stale"]:
                await asyncio.sleep(0.05)
            assert found["ageSeconds"] == 0.0

    run(story)


@pytest.mark.parametrize("fault", [Fault("slow", seconds=4.0), Fault("drip", seconds=4.0)])
def test_a_server_that_takes_for_ever_is_given_up(
    api: KubernetesApi, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_S", 0.3)
    monkeypatch.setattr(connection.Deadline.__init__, "__defaults__", (0.5,))
    api.break_(fault)

    async def story() -> None:
        async with console(api, tmp_path) as there:
            error = await there.error(ALL_PODS, 503)
            assert error["code"] == "kubernetes_down"

    run(story)


def test_what_is_asked_does_not_hold_up_the_loop(api: KubernetesApi, tmp_path: Path) -> None:
    api.break_(Fault("held"))

    async def story() -> None:
        async with console(api, tmp_path) as there:
            asked = asyncio.create_task(there.get(ALL_PODS))
            while not api.requests:
                await asyncio.sleep(0.01)
            for _ in range(11):
                await asyncio.sleep(0.01)
            assert not asked.done()
            api.break_(Fault())
            assert (await asked)["total"] == PODS

    run(story)


def test_a_list_whose_state_is_gone_is_read_from_the_start_once(api: KubernetesApi, tmp_path: Path) -> None:
    from operator_clients.web.kubernetes import client

    async def story(there: Console) -> None:
        error = await there.error(ALL_PODS, 503)
        assert "too old" in error["message"]
        assert there.asked("/api/v1/pods?") == 4
        api.break_(Fault())
        assert (await there.get(ALL_PODS))["total"] == PODS

    async def paged() -> None:
        async with console(api, tmp_path) as there:
            await story(there)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "PAGE", 150)
        api.break_(Fault("expired"))
        run(paged)


@pytest.mark.criterion("US-13", "true totals: lists are read page by page to their end")
def test_a_list_of_several_pages_is_read_to_its_end(
    api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from operator_clients.web.kubernetes import client

    monkeypatch.setattr(client, "PAGE", 7)

    async def story() -> None:
        async with console(api, tmp_path) as there:
            found = await there.get(ALL_PODS, limit=500)
            assert {(one["namespace"], one["name"]) for one in found["pods"]} == set(api.population.pods)
            assert there.asked("/api/v1/pods?") == 58

    run(story)


def test_a_wrong_token_is_refused_and_the_token_is_not_told(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path, token="wrong-token") as there:  # noqa: S106  # of nothing
            answer = await there.client.get(HEALTH)
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "kubernetes_refuses"
            assert "wrong-token" not in answer.text

    run(story)


def test_a_kubeconfig_that_was_renewed_is_read_without_a_restart(api: KubernetesApi, tmp_path: Path) -> None:
    async def story() -> None:
        async with console(api, tmp_path, token="worn-out") as there:  # noqa: S106  # of nothing
            assert (await there.error(ALL_PODS, 503))["code"] == "kubernetes_refuses"
            api.kubeconfig(tmp_path / "kubeconfig")
            assert (await there.get(ALL_PODS))["total"] == PODS

    run(story)


_HANGS = """
import asyncio, sys
from pathlib import Path
from operator_clients.web.kubernetes import client
from operator_clients.web.kubernetes.source import Unreachable

client.DEADLINE_S, client._GRACE_S = 0.2, 0.0


async def ask():
    source = client.KubernetesClient(Path(sys.argv[1]), None, lambda: 0.0)
    try:
        await source.nodes()
    except Unreachable:
        print("gave up")
    await source.close()


asyncio.run(ask())
"""


def test_a_login_command_that_never_ends_would_keep_the_gateway_from_ending_and_does_not(tmp_path: Path) -> None:
    login, mark = tmp_path / "login", tmp_path / "pid"
    login.write_text(f"#!/bin/sh\necho $$ > {mark}\nexec sleep 600\n")
    login.chmod(0o700)
    user = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(login), "interactiveMode": "Never"}
    }
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": user}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    # Its output goes to a file: what it leaves would hold a pipe open.
    with (tmp_path / "said").open("w") as said:
        command = [sys.executable, "-c", _HANGS, str(tmp_path / "kubeconfig")]
        done = subprocess.run(command, stdout=said, stderr=said, timeout=120, check=False)
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
        os.kill(int(mark.read_text()), signal.SIGKILL)
    assert (done.returncode, (tmp_path / "said").read_text()) == (0, "gave up\n")


@pytest.mark.parametrize("content", [None, "", "- a list", "{not yaml", '{"current-context": "nowhere"}'])
def test_without_a_usable_configuration_every_route_says_so_until_there_is_one(
    api: KubernetesApi, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)

    async def story() -> None:
        async with served(cluster_reader(path)) as client:
            for route in ROUTES:
                error = (await client.get(route)).json()["error"]
                assert error["code"] == "kubernetes_refuses"
                assert "no usable Kubernetes configuration" in error["message"]
                assert "--kubeconfig" in error["hint"]
            api.kubeconfig(path)
            assert (await client.get(ALL_PODS)).json()["total"] == PODS

    run(story)


def test_the_kubeconfig_of_the_environment_is_taken_when_none_is_named(
    api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes.config import kube_config

    # Read by the client when it is imported.
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(api.kubeconfig(tmp_path / "config")))

    async def story() -> None:
        async with served(cluster_reader()) as client:
            assert (await client.get(ALL_PODS)).json()["total"] == PODS
        async with served(cluster_reader(context="no-such-context")) as client:
            assert "no-such-context" in (await client.get(ALL_PODS)).json()["error"]["message"]

    run(story)
