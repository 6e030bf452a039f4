"""What Prometheus adds to a look: by the address that it scrapes, no data as no data, and old data as old."""

import time
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
from tests.standins.cluster import StandInCluster, standin_cluster
from tests.standins.prometheus import prometheus
from tests.standins.serving import Answer, Request, Server, ask, serve
from tests.supervisor.tikv.watching import Watch, node, spec_of, watching

from operatord.subjects.tikv.prometheus.queries import QUERIES

OFTEN = {"prometheus_every_s": 0.2, "p99_grace_s": 0.0}
SOON = {**OFTEN, "stale_metrics_s": 2.0}
"""Where something is to become old."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[StandInCluster]:
    with standin_cluster() as cluster:
        yield cluster


class Canned:
    """Answers each query of the table with what ``told`` has for its name: label to value."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, str]] = {}
        self.silent = False
        self._names = {query.expression: query for query in QUERIES}

    def answer(self, request: Request) -> Answer:
        if self.silent:
            return Answer(503, b"")
        query = self._names[urllib.parse.unquote_plus(request.query["query"])]
        series = self.told.get(query.name, {})
        result = [{"metric": {query.by: label}, "value": [time.time(), value]} for label, value in series.items()]
        return Answer(200, {"status": "success", "data": {"resultType": "vector", "result": result}})


@pytest.fixture
def canned() -> Iterator[tuple[Canned, str]]:
    answers = Canned()
    server: Server = serve("127.0.0.1:0", answers.answer)
    yield answers, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def every(cluster: StandInCluster, value: Callable[[str], str]) -> dict[str, str]:
    return {instance: value(name) for name, instance in cluster.status.items()}


@pytest.mark.soak
def test_a_real_prometheus_tells_latency_and_load_of_each_store(cluster: StandInCluster) -> None:
    with prometheus(cluster) as url:

        async def work(watch: Watch) -> None:
            ends = time.monotonic() + 4
            while time.monotonic() < ends:
                for number in range(20):
                    for address in cluster.addresses.values():
                        ask("PUT", f"http://{address}/kv/user{number}", b"x")
            seen = await watch.until(
                lambda seen: all("p99_ms" in node(seen, name).detail for name in cluster.addresses)
            )
            store = node(seen, "tikv1").detail
            assert float(store["ops_per_sec"] or 0) > 0
            assert store["scraped"] is True
            assert node(seen, "pd0").detail["scrape_age_s"] is not None
            # Above a threshold that everything breaks: the figure arrives where the threshold is.
            await watch.until_open("p99_latency tikv1")

        watching(spec_of(cluster, prometheus=url, p99_ms=0.001, prometheus_every_s=0.2, p99_grace_s=0.0), work)


def test_a_quantile_of_no_requests_is_not_a_number_and_no_finding(
    cluster: StandInCluster, canned: tuple[Canned, str]
) -> None:
    answers, url = canned
    answers.told = {
        "scrape_age": every(cluster, lambda _name: "1"),
        "up": every(cluster, lambda _name: "1"),
        "p99": every(cluster, lambda name: {"tikv0": "NaN", "tikv1": "+Inf", "tikv2": "0.5"}[name]),
        "ops": every(cluster, lambda _name: "0"),
    }

    async def work(watch: Watch) -> None:
        seen = await watch.until_open("p99_latency tikv2")
        assert watch.open() == {"p99_latency tikv2"}
        assert node(seen, "tikv2").detail["p99_ms"] == 500.0
        assert "p99_ms" not in node(seen, "tikv0").detail
        assert "p99_ms" not in node(seen, "tikv1").detail
        assert node(seen, "tikv0").detail["ops_per_sec"] == 0.0

    watching(spec_of(cluster, prometheus=url, **OFTEN), work)


def test_figures_of_an_old_scrape_are_not_used_and_the_age_is_a_violation_of_its_own(
    cluster: StandInCluster, canned: tuple[Canned, str]
) -> None:
    answers, url = canned
    answers.told = {
        "scrape_age": every(cluster, lambda name: "90" if name == "tikv1" else "0.5"),
        "p99": every(cluster, lambda _name: "9"),
    }

    async def work(watch: Watch) -> None:
        seen = await watch.until(lambda _seen: {"stale_metrics tikv1", "p99_latency tikv0"} <= watch.open())
        assert "p99_ms" not in node(seen, "tikv1").detail
        assert "p99_latency tikv1" not in watch.opened
        # A target that Prometheus has forgotten only grows older.
        answers.told["scrape_age"].pop(cluster.status["tikv0"])
        await watch.until_open("stale_metrics tikv0")

    watching(spec_of(cluster, prometheus=url, **SOON), work)


def test_a_prometheus_that_stops_answering_is_told_and_its_figures_are_dropped(
    cluster: StandInCluster, canned: tuple[Canned, str]
) -> None:
    answers, url = canned
    answers.told = {
        "scrape_age": every(cluster, lambda _name: "0.5"),
        "p99": every(cluster, lambda name: "9" if name == "tikv0" else "0.001"),
    }

    async def work(watch: Watch) -> None:
        await watch.until_open("p99_latency tikv0")
        answers.silent = True
        # The rest of the look goes on as if there were no Prometheus.
        seen = await watch.until(lambda seen: "stale_metrics" in watch.open() and seen.ok is True)
        assert "p99_ms" not in node(seen, "tikv0").detail
        answers.silent = False
        await watch.until(lambda _seen: "stale_metrics" in watch.closed)

    watching(spec_of(cluster, prometheus=url, **SOON), work)


def test_a_store_that_answers_here_and_cannot_be_scraped_is_told(
    cluster: StandInCluster, canned: tuple[Canned, str]
) -> None:
    answers, url = canned
    answers.told = {
        "scrape_age": every(cluster, lambda _name: "0.5"),
        "up": every(cluster, lambda name: "0" if name == "tikv2" else "1"),
    }

    async def work(watch: Watch) -> None:
        await watch.until_open("stale_metrics tikv2")
        assert watch.open() == {"stale_metrics tikv2"}

    watching(spec_of(cluster, prometheus=url, **OFTEN), work)


def test_a_scrape_that_failed_before_the_store_was_back_is_no_trouble_of_the_scrape(
    cluster: StandInCluster, canned: tuple[Canned, str]
) -> None:
    answers, url = canned
    answers.told = {
        "scrape_age": every(cluster, lambda _name: "40"),
        "up": every(cluster, lambda name: "0" if name == "tikv2" else "1"),
    }

    async def work(watch: Watch) -> None:
        seen = await watch.until(lambda seen: node(seen, "tikv1").detail.get("scraped") is True)
        assert node(seen, "tikv2").detail["scraped"] is None
        assert watch.open() == set()
        # Its turn came again, and it failed again.
        answers.told["scrape_age"] = every(cluster, lambda _name: "0.05")
        await watch.until_open("stale_metrics tikv2")

    watching(spec_of(cluster, prometheus=url, prometheus_every_s=0.2), work)


def test_a_prometheus_that_answers_and_knows_nothing_of_this_cluster_is_told(
    cluster: StandInCluster, canned: tuple[Canned, str]
) -> None:
    answers, url = canned
    answers.told = {"scrape_age": {"10.9.9.9:20180": "0.5"}, "p99": {"10.9.9.9:20180": "9"}}

    async def work(watch: Watch) -> None:
        await watch.until(
            lambda _seen: (
                ["is it theirs?" in one.message for one in watch.tracker.open()] == [True]
                and watch.open() == {"stale_metrics"}
            )
        )
        answers.told["scrape_age"] = every(cluster, lambda _name: "0.5")
        await watch.until(lambda _seen: "stale_metrics" in watch.closed)

    watching(spec_of(cluster, prometheus=url, **SOON), work)


def test_no_prometheus_at_its_address_leaves_the_rest_as_it_is(cluster: StandInCluster) -> None:
    async def work(watch: Watch) -> None:
        seen = await watch.until(lambda seen: seen.ok is True)
        assert seen.metrics["prometheus_fresh"] == 0.0
        text = " ".join(item.text for item in await watch.probe.evidence(None, 0.4))
        assert "Prometheus has not answered for" in text
        await watch.until_open("stale_metrics")

    watching(spec_of(cluster, prometheus="http://127.0.0.1:1", **SOON), work)
