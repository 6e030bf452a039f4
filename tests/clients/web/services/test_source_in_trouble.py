"""A metrics server that is down, slow, wrong or somebody else's: old data marked as such, then 503; never made up."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler

import httpx
import pytest
from tests.clients.web.services.served import HEALTH, Wall, asking, run, served
from tests.standins import metrics
from tests.standins.metrics import Answering, MetricsServer, metrics_server

from operator_clients.web.services.cache import PATIENCE_S
from operator_clients.web.services.catalogue import load_catalogue
from operator_clients.web.services.prometheus import PrometheusSource

CATALOGUE = load_catalogue("services")
SPARKLINE = "/api/metrics/services/redis/sparkline?metric=cpu"
WRONG: list[Answering] = [
    metrics.html,
    metrics.half,
    metrics.nonsense,
    metrics.no_numbers,
    metrics.no_times,
    metrics.failing,
    metrics.elsewhere,
    metrics.refusing,
    metrics.unauthorized,
]


def failed(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 503, answer.text
    assert "Retry-After" in answer.headers
    error: dict[str, str] = answer.json()["error"]
    assert set(error) == {"code", "message", "hint"}
    return error


@pytest.mark.criterion("US-04", "nothing cached: 503 with a message")
@pytest.mark.criterion("defect-4", "a failure is a 503, never random or empty data")
@pytest.mark.criterion("defect-11", "no mock data in place of an error")
@pytest.mark.parametrize("answering", WRONG, ids=lambda one: one.__name__)
def test_without_anything_kept_a_server_that_fails_is_a_503_that_says_why(answering: Answering) -> None:
    async def story() -> None:
        with metrics_server() as server:
            server.answering = answering
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                error = failed(await client.get(HEALTH))
                assert (error["code"], bool(error["hint"])) == ("source_down", True)
                assert "nothing younger than 5 minutes is kept" in error["message"]
                if answering is not metrics.refusing:
                    assert server.url in error["message"]
                    failed(await client.get(SPARKLINE))

    run(story)


@pytest.mark.criterion("US-04", "nothing cached: 503 with a message")
@pytest.mark.criterion("defect-4", "a failure is a 503, never random or empty data")
def test_without_anything_kept_a_server_that_is_not_there_or_does_not_answer_is_a_503() -> None:
    async def story() -> None:
        with metrics_server() as server:
            server.answering = metrics.waits
            async with served(CATALOGUE, PrometheusSource(server.url, deadline_s=0.2), Wall()) as client:
                assert "did not answer within 0.2 s" in failed(await client.get(HEALTH))["message"]
                assert "did not answer within 0.2 s" in failed(await client.get(SPARKLINE))["message"]
            server.released.set()
            gone = server.url
        async with served(CATALOGUE, asking(gone), Wall()) as client:
            assert gone in failed(await client.get(HEALTH))["message"]

    run(story)


@pytest.mark.criterion("US-04", "nothing cached: 503 with a message")
def test_without_a_metrics_server_it_says_how_to_give_one_and_still_knows_the_catalogue() -> None:
    async def story() -> None:
        async with served(CATALOGUE, None, Wall()) as client:
            for path in (HEALTH, SPARKLINE):
                error = failed(await client.get(path))
                assert error["code"] == "no_metrics_source"
                assert "--metrics-url" in error["hint"]
            assert (await client.get("/api/metrics/catalogue")).json()["source"] == "none"

    run(story)


@pytest.mark.criterion("US-04", "source down: cached data up to 5 min old, marked stale with its age")
@pytest.mark.criterion("defect-4", "a failure shows old data marked as old, for five minutes")
@pytest.mark.parametrize("answering", [metrics.html, metrics.half, metrics.failing, metrics.refusing])
def test_what_is_kept_tides_over_a_failure_for_five_minutes_marked_with_its_age(answering: Answering) -> None:
    async def story() -> None:
        wall = Wall()
        with metrics_server() as server:
            async with served(CATALOGUE, asking(server.url), wall) as client:
                good = (await client.get(HEALTH)).json()
                assert (good["source"], good["stale"]) == ("live", False)
                server.answering = answering
                for age_s in (15.0, 100.0, 299.0, 300.0):
                    wall.now = Wall.now + age_s
                    old = (await client.get(HEALTH)).json()
                    assert (old["source"], old["stale"], old["ageSeconds"]) == ("cache", True, age_s)
                    assert (old["services"], old["timestamp"]) == (good["services"], good["timestamp"])
                wall.now = Wall.now + 300.1
                failed(await client.get(HEALTH))
                server.answering, server.value = None, 7.0
                new = (await client.get(HEALTH)).json()
                assert (new["source"], new["stale"], new["ageSeconds"]) == ("live", False, 0)
                assert new["services"][0]["cpuPercent"] == 7.0

    run(story)


@pytest.mark.criterion("US-04", "source down: cached data up to 5 min old, marked stale with its age")
def test_a_sparkline_is_kept_as_long_and_marked_as_clearly() -> None:
    async def story() -> None:
        wall = Wall()
        with metrics_server() as server:
            async with served(CATALOGUE, asking(server.url), wall) as client:
                good = (await client.get(SPARKLINE)).json()
                server.answering = metrics.half
                wall.now += 300
                old = (await client.get(SPARKLINE)).json()
                assert (old["source"], old["stale"], old["ageSeconds"]) == ("cache", True, 300)
                assert old["dataPoints"] == good["dataPoints"]
                wall.now += 1
                failed(await client.get(SPARKLINE))

    run(story)


@pytest.mark.criterion("US-04", "answers in time: a slow source does not hold up who can be shown old data")
def test_a_slow_server_does_not_keep_a_reader_waiting_for_whom_there_is_old_data() -> None:
    async def story() -> None:
        wall = Wall()
        with metrics_server() as server:
            patient = PrometheusSource(server.url, deadline_s=600)
            async with served(CATALOGUE, patient, wall, PATIENCE_S) as client:
                await client.get(HEALTH)
                server.answering, server.value = metrics.waits, 9.0
                wall.now += 20
                # Nobody has released the server: an answer can only be the old one.
                old = (await client.get(HEALTH)).json()
                assert (old["stale"], old["services"][0]["cpuPercent"]) == (True, 42.0)
                server.released.set()
                # What was under way arrives all the same, for the next reader.
                while (new := (await client.get(HEALTH)).json())["stale"]:
                    await asyncio.sleep(0.01)
                assert new["services"][0]["cpuPercent"] == 9.0

    run(story)


@pytest.mark.criterion("US-04", "fresh answers come from the cache: 15 s for health, 60 s for sparklines")
def test_the_server_is_asked_again_only_when_the_answer_is_no_longer_fresh() -> None:
    async def story() -> None:
        wall = Wall()
        with metrics_server() as server:
            async with served(CATALOGUE, asking(server.url), wall) as client:
                for path, fresh_s in ((HEALTH, 15.0), (SPARKLINE, 60.0)):
                    await client.get(path)
                    before = len(server.asked)
                    wall.now += fresh_s - 0.1
                    body = (await client.get(path)).json()
                    assert (body["source"], body["stale"], body["ageSeconds"]) == ("cache", False, fresh_s - 0.1)
                    assert len(server.asked) == before
                    wall.now += 0.1
                    assert (await client.get(path)).json()["source"] == "live"
                    assert len(server.asked) > before

    run(story)


@pytest.mark.criterion("US-04", "100 concurrent requests")
@pytest.mark.parametrize("path", [HEALTH, SPARKLINE])
def test_a_hundred_at_once_ask_the_server_once(path: str) -> None:
    async def story() -> None:
        with metrics_server() as server:
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                answers = await asyncio.gather(*(client.get(path) for _ in range(100)))
        assert {one.status_code for one in answers} == {200}
        assert len({one.text for one in answers}) == 1
        asked = sum(len(service.queries.asked()) for service in CATALOGUE.services.values())
        assert len(server.asked) == (asked if path == HEALTH else 1)

    run(story)


def test_one_who_goes_away_does_not_take_the_answer_from_the_others() -> None:
    async def story() -> None:
        with metrics_server() as server:
            server.answering = metrics.waits
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                impatient = asyncio.create_task(client.get(HEALTH))
                while not server.asked:
                    await asyncio.sleep(0.01)
                patient = asyncio.create_task(client.get(HEALTH))
                await asyncio.sleep(0)
                impatient.cancel()
                server.released.set()
                assert (await patient).status_code == 200

    run(story)


@pytest.mark.criterion("US-04", "an unknown service is 404, an unknown metric 422")
def test_unknown_services_and_metrics_are_refused_without_asking_the_server() -> None:
    async def story() -> None:
        with metrics_server() as server:
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                unknown = await client.get("/api/metrics/services/nobody/sparkline?metric=cpu")
                assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_service")
                assert "elasticsearch" in unknown.json()["error"]["hint"]
                for query in ("?metric=disk", "?metric=", "", "?metric=CPU"):
                    wrong = await client.get(f"/api/metrics/services/redis/sparkline{query}")
                    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "bad_parameter")
            assert server.asked == []

    run(story)


def test_a_query_that_the_server_refuses_is_told_and_leaves_the_other_figures_alone() -> None:
    first = threading.Lock()

    def picky(server: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
        # The server reads forms; which question this is does not matter: the first one of all is refused, and they
        # come on many threads.
        if first.acquire(blocking=False):
            metrics.refusing(server, handler)
        else:
            metrics.reply(handler, server.body(handler.path))

    async def story() -> None:
        with metrics_server() as server:
            server.answering = picky
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                body = (await client.get(HEALTH)).json()
            (problem,) = body["problems"]
            assert problem["message"] == "parse error"
            values = {one["name"]: one for one in body["services"]}
            assert sum(one["cpuPercent"] is None for one in values.values()) <= 1
            first.release()
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                line = (await client.get(SPARKLINE)).json()
            assert (line["problem"], line["level"]) == ("parse error", "unknown")

    run(story)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (b'"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]', "yields 2 series, not one"),
        (b'"string","result":[1,"text"]', "yields a string"),
    ],
)
def test_a_query_that_yields_something_else_than_one_figure_is_a_mistake_and_not_a_figure(
    result: bytes, told: str
) -> None:
    def odd(_server: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
        metrics.reply(handler, b'{"status":"success","data":{"resultType":' + result + b"}}")

    async def story() -> None:
        with metrics_server() as server:
            server.answering = odd
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                assert told in failed(await client.get(HEALTH))["message"]

    run(story)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_no_figure(value: str) -> None:
    async def story() -> None:
        with metrics_server() as server:
            server.value = float(value)
            server.answering = lambda state, handler: metrics.reply(
                handler, state.body(handler.path).replace(str(state.value).encode(), value.encode())
            )
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                body = (await client.get(HEALTH)).json()
                line = (await client.get(SPARKLINE)).json()
            assert {(one["cpuPercent"], one["podCount"], one["lastRestart"]) for one in body["services"]} == {
                (None, None, None)
            }
            assert {one["status"] for one in body["services"]} == {"degraded"}
            assert body["services"][0]["reasons"] == ["there is no data on it"]
            assert line["current"] is None

    run(story)


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async def story() -> None:
        with metrics_server() as server:
            server.answering = metrics.endless
            async with served(CATALOGUE, asking(server.url), Wall()) as client:
                line = (await client.get(SPARKLINE)).json()
            assert "more than 1 MiB" in line["problem"]

    run(story)


def test_a_password_in_the_url_is_used_and_never_shown() -> None:
    seen = []

    def checked(server: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Authorization"])
        metrics.failing(server, handler)

    async def story() -> None:
        with metrics_server() as server:
            server.answering = checked
            url = server.url.replace("http://", "http://reader:hunter2@") + "/"
            async with served(CATALOGUE, asking(url), Wall()) as client:
                answer = await client.get(SPARKLINE)
            assert seen == ["Basic cmVhZGVyOmh1bnRlcjI="]
            assert server.url in failed(answer)["message"]
            assert "hunter2" not in answer.text

    run(story)


def test_a_clock_that_was_set_back_makes_nothing_fresh() -> None:
    async def story() -> None:
        wall = Wall()
        with metrics_server() as server:
            async with served(CATALOGUE, asking(server.url), wall) as client:
                await client.get(HEALTH)
                wall.now -= 3600
                server.value = 5.0
                assert (await client.get(HEALTH)).json()["services"][0]["cpuPercent"] == 5.0

    run(story)
