"""Made-up figures: only on request, the same shapes, and every answer says so."""

import pytest
from tests.clients.web.services.served import HEALTH, Wall, run, served

from operator_clients.web.services.catalogue import load_catalogue
from operator_clients.web.services.mock import MockSource
from operator_clients.web.services.router import metrics_source
from operator_protocol.errors import BadRequest


@pytest.mark.criterion("defect-11", "mock data is never taken for real data")
@pytest.mark.criterion("defect-4", "mock data is marked, and the same for everybody")
@pytest.mark.parametrize("catalogue", ["services", "demo"])
def test_every_answer_with_made_up_figures_says_so(catalogue: str) -> None:
    chosen = load_catalogue(catalogue)
    name = next(iter(chosen.services))

    async def story() -> None:
        wall = Wall()
        async with served(chosen, MockSource(), wall) as client:
            for path in (HEALTH, f"/api/metrics/services/{name}/sparkline?metric=cpu"):
                for _ in range(2):  # from the source, then from the cache
                    answer = await client.get(path)
                    assert answer.status_code == 200
                    assert answer.headers["X-Operator-Mock"] == "1"
                    assert answer.json()["source"] == "mock"
            assert (await client.get("/api/metrics/catalogue")).json()["source"] == "mock"

    run(story)


def test_two_readers_of_made_up_figures_see_the_same() -> None:
    async def story() -> None:
        chosen, bodies = load_catalogue("services"), []
        for _ in range(2):
            async with served(chosen, MockSource(), Wall()) as client:
                bodies.append((await client.get(HEALTH)).json())
        assert bodies[0] == bodies[1]

    run(story)


@pytest.mark.criterion("defect-11", "mock data is never taken for real data")
def test_figures_are_made_up_only_when_that_is_asked_for_and_nothing_else_is() -> None:
    assert metrics_source(None) is None
    assert isinstance(metrics_source(None, mock=True), MockSource)
    with pytest.raises(BadRequest, match="not both"):
        metrics_source("http://127.0.0.1:8428", mock=True)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8428", "ftp://there", "http://", "http://[::1"])
def test_what_is_no_address_of_a_metrics_server_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(BadRequest, match="metrics URL"):
        metrics_source(url)
