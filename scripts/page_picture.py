"""Draw docs/images/page-*.png and updates.png: the page of a generated app, served by the app, in a browser.

Run it as `python -m scripts.page_picture`. It needs Chromium, and PyPI for what the app depends on.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Literal

import copier
from playwright.sync_api import Browser, expect

from tests.project.test_update_page import RELEASE, STATUS
from tests.support.browser import chromium
from tests.support.projects import Project
from tests.support.tools import run, uv

REPOSITORY = Path(__file__).parents[1]
IMAGES = REPOSITORY / "docs/images"
ANSWERS = {
    "project_name": "Home Server",
    "description": "Heating and lights of a house, on one page",
    "author_name": "Ada Lovelace",
    "repo_owner": "ada",
    "targets": ["docker"],
    "python_version": "3.11",
    "frontend": False,  # both pages look the same: tests/project/test_page.py sees to that
    "auto_update": True,
}
NOTES = "## Added\n- Heating **by room**\n- Lights that follow the sun\n\n## Fixed\n- The clock in spring and autumn"
MACHINE = {"python": "3.13.5", "platform": "Linux-6.12-x86_64-with-glibc2.41", "uptime_seconds": 93784.0}  # a usual one


def make_project(root: Path) -> Project:
    """Make the project and install it as version 1.2.0."""
    copier.run_copy(str(REPOSITORY), root, data=ANSWERS, defaults=True, quiet=True, vcs_ref="HEAD")
    run([uv(), "version", "--frozen", "1.2.0"], cwd=root)
    run([uv(), "sync", "--no-dev"], cwd=root)
    return Project(root, {**os.environ})


def draw(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> None:
    page = browser.new_page(viewport={"width": 500, "height": 520}, color_scheme=scheme, reduced_motion="reduce")
    page.route("**/system/info", lambda route: route.fulfill(json={**route.fetch().json(), **MACHINE}))
    page.goto(url)
    expect(page.locator("#status")).to_have_text("Ready")
    page.screenshot(path=IMAGES / f"page-{scheme}.png", full_page=True)


def draw_updates(browser: Browser, url: str) -> None:
    """Draw the tab with an update that could be installed, of an app that was unpacked from an archive."""
    status = {**STATUS, "state": "update_available", "release": {**RELEASE, "notes": NOTES}}
    page = browser.new_page(viewport={"width": 560, "height": 600}, color_scheme="light", reduced_motion="reduce")
    page.route("**/system/info", lambda route: route.fulfill(json={**route.fetch().json(), "version": "1.0.0"}))
    page.route_web_socket("**/system/update/events", lambda socket: socket.close())
    page.route("**/system/update/status", lambda route: route.fulfill(json=status))
    page.goto(url)
    page.get_by_role("tab", name="Updates").click()
    expect(page.locator("#update-notes")).to_contain_text("room")
    page.screenshot(path=IMAGES / "updates.png", full_page=True)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with make_project(folder / "project").app(folder / "data") as app, chromium() as browser:
            app.wait()
            draw(browser, f"http://127.0.0.1:{app.port}", "light")
            draw(browser, f"http://127.0.0.1:{app.port}", "dark")
            draw_updates(browser, f"http://127.0.0.1:{app.port}")
            app.stop()


if __name__ == "__main__":
    main()
