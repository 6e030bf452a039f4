"""The Demo page in a real browser: the whole story, who may turn its page, and what is shown when the line is cut."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.console.axe import violations
from tests.console.conftest import OpenGateway, OpenPage, end_beside_playwright
from tests.console.shots import shot
from tests.e2e.real_daemon import RealDaemon, until
from tests.real_gateway import RealGateway

STORY_MS = 60_000
"""For one chapter, on a loaded machine."""
NODES = 6
KEEP_COUNTDOWN = """() => {
    window.countdown = [];
    new MutationObserver(() => {
        const timer = document.querySelector("[role=timer]");
        if (timer?.checkVisibility()) window.countdown.push(timer.textContent);
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""
"""Have the page write down the countdown that it shows: it is over in three seconds, whether or not we look."""


@pytest.fixture
def told(gateway: RealGateway) -> Iterator[RealGateway]:
    """The story at its first chapter; at the end nothing is owed."""
    gateway.post("/api/demo/goto", {"chapter": 0})
    yield gateway
    gateway.post("/api/faults/recover", {})


def next_chapter(page: Page, title: str) -> None:
    """Go on, once the chapter before lets us."""
    button = page.get_by_role("button", name="Next →")
    expect(button).not_to_have_attribute("aria-disabled", "true", timeout=STORY_MS)
    button.click()
    expect(page.locator(".chapter h2")).to_contain_text(title, timeout=STORY_MS)


def as_expected(page: Page) -> None:
    expect(page.locator(".chapter")).to_contain_text("as expected", timeout=STORY_MS)


def test_the_whole_story_is_seen_live(told: RealGateway, open_page: OpenPage) -> None:
    page = open_page(width=1600, height=1000, color_scheme="dark")
    page.goto(told.address)
    expect(page.locator(".chapter h2")).to_contain_text("Welcome")
    expect(page.get_by_test_id("live")).to_be_visible()
    cards = page.locator("[data-node]")
    expect(cards).to_have_count(NODES)
    expect(page.locator("[data-node][data-state=up]")).to_have_count(NODES)
    # Three primaries, each joined to its replica.
    expect(page.locator(".cluster-edge[data-kind=replication]:not([data-broken])")).to_have_count(3 + 1)

    next_chapter(page, "Cluster Health")
    as_expected(page)
    next_chapter(page, "Load Generation")
    as_expected(page)
    expect(page.locator(".chart-baseline")).to_be_attached(timeout=STORY_MS)
    shot(page, "story-load")

    page.evaluate(KEEP_COUNTDOWN)
    next_chapter(page, "Fault Injection")
    expect(page.locator("[data-node][data-fault]")).to_have_count(1, timeout=STORY_MS)
    shot(page, "story-countdown")
    victim = page.locator("[data-node][data-fault]").get_attribute("data-node")
    until(lambda: page.evaluate("countdown.length"), "the countdown to be shown")
    assert all(re.fullmatch(rf"([1-3])kill {victim} in \1 seconds", told) for told in page.evaluate("countdown"))
    card = page.locator(f"[data-node={victim}]")
    expect(card).to_have_attribute("data-state", "down", timeout=STORY_MS)
    # Red, and told without the colour too.
    expect(card).to_contain_text("down")
    expect(card.locator("svg[data-shape=cross]").first).to_be_visible()
    expect(page.locator("[data-mark=fault]")).to_have_count(1)

    next_chapter(page, "Detection")
    as_expected(page)
    expect(page.locator("[data-mark=detection]")).to_have_count(1)
    expect(page.locator(".detected")).to_contain_text(re.compile(rf"node_down {victim} .* after the injection"))
    expect(page.locator("[data-ticket]").first).to_be_visible()

    next_chapter(page, "AI Diagnosis")
    as_expected(page)
    agent = page.get_by_role("region", name=re.compile("Agent, ticket"))
    expect(agent).to_contain_text("process_killed")
    expect(agent.get_by_text("Because")).to_be_visible()
    expect(agent).to_contain_text(re.compile(r"\[\d+\].*SIGKILL"))
    expect(agent.get_by_text("Ruled out")).to_be_visible()
    expect(page.locator("[data-action][data-status=proposed]").first).to_be_visible()
    shot(page, "story-diagnosis", whole=True)
    assert violations(page) == []

    next_chapter(page, "Recovery")
    expect(page.locator(".chapter h2")).to_contain_text("Demo Complete", timeout=STORY_MS)
    expect(page.locator("[data-node][data-state=up]")).to_have_count(NODES, timeout=STORY_MS)
    expect(page.locator("[data-mark=recovery]")).to_have_count(1)
    expect(page.get_by_role("region", name="Tickets")).to_contain_text("all invariants hold", timeout=STORY_MS)
    expect(page.locator("[data-ticket][data-status=resolved]").first).to_be_visible(timeout=STORY_MS)
    shot(page, "story-complete", whole=True)


def test_without_the_token_a_command_asks_for_it_and_a_wrong_one_is_refused(told: RealGateway, page: Page) -> None:
    page.goto(told.url)
    page.get_by_role("button", name="Next →").click()
    dialog = page.get_by_role("dialog", name="Control token")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Token").fill("not-the-token")
    dialog.get_by_label("Token").press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("wrong")
    assert violations(page) == []
    dialog.get_by_label("Token").fill(told.token)
    dialog.get_by_role("button", name="Use this token").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Next →").click()
    expect(page.locator(".chapter h2")).to_contain_text("Cluster Health")
    # In this tab only.
    assert page.evaluate("localStorage.length") == 0


def test_a_gateway_that_is_gone_shows_as_lost_with_the_age_and_comes_back_by_itself(
    live_daemon: RealDaemon, open_gateway: OpenGateway, page: Page
) -> None:
    first = open_gateway(runtime_dir=live_daemon.runtime_dir)
    page.goto(first.url)
    expect(page.locator("[data-node]")).to_have_count(NODES)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    lost = page.get_by_test_id("connection-lost")
    expect(lost).to_contain_text(re.compile(r"Connection to the gateway lost.*data [1-9]\d* s old"))
    # What was known is still there, and says that it is old.
    expect(page.locator("[data-node]")).to_have_count(NODES)
    shot(page, "connection-lost")
    assert violations(page) == []
    port = first.url.rpartition(":")[2]
    open_gateway("--port", port, runtime_dir=live_daemon.runtime_dir)
    expect(lost).to_be_hidden()
    expect(page.get_by_test_id("live")).to_be_visible()


def test_no_daemon_is_told_and_no_data_is_made_up(open_gateway: OpenGateway, page: Page, tmp_path: Path) -> None:
    gateway = open_gateway(runtime_dir=tmp_path)
    page.goto(gateway.url)
    expect(page.get_by_test_id("connection-lost")).to_be_visible()
    expect(page.get_by_text("does not answer yet")).to_be_visible()
    expect(page.get_by_text("healthy")).to_have_count(0)
    expect(page.locator("[data-node]")).to_have_count(0)
    shot(page, "no-daemon", whole=True)
    assert violations(page) == []


@pytest.mark.soak
def test_a_fault_is_injected_approved_away_and_looked_into_by_keyboard_alone(
    told: RealGateway, open_page: OpenPage
) -> None:
    page = open_page(width=1280, height=900, color_scheme="light")
    page.goto(told.address)
    expect(page.locator("[data-node]")).to_have_count(NODES)
    press_until(page, "Inject a fault")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Inject a fault")
    expect(dialog.get_by_label("Target")).to_be_visible()
    assert violations(page) == []
    shot(page, "fault-dialog")
    dialog.get_by_label("Target").select_option("valkey-1")
    dialog.get_by_label("Countdown").fill("1")
    dialog.get_by_label("Countdown").press("Enter")
    expect(dialog).to_be_hidden(timeout=STORY_MS)
    expect(page.locator("[data-node=valkey-1]")).to_have_attribute("data-state", "down", timeout=STORY_MS)

    page.locator("[data-node=valkey-1]").press("Enter")
    drawer = page.get_by_role("dialog", name="valkey-1")
    expect(drawer).to_contain_text("probe down")
    assert violations(page) == []
    shot(page, "node-drawer")
    page.keyboard.press("Escape")
    expect(page.locator("[data-node=valkey-1]")).to_be_focused()

    approve = page.get_by_role("button", name=re.compile("^Approve .*valkey-1")).first
    expect(approve).to_be_visible(timeout=STORY_MS)
    approve.press("Enter")
    expect(page.locator("[data-node][data-state=up]")).to_have_count(NODES, timeout=STORY_MS)
    ticket = page.locator("[data-ticket]").first
    ticket.press("Enter")
    page.get_by_role("button", name=re.compile("History of ticket")).press("Enter")
    history = page.get_by_role("dialog", name=re.compile("Ticket #"))
    expect(history).to_contain_text("opened")
    assert violations(page) == []
    shot(page, "ticket-drawer")


def press_until(page: Page, name: str, most: int = 60) -> None:
    """Tab until the control of that name has the focus."""
    wanted = page.get_by_role("button", name=name)
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


@pytest.mark.soak
def test_a_daemon_that_is_stopped_shows_as_lost_with_its_age(
    open_gateway: OpenGateway, page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    try:
        daemon.start()
        page.goto(open_gateway(runtime_dir=daemon.runtime_dir).url)
        expect(page.locator("[data-node]")).to_have_count(NODES)
        daemon.stop()
        lost = page.get_by_test_id("connection-lost")
        expect(lost).to_contain_text(re.compile(r"data \d+ s old"))
        shown = lost.inner_text()
        time.sleep(2)
        assert lost.inner_text() != shown, "the age stands still"
        daemon.start()
        expect(page.get_by_test_id("live")).to_be_visible(timeout=STORY_MS)
    finally:
        end_beside_playwright(daemon)
