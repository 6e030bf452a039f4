"""The PD client against PDs that elect, forward, freeze and die."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from tests.standins.cluster import STORE_IDS, StandInCluster, standin_cluster
from tests.standins.serving import Answer, Request, serve

from operator_protocol.errors import BadRequest, Conflict, DeadlineExceeded, NotFound, OperatorError, Unavailable
from operatord.subjects.tikv.pd.client import NoLeader, NotBootstrapped, PDClient
from operatord.subjects.tikv.pd.models import BadAnswer

T = TypeVar("T")


@pytest.fixture(scope="module")
def shared() -> Iterator[StandInCluster]:
    with standin_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster("--disconnect-after-s", "2", "--raft-election-s", "1", "--election-s", "0.2") as cluster:
        yield cluster


def asking(endpoints: list[str], work: Callable[[PDClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = PDClient(endpoints)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(main())


def of(cluster: StandInCluster, work: Callable[[PDClient], Awaitable[T]]) -> T:
    return asking(list(cluster.pd_urls.values()), work)


def answering(status: int, body: object, kind: str = "application/json") -> tuple[str, Callable[[], None]]:
    def handler(request: Request) -> Answer:
        return Answer(status, body, kind)

    server = serve("127.0.0.1:0", handler)
    return f"http://127.0.0.1:{server.server_port}", server.shutdown


def refused(body: object, status: int = 500, kind: str = "application/json") -> OperatorError:
    url, close = answering(status, body, kind)
    try:
        with pytest.raises(OperatorError) as caught:
            asking([url], lambda client: client.stores(deadline_s=2))
        return caught.value
    finally:
        close()


def test_members_stores_regions_and_schedulers_are_read_whole(shared: StandInCluster) -> None:
    async def work(client: PDClient) -> None:
        members = await client.members(deadline_s=5)
        assert [one.name for one in members.members] == ["pd0", "pd1", "pd2"]
        assert members.leader is not None
        assert members.cluster_id == 7_301_234_567_890_123_456
        assert [one.healthy for one in await client.health(deadline_s=10)] == [True] * 3
        stores = await client.stores(deadline_s=5)
        assert {one.id for one in stores} == set(STORE_IDS.values())
        store = await client.store(STORE_IDS["tikv2"], deadline_s=5)
        assert (store.state, store.address) == ("Up", shared.addresses["tikv2"])
        assert store.status_address == shared.status["tikv2"]
        assert store.capacity is not None
        assert store.available is not None
        assert 0 < store.available <= store.capacity
        assert store.last_heartbeat_at is not None
        assert abs(store.last_heartbeat_at - time.time()) < 5
        assert store.uptime_s is not None
        stats = await client.region_stats(deadline_s=5)
        assert (stats.count, sum(stats.leaders.values())) == (12, 12)
        regions = await client.regions_of_store(STORE_IDS["tikv0"], deadline_s=5)
        assert len(regions) == 12
        assert set(stats.leaders) == set(STORE_IDS.values())
        assert stats.leaders == Counter(region.leader.store_id for region in regions if region.leader)
        assert (await client.region(regions[0].id, deadline_s=5)).peers == regions[0].peers
        assert await client.regions_with("miss-peer", deadline_s=5) == 0
        assert "balance-leader-scheduler" in await client.schedulers(deadline_s=5)
        assert await client.operators(deadline_s=5) == ()
        assert (await client.config(deadline_s=5))["schedule"]["max-store-down-time"] == "30m0s"

    of(shared, work)


def test_leaders_are_transferred_and_evicted_and_come_back(cluster: StandInCluster) -> None:
    store = STORE_IDS["tikv1"]

    async def leads(client: PDClient, count: Callable[[int], bool]) -> None:
        while not count((await client.region_stats(deadline_s=5)).leaders.get(store, 0)):
            await asyncio.sleep(0.05)

    async def work(client: PDClient) -> None:
        region = (await client.regions_of_store(store, deadline_s=5))[0]
        await client.transfer_leader(region.id, STORE_IDS["tikv2"], deadline_s=5)
        moved = await client.region(region.id, deadline_s=5)
        assert moved.leader is not None
        assert moved.leader.store_id == STORE_IDS["tikv2"]
        await client.evict_leaders(store, deadline_s=5)
        assert await client.evicting(deadline_s=5) == (store,)
        async with asyncio.timeout(10):
            await leads(client, lambda count: count == 0)
        await client.stop_evicting(store, deadline_s=5)
        await client.stop_evicting(store, deadline_s=5)
        assert await client.evicting(deadline_s=5) == ()

    of(cluster, work)


def test_what_pd_refuses_says_why(shared: StandInCluster) -> None:
    async def work(client: PDClient) -> None:
        with pytest.raises(NotFound, match="store 12345 not found"):
            await client.store(12345, deadline_s=5)
        with pytest.raises(Unavailable, match="region 1 not found"):
            await client.transfer_leader(1, STORE_IDS["tikv1"], deadline_s=5)
        with pytest.raises(Unavailable, match="operator not found"):
            await client.cancel_operator(100, deadline_s=5)

    of(shared, work)


def test_any_pd_answers_and_a_dead_one_costs_a_moment(cluster: StandInCluster) -> None:
    async def work(client: PDClient) -> None:
        for name in ("pd0", "pd1"):
            cluster.kill(name)
            # Until the other two have agreed on a leader there is none to ask, and one that has just come back is told
            # of the stores by these.
            async with asyncio.timeout(20):
                while True:
                    try:
                        members = await client.members(deadline_s=10)
                        led = members.leader is not None and members.leader.name != name
                        if led and len(await client.stores(deadline_s=5)) == 3:
                            break
                    except Unavailable:
                        pass
                    await asyncio.sleep(0.1)
            cluster.start(name)
            await asyncio.sleep(1)

    of(cluster, work)


def test_a_frozen_pd_does_not_hold_up_the_answer(cluster: StandInCluster) -> None:
    async def work(client: PDClient) -> None:
        members = await client.members(deadline_s=5)
        assert members.leader is not None
        frozen = next(name for name in cluster.pd_urls if name != members.leader.name)
        cluster.freeze(frozen)
        endpoints = [cluster.pd_urls[frozen], *(url for name, url in cluster.pd_urls.items() if name != frozen)]
        fresh = PDClient(endpoints)
        assert len(await fresh.stores(deadline_s=2.5)) == 3
        with pytest.raises(DeadlineExceeded, match=r"within 0\.3 s"):
            await fresh.ping(cluster.pd_urls[frozen], deadline_s=0.3)
        cluster.thaw(frozen)
        await fresh.ping(cluster.pd_urls[frozen], deadline_s=5)
        await fresh.close()

    of(cluster, work)


def test_without_a_majority_there_is_no_leader_and_no_answer(cluster: StandInCluster) -> None:
    cluster.kill("pd1", "pd2")

    async def work(client: PDClient) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    await client.stores(deadline_s=10)
                except NoLeader as error:
                    assert "unknown" in error.hint
                    return
                except Unavailable:
                    pass

    of(cluster, work)


def test_a_store_that_falls_silent_is_disconnected_and_its_regions_get_other_leaders(cluster: StandInCluster) -> None:
    cluster.kill("tikv1")
    store = STORE_IDS["tikv1"]

    async def work(client: PDClient) -> None:
        async with asyncio.timeout(15):
            while (await client.store(store, deadline_s=5)).state != "Disconnected":
                await asyncio.sleep(0.05)
            while (await client.region_stats(deadline_s=5)).leaders.get(store, 0):
                await asyncio.sleep(0.05)
        assert await client.regions_with("down-peer", deadline_s=5) == 12

    of(cluster, work)


def test_no_answer_names_every_pd_that_was_asked() -> None:
    with pytest.raises(Unavailable, match=r"connection refused \(http://127.0.0.1:1, http://127.0.0.1:2\)") as caught:
        asking(["http://127.0.0.1:1", "http://127.0.0.1:2"], lambda client: client.stores(deadline_s=2))
    assert caught.value.hint
    with pytest.raises(BadRequest, match="at least one PD"):
        asking([], lambda client: client.stores(deadline_s=1))


def test_an_answer_of_another_program_is_no_answer() -> None:
    assert isinstance(refused(b"<html>hello</html>", 200, "text/html"), BadAnswer)
    assert isinstance(refused({"stores": [{"store": {"id": "one"}, "status": {}}]}, 200), BadAnswer)
    assert isinstance(refused({"stores": [{"store": {"id": 1, "address": "a"}, "status": {}}]}, 200), BadAnswer)
    assert isinstance(refused([], 200), BadAnswer)


@pytest.mark.parametrize(
    ("status", "body", "kind", "error"),
    [
        (503, b"[PD:apiutil:ErrRedirectNoLeader]redirect finds no leader\n", "text/plain", NoLeader),
        (500, b"[PD:apiutil:ErrRedirect]redirect failed\n", "text/plain", NoLeader),
        (500, "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped", "application/json", NotBootstrapped),
        (400, "missing region id", "application/json", BadRequest),
        (410, "store is tombstone", "application/json", Conflict),
        (500, "anything else", "application/json", Unavailable),
        (500, '"store 99 not found"\n', "application/json", Unavailable),
        (400, {"code": "input", "msg": "invalid syntax", "data": {}}, "application/json", BadRequest),
        (404, None, "application/json", NotFound),
        (503, b"no leader\n", "text/plain", NoLeader),
        (500, b"PANIC: nil pointer\ngoroutine 1 [running]:\n", "text/plain", Unavailable),
    ],
)
def test_errors_are_json_texts_or_plain_text(status: int, body: object, kind: str, error: type[OperatorError]) -> None:
    caught = refused(body, status, kind)
    assert type(caught) is error
    assert not {'"', "\n", "{"} & set(caught.message)


def test_ids_that_pd_would_take_for_others_are_not_told_to_it(shared: StandInCluster) -> None:
    async def work(client: PDClient) -> None:
        with pytest.raises(BadRequest, match="9007199254740993: it would take it for 9007199254740992"):
            await client.evict_leaders(2**53 + 1, deadline_s=5)
        with pytest.raises(BadRequest):
            await client.transfer_leader(100, 2**53 + 1, deadline_s=5)
        with pytest.raises(BadRequest):
            await client.transfer_peer(100, 1, 2**53 + 1, deadline_s=5)

    of(shared, work)


def test_a_region_that_pd_does_not_know_is_not_found_although_pd_answers_with_one(shared: StandInCluster) -> None:
    with pytest.raises(NotFound, match="no region 5"):
        of(shared, lambda client: client.region(5, deadline_s=5))


def test_one_pd_that_knows_of_no_leader_yet_does_not_hide_that_no_store_has_joined() -> None:
    leaderless, close_one = answering(503, b"no leader\n", "text/plain")
    leading, close_other = answering(500, "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped")
    try:
        with pytest.raises(NotBootstrapped):
            asking([leaderless, leading], lambda client: client.stores(deadline_s=5))
    finally:
        close_one()
        close_other()
