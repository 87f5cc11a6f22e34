"""Does the page show updates to everybody, whatever the server says? Both pages, in a real browser.

The server here is made of answers, so that every state can be had; that the real one gives these is tested elsewhere.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from scripts import plain_update
from tests.answers import answers_for
from tests.conftest import Render
from tests.support.browser import accessibility_problems, chromium, is_wider_than_its_window, save_screenshot
from tests.support.tools import run

pytestmark = pytest.mark.slow

URL = "http://localhost/"  # nobody listens there: every request is answered by the test
HEADERS = {"Content-Security-Policy": "default-src 'self'"}  # as the app does
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
NOTES = """## Added
- Heating **by room**, as [explained](https://gitea.example.com/ada/home/wiki)
- `GET /rooms`

### For developers
1. Run `make setup`
2. > Read what `make help` says

```sh
curl --silent --show-error https://gitea.example.com/ada/home/releases/download/v1.1.0/home-1.1.0-linux-x64.tar.gz
```
"""
RELEASE = {
    "version": "1.1.0",
    "tag": "v1.1.0",
    "name": "1.1.0",
    "notes": NOTES,
    "prerelease": False,
    "published_at": "2026-01-01T08:00:00Z",
    "page_url": "https://gitea.example.com/ada/home/releases/tag/v1.1.0",
    "size": 68_000,
}
LAST = {
    "version": "1.1.0",
    "from_version": "1.0.0",
    "outcome": "rolled_back",
    "at": "2026-01-02T03:05:00Z",
    "message": "It did not answer within 30 seconds.",
}
STATUS: dict[str, Any] = {
    "state": "idle",
    "current_version": "1.0.0",
    "install_type": "portable",
    "can_auto_update": True,
    "reason": None,
    "release": None,
    "dismissed": False,
    "progress": None,
    "error": None,
    "checked_at": "2026-01-02T03:00:00Z",
    "confirmed_at": "2026-01-02T03:00:00Z",
    "on_next_start": None,
    "releases_url": "https://gitea.example.com/ada/home/releases",
    "image": None,
    "last": None,
}
IMAGE = {
    "name": "gitea.example.com/ada/home:1.1.0",
    "commands": ["docker compose pull", "docker compose up --detach"],
}
AVAILABLE = {"state": "update_available", "release": RELEASE}
STATES: dict[str, dict[str, Any]] = {
    "up-to-date": {},
    "available": AVAILABLE,
    "downloading": {
        **AVAILABLE,
        "state": "downloading",
        "progress": {"received": 34_000_000, "total": 68_000_000, "bytes_per_second": 1_500_000},
    },
    "next-start": {**AVAILABLE, "on_next_start": "1.1.0"},
    "error": {
        **AVAILABLE,
        "state": "error",
        "error": {
            "message": "The disk is full: 12 MB are free, 200 MB are needed.",
            "way_out": "Make room, try again.",
        },
    },
    "docker": {
        **AVAILABLE,
        "install_type": "docker",
        "can_auto_update": False,
        "reason": "A container is replaced by whoever runs it.",
        "image": IMAGE,
    },
    "went-back": {"last": LAST},
}
HOSTILE = """# <img src=x onerror="attacked()">
<script>attacked()</script> <svg onload=attacked()> <iframe srcdoc="<script>parent.attacked()</script>"></iframe>
[a](javascript:attacked()) ![b](https://evil.example/pixel.png) [c](https://evil.example/"onmouseover="attacked())
<a href="javascript:attacked()">d</a> <style>body { display: none }</style> <form action="https://evil.example">
![e](x"onerror="attacked()) [f]( javascript:attacked() ) <javascript:attacked()>
"""


class Server:
    """A server made of answers, for one page."""

    def __init__(self, static: Path, page: Page, messages: list[str]) -> None:
        self.static = static
        self.page = page
        self.messages = messages
        self.status = copy.deepcopy(STATUS)
        self.history: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.foreign: list[str] = []
        self.sockets: list[WebSocketRoute] = []
        self.up = True
        page.route("**/*", self._answer)
        page.route_web_socket("**/system/update/events", self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        self._send(socket, "state_changed")

    def _send(self, socket: WebSocketRoute, event: str) -> None:
        socket.send(json.dumps({"event": event, "status": self.status}))

    def tell(self, event: str, **changes: Any) -> None:
        self.status |= changes
        self._send(self.sockets[-1], event)

    def _answer(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.hostname != "localhost":
            self.foreign.append(route.request.url)
            route.abort()
        elif not self.up:
            route.abort()
        elif address.path == "/":
            route.fulfill(path=self.static / "index.html", headers=HEADERS, content_type="text/html")
        elif address.path.startswith("/static/"):
            route.fulfill(path=self.static / address.path.removeprefix("/static/"))
        else:
            body = route.request.post_data
            self.requests.append(f"{route.request.method} {address.path} {body or ''}".strip())
            route.fulfill(json=self._json(address.path))

    def _json(self, path: str) -> Any:
        version = self.status["current_version"]
        answers: dict[str, Any] = {
            "/health": {"status": "ok", "version": version, "ready": True},
            "/system/info": {
                "name": "Home Server",
                "version": version,
                "python": "3.13.5",
                "platform": "Linux-6.12-x86_64",
                "uptime_seconds": 90.0,
            },
            "/system/update/settings": {"enabled": True, "check_interval_hours": 24, "include_prerelease": False},
            "/system/update/history": self.history,
        }
        return answers.get(path, self.status)

    def open(self, **changes: Any) -> None:
        self.status |= changes
        self.page.goto(URL)
        expect(self.page.locator("#status")).to_have_text("Ready")
        expect(self.page.locator("#update-facts")).to_contain_text(self.status["current_version"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def built(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a frontend that is built."""
    folder = tmp_path_factory.mktemp("built") / "project"
    answers = answers_for(["docker"], project_slug="sample-page", frontend=True, auto_update=True)
    shutil.copytree(render(answers), folder)
    for command in (["install"], ["run", "build"]):
        run([folder / "scripts/npm.sh", *command])
    return folder


@pytest.fixture(scope="module")
def plain(render: Render) -> Path:
    answers = answers_for(["docker"], project_slug="sample-page", frontend=False, auto_update=True)
    return render(answers) / "src/sample_page/static"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def server(page: Page, built: Path) -> Server:
    return make_server(page, built / "src/sample_page/static")


@pytest.fixture(params=["built", "plain"])
def each_server(request: pytest.FixtureRequest, page: Page) -> Server:
    """The server of either page, for what shows that each of them works at all: they are the same otherwise."""
    folder: Path = request.getfixturevalue(request.param)
    return make_server(page, folder / "src/sample_page/static" if request.param == "built" else folder)


def make_server(page: Page, static: Path) -> Server:
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    return Server(static, page, messages)


def test_the_plain_page_is_made_of_the_other(built: Path, plain: Path) -> None:
    made = plain_update.make(built)
    assert (plain / "update.js").read_text(encoding="utf-8") == made, "run: python -m scripts.plain_update"
    assert (plain / "update.css").read_bytes() == (built / "frontend/src/update/update.css").read_bytes()


EVERY_STATE = [*STATES, "restarting", "status-tab"]


@pytest.mark.parametrize("state", EVERY_STATE)
@pytest.mark.parametrize(("scheme", "size"), [("light", "phone"), ("dark", "desktop")])
def test_is_accessible(
    server: Server, page: Page, scheme: str, size: str, state: str, request: pytest.FixtureRequest
) -> None:
    check_accessibility(server, page, scheme, size, state, request)


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("state", EVERY_STATE)
@pytest.mark.parametrize(("scheme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_is_accessible_in_the_other_pairs(
    server: Server, page: Page, scheme: str, size: str, state: str, request: pytest.FixtureRequest
) -> None:
    check_accessibility(server, page, scheme, size, state, request)


def check_accessibility(
    server: Server, page: Page, scheme: str, size: str, state: str, request: pytest.FixtureRequest
) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    server.history = [LAST, {**LAST, "outcome": "updated", "message": ""}]
    server.open(**STATES.get(state, AVAILABLE))
    if state != "status-tab":
        page.get_by_role("tab", name="Updates").click()
        expect(page.locator("#update-history")).to_contain_text("went back")
    if state == "restarting":
        server.tell("server_restarting", state="applying")
        expect(page.get_by_role("dialog")).to_be_visible()
    save_screenshot(page, re.sub(r"\W+", "-", request.node.name).strip("-"))
    assert not is_wider_than_its_window(page)
    # axe cannot judge text on a gradient: so on the gradient's strongest colour. Nor text in two lines with different
    # things behind what it stands on.
    if state == "restarting":
        page.evaluate("document.querySelector('main').style.visibility = 'hidden'")
    page.evaluate("document.querySelector('.status').style.background = 'var(--tint)'")
    assert accessibility_problems(page) == []
    assert server.messages == []


def test_a_stranger_s_notes_do_nothing(each_server: Server, page: Page) -> None:
    attacks: list[str] = []
    page.expose_function("attacked", lambda: attacks.append("!"))
    each_server.open(
        state="update_available", release={**RELEASE, "notes": HOSTILE, "page_url": "javascript:attacked()"}
    )
    page.get_by_role("tab", name="Updates").click()
    notes = page.locator("#update-notes")
    expect(notes).to_contain_text("<script>attacked()</script>")
    assert notes.locator("script, img, svg, iframe, style, form").count() == 0
    for link in page.get_by_role("link").all():
        assert (link.get_attribute("href") or "").startswith("https://")
        assert "noopener" in (link.get_attribute("rel") or "")
        link.hover()
    assert (attacks, each_server.foreign, each_server.messages) == ([], [], [])


def test_goes_from_the_badge_through_the_restart_to_the_new_version(each_server: Server, page: Page) -> None:
    server = each_server
    server.open()
    server.tell("update_available", **AVAILABLE)
    expect(page.locator("#update-banner")).to_contain_text("Version 1.1.0 is available.")
    page.locator("#version.has-update").click()
    expect(page.get_by_role("tab", name="Updates")).to_be_focused()
    with page.expect_request("**/system/update/apply"):
        page.get_by_role("tabpanel").get_by_role("button", name="Update now").click()
    expect(page.locator("#update-failure")).to_be_empty()
    assert 'POST /system/update/apply {"version":"1.1.0","when":"now"}' in server.requests

    server.tell("update_download_progress", **STATES["downloading"])
    expect(page.get_by_role("progressbar", name="Download")).to_be_visible()
    expect(page.get_by_text("34 MB of 68 MB · 1.5 MB/s")).to_be_visible()
    server.tell("server_restarting", state="applying", progress=None)
    expect(page.get_by_role("dialog", name="Restarting with version 1.1.0")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_visible()
    server.up = False
    page.wait_for_timeout(1500)
    server.status |= {
        "state": "idle",
        "release": None,
        "current_version": "1.1.0",
        "last": {**LAST, "outcome": "updated"},
    }
    server.up = True
    expect(page.locator("#update-result")).to_contain_text("Updated: version 1.1.0 runs now.", timeout=10_000)
    expect(page.locator("#version")).to_have_text("1.1.0")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_says_that_it_went_back(server: Server, page: Page) -> None:
    server.open(**AVAILABLE)
    server.tell("server_restarting", state="applying")
    server.up = False
    page.wait_for_timeout(1000)
    server.status |= {"state": "idle", "release": None, "last": LAST}
    server.up = True
    result = page.locator("#update-result")
    expect(result).to_contain_text("Version 1.1.0 did not work, so version 1.0.0 runs again.", timeout=10_000)
    expect(page.get_by_role("dialog")).to_be_hidden()
    result.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("tab", name="Status")).to_be_focused()


def test_a_dismissed_version_stays_away(each_server: Server, page: Page) -> None:
    each_server.open(**AVAILABLE)
    banner = page.get_by_role("region", name="New version")
    expect(banner.get_by_role("link", name="Release page")).to_have_attribute("href", str(RELEASE["page_url"]))
    with page.expect_request("**/system/update/dismiss"):
        banner.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Version 1.1.0 is available.", exact=True)).to_have_count(0)
    assert 'POST /system/update/dismiss {"version":"1.1.0"}' in each_server.requests
    page.reload()
    expect(page.locator("#version.has-update")).to_be_visible()
    expect(page.get_by_text("Version 1.1.0 is available.", exact=True)).to_have_count(0)


def test_works_with_the_keyboard(server: Server, page: Page) -> None:
    server.open(**STATES["available"])
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        reached.append(focused.get_attribute("aria-label") or focused.inner_text())
        assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    assert reached[1:] == ["Update now", "Release page", "Dismiss", "Status"], reached
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel", name="Updates")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#update-now")).to_be_focused()


def test_copies_the_commands(server: Server, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    server.open(**STATES["docker"])
    page.get_by_role("button", name="How to update").click()
    expect(page.get_by_role("button", name="Update now")).to_have_count(0)
    page.get_by_role("button", name="Copy the commands").click()
    expect(page.get_by_text("the commands copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(IMAGE["commands"])


def test_moves_only_where_movement_is_wanted(server: Server, page: Page) -> None:
    server.open(**AVAILABLE)
    animation = "getComputedStyle(document.querySelector('.update-badge'), '::before').animationName"
    assert page.evaluate(animation) == "update-pulse"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(animation) == "none"


@pytest.mark.parametrize("width", [320, 1280])
def test_long_texts_fit(server: Server, page: Page, width: int, request: pytest.FixtureRequest) -> None:
    version = "12.34.56rc78.dev9+g0123456789abcdef.d20261121"
    long = {**RELEASE, "version": version, "notes": "x" * 300 + " https://gitea.example.com/" + "y" * 300}
    page.set_viewport_size({"width": width, "height": 640})
    server.history = [{**LAST, "version": version, "message": "z" * 300}]
    server.open(**{**STATES["docker"], "release": long, "last": server.history[0]})
    page.get_by_role("tab", name="Updates").click()
    expect(page.locator("#update-history")).to_contain_text(version)
    save_screenshot(page, re.sub(r"\W+", "-", request.node.name).strip("-"))
    assert not is_wider_than_its_window(page)
