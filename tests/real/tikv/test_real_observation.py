"""Looks at three real PDs: who dies, what PD makes of it, and that what is not known is never told as well."""

import asyncio
import time
from collections.abc import Callable

import pytest
from tests.real.tikv.cluster import STORE_IDS, RealCluster
from tests.supervisor.tikv.watching import Watch, node, signals, watching

from operator_protocol.models import Scalar
from operatord.subjects.base import Member, Observation, SubjectSpec
from operatord.subjects.tikv.pd.client import PDClient
from operatord.subjects.tikv.settings import split_address

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

PATIENCE_S = 90.0
Figure = Callable[[str], None]


def spec_of(cluster: RealCluster, **options: Scalar) -> SubjectSpec:
    places = {name: url.partition("://")[2] for name, url in cluster.pd_urls.items()} | cluster.status
    data = ",".join(f"{name}={address}" for name, address in cluster.addresses.items())
    members = [Member(name, *split_address(place)) for name, place in places.items()]
    # The fourth store is empty: how the leaders are spread says nothing here.
    return SubjectSpec("tikv", members, {"data": data, "leader_imbalance_least": 100, **options})


async def until_well(watch: Watch) -> Observation:
    return await watch.until(lambda seen: seen.ok is True and not watch.open(), PATIENCE_S)


def test_a_real_cluster_is_well_with_every_signal_of_its_own(shared: RealCluster) -> None:
    async def work(watch: Watch) -> None:
        seen = await until_well(watch)
        assert [one.id for one in seen.nodes] == [*shared.pd_urls, *shared.addresses]
        for one in seen.nodes:
            assert one.signals == {"container": "unknown", "probe": "up", "cluster": "up"}, one.id
        assert {one.id for one in seen.nodes if one.leader} == {shared.leader()}
        store = node(seen, "tikv2")
        assert store.detail["store_id"] == str(STORE_IDS["tikv2"])
        assert (store.detail["regions"], store.detail["pd_state"], store.detail["data_port"]) == (12, "Up", "answered")
        assert store.detail["available_share"] == pytest.approx(0.9, abs=0.01)
        assert (seen.metrics["regions"], seen.metrics["stores_up"], seen.metrics["pd_leader"]) == (12, 4, 1)
        assert watch.opened == []

    watching(spec_of(shared), work)


def test_attached_to_one_url_it_finds_the_other_pds_and_all_stores(shared: RealCluster) -> None:
    async def work(watch: Watch) -> None:
        seen = await watch.until(
            lambda seen: (
                seen.ok is True and len(seen.nodes) == 7 and {one.signals["probe"] for one in seen.nodes} == {"up"}
            ),
            PATIENCE_S,
        )
        assert {one.id for one in seen.nodes if one.role == "pd"} == set(shared.pd_urls)
        stores = [one for one in seen.nodes if one.role == "tikv"]
        assert {one.detail["store_id"] for one in stores} == {str(one) for one in STORE_IDS.values()}

    watching(SubjectSpec("tikv", [], {"pd": shared.pd_urls["pd1"]}), work)


def test_a_killed_store_is_down_at_once_and_disconnected_for_pd_after_twenty_seconds(
    cluster: RealCluster, figure: Figure
) -> None:
    async def work(watch: Watch) -> None:
        await until_well(watch)
        cluster.tell("kill", "tikv0")
        begun = time.monotonic()
        seen = await watch.look()
        assert signals(seen, "tikv0") == {"container": "unknown", "probe": "down", "cluster": "up"}
        assert seen.reason == "tikv0 is down: it refuses connections"
        assert watch.opened == ["store_down tikv0"]
        figure(f"store killed: down after {time.monotonic() - begun:.2f} s by its own port")
        # This one lives, and PD hears nothing from it.
        cluster.tell("mute", "tikv3")
        await watch.until(lambda seen: signals(seen, "tikv0")["cluster"] == "down", PATIENCE_S)
        figure(f"store killed: Disconnected for PD after {time.monotonic() - begun:.1f} s")
        seen = await watch.until(lambda _seen: "store_disconnected tikv3" in watch.open(), PATIENCE_S)
        assert signals(seen, "tikv3") == {"container": "unknown", "probe": "up", "cluster": "down"}
        # The same trouble is not told twice, and its regions have other leaders.
        assert "store_disconnected tikv0" not in watch.opened
        assert node(seen, "tikv0").detail["leaders"] == 0
        assert seen.metrics["regions_down_peer"] == 12
        cluster.tell("start", "tikv0")
        cluster.tell("start", "tikv3")
        await until_well(watch)
        assert sorted(watch.opened) == sorted(watch.closed)

    watching(spec_of(cluster), work)


def test_a_dead_pd_is_unhealthy_and_the_next_one_would_be_too_many(cluster: RealCluster) -> None:
    async def work(watch: Watch) -> None:
        await until_well(watch)
        dead = next(name for name in cluster.pd_urls if name != cluster.leader())
        cluster.kill(dead)
        seen = await watch.until(lambda _seen: {f"pd_member_unhealthy {dead}", "quorum_margin"} <= watch.open())
        assert (seen.ok, node(seen, dead).state) == (False, "down")
        seen = await watch.until(lambda seen: signals(seen, dead)["cluster"] == "down", PATIENCE_S)
        assert {node(seen, name).state for name in cluster.addresses} == {"up"}
        cluster.start(dead)
        await until_well(watch)
        assert set(watch.opened) == set(watch.closed) == {f"pd_member_unhealthy {dead}", "quorum_margin"}

    watching(spec_of(cluster), work)


def test_while_pds_elect_the_cluster_is_unknown_and_its_stores_are_not_down(
    cluster: RealCluster, figure: Figure
) -> None:
    async def work(watch: Watch) -> None:
        await until_well(watch)
        dead = cluster.leader()
        cluster.kill(dead)
        begun = time.monotonic()
        seen = await watch.look()
        unknown = 0
        while seen.metrics.get("pd_leader") != 1 or any(one.leader and one.id == dead for one in seen.nodes):
            assert seen.ok is not True, seen
            unknown += seen.ok is None
            assert {node(seen, name).state for name in cluster.addresses} == {"up"}
            assert time.monotonic() - begun < PATIENCE_S
            await asyncio.sleep(0.2)
            seen = await watch.look()
        figure(f"PD leader killed: {time.monotonic() - begun:.1f} s without an observation, {unknown} unknown looks")
        assert unknown
        assert seen.ok is False
        assert signals(seen, dead)["probe"] == "down"
        assert not [name for name in watch.opened if name.startswith("store_")]

    watching(spec_of(cluster), work)


def test_a_leader_that_is_frozen_takes_no_other_pd_along(cluster: RealCluster, figure: Figure) -> None:
    async def work(watch: Watch) -> None:
        await until_well(watch)
        frozen = cluster.leader()
        cluster.freeze(frozen)
        begun = time.monotonic()
        try:
            seen = await watch.look()
            while seen.metrics.get("pd_leader") != 1 or any(one.leader and one.id == frozen for one in seen.nodes):
                assert seen.ok is not True, seen
                for name in cluster.pd_urls:
                    # This PD forwards what it is asked to the leader, but not whether it lives.
                    assert name == frozen or node(seen, name).state == "up", seen
                assert {node(seen, name).state for name in cluster.addresses} == {"up"}
                assert time.monotonic() - begun < PATIENCE_S
                await asyncio.sleep(0.2)
                seen = await watch.look()
            figure(f"PD leader frozen: {time.monotonic() - begun:.1f} s without an observation")
            assert (seen.ok, node(seen, frozen).state) == (False, "down")
        finally:
            cluster.thaw(frozen)
        await until_well(watch)
        assert {name for name in watch.opened if name.startswith("pd_member")} == {f"pd_member_unhealthy {frozen}"}

    watching(spec_of(cluster), work)


def test_two_of_three_pds_dead_is_unknown_and_opens_no_pd_leader_until_they_are_back(
    cluster: RealCluster, figure: Figure
) -> None:
    async def work(watch: Watch) -> None:
        await until_well(watch)
        dead = [name for name in cluster.pd_urls if name != cluster.leader()]
        cluster.kill(*dead)
        begun = time.monotonic()
        seen = await watch.look()
        # The one that is left answers from memory while its lease lasts; that is not to be taken for a cluster.
        assert seen.ok is None, seen
        figure(f"two PDs killed: unknown after {time.monotonic() - begun:.2f} s")
        while "no_pd_leader" not in watch.open():
            seen = await watch.look()
            assert seen.ok is None, seen
            assert {node(seen, name).state for name in cluster.addresses} == {"up"}
            assert time.monotonic() - begun < PATIENCE_S
            await asyncio.sleep(0.2)
        figure(f"two PDs killed: no_pd_leader opened after {time.monotonic() - begun:.1f} s")
        assert seen.reason.startswith("no PD leader (1 of 3 PDs live, 2 are needed)")
        assert {signals(seen, name)["cluster"] for name in cluster.addresses} == {"unknown"}
        cluster.start(*dead)
        begun = time.monotonic()
        await until_well(watch)
        figure(f"two PDs back: well after {time.monotonic() - begun:.1f} s")
        assert set(watch.opened) == set(watch.closed)
        assert "no_pd_leader" in watch.opened

    watching(spec_of(cluster), work)


def test_evicted_leaders_are_a_violation_until_they_may_lead_again(cluster: RealCluster) -> None:
    async def work(watch: Watch) -> None:
        await until_well(watch)
        client = PDClient(list(cluster.pd_urls.values()))
        try:
            await client.evict_leaders(STORE_IDS["tikv1"], deadline_s=10)
            await watch.until(lambda _seen: "leaders_evicted tikv1" in watch.open())
            await watch.until(lambda seen: node(seen, "tikv1").detail["leaders"] == 0, PATIENCE_S)
            await client.stop_evicting(STORE_IDS["tikv1"], deadline_s=10)
        finally:
            await client.close()
        await until_well(watch)
        assert watch.opened == watch.closed == ["leaders_evicted tikv1"]

    watching(spec_of(cluster), work)
