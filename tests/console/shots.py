"""Screenshots for people to look at: only with ``OPERATOR_SCREENSHOTS=DIR``."""

import os
from pathlib import Path

from playwright.sync_api import Page


def shot(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep what the page shows now as ``DIR/name.png``; ``whole`` with what is below the fold."""
    if directory := os.environ.get("OPERATOR_SCREENSHOTS"):
        page.screenshot(path=Path(directory) / f"{name}.png", full_page=whole)
