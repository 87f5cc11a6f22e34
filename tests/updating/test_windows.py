"""Does an app that is installed on Windows update itself: the unpacked zip, and what the installer made? Under Wine.

What is released is what the project's own build makes for Windows; app and server meet on this machine's 127.0.0.1.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath

import pytest

from tests.conftest import Render
from tests.support import wine
from tests.support.gitea import Server
from tests.support.packages import require_apt
from tests.support.tools import run
from tests.support.updates import BAD, Installed, Source, changed
from tests.support.wine import Windows
from tests.updating.conftest import make_source

pytestmark = pytest.mark.slow

APP_ONLY_BYTES = 100_000  # at most, for the default app
SECONDS = 120  # for an app to start, on a machine that others use as well
TRIAL_SECONDS = 90  # of versions that are good, there
ROOT = PureWindowsPath(r"C:\my apps\Größe 100 %")
KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\sample"
SEED = 20261121
KILLS = 8


class InstalledOnWindows(Installed):
    """The app in a folder of a Windows."""

    def __init__(self, windows: Windows, root: PureWindowsPath = ROOT, slug: str = "sample") -> None:
        super().__init__(windows.path(root), slug)
        self.windows = windows
        self.place = root

    @contextmanager
    def run(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start the launcher, and end all programs of this Windows with the block."""
        own = {f"{self.prefix}_PORT": str(self.port), f"{self.prefix}_TRIAL_SECONDS": str(TRIAL_SECONDS)}
        launcher = self.windows.start("wscript", str(self.place / "start-hidden.vbs"), env={**own, **variables})
        try:
            yield launcher
        finally:
            self.kill(launcher)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End all programs of this Windows, and what makes it one, as a power cut does."""
        run(self.windows.command("sh", "-c", "kill -9 -1"), returncode=None)
        process.wait()

    def stop(self) -> None:
        """End the app as the installer does."""
        folder = rf"versions\{self.current}"
        python, start = rf"{folder}\python\python.exe", rf"{folder}\start.py"
        self.windows.run(python, "-B", start, "--stop", cwd=self.place, timeout=60)
        self.windows.settle()

    def update(self, version: str, seconds: float = SECONDS) -> None:
        """Have it installed as the page does, and wait until it is there."""
        self.ask("/system/update/apply", {"version": version, "when": "now"})
        self.wait(version, seconds)

    def wait_for_another_check(self) -> None:
        """Turn the channel of pre-releases on and off: that looks at once, and the button not."""
        settings = self.ask("/system/update/settings")
        for wanted in (True, False):
            self.ask("/system/update/settings", {**settings, "include_prerelease": wanted}, "PUT")
            self.until(lambda status: status["state"] != "checking")

    def outcome(self, version: str) -> tuple[str, str]:
        """Wait until the app knows what has become of an update: how it went, and from which version."""
        last = self.until(lambda status: status["last"] and status["last"]["version"] == version, SECONDS)["last"]
        return str(last["outcome"]), str(last["from_version"])

    def offered(self, version: str) -> int:
        """Find the release; gives how many bytes it would load."""
        status = self.check()
        assert status["release"], f"nothing is on offer: {status}"
        assert status["release"]["version"] == version
        assert status["can_auto_update"], status["reason"]
        return int(status["release"]["size"])


@pytest.fixture(scope="module")
def released(render: Render, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A project with 1.0.0, which is installed, and 1.1.0, which has the same runtime."""
    require_apt("nsis")
    source = make_source(render, server, tmp_path_factory.mktemp("windows"), "windows")
    source.publish("1.0.0")
    source.publish("1.1.0")
    return source


def built(source: Source, version: str, ending: str) -> Path:
    return source.project.root / f"build/released/{version}/{source.project.slug}-v{version}-{ending}"


@pytest.fixture
def portable(released: Source, windows: Windows) -> InstalledOnWindows:
    """1.0.0, unpacked."""
    app = InstalledOnWindows(windows)
    unpack(built(released, "1.0.0", "win-x64.zip"), app.root)
    return app


def unpack(archive: Path, root: Path) -> None:
    """Unpack the zip into a folder of another name."""
    with zipfile.ZipFile(archive) as content:
        content.extractall(root.parent)
    (root.parent / "sample").rename(root)


@pytest.fixture
def installed(released: Source, windows: Windows) -> InstalledOnWindows:
    """1.0.0, as its installer leaves it."""
    shutil.copy(built(released, "1.0.0", "setup.exe"), windows.path("C:\\setup.exe"))
    windows.run("cmd", "/c", rf"C:\setup.exe /S /D={ROOT}", timeout=SECONDS)
    return InstalledOnWindows(windows)


@contextmanager
def bad_release(source: Source, version: str, behaviour: str) -> Iterator[None]:
    """Release a version that does not start as it should."""
    source.publish(version, lambda source: source.change("__main__.py", "\n", f"\n{BAD[behaviour]}\n"))
    try:
        yield
    finally:
        source.withdraw(version)


def test_an_unpacked_app_loads_only_itself(released: Source, portable: InstalledOnWindows, tmp_path: Path) -> None:
    before = portable.digests("1.0.0")
    with portable.run():
        portable.wait("1.0.0", SECONDS)
        note = portable.root / "data" / "note.txt"
        note.write_text("mine", encoding="utf-8")
        assert portable.offered("1.1.0") <= APP_ONLY_BYTES
        assert portable.status()["install_type"] == "portable"
        portable.update("1.1.0")
        assert portable.outcome("1.1.0") == ("updated", "1.0.0")
        portable.stop()
    assert portable.current == "1.1.0"
    assert note.read_text(encoding="utf-8") == "mine"
    assert portable.digests("1.0.0") == before, "the version to go back to is no longer as it was"
    fresh = tmp_path / "fresh"
    unpack(built(released, "1.1.0", "win-x64.zip"), fresh)
    assert changed(portable.digests("1.1.0"), Installed(fresh, "sample").digests("1.1.0")) == set()
    assert {path.name for path in portable.root.glob("versions/.*")} <= {".lock"}
    runtimes = [portable.root / f"versions/{version}/python/python.exe" for version in ("1.0.0", "1.1.0")]
    assert runtimes[0].samefile(runtimes[1]), "the runtime takes its space twice"


@pytest.mark.usefixtures("long")
def test_what_the_installer_made_loads_only_the_app_until_the_runtime_is_another(
    released: Source, installed: InstalledOnWindows
) -> None:
    with installed.run():
        installed.wait("1.0.0", SECONDS)
        note = installed.root / "data" / "note.txt"
        note.write_text("mine", encoding="utf-8")
        assert installed.status()["install_type"] == "installer"
        assert installed.offered("1.1.0") <= APP_ONLY_BYTES
        installed.update("1.1.0")
        assert installed.outcome("1.1.0") == ("updated", "1.0.0")
        assert installed.windows.registry(KEY)["DisplayVersion"] == "1.1.0"
        released.publish("1.2.0", lambda source: source.require("iniconfig"))
        try:
            installed.wait_for_another_check()
            assert installed.offered("1.2.0") == built(released, "1.2.0", "setup.exe").stat().st_size
            installed.update("1.2.0", 2 * SECONDS)
        finally:
            released.withdraw("1.2.0")
        assert installed.outcome("1.2.0") == ("updated", "1.1.0")
        assert installed.windows.registry(KEY)["DisplayVersion"] == "1.2.0"
        assert installed.status()["install_type"] == "installer"
        assert list(installed.root.glob("versions/1.2.0/python/Lib/site-packages/iniconfig"))
        assert not (installed.root / "versions/.download").exists(), "the installer stays"
        installed.stop()
    assert {path.name for path in installed.root.glob("versions/[0-9]*")} == {"1.1.0", "1.2.0"}
    assert note.read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("long")
def test_an_unpacked_app_takes_another_runtime_as_a_whole(released: Source, portable: InstalledOnWindows) -> None:
    released.publish("1.2.1", lambda source: source.require("iniconfig"))
    try:
        with portable.run():
            portable.wait("1.0.0", SECONDS)
            assert portable.offered("1.2.1") == built(released, "1.2.1", "win-x64.zip").stat().st_size
            portable.update("1.2.1")
            assert portable.outcome("1.2.1") == ("updated", "1.0.0")
    finally:
        released.withdraw("1.2.1")


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("behaviour", BAD)
def test_a_version_that_does_not_prove_itself_is_gone_back_from(
    behaviour: str, released: Source, portable: InstalledOnWindows
) -> None:
    bad = f"1.3.{list(BAD).index(behaviour)}"
    with bad_release(released, bad, behaviour), portable.run(SAMPLE_TRIAL_SECONDS="25"):
        portable.wait("1.0.0", SECONDS)
        portable.offered(bad)
        portable.ask("/system/update/apply", {"version": bad, "when": "now"})
        assert portable.outcome(bad) == ("rolled_back", "1.0.0")
        portable.wait("1.0.0", SECONDS)
        offer = portable.check()["release"]
        assert offer is None or offer["version"] != bad, "it is offered again"
    assert bad in (portable.root / "failed").read_text(encoding="utf-8")


@pytest.mark.usefixtures("long")
def test_killed_at_any_point_it_starts_and_updates(
    released: Source, portable: InstalledOnWindows, tmp_path: Path
) -> None:
    """Kill all programs of a Windows at random points of an update: one of both versions starts, whole."""
    chance = random.Random(SEED)  # noqa: S311  (the same points each time)
    whole = {"1.0.0": portable.digests("1.0.0")}
    fresh = tmp_path / "fresh"
    unpack(built(released, "1.1.0", "win-x64.zip"), fresh)
    whole["1.1.0"] = Installed(fresh, "sample").digests("1.1.0")
    with portable.run():  # its data folder is made
        portable.wait("1.0.0", SECONDS)
        portable.stop()
    for number in range(KILLS):
        place = ROOT.with_name(f"app {number}")
        shutil.copytree(portable.root, portable.windows.path(place))
        app = InstalledOnWindows(portable.windows, place)
        with app.run() as launcher:
            app.wait("1.0.0", SECONDS)
            app.offered("1.1.0")
            app.ask("/system/update/apply", {"version": "1.1.0", "when": "now"})
            time.sleep(chance.uniform(0, 6))
            app.kill(launcher)
        with app.run():
            wine.wait_until(lambda: app.version() and not (app.root / "trial").exists(), "it starts", SECONDS)  # noqa: B023
            version = app.version()
            assert version in whole
            for name in {"1.0.0", version}:
                assert changed(app.digests(name), whole[name]) == set()
            failed = app.root / "failed"
            if failed.exists():  # it was killed on trial, and has not proved itself
                assert (version, failed.read_text(encoding="utf-8").split()) == ("1.0.0", ["1.1.0"])
            elif version == "1.0.0":
                app.offered("1.1.0")
                app.update("1.1.0")
