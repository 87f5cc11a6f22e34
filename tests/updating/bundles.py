"""A bundle for Linux that the tests of this folder share, and what can be made of it in a moment."""

from __future__ import annotations

import copy
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock

from tests.answers import Answers
from tests.conftest import Render
from tests.support.projects import Project, newcomer
from tests.support.releases import Answer, Content, Key, Releases, describe, signed
from tests.support.tools import run
from tests.support.updates import Installed, changed

ANSWERS: Answers = {"project_name": "Sample", "targets": ["desktop"], "frontend": False, "auto_update": True}
VERSION = "1.0.0"
SHARED_MEMORY = Path("/dev/shm")
PATIENCE = 120  # seconds for an update on a busy machine
ROOM = 2 << 30  # bytes that a few installations need
Member = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Bundle:
    """What a project's own build has made."""

    slug: str
    full: Path
    app: Path
    key: Key  # that the app trusts

    def install(self, root: Path) -> Installed:
        """Unpack it, as a user does."""
        return Installed.unpack(self.full, root)

    def members(self, version: str, runtime: str = "") -> list[Member]:
        """Give what is in the app's archive, as it would be in that of another version; `runtime` makes another one."""
        named = []
        for entry, content in self._app:
            if entry.name.endswith(("/VERSION", ".dist-info/METADATA", ".dist-info/RECORD")):
                content = content.replace(VERSION.encode(), version.encode())
            if entry.name.endswith("/runtime-id") and runtime:
                content = f"{self.runtime_id(runtime)}\n".encode()
            named.append(member(entry.name.replace(VERSION, version), content=content, mode=entry.mode))
        return named

    def whole(self, version: str, runtime: str = "") -> list[Member]:
        """Give what is in the whole archive, as it would be in that of another version."""
        app = self.members(version, runtime)
        names = {entry.name for entry, _ in self._app}
        others = [each for each in self._full if each[0].name not in names]
        if runtime:
            others.append(member(f"{self._python}/lib/runtime.txt", content=runtime.encode(), mode=0o644))
        here, there = (f"{self.slug}/versions/{each}" for each in (VERSION, version))
        return [(renamed(entry, entry.name.replace(here, there, 1)), content) for entry, content in others] + app

    def runtime_id(self, runtime: str) -> str:
        """The id that the builds would give to such a runtime."""
        lines = {"lib/runtime.txt": f"644 {hashlib.sha256(runtime.encode()).hexdigest()}"} | self._runtime
        text = "".join(f"{name}\0{what}\n" for name, what in sorted(lines.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def digests(self, version: str, runtime: str = "") -> dict[str, str]:
        """Give what each file of a version holds where it is installed."""
        first, folder = (f"{self.slug}/versions/{each}/" for each in (VERSION, version))
        found = {name.removeprefix(first): digest for name, digest in self._digests.items() if name.startswith(first)}
        for entry, content in self.members(version, runtime):
            if not entry.name.startswith(folder):
                continue
            found.pop(entry.name.removeprefix(folder).replace(version, VERSION), None)
            found[entry.name.removeprefix(folder)] = hashlib.sha256(content).hexdigest()
        if runtime:
            found["python/lib/runtime.txt"] = hashlib.sha256(runtime.encode()).hexdigest()
        return found

    @property
    def _python(self) -> str:
        return f"{self.slug}/versions/{VERSION}/python"

    @cached_property
    def _app(self) -> list[Member]:
        return read_tar(self.app)

    @cached_property
    def _full(self) -> list[Member]:
        return read_tar(self.full)

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {entry.name: hashlib.sha256(content).hexdigest() for entry, content in self._full if entry.isfile()}

    @cached_property
    def _runtime(self) -> dict[str, str]:
        found = {}
        for entry, _ in self._full:
            if entry.name.startswith(f"{self._python}/") and not entry.isdir():
                what = f"link {entry.linkname}" if entry.issym() else "755 " if entry.mode & 0o100 else "644 "
                found[entry.name.removeprefix(f"{self._python}/")] = what + self._digests.get(entry.name, "")
        return found

    def archives(
        self, version: str, folder: Path, members: Sequence[Member] | None = None, runtime: str = ""
    ) -> dict[str, Path]:
        """Write the archives of another version; the whole one is only there where it brings another runtime."""
        stem = f"{self.slug}-v{version}-linux-x64"
        found = {"full": folder / f"{stem}.tar.gz", "app": folder / f"{stem}-app.tar.gz"}
        found["full"].write_bytes(write_tar(self.whole(version, runtime)) if runtime else b"not needed")
        found["app"].write_bytes(write_tar(self.members(version, runtime) if members is None else members))
        return found


@dataclass
class Supplied:
    """An installed app, and the server that it asks."""

    bundle: Bundle
    app: Installed
    releases: Releases
    scratch: Path
    close: Callable[[], None] = lambda: None  # ends the server
    runtimes: dict[str, str] = field(default_factory=dict)  # of the versions that have another one

    def release(self, version: str, runtime: str = "", change: Callable[[list[Member]], object] | None = None) -> None:
        """Put a version on the server; those before stay there. `change` is to the files of the app."""
        self.runtimes[version] = runtime
        folder = self.scratch / version
        folder.mkdir(parents=True)
        members = self.bundle.members(version, runtime)
        if change:
            change(members)
        archives = self.bundle.archives(version, folder, members, runtime)
        manifest = signed(describe(self.bundle.slug, version, archives), self.bundle.key)
        self.releases.add(f"v{version}", {**{path.name: path for path in archives.values()}, **manifest})

    def path(self, version: str, kind: str = "-app") -> str:
        """The path of an archive."""
        return self.releases.path(f"v{version}", f"{self.bundle.slug}-v{version}-linux-x64{kind}.tar.gz")

    def start(self, **variables: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Start the app, which then asks this server. A trial may take long: no version here hangs."""
        own = {"UPDATE_URL": self.releases.url, "UPDATE_REPOSITORY": self.releases.repository, "TRIAL_SECONDS": "60"}
        return self.app.run(**{f"{self.app.prefix}_{name}": value for name, value in own.items()}, **variables)

    def look(self) -> dict[str, Any]:
        """Look for releases; gives what came of it."""
        self.app.begin_check()
        return self.app.until(lambda status: status["state"] != "checking")

    def apply(self, version: str, when: str = "now") -> None:
        """Find a version and begin to install it."""
        status = self.look()
        assert status["release"] and status["release"]["version"] == version, status
        assert status["can_auto_update"], status["reason"]
        self.app.ask("/system/update/apply", {"version": version, "when": when})

    def update(self, version: str) -> None:
        """Go over to a version."""
        before = self.app.version()
        self.apply(version)
        self.app.wait(version, PATIENCE)
        done = {"version": version, "from_version": before, "outcome": "updated"}
        self.app.until(lambda status: status["last"] and done.items() <= status["last"].items())

    def damaged(self, *names: str) -> set[str]:
        """Name the files of these or all installed versions that are not as they were built."""
        found = set()
        versions = self.app.root / "versions"
        for folder in [versions / name for name in names] if names else versions.glob("[!.]*"):
            version = (folder / "VERSION").read_text(encoding="utf-8").strip()
            built = self.bundle.digests(version, self.runtimes.get(version, ""))
            found |= {f"{folder.name}/{name}" for name in changed(self.app.digests(folder.name), built)}
        return found


def held(content: Content, go_on: threading.Event) -> Answer:
    """A file that comes when somebody says so."""
    assert isinstance(content, Path)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert go_on.wait(120), "nobody says so"
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Content-Length", str(content.stat().st_size))
        handler.end_headers()
        handler.wfile.write(content.read_bytes())

    return answer


@contextmanager
def supplied(bundle: Bundle, folder: Path) -> Iterator[Supplied]:
    """Install the app, and give it a server."""
    releases = Releases("ada/sample")
    with ExitStack() as stack:
        stack.enter_context(releases.serve())
        yield Supplied(bundle, bundle.install(folder / "app"), releases, folder / "releases", stack.close)


@contextmanager
def folder_in_memory(otherwise: Path) -> Iterator[Path]:
    """Give a folder that waits for no disk, where the system has room for one from which programs can be started."""
    usable = False
    if SHARED_MEMORY.is_dir():
        usable = not os.statvfs(SHARED_MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(SHARED_MEMORY).free > ROOM
    if not usable:
        yield otherwise
        return
    with TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


def build(render: Render, folder: Path, answers: Answers = ANSWERS) -> Bundle:
    """Build a desktop app for Linux in a folder, once: the tests' processes share it."""
    with FileLock(f"{folder}.lock"):
        project, output = folder / "project", folder / "output"
        key = Key(folder / "key")
        if not output.exists():
            shutil.copytree(render(answers), project, symlinks=True)
            made = Project(project, newcomer(folder / "links"))
            with (made.package / "update_keys.txt").open("a", encoding="utf-8") as keys:
                keys.write(f"{key.public}\n")
            run([project / "scripts/uv.sh", "lock", "--quiet"], cwd=made.source, env=made.environment)
            options = ["--version", VERSION, "--output", str(folder / "partial"), "--no-self-test"]
            run([project / "scripts/build-dist.sh", *options], cwd=project, env=made.environment)
            (folder / "partial").rename(output)
    (app,) = output.glob("*-linux-x64-app.tar.gz")
    slug = app.name.removesuffix(f"-v{VERSION}-linux-x64-app.tar.gz")
    return Bundle(slug, app.with_name(app.name.replace("-app", "")), app, key)


def member(name: str, *, content: bytes = b"", **attributes: Any) -> Member:
    """Make an entry of a tar archive; a file, where the attributes say nothing else."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry, content


def renamed(entry: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    other = copy.copy(entry)
    other.name, other.pax_headers = name, {}
    return other


def read_tar(archive: Path) -> list[Member]:
    with tarfile.open(archive) as packed:
        return [(entry, file.read() if (file := packed.extractfile(entry)) else b"") for entry in packed]


def write_tar(members: Sequence[Member]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1) as packed:
        for entry, content in members:
            packed.addfile(entry, io.BytesIO(content))
    return target.getvalue()
