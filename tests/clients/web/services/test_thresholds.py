"""One table of thresholds, for the server's verdicts and for the browser's colours."""

import pytest
from pydantic import ValidationError
from tests.clients.web.services.served import Wall, run, served

from operator_clients.web.services.catalogue import load_catalogue
from operator_clients.web.services.health import judge
from operator_clients.web.services.thresholds import Level, Threshold, Thresholds, worst

CPU = Thresholds().cpu


@pytest.mark.parametrize(
    ("value", "level"),
    [
        (None, "unknown"),
        (0, "ok"),
        (69.9, "ok"),
        (70, "warning"),
        (84.9, "warning"),
        (85, "critical"),
        (140, "critical"),
    ],
)
def test_a_value_that_is_equal_to_a_threshold_has_reached_it(value: float | None, level: Level) -> None:
    assert CPU.level(value) == level


@pytest.mark.criterion("US-02", "a service without pods is warned of")
def test_of_pods_there_are_too_few_and_never_too_many() -> None:
    assert [Thresholds().pods.level(count) for count in (0, 1, 500)] == ["critical", "ok", "ok"]


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match="warning must be reached before critical, going above"):
        Threshold(unit="percent", warning=90.0, critical=80.0)
    with pytest.raises(ValidationError, match="going below"):
        Threshold(unit="count", direction="below", warning=1.0, critical=2.0)


def test_the_worst_of_levels_is_known_before_unknown() -> None:
    assert worst() == worst("unknown") == "unknown"
    assert worst("unknown", "ok") == "ok"
    assert worst("ok", "critical", "warning") == "critical"


@pytest.mark.criterion("US-02", "a CPU spike shows")
@pytest.mark.criterion("US-01", "nodes green, yellow, red")
def test_a_verdict_is_the_worst_of_its_figures_with_the_reasons() -> None:
    table = Thresholds()
    assert judge({"cpu": 10.0, "memory": 20.0, "pods": 1.0}, table).status == "healthy"
    spike = judge({"cpu": 72.0, "memory": 20.0, "pods": 1.0}, table)
    assert (spike.status, spike.reasons) == ("degraded", ("CPU 72 % of its limit",))
    both = judge({"cpu": 99.0, "memory": 75.0, "latency": 10.0}, table)
    assert (both.status, both.reasons) == ("unhealthy", ("CPU 99 % of its limit", "memory 75 % of its limit"))
    assert judge({"latency": 2500.0}, table).status == "unhealthy"


def test_what_is_not_known_is_not_held_against_a_service_but_nothing_known_is_not_healthy() -> None:
    table = Thresholds()
    assert judge({"cpu": None, "memory": 10.0}, table).status == "healthy"
    assert judge({"cpu": None, "requests": 5.0}, table).status == "degraded"
    assert judge({}, table).reasons == ("there is no data on it",)


@pytest.mark.criterion("defect-9", "one threshold table for server and browser")
def test_the_table_that_browsers_get_is_the_one_that_the_server_judges_by() -> None:
    catalogue = load_catalogue("services")

    async def story() -> None:
        async with served(catalogue, None, Wall()) as client:
            told = (await client.get("/api/metrics/catalogue")).json()["thresholds"]
        for metric, threshold in told.items():
            assert Threshold(**threshold) == getattr(catalogue.thresholds, metric)
        assert told["cpu"] == {"unit": "percent", "direction": "above", "warning": 70, "critical": 85}
        assert set(told) == {"cpu", "memory", "disk", "requests", "latency", "pods"}

    run(story)
