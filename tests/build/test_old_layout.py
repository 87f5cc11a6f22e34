"""Does an installation with app/ and python/ or venv/ become one with versions/, and keep all that is the user's?"""

from __future__ import annotations

import shutil
import time
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from random import Random

import pytest

from tests.build.test_installer import Kill, starts
from tests.conftest import Render
from tests.docs.markdown import REPOSITORY, fences
from tests.support import old_layout
from tests.support.docker import Docker
from tests.support.machine import machine
from tests.support.old_layout import DATA, PROGRAMS, SHORTCUTS, data_of
from tests.support.tools import made_once, run
from tests.support.updates import Installed
from tests.support.windows_app import KEY, NAME, App, content, is_built, shortcuts
from tests.support.windows_app import SHORTCUTS as NEW_SHORTCUTS
from tests.support.windows_desktop import desktop
from tests.support.wine import Windows, wait_until
from tests.updating.bundles import build

pytestmark = pytest.mark.slow

DOCUMENT = REPOSITORY / "docs/how-to/update-installed-apps.md"
# Of an installation as setup.exe makes it.
BESIDE = {"versions", "current", "start-hidden.vbs", "tiny.cmd", "icon.ico", "uninstall.exe", "data", "logs"}


@pytest.fixture(scope="session")
def old_setup(session_folder: Path) -> Path:
    def make(folder: Path) -> None:
        folder.mkdir()
        old_layout.make_setup(folder)

    return made_once(session_folder / "old layout", make) / "old-setup.exe"


class Old:
    """The old app, in a folder of a Windows."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.app = App(windows, old_layout.ROOT)
        self.folder = self.app.folder

    def start(self) -> None:
        self.windows.start("wscript", str(self.app.root / "scripts/start-hidden.vbs"))
        wait_until(self.answers, "the old app answers", 60)

    def answers(self) -> bool:
        with suppress(OSError, ValueError):
            self.ask()
            return True
        return False

    def ask(self, path: str = "", method: str = "GET") -> None:
        url = (self.folder / "logs/address").read_text(encoding="ascii")
        urllib.request.urlopen(urllib.request.Request(f"{url}/{path}", method=method), timeout=5).close()  # noqa: S310


@pytest.fixture
def old(windows: Windows, old_setup: Path, builds: Path) -> Old:
    return install(windows, old_setup, builds)


def install(windows: Windows, old_setup: Path, builds: Path) -> Old:
    """Install the old app, give it data, and put the new setup.exe there."""
    shutil.copy(old_setup, windows.files)
    shutil.copy(builds / "tiny-v1.0-setup.exe", windows.files)
    windows.run(r"C:\old-setup.exe", "/S")
    one = Old(windows)
    old_layout.write_data(one.folder)
    return one


def remove(windows: Windows, one: Old) -> None:
    """Remove the new app, and all that is the user's."""
    windows.run(str(one.app.root / "uninstall.exe"), "/S", "/REMOVEDATA")
    windows.settle()


def entries(windows: Windows) -> list[str]:
    """List the programs that Windows' settings show."""
    listed = windows.run("reg", "query", PROGRAMS, returncode=None).stdout
    return [line.strip().rpartition("\\")[2] for line in listed.splitlines() if f"{PROGRAMS[4:]}\\" in line]


def see_new(app: App, builds: Path) -> None:
    """See that only the new app is there, and all that is the user's."""
    assert data_of(app.folder) == DATA
    assert is_built(app, "1.0", builds, "1.0")
    assert {path.name for path in app.folder.iterdir()} == {*BESIDE, "config.yaml"}
    assert (app.folder / "data/app.db").stat().st_mtime == 1_000_000_000
    assert entries(app.windows) == ["tiny"]
    assert app.windows.registry(KEY)["InstallLocation"] == str(app.root)
    assert not any(app.windows.path(path).exists() for path in SHORTCUTS)
    assert not app.windows.path(SHORTCUTS[0].parent).exists()
    assert shortcuts(app.windows) == {"start menu", "autostart"}, "as the old one had them"
    launcher = str(app.root / "start-hidden.vbs").encode("utf-16-le")
    assert all(launcher in app.windows.path(NEW_SHORTCUTS[name]).read_bytes() for name in ("start menu", "autostart"))


def test_its_own_updater_takes_the_new_setup(old: Old, builds: Path) -> None:
    assert entries(old.windows) == ["OldTiny"]
    old.start()
    old.ask("tiny-v1.0-setup.exe", "POST")
    old.app.wait_for("1.0")
    wait_until(lambda: not list(old.folder.glob(".*")), "all is tidy")
    see_new(old.app, builds)
    old.windows.run(str(old.app.root / "uninstall.exe"), "/S")
    old.windows.settle()
    assert {path.name for path in old.folder.iterdir()} == {"data", "logs", "config.yaml"}
    assert data_of(old.folder) == DATA
    assert entries(old.windows) == []
    assert shortcuts(old.windows) == set()


@pytest.mark.usefixtures("long")
def test_what_is_refused(old: Old, builds: Path) -> None:
    """An app that cannot be ended (PowerShell, which would, does nothing under Wine), and another app's folder."""
    old.start()
    before = content(old.folder)
    said = old.windows.run(r"C:\tiny-v1.0-setup.exe", "/S", returncode=2).stdout
    assert "could not be stopped" in said
    assert content(old.folder) == before
    old.ask()
    old.ask("stop", "POST")
    old.windows.settle()

    other = old.windows.path(r"C:\other")
    old_layout.windows_tree(other, "another")
    before = content(other)
    said = old.windows.run(r"C:\tiny-v1.0-setup.exe", "/S", r"/D=C:\other", returncode=2).stdout
    assert "holds something else" in said
    assert content(other) == before

    assert entries(old.windows) == ["OldTiny"]
    assert all(old.windows.path(path).exists() for path in SHORTCUTS)
    assert shortcuts(old.windows) == set()


@pytest.mark.usefixtures("long")
def test_a_person_runs_the_new_setup(machine: Path, old_setup: Path, builds: Path) -> None:
    with desktop(machine) as person:
        old = install(person.windows, old_setup, builds)
        old.start()
        person.walk_to_folder_page("tiny-v1.0-setup.exe", NAME)
        assert person.find("", "Edit").text == str(old.app.root)
        person.click("Next >")
        person.reads("Choose Components")
        person.click("Install")
        person.reads(f"{NAME} is running and will be stopped.")
        person.click("OK")
        person.reads("could not be stopped")  # PowerShell does nothing under Wine
        person.click("OK")
        person.reads("Choose Components")
        old.ask("stop", "POST")
        wait_until(lambda: not old.answers(), "it has ended")
        time.sleep(2)
        person.click("Install")
        person.reads(f"Completing {NAME} Setup")
        person.click("Finish")
        old.app.wait_for("1.0")
        see_new(old.app, builds)


@pytest.mark.usefixtures("long")
def test_killed_at_any_point_one_of_both_starts(windows: Windows, old_setup: Path, builds: Path) -> None:
    partial = "versions/.1.0.partial"
    files = (partial, "versions/.root.partial", "versions/1.0", "tiny.cmd", "current", ".scripts.old", ".python.old")
    random = Random(1)  # noqa: S311
    old = install(windows, old_setup, builds)
    begun = time.monotonic()
    windows.run(r"C:\tiny-v1.0-setup.exe", "/S", "/NOSTART")
    takes = time.monotonic() - begun
    remove(windows, old)
    killed = 0
    moments = [random.uniform(0.1, 0.9) * takes for _ in range(6)]
    for kill in (*map(Kill, files), Kill(".app.old"), *(Kill(seconds=moment) for moment in moments)):
        old = install(windows, old_setup, builds)
        setup = windows.start(r"C:\tiny-v1.0-setup.exe", "/S", "/NOSTART")
        begun = time.monotonic()
        while not kill.is_due(old.folder, begun) and setup.poll() is None:
            assert time.monotonic() < begun + 60, f"{kill} was never to be seen"
        windows.kill_programs()
        killed += setup.wait(30) != 0
        assert data_of(old.folder) == DATA, kill
        if (old.folder / "current").exists():
            assert starts(old.app) == "1.0", kill
        else:
            old.start()
            old.ask("stop", "POST")
            windows.settle()
        windows.run(r"C:\tiny-v1.0-setup.exe", "/S", "/NOSTART")
        assert starts(old.app) == "1.0", kill
        assert not (old.folder / "failed").exists(), kill
        assert data_of(old.folder) == DATA, kill
        assert {path.name for path in old.folder.iterdir()} == {*BESIDE, "config.yaml"}, kill
        assert entries(windows) == ["tiny"], kill
        assert shortcuts(windows) == {"start menu", "autostart"}, kill
        remove(windows, old)
    assert killed >= 10, "else this shows nothing"


def steps(heading: str, language: str) -> list[str]:
    """Give the commands that the documentation has in a chapter, with the names of this app."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(f"### {heading}\n")[2].partition("\n### ")[0]
    code = "".join(fence.code for fence in fences(text) if fence.language == language)
    return code.splitlines()


def test_an_unpacked_one_by_the_documented_steps(windows: Windows, builds: Path, tmp_path: Path) -> None:
    home = PureWindowsPath(r"C:\my apps")
    app = App(windows, home / "tiny")
    old_layout.windows_tree(app.folder)
    old_layout.write_data(app.folder)
    with zipfile.ZipFile(tmp_path / "tiny-v2.0.0-win-x64.zip", "w") as archive:
        for path in (builds / "tree-1.0").rglob("*"):
            archive.write(path, PurePosixPath("tiny", path.relative_to(builds / "tree-1.0")))
    for step in steps("Windows, unpacked", "bat"):
        command = step.replace("home-server", "tiny").split()
        if command[0] == "tar":  # Windows has it, and Wine not
            with zipfile.ZipFile(tmp_path / command[2]) as archive:
                archive.extractall(windows.path(home))
        elif command[0] == "wscript":
            windows.start(*command, cwd=home)
        else:
            windows.run("cmd", "/c", *command, cwd=home)
    app.wait_for("1.0")
    assert is_built(app, "1.0", builds, "1.0")
    assert data_of(app.folder) == {name: content for name, content in DATA.items() if name.startswith("data/")}
    assert data_of(windows.path(home / "tiny.old")) == DATA


@pytest.fixture
def new_archive(render: Render, session_folder: Path, tmp_path: Path) -> Path:
    """Give the archive for Linux, under the name that the documentation has."""
    archive = tmp_path / "sample-v2.0.0-linux-x64.tar.gz"
    shutil.copy(build(render, session_folder / "bundle").full, archive)
    return archive


def linux_steps(first: str) -> list[str]:
    """Give the documented commands from this one on, without `sudo`, which the machines here do not have."""
    found = [step.replace("home-server", "sample").removeprefix("sudo ") for step in steps("Linux", "bash")]
    return found[[step.startswith(first) for step in found].index(True) :]


@pytest.mark.parametrize("state", ["whole", "after its own updater"])
def test_an_unpacked_one_for_linux_by_the_documented_steps(state: str, new_archive: Path) -> None:
    home = new_archive.parent
    app = Installed(home / "sample", "sample")
    old_layout.linux_tree(app.root, "sample")
    old_layout.write_data(app.root)
    if state != "whole":  # it finds no such folders in the new archive
        shutil.rmtree(app.root / "app")
        shutil.rmtree(app.root / "venv")
    before = content(app.root)
    *moves, as_service = linux_steps("mkdir")
    assert as_service == "sample/install-service.sh"
    for step in moves:
        run(["bash", "-c", step], cwd=home)
    with app.run():
        app.wait("1.0.0")
        assert app.status()["install_type"] == "portable"
    assert data_of(app.root) == {name: content for name, content in DATA.items() if name.startswith("data/")}
    assert {path.name for path in app.root.iterdir()}.isdisjoint({"app", "venv", "VERSION"})
    assert content(home / "sample.old") == before, "there is no way back"


@pytest.mark.usefixtures("long")
def test_a_service_by_the_documented_steps(new_archive: Path, docker: Docker, tmp_path: Path) -> None:
    old_layout.linux_tree(tmp_path / "sample", "sample")
    old_layout.write_data(tmp_path / "sample")
    (tmp_path / "sample.service").write_text(old_layout.linux_service("/opt/sample"), encoding="ascii")
    with machine(docker) as debian:
        for name, target in {"sample": "/opt/sample", "sample.service": "/etc/systemd/system/sample.service"}.items():
            debian.copy(tmp_path / name, target)
        debian.copy(new_archive, f"/opt/{new_archive.name}")
        debian.run("systemctl", "enable", "--now", "sample.service")
        wait_until(lambda: "/opt/sample/app/src" in debian.run("cat", "/opt/sample/data/started").stdout, "it runs")
        for step in linux_steps("systemctl"):
            said = debian.run("sh", "-c", f"cd /opt && {step}").stdout
        assert said.splitlines()[-1].startswith("sample runs as app-sample: http"), said
        unit = debian.run("systemctl", "cat", "sample.service").stdout
        assert "ExecStart=/usr/bin/env bash ./run.sh" in unit
        assert "The old app" not in unit
        python = "/opt/sample/versions/1.0.0/python/bin/python3"
        ask = f"import urllib.request; print(urllib.request.urlopen('{said.split()[-1]}/health').read())"
        assert '"version":"1.0.0"' in debian.run(python, "-c", ask).stdout
        debian.docker.run("cp", "--archive", f"{debian.name}:/opt/sample/data", tmp_path / "new data")
        debian.run("rm", "-r", "/opt/sample.old")
        debian.restart()
        wait_until(
            lambda: debian.run(python, "-c", ask, returncode=None).returncode == 0, "it comes back with the computer"
        )
    for name, written in DATA.items():
        if name.startswith("data/"):
            assert (tmp_path / "new data" / name.removeprefix("data/")).read_bytes() == written
