"""The tutorial of the app that updates itself, followed word for word on a Gitea with nothing on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import git
from tests.docs.markdown import SELF_UPDATING, fences, table
from tests.docs.test_tutorial import PORT, Reader
from tests.support import windows_pythons, wine
from tests.support.browser import chromium
from tests.support.gitea import Owner, Repository, Server, serve
from tests.support.gitea_runner import run_jobs
from tests.support.packages import require_apt
from tests.support.projects import newcomer
from tests.support.updates import Installed
from tests.updating.test_windows import InstalledOnWindows

GITEA = "https://gitea.example.com"
SLUG = "harbour-weather"
UPDATE = "\n## Update\n"  # the heading below which a browser is at work
ASKED = {f"{SLUG.upper().replace('-', '_')}_TRIAL_SECONDS": "90"}  # of a machine that others use as well
RETURNS = 120_000  # milliseconds for an app to end, start and be looked at again

MINUTES = 60  # for a release, on a machine that others use as well

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("long"), pytest.mark.timeout(3 * MINUTES * 60)]


class Ada(Reader):
    """The reader: waits for a release before going on, as the page says, and starts the app that was unpacked."""

    def __init__(self, folder: Path, environment: dict[str, str], owner: Owner, stack: ExitStack) -> None:
        super().__init__(folder, environment, {GITEA: owner.server.url})
        self.owner = owner
        self.stack = stack
        self.pasted = owner.new_token("write:repository", "write:user") + "\n"
        self.installed: Installed | None = None

    @property
    def repository(self) -> Repository:
        return Repository(self.owner, SLUG)

    def type(self, code: str) -> None:
        if self.installed:
            code = code.replace(PORT, str(self.installed.port))
        super().type(code)
        if "git push" not in code and "make tag-release" not in code:
            return
        commit = git(self.folder, "rev-parse", "HEAD").strip()
        if "git push" in code:
            # The same checks are part of the release, and have tests of their own.
            self.repository.run(event="push", workflow="test.yml", head_sha=commit).cancel()
        if "make tag-release" in code:
            self.repository.run(event="push", workflow="release.yml", head_sha=commit).check(MINUTES)

    def start(self, command: str) -> None:
        assert command == f"{SLUG}/run.sh"
        self.installed = Installed(self.folder / SLUG, SLUG)
        self.stack.enter_context(self.installed.run(**ASKED))
        self.installed.wait("0.1.0")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def publish_template(server: Server, template: Path) -> None:
    """Put the template where the tutorial says that it is."""
    repository = server.owner("tools").repository("gitea-py-template")
    repository.api.patch(repository.path, has_actions=False)
    repository.push(template, "main", "v0.1.0")


def press(browser: Browser, app: Installed) -> str:
    """Press in the app's page what the tutorial says; gives what the page then shows."""
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{app.port}/")
    expect(page.locator("#version")).to_have_text("0.1.0")
    for name, says in table(SELF_UPDATING.read_text(encoding="utf-8"), "| Press | It says |").items():
        if name == "Updates":
            page.get_by_role("tab", name=name).click()
        else:  # the banner above the tabs has a button of the same name
            page.get_by_role("tabpanel", name="Updates").get_by_role("button", name=name, exact=True).click()
        expect(page.locator("body")).to_contain_text(says, timeout=RETURNS)
    app.wait("0.2.0", RETURNS / 1000)
    page.reload()
    expect(page.locator("#version")).to_have_text("0.2.0")
    return str(page.locator("body").text_content())


def test_is_followed_word_for_word(template: Path, browser: Browser, tmp_path: Path) -> None:
    require_apt("nsis", "osslsigncode")
    text = SELF_UPDATING.read_text(encoding="utf-8")
    before, after = text.split(UPDATE)
    environment = newcomer(tmp_path / "links") | windows_pythons.environment()
    (tmp_path / "home").mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(serve())
        stack.enter_context(run_jobs(server, environment))
        publish_template(server, template)
        owner = server.owner("ada")
        # What the page does not need: here python.org is a folder, and git asks nobody for a password.
        owner.api.post("user/actions/variables/WINDOWS_PYTHON_URL", value=environment["WINDOWS_PYTHON_URL"])
        pushed = f"{server.url}/ada/"
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{pushed.replace('//', f'//ada:{owner.token}@')}.insteadOf",
            "GIT_CONFIG_VALUE_0": pushed,
        }
        reader = Ada(tmp_path / "home", environment, owner, stack)
        for fence in fences(before):
            if fence.language != "console":  # of the runner, which is there
                reader.follow(fence)
        assert reader.installed
        reader.output = press(browser, reader.installed)
        for fence in fences(after):
            reader.follow(fence)
        status = reader.installed.status()
        assert (status["last"]["outcome"], status["last"]["from_version"]) == ("updated", "0.1.0")
        on_windows(reader.repository, browser, stack)


def on_windows(repository: Repository, browser: Browser, stack: ExitStack) -> None:
    """Install setup.exe of 0.1.0 under Wine, and press the same buttons."""
    setup = repository.assets("v0.1.0")[f"{SLUG}-v0.1.0-setup.exe"]
    windows = stack.enter_context(wine.windows(stack.enter_context(wine.wine())))
    windows.path("C:\\setup.exe").write_bytes(setup)
    app = InstalledOnWindows(windows, slug=SLUG)
    windows.run("cmd", "/c", rf"C:\setup.exe /S /D={app.place}", timeout=RETURNS / 1000)
    stack.enter_context(app.run())
    app.wait("0.1.0", RETURNS / 1000)
    assert "About this weather station" in press(browser, app)
