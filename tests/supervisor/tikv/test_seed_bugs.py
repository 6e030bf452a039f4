"""Bugs of the system that this one replaces, each with a test named after what it would have done."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from tests.standins.cluster import STORE_IDS, StandInCluster, standin_cluster
from tests.standins.prometheus import prometheus
from tests.standins.serving import ask
from tests.supervisor.tikv.watching import QUICK, Watch, node, spec_of, watching

from operatord.subjects.tikv.pd.client import PDClient


@pytest.fixture
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster(*QUICK) as cluster:
        yield cluster


def test_bug_2_every_transfer_of_a_leader_was_refused_because_it_named_store_id_not_to_store_id(
    cluster: StandInCluster,
) -> None:
    # What it sent, PD refuses.
    leader = next(url for url in cluster.pd_urls.values())
    wrong = {"name": "transfer-leader", "region_id": 100, "store_id": STORE_IDS["tikv2"]}
    status, body = ask("POST", f"{leader}/pd/api/v1/operators", wrong, timeout_s=5)
    assert (status, body) == (400, b'"missing store id to transfer leader to"')

    async def work() -> None:
        client = PDClient(list(cluster.pd_urls.values()))
        region = (await client.regions_of_store(STORE_IDS["tikv0"], deadline_s=5))[0]
        target = next(
            peer.store_id for peer in region.peers if region.leader and peer.store_id != region.leader.store_id
        )
        await client.transfer_leader(region.id, target, deadline_s=5)
        moved = await client.region(region.id, deadline_s=5)
        await client.close()
        assert moved.leader is not None
        assert moved.leader.store_id == target

    asyncio.run(work())


def test_bug_3_every_metric_read_zero_because_the_port_of_pds_address_was_looked_for_in_prometheus(
    cluster: StandInCluster,
) -> None:
    with prometheus(cluster) as url:

        async def work(watch: Watch) -> None:
            ends = time.monotonic() + 4
            while time.monotonic() < ends:
                for number in range(20):
                    for address in cluster.addresses.values():
                        ask("PUT", f"http://{address}/kv/user{number}", b"x", timeout_s=20)
            # Latency: a figure that is not zero, for every store, and an invariant that fires on it.
            slow = {f"p99_latency tikv{number}" for number in range(3)}
            told = {"status_address", "p99_ms", "ops_per_sec", "available"}
            seen = await watch.until(
                lambda seen: slow <= watch.open() and all(told <= set(node(seen, name).detail) for name in STORE_IDS)
            )
            for name in cluster.addresses:
                store = node(seen, name)
                assert store.address != store.detail["status_address"]
                assert float(store.detail["p99_ms"] or 0) > 0
                assert float(store.detail["ops_per_sec"] or 0) > 0
            # Disk: by what is available, since ``used`` would not see a file that fills it.
            assert {f"low_space tikv{number}" for number in range(3)} <= watch.open()

        options = {"p99_ms": 0.001, "p99_grace_s": 0.0, "prometheus_every_s": 0.2, "low_space_share": 1.0}
        watching(spec_of(cluster, prometheus=url, **options), work)


def test_bug_4_an_outage_of_pd_was_an_all_clear_that_closed_every_open_ticket(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        await watch.until_well()
        cluster.kill("tikv1")
        await watch.until_open("store_down tikv1")
        closed_before = list(watch.closed)
        cluster.kill("pd0", "pd1", "pd2")
        seen = await watch.until(lambda seen: seen.ok is None)
        cluster.start("tikv1")  # even what holds again is not known to
        ends = time.monotonic() + 20
        up = 0
        while up < 20 or "no_pd_leader" not in watch.open():
            assert time.monotonic() < ends, "tikv1 does not come back"
            seen = await watch.look()
            assert seen.ok is None
            up += node(seen, "tikv1").state == "up"
            await asyncio.sleep(0.1)
        assert watch.closed == closed_before
        assert {"store_down tikv1", "no_pd_leader"} <= watch.open()
        assert not any(one.state == "down" for one in seen.nodes if one.role == "tikv")

    watching(spec_of(cluster, pd_leader_grace_s=1.0), work)


def test_bug_10_when_pd_could_not_be_asked_the_last_health_was_shown_on_as_if_it_were_of_now(
    cluster: StandInCluster,
) -> None:
    async def work(watch: Watch) -> None:
        before = await watch.until_well()
        assert node(before, "tikv0").detail["pd_state"] == "Up"
        cluster.kill("pd0", "pd1", "pd2")
        seen = await watch.look()
        assert seen.ok is None
        assert seen.observed_at > before.observed_at
        for name in cluster.addresses:
            store = node(seen, name)
            assert store.signals["cluster"] == "unknown"
            assert "pd_state" not in store.detail
            assert "leaders" not in store.detail
        assert "regions" not in seen.metrics

    watching(spec_of(cluster), work)
