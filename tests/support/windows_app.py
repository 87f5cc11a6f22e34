"""A tiny app for Windows in the layout of a real build: for tests of the installer and the launchers, in seconds.

The interpreter is python.org's own; start.py, launchers and installer are those of the rendered project. The app is one
file of standard library that keeps to what they expect of the real one: instance.json, /health, --stop, --open.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.request
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from tests.support import windows_pythons
from tests.support.packages import require_apt
from tests.support.tools import run
from tests.support.wine import Windows, wait_until

NAME = 'Größe & "Co" $X 🚀'
ANSWERS = {"project_name": NAME, "targets": ["desktop"], "project_slug": "tiny", "package_name": "tiny"}
LINK = "Tiny Größe.lnk"
KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\tiny"
HOME = PureWindowsPath(r"C:\users\root")
SHORTCUTS = {
    "start menu": HOME / r"AppData\Roaming\Microsoft\Windows\Start Menu\Programs" / LINK,
    "desktop": HOME / "Desktop" / LINK,
    "autostart": HOME / r"AppData\Roaming\Microsoft\Windows\Start Menu\Programs\StartUp" / LINK,
}
ROOT = PureWindowsPath(r"C:\my apps\tiny ü")
Files = dict[str, tuple[int, bytes]]

# All that the app imports; without OpenSSL, SQLite and others an installer is made in half the time.
NEEDED = (
    "python.exe",
    "python3.dll",
    "python313.dll",
    "python313.zip",
    "vcruntime140.dll",
    "_socket.pyd",
    "select.pyd",
    "unicodedata.pyd",
)
PATHS = "python313.zip\n.\nLib\\site-packages\n..\\app\nimport site\n"

# Read by makensis before a project's own script.
FAST_SETUP = """\
!pragma warning disable 8020
!pragma warning disable 8026
SetCompressor /FINAL zlib
"""
MAKE_SETUP = """\
import json, pathlib, sys, windows_installer
work, tree, output = map(pathlib.Path, sys.argv[1:4])
windows_installer.make(work, tree, output, json.loads(sys.argv[4]))
"""
APP = """
import http.server, json, os, sys, threading, time, urllib.request, webbrowser
from pathlib import Path

VERSION, BEHAVIOUR = {version!r}, {behaviour!r}
data = Path(sys.argv[sys.argv.index("--data-dir") + 1] if "--data-dir" in sys.argv else os.environ["{prefix}DATA_DIR"])
data.mkdir(exist_ok=True)
instance = data / "instance.json"


def running():
    try:
        found = json.loads(instance.read_text())
        urllib.request.urlopen(found["url"] + "/health", timeout=2).close()
        return found
    except (OSError, ValueError):
        return None


def note(what):
    with (data / "events.txt").open("a") as events:
        events.write(f"{{VERSION}} {{what}}\\n")


found = running()
if "--stop" in sys.argv:
    note("stop")
    if found and BEHAVIOUR != "deaf":
        request = urllib.request.Request(found["url"] + "/stop", method="POST", headers={{"X-Token": found["token"]}})
        urllib.request.urlopen(request, timeout=5).close()
        while instance.exists():
            time.sleep(0.05)
    sys.exit()
if found:
    note("open" if "--open" in sys.argv else "second")
    webbrowser.open(found["url"])
    sys.exit()
note("start" + (" --open" if "--open" in sys.argv else ""))
print("running", VERSION, flush=True)
if BEHAVIOUR == "crash":
    raise SystemExit("this version is broken")
if BEHAVIOUR == "hang":
    time.sleep(600)
code = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"status": "ok", "version": VERSION, "ready": True}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        global code
        code = 75 if self.path == "/restart" else 0
        self.send_response(204)
        self.end_headers()
        threading.Thread(target=server.shutdown).start()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
url = f"http://127.0.0.1:{{server.server_port}}"
instance.write_text(json.dumps({{"pid": os.getpid(), "url": url, "version": VERSION, "token": "secret"}}))
if "--open" in sys.argv:
    threading.Timer(0.2, webbrowser.open, [url]).start()
server.serve_forever()
instance.unlink()
note("end")
sys.exit(code)
"""


def make_tree(project: Path, tree: Path, version: str, *, extra: str = "") -> None:
    """Make the tree of one version, as the real build lays it out."""
    slug, package = "tiny", "tiny"
    folder = tree / "versions" / version
    make_version(project, folder, version)
    if extra:
        (folder / "app" / package / extra).write_text(f"only in {version}", encoding="utf-8")
    (tree / "current").write_text(f"{version}\n", encoding="ascii")
    windows = project / "scripts/windows"
    shutil.copy(windows / "start-hidden.vbs", tree)
    shutil.copy(windows / "console.cmd", tree / f"{slug}.cmd")
    (tree / "icon.ico").write_bytes(icon())


def make_version(project: Path, folder: Path, version: str, behaviour: str = "good") -> None:
    """Make what is below versions/ for one version."""
    python = folder / "python"
    (python / "Lib/site-packages").mkdir(parents=True)
    with zipfile.ZipFile(windows_pythons.embeddable_zip()) as archive:
        for name in NEEDED:
            archive.extract(name, python)
    (python / "python313._pth").write_text(PATHS, encoding="ascii")
    change_version(folder, version, behaviour)
    shutil.copy(project / "scripts/start.py", folder)


def change_version(folder: Path, version: str, behaviour: str = "good") -> None:
    """Write the app of a version, and the files that name it."""
    package = folder / "app/tiny"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("", encoding="ascii")
    code = APP.format(version=version, behaviour=behaviour, prefix="TINY_")
    (package / "__main__.py").write_text(code, encoding="ascii")
    (folder / "VERSION").write_text(f"{version}\n", encoding="ascii")


def make_setup(project: Path, tree: Path, output: Path, version: str, name: str) -> None:
    """Make setup.exe of a tree with the project's own script."""
    require_apt("nsis")
    work = output.with_name(f"work-{output.stem}")
    license_file = work.with_suffix(".txt")
    license_file.write_text("You may.\n", encoding="utf-8-sig")
    values = {
        "APP_NAME": name,
        "APP_FILE_NAME": "Tiny Größe",
        "SLUG": "tiny",
        "PACKAGE": "tiny",
        "VERSION": version,
        "VERSION_FOLDER": version,
        "VERSION_QUAD": "1.2.3.4",
        "PUBLISHER": "A & B",
        "URL": "https://git.example/a/b",
        "ICON": str(tree / "icon.ico"),
        "LICENSE_FILE": str(license_file),
    }
    arguments: list[str | Path] = [work, tree, output, json.dumps(values)]
    environment = os.environ | packed_in_seconds(work.parent)
    run([sys.executable, "-B", "-c", MAKE_SETUP, *arguments], cwd=project / "scripts", env=environment)


def packed_in_seconds(folder: Path) -> dict[str, str]:
    """Give the environment, with a file in `folder`, in which setup.exe is the same but for how it is packed."""
    (folder / "nsisconf.nsh").write_text(FAST_SETUP, encoding="ascii")
    return {"NSISCONFDIR": str(folder)}


def icon() -> bytes:
    """Give an icon: 16 pixels square, all of one colour."""
    side = 16
    header = b"".join(
        number.to_bytes(size, "little") for number, size in ((40, 4), (side, 4), (2 * side, 4), (1, 2), (32, 2))
    )
    image = header + bytes(24) + b"\xc0\x60\x20\xff" * side * side + bytes(side * 4)
    entry = bytes([side, side, 0, 0, 1, 0, 32, 0]) + len(image).to_bytes(4, "little") + (22).to_bytes(4, "little")
    return b"\0\0\1\0\1\0" + entry + image


@dataclass(frozen=True)
class App:
    """An app in a folder of a Windows."""

    windows: Windows
    root: PureWindowsPath = ROOT

    @property
    def folder(self) -> Path:
        return self.windows.path(self.root)

    def read(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []

    def write(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")

    @property
    def versions(self) -> set[str]:
        # While an app tidies up after an update, its lock is there as well.
        return {path.name for path in (self.folder / "versions").iterdir()} - {".lock"}

    @property
    def events(self) -> list[str]:
        return self.read("data/events.txt")

    @property
    def url(self) -> str:
        return str(json.loads((self.folder / "data/instance.json").read_text(encoding="utf-8"))["url"])

    def start(self, *arguments: str, **env: str) -> None:
        self.windows.start("wscript", str(self.root / "start-hidden.vbs"), *arguments, env=env)

    def health(self) -> dict[str, object]:
        with suppress(OSError, ValueError), urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:  # noqa: S310
            found: dict[str, object] = json.load(answer)
            return found
        return {}

    def wait_for(self, version: str, timeout: float = 60) -> None:
        """Wait until this version answers and is no longer on trial."""

        def is_up() -> bool:
            return self.health().get("version") == version and not (self.folder / "trial").exists()

        try:
            wait_until(is_up, f"{version} answers", timeout)
        except AssertionError as error:
            state = {
                name: self.read(name) for name in ("current", "trial", "failed", "data/events.txt", "logs/tiny.log")
            }
            raise AssertionError(f"{error}; it is so: {state}") from None

    def post(self, what: str) -> None:
        request = urllib.request.Request(f"{self.url}/{what}", method="POST")  # noqa: S310
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310

    def stop(self) -> None:
        """End the app and its launcher."""
        self.post("stop")
        self.windows.settle()

    def add(self, version: str, behaviour: str) -> None:
        """Put a version beside the others, as an update does."""
        (old, *_) = (self.folder / "versions").iterdir()
        new = self.folder / "versions" / version
        shutil.copytree(old, new)
        change_version(new, version, behaviour)


def content(folder: Path) -> Files:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def names_and_bytes(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (_, data) in content(folder).items()}


def is_built(app: App, folder: str, builds: Path, version: str) -> bool:
    """Tell whether a version's folder holds exactly what its build has."""
    return names_and_bytes(app.folder / "versions" / folder) == names_and_bytes(
        builds / f"tree-{version}/versions/{version}"
    )


def shortcuts(windows: Windows) -> set[str]:
    return {name for name, path in SHORTCUTS.items() if windows.path(path).exists()}
