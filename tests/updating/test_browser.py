"""Does a person who looks at the page of an installed app come through an update, and back from a bad one?

Chromium shows the page of a real app, whose server has its next version.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import chromium
from tests.support.releases import Releases, describe, signed
from tests.support.updates import Installed
from tests.updating.bundles import VERSION, Bundle, Member, member

pytestmark = pytest.mark.slow

NOTES = """## Added
- Heating **by room**
- <img src=x onerror="attacked()"> <script>attacked()</script> [more](javascript:attacked())
"""
RETURNS = 40_000  # milliseconds for an app to end, start and be looked at again, on a machine that others use as well
# What a browser itself says as long as nobody answers.
AWAY = re.compile(r"net::ERR_CONNECTION_(REFUSED|RESET|CLOSED)|net::ERR_(EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--host-resolver-rules=MAP evil.example 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


@pytest.fixture
def releases() -> Iterator[Releases]:
    releases = Releases("ada/sample")
    with releases.serve():
        yield releases


@pytest.fixture
def app(bundle: Bundle, releases: Releases, tmp_path: Path) -> Iterator[Installed]:
    installed = bundle.install(tmp_path / "app")
    prefix = f"{installed.prefix}_UPDATE_"
    with installed.run(**{f"{prefix}URL": releases.url, f"{prefix}REPOSITORY": releases.repository}):
        installed.wait(VERSION)
        yield installed


def release(
    bundle: Bundle,
    releases: Releases,
    folder: Path,
    version: str,
    change: Callable[[list[Member]], None] = lambda _: None,
) -> None:
    members = bundle.members(version)
    change(members)
    archives = bundle.archives(version, folder, members)
    files = {path.name: path.read_bytes() for path in archives.values()}
    manifest = signed(describe(bundle.slug, version, archives), bundle.key)
    releases.add(f"v{version}", {**files, **manifest}, body=NOTES)
    path = releases.path(f"v{version}", archives["app"].name)
    releases.files[path] = slow(files[archives["app"].name])


def slow(content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Send a file in two seconds, so that there is something to see."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        part = len(content) // 8 + 1
        for start in range(0, len(content), part):
            handler.wfile.write(content[start : start + part])
            time.sleep(0.25)

    return answer


def cannot_start(members: list[Member]) -> None:
    for number, (entry, content) in enumerate(members):
        if entry.name.endswith("/__main__.py"):
            broken = content.replace(b"if __name__", b"raise RuntimeError\nif __name__")
            assert broken != content
            members[number] = member(entry.name, content=broken)


def test_a_person_updates_and_is_led_back_from_a_bad_version(
    bundle: Bundle, releases: Releases, app: Installed, page: Page, tmp_path: Path
) -> None:
    said: list[str] = []
    attacks: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.expose_function("attacked", lambda: attacks.append("!"))
    page.goto(f"http://127.0.0.1:{app.port}/")
    expect(page.locator("#version")).to_have_text(VERSION)

    release(bundle, releases, tmp_path, "1.1.0")
    page.get_by_role("tab", name="Updates").click()
    page.locator("#update-check").click()
    expect(page.locator("#update-banner")).to_contain_text("Version 1.1.0 is available.")
    expect(page.locator("#version")).to_have_class(re.compile("has-update"))
    expect(page.locator("#update-notes")).to_contain_text("<script>attacked()</script>")
    assert page.locator("#update-notes").locator("script, img").count() == 0

    page.locator("#update-now").click()
    expect(page.get_by_role("progressbar", name="Download")).to_be_visible()
    expect(page.get_by_role("dialog", name="Restarting with version 1.1.0")).to_be_visible(timeout=RETURNS)
    assert said == []
    expect(page.locator("#update-result")).to_contain_text("Updated: version 1.1.0 runs now.", timeout=RETURNS)
    expect(page.locator("#version")).to_have_text("1.1.0")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert app.version() == "1.1.0"
    app.wait("1.1.0")

    release(bundle, releases, tmp_path, "1.2.0", cannot_start)
    page.get_by_role("tab", name="Updates").click()
    page.locator("#update-check").click()
    expect(page.locator("#update-banner")).to_contain_text("Version 1.2.0 is available.")
    page.locator("#update-now").click()
    expect(page.get_by_role("dialog", name="Restarting with version 1.2.0")).to_be_visible(timeout=RETURNS)
    expect(page.locator("#update-result")).to_contain_text(
        "Version 1.2.0 did not work, so version 1.1.0 runs again.", timeout=RETURNS
    )
    expect(page.locator("#version")).to_have_text("1.1.0")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#update-history")).to_contain_text("1.2.0")
    assert attacks == []
    assert [line for line in said if not AWAY.search(line)] == []
    assert app.current == "1.1.0"


# Everything that a page can send without asking first, and what it must ask for; it gives what the page could read.
ATTEMPTS = """async ([base, version]) => {
  const read = {};
  const attempt = async (name, path, options) => {
    try {
      const answer = await fetch(base + path, options);
      read[name] = `${answer.status} ${await answer.text()}`;
    } catch {
      read[name] = "nothing";
    }
  };
  const body = JSON.stringify({ version, when: "now" });
  const json = { "Content-Type": "application/json" };
  await attempt("status", "/status");
  await attempt("status without asking", "/status", { mode: "no-cors" });
  await attempt("text", "/apply", { method: "POST", body });
  await attempt("text without asking", "/apply", { method: "POST", body, mode: "no-cors" });
  await attempt("JSON", "/apply", { method: "POST", body, headers: json });
  await attempt("dismissal", "/dismiss", { method: "POST", body, headers: json });
  await attempt("settings", "/settings", {
    method: "PUT",
    body: '{"enabled":true,"check_interval_hours":1,"include_prerelease":true}',
    headers: json,
  });
  read["events"] = await new Promise((resolve) => {
    const socket = new WebSocket(base.replace("http", "ws") + "/events");
    socket.onmessage = (event) => resolve(event.data);
    socket.onerror = () => resolve("nothing");
  });
  const form = document.createElement("form");
  Object.assign(form, { method: "post", enctype: "text/plain", action: base + "/apply", target: "frame" });
  const field = document.createElement("input");
  Object.assign(field, { name: `{"version":"${version}","when":"now","x":"`, value: '"}' });
  const frame = document.createElement("iframe");
  frame.name = "frame";
  form.append(field);
  document.body.append(frame, form);
  await new Promise((resolve) => {
    frame.onload = resolve;
    setTimeout(resolve, 3000);
    form.submit();
  });
  return read;
}"""


def test_another_page_in_the_browser_reads_and_changes_nothing(
    bundle: Bundle, releases: Releases, app: Installed, page: Page, tmp_path: Path
) -> None:
    release(bundle, releases, tmp_path, "1.1.0")
    app.check()
    before = app.until(lambda status: status["state"] == "update_available"), app.ask("/system/update/settings")
    base = f"http://127.0.0.1:{app.port}/system/update"

    releases.files["/"] = b"<!doctype html><title>Another page</title>"
    page.goto(f"{releases.url}/")
    read = page.evaluate(ATTEMPTS, [base, "1.1.0"])
    assert read.pop("status without asking").split() in ([], ["0"], ["nothing"])
    assert read.pop("text without asking").split() in ([], ["0"], ["nothing"])
    assert set(read.values()) == {"nothing"}, read

    # DNS rebinding: to the browser this page is of the same origin as the app, and may read what it answers.
    rebound = f"http://evil.example:{app.port}"
    page.goto(f"{rebound}/health")
    read = page.evaluate(ATTEMPTS, [f"{rebound}/system/update", "1.1.0"])
    assert read.pop("events") == "nothing"
    assert {name: text[:4] for name, text in read.items()} == dict.fromkeys(read, "403 "), read

    assert (app.status(), app.ask("/system/update/settings")) == before
    assert app.current == app.version() == VERSION

    page.goto(f"http://127.0.0.1:{app.port}/health")  # the app's own page may: so it is not the attempts that fail
    read = page.evaluate(ATTEMPTS, [base, "9.9.9"])
    assert read["status"].startswith("200 ")
    assert read["JSON"].startswith("409 "), read["JSON"]
    assert '"state_changed"' in read["events"]
