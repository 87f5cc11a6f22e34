"""The generated app itself under Wine: one server for each data folder, its end, its trial and its restart."""

from __future__ import annotations

import json
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.answers import answers_for
from tests.conftest import Render
from tests.support.tools import run, uv
from tests.support.windows_app import packed_in_seconds
from tests.support.windows_desktop import desktop
from tests.support.wine import Windows, wait_until, windows, wine

pytestmark = pytest.mark.slow

RESTART = '    app.add_api_route("/restart", lambda: app.state.instance.end(restart=True), methods=["POST"])\n'
ROOT = r"C:\Größe 100 %\sample"
NAME = "Sample desktop"


@pytest.fixture(scope="module")
def archive(render: Render, windows_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the portable archive of 1.2.3 of an app that starts itself again when it is asked to."""
    project = tmp_path_factory.mktemp("windows") / "project"
    shutil.copytree(render(answers_for(["desktop"], project_slug="sample", frontend=False)), project)
    app = project / "src/sample/app.py"
    text = app.read_text(encoding="utf-8")
    app.write_text(text.replace("    page.add_page(app)\n", f"{RESTART}    page.add_page(app)\n"), encoding="utf-8")
    environment = windows_environment | packed_in_seconds(project.parent)
    run([uv(), "lock", "--quiet"], cwd=project, env=environment)
    run([project / "scripts/build-dist-windows.sh", "--version", "1.2.3"], cwd=project, env=environment)
    return project / "dist/sample-v1.2.3-win-x64.zip"


class App:
    """The app in a folder of a Windows, with any free port."""

    def __init__(self, machine: Windows, root: str = ROOT) -> None:
        self.machine = machine
        self.root = machine.path(root)
        (self.root / "data").mkdir()
        (self.root / "data/settings.toml").write_text("port = 0\n")

    def start(self, *arguments: str) -> None:
        self.machine.start("wscript", rf"{ROOT}\start-hidden.vbs", *arguments)

    def say(self, *arguments: str, returncode: int = 0) -> str:
        """Run the app as the launchers do, to its end."""
        python, start = r"versions\1.2.3\python\python.exe", r"versions\1.2.3\start.py"
        words = [python, "-B", start, *arguments]
        return self.machine.run(*words, cwd=ROOT, timeout=120, returncode=returncode).stdout

    def instance(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "data/instance.json").read_text())
        return found

    def request(self, path: str, method: str = "GET") -> bytes:
        request = urllib.request.Request(self.instance()["url"] + path, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content

    def serves(self, besides: dict[str, Any] | None = None) -> dict[str, Any]:
        """Wait until the app answers, as another instance than `besides`; gives the instance.

        A Wine without a process ends, and the next one gives the same number to the same process.
        """

        def answers() -> bool:
            try:
                health = json.loads(self.request("/health"))
                return bool(health["version"] == "1.2.3" and self.instance() != besides)
            except (OSError, ValueError):
                return False

        try:
            wait_until(answers, "the app answers", timeout=120)
        except AssertionError as error:
            log = self.root / "logs/sample.log"
            error.add_note(log.read_text(encoding="utf-8") if log.exists() else "It has no log.")
            raise
        return self.instance()

    def write(self, name: str, *lines: str) -> None:
        (self.root / name).write_bytes("".join(f"{line}\n" for line in lines).encode())


@pytest.fixture
def app(archive: Path) -> Iterator[App]:
    with wine() as root, windows(root) as machine:
        with zipfile.ZipFile(archive) as content:
            content.extractall(machine.path(ROOT).parent)
        yield App(machine)


def test_one_app_for_each_data_folder(app: App) -> None:
    app.start()
    first = app.serves()
    assert app.say("--port", "0").strip() == f"{NAME} is running: {app.instance()['url']}"
    assert app.serves() == first
    assert app.say("--stop").strip() == f"{NAME} has ended"
    assert not (app.root / "data/instance.json").exists()
    assert app.say("--stop").strip().startswith(f"{NAME} is not running with the data folder ")
    log = (app.root / "logs/sample.log").read_text(encoding="utf-8")
    assert '"event": "stopped"' in log
    assert "Traceback" not in log


def test_what_a_killed_app_left_misleads_nobody(app: App) -> None:
    app.start()
    first = app.serves()
    app.machine.run("taskkill", "/F", "/PID", str(first["pid"]))
    app.machine.settle()
    assert app.instance() == first
    assert app.say("--stop").strip().startswith(f"{NAME} is not running")
    app.start()
    app.serves(besides=first)
    assert app.say("--stop").strip() == f"{NAME} has ended"


def test_it_proves_itself_and_starts_itself_again(app: App) -> None:
    app.write("trial", "1.2.3", "1.0.0")
    app.start()
    first = app.serves()
    wait_until(lambda: not (app.root / "trial").exists(), "the trial ends")
    assert not (app.root / "failed").exists()
    app.request("/restart", "POST")
    app.serves(besides=first)
    assert app.say("--stop").strip() == f"{NAME} has ended"


def test_a_folder_that_cannot_be_written_to(app: App) -> None:
    app.machine.make_read_only(app.root)
    said = app.say(returncode=1).strip()
    assert "cannot write to the data folder" in said
    assert "\n" not in said


def test_a_person_installs_it(archive: Path) -> None:
    """With the installer's windows, up to the page in the browser, at a path that Windows proposes."""
    with wine() as root, desktop(root) as person:
        shutil.copy(archive.with_name("sample-v1.2.3-setup.exe"), person.windows.files)
        person.walk_to_folder_page("sample-v1.2.3-setup.exe", NAME)
        person.picture("installer-folder")
        person.click("Next >")
        person.reads("Choose Components")
        person.picture("installer-components")
        person.click("Install")
        person.reads(f"Completing {NAME} Setup")
        person.picture("installer-finish")
        installed = App(person.windows, r"C:\users\root\AppData\Local\Programs\sample")
        person.click("Finish")
        installed.serves()
        wait_until(person.pages, "the browser has the page")
        assert person.pages() == [f"{installed.instance()['url']}/"]
