"""Every page: narrow and wide, dark and light, by keyboard, and with sources that are down, slow or wrong."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from tests.console.axe import violations
from tests.console.conftest import OpenPage
from tests.console.shots import shot
from tests.e2e.real_daemon import RealDaemon
from tests.real_gateway import RealGateway, running_gateway

READY = {
    "/demo": "[data-node]",
    "/services": "[data-service]",
    "/devops": "main h2",
    "/kubernetes": "main table",
}
"""Each page, and what it shows once it has its data."""
SIZES = ((360, 740), (820, 1180), (1440, 900), (3840, 2160))
FIRST_LOAD_BYTES = 300_000


@pytest.fixture(scope="module")
def furnished(live_daemon: RealDaemon, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway of which every page has something to show: the sources are made up, and say so."""
    options = ("--mock-metrics", "--mock-k8s")
    with running_gateway(tmp_path_factory.mktemp("web"), *options, runtime_dir=live_daemon.runtime_dir) as gateway:
        yield gateway


def visit(page: Page, gateway: RealGateway, path: str) -> None:
    page.goto(gateway.url + path)
    expect(page.locator(READY[path]).first).to_be_visible()


def fits(page: Page) -> bool:
    """Nothing reaches out to the right."""
    fitting: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return fitting


@pytest.mark.parametrize("path", [pytest.param(one, marks=[pytest.mark.soak] * (one != "/demo")) for one in READY])
def test_a_page_fits_from_a_telephone_to_a_wall_and_keeps_nobody_out(
    furnished: RealGateway, open_page: OpenPage, path: str
) -> None:
    page = open_page(width=360, height=740, color_scheme="dark")
    visit(page, furnished, path)
    assert fits(page)
    assert violations(page) == []
    page.emulate_media(color_scheme="light")
    for width, height in SIZES[1:]:
        page.set_viewport_size({"width": width, "height": height})
        expect(page.locator(READY[path]).first).to_be_visible()
        assert fits(page), f"too wide at {width}"
    page.set_viewport_size({"width": 1440, "height": 900})
    assert violations(page) == []


@pytest.mark.soak
@pytest.mark.parametrize(("path", "size", "scheme"), list(product(READY, SIZES, ("dark", "light"))))
def test_every_page_at_every_width_in_both_themes(
    furnished: RealGateway, open_page: OpenPage, path: str, size: tuple[int, int], scheme: str
) -> None:
    page = open_page(width=size[0], height=size[1], color_scheme=scheme)
    visit(page, furnished, path)
    assert fits(page)
    assert violations(page) == []
    shot(page, f"{path[1:]}-{size[0]}-{scheme}", whole=size[0] < 2_000)


@pytest.mark.soak
@pytest.mark.parametrize("path", list(READY))
def test_a_page_is_readable_in_the_colours_of_the_system(
    furnished: RealGateway, open_page: OpenPage, path: str
) -> None:
    page = open_page(forced_colors="active")
    visit(page, furnished, path)
    shot(page, f"{path[1:]}-forced")
    assert violations(page) == []


def test_the_pages_are_reached_by_keyboard_and_the_theme_stays(furnished: RealGateway, page: Page) -> None:
    visit(page, furnished, "/demo")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("main :focus")).to_have_count(1)

    page.get_by_role("link", name="Kubernetes").press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page).to_have_title("Kubernetes · Operator console")

    page.get_by_role("button", name="Theme").press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Theme").press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_first_load_is_small(furnished: RealGateway, page: Page) -> None:
    visit(page, furnished, "/demo")
    sizes: list[int] = page.evaluate(
        """() => performance.getEntriesByType("resource")
        .filter(one => one.name.endsWith(".js")).map(one => one.encodedBodySize)"""
    )
    assert sizes
    assert all(sizes)
    assert sum(sizes) < FIRST_LOAD_BYTES


SOURCES = {
    "/devops": "**/api/devops/activity*",
    "/services": "**/api/metrics/services/health*",
    "/kubernetes": "**/api/k8s/health*",
}


@pytest.mark.criterion("defect-4", "a source that is down is an error, on every page")
@pytest.mark.criterion("defect-11", "no page makes data up when its source fails")
def test_a_source_that_is_not_there_is_an_error_with_a_retry(gateway: RealGateway, page: Page) -> None:
    for path in ("/services", "/kubernetes"):
        page.goto(gateway.url + path)
        expect(page.get_by_test_id("error").first).to_be_visible()
        expect(page.get_by_role("button", name="Try again").first).to_be_visible()
        expect(page.get_by_test_id("mock")).to_have_count(0)
        assert violations(page) == []
        shot(page, f"{path[1:]}-down")


@pytest.mark.soak
@pytest.mark.parametrize("path", list(SOURCES))
def test_a_slow_source_shows_where_its_data_will_stand(furnished: RealGateway, page: Page, path: str) -> None:
    held: list[Route] = []

    def answer_later(route: Route) -> None:
        held.append(route)

    page.route(SOURCES[path], answer_later)
    page.goto(furnished.url + path)
    expect(page.get_by_test_id("skeleton").first).to_be_visible()
    expect(page.get_by_test_id("live")).to_be_visible()
    assert violations(page) == []
    for route in held:
        route.continue_()
    page.unroute(SOURCES[path])
    expect(page.get_by_test_id("skeleton")).to_have_count(0)


@pytest.mark.soak
@pytest.mark.parametrize("path", list(SOURCES))
@pytest.mark.parametrize("body", ["<html>a proxy</html>", "{}", "[]", '{"error": 5}', "null"])
def test_an_answer_that_is_none_is_an_error_and_no_blank_page(
    furnished: RealGateway, page: Page, path: str, body: str
) -> None:
    page.route(SOURCES[path], lambda route: route.fulfill(status=200, content_type="application/json", body=body))
    page.goto(furnished.url + path)
    expect(page.get_by_test_id("error").first).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages", exact=True)).to_be_visible()


@pytest.mark.soak
def test_an_address_that_is_no_page_says_so(furnished: RealGateway, page: Page) -> None:
    page.goto(furnished.url + "/nowhere")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    assert violations(page) == []
