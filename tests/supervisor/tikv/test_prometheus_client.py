"""The Prometheus client and every query of the table, against a real Prometheus."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
from tests.standins.cluster import StandInCluster, is_balanced, standin_cluster
from tests.standins.prometheus import prometheus
from tests.standins.serving import Answer, Request, ask, serve

from operator_protocol.errors import BadRequest, DeadlineExceeded, Unavailable
from operatord.subjects.tikv.prometheus.client import PrometheusClient, by_label, one
from operatord.subjects.tikv.prometheus.queries import BY_NAME, QUERIES

T = TypeVar("T")


@pytest.fixture(scope="module")
def scraped() -> Iterator[tuple[StandInCluster, str]]:
    with standin_cluster() as cluster, prometheus(cluster) as url:
        yield cluster, url


def asking(url: str, work: Callable[[PrometheusClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = PrometheusClient(url)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(main())


async def until(client: PrometheusClient, expression: str, count: int) -> None:
    """Until the query yields so many series that mean something."""
    async with asyncio.timeout(30):
        while (
            len([None for sample in await client.query(expression, deadline_s=5) if sample.figure is not None]) < count
        ):
            await asyncio.sleep(0.2)


def load(cluster: StandInCluster, seconds: float) -> None:
    """A few requests to each store."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for number in range(20):
            for address in cluster.addresses.values():
                with contextlib.suppress(OSError):
                    ask("PUT", f"http://{address}/kv/user{number}", b"x")
                    ask("GET", f"http://{address}/kv/user{number}")


def test_every_query_of_the_table_yields_data_that_joins_on_the_status_address(
    scraped: tuple[StandInCluster, str],
) -> None:
    cluster, url = scraped
    needs_more = {"raft_log_lag", "unreachable"}

    async def idle(client: PrometheusClient) -> None:
        # The stand-ins have no log that lags, and nobody is unreachable: no data, which is not zero. Under load one
        # that is late may be held for unreachable.
        for name in needs_more:
            assert await client.query(BY_NAME[name].expression, deadline_s=5) == []

    asking(url, idle)
    load(cluster, 3)

    async def work(client: PrometheusClient) -> None:
        for query in QUERIES:
            if query.name in needs_more:
                continue
            await until(client, query.expression, 3)
            samples = await client.query(query.expression, deadline_s=5)
            found = by_label(samples, query.by)
            assert found, query.name
            if query.by == "instance" and query.name != "scrape_age":
                assert set(found) == set(cluster.status.values()), query.name
                assert not set(found) & set(cluster.addresses.values())
        age = by_label(await client.query(BY_NAME["scrape_age"].expression, deadline_s=5), "instance")
        assert max(age.values()) < 30
        async with asyncio.timeout(30):
            # A scrape that came too late, or before the stores had heard who leads, is followed by another one.
            while True:
                leaders = by_label(await client.query(BY_NAME["leaders"].expression, deadline_s=5), "instance")
                stores = by_label(await client.query(BY_NAME["pd_stores"].expression, deadline_s=5), "type")
                if is_balanced(leaders.values()) and stores.get("store_up_count") == 3:
                    break
                await asyncio.sleep(0.2)

    asking(url, work)


def test_no_data_not_a_number_and_infinite_are_told_from_zero(scraped: tuple[StandInCluster, str]) -> None:
    async def work(client: PrometheusClient) -> None:
        assert await client.query("nothing_of_that_name", deadline_s=5) == []
        assert one(await client.query("nothing_of_that_name", deadline_s=5)) is None
        (nan,) = await client.query("vector(0)/0", deadline_s=5)
        assert math.isnan(nan.value)
        assert nan.figure is None
        (infinite,) = await client.query("vector(1)/0", deadline_s=5)
        assert infinite.value == math.inf
        assert infinite.figure is None
        assert one(await client.query("vector(0)", deadline_s=5)) == 0.0
        assert one(await client.query("scalar(vector(2))", deadline_s=5)) == 2.0

    asking(scraped[1], work)


def test_a_range_is_a_list_of_points_for_each_series(scraped: tuple[StandInCluster, str]) -> None:
    async def work(client: PrometheusClient) -> None:
        async with asyncio.timeout(30):
            # A scrape that came too late shows as 0 for as long as the range is.
            while True:
                now = time.time()
                series = await client.query_range('up{job="tikv"}', now - 3, now, 1, deadline_s=5)
                assert len(series) == 3
                assert all(1 <= len(item.points) <= 4 for item in series)
                if {value for item in series for _, value in item.points} == {1.0}:
                    break
                await asyncio.sleep(0.5)

    asking(scraped[1], work)


def test_a_query_that_is_wrong_says_what_the_server_says(scraped: tuple[StandInCluster, str]) -> None:
    async def work(client: PrometheusClient) -> None:
        with pytest.raises(BadRequest, match="parse error"):
            await client.query("sum(", deadline_s=5)
        with pytest.raises(BadRequest, match="yields a string"):
            await client.query('"text"', deadline_s=5)
        with pytest.raises(BadRequest, match="yields a matrix"):
            await client.query("up[1m]", deadline_s=5)
        await client.ready(deadline_s=5)

    asking(scraped[1], work)


def test_no_server_another_server_and_a_silent_server_are_unavailable() -> None:
    def silent(request: Request) -> Answer:
        if request.path.endswith("query"):
            return Answer(200, b"<html>", "text/html")
        time.sleep(1)
        return Answer(200, b"")

    server = serve("127.0.0.1:0", silent)

    async def work(client: PrometheusClient) -> None:
        with pytest.raises(Unavailable, match="does not speak Prometheus"):
            await client.query("up", deadline_s=5)
        with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
            await client.ready(deadline_s=0.2)

    asking(f"http://127.0.0.1:{server.server_port}", work)
    server.shutdown()
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1: "):
        asking("http://127.0.0.1:1", lambda client: client.query("up", deadline_s=2))
