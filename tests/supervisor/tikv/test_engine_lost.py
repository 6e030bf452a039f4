"""Looks at a cluster whose container engine went away."""

from collections.abc import Iterator

import pytest
from tests.standins.cluster import StandInCluster, standin_cluster
from tests.supervisor.tikv.watching import QUICK, Watch, node, signals, spec_of, watching

WHY = "Cannot connect to the Docker daemon. Is it running?"
NODES = ("pd0", "pd1", "pd2", "tikv0", "tikv1", "tikv2")
RUNNING = {name: {"state": "running"} for name in NODES}


@pytest.fixture
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK) as cluster:
        yield cluster


def test_a_lost_engine_is_a_violation_of_its_own_and_the_other_signals_go_on(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(RUNNING)
        await watch.until_well()
        watch.probe.tell_containers({}, WHY)
        await watch.until_open("engine_lost")
        others_up = {(("container", "unknown"), ("probe", "up"), ("cluster", "up"))}
        await watch.until(
            lambda seen: (
                {tuple(one.signals.items()) for one in seen.nodes} == others_up and watch.open() == {"engine_lost"}
            )
        )
        opened = next(iter(watch.tracker.open()))
        assert WHY in opened.message
        watch.probe.tell_containers(RUNNING)
        seen = await watch.until_well()
        assert signals(seen, "tikv1")["container"] == "up"

    watching(spec_of(cluster, engine_lost_grace_s=0.0), work)


def test_ports_that_refuse_while_the_engine_is_lost_do_not_make_their_servers_down(cluster: StandInCluster) -> None:
    """They are published by the engine: its proxies end with it, and the containers may live."""

    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(RUNNING)
        await watch.until_well()
        watch.probe.tell_containers({}, WHY)
        cluster.kill(*NODES)
        await watch.until(lambda seen: seen.ok is None)
        await watch.until_open("engine_lost")
        unknown = {("unknown", "unknown")}
        # What PD said last, of one that died before it, is forgotten with its next answer that does not come.
        await watch.until(
            lambda seen: (
                {(one.signals["container"], one.signals["probe"]) for one in seen.nodes} == unknown
                and {one.state for one in seen.nodes} == {"degraded"}
                and watch.open() == {"engine_lost"}
            )
        )
        assert watch.told() == ["engine_lost"]
        watch.probe.tell_containers({name: {"state": "exited", "exit_code": 137} for name in NODES})
        seen = await watch.look()
        assert {one.state for one in seen.nodes} == {"down"}
        assert node(seen, "tikv0").detail["exit_code"] == 137
        assert "store_down tikv0" in watch.open()

    watching(spec_of(cluster, engine_lost_grace_s=0.0), work)


def test_a_cluster_that_was_attached_to_has_no_engine_to_lose(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        watch.probe.tell_containers({}, WHY)
        seen = await watch.look()
        assert watch.open() == set()
        assert all("container_trouble" not in one.detail for one in seen.nodes)

    spec = spec_of(cluster)
    members = [one for one in spec.members if not one.id.startswith("pd")]
    watching(type(spec)(spec.name, members, {**spec.options, "pd": ",".join(cluster.pd_urls.values())}), work)


def test_a_port_that_has_just_begun_to_refuse_is_late_while_its_container_is_told_to_run(
    cluster: StandInCluster,
) -> None:
    """The engine tells of a container's end, and we of its own, a moment later."""

    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(RUNNING)
        await watch.until_well()
        cluster.kill("tikv1")
        # What it answered right before that is read in the first look.
        seen = await watch.until(lambda seen: node(seen, "tikv1").state != "up")
        assert node(seen, "tikv1").state == "degraded"
        watch.probe.tell_containers({**RUNNING, "tikv1": {"state": "exited", "exit_code": 137}})
        seen = await watch.look()
        assert node(seen, "tikv1").state == "down"
        cluster.kill("tikv2")
        # If the engine goes on telling that it runs, there is nothing in it that serves.
        await watch.until(lambda seen: node(seen, "tikv2").state == "down")

    watching(spec_of(cluster, silence_s=3.0), work)
