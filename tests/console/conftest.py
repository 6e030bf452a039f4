"""Fixtures of the tests with a browser: one Chromium for the run, one daemon and one gateway for a module.

``page`` is a new page in a context of its own; ``open_page`` makes others (another width, dark, reduced motion). Both
fail a test whose page threw an error. ``gateway`` serves the built application for ``live_daemon``; ``open_gateway``
starts others with options of their own.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.console.chromium import Chromium, find_chromium
from tests.e2e.real_daemon import RealDaemon
from tests.real_gateway import RealGateway, running_gateway

import operator_clients.web

STATIC = Path(operator_clients.web.__file__).parent / "static"
DEADLINE_MS = 30_000
"""For what a page has to show; the machine may be loaded."""
START_MS = 90_000
"""For a browser that is loaded from a cold disk."""
expect.set_options(timeout=DEADLINE_MS)

OpenGateway = Callable[..., RealGateway]
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The browser process."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium-headless-shell)")
    browser = Chromium(program, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.end()


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """The same, as Playwright has it."""
    with sync_playwright() as playwright:
        yield playwright.chromium.connect_over_cdp(chromium.endpoint(), timeout=START_MS)


@pytest.fixture(scope="session")
def built() -> Path:
    """The built application."""
    if not (STATIC / "index.html").is_file():
        pytest.skip("the console is not built: make web")
    return STATIC


@pytest.fixture(scope="module")
def live_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    """A daemon on the embedded subject, with its load."""
    daemon = RealDaemon(tmp_path_factory.mktemp("d"))
    try:
        daemon.start("--load")
        yield daemon
    finally:
        end_beside_playwright(daemon)


def end_beside_playwright(daemon: RealDaemon) -> None:
    """It uses asyncio.run, and in this thread Playwright may have a loop."""
    ending = threading.Thread(target=daemon.end)
    ending.start()
    ending.join()


@pytest.fixture(scope="module")
def gateway(live_daemon: RealDaemon, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway for that daemon, without other sources."""
    with running_gateway(tmp_path_factory.mktemp("web"), runtime_dir=live_daemon.runtime_dir) as running:
        yield running


@pytest.fixture
def open_gateway(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenGateway]:
    """Start a gateway: ``open_gateway("--metrics-url", URL, runtime_dir=DIR)``; it is stopped behind the test."""
    with ExitStack() as stack:

        def start(*options: str, runtime_dir: Path) -> RealGateway:
            directory = tmp_path_factory.mktemp("web")
            return stack.enter_context(running_gateway(directory, *options, runtime_dir=runtime_dir))

        yield start


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Make a page: ``open_page(width=360, height=640, color_scheme="dark", reduced_motion="reduce")``."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(*, width: int = 1280, height: int = 800, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(DEADLINE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors, f"the page threw: {errors}"


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page of 1280 by 800."""
    return open_page()
