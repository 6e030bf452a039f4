"""The DevOps page and the banner in a real browser, moved by shells that know nothing of each other."""

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.console.axe import violations
from tests.console.colours import colour
from tests.console.conftest import OpenGateway, OpenPage
from tests.console.shots import shot
from tests.e2e.real_daemon import BIN, RealDaemon
from tests.real_gateway import RealGateway

SCRIPT = Path(__file__).parents[2] / "deploy" / "devops" / "publish-progress.sh"


def shell(daemon: RealDaemon, script: str) -> str:
    """A shell of its own; ``$P`` is the script. Returns what it printed."""
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(daemon.state_dir),
        "OPERATOR_ENDPOINT": str(daemon.runtime_dir),
        "P": str(SCRIPT),
    }
    done = subprocess.run(
        ["/bin/sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=60, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.criterion("US-05", "the current operation with its steps, and the last ones, in an open page")
@pytest.mark.criterion("US-06", "check, spinner, circle and cross, in the order of the steps, animated")
@pytest.mark.criterion("US-07", "blue, then red until dismissed; a click opens the panel")
@pytest.mark.criterion("US-09", "three shells move banner and panel of an open browser")
@pytest.mark.criterion("defect-1", "what the script publishes is seen")
@pytest.mark.criterion("defect-2", "later shells go on with the operation")
@pytest.mark.criterion("defect-3", "the error of a step is shown")
@pytest.mark.criterion("defect-8", "a failure is not hidden by itself")
def test_three_shells_move_the_banner_and_the_panel_of_an_open_page(
    live_daemon: RealDaemon, gateway: RealGateway, open_page: OpenPage
) -> None:
    page = open_page(color_scheme="dark")
    page.goto(gateway.url + "/demo")
    banner = page.get_by_test_id("devops-banner")
    expect(page.get_by_test_id("live")).to_be_visible()
    expect(banner).to_have_count(0)

    activity = shell(live_daemon, '"$P" start "Deploy web 2.1.0" --steps pull,apply,wait; ')
    expect(banner).to_have_attribute("data-tone", "info")
    expect(banner).to_contain_text("Deploy web 2.1.0 in progress")
    assert colour(banner, "border-left-color") == "blue"
    shell(
        live_daemon,
        f'"$P" step {activity} pull running; "$P" step {activity} pull completed; "$P" step {activity} apply running',
    )
    expect(banner).to_contain_text("step 2 of 3: apply")
    banner.get_by_role("link").click()
    page.wait_for_url("**/devops?activity=*")
    steps = page.get_by_role("article", name="Deploy web 2.1.0").locator(".devops-step")
    expect(steps).to_have_count(3)
    assert shapes(page) == ["check", "spinner", "circle"]
    appears = page.locator(".devops-step-glyph").first.evaluate("one => getComputedStyle(one).animationName")
    assert appears == "glyph-in"
    shot(page, "devops-running")
    assert violations(page) == []

    shell(
        live_daemon,
        f'"$P" step {activity} apply failed --error "no room on the nodes"; "$P" fail {activity} --error "rolled back"',
    )
    expect(banner).to_have_attribute("data-tone", "bad")
    expect(banner).to_contain_text("no room on the nodes")
    assert colour(banner, "border-left-color") == "red"
    past = page.locator(".devops-past > li").first
    expect(past).to_contain_text(re.compile("failed at apply"))
    expect(past.locator(".devops-step-error").first).to_contain_text("no room on the nodes")
    shot(page, "devops-failed")
    assert violations(page) == []

    # On every page, until it is dismissed; the panel keeps what was dismissed.
    page.get_by_role("link", name="Kubernetes").click()
    expect(banner).to_be_visible()
    page.get_by_role("button", name=re.compile("^Dismiss")).click()
    expect(banner).to_have_count(0)
    page.reload()
    page.get_by_role("link", name="DevOps").click()
    expect(page.locator(".devops-past > li").first).to_contain_text("Deploy web 2.1.0")
    expect(banner).to_have_count(0)


def shapes(page: Page) -> list[str]:
    found: list[str] = page.locator("article .devops-step svg").evaluate_all("all => all.map(one => one.dataset.shape)")
    return found


@pytest.mark.criterion("US-07", "green for ten seconds after a success")
@pytest.mark.soak
def test_a_success_is_green_and_gone_after_ten_seconds(
    live_daemon: RealDaemon, gateway: RealGateway, page: Page
) -> None:
    page.goto(gateway.url + "/services")
    expect(page.get_by_test_id("live")).to_be_visible()
    activity = shell(live_daemon, '"$P" start "Rotate keys" --steps mint')
    banner = page.get_by_test_id("devops-banner").filter(has_text="Rotate keys")
    expect(banner).to_have_attribute("data-tone", "info")
    shell(
        live_daemon, f'"$P" step {activity} mint running; "$P" step {activity} mint completed; "$P" complete {activity}'
    )
    expect(banner).to_have_attribute("data-tone", "good")
    assert colour(banner, "border-left-color") == "green"
    page.wait_for_timeout(8_000)
    expect(banner).to_be_visible()
    expect(banner).to_have_count(0, timeout=10_000)


@pytest.mark.criterion("US-08", "the bus is down: 503, and the page says so")
@pytest.mark.criterion("defect-4", "no empty answer in place of an error")
@pytest.mark.criterion("defect-11", "no made-up data in place of an error")
@pytest.mark.soak
def test_a_bus_that_is_down_shows_its_error_with_a_retry(open_gateway: OpenGateway, page: Page, tmp_path: Path) -> None:
    gateway = open_gateway(runtime_dir=tmp_path)
    assert gateway.get("/api/devops/activity").status_code == 503
    page.goto(gateway.url + "/devops")
    error = page.get_by_test_id("error")
    expect(error).to_contain_text("DevOps activity could not be loaded")
    expect(error.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_text("Nothing in the last 24 hours")).to_have_count(0)
    expect(page.get_by_test_id("devops-banner")).to_have_count(0)
    shot(page, "devops-error")
    assert violations(page) == []


@pytest.mark.criterion("US-06", "no animation for who wants none")
@pytest.mark.soak
def test_nothing_moves_for_people_who_want_less_motion(
    live_daemon: RealDaemon, gateway: RealGateway, open_page: OpenPage
) -> None:
    page = open_page(reduced_motion="reduce")
    activity = shell(live_daemon, '"$P" start "Long work" --steps one')
    shell(live_daemon, f'"$P" step {activity} one running')
    page.goto(gateway.url + "/devops")
    spinner = page.locator("article [data-shape=spinner]").first
    expect(spinner).to_be_visible()
    assert spinner.evaluate("one => getComputedStyle(one).animationIterationCount") == "1"
    assert page.evaluate("document.getAnimations().length") == 0
    shell(live_daemon, f'"$P" complete {activity}')
