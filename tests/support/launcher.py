"""An installed tree made by hand: versions whose app is one small file, for the launcher's rules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

PACKAGE = "sample"

# What an app is to a launcher: it tells where it is in instance.json, answers /health, and ends on SIGTERM.
APP = """
import http.server, json, os, signal, sys, threading, time
from pathlib import Path

folder = Path(__file__).parents[2]
root = folder.parents[1]
behaviour = (folder / "behaviour").read_text()
arguments = sys.argv[1:]
with (root / "starts").open("a") as starts:
    print(folder.name, *arguments, file=starts)
if "--version" in arguments:
    sys.exit(print("sample", folder.name))
if behaviour == "crash":
    sys.exit(3)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("stopped by a signal", file=sys.stderr, flush=True)))
if behaviour == "hang":
    time.sleep(600)
if behaviour == "slow":
    time.sleep(1.5)
version = "9.9.9" if behaviour == "wrong" else (folder / "VERSION").read_text().strip()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"version": version, "cwd": os.getcwd(), "flags": str(sys.flags)}).encode())

    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        os._exit(int(self.path.strip("/")))

    def log_message(self, *arguments):
        pass


data = Path(os.environ["SAMPLE_DATA_DIR"])
if "--data-dir" in arguments:
    data = Path(arguments[arguments.index("--data-dir") + 1])
data.mkdir(parents=True, exist_ok=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
url = f"http://127.0.0.1:{server.server_port}"
(data / "partial").write_text(json.dumps({"pid": os.getpid(), "url": url, "version": version}))
(data / "partial").replace(data / "instance.json")
print("serving", version, file=sys.stderr, flush=True)
server.serve_forever()
"""


class Installation:
    """A root with `versions/`, and the launcher and bootstrap of a rendered project."""

    def __init__(self, root: Path, project: Path) -> None:
        self.root = root
        self.project = project
        self.data = root / "data"
        self.log = root / "logs/sample.log"
        (root / "versions").mkdir(parents=True)
        shutil.copy2(project / "scripts/linux/run.sh", root)

    def add(self, version: str, behaviour: str = "good") -> Path:
        folder = self.root / "versions" / version
        venv.create(folder / "python", symlinks=True)
        (site,) = folder.glob("python/lib/python*/site-packages")
        (site / "app.pth").write_text(os.path.relpath(folder / "app", site) + "\n")
        (folder / "app" / PACKAGE).mkdir(parents=True)
        (folder / "app" / PACKAGE / "__main__.py").write_text(APP)
        (folder / "behaviour").write_text(behaviour)
        (folder / "VERSION").write_text(f"{version}\n")
        shutil.copy2(self.project / "scripts/start.py", folder)
        return folder

    def write(self, name: str, *lines: str) -> None:
        (self.root / name).write_text("".join(f"{line}\n" for line in lines))

    def lines(self, name: str) -> list[str] | None:
        """Give the lines of a file in the root; nothing where there is none."""
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else None

    @property
    def starts(self) -> list[str]:
        return self.lines("starts") or []

    @contextmanager
    def run(self, *arguments: str, output: int | IO[str] = subprocess.DEVNULL, **variables: str) -> Iterator[Launcher]:
        """Start the launcher from elsewhere, and end it and all that it started with the block."""
        process = subprocess.Popen(
            [self.root / "run.sh", *arguments],
            cwd="/",
            env={**os.environ, "SAMPLE_TRIAL_SECONDS": "20", "JOURNAL_STREAM": "", **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield Launcher(process, self)
        finally:
            for pid in [process.pid, *_session(process.pid)]:
                _kill(pid)
            process.wait()

    def app(self, data: Path | None = None) -> dict[str, Any]:
        """Ask the app that runs; the answer of /health with its pid and url."""
        running: dict[str, Any] = json.loads(((data or self.data) / "instance.json").read_text())
        os.kill(running["pid"], 0)
        with urllib.request.urlopen(f"{running['url']}/health", timeout=5) as response:  # noqa: S310
            return {**running, **json.load(response)}


class Launcher:
    """A launcher that runs."""

    def __init__(self, process: subprocess.Popen[bytes], installation: Installation) -> None:
        self.process = process
        self.installation = installation

    def wait_for(self, what: Callable[[], object], seconds: float = 20) -> Any:
        """Wait until `what` gives something true, whatever else it raises until then, and give that."""
        end = time.monotonic() + seconds
        problem: object = "nothing"
        while time.monotonic() < end:
            try:
                if found := what():
                    return found
            except (OSError, ValueError) as error:
                problem = error
            time.sleep(0.02)
        log = self.installation.log.read_text() if self.installation.log.exists() else "no log"
        raise AssertionError(f"after {seconds} s: {problem}; starts: {self.installation.starts}\n{log}")

    def serves(self, version: str, besides: int = 0, seconds: float = 20) -> dict[str, Any]:
        """Wait until the app answers with this version, from another process than `besides`."""

        def answer() -> dict[str, Any] | None:
            app = self.installation.app()
            return app if app["version"] == version and app["pid"] != besides else None

        found: dict[str, Any] = self.wait_for(answer, seconds)
        return found

    def end(self, number: int) -> int:
        """Send the signal and give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=10)


def post(app: dict[str, Any], path: str) -> None:
    """Make the app end with the exit code that the path says."""
    request = urllib.request.Request(app["url"] + path, method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310
        pass


def _session(leader: int) -> list[int]:
    """Find the processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # has just ended
            continue
        if int(fields[3]) == leader:
            found.append(int(stat.parent.name))
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, 9)
