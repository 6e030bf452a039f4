"""axe in a page: what keeps people from using it."""

from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "clients" / "web-ui" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """async () => {
    const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const {violations} = await axe.run(document, {runOnly: rules});
    return violations.flatMap(({id, nodes}) => nodes.map(one => `${id} ${one.target}: ${one.failureSummary}`));
}"""
_AT_REST = """() => Promise.race([
    Promise.all(document.getAnimations()
        .filter(one => one.playState === "running" && one.effect?.getTiming().iterations !== Infinity)
        .map(one => one.finished.catch(() => null))),
    // One that is taken away in the middle never says so.
    new Promise(done => setTimeout(done, 3000)),
]).then(() => null)"""


@cache
def _source() -> str:
    if not _AXE.is_file():
        pytest.skip("axe-core is not installed: make web")
    return _AXE.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Each rule of WCAG 2.2 AA that the page breaks, with the element that does. Waits until nothing moves any more:
    what fades in has too little contrast for a moment."""
    # By the debugger and not as a script of the page: its content policy lets no other script in.
    page.evaluate(_source())
    page.evaluate(_AT_REST)
    found: list[str] = page.evaluate(_RUN)
    return found
