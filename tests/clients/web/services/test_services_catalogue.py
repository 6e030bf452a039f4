"""The catalogue file: what is shipped, what a mistake in it is told as, what browsers get of it."""

from pathlib import Path

import pytest
from tests.clients.web.services.served import Wall, run, served

from operator_clients.web.services.catalogue import SHIPPED, load_catalogue
from operator_protocol.errors import BadRequest, NotFound

SMALL = """
title = "Two"
[queries]
cpu = 'sum(cpu{app="$service", $selector, path=~"/a$"})'
requests = 'sum(requests{app="$service"})'
[[service]]
name = "one"
selector = 'zone="z"'
[[service]]
name = "two"
label = "The second"
kind = "redis"
queries = { cpu = "mine", requests = "" }
[[connection]]
from = "one"
to = "two"
type = "redis"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.toml"


@pytest.mark.criterion("US-01", "the five services, and edges by type")
def test_the_shipped_catalogue_is_the_five_services() -> None:
    catalogue = load_catalogue("services")
    assert list(catalogue.services) == ["hitl-ui", "orchestrator", "workers", "redis", "elasticsearch"]
    assert {one.type for one in catalogue.connections} == {"http", "redis", "elasticsearch"}


def test_the_shipped_demo_catalogue_is_daemon_workers_and_nodes() -> None:
    catalogue = load_catalogue("demo")
    assert list(catalogue.services) == ["daemon", "workers", "nodes"]
    assert all(service.queries.asked() for service in catalogue.services.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_in_shipped_queries_every_variable_is_filled_in(name: str) -> None:
    catalogue = load_catalogue(name)
    for service in catalogue.services.values():
        for metric in service.queries.asked():
            expression = catalogue.expression(service.name, metric)
            assert expression is not None
            assert "$" not in expression


def test_a_service_has_the_usual_queries_but_for_its_own_and_for_those_it_empties(file: Path) -> None:
    file.write_text(SMALL)
    catalogue = load_catalogue(str(file))
    assert catalogue.expression("one", "cpu") == 'sum(cpu{app="one", zone="z", path=~"/a$"})'
    assert catalogue.expression("one", "memory") is None
    assert catalogue.expression("two", "cpu") == "mine"
    assert catalogue.expression("two", "requests") is None


@pytest.mark.criterion("US-01", "told to ask again every 30 seconds")
@pytest.mark.criterion("US-02", "told to ask again every 30 seconds")
def test_browsers_get_nodes_edges_and_metrics_but_no_queries(file: Path) -> None:
    file.write_text(SMALL)

    async def story() -> None:
        async with served(load_catalogue(str(file)), None, Wall()) as client:
            answer = await client.get("/api/metrics/catalogue")
        body = answer.json()
        assert body["title"] == "Two"
        assert body["nodes"] == [
            {"name": "one", "label": "one", "kind": "other", "description": None, "metrics": ["cpu", "requests"]},
            {"name": "two", "label": "The second", "kind": "redis", "description": None, "metrics": ["cpu"]},
        ]
        assert body["connections"] == [{"from": "one", "to": "two", "type": "redis"}]
        assert (body["refreshSeconds"], body["sparklineMetrics"]) == (30, ["cpu", "memory", "requests", "latency"])
        assert "sum(" not in answer.text

    run(story)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("label", "lable"), "service.1.lable: there is no such key"),
        (('name = "one"', 'name = "One"'), "service.0.name"),
        (('name = "one"', 'name = "two"'), "there is more than one service two"),
        (('to = "two"', 'to = "three"'), "connection one to three: there is no service three"),
        (('to = "two"', 'to = "one"'), "it leads back to itself"),
        (('type = "redis"', 'type = "kafka"'), "connection.0.type"),
        (("$selector", "$selektor"), "queries.cpu: there is no $selektor, only $service and $selector"),
        (('"mine"', '"$other"'), "queries.cpu: there is no $other"),
        (("[queries]", "[thresholds]\ncpu = { warning = 9.0, critical = 8.0 }\n[queries]"), "thresholds.cpu: warning"),
        (("[queries]", "[thresholds]\ngpu = { warning = 9.0 }\n[queries]"), "thresholds.gpu"),
        (("[queries]", "[queries"), "line 3"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_key(file: Path, change: tuple[str, str], told: str) -> None:
    file.write_text(SMALL.replace(*change, 1))
    with pytest.raises(BadRequest) as caught:
        load_catalogue(str(file))
    assert caught.value.message.startswith(f"{file}: ")
    assert told in caught.value.message
    assert "docs/console-services.md" in caught.value.hint


def test_a_file_that_is_not_there_is_told_with_those_that_are_shipped(file: Path) -> None:
    with pytest.raises(NotFound, match="services, demo"):
        load_catalogue(str(file))
