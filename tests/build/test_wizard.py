"""The Windows installer's windows, with mouse and keyboard under Wine: what a person who installs the app meets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

from tests.support.windows_app import KEY, NAME, App, content, is_built, shortcuts
from tests.support.windows_desktop import Desktop, desktop
from tests.support.wine import wait_until

pytestmark = pytest.mark.slow

ROOT = PureWindowsPath(r"C:\my apps\tiny")
START_MENU, DESKTOP, AUTOSTART = 1, 2, 3  # rows of the page of components; above them is the app
DATA = 1  # the same in the uninstaller
QUESTION = f"{NAME} is running."


@pytest.fixture
def person(machine: Path) -> Iterator[Desktop]:
    with desktop(machine) as one:
        yield one


def go_to_folder_page(person: Desktop, builds: Path, version: str) -> None:
    shutil.copy(builds / f"tiny-v{version}-setup.exe", person.windows.files)
    person.walk_to_folder_page(f"tiny-v{version}-setup.exe", NAME)


def go_to_components(person: Desktop, builds: Path, version: str) -> None:
    go_to_folder_page(person, builds, version)
    person.click("Next >")
    person.reads("Choose Components")


def write_folder(person: Desktop, folder: PureWindowsPath | str) -> None:
    person.click("", "Edit")
    person.press("ctrl+a")
    person.write(str(folder))
    person.find(str(folder), "Edit")


def install(person: Desktop, builds: Path) -> App:
    """Give the app, installed without questions."""
    shutil.copy(builds / "tiny-v1.0-setup.exe", person.windows.files)
    person.windows.run("cmd", "/c", rf"C:\tiny-v1.0-setup.exe /S /AUTOSTART /NODESKTOP /D={ROOT}")
    return App(person.windows, ROOT)


def test_a_person_installs_and_starts(person: Desktop, builds: Path) -> None:
    go_to_folder_page(person, builds, "1.0")
    assert person.find("", "Edit").text == r"C:\users\root\AppData\Local\Programs\tiny"
    write_folder(person, ROOT)
    person.click("Next >")
    person.reads("Choose Components")
    person.click_row(DESKTOP)
    person.click_row(AUTOSTART)
    person.click("Install")
    person.reads(f"Completing {NAME} Setup")
    app = App(person.windows, ROOT)
    assert is_built(app, "1.0", builds, "1.0")
    assert shortcuts(person.windows) == {"start menu", "autostart"}
    assert person.find(f"Start {NAME}").is_checked
    assert app.health() == {}
    person.click("Finish")
    app.wait_for("1.0")
    wait_until(person.pages, "the browser has the page")
    assert person.pages() == [f"{app.url}/"]
    assert app.events == ["1.0 start --open"]
    wait_until(lambda: person.look() == [], "no window stays")


@pytest.mark.usefixtures("long")
def test_the_question_about_an_app_that_runs(person: Desktop, builds: Path) -> None:
    app = install(person, builds)
    app.start()
    app.wait_for("1.0")
    before = content(app.folder / "versions")

    go_to_components(person, builds, "2.0")
    person.click("Install")
    person.reads(QUESTION)
    person.click("Cancel")
    person.reads("Choose Components")
    assert app.health()["version"] == "1.0"
    assert content(app.folder / "versions") == before

    person.click_row(START_MENU)
    person.click("Install")
    person.reads(QUESTION)
    person.click("No")
    person.reads(f"Completing {NAME} Setup")
    person.click(f"Start {NAME}")
    person.click("Finish")
    wait_until(lambda: person.look() == [], "no window stays")
    assert app.health()["version"] == "1.0"
    assert app.events == ["1.0 start"]
    assert app.read("trial") == ["2.0", "1.0"]
    assert shortcuts(person.windows) == {"autostart"}
    app.post("stop")
    wait_until(lambda: app.events == ["1.0 start", "1.0 end"], "it has ended")
    app.start()
    app.wait_for("2.0")
    assert person.pages() == []

    go_to_components(person, builds, "1.0")
    person.click("Install")
    person.reads(QUESTION)
    person.click("Yes")
    person.reads(f"Completing {NAME} Setup")
    assert app.health() == {}
    person.click("Finish")
    app.wait_for("1.0")
    assert app.events[2:] == ["2.0 start", "2.0 stop", "2.0 end", "1.0 start --open"]
    wait_until(person.pages, "the browser has the page")
    assert person.pages() == [f"{app.url}/"]

    person.windows.start(str(ROOT / "uninstall.exe"))
    person.click("Next >")
    person.reads("Choose Components")
    person.click_row(DATA)
    person.click("Uninstall")
    person.reads("is running and will be stopped")
    person.click("OK")
    person.reads("Uninstallation Complete")
    person.click("Close")
    wait_until(lambda: not app.folder.exists(), "nothing is left")
    assert person.windows.registry(KEY) == {}
    assert shortcuts(person.windows) == set()


@pytest.mark.usefixtures("long")
def test_a_person_chooses_another_folder(person: Desktop, builds: Path) -> None:
    """One of something else and one that cannot be written to are refused; choices belong to the folder."""
    install(person, builds)
    thesis, locked, new = (PureWindowsPath("C:\\", name) for name in ("thesis", "locked", "new"))
    for folder in (thesis, locked):
        person.windows.path(folder).mkdir()
    (person.windows.path(thesis) / "thesis.doc").write_text("years of work")
    person.windows.mount("-t", "tmpfs", "-o", "ro", "tmpfs", at=person.windows.path(locked))
    go_to_folder_page(person, builds, "2.0")
    assert person.find("", "Edit").text.rstrip("\\") == str(ROOT)
    for folder, reason in (thesis, "holds something else"), (locked, "cannot be written to"):
        write_folder(person, folder)
        person.click("Next >")
        person.reads(f"The folder {folder} {reason}")
        person.click("OK")
        person.reads("Choose Install Location")
    write_folder(person, ROOT)
    person.click("Next >")
    person.reads("Choose Components")
    person.click("< Back")
    person.reads("Choose Install Location")
    write_folder(person, f"{new}\\")
    person.click("Next >")
    person.reads("Choose Components")
    person.click_row(START_MENU)
    person.click("< Back")
    person.reads("Choose Install Location")
    person.click("Next >")
    person.reads("Choose Components")
    person.click("Install")
    person.reads(f"Completing {NAME} Setup")
    person.click("Finish")
    App(person.windows, new).wait_for("2.0")
    # The folder is new: what was chosen for the other installation does not count, and what was chosen here does.
    assert shortcuts(person.windows) == {"desktop"}
    assert person.windows.registry(KEY)["InstallLocation"] == str(new)
    assert not (person.windows.path(thesis) / "versions").exists()
