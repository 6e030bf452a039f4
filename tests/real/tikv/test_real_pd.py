"""Every method of the PD client against three real PDs, and what becomes of its answers when some of them die."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from tests.real.tikv.cluster import REGIONS, STORE_IDS, RealCluster, real_cluster
from tests.real.tikv.programs import Programs

from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, OperatorError, Unavailable
from operatord.subjects.tikv.pd.client import NoLeader, NotBootstrapped, PDClient

T = TypeVar("T")

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

TIKV0, TIKV1, TIKV2, TIKV3 = STORE_IDS.values()
PATIENCE_S = 60.0


def of(cluster: RealCluster, work: Callable[[PDClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = PDClient(list(cluster.pd_urls.values()))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(main())


async def until(wanted: Callable[[], Awaitable[bool]]) -> float:
    """Seconds until it was so."""
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE_S):
        while not await wanted():
            await asyncio.sleep(0.1)
    return time.monotonic() - begun


async def schedules(client: PDClient) -> bool:
    return "balance-leader-scheduler" in await client.schedulers(deadline_s=10)


def test_before_a_store_has_joined_that_is_what_it_says(programs: Programs) -> None:
    with real_cluster(programs, stores=False) as cluster:

        async def work(client: PDClient) -> None:
            assert (await client.members(deadline_s=10)).leader is not None
            asks: list[Callable[..., Awaitable[object]]] = [
                client.stores, client.region_stats, client.schedulers, client.evicting, client.operators,
                client.regions_operated,
            ]  # fmt: skip
            for ask in asks:
                with pytest.raises(NotBootstrapped):
                    await ask(deadline_s=10)
            # This one panics inside PD, which answers with its stack: one line of it is enough.
            with pytest.raises(Unavailable) as caught:
                await client.transfer_leader(100, TIKV1, deadline_s=10)
            assert "\n" not in caught.value.message

        of(cluster, work)


def test_everything_that_is_asked_is_read(shared: RealCluster) -> None:
    async def work(client: PDClient) -> None:
        members = await client.members(deadline_s=10)
        # In no order that means anything.
        assert {one.name for one in members.members} == {"pd0", "pd1", "pd2"}
        assert {one.client_urls for one in members.members} == {(url,) for url in shared.pd_urls.values()}
        assert members.leader is not None
        assert members.leader.name == shared.leader()
        assert members.cluster_id > 2**53

        async def well() -> bool:
            found = await client.health(deadline_s=15)
            assert {one.member_id for one in found} == {one.member_id for one in members.members}
            return all(one.healthy for one in found)

        await until(well)
        stores = {one.id: one for one in await client.stores(deadline_s=10)}
        assert set(stores) == set(STORE_IDS.values())
        store = await client.store(TIKV2, deadline_s=10)
        assert (store.id, store.state, store.version) == (TIKV2, "Up", "8.5.5")
        assert (store.address, store.status_address) == (shared.addresses["tikv2"], shared.status["tikv2"])
        assert store.labels == {"zone": "z1"}
        assert (store.capacity, store.used) == (100 * 2**30, 12 * 2**20)
        assert store.available == pytest.approx(90.05 * 2**30, rel=0.005)
        assert (store.region_count, store.slow_score) == (REGIONS, 1.0)
        assert store.last_heartbeat_at == pytest.approx(time.time(), abs=10)
        assert store.uptime_s is not None
        assert 0 <= store.uptime_s < 300
        stats = await client.region_stats(deadline_s=10)
        assert (stats.count, sum(stats.leaders.values())) == (REGIONS, REGIONS)
        assert stats.peers == dict.fromkeys((TIKV0, TIKV1, TIKV2), REGIONS)
        assert (stats.size, stats.keys) == (REGIONS * 2**20, 100 * REGIONS)
        regions = await client.regions_of_store(TIKV2, deadline_s=10)
        assert {one.id for one in regions} == {100 + 2 * number for number in range(REGIONS)}
        one = await client.region(102, deadline_s=10)
        assert (one.start_key, one.end_key) == ("01", "02")
        assert [(peer.store_id, peer.role) for peer in one.peers] == [
            (store, "Voter") for store in (TIKV0, TIKV1, TIKV2)
        ]
        assert one.leader is not None
        for problem in ("miss-peer", "down-peer", "pending-peer", "offline-peer", "extra-peer"):
            assert await client.regions_with(problem, deadline_s=10) == 0
        assert (await client.config(deadline_s=10))["replication"]["max-replicas"] == 3
        for url in shared.pd_urls.values():
            await client.ping(url, deadline_s=10)

        await until(lambda: schedules(client))

    of(shared, work)


def test_what_it_refuses_says_why_in_one_line(shared: RealCluster) -> None:
    async def work(client: PDClient) -> None:
        refused: list[tuple[type[OperatorError], str, Awaitable[object]]] = [
            (NotFound, "store 12345 not found", client.store(12345, deadline_s=10)),
            (NotFound, "no region 5", client.region(5, deadline_s=10)),
            (Unavailable, "region 5 not found", client.transfer_leader(5, TIKV1, deadline_s=10)),
            (Unavailable, "no voter in store 99", client.transfer_leader(100, 99, deadline_s=10)),
            (Unavailable, "store 99 not found", client.transfer_peer(100, TIKV0, 99, deadline_s=10)),
            # A region that there is not: PD may be moving any other by itself.
            (Unavailable, "operator not found", client.cancel_operator(5, deadline_s=10)),
            (Unavailable, "store 99 not found", client.evict_leaders(99, deadline_s=10)),
            (
                BadRequest,
                "config item no-such-key not found",
                client.set_config("schedule.no-such-key", 1, deadline_s=10),
            ),
            (NotFound, "404 page not found", client.regions_with("no-such-problem", deadline_s=10)),
            (BadRequest, "cannot be told of id", client.evict_leaders(TIKV3 + 1, deadline_s=10)),
            (BadRequest, "cannot be told of id", client.transfer_leader(100, TIKV3 + 1, deadline_s=10)),
        ]
        for kind, said, asked in refused:
            with pytest.raises(kind, match=said) as caught:
                await asked
            assert "\n" not in caught.value.message
            assert '"' not in caught.value.message

    of(shared, work)


def test_a_pd_that_has_just_come_to_lead_is_not_taken_for_one_that_evicts_nothing(cluster: RealCluster) -> None:
    """It begins with the schedulers that it has kept after a while; until then it lists none."""

    async def work(client: PDClient) -> None:
        await until(lambda: schedules(client))
        await client.evict_leaders(TIKV1, deadline_s=10)
        before = cluster.leader()
        await client.resign(deadline_s=10)

        async def evicts_again() -> bool:
            try:
                assert await client.evicting(deadline_s=10) == (TIKV1,)
            except Unavailable:
                return False
            members = await client.members(deadline_s=10)
            return members.leader is not None and members.leader.name != before

        await until(evicts_again)
        await client.stop_evicting(TIKV1, deadline_s=10)
        assert await client.evicting(deadline_s=10) == ()

    of(cluster, work)


def test_leaders_move_on_request_and_by_eviction_and_come_back(cluster: RealCluster) -> None:
    async def work(client: PDClient) -> None:
        async def led_by(store: int, region: int) -> bool:
            found = await client.region(region, deadline_s=10)
            return found.leader is not None and found.leader.store_id == store

        await client.transfer_leader(102, TIKV2, deadline_s=10)
        await until(lambda: led_by(TIKV2, 102))

        async def leads_nothing() -> bool:
            return not (await client.region_stats(deadline_s=10)).leaders.get(TIKV2, 0)

        await client.evict_leaders(TIKV2, deadline_s=10)
        await client.evict_leaders(TIKV2, deadline_s=10)
        await client.evict_leaders(TIKV1, deadline_s=10)
        assert await client.evicting(deadline_s=10) == (TIKV1, TIKV2)
        await client.stop_evicting(TIKV1, deadline_s=10)
        assert await client.evicting(deadline_s=10) == (TIKV2,)
        await until(leads_nothing)
        await client.stop_evicting(TIKV2, deadline_s=10)
        await client.stop_evicting(TIKV2, deadline_s=10)
        with contextlib.suppress(Unavailable):  # so young a PD runs no other scheduler yet
            assert await client.evicting(deadline_s=10) == ()

        async def idle() -> bool:
            return await client.operators(deadline_s=10) == ()

        await until(idle)

    of(cluster, work)


def test_a_replica_that_is_to_move_is_an_operator_until_it_is_cancelled(cluster: RealCluster) -> None:
    async def work(client: PDClient) -> None:
        # PD does not move replicas of its own accord meanwhile.
        await client.set_config("schedule.region-schedule-limit", 0, deadline_s=10)
        await client.set_config("schedule.leader-schedule-limit", 0, deadline_s=10)
        assert (await client.config(deadline_s=10))["schedule"]["region-schedule-limit"] == 0
        await client.transfer_peer(104, TIKV0, TIKV3, deadline_s=10)
        assert await client.regions_operated(deadline_s=10) == (104,)
        assert "mv peer" in (await client.operators(deadline_s=10))[0]
        await client.cancel_operator(104, deadline_s=10)
        assert await client.regions_operated(deadline_s=10) == ()

    of(cluster, work)


def test_resigning_makes_another_pd_lead(cluster: RealCluster) -> None:
    before = cluster.leader()
    of(cluster, lambda client: client.resign(deadline_s=30))
    until_s = time.monotonic() + PATIENCE_S
    while cluster.leader() == before:
        assert time.monotonic() < until_s
        time.sleep(0.1)


def test_a_dead_follower_is_unhealthy_and_costs_nothing_else(cluster: RealCluster) -> None:
    dead = next(name for name in cluster.pd_urls if name != cluster.leader())

    async def work(client: PDClient) -> None:
        cluster.kill(dead)
        members = await client.members(deadline_s=10)
        ids = {one.name: one.member_id for one in members.members}
        assert members.leader is not None
        assert len(await client.stores(deadline_s=10)) == len(STORE_IDS)
        health = {one.member_id: one.healthy for one in await client.health(deadline_s=15)}
        assert [health[ids[name]] for name in cluster.pd_urls] == [name != dead for name in cluster.pd_urls]

    of(cluster, work)


def test_a_frozen_follower_delays_no_answer_but_that_of_health(
    cluster: RealCluster, figure: Callable[[str], None]
) -> None:
    leader = cluster.leader()
    frozen = next(name for name in cluster.pd_urls if name != leader)
    cluster.freeze(frozen)
    try:

        async def work(_: PDClient) -> None:
            # The frozen one first: it is asked before the others.
            client = PDClient([cluster.pd_urls[frozen], cluster.pd_urls[leader]])
            try:
                begun = time.monotonic()
                assert len(await client.stores(deadline_s=2.5)) == len(STORE_IDS)
                figure(f"frozen PD asked first: the stores after {time.monotonic() - begun:.2f} s")
                with pytest.raises(DeadlineExceeded):
                    await client.ping(cluster.pd_urls[frozen], deadline_s=0.5)
                begun = time.monotonic()
                health = await client.health(deadline_s=20)
                figure(f"frozen PD: its health check took {time.monotonic() - begun:.1f} s")
                assert [one.healthy for one in health].count(False) == 1
            finally:
                await client.close()

        of(cluster, work)
    finally:
        cluster.thaw(frozen)


def test_while_nobody_leads_every_question_is_an_error_and_never_an_empty_answer(
    cluster: RealCluster, figure: Callable[[str], None]
) -> None:
    dead = cluster.leader()

    async def work(client: PDClient) -> None:
        cluster.kill(dead)
        begun = time.monotonic()
        said: dict[str, float] = {}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    assert len(await client.stores(deadline_s=5)) == len(STORE_IDS)
                    members = await client.members(deadline_s=5)
                    if members.leader is not None and members.leader.name != dead:
                        break
                except (NoLeader, DeadlineExceeded) as error:
                    said.setdefault(error.message, time.monotonic() - begun)
                await asyncio.sleep(0.1)
        assert said
        # Whoever leads now knows the stores from before, not from their heartbeats.
        figure(f"PD leader killed: {time.monotonic() - begun:.1f} s until another one led")
        for message, after_s in said.items():
            figure(f"  from {after_s:.1f} s: {message}")

    of(cluster, work)


def test_without_a_majority_nothing_is_known_until_it_is_back(
    cluster: RealCluster, figure: Callable[[str], None]
) -> None:
    left = cluster.leader()
    dead = [name for name in cluster.pd_urls if name != left]

    async def work(client: PDClient) -> None:
        cluster.kill(*dead)
        begun = time.monotonic()
        # The one that is left believes that it leads until its lease is over, and answers from memory; but it cannot
        # tell of its members, which are in etcd. So a look, which asks for both, is without an answer at once.
        with pytest.raises((NoLeader, DeadlineExceeded)):
            await client.members(deadline_s=2)
        lasted = 0.0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await client.stores(deadline_s=5)
                    lasted = time.monotonic() - begun
                except NoLeader as error:
                    assert "unknown" in error.hint
                    break
                await asyncio.sleep(0.1)
        figure(f"no majority: the PD that is left told of stores for {lasted:.1f} s more, from memory")
        for ask in (client.members, client.stores, client.health, client.region_stats, client.schedulers):
            with pytest.raises(NoLeader):
                await ask(deadline_s=10)
        # It has no leader, and it lives.
        await client.ping(cluster.pd_urls[left], deadline_s=10)
        with pytest.raises((NoLeader, Conflict)):
            await client.evict_leaders(TIKV1, deadline_s=10)
        cluster.start(*dead)
        begun = time.monotonic()

        async def led() -> bool:
            try:
                return (await client.members(deadline_s=5)).leader is not None
            except Unavailable:
                return False

        figure(f"majority back: {await until(led):.1f} s until a PD led")
        assert len(await client.stores(deadline_s=10)) == len(STORE_IDS)

    of(cluster, work)
