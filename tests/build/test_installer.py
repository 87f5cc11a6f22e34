"""The Windows installer and the launchers, run under Wine: is what they leave behind right, and does the app answer?

What is installed is a tiny app in the layout of the real one (tests/support/windows_app.py).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from random import Random

import pytest

from tests.conftest import Render
from tests.support import windows_app, wine
from tests.support.packages import require_apt
from tests.support.tools import run
from tests.support.windows_app import ANSWERS, KEY, ROOT, SHORTCUTS, App, content, is_built, shortcuts
from tests.support.windows_desktop import desktop
from tests.support.wine import Windows, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def setup(windows: Windows, builds: Path) -> Callable[..., str]:
    """Run the installer of a version without questions, and give what it said."""

    def install(version: str, *options: str, root: PureWindowsPath | None = ROOT, returncode: int = 0) -> str:
        name = f"tiny-v{version}-setup.exe"
        shutil.copy(builds / name, windows.path(f"C:\\{name}"))
        place = [f"/D={root}"] if root else []
        return windows.run("cmd", "/c", " ".join([f"C:\\{name} /S", *options, *place]), returncode=returncode).stdout

    return install


@pytest.fixture
def portable(windows: Windows, builds: Path) -> App:
    """The unpacked zip of 1.0, in a folder of another name."""
    app = App(windows)
    shutil.copytree(builds / "tree-1.0", app.folder)
    return app


# The installer


def test_install_start_and_uninstall(windows: Windows, setup: Callable[..., str], builds: Path) -> None:
    setup("1.0")
    app = App(windows)
    assert is_built(app, "1.0", builds, "1.0")
    beside = {path.name for path in app.folder.iterdir()}
    assert beside == {"versions", "current", "start-hidden.vbs", "tiny.cmd", "icon.ico", "uninstall.exe"}
    registered = windows.registry(KEY)
    assert '& "Co" $X' in registered["DisplayName"]
    assert (registered["DisplayVersion"], registered["Publisher"]) == ("1.0", "A & B")
    size = sum(path.stat().st_size for path in (builds / "tree-1.0").rglob("*") if path.is_file())
    assert int(registered["EstimatedSize"], 16) == -(-size // 1024)
    assert shortcuts(windows) == {"start menu", "desktop"}

    link = windows.path(SHORTCUTS["start menu"]).read_bytes()
    assert f"{ROOT}\\icon.ico".encode("utf-16-le") in link
    windows.start("start", str(SHORTCUTS["start menu"]))
    app.wait_for("1.0")
    assert app.events == ["1.0 start --open"]
    assert is_built(app, "1.0", builds, "1.0"), "the app has written into its version's folder"

    windows.start("start", str(SHORTCUTS["desktop"]))
    wait_until(lambda: app.events[1:] == ["1.0 open"], "a second start opens the page of the first")

    windows.run(str(ROOT / "uninstall.exe"), "/S")
    windows.settle()
    assert {path.name for path in app.folder.iterdir()} == {"data", "logs"}
    assert app.events[-1] == "1.0 end", "it was asked to stop"
    assert windows.registry(KEY) == {}
    assert shortcuts(windows) == set()


def test_update_while_it_runs_the_same_again_and_back(
    windows: Windows, setup: Callable[..., str], builds: Path
) -> None:
    setup("1.0", "/AUTOSTART", "/NODESKTOP")
    app = App(windows)
    app.start()
    app.wait_for("1.0")
    before = content(app.folder / "versions/1.0")

    said = setup("2.0", root=None)  # finds the folder itself
    assert said == ""
    app.wait_for("2.0")
    assert app.versions == {"1.0", "2.0"}
    assert is_built(app, "2.0", builds, "2.0")
    assert content(app.folder / "versions/1.0") == before
    assert app.events == ["1.0 start", "1.0 stop", "1.0 end", "2.0 start"]
    assert windows.registry(KEY)["DisplayVersion"] == "2.0"
    assert shortcuts(windows) == {"start menu", "autostart"}, "an update keeps the choice"
    second = content(app.folder / "versions/2.0")

    setup("2.0", root=None)
    app.wait_for("2.0")
    assert app.read("current") == ["2.0.r2"]
    assert app.versions == {"2.0", "2.0.r2"}
    assert is_built(app, "2.0.r2", builds, "2.0")
    assert content(app.folder / "versions/2.0") == second

    setup("1.0", root=None)
    app.wait_for("1.0")
    assert app.versions == {"1.0", "2.0.r2"}
    assert is_built(app, "1.0", builds, "1.0")
    assert not (app.folder / "failed").exists()

    windows.run(str(ROOT / "uninstall.exe"), "/S")
    windows.settle()
    assert {path.name for path in app.folder.iterdir()} == {"data", "logs"}
    assert windows.registry(KEY) == {}
    assert shortcuts(windows) == set()


def test_an_app_that_cannot_be_stopped_runs_on(windows: Windows, setup: Callable[..., str], builds: Path) -> None:
    """PowerShell, the last resort, does nothing under Wine: so this is what happens where it fails."""
    root = PureWindowsPath(r"C:\tiny")  # without a space, which _?= cannot be given from here
    setup("1.0", root=root)
    app = App(windows, root)
    windows_app.change_version(app.folder / "versions/1.0", "1.0", "deaf")
    app.start()
    app.wait_for("1.0")
    before = content(app.folder / "versions/1.0")
    setup("2.0", root=root)
    assert app.health()["version"] == "1.0"
    assert content(app.folder / "versions/1.0") == before
    assert is_built(app, "2.0", builds, "2.0")
    assert app.read("current") == ["2.0"]
    assert app.read("trial") == ["2.0", "1.0"], "its trial begins when it is started"
    # Without _?= it goes on in a copy of itself and returns at once.
    said = windows.run(str(root / "uninstall.exe"), "/S", f"_?={root}", returncode=2).stdout
    assert "could not be stopped" in said
    assert is_built(app, "2.0", builds, "2.0")
    app.stop()
    app.start()
    app.wait_for("2.0")


def test_uninstall_with_data(windows: Windows, setup: Callable[..., str]) -> None:
    setup("1.0")
    app = App(windows)
    app.start()
    app.wait_for("1.0")
    windows.run(str(ROOT / "uninstall.exe"), "/S", "/REMOVEDATA")
    windows.settle()
    assert not app.folder.exists()
    (app.folder / ".versions.old/1.0").mkdir(parents=True)  # as an uninstallation leaves it that was broken off
    setup("1.0", "/NOSTARTMENU")
    assert not (app.folder / ".versions.old").exists()
    assert shortcuts(windows) == {"desktop"}


def test_a_folder_of_something_else_is_refused(windows: Windows, setup: Callable[..., str]) -> None:
    folder = windows.path(ROOT)
    folder.mkdir(parents=True)
    (folder / "thesis.doc").write_text("years of work")
    (folder / "current").write_text("what it is about")
    before = content(folder)
    assert "holds something else" in setup("1.0", returncode=2)
    assert content(folder) == before
    assert windows.registry(KEY) == {}
    assert shortcuts(windows) == set()


def test_a_folder_that_cannot_be_written_to(windows: Windows, setup: Callable[..., str]) -> None:
    folder = windows.path(ROOT)
    folder.mkdir(parents=True)
    windows.mount("-t", "tmpfs", "-o", "ro", "tmpfs", at=folder)
    assert "cannot be written to" in setup("1.0", returncode=2)
    assert "cannot be written to" in setup("1.0", root=ROOT / "new", returncode=2)
    assert windows.registry(KEY) == {}
    assert shortcuts(windows) == set()


def test_a_full_disk_changes_nothing(windows: Windows, setup: Callable[..., str], builds: Path) -> None:
    folder = windows.path(ROOT)
    folder.mkdir(parents=True)
    size = sum(path.stat().st_size for path in (builds / "tree-1.0").rglob("*"))
    windows.mount("-t", "tmpfs", "-o", f"size={int(size * 1.5)}", "tmpfs", at=folder)
    setup("1.0")
    before = content(folder)
    setup("2.0", returncode=2)
    assert content(folder) == before
    assert {path.name for path in (folder / "versions").iterdir()} == {"1.0"}
    assert windows.registry(KEY)["DisplayVersion"] == "1.0"
    setup("2.0", root=ROOT / "another", returncode=2)
    assert not (folder / "another").exists()


class Kill:
    """When the installer is killed: as soon as a file is there that has this text in it, or after some seconds."""

    def __init__(self, name: str = "", text: str = "", seconds: float = 0) -> None:
        self.name = name
        self.text = text
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"{self.name} {self.text}".strip() or f"{self.seconds:.2f} s"

    def is_due(self, folder: Path, begun: float) -> bool:
        path = folder / self.name
        if not self.name:
            return time.monotonic() - begun >= self.seconds
        return path.exists() and (not self.text or path.read_text(errors="replace").startswith(self.text))


def kills(version: str, takes: float, *further: Kill) -> list[Kill]:
    """Choose when to kill an installer that takes so many seconds here."""
    partial = f"versions/.{version}.partial"
    files = (partial, f"{partial}/python/python313.dll", "versions/.root.partial", f"versions/{version}")
    random = Random(1)  # noqa: S311
    return [*map(Kill, files), *further, *(Kill(seconds=random.uniform(0.1, 0.9) * takes) for _ in range(6))]


def start_setup(windows: Windows, builds: Path, version: str, root: PureWindowsPath) -> subprocess.Popen[bytes]:
    name = f"tiny-v{version}-setup.exe"
    shutil.copy(builds / name, windows.files)
    windows.run("cmd", "/c", "ver")  # not a Windows that is just starting is to be killed
    return windows.start(f"C:\\{name}", "/S", "/NOSTART", f"/D={root}")


def time_setup(windows: Windows, builds: Path, version: str, root: PureWindowsPath) -> float:
    """Let the installer come to its end; give the seconds that it takes."""
    launcher = start_setup(windows, builds, version, root)
    begun = time.monotonic()
    assert launcher.wait(60) == 0
    return time.monotonic() - begun


def kill_setup(windows: Windows, builds: Path, version: str, root: PureWindowsPath, kill: Kill) -> bool:
    """Run the installer and kill it; tell whether it was still at work then."""
    launcher = start_setup(windows, builds, version, root)
    begun = time.monotonic()
    while not kill.is_due(windows.path(root), begun) and launcher.poll() is None:
        assert time.monotonic() < begun + 60, f"{kill} was never to be seen"
    windows.kill_programs()
    return launcher.wait(30) != 0


def starts(app: App) -> str:
    """Start the app, wait until it has proved itself, end it; give its version."""
    app.start()
    wait_until(lambda: app.health() and not (app.folder / "trial").exists(), f"it answers: {app.read('current')}", 60)
    version = str(app.health()["version"])
    app.stop()
    return version


def remove(windows: Windows, root: PureWindowsPath) -> None:
    """Remove the app, and all that is the user's."""
    windows.run(str(root / "uninstall.exe"), "/S", "/REMOVEDATA")
    windows.settle()


def put_back(app: App, old: Path) -> None:
    shutil.rmtree(app.folder)
    shutil.copytree(old, app.folder)


@pytest.mark.usefixtures("long")
def test_an_installation_that_is_killed(windows: Windows, setup: Callable[..., str], builds: Path) -> None:
    root = PureWindowsPath(r"C:\tiny")  # a space could not be given without cmd, which would be what is killed
    app = App(windows, root)
    takes = time_setup(windows, builds, "1.0", root)
    remove(windows, root)
    killed = 0
    for kill in kills("1.0", takes, Kill("start-hidden.vbs"), Kill("uninstall.exe"), Kill("current")):
        killed += kill_setup(windows, builds, "1.0", root, kill)
        if (app.folder / "versions/1.0").exists() and (app.folder / "start-hidden.vbs").exists():
            assert starts(app) == "1.0", kill
        else:
            assert not (app.folder / "current").exists(), kill
        setup("1.0", "/NOSTART", root=root)
        assert starts(app) == "1.0", kill
        assert app.versions <= {"1.0", "1.0.r2"}, kill
        assert is_built(app, app.read("current")[0], builds, "1.0"), kill
        beside = {"versions", "current", "start-hidden.vbs", "tiny.cmd", "icon.ico", "uninstall.exe", "data", "logs"}
        assert {path.name for path in app.folder.iterdir()} == beside, kill
        remove(windows, root)
        assert not app.folder.exists(), kill
    assert killed >= 7, "else this shows nothing"


@pytest.mark.usefixtures("long")
def test_an_update_that_is_killed(windows: Windows, setup: Callable[..., str], builds: Path, tmp_path: Path) -> None:
    root = PureWindowsPath(r"C:\tiny")
    app = App(windows, root)
    setup("1.0", root=root)
    shutil.copytree(app.folder, tmp_path / "old")
    takes = time_setup(windows, builds, "2.0", root)
    put_back(app, tmp_path / "old")
    killed = 0
    for kill in kills("2.0", takes, Kill(".trial.new"), Kill("trial"), Kill(".current.new"), Kill("current", "2.0")):
        killed += kill_setup(windows, builds, "2.0", root, kill)
        found = starts(app)
        assert found == app.read("current")[0] in ("1.0", "2.0"), kill
        setup("2.0", "/NOSTART", root=root)
        assert starts(app) == "2.0", kill
        assert not (app.folder / "failed").exists(), kill
        current = app.read("current")[0]
        assert app.versions == {current, found}, kill
        assert is_built(app, current, builds, "2.0"), kill
        assert is_built(app, found, builds, found), kill
        beside = {path.name for path in app.folder.iterdir()} - {"data", "logs"}
        assert beside == {path.name for path in (tmp_path / "old").iterdir()}, kill
        put_back(app, tmp_path / "old")
    assert killed >= 8, "else this shows nothing"


def test_the_default_app(
    windows: Windows, windows_project: Path, windows_environment: dict[str, str], tmp_path: Path
) -> None:
    """What `make bundle-windows` makes: installed, started, updated while it runs, stopped and removed."""
    project = shutil.copytree(windows_project, tmp_path / "a project", symlinks=True)
    script = project / "scripts/build-dist-windows.sh"
    # One as it is packed for users is enough.
    environment = windows_environment | windows_app.packed_in_seconds(tmp_path)
    run([script, "--version", "1.3.0rc1"], cwd=project, env=environment)
    for version in ("1.2.3", "1.3.0rc1"):
        shutil.copy(project / f"dist/sample-v{version}-setup.exe", windows.files)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        windows.environment["SAMPLE_PORT"] = str(probe.getsockname()[1])
    app = App(windows)
    windows.run("cmd", "/c", rf"C:\sample-v1.2.3-setup.exe /S /D={ROOT}", timeout=120)
    first = content(app.folder / "versions/1.2.3")
    app.start()
    app.wait_for("1.2.3")
    windows.run("cmd", "/c", str(ROOT / "sample.cmd"), timeout=60)  # a second start ends
    assert app.health()["version"] == "1.2.3"
    windows.run("cmd", "/c", r"C:\sample-v1.3.0rc1-setup.exe /S", timeout=120)
    app.wait_for("1.3.0rc1")
    assert content(app.folder / "versions/1.2.3") == first
    assert app.versions == {"1.2.3", "1.3.0rc1"}
    windows.run("cmd", "/c", str(ROOT / "sample.cmd"), "--stop", timeout=60)
    windows.settle()
    assert app.health() == {}
    windows.run(str(ROOT / "uninstall.exe"), "/S")
    windows.settle()
    assert {path.name for path in app.folder.iterdir()} == {"data", "logs"}


# The launchers


@pytest.mark.parametrize(
    ("behaviour", "launcher"),
    [
        ("crash", "start-hidden.vbs"),
        ("hang", "start-hidden.vbs"),
        ("started", "start-hidden.vbs"),
        ("stuck", "start-hidden.vbs"),
        ("crash", "tiny.cmd"),
        ("started", "tiny.cmd"),
        ("stuck", "tiny.cmd"),
    ],
)
def test_a_version_that_does_not_prove_itself(behaviour: str, launcher: str, portable: App) -> None:
    portable.add("1.5", behaviour)
    if behaviour == "stuck":  # its interpreter does not get as far as to start.py
        early = portable.folder / "versions/1.5/python/Lib/site-packages/sitecustomize.py"
        early.write_text("import time\ntime.sleep(600)\n")
    portable.write("current", "1.5")
    portable.write("trial", "1.5", "1.0", *(["started"] if behaviour == "started" else []))
    program = ["wscript"] if launcher.endswith(".vbs") else ["cmd", "/c"]
    portable.windows.start(*program, str(ROOT / launcher), env={"TINY_TRIAL_SECONDS": "4"})
    portable.wait_for("1.0")
    assert portable.read("current") == ["1.0"]
    assert portable.read("failed") == ["1.5"]
    begun = [] if behaviour in ("started", "stuck") else ["1.5 start"]
    assert portable.events == [*begun, "1.0 start"]
    # Nothing of 1.5 still runs, or its files could not be removed.
    portable.windows.run("cmd", "/c", "rd", "/s", "/q", str(portable.root / "versions/1.5"))


def test_a_version_that_proves_itself_and_restarts(portable: App) -> None:
    portable.write("trial", "0.9", "0.8")  # left by something else
    portable.start("--open")
    portable.wait_for("1.0")
    portable.add("1.5", "good")
    portable.write("trial", "1.5", "1.0")
    portable.write("current", "1.5")
    portable.post("restart")
    portable.wait_for("1.5")
    assert portable.events == ["1.0 start --open", "1.0 end", "1.5 start"]
    portable.stop()
    assert portable.read("current") == ["1.5"]
    assert not (portable.folder / "failed").exists()


def test_a_second_start_during_a_trial_does_not_judge_it(portable: App) -> None:
    portable.add("1.5", "hang")
    portable.write("current", "1.5")
    portable.write("trial", "1.5", "1.0")
    portable.start(TINY_TRIAL_SECONDS="12")
    wait_until(lambda: portable.events == ["1.5 start"], "the new version starts")
    portable.start(TINY_TRIAL_SECONDS="60")
    wait_until(lambda: portable.events == ["1.5 start"] * 2, "the second start only starts it")
    assert portable.read("current") == ["1.5"]
    assert not (portable.folder / "failed").exists()


@pytest.mark.parametrize("launcher", ["start-hidden.vbs", "tiny.cmd"])
def test_a_damaged_current(launcher: str, portable: App) -> None:
    """The newest version is started: by its number, whenever it was installed."""
    for version in ("1.9", "1.10.dev3", "1.10a2", "1.10rc1", "1.10", "1.10rc2", "1.8.post1"):
        portable.add(version, "good")
    portable.add("1.11", "crash")
    portable.write("failed", "1.11")
    portable.add(".1.11.partial", "good")
    shutil.rmtree(portable.folder / "versions/1.0")
    program = ["wscript"] if launcher == "start-hidden.vbs" else ["cmd", "/c"]
    for current in ("", "9.9", '..\\"&x', None):
        portable.write("current", *([] if current is None else [current]))
        if current is None:
            (portable.folder / "current").unlink()
        portable.windows.start(*program, str(ROOT / launcher))
        portable.wait_for("1.10")
        portable.stop()


def test_console(portable: App) -> None:
    windows, launcher = portable.windows, str(ROOT / "tiny.cmd")
    windows.start("cmd", "/c", launcher, "--open")
    portable.wait_for("1.0")
    windows.run("cmd", "/c", launcher)
    windows.run("cmd", "/c", launcher, "--stop")
    windows.settle()
    assert portable.events == ["1.0 start --open", "1.0 second", "1.0 stop", "1.0 end"]
    shutil.rmtree(portable.folder / "versions")
    assert "can be started" in windows.run("cmd", "/c", launcher, returncode=1).stdout


def test_a_message_where_nothing_can_be_started(machine: Path, render: Render) -> None:
    name = 'My "App" & $X'
    project = render({**ANSWERS, "project_name": name})
    require_apt("x11-utils")
    with wine.screen() as display, wine.windows(machine, display=display) as windows:
        app = App(windows)
        (app.folder / "versions/1.0").mkdir(parents=True)
        shutil.copy(project / "scripts/windows/start-hidden.vbs", app.folder)
        launcher = windows.start("wscript", str(ROOT / "start-hidden.vbs"))

        def titles() -> str:
            return run(["xwininfo", "-display", display, "-root", "-tree"]).stdout

        wait_until(lambda: f'"{name}"' in titles(), "a box with the app's name")
        assert launcher.poll() is None, "it waits until somebody has read it"


def test_a_message_where_the_folder_cannot_be_written_to(machine: Path, builds: Path) -> None:
    with desktop(machine) as person:
        app = App(person.windows, PureWindowsPath(r"C:\tiny"))
        shutil.copytree(builds / "tree-1.0", app.folder)
        person.windows.make_read_only(app.folder)
        app.start()
        person.reads(rf"The folder {app.root} cannot be written to.")
        person.click("OK")
        wait_until(lambda: person.look() == [], "no window stays")


def check_out(windows: Windows, tiny_project: Path) -> App:
    """Give a folder with what the launcher looks for in a source checkout."""
    checkout = App(windows, PureWindowsPath(r"C:\my projects\tiny ü"))
    windows_folder = checkout.folder / "scripts/windows"
    windows_folder.mkdir(parents=True)
    shutil.copy(tiny_project / "scripts/windows/start-hidden.vbs", windows_folder)
    (checkout.folder / "pyproject.toml").touch()
    return checkout


def test_a_source_checkout(windows: Windows, tiny_project: Path, builds: Path) -> None:
    """With the virtual environment's interpreter, here one that finds the package by itself."""
    checkout = check_out(windows, tiny_project)
    python = checkout.folder / ".venv/Scripts"
    shutil.copytree(builds / "tree-1.0/versions/1.0/python", python)
    shutil.copytree(builds / "tree-1.0/versions/1.0/app", checkout.folder / ".venv/app")
    data = {"TINY_DATA_DIR": str(checkout.root / "data")}
    windows.start("wscript", str(checkout.root / "scripts/windows/start-hidden.vbs"), env=data)
    checkout.wait_for("1.0")
    assert checkout.read("build/tiny.log")[0] == "running 1.0"


def test_a_source_checkout_with_the_python_of_the_path(windows: Windows, tiny_project: Path, builds: Path) -> None:
    checkout = check_out(windows, tiny_project)
    shutil.copytree(builds / "tree-1.0/versions/1.0/app", checkout.folder / "src")
    python = windows.path(r"C:\python")
    shutil.copytree(builds / "tree-1.0/versions/1.0/python", python)
    (python / "python313._pth").unlink()  # it would keep PYTHONPATH out, as no installed Python does
    environment = {"TINY_DATA_DIR": str(checkout.root / "data"), "WINEPATH": r"C:\python"}
    windows.start("wscript", str(checkout.root / "scripts/windows/start-hidden.vbs"), env=environment)
    checkout.wait_for("1.0")
    assert checkout.read("build/tiny.log")[0] == "running 1.0"
