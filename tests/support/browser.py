"""A real browser and its judgement of a page: Debian's Chromium, driven by Playwright, with axe for accessibility."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.packages import require_apt
from tests.support.tools import program

# axe's rules for WCAG 2.2 A and AA and its best practices, that is all it has but what is still experimental.
AXE_OPTIONS = {"resultTypes": ["violations", "incomplete"]}


def _chromium() -> str:
    """Give Chromium's path, installing it first where that is allowed."""
    if shutil.which("chromium") is None:
        require_apt("chromium")
    return program("chromium", "apt-get install chromium")


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Start Chromium without a window. Playwright brings no browser of its own here: its downloads are elsewhere."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_chromium(),
            # Tests may run as root, and ask this machine only.
            args=["--no-sandbox", "--no-proxy-server", *arguments],
        )
        try:
            yield browser
        finally:
            browser.close()


@cache
def _axe() -> str:
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def accessibility_problems(page: Page) -> list[str]:
    """List what axe finds wrong on a page, and where it could not tell whether a contrast is enough."""
    page.evaluate(_axe())
    results: dict[str, list[dict[str, Any]]] = page.evaluate("options => axe.run(options)", AXE_OPTIONS)
    unclear = [result for result in results["incomplete"] if result["id"] == "color-contrast"]
    return [
        f"{result['id']} ({result['help']}): {node['html']}: {node.get('failureSummary', '')}"
        for result in [*results["violations"], *unclear]
        for node in result["nodes"]
    ]


def is_wider_than_its_window(page: Page) -> bool:
    """Tell whether one has to scroll sideways to see the whole page."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def save_screenshot(page: Page, name: str) -> None:
    """Save the whole page as PNG where SCREENSHOTS names a folder: for people who want to see what was tested."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
