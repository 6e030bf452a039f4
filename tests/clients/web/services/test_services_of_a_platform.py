"""The shipped catalogue against real servers: VictoriaMetrics, and Prometheus with the same series."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.web.services.platform import END, RESTARTED_BEFORE_S, SPIKE_S, UNSCRAPED_S, platform
from tests.clients.web.services.served import HEALTH, asking, served
from tests.standins.metrics import prometheus_with, victoria_metrics

from operator_clients.web.encoding import iso
from operator_clients.web.services.catalogue import load_catalogue

Ask = Callable[[str], Any]


@pytest.fixture(scope="module", params=[victoria_metrics, prometheus_with], ids=["victoriametrics", "prometheus"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """The body of an answer of the gateway, which has the server of this turn behind it."""
    catalogue = load_catalogue("services")
    directory: Path = tmp_path_factory.mktemp("metrics")
    with request.param(directory, platform()) as url:

        def answered(path: str) -> Any:
            async def story() -> Any:
                async with served(catalogue, asking(url), lambda: END) as client:
                    answer = await client.get(path)
                assert answer.status_code == 200, answer.text
                return answer.json()

            return asyncio.run(story())

        yield answered


@pytest.fixture(scope="module")
def health(ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = ask(HEALTH)
    assert body["problems"] == []
    return body


@pytest.fixture(scope="module")
def services(health: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in health["services"]}


@pytest.mark.criterion("US-01", "the five services, and edges by type")
@pytest.mark.criterion("US-04", "all five services with the fields of the contract")
def test_health_has_the_five_services_and_their_connections_in_the_contracts_words(health: dict[str, Any]) -> None:
    names = [one["name"] for one in health["services"]]
    assert names == ["hitl-ui", "orchestrator", "workers", "redis", "elasticsearch"]
    of_the_contract = {"name", "status", "cpuPercent", "memoryPercent", "podCount", "requestRate", "latencyP50"}
    assert all(of_the_contract | {"lastRestart"} <= set(one) for one in health["services"])
    assert {one["type"] for one in health["connections"]} == {"http", "redis", "elasticsearch"}
    assert {"from": "hitl-ui", "to": "orchestrator", "type": "http"} in health["connections"]
    assert health["timestamp"] == iso(END)
    assert (health["source"], health["stale"], health["ageSeconds"]) == ("live", False, 0)


@pytest.mark.criterion("defect-6", "memory is usage over the real limit, whatever it is")
@pytest.mark.criterion("US-02", "CPU, memory, pods, req/s and p50 of an HTTP service")
def test_percentages_are_usage_over_limit_and_rates_are_of_all_pods(services: dict[str, Any]) -> None:
    hitl = services["hitl-ui"]
    assert hitl["cpuPercent"] == pytest.approx(25, abs=0.1)
    assert hitl["memoryPercent"] == pytest.approx(75)
    assert hitl["podCount"] == 2
    assert hitl["requestRate"] == pytest.approx(10, abs=0.05)
    assert hitl["latencyP50"] == pytest.approx(150)
    assert hitl["status"] == "degraded"
    assert hitl["reasons"] == ["memory 75 % of its limit"]


@pytest.mark.criterion("defect-6", "no percentage without a limit, rather than one of an assumed limit")
def test_without_a_limit_there_is_no_percentage_and_what_has_none_is_left_out_of_the_others(
    services: dict[str, Any],
) -> None:
    assert services["orchestrator"]["cpuPercent"] is None
    assert services["orchestrator"]["memoryPercent"] == pytest.approx(50)


@pytest.mark.criterion("US-04", "a missing metric is null")
def test_what_nobody_measures_is_null_and_so_is_a_median_of_nothing(services: dict[str, Any]) -> None:
    assert services["redis"]["requestRate"] is None
    assert services["redis"]["latencyP50"] is None
    assert services["orchestrator"]["requestRate"] is None
    assert services["orchestrator"]["latencyP50"] is None
    assert services["elasticsearch"]["cpuPercent"] is None


@pytest.mark.criterion("defect-6", "real restart times")
@pytest.mark.criterion("US-02", "the last restart")
def test_the_last_restart_is_the_time_of_the_restarted_container_and_null_for_a_first_start(
    services: dict[str, Any],
) -> None:
    assert services["redis"]["lastRestart"] == iso(END - RESTARTED_BEFORE_S)
    assert services["hitl-ui"]["lastRestart"] is None


@pytest.mark.criterion("US-02", "a service without pods is warned of")
@pytest.mark.criterion("US-01", "nodes green, yellow, red")
def test_status_follows_the_thresholds_and_a_service_without_a_running_pod_is_down(services: dict[str, Any]) -> None:
    assert services["elasticsearch"]["podCount"] == 0
    assert services["elasticsearch"]["reasons"] == ["0 pods running"]
    statuses = {name: one["status"] for name, one in services.items()}
    assert statuses == {
        "hitl-ui": "degraded",
        "orchestrator": "healthy",
        "workers": "unhealthy",
        "redis": "healthy",
        "elasticsearch": "unhealthy",
    }


@pytest.mark.criterion("US-03", "fifteen points, one a minute, timestamps in seconds")
@pytest.mark.criterion("US-02", "sparklines of fifteen minutes")
def test_a_sparkline_has_fifteen_points_on_whole_minutes(ask: Ask) -> None:
    body = ask("/api/metrics/services/hitl-ui/sparkline?metric=requests")
    assert (body["service"], body["metric"], body["interval"], body["duration"]) == ("hitl-ui", "requests", "1m", "15m")
    last = int(END // 60 * 60)
    assert [one["timestamp"] for one in body["dataPoints"]] == [last - 60 * back for back in range(14, -1, -1)]
    assert [one["value"] for one in body["dataPoints"]] == [pytest.approx(10, abs=0.05)] * 15


@pytest.mark.criterion("US-03", "missing points are gaps")
def test_minutes_that_nobody_scraped_are_gaps_not_zeroes_and_not_old_values(ask: Ask) -> None:
    points = ask("/api/metrics/services/workers/sparkline?metric=memory")["dataPoints"]
    first, last = UNSCRAPED_S
    # The window of the query reaches back two minutes: a value of that age still counts.
    missing = [one["timestamp"] for one in points if last < END - one["timestamp"] < first - 120]
    assert missing
    assert [one["timestamp"] for one in points if one["value"] is None] == missing
    assert {one["value"] for one in points} == {None, 50.0}


@pytest.mark.criterion("defect-9", "the level is that of the current value, not of the average")
@pytest.mark.criterion("US-03", "threshold colour from the current value")
@pytest.mark.criterion("US-02", "a CPU spike shows")
def test_a_spike_at_the_end_of_a_quiet_line_is_critical(ask: Ask) -> None:
    body = ask("/api/metrics/services/workers/sparkline?metric=cpu")
    values = [one["value"] for one in body["dataPoints"]]
    quiet = [one["value"] for one in body["dataPoints"] if END - one["timestamp"] > SPIKE_S + 60]
    assert quiet
    assert all(value == pytest.approx(10, abs=0.1) for value in quiet)
    assert sum(values) / len(values) < 50
    assert body["current"] == values[-1] == pytest.approx(95, abs=0.5)
    assert body["level"] == "critical"


@pytest.mark.criterion("US-04", "a missing metric is null")
def test_the_sparkline_of_a_metric_without_data_or_without_a_query_is_all_gaps(ask: Ask) -> None:
    for path in ("orchestrator/sparkline?metric=cpu", "redis/sparkline?metric=requests"):
        body = ask(f"/api/metrics/services/{path}")
        assert [one["value"] for one in body["dataPoints"]] == [None] * 15
        assert (body["current"], body["level"], body["problem"]) == (None, "unknown", None)
