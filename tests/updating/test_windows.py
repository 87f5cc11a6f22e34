"""Does an app that is installed on Windows update itself: the unpacked zip, and what the installer made? Under Wine.

What is released is what the project's own build makes for Windows; app and server meet on this machine's 127.0.0.1.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PureWindowsPath

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Render
from tests.support import wine
from tests.support.browser import chromium
from tests.support.gitea import Server
from tests.support.packages import require_apt
from tests.support.releases import Key, Releases, signed
from tests.support.tools import sha256
from tests.support.updates import BAD, Installed, Source, changed
from tests.support.wine import Windows
from tests.updating.conftest import make_source

pytestmark = pytest.mark.slow

APP_ONLY_BYTES = 100_000  # at most, for the default app
SECONDS = 120  # for an app to start, on a machine that others use as well
TRIAL_SECONDS = 90  # of versions that are good, there
ROOT = PureWindowsPath(r"C:\my apps\Größe 100 %")
KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\sample"
BEHAVIOURS = [*BAD, "wrong version"]
SEED = 20261121
KILLS = 30  # where series run whole


class InstalledOnWindows(Installed):
    """The app in a folder of a Windows."""

    def __init__(self, windows: Windows, root: PureWindowsPath = ROOT, slug: str = "sample") -> None:
        super().__init__(windows.path(root), slug)
        self.windows = windows
        self.place = root

    @contextmanager
    def run(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start the launcher, and end it, the app and all that they started with the block."""
        launcher = self.start(**variables)
        try:
            yield launcher
        finally:
            self.kill(launcher)

    def start(self, **variables: str) -> subprocess.Popen[bytes]:
        """Start the launcher."""
        own = {f"{self.prefix}_PORT": str(self.port), f"{self.prefix}_TRIAL_SECONDS": str(TRIAL_SECONDS)}
        return self.windows.start("wscript", str(self.place / "start-hidden.vbs"), env={**own, **variables})

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill all programs of this Windows, but for those that make it one: a new one takes seconds."""
        self.windows.kill_programs()
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

    def outcome(self, version: str, seconds: float = SECONDS) -> tuple[str, str]:
        """Wait until the app knows what has become of an update: how it went, and from which version."""
        last = self.until(lambda status: status["last"] and status["last"]["version"] == version, seconds)["last"]
        return str(last["outcome"]), str(last["from_version"])

    def offered(self, version: str) -> int:
        """Find the release; gives how many bytes it would load."""
        status = self.check()
        assert status["release"], f"nothing is on offer: {status}"
        assert status["release"]["version"] == version
        assert status["can_auto_update"], status["reason"]
        return int(status["release"]["size"])


class Looking:
    """A person who looks at the page of an app."""

    def __init__(self, browser: Browser, app: InstalledOnWindows) -> None:
        self.page = browser.new_page()
        self.page.goto(f"http://127.0.0.1:{app.port}/")
        expect(self.page.locator("#version")).to_have_text(app.current)

    def click_update(self, version: str) -> None:
        """Have the version installed that the page offers."""
        expect(self.page.locator("#update-banner")).to_contain_text(f"Version {version} is available.", timeout=30_000)
        self.page.get_by_role("tab", name="Updates").click()
        self.page.locator("#update-now").click()

    def reads(self, what: str, version: str) -> None:
        """Wait until the page says what has become of an update, and shows the version."""
        expect(self.page.locator("#update-result")).to_contain_text(what, timeout=2000 * SECONDS)
        expect(self.page.locator("#version")).to_have_text(version, timeout=30_000)
        expect(self.page.get_by_role("dialog")).to_be_hidden()


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """A key besides the project's own."""
    return Key(tmp_path_factory.mktemp("key") / "trusted")


@pytest.fixture(scope="module")
def released(render: Render, server: Server, trusted: Key, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A project with 1.0.0, which is installed, and 1.1.0, which has the same runtime."""
    require_apt("nsis")
    source = make_source(render, server, tmp_path_factory.mktemp("windows"), "windows")
    with (source.project.package / "update_keys.txt").open("a", encoding="utf-8") as keys:
        keys.write(f"{trusted.public}\n")
    source.publish("1.0.0")
    source.publish("1.1.0")
    return source


def built(source: Source, version: str, ending: str) -> Path:
    return source.project.root / f"build/released/{version}/{source.project.slug}-v{version}-{ending}"


@pytest.fixture
def portable(released: Source, windows: Windows) -> InstalledOnWindows:
    """1.0.0, unpacked."""
    app = InstalledOnWindows(windows, ROOT.with_name(f"{ROOT.name} portable"))
    unpack(built(released, "1.0.0", "win-x64.zip"), app.root)
    return app


def unpack(archive: Path, root: Path) -> None:
    """Unpack the zip into a folder of another name."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as content:
        content.extractall(root.parent)
    (root.parent / "sample").rename(root)


@pytest.fixture
def installed(released: Source, windows: Windows) -> InstalledOnWindows:
    """1.0.0, as its installer leaves it."""
    shutil.copy(built(released, "1.0.0", "setup.exe"), windows.path("C:\\setup.exe"))
    windows.run("cmd", "/c", rf"C:\setup.exe /S /D={ROOT}", timeout=SECONDS)
    return InstalledOnWindows(windows)


@pytest.fixture
def series(released: Source, portable: InstalledOnWindows, trusted: Key, tmp_path: Path) -> Series:
    return Series(portable, built(released, "1.0.0", "win-x64-app.zip"), trusted, tmp_path)


def test_an_unpacked_app_loads_only_itself(released: Source, portable: InstalledOnWindows, tmp_path: Path) -> None:
    before = portable.digests("1.0.0")
    with portable.run(), chromium() as browser:
        portable.wait("1.0.0", SECONDS)
        person = Looking(browser, portable)
        note = portable.root / "data" / "note.txt"
        note.write_text("mine", encoding="utf-8")
        assert portable.offered("1.1.0") <= APP_ONLY_BYTES
        assert portable.status()["install_type"] == "portable"
        person.click_update("1.1.0")
        person.reads("Updated: version 1.1.0 runs now.", "1.1.0")
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


def listed(app: InstalledOnWindows) -> str:
    """Give the version that Windows' list of programs shows."""
    return app.windows.registry(KEY)["DisplayVersion"]


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
        wine.wait_until(lambda: listed(installed) == "1.1.0", "Windows lists the version")
        released.publish("1.2.0", lambda source: source.require("iniconfig"))
        try:
            installed.wait_for_another_check()
            assert installed.offered("1.2.0") == built(released, "1.2.0", "setup.exe").stat().st_size
            installed.update("1.2.0", 2 * SECONDS)
        finally:
            released.withdraw("1.2.0")
        assert installed.outcome("1.2.0") == ("updated", "1.1.0")
        assert listed(installed) == "1.2.0"
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


# What an update tells on its way, and what can be seen after that from beside it.
STEPS = ("prepared", "downloaded", "unpacked", "shared", "named", "on trial", "committed", "pruned")
SIGHTS = ("started", "answers", "proved")
# Put into the apps that are killed: at the step that is written down they wait for it.
STOP = """


def stop(step: str) -> None:
    import time

    if Path("stop-at").is_file() and Path("stop-at").read_text() == step:
        Path("stopped").touch()
        time.sleep(3600)
"""


def patched(name: str, content: bytes) -> bytes:
    """Give a file of the app, with the stop where it is the module that tells its steps."""
    if not name.endswith("/update/apply.py"):
        return content
    text = content.decode()
    assert "= lambda step: None," in text
    return (text.replace("= lambda step: None,", "= lambda step: stop(step),") + STOP).encode()


def spoilt(name: str, content: bytes, behaviour: str) -> bytes:
    """Give a file of the app, as a version has it that does not start as it should."""
    if behaviour in BAD and name.endswith("/app/sample/__main__.py"):
        return content.replace(b"\n", f"\n{BAD[behaviour]}\n".encode(), 1)
    if behaviour == "wrong version" and name.endswith("/app/sample/__init__.py"):
        line = b'__version__ = "0.0.0.dev0"'
        assert line in content
        return content.replace(line, line + b'\n\n__version__ = "9.9.9"', 1)
    return content


class Series:
    """Updates of one app, to versions that differ in their number: what is killed at one is where the next begins."""

    def __init__(self, app: InstalledOnWindows, archive: Path, key: Key, folder: Path) -> None:
        self.app = app
        self.key = key
        self.folder = folder
        self.releases = Releases("ada/sample")
        with zipfile.ZipFile(archive) as packed:
            found = {entry.filename: packed.read(entry) for entry in packed.infolist() if not entry.is_dir()}
        self.members = {name: patched(name, content) for name, content in found.items()}
        for path in app.root.glob("versions/1.0.0/app/sample/update/apply.py"):
            path.write_bytes(patched(path.as_posix(), path.read_bytes()))
        for path in app.root.glob("versions/1.0.0/app/sample/update/__pycache__/apply.*"):
            path.write_bytes(b"")  # Python makes it anew in its memory
        self.built = {"1.0.0": app.digests("1.0.0")}

    def release(self, version: str, behaviour: str = "") -> None:
        """Put a version on the server, of those that do not start as they should where that is wanted."""
        first = self.built["1.0.0"]
        archives = {kind: self.folder / f"sample-v{version}-win-x64{kind}.zip" for kind in ("", "-app")}
        archives[""].write_bytes(b"not needed")
        self.built[version] = {name.replace("1.0.0", version): digest for name, digest in first.items()}
        with zipfile.ZipFile(archives["-app"], "w", zipfile.ZIP_DEFLATED) as archive:
            for old, content in self.members.items():
                name, new = old.replace("1.0.0", version), spoilt(old, content, behaviour)
                if name.endswith(("/VERSION", ".dist-info/METADATA", ".dist-info/RECORD")):
                    new = content.replace(b"1.0.0", version.encode())
                archive.writestr(name, new)
                if inside := name.partition(f"/{version}/")[2]:
                    self.built[version][inside] = hashlib.sha256(new).hexdigest()
        files = {
            kind.strip("-") or "full": {"name": path.name, "size": path.stat().st_size, "sha256": sha256(path)}
            for kind, path in archives.items()
        }
        runtime = self.members["sample/versions/1.0.0/runtime-id"].decode().strip()
        manifest = {
            **{"format": 1, "name": "sample", "version": version, "tag": f"v{version}", "channel": "stable"},
            **{"date": "2026-01-01T00:00:00Z", "platforms": {"win-x64": {"runtime": runtime, **files}}},
        }
        self.releases.add(
            f"v{version}", {**{path.name: path for path in archives.values()}, **signed(manifest, self.key)}
        )

    def start(self, **others: str) -> subprocess.Popen[bytes]:
        own = {"UPDATE_URL": self.releases.url, "UPDATE_REPOSITORY": self.releases.repository, **others}
        return self.app.start(**{f"{self.app.prefix}_{name}": value for name, value in own.items()})

    def offer(self, version: str, behaviour: str = "") -> None:
        """Release a version, and let the app find it."""
        self.release(version, behaviour)
        self.app.wait_for_another_check()
        self.app.offered(version)

    def apply(self, version: str) -> None:
        self.offer(version)
        self.app.ask("/system/update/apply", {"version": version, "when": "now"})

    def wait_for_point(self, point: str | float, version: str) -> None:
        """Wait until the update is at a point, or for some seconds."""
        root = self.app.root
        if isinstance(point, float):
            time.sleep(point)
        elif point in STEPS:
            wine.wait_until((root / "stopped").exists, f"the update is {point}", SECONDS)
        else:
            seen = {
                "started": lambda: "started" in read(root / "trial"),
                "answers": lambda: self.app.version() == version,
                "proved": lambda: self.app.current == version and not (root / "trial").exists(),
            }
            wine.wait_until(seen[point], f"the new version has {point}", SECONDS)

    def update(self, version: str) -> float:
        """Go over to a version; gives the seconds."""
        begun, before = time.monotonic(), self.app.current
        self.apply(version)
        self.app.wait(version, SECONDS)
        seconds = time.monotonic() - begun
        assert self.app.outcome(version) == ("updated", before)
        return seconds

    def damaged(self) -> dict[str, set[str]]:
        """Name the files of versions that are not as they were built."""
        found = {}
        for folder in self.app.root.glob("versions/[!.]*"):
            try:
                version = (folder / "VERSION").read_text(encoding="ascii").strip()
                digests = self.app.digests(folder.name)
            except OSError:
                assert not folder.exists()  # the app tidies up
                continue
            if names := changed(digests, self.built[version]):
                found[folder.name] = names
        return found

    def come_back(self, before: str, version: str) -> str:
        """See that an app that was killed is one of both versions, and whole; tells what became of the update."""
        wine.wait_until(lambda: self.app.version() and not (self.app.root / "trial").exists(), "it answers", SECONDS)
        running = self.app.version()
        assert running == self.app.current
        assert self.damaged() == {}
        if running == version:
            assert self.app.outcome(version) == ("updated", before)
            return "updated"
        assert running == before
        if version not in read(self.app.root / "failed").split():
            return "begun"
        assert self.app.outcome(version) == ("rolled_back", before)
        return "rolled back"


def read(path: Path) -> str:
    """Read a file that may be gone, or be replaced just now."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("kind", ["portable", "installer"])
def test_versions_that_do_not_prove_themselves_are_gone_back_from(
    kind: str, released: Source, trusted: Key, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    app: InstalledOnWindows = request.getfixturevalue("portable" if kind == "portable" else "installed")
    series = Series(app, built(released, "1.0.0", "win-x64-app.zip"), trusted, tmp_path)
    with series.releases.serve(), ExitStack() as stack:
        launcher = series.start(TRIAL_SECONDS="60")
        stack.callback(lambda: app.kill(launcher))
        app.wait("1.0.0", SECONDS)
        assert app.status()["install_type"] == kind
        person = Looking(stack.enter_context(chromium()), app)
        series.offer("1.1.0")
        person.click_update("1.1.0")
        person.reads("Updated: version 1.1.0 runs now.", "1.1.0")
        for number, behaviour in enumerate(BEHAVIOURS):
            bad = f"1.2.{number}"
            series.offer(bad, behaviour)
            person.click_update(bad)
            person.reads(f"Version {bad} did not work, so version 1.1.0 runs again.", "1.1.0")
            assert app.outcome(bad) == ("rolled_back", "1.1.0"), behaviour
            app.wait_for_another_check()
            offer = app.status()["release"]
            assert offer is None or offer["version"] != bad, "it is offered again"
        assert read(app.root / "failed").split() == [f"1.2.{number}" for number in range(len(BEHAVIOURS))]
        if kind == "installer":
            assert listed(app) == "1.1.0"


# What becomes of an update that is killed there; when a new version answers, it is about to have proved itself.
BECOMES = {
    **{point: {"begun"} for point in ("prepared", "downloaded", "unpacked", "shared", "named", "on trial")},
    **{point: {"updated"} for point in ("committed", "pruned", "proved")},
    **{"started": {"rolled back"}, "answers": {"rolled back", "updated"}},
}
SAMPLE = ("downloaded", "unpacked", "shared", "on trial", "committed", "pruned", "started", "answers")


def takes_space(app: InstalledOnWindows) -> set[str]:
    """Name files of what is no version any more, but for links to what runs: Windows removes none of those."""
    files = [path for path in app.root.glob("versions/.*/**/*") if path.is_file()]
    running = app.root / "versions" / app.current
    twins = {path: running.joinpath(*path.relative_to(app.root / "versions").parts[1:]) for path in files}
    return {str(path) for path, twin in twins.items() if not (twin.exists() and path.samefile(twin))}


def test_killed_at_any_point_it_starts_and_updates(
    released: Source, series: Series, pytestconfig: pytest.Config
) -> None:
    """Kill all programs of the app at a point of an update: what starts then is whole, and goes on to the next."""
    chance = random.Random(SEED)  # noqa: S311  (the same points each time)
    app, seen = series.app, Counter[str]()
    with series.releases.serve(), ExitStack() as stack:
        launcher = series.start()
        stack.callback(lambda: app.kill(launcher))
        app.wait("1.0.0", SECONDS)
        seconds = series.update("1.1.0")
        points: list[str | float] = list(SAMPLE)
        if pytestconfig.getoption("series") == "all":
            points = [*STEPS, *SIGHTS]
            points += [chance.uniform(0, seconds) for _ in range(KILLS - len(points))]
        for number, point in enumerate(points):
            before, version = app.current, f"1.2.{number}"
            (app.root / "stop-at").write_text(str(point), encoding="utf-8")
            series.apply(version)
            series.wait_for_point(point, version)
            app.kill(launcher)
            for name in ("stop-at", "stopped"):
                (app.root / name).unlink(missing_ok=True)
            launcher = series.start()
            became = series.come_back(before, version)
            assert isinstance(point, float) or became in BECOMES[point], f"killed when it was {point}: {became}"
            seen[became] += 1
        series.update("1.3.0")
        app.until(lambda _: takes_space(app) == set(), SECONDS)
        assert series.damaged() == {}
    print(f"killed {len(points)} times in updates of {seconds:.1f} s: {dict(seen)}")
    assert seen.keys() == {"begun", "rolled back", "updated"}
