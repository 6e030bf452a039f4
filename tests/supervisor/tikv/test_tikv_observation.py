"""Looks at a cluster of stand-ins: real processes that die, freeze, elect and come back."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from tests.standins.cluster import STORE_IDS, StandInCluster, is_balanced, standin_cluster
from tests.standins.serving import ask
from tests.supervisor.tikv.watching import QUICK, Watch, node, signals, spec_of, watching

from operator_protocol.models import Scalar
from operatord.subjects.base import Observation, SubjectSpec
from operatord.subjects.tikv.pd.client import PDClient


@pytest.fixture
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK) as cluster:
        yield cluster


@pytest.fixture
def patient() -> Iterator[StandInCluster]:
    """One whose PD holds a store for up for long enough that it is seen for sure."""
    with standin_cluster(*QUICK, "--disconnect-after-s", "5") as cluster:
        yield cluster


def every_sign(seen: Observation) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(one.signals.items()) for one in seen.nodes}


def running(cluster: StandInCluster, **others: dict[str, Scalar]) -> dict[str, dict[str, Scalar]]:
    states: dict[str, dict[str, Scalar]] = {
        name: {"state": "running"} for name in (*cluster.pd_urls, *cluster.addresses)
    }
    return states | others


def test_a_healthy_cluster_is_six_nodes_with_three_signals_each(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(running(cluster))
        up = {(("container", "up"), ("probe", "up"), ("cluster", "up"))}
        seen = await watch.until(lambda seen: seen.ok is True and every_sign(seen) == up and "regions" in seen.metrics)
        assert [one.id for one in seen.nodes] == ["pd0", "pd1", "pd2", "tikv0", "tikv1", "tikv2"]
        assert [one.role for one in seen.nodes] == ["pd"] * 3 + ["tikv"] * 3
        assert [one.leader for one in seen.nodes].count(True) == 1
        store = node(seen, "tikv2")
        assert store.address == cluster.addresses["tikv2"]
        assert store.detail["store_id"] == str(STORE_IDS["tikv2"])
        assert (store.detail["regions"], store.detail["pd_state"]) == (12, "Up")
        assert is_balanced(float(node(seen, name).detail["leaders"] or 0) for name in STORE_IDS)
        assert (seen.metrics["regions"], seen.metrics["stores_up"], seen.metrics["pd_leader"]) == (12, 3, 1)
        assert watch.told() == []

    watching(spec_of(cluster), work)


def test_a_killed_store_is_down_at_once_while_pd_still_says_up_and_disconnected_later(patient: StandInCluster) -> None:
    cluster = patient

    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(running(cluster))
        await watch.until_well()
        cluster.kill("tikv1")
        watch.probe.tell_containers(running(cluster, tikv1={"state": "exited", "exit_code": 137}))
        assert node(await watch.look(), "tikv1").state == "down"
        wanted = {"container": "down", "probe": "down", "cluster": "up"}
        seen = await watch.until(
            lambda seen: seen.reason == "tikv1 is down: its container has exited" and signals(seen, "tikv1") == wanted
        )
        assert seen.ok is False
        assert node(seen, "tikv1").state == "down"
        assert watch.told() == ["store_down tikv1"]
        later = await watch.until(lambda seen: signals(seen, "tikv1")["cluster"] == "down")
        assert node(later, "tikv1").detail["pd_state"] == "Disconnected"
        # The same trouble is not told twice, and its regions got other leaders.
        await watch.until(
            lambda seen: node(seen, "tikv1").detail.get("leaders") == 0 and watch.open() == {"store_down tikv1"}
        )
        cluster.start("tikv1")
        watch.probe.tell_containers(running(cluster))
        await watch.until_well()
        assert watch.told() == ["store_down tikv1"]
        assert sorted(watch.closed) == sorted(watch.opened)

    watching(spec_of(cluster), work)


def test_a_killed_store_is_found_by_its_own_port_where_no_engine_tells(patient: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        await watch.until_well()
        patient.kill("tikv0")
        wanted = {"container": "unknown", "probe": "down", "cluster": "up"}
        await watch.until(
            lambda seen: seen.reason == "tikv0 is down: it refuses connections" and signals(seen, "tikv0") == wanted
        )

    watching(spec_of(patient), work)


def test_a_frozen_store_is_late_and_then_down_and_thaws_to_up(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        await watch.until_well()
        cluster.freeze("tikv2")
        # What it answered right before that is read in the first look.
        seen = await watch.until(lambda seen: node(seen, "tikv2").state != "up")
        late = node(seen, "tikv2")
        assert late.state == ("degraded" if float(late.detail["silent_for_s"] or 0) < 1 else "down")
        await watch.until(lambda seen: node(seen, "tikv2").state == "down")
        assert node(await watch.look(), "tikv2").detail["contact"] == "silent"
        cluster.thaw("tikv2")
        await watch.until_well()
        assert watch.told() == ["store_down tikv2"]

    watching(spec_of(cluster), work)


@pytest.mark.soak
def test_two_of_three_pds_stopped_reads_as_unknown_opens_no_pd_leader_and_closes_nothing(
    cluster: StandInCluster,
) -> None:
    async def work(watch: Watch) -> None:
        await watch.until_well()
        cluster.kill("tikv1")
        await watch.until_open("store_down tikv1")
        led_by = next(one.id for one in (await watch.look()).nodes if one.leader)
        gone = sorted(name for name in cluster.pd_urls if name != led_by)
        cluster.kill(*gone)
        seen = await watch.until(lambda seen: seen.ok is None)
        assert seen.reason.startswith("no PD leader (1 of 3 PDs live, 2 are needed)")
        await watch.until_open("no_pd_leader")
        seen = await watch.look()
        # What is not known is not down: the stores that answer are up, by their own word.
        assert [node(seen, name).state for name in ("tikv0", "tikv1", "tikv2")] == ["up", "down", "up"]
        assert signals(seen, "tikv0")["cluster"] == "unknown"
        cluster.start("tikv1")
        await watch.until(lambda seen: node(seen, "tikv1").state == "up")
        for _ in range(15):
            await watch.look()
            await asyncio.sleep(0.1)
        assert watch.closed == []
        assert "observation_unknown" not in watch.opened
        cluster.start(*gone)
        await watch.until_well()
        assert {"no_pd_leader", "store_down tikv1"} <= set(watch.closed)

    watching(spec_of(cluster, pd_leader_grace_s=1.0), work)


def test_a_frozen_pd_is_down_and_the_others_go_on(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        seen = await watch.until_well()
        frozen = next(one.id for one in seen.nodes if one.role == "pd" and not one.leader)
        cluster.freeze(frozen)
        seen = await watch.until(lambda seen: node(seen, frozen).state == "down" and seen.ok is False)
        assert sum(one.leader for one in seen.nodes) == 1
        await watch.until(lambda _seen: {f"pd_member_unhealthy {frozen}", "quorum_margin"} == watch.open())
        cluster.thaw(frozen)
        await watch.until_well()

    watching(spec_of(cluster, quorum_margin_grace_s=0.0), work)


def test_when_the_leader_of_pd_dies_that_is_told_at_once_and_an_election_that_works_is_no_violation(
    cluster: StandInCluster,
) -> None:
    async def work(watch: Watch) -> None:
        seen = await watch.until_well()
        led_by = next(one.id for one in seen.nodes if one.leader)
        before = len(watch.opened)
        cluster.kill(led_by)
        # Whether or not the others have agreed on a leader by now.
        await watch.until(lambda _seen: f"pd_member_unhealthy {led_by}" in watch.opened[before:])
        assert "no_pd_leader" not in watch.opened
        seen = await watch.until(lambda seen: seen.ok is False)
        assert sum(one.leader for one in seen.nodes) == 1
        cluster.start(led_by)
        await watch.until_well()
        assert "no_pd_leader" not in watch.opened

    watching(spec_of(cluster), work)


def test_when_no_pd_can_be_told_to_be_gone_it_is_only_unknown() -> None:
    async def work(watch: Watch) -> None:
        seen = await watch.look()
        assert (seen.ok, [one.state for one in seen.nodes]) == (None, ["unknown"])
        assert "pd_leader" not in seen.metrics
        assert "no_pd_leader" not in watch.opened

    # A name that no service knows: neither refused nor silent.
    watching(SubjectSpec("tikv", [], {"pd": "http://pd.invalid:2379"}), work)


def test_a_store_whose_leaders_are_evicted_is_told_and_is_not_out_of_balance_besides(cluster: StandInCluster) -> None:
    async def evict(store: int, *, stop: bool = False) -> None:
        client = PDClient(list(cluster.pd_urls.values()))
        await (client.stop_evicting if stop else client.evict_leaders)(store, deadline_s=5)
        await client.close()

    async def work(watch: Watch) -> None:
        await watch.until_well()
        await evict(STORE_IDS["tikv1"])
        await watch.until_open("leaders_evicted tikv1")
        # Whether it is evicted is two requests, which a look may be over before: such a one tells nothing of it.
        seen = await watch.until(
            lambda seen: (
                node(seen, "tikv1").detail.get("leaders") == 0
                and node(seen, "tikv1").detail.get("evicting") is True
                and seen.ok is True
            )
        )
        assert "are being evicted" in str(node(seen, "tikv1").detail["problem"])
        assert "leader_imbalance tikv1" not in watch.open()
        await evict(STORE_IDS["tikv1"], stop=True)
        # It may lead again and leads nothing yet: now it is out of balance.
        await watch.until(lambda _seen: "leaders_evicted tikv1" in watch.closed)
        await watch.until_well()

    watching(spec_of(cluster, leader_imbalance_grace_s=0.0, leader_imbalance_least=3), work)


def test_a_store_that_serves_no_clients_is_degraded_though_all_else_says_up(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        await watch.until_well()
        ask("PUT", f"http://{cluster.status['tikv0']}/pause_grpc", timeout_s=20)
        seen = await watch.until_open("data_port tikv0")
        assert node(seen, "tikv0").state == "degraded"
        assert set(signals(seen, "tikv0").values()) == {"up", "unknown"}
        ask("PUT", f"http://{cluster.status['tikv0']}/resume_grpc", timeout_s=20)
        await watch.until_well()

    watching(spec_of(cluster), work)


def test_a_paused_container_is_down_at_once(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(running(cluster))
        await watch.until_well()
        cluster.freeze("tikv1")
        watch.probe.tell_containers(running(cluster, tikv1={"state": "paused"}))
        seen = await watch.look()
        assert node(seen, "tikv1").state == "down"
        assert watch.told() == ["store_down tikv1"]
        cluster.thaw("tikv1")

    watching(spec_of(cluster), work)


def test_low_space_goes_by_what_is_available_whoever_uses_the_rest(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        short = {f"low_space tikv{number}" for number in range(3)}
        seen = await watch.until(
            lambda seen: watch.open() == short and all("used" in node(seen, name).detail for name in cluster.addresses)
        )
        # TiKV's own data is next to nothing here: by ``used`` the disks would be empty.
        assert all(float(node(seen, name).detail["used"] or 0.0) < 1 << 20 for name in cluster.addresses)

    # More than any disk has left, so that the real disk of this machine is short.
    watching(spec_of(cluster, low_space_share=1.0), work)


def test_a_cluster_that_is_not_ours_is_watched_by_the_url_of_one_pd(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        seen = await watch.until(lambda seen: seen.ok is True and len(seen.nodes) == 6)
        stores = [one.id for one in seen.nodes if one.role == "tikv"]
        assert stores == [f"store-{store_id}" for store_id in sorted(STORE_IDS.values())]
        assert [one.id for one in seen.nodes if one.role == "pd"] == ["pd0", "pd1", "pd2"]
        await watch.until(lambda seen: signals(seen, stores[0])["probe"] == "up")
        assert signals(seen, stores[0])["container"] == "unknown"
        # The others were learnt from the first: it may die.
        cluster.kill("pd0", "tikv0")
        gone = ("pd0", stores[0])
        await watch.until(lambda seen: seen.ok is False and {node(seen, name).state for name in gone} == {"down"})

    watching(SubjectSpec("tikv", [], {"pd": cluster.pd_urls["pd0"]}), work)


def test_evidence_tells_what_each_side_says_and_concludes_nothing(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        watch.probe.tell_containers(running(cluster))
        await watch.until_well()
        cluster.kill("tikv1")
        watch.probe.tell_containers(running(cluster, tikv1={"state": "exited", "exit_code": 137}))
        async with asyncio.timeout(20):
            text = ""
            # A port of which nothing has come back yet reads as silent.
            while not all(part in text for part in ("of tikv1 refuses", "PD holds tikv1", "leaders by store")):
                items = await watch.probe.evidence("tikv1", 3)
                text = " ".join(item.text for item in items)
        assert [item.id for item in items] == list(range(1, len(items) + 1))
        assert re.search(r"PD holds tikv1 \(store 4\) for (Up|Disconnected); its last heartbeat is", text)
        assert "The container of tikv1 is exited, exit code 137." in text
        assert "The status port of tikv1 refuses connections: nothing listens there." in text
        led = re.search(r"12 regions; leaders by store: tikv0 (\d), tikv1 (\d), tikv2 (\d)\.", text)
        assert led and sum(map(int, led.groups())) == 12
        assert await watch.probe.evidence(None, 3)
        assert await watch.probe.evidence("pd1", 3)

    watching(spec_of(cluster), work)
