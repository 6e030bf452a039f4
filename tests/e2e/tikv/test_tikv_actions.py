"""Actions on a TiKV cluster in containers: recommended, approved, done and verified by the daemon, end to end."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from tests.e2e.tikv.tikv_daemon import CONFIG, SETTLED_S, TiKVDaemon, leaving_nothing, settle
from tests.standins.engine import Engine
from tests.standins.serving import ask

from operator_protocol.follow import Follower
from operator_protocol.models import Action
from operator_protocol.state import State

pytestmark = pytest.mark.soak
VERIFIED_S = 180.0
"""An action waits for its turn, does its work and is verified within a minute."""


@pytest.fixture(scope="module")
def repairing(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TiKVDaemon]:
    daemon = TiKVDaemon(tmp_path_factory.mktemp("d"), docker_engine)
    daemon.config.write_text(CONFIG.replace("[agent]\n", "[agent]\ncooldown_s = 0\nactions_per_minute = 600\n"))
    try:
        with leaving_nothing(daemon):
            daemon.start_tikv()
            yield daemon
            daemon.stop()
    finally:
        daemon.end()


@pytest.fixture
def well(repairing: TiKVDaemon) -> TiKVDaemon:
    return settle(repairing)


def wait_for(follower: Follower, condition: Callable[[State], bool], what: str) -> None:
    deadline = time.monotonic() + SETTLED_S
    while not condition(follower.state):
        assert time.monotonic() < deadline, f"waited {SETTLED_S:g} s for {what}: {follower.state.actions}"
        follower.poll(0.2)


def proposed(follower: Follower, kind: str, target: str) -> Action:
    def found() -> list[Action]:
        actions = follower.state.actions.values()
        return [one for one in actions if (one.kind, one.target, one.status) == (kind, target, "proposed")]

    wait_for(follower, lambda _: bool(found()), f"{kind} {target} to be proposed")
    return found()[0]


@pytest.mark.parametrize(
    ("fault", "target", "kind"),
    [
        ("kill", "tikv1", "start_container"),
        ("pause", "tikv2", "resume"),
        ("grpc-pause", "tikv0", "resume"),
        ("evict-leader", "tikv1", "remove_evict_leader"),
        ("kill", "pd2", "start_container"),
    ],
)
def test_what_the_agent_recommends_repairs_it_once_a_person_agrees(
    well: TiKVDaemon, fault: str, target: str, kind: str
) -> None:
    with well.follower() as follower:
        follower.perform("fault", {"kind": fault, "target": target, "countdown": 0})
        action = proposed(follower, kind, target)
        assert action.proposed_by == "rules"
        done = follower.perform("approve", {"id": action.id}, deadline_s=VERIFIED_S)["action"]
        assert done["status"] == "succeeded", done["result"]
        assert "is over, seen" in done["result"]
        wait_for(follower, lambda state: not state.faults, "the fault to be struck out, since somebody mended it")
        wait_for(follower, lambda state: not state.tickets, "the tickets to be resolved")


def test_a_person_orders_what_pd_can_do_and_what_does_not_apply_is_refused(well: TiKVDaemon) -> None:
    with well.follower() as follower:
        pd = next(node.address for node in follower.state.nodes.values() if node.role == "pd")
        _, told = ask("GET", f"http://{pd}/pd/api/v1/regions", timeout_s=10.0)
        region = json.loads(told)["regions"][0]
        others = [peer["store_id"] for peer in region["peers"] if peer["store_id"] != region["leader"]["store_id"]]
        order = {
            "kind": "transfer_leader",
            "target": "tikv0",
            "params": {"region_id": str(region["id"]), "to_store_id": str(others[0])},
        }
        would = follower.perform("act", {**order, "dry_run": True}, deadline_s=VERIFIED_S)["would"]
        assert f"lead region {region['id']}" in would
        done = follower.perform("act", order, deadline_s=VERIFIED_S)["action"]
        assert done["status"] == "succeeded", done["result"]
        restarted = follower.perform("act", {"kind": "restart_container", "target": "tikv2"}, deadline_s=VERIFIED_S)
        assert restarted["action"]["status"] == "succeeded", restarted["action"]["result"]
    refused = well.ctl("act", "start_container", "tikv0")
    assert refused.returncode == 1
    assert "is running: there is nothing to start" in refused.stderr
    assert "nobody evicts the leaders" in well.ctl("act", "remove_evict_leader", "tikv0", "--set", "store_id=1").stderr
