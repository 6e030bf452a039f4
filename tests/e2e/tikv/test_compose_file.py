"""``deploy/tikv/docker-compose.yaml`` on a real Docker Engine, with stand-ins under the names of its images.

The stories of a daemon use the same file in every run of the tests; here it is taken apart.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from tests.standins.compose import ComposeProject, compose_project
from tests.standins.engine import Engine
from tests.standins.images import COMPOSE_FILE
from tests.standins.serving import ask

from operator_protocol.errors import OperatorError
from operatord.subjects.tikv.pd.client import PDClient
from operatord.subjects.tikv.prometheus.client import PrometheusClient
from operatord.subjects.tikv.prometheus.queries import QUERIES
from operatord.workers.ycsb.go_ycsb import GoYcsbReader
from operatord.workers.ycsb.reading import Reading

pytestmark = pytest.mark.soak
T = TypeVar("T")

DASHBOARD = COMPOSE_FILE.parent / "grafana" / "dashboards" / "tikv.json"
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def project(docker_engine: Engine) -> Iterator[ComposeProject]:
    with compose_project(docker_engine) as project:
        project.up()
        yield project


def until(found: Callable[[], T | None], what: str) -> T:
    """The first answer that is one."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, OperatorError):
            answer = found()
            if answer is not None:
                return answer
        time.sleep(0.2)
    raise AssertionError(f"in vain: {what}")


def asking(project: ComposeProject, work: Callable[[PDClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = PDClient(list(project.pd_urls.values()))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(main())


def all_up(project: ComposeProject) -> bool | None:
    """True once PD holds every store for up and each leads something."""
    stores = asking(project, lambda client: client.stores(deadline_s=5))
    return (all(store.state == "Up" and store.leader_count for store in stores) and len(stores) == 3) or None


def answers(url: str) -> bool:
    try:
        return ask("GET", url)[0] == 200
    except OSError:
        return False


def test_pd_sees_three_stores_by_the_names_of_their_services(project: ComposeProject) -> None:
    until(lambda: all_up(project), "three stores that lead")
    stores = asking(project, lambda client: client.stores(deadline_s=5))
    assert sorted(store.address for store in stores) == ["tikv0:20160", "tikv1:20160", "tikv2:20160"]
    assert sorted(store.status_address for store in stores) == ["tikv0:20180", "tikv1:20180", "tikv2:20180"]
    members = asking(project, lambda client: client.members(deadline_s=5))
    assert sorted(member.name for member in members.members) == ["pd0", "pd1", "pd2"]
    assert members.leader is not None
    for url in project.status.values():
        assert answers(f"{url}/status")
    assert answers(f"{project.grafana}/api/health")


def test_prometheus_scrapes_every_node_under_the_jobs_that_the_queries_name(project: ComposeProject) -> None:
    async def scraped() -> set[str]:
        client = PrometheusClient(project.prometheus)
        try:
            samples = await client.query('up{job=~"tikv|pd"} == 1', deadline_s=5)
            return {sample.labels["instance"] for sample in samples}
        finally:
            await client.close()

    nodes = {"tikv0:20180", "tikv1:20180", "tikv2:20180", "pd0:2379", "pd1:2379", "pd2:2379"}
    until(lambda: asyncio.run(scraped()) == nodes or None, "six targets that are up")


def test_the_dashboard_asks_what_the_daemon_asks(project: ComposeProject) -> None:
    asked = {target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]}
    assert asked == {query.expression for query in QUERIES}
    sources = (COMPOSE_FILE.parent / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    assert "uid: prometheus" in sources and "url: http://prometheus:9090" in sources


def test_the_load_prints_what_the_tailer_reads(project: ComposeProject) -> None:
    project.compose("up", "--detach", "--no-recreate", "ycsb")
    try:
        loaded = project.compose("logs", "--no-log-prefix", "ycsb-load")
        assert "Run finished" in loaded and "INSERT_ERROR" not in loaded

        def reading() -> Reading | None:
            reader = GoYcsbReader()
            lines = project.compose("logs", "--no-log-prefix", "ycsb").splitlines()
            readings = [found for line in lines if (found := reader.feed(line))]
            return readings[-1] if len(readings) > 2 else None

        last = until(reading, "three tables of the load")
        assert last.ops_per_sec > 0
        assert {"READ", "UPDATE"} <= set(last.latency)
    finally:
        project.compose("rm", "--stop", "--force", "ycsb", "ycsb-load")


def test_a_node_that_was_cut_off_comes_back_with_its_address_its_names_and_its_port(project: ComposeProject) -> None:
    engine, container = project.engine, project.container("tikv1")
    before = project.inspect("tikv1")["NetworkSettings"]["Networks"][project.network]
    engine.docker("network", "disconnect", project.network, container)
    assert not answers(f"{project.status['tikv1']}/status")
    aliases = [word for alias in ("tikv1", container) for word in ("--alias", alias)]
    engine.docker("network", "connect", "--ip", before["IPAddress"], *aliases, project.network, container)
    after = project.inspect("tikv1")["NetworkSettings"]["Networks"][project.network]
    assert after["IPAddress"] == before["IPAddress"]
    assert set(after["Aliases"]) == set(before["Aliases"])
    until(lambda: answers(f"{project.status['tikv1']}/status") or None, "its published port")
    engine.docker("exec", project.container("pd0"), "curl", "-fsS", "http://tikv1:20180/status")
    until(lambda: all_up(project), "three stores that lead")


def test_a_killed_node_stays_dead_until_it_is_started_and_keeps_its_address(project: ComposeProject) -> None:
    container, address = project.container("tikv2"), project.variables["OPERATOR_TIKV_NET"] + ".22"
    project.engine.docker("kill", container)
    assert project.inspect("tikv2")["State"]["Status"] == "exited"
    assert project.inspect("tikv2")["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert answers(f"{project.status['tikv0']}/status")
    project.engine.docker("start", container)
    assert project.inspect("tikv2")["NetworkSettings"]["Networks"][project.network]["IPAddress"] == address
    until(lambda: all_up(project), "three stores that lead")


def test_nothing_is_published_beyond_the_loopback_and_no_node_may_change_networks(project: ComposeProject) -> None:
    for service in project.services():
        about = project.inspect(service)["HostConfig"]
        assert {bound["HostIp"] for ports in about["PortBindings"].values() for bound in ports} == {"127.0.0.1"}
        assert not about["CapAdd"]
        assert not about["Privileged"]


def test_a_second_project_runs_beside_the_first_and_leaves_nothing(project: ComposeProject) -> None:
    with compose_project(project.engine) as second:
        second.up("pd0", "pd1", "pd2")
        members = asking(second, lambda client: client.members(deadline_s=5))
        assert len(members.members) == 3
        assert answers(f"{project.pd_urls['pd0']}/pd/api/v1/ping")
        assert any(second.name in one for one in project.engine.everything())
    assert not any(second.name in one for one in project.engine.everything())
    assert project.inspect("pd0")["State"]["Status"] == "running"
