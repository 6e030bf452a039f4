"""Three TiKV clusters by three daemons on one host, which do not disturb each other."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.e2e.real_daemon import until
from tests.e2e.tikv.tikv_daemon import CONFIG, SETTLED_S, TiKVDaemon, leaving_nothing, settle
from tests.standins.engine import Engine

from operator_protocol.events import FrameSeen
from operator_protocol.topics import CLUSTER_HEALTH

pytestmark = pytest.mark.soak
"""Twenty-four containers."""

CLUSTERS = 3


@pytest.fixture(scope="module")
def three(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TiKVDaemon]]:
    daemons = [TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine) for _ in range(CLUSTERS)]
    try:
        with ExitStack() as stack:
            # Two dozen checks a second would be most of what such a machine does.
            stack.enter_context(pytest.MonkeyPatch.context()).setenv("OPERATOR_HEALTH_INTERVAL", "5s")
            for daemon in daemons:
                daemon.config.write_text(CONFIG.replace("rate = 100.0", "rate = 20.0"))
                stack.enter_context(leaving_nothing(daemon))
                daemon.start_tikv("--load")
            yield daemons
            for daemon in daemons:
                daemon.stop()
    finally:
        for daemon in daemons:
            daemon.end()


@pytest.fixture
def well(three: list[TiKVDaemon]) -> list[TiKVDaemon]:
    return [settle(daemon) for daemon in three]


def test_each_has_its_own_name_network_and_ports(well: list[TiKVDaemon]) -> None:
    projects = [daemon.project for daemon in well]
    assert len({project.name for project in projects}) == CLUSTERS
    assert len({project.environment["OPERATOR_TIKV_NET"] for project in projects}) == CLUSTERS
    ports = [value for project in projects for name, value in project.environment.items() if name.endswith("_PORT")]
    assert len(ports) == len(set(ports)) == 11 * CLUSTERS


def test_what_breaks_in_one_is_seen_in_that_one_only(well: list[TiKVDaemon]) -> None:
    first, *others = well
    ids = [daemon.container("tikv1")["Id"] for daemon in others]
    with ExitStack() as stack:
        followers = [stack.enter_context(daemon.follower()) for daemon in others]
        first.inject("kill", "tikv1")
        first.inject("partition", "tikv0", "--force")
        until(lambda: first.node("tikv1")["state"] == first.node("tikv0")["state"] == "down", "both to be down")
        first.ctl("recover", check=True)
        for follower in followers:
            frames = [event.frame for event in follower.poll(1.0) if isinstance(event, FrameSeen)]
            assert frames
            assert not [frame for frame in frames if frame.topic.startswith("fault.")]
            # A loaded machine may make any of them slow; down is what none of the others may be.
            looks = [frame.body for frame in frames if frame.topic == CLUSTER_HEALTH]
            assert "down" not in {node["state"] for look in looks for node in look["nodes"]}
    assert [daemon.container("tikv1")["Id"] for daemon in others] == ids


def test_a_daemon_that_is_killed_takes_its_own_containers_with_it_and_no_others(well: list[TiKVDaemon]) -> None:
    first, *others = well
    name = first.project.name
    os.kill(int(first.status()["pid"]), signal.SIGKILL)
    first.wait_gone()
    assert not [one for one in first.engine.everything() if name in one]
    for daemon in others:
        until(daemon.is_well, "a cluster that is well", SETTLED_S)
        assert daemon.status()["workload"]["running"] is True
