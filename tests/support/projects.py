"""Generated projects at work: an environment as a newcomer has it, `make`, and the app as a process."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.pythons import uv_environment
from tests.support.tools import run

# What a run of these tests puts into the environment and a newcomer has not.
FOREIGN = re.compile(
    r"(UV|UV_(?!CACHE_DIR|INDEX|DEFAULT_INDEX|HTTP|NATIVE).*|VIRTUAL_ENV|PYTEST_.*|COV_.*|GITHUB_.*|MAKE.*|MFLAGS|VERSION|NPM)"
)


def newcomer(scratch: Path) -> dict[str, str]:
    """Give an environment without uv, whose Pythons are the four of `pythons`; `scratch` is for a PATH of links."""
    environment = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}
    return {**environment, **uv_environment(), "PATH": _path_without("uv", scratch)}


def mypy_cache(session: Path) -> dict[str, str]:
    """Let the projects of a worker share what mypy knows of their dependencies: each would read them anew, for seconds.

    mypy compares contents, so a project's own code is checked as ever.
    """
    return {"MYPY_CACHE_DIR": str(session / f"mypy-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")}


def _path_without(name: str, scratch: Path) -> str:
    """Give PATH with links to everything but `name` in place of each folder that holds it."""
    folders = []
    for number, folder in enumerate(os.get_exec_path()):
        if (Path(folder) / name).exists():
            links = scratch / f"path{number}"
            links.mkdir(parents=True)
            for program in Path(folder).iterdir():
                if program.name != name:
                    (links / program.name).symlink_to(program)
            folder = str(links)
        folders.append(folder)
    return os.pathsep.join(folders)


class Project:
    """A copy of a rendered project, and the environment in which it is used."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment
        (pyproject,) = [*root.glob("pyproject.toml"), *root.glob("*/pyproject.toml")]
        self.source = pyproject.parent
        with pyproject.open("rb") as file:
            self.pyproject = tomllib.load(file)
        self.slug: str = self.pyproject["project"]["name"]
        (self.package,) = (path.parent for path in self.source.glob("src/*/py.typed"))

    def make(self, *arguments: str, returncode: int | None = 0) -> str:
        """Run make; gives what it wrote, errors after the rest."""
        result = run(["make", *arguments], cwd=self.root, env=self.environment, returncode=returncode)
        return result.stdout + result.stderr

    def git(self, *arguments: str) -> str:
        return run(["git", *arguments], cwd=self.root, env=self.environment).stdout

    def files(self) -> set[str]:
        """List what git sees: what is in the repository, or would be after `git add --all`."""
        return set(self.git("ls-files", "--cached", "--others", "--exclude-standard").splitlines())

    @contextmanager
    def app(self, data: Path) -> Iterator[App]:
        """Start the app as `make run` does, and end it at once if the block has not."""
        port = free_port()
        command = [".venv/bin/python", "-m", self.package.name, "--port", str(port), "--data-dir", str(data)]
        with (
            subprocess.Popen(command, cwd=self.source, env=self.environment, stderr=subprocess.PIPE) as process,
        ):
            try:
                yield App(process, port)
            finally:
                process.kill()


class App:
    """A running app."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str) -> tuple[str, bytes]:
        """Give content type and body."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
            return response.headers.get_content_type(), response.read()

    def json(self, path: str) -> dict[str, Any]:
        kind, body = self.get(path)
        assert kind == "application/json", kind
        result: dict[str, Any] = json.loads(body)
        return result

    def wait(self, seconds: float = 20) -> dict[str, Any]:
        """Wait until /health answers, and give its answer."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.json("/health")
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, f"the app ended: {self.errors()}"
                assert time.monotonic() < end, f"no answer after {seconds} s"
                time.sleep(0.1)

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM; gives the return code, and the seconds that it took."""
        start = time.monotonic()
        self.process.terminate()
        return self.process.wait(timeout=15), time.monotonic() - start

    def errors(self) -> str:
        assert self.process.stderr
        return self.process.stderr.read().decode()


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
