"""Does the page show everybody how the app is? Both pages, served by the real generated app, in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.answers import answers_for
from tests.conftest import Render
from tests.support.browser import accessibility_problems, chromium, is_wider_than_its_window, save_screenshot
from tests.support.pythons import uv_environment
from tests.support.tools import run, uv

pytestmark = pytest.mark.slow

NAME = """Größe <b>"Q"</b>"""
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
WORDS = {"starting": "Starting", "ready": "Ready", "unreachable": "Unreachable"}
LONG = {
    "name": "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen 2",
    "version": "12.34.56rc78.dev9+g0123456789abcdef.d20261121",
    "python": "3.14.0rc3+experimental",
    "platform": "Linux-6.12.48+deb13-cloud-amd64-x86_64-with-glibc2.41",
    "uptime_seconds": 123456789.0,
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class App:
    """A generated project that can be started and stopped, always on the same port."""

    folder: Path
    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> dict[str, Any]:
        with urlopen(self.url + path, timeout=5) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
        return answer

    def start(self) -> None:
        python = self.folder / ".venv/bin/python"
        self.process = subprocess.Popen(
            [python, "-m", "sample_page", "--port", str(self.port), "--data-dir", self.data], cwd=self.folder
        )
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, "the app ended at its start"
            try:
                assert self.get("/health")["ready"]
            except URLError:
                assert time.monotonic() < deadline, "the app does not answer"
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout=10) == 0
            self.process = None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module", params=["built", "plain"])
def app(request: pytest.FixtureRequest, render: Render, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    answers = answers_for(
        ["docker"],
        project_name=NAME,
        project_slug="sample-page",
        frontend=request.param == "built",
        auto_update=True,
    )
    folder = tmp_path_factory.mktemp(request.param) / "project"
    shutil.copytree(render(answers), folder)
    if request.param == "built":
        for command in (["install"], ["run", "build"]):
            run([folder / "scripts/npm.sh", *command])
    run([uv(), "sync", "--quiet", "--no-dev"], cwd=folder, env=os.environ | uv_environment())
    app = App(folder, tmp_path_factory.mktemp("data"))
    app.start()
    yield app
    app.stop()


@pytest.fixture
def messages() -> list[str]:
    """Collect the browser's complaints: errors of scripts, what the security policy refused, missing answers."""
    return []


@pytest.fixture
def page(browser: Browser, messages: list[str]) -> Iterator[Page]:
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        yield page


def answer_with(page: Page, path: str, body: dict[str, Any], status: int = 200) -> None:
    """Let the page get another answer than the app's."""

    def answer(route: Route) -> None:
        route.fulfill(json=body, status=status)

    page.route(f"**{path}", answer)


def open_in_state(page: Page, app: App, status: str) -> None:
    """Open the page and wait for a status, with changed answers: the real app is ready as soon as it answers."""
    health = app.get("/health")
    if status == "starting":
        answer_with(page, "/health", {**health, "status": "starting", "ready": False}, status=503)
    if status == "unreachable":
        page.route("**/health", lambda route: route.abort())
    page.goto(app.url)
    expect(page.locator("#status")).to_have_text(WORDS[status])


def test_shows_what_the_server_says(app: App, page: Page, messages: list[str]) -> None:
    info = app.get("/system/info")
    page.goto(app.url)
    expect(page.get_by_role("tabpanel", name="Status").get_by_role("status")).to_contain_text("Ready")
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page).to_have_title(NAME)
    for name in ("version", "python", "platform"):
        expect(page.locator(f"#{name}")).to_have_text(info[name])
    expect(page.locator("#uptime")).to_have_text(re.compile(r"^\d+ (s|min \d+ s)$"))
    assert messages == []


def test_says_when_the_server_is_gone_and_when_it_is_back(app: App, page: Page) -> None:
    page.goto(app.url)
    expect(page.locator("#status")).to_have_text("Ready")
    app.stop()
    expect(page.locator("#status")).to_have_text("Unreachable", timeout=15_000)
    expect(page.locator("#detail")).to_have_text("No answer from the server. Trying again every 2 seconds.")
    expect(page.locator("#uptime")).to_have_text("\N{EN DASH}")
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    app.start()
    expect(page.locator("#status")).to_have_text("Ready", timeout=15_000)


def test_says_when_an_answer_makes_no_sense(app: App, page: Page) -> None:
    answer_with(page, "/health", {}, status=500)
    page.goto(app.url)
    expect(page.locator("#detail")).to_contain_text("unexpected answer to /health: status 500.")


@pytest.mark.parametrize("status", WORDS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible(
    app: App, page: Page, scheme: str, size: str, status: str, request: pytest.FixtureRequest
) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    open_in_state(page, app, status)
    save_screenshot(page, re.sub(r"\W+", "-", request.node.name).strip("-"))
    assert not is_wider_than_its_window(page)
    # axe cannot judge text on a gradient: so on the gradient's strongest colour.
    page.evaluate("document.querySelector('.status').style.background = 'var(--tint)'")
    assert accessibility_problems(page) == []


@pytest.mark.parametrize("width", [320, 1280])
def test_long_texts_fit(app: App, page: Page, width: int, request: pytest.FixtureRequest) -> None:
    answer_with(page, "/system/info", LONG)
    page.set_viewport_size({"width": width, "height": 640})
    open_in_state(page, app, "ready")
    save_screenshot(page, re.sub(r"\W+", "-", request.node.name).strip("-"))
    assert not is_wider_than_its_window(page)


def test_works_with_the_keyboard(app: App, page: Page) -> None:
    open_in_state(page, app, "ready")
    reached = []
    for _ in range(2):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        reached.append(focused.inner_text())
        outline = focused.evaluate(
            "element => getComputedStyle(element).outlineStyle + getComputedStyle(element).outlineWidth"
        )
        assert outline == "solid3px"
    assert reached == ["Status", "Check now"]
    with page.expect_response("**/health", timeout=1_000):
        page.keyboard.press("Enter")


def test_moves_only_where_movement_is_wanted(app: App, page: Page) -> None:
    open_in_state(page, app, "starting")
    animation = "getComputedStyle(document.querySelector('#status'), '::before').animationName"
    assert page.evaluate(animation) == "breathe"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(animation) == "none"


def test_shows_the_light_where_the_system_chooses_the_colours(app: App, page: Page) -> None:
    page.emulate_media(forced_colors="active")
    open_in_state(page, app, "ready")
    assert page.evaluate("getComputedStyle(document.querySelector('#status'), '::before').borderTopStyle") == "solid"


@pytest.mark.parametrize("auto_update", [False, True])
def test_both_pages_are_the_same(render: Render, auto_update: bool) -> None:
    """They differ in nothing but where their files are."""
    answers = {"project_slug": "sample-page", "auto_update": auto_update}
    built = render(answers_for(["docker"], frontend=True, **answers)) / "frontend"
    plain = render(answers_for(["docker"], frontend=False, **answers)) / "src/sample_page/static"
    text = (built / "index.html").read_text(encoding="utf-8")
    for old, new in {"/src/main.ts": "/page.js", "/src/": "/", '"/': '"/static/'}.items():
        text = text.replace(old, new)
    page = (plain / "index.html").read_text(encoding="utf-8")
    update_style = '    <link rel="stylesheet" href="/static/update.css" />\n'  # in the other, a script names it
    assert (update_style in page) == auto_update
    assert page.replace(update_style, "") == text
    assert (plain / "style.css").read_bytes() == (built / "src/style.css").read_bytes()
