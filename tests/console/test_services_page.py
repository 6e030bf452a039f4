"""The Services page in a real browser: figures from a real VictoriaMetrics, and what happens when it is gone."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.clients.web.services.platform import platform
from tests.console.axe import violations
from tests.console.colours import colour
from tests.console.conftest import OpenPage
from tests.real_gateway import RealGateway, running_gateway
from tests.standins.metrics import failing, metrics_server, victoria_metrics

FIVE = ("hitl-ui", "orchestrator", "workers", "redis", "elasticsearch")


@pytest.fixture(scope="module")
def services(built: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway for the five services; their figures are in VictoriaMetrics."""
    directory = tmp_path_factory.mktemp("services")
    with (
        victoria_metrics(directory, platform(time.time())) as url,
        running_gateway(directory / "web", "--metrics-url", url, runtime_dir=directory / "none") as gateway,
    ):
        yield gateway


@pytest.mark.criterion(
    "US-01", "the five services in a topology with statuses and edges by type; a click opens details"
)
@pytest.mark.criterion("US-02", "a card for each service; a spike of the CPU turns its border yellow")
@pytest.mark.criterion("defect-6", "a real restart, and percentages of real limits")
@pytest.mark.criterion("defect-10", "the map is laid out from the catalogue and used by keyboard")
def test_the_five_services_are_seen_and_reached_by_keyboard(services: RealGateway, page: Page) -> None:
    page.goto(services.url + "/services")
    nodes = page.locator("[data-node]")
    expect(nodes).to_have_count(5)
    assert sorted(nodes.evaluate_all("all => all.map(one => one.dataset.node)")) == sorted(FIVE)
    assert set(page.locator("[data-edge]").evaluate_all("all => all.map(one => one.dataset.type)")) == {
        "http",
        "redis",
        "elasticsearch",
    }
    edges = {kind: page.locator(f"[data-edge][data-type={kind}]").first for kind in ("http", "redis", "elasticsearch")}
    assert [colour(edge, "stroke") for edge in edges.values()] == ["blue", "violet", "yellow"]  # red is what is wrong
    # And told apart without colour.
    assert len({edge.evaluate("one => getComputedStyle(one).strokeDasharray") for edge in edges.values()}) == 3
    statuses = {name: colour(page.locator(f"[data-node={name}]"), "border-left-color") for name in FIVE[:3]}
    assert statuses == {"orchestrator": "green", "hitl-ui": "yellow", "workers": "red"}
    expect(page.locator("[data-service]")).to_have_count(5)
    hitl = page.locator("[data-service=hitl-ui]")
    expect(hitl).to_contain_text("25 %")
    expect(hitl).to_contain_text("75 %")
    expect(hitl).to_contain_text("req/s")
    spiking = page.locator("[data-service=workers][data-spike]")
    expect(spiking).to_contain_text("CPU spike")
    assert colour(spiking, "border-top-color") == "yellow"
    expect(page.locator("[data-service=redis]")).to_contain_text(re.compile("restarted (1 h|59 min)"))
    expect(page.locator("[data-service=elasticsearch]")).to_contain_text("no pods")
    expect(page.locator("[data-service=orchestrator]")).to_contain_text("CPU\N{EN DASH}")
    expect(page.get_by_test_id("mock")).to_have_count(0)
    assert violations(page) == []

    page.locator("[data-node=hitl-ui]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-node=orchestrator]")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url("**/services/hitl-ui")
    drawer = page.get_by_role("dialog", name="HITL UI")
    expect(drawer.get_by_role("slider")).to_have_count(4)
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.wait_for_url("**/services")
    expect(page.locator("[data-node=hitl-ui]")).to_be_focused()


@pytest.mark.criterion(
    "US-03", "15 points, 80 by 30; time and figure under the pointer; the colour is the current figure's"
)
@pytest.mark.criterion("defect-9", "the colour is that of the current figure, by the server's one table")
def test_a_sparkline_tells_time_and_figure_under_the_pointer(services: RealGateway, page: Page) -> None:
    page.goto(services.url + "/services")
    spark = page.get_by_role("slider", name="Workers CPU")
    # Twelve quiet minutes and three at 95 %: an average would be green.
    expect(spark).to_have_attribute("data-level", "critical")
    assert colour(spark.locator(".sparkline-line"), "stroke") == "red"
    expect(spark).to_have_attribute("aria-valuemax", "14")
    box = spark.bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (80, 30)
    page.mouse.move(box["x"] + 20, box["y"] + 15)
    expect(spark.locator(".sparkline-tooltip")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d10 %$"))
    page.keyboard.press("Escape")
    spark.focus()
    page.keyboard.press("End")
    expect(spark.locator(".sparkline-tooltip")).to_contain_text("95 %")


@pytest.mark.criterion("US-04", "VictoriaMetrics down and nothing kept: 503 with a message, shown with a retry")
@pytest.mark.criterion("defect-11", "an error of the gateway is shown, and nothing is made up in its place")
@pytest.mark.soak
def test_a_source_that_is_down_is_an_error_with_a_retry_and_no_figures(
    built: object, tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    directory = tmp_path_factory.mktemp("down")
    with metrics_server() as source:
        source.answering = failing
        with running_gateway(directory, "--metrics-url", source.url, runtime_dir=directory / "none") as gateway:
            page.goto(gateway.url + "/services")
            error = page.get_by_test_id("error")
            expect(error).to_be_visible()
            expect(page.locator("[data-service]")).to_have_count(0)
            expect(page.get_by_test_id("mock")).to_have_count(0)
            assert violations(page) == []
            source.answering = None
            error.get_by_role("button", name="Try again").click()
            expect(page.locator("[data-service]")).to_have_count(5)


@pytest.mark.soak
@pytest.mark.criterion("US-04", "VictoriaMetrics down: figures up to five minutes old, marked stale with their age")
@pytest.mark.criterion("defect-4", "a source that fails yields its last figures, marked stale, and never random ones")
def test_when_the_source_goes_down_the_last_figures_stay_and_say_how_old_they_are(
    built: object, tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    directory = tmp_path_factory.mktemp("stale")
    with (
        metrics_server() as source,
        running_gateway(directory, "--metrics-url", source.url, runtime_dir=directory / "none") as gateway,
    ):
        page.goto(gateway.url + "/services")
        expect(page.locator("[data-service]")).to_have_count(5)
        source.answering = failing
        # The gateway keeps an answer for 15 s, and the page asks every 30 s.
        expect(page.get_by_test_id("stale")).to_contain_text(re.compile("stale, .* old"), timeout=90_000)
        expect(page.locator("[data-service]")).to_have_count(5)
        source.answering = None
        expect(page.get_by_test_id("stale")).to_have_count(0, timeout=90_000)


@pytest.mark.soak
@pytest.mark.criterion("defect-11", "mocked figures say so in plain sight")
def test_mocked_figures_say_so_in_plain_sight(
    built: object, tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    directory = tmp_path_factory.mktemp("mock")
    with running_gateway(directory, "--mock-metrics", runtime_dir=directory / "none") as gateway:
        page.goto(gateway.url + "/services")
        expect(page.get_by_test_id("mock")).to_contain_text("Mock data")
        expect(page.locator("[data-service]")).to_have_count(5)


@pytest.mark.soak
@pytest.mark.parametrize("width", [360, 1280, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_and_its_drawer_fit_and_are_accessible(
    services: RealGateway, open_page: OpenPage, width: int, scheme: str
) -> None:
    page = open_page(width=width, height=900, color_scheme=scheme, reduced_motion="reduce")
    for path, dialogs in (("/services", 0), ("/services/workers", 1)):
        page.goto(services.url + path)
        expect(page.get_by_role("dialog")).to_have_count(dialogs)
        expect(page.locator("[data-service]")).to_have_count(5)
        expect(page.locator(".services-chart-skeleton")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert violations(page) == []
