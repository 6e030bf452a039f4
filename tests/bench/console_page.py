"""What a person in front of the console waits for, in a real Chromium.

A frame on the bus, with fifty pages open; the longest task while 10,000 pods are sorted, searched and paged; and how
much has to be loaded before anything is seen.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack

from playwright.sync_api import Page, expect, sync_playwright
from tests.console.chromium import Chromium, find_chromium
from tests.real_gateway import running_gateway
from tests.sse import Tab

from operator_protocol.follow import Follower

from .clusterwatch import Unexpected
from .console_kubernetes import PODS, serving_cluster
from .figures import Figure
from .registry import Bench, Benchmark

TO_PAGE_MS = 250.0
LONG_TASK_MS = 200.0
FIRST_LOAD_KB = 300.0
_TABS = 50
_WAIT_MS = 30_000
_START_MS = 90_000
_OPERATION = "Measure"
_NOTE_WHEN_SHOWN = """() => {
    window.shown = {};
    new MutationObserver(() => {
        const banner = document.querySelector("[data-testid=devops-banner]");
        const found = banner?.textContent.match(/bench-\\d+/);
        if (found) window.shown[found[0]] ??= performance.timeOrigin + performance.now();
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""
_NOTE_LONG_TASKS = """() => {
    window.longest = 0;
    new PerformanceObserver(list => {
        for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
    }).observe({type: "longtask"});
}"""
_SCRIPTS = """() => performance.getEntriesByType("resource")
    .filter(one => one.name.endsWith(".js")).reduce((sum, one) => sum + one.encodedBodySize, 0)"""


def run(bench: Bench) -> list[Figure]:
    """Nothing else than these pages is open."""
    with _page(bench) as page:
        to_page, first_load = _frames(bench, page)
        longest = _pods(bench, page)
    return [
        Figure(
            "console_page.frame",
            "ms",
            to_page,
            target=TO_PAGE_MS,
            note=f"from the daemon's time stamp to the changed page, {_TABS} pages open",
        ),
        Figure("console_page.longest_task", "ms", longest, target=LONG_TASK_MS, note=f"{PODS:,} pods"),
        Figure("console_page.first_load", "kB", [first_load], target=FIRST_LOAD_KB, note="JavaScript, compressed"),
    ]


@contextlib.contextmanager
def _page(bench: Bench) -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        raise Unexpected("there is no Chromium (Debian: apt-get install chromium-headless-shell)")
    chromium = Chromium(program, bench.directory())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.connect_over_cdp(chromium.endpoint(), timeout=_START_MS)
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.set_default_timeout(_WAIT_MS)
            yield page
    finally:
        chromium.end()


def _frames(bench: Bench, page: Page) -> tuple[list[float], float]:
    """Milliseconds from the bus to the page, and what was loaded first."""
    daemon = bench.daemon()
    samples = []
    with running_gateway(bench.directory(), runtime_dir=daemon.runtime_dir) as gateway, ExitStack() as tabs:
        page.goto(f"{gateway.url}/demo")
        expect(page.get_by_test_id("live")).to_be_visible(timeout=_WAIT_MS)
        first_load = page.evaluate(_SCRIPTS) / 1000
        for _ in range(_TABS - 1):
            tabs.enter_context(Tab(gateway.url)).next("snapshot")
        page.evaluate(_NOTE_WHEN_SHOWN)
        with Follower(daemon.endpoint, actor="bench") as follower:
            follower.join(10)
            steps = [f"bench-{number}" for number in range(bench.rounds(60, 5))]
            _publish(follower, "DEVOPS_STARTED", operation=_OPERATION, steps=steps)
            for step in steps:
                samples.append(_shown(page, follower, step))
                time.sleep(0.1)
    return samples, first_load


def _shown(page: Page, follower: Follower, step: str) -> float:
    """Have a step run; milliseconds from its frame to the banner that tells of it."""
    at = _publish(follower, "DEVOPS_STEP_UPDATE", step=step, status="running")
    page.wait_for_function("step => window.shown[step] !== undefined", arg=step, timeout=_WAIT_MS)
    shown_at: float = page.evaluate("step => window.shown[step]", step)
    _publish(follower, "DEVOPS_STEP_UPDATE", step=step, status="completed")
    return shown_at - at * 1000


def _publish(follower: Follower, kind: str, **said: object) -> float:
    """Tell of the operation; returns the daemon's time stamp, in seconds."""
    description = json.dumps({"activity_id": "bench", **said})
    payload = {"subject": _OPERATION, "description": description}
    told = follower.perform("publish", {"type": kind, "from": "bench", "to": "all", "payload": payload})
    return float(told["message"]["timestamp"])


def _pods(bench: Bench, page: Page) -> list[float]:
    """The longest task of each round of sorting, searching and paging."""
    directory = bench.directory()
    samples = []
    with serving_cluster(directory / "kubeconfig"):
        options = ("--kubeconfig", str(directory / "kubeconfig"))
        with running_gateway(directory, *options, runtime_dir=directory / "none") as gateway:
            for _ in range(bench.rounds(5, 1)):
                page.goto(f"{gateway.url}/kubernetes?size=100")
                _settled(page)
                page.evaluate(_NOTE_LONG_TASKS)
                _work(page)
                samples.append(float(page.evaluate("window.longest")))
    return samples


def _work(page: Page) -> None:
    pages = page.get_by_role("navigation", name="Pages of pods")
    for label in ("Next page", "Last page", "First page"):
        pages.get_by_role("button", name=label).click()
        _settled(page)
    table = page.get_by_role("table", name="Pods of the cluster")
    table.get_by_role("columnheader", name="Restarts").get_by_role("button").click()
    _settled(page)
    filters = page.get_by_role("search", name="Pods")
    filters.get_by_role("searchbox").press_sequentially("worker", delay=40)
    page.wait_for_url("**search=worker**")
    filters.get_by_label("Status").select_option("Running")
    page.wait_for_url("**status=Running**")
    expect(table).to_have_attribute("aria-busy", "false", timeout=_WAIT_MS)


def _settled(page: Page) -> None:
    table = page.get_by_role("table", name="Pods of the cluster")
    expect(page.get_by_role("navigation", name="Pages of pods")).to_contain_text(f"of {PODS:,} pod", timeout=_WAIT_MS)
    expect(table).to_have_attribute("aria-busy", "false", timeout=_WAIT_MS)


BENCHMARK = Benchmark(
    "console-page", "a frame in a real browser with fifty pages open, and a table of 10,000 pods", run
)
