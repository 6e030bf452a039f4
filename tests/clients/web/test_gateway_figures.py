"""``/metrics``: what a scrape reads, and that the dashboard and the page ask for what there is."""

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.clients import bodies
from tests.clients.scripted import ScriptedDaemon
from tests.clients.web.waiting import until
from tests.real_gateway import RealGateway

from operator_protocol.models import LatencySummary, WorkloadSample

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "deploy" / "grafana" / "operator.json"
PAGE = ROOT / "docs" / "console.md"
_NAME = re.compile(r"operator_[a-z_]+")


def _samples(gateway: RealGateway) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(gateway.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def _full(scripted: ScriptedDaemon, gateway: RealGateway) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Figures of a daemon of which everything is known."""
    now = bodies.cluster().observed_at
    latency = {"READ": LatencySummary(10, 1.0, 2.0, 3.0, 4.0, 5.0)}
    scripted.publish("cluster.health", bodies.cluster())
    usage: dict[str, Any] = {"cpu_percent": 25.0, "rss": 1_000, "descriptors": 7, "threads": 3, "since_at": now}
    scripted.publish("process.monitor.state", bodies.process("monitor", **usage))
    sample = WorkloadSample(90.0, 1.0, True, 5.0, 450, 100.0, 50.0, 5, latency, now)
    scripted.publish("workload.sample", sample)
    scripted.publish("violation.opened", bodies.violation(number=1))
    scripted.publish("ticket.opened", bodies.ticket(7))
    scripted.publish("demo.chapter", bodies.chapter(2))
    found: dict[str, list[tuple[dict[str, str], float]]] = {}

    def complete() -> bool:
        # Each heartbeat has its own counts, and the daemon's have none.
        scripted.publish(
            "heartbeat", {"seq": 1, "topics": {}, "uptime": 5.0, "subscribers": 2, "dropped": {"lines": 3}}
        )
        found.clear()
        found.update(_samples(gateway))
        return "operator_demo_chapter" in found and "operator_daemon_dropped_total" in found

    until(complete, "the figures")
    return found


def test_a_scrape_has_the_daemons_figures_in_base_units(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    found = _full(scripted, gateway)
    assert [value for _, value in found["operator_daemon_up"]] == [1.0]
    assert [value for _, value in found["operator_process_cpu_cores"]] == [0.25]
    assert {labels["quantile"]: value for labels, value in found["operator_workload_latency_seconds"]}["0.99"] == 0.004
    assert {labels["state"]: value for labels, value in found["operator_nodes"]}["up"] == 6.0
    assert {labels["severity"]: value for labels, value in found["operator_violations"]}["critical"] == 1.0
    assert {labels["status"]: value for labels, value in found["operator_tickets"]}["open"] == 1.0
    assert [value for _, value in found["operator_workload_degraded"]] == [1.0]


def test_what_is_not_known_has_no_sample(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    scripted.publish("cluster.health", bodies.cluster(None, "nobody could look"))
    until(lambda: "operator_cluster_healthy{" not in gateway.get("/metrics").text, "the cluster to be unknown")
    scripted.publish("cluster.health", bodies.cluster())
    until(lambda: "operator_cluster_healthy{" in gateway.get("/metrics").text, "the cluster to be known")


def test_a_stranger_cannot_make_series_up(gateway: RealGateway) -> None:
    for number in range(5):
        gateway.get(f"/api/nothing-{number}")
        gateway.get(f"/api/tickets/{10_000 + number}")
    routes = {labels["route"] for labels, _ in _samples(gateway)["operator_web_requests_total"]}
    assert not [route for route in routes if "nothing" in route or "10000" in route]


def test_the_dashboard_asks_for_figures_that_there_are(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    there_are = set(_full(scripted, gateway))
    asked = set(_NAME.findall(json.dumps([*_expressions(json.loads(DASHBOARD.read_text()))])))
    assert asked
    assert asked <= there_are


def test_the_page_lists_every_figure(gateway: RealGateway, scripted: ScriptedDaemon) -> None:
    told = PAGE.read_text()
    own = {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in _full(scripted, gateway)
    }
    own = {name for name in own if not name.startswith("operator_web_process_") and not name.endswith("_created")}
    stems = ("operator_daemon", "operator_process", "operator_workload", "operator_web", "operator")
    left = {name for name in own if f"`{name}`" not in told}
    assert not {name for name in left if not any(f"`{name.removeprefix(stem)}`" in told for stem in stems)}


def _expressions(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value[key] for key in ("expr", "definition") if isinstance(value.get(key), str)]
        return own + [one for child in value.values() for one in _expressions(child)]
    return [one for child in value for one in _expressions(child)] if isinstance(value, list) else []
