"""Releases for installed apps, on a real Gitea, and the installed apps that find them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from tests.support.gitea import Repository
from tests.support.projects import Project, free_port
from tests.support.tools import run, uv

Change = Callable[["Source"], None]
Platform = Literal["linux", "windows"]

TRIAL_SECONDS = 8  # until a version that hangs is given up
BAD = {
    "crash": 'raise RuntimeError("This version cannot start.")',
    "hang": "__import__('time').sleep(600)",
}


class Source:
    """A generated project in a repository of the server, whose releases its installed apps find."""

    def __init__(self, project: Project, repository: Repository, platform: Platform = "linux") -> None:
        self.project = project
        self.platform = platform  # which is built; the files of the other one are stand-ins
        self.repository = repository
        self.token = repository.owner.new_token("write:package", "write:repository", "read:user")
        self._key = self._make_key()
        self._commit("First [skip ci]")
        self.push()

    def _make_key(self) -> str:
        """Make a pair of keys as docs/releasing.md says: the public half is a line of the app's list."""
        public = self.release_py("keygen", "--output", "key").splitlines()[-1]
        key = self.project.root / "key"
        secret = key.read_text(encoding="utf-8")
        key.unlink()
        with (self.project.package / "update_keys.txt").open("a", encoding="utf-8") as keys:
            keys.write(f"{public}\n")
        return secret

    def push(self) -> None:
        self.repository.push(self.project.root)

    def change(self, file: str, old: str, new: str) -> None:
        """Change a text in a file of the package."""
        path = self.project.package / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def require(self, requirement: str) -> None:
        """Add a dependency, and with it another runtime."""
        path = self.project.source / "pyproject.toml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('    "fastapi', f'    "{requirement}",\n    "fastapi', 1), encoding="utf-8")
        run([uv(), "lock", "--quiet"], cwd=self.project.source, env=self.project.environment)

    def build(self, version: str, output: Path) -> list[Path]:
        """Build what users of the platform get; for the other one there are stand-ins of the same names."""
        script = "build-dist.sh" if self.platform == "linux" else "build-dist-windows.sh"
        options = ["--version", f"v{version}", "--output", str(output), "--no-self-test"]
        run(
            [self.project.root / "scripts" / script, *options],
            cwd=self.project.root,
            env=self.project.environment,
            timeout=900,
        )
        stem = f"{self.project.slug}-v{version}"
        runtime = f"{self.project.slug}/versions/{version}/runtime-id"
        content = b"0" * 64 + b"\n"
        if self.platform == "linux":
            for name in ("win-x64.zip", "win-x64-app.zip"):
                with zipfile.ZipFile(output / f"{stem}-{name}", "w") as archive:
                    archive.writestr(runtime, content)
            rest = ["setup.exe", "win-x64.cdx.json"]
        else:
            for name in ("linux-x64.tar.gz", "linux-x64-app.tar.gz"):
                with tarfile.open(output / f"{stem}-{name}", "w:gz") as packed:
                    member = tarfile.TarInfo(runtime)
                    member.size = len(content)
                    packed.addfile(member, io.BytesIO(content))
            rest = ["linux-x64.cdx.json"]
        for name in rest:
            (output / f"{stem}-{name}").write_text(name, encoding="utf-8")
        return sorted(output.iterdir())

    def publish(self, version: str, change: Change | None = None) -> Path:
        """Change the app, build it, release it, and take the change back. Gives the folder with the built files."""
        if change:
            change(self)
        else:
            (self.project.package / "changed.txt").write_text(f"{version}\n", encoding="utf-8")
        notes = f"# {version}\n\n- Something **new**.\n"
        (self.project.root / "RELEASE_NOTES.md").write_text(notes, encoding="utf-8")
        self._commit(f"feat: what {version} brings")
        output = self.project.root / "build" / "released" / version
        files = self.build(version, output)
        tag = f"v{version}"
        self.project.git("tag", "--annotate", "--message", tag, tag)
        self.repository.push(self.project.root, tag)
        self.release_py("create", "--tag", tag)
        self.release_py("upload", "--tag", tag, *map(str, files))
        self.release_py("publish", "--tag", tag)
        if change:
            self.project.git("revert", "--no-edit", "HEAD")
        return output

    def withdraw(self, version: str) -> None:
        """Delete a release, so that apps find only those of the next test."""
        release = self.repository.release(f"v{version}")
        self.repository.api.delete(f"{self.repository.path}/releases/{release['id']}")

    def release_py(self, *words: str) -> str:
        """Run a command of release.py as the workflow does."""
        environment = {
            name: value for name, value in self.project.environment.items() if not name.startswith("GITHUB_")
        }
        environment |= {"GITHUB_SERVER_URL": self.repository.owner.server.url}
        environment |= {"GITEA_TOKEN": self.token, "DEPLOY_TOKEN": self.token}
        if words[0] == "publish":
            environment["UPDATE_SIGNING_KEY"] = self._key
        command = [uv(), "run", "--quiet", "--script", "scripts/release.py", *words]
        return run(command, cwd=self.project.root, env=environment, timeout=300).stdout

    def _commit(self, message: str) -> None:
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "--message", message)


class Installed:
    """An app as a user has it: a folder somewhere, its launcher, its page."""

    def __init__(self, root: Path, slug: str) -> None:
        self.root = root
        self.slug = slug
        self.port = free_port()
        self.prefix = slug.upper().replace("-", "_")
        self.recorder: list[str] = []  # words before the launcher: a program that watches it
        self._hashed: dict[tuple[int, ...], str] = {}

    @classmethod
    def unpack(cls, archive: Path, root: Path) -> Installed:
        """Unpack a whole bundle."""
        root.mkdir(parents=True)
        with tarfile.open(archive) as packed:
            slug = packed.getnames()[0].partition("/")[0]
        run(["tar", "-xzf", archive, "--strip-components=1", "-C", root])
        return cls(root, slug)

    def copy(self, root: Path) -> Installed:
        shutil.copytree(self.root, root, symlinks=True)
        return Installed(root, self.slug)

    @property
    def current(self) -> str:
        return (self.root / "current").read_text(encoding="utf-8").strip()

    def digests(self, version: str) -> dict[str, str]:
        """Give what each file of a version holds."""
        folder = self.root / "versions" / version
        return {
            path.relative_to(folder).as_posix(): self._digest(path)
            for path in folder.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def _digest(self, path: Path) -> str:
        """Read a file once, by whatever names it comes: who writes to it changes its time."""
        status = path.stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._hashed:
            self._hashed[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._hashed[key]

    @contextmanager
    def run(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start the launcher in a session of its own, and end all that is left of it with the block."""
        environment = {**os.environ, f"{self.prefix}_TRIAL_SECONDS": str(TRIAL_SECONDS), "BROWSER": "true", **variables}
        process = subprocess.Popen(
            [*self.recorder, self.root / "run.sh", "--port", str(self.port)],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            self.kill(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End the launcher, the app and all that they started, as a power cut does, and wait until they are gone."""
        while pids := session(process.pid):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)  # one that waits for the disk ends after that
        process.wait()

    def ask(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Ask the app that runs; with a body as its page does."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("/system/update/status")
        return answer

    def version(self) -> str | None:
        """Give the version that answers, if any is ready."""
        try:
            return str(self.ask("/health")["version"])
        except (OSError, ValueError):
            return None

    def wait(self, version: str, seconds: float = 40) -> float:
        """Wait until that version answers and is no longer on trial; gives the seconds."""
        start = time.monotonic()
        while self.version() != version or (self.root / "trial").exists():
            if time.monotonic() > start + seconds:
                raise AssertionError(f"{self.version()} answers, not {version}:\n{self.log()}")
            time.sleep(0.05)
        return time.monotonic() - start

    def wait_for_current(self, version: str, seconds: float = 60) -> float:
        """Wait until that version is what the launcher starts; gives the seconds."""
        start = time.monotonic()
        while self.current != version:
            assert time.monotonic() < start + seconds, f"{self.current} stays:\n{self.log()}"
            time.sleep(0.002)
        return time.monotonic() - start

    def wait_for_end(self, seconds: float = 40) -> None:
        """Wait until nothing answers any more."""
        end = time.monotonic() + seconds
        while version := self.version():
            assert time.monotonic() < end, f"{version} goes on:\n{self.log()}"
            time.sleep(0.02)

    def settle(self, seconds: float = TRIAL_SECONDS + 20) -> str:
        """Wait until any version answers and is not on trial; gives it."""
        start = time.monotonic()
        while (version := self.version()) is None or (self.root / "trial").exists():
            assert time.monotonic() < start + seconds, f"nothing starts:\n{self.log()}"
            time.sleep(0.05)
        return version

    def outcome(self, version: str) -> tuple[str, str]:
        """Wait until the app knows what has become of an update: how it went, and from which version."""
        last = self.until(lambda status: status["last"] and status["last"]["version"] == version)["last"]
        return str(last["outcome"]), str(last["from_version"])

    def until(self, wanted: Callable[[dict[str, Any]], object], seconds: float = 40) -> dict[str, Any]:
        """Wait until the status is as wanted."""
        end = time.monotonic() + seconds
        status: dict[str, Any] = {}
        while time.monotonic() < end:
            with suppress(OSError, ValueError):
                status = self.status()
                if wanted(status):
                    return status
            time.sleep(0.05)
        raise AssertionError(f"the status stays {status}:\n{self.log()}")

    def check(self) -> dict[str, Any]:
        """Look for releases as the button does."""
        self.ask("/system/update/check", {})
        return self.until(lambda status: status["state"] not in {"checking"} and status["checked_at"])

    def begin_check(self) -> None:
        """Look for releases: the button may be pressed once a minute, and another channel is looked at each time."""
        settings = self.ask("/system/update/settings")
        settings |= {"enabled": False, "include_prerelease": not settings["include_prerelease"]}
        self.ask("/system/update/settings", settings, "PUT")

    def include_prereleases(self) -> None:
        """Change the channel, which is looked at at once."""
        settings = self.ask("/system/update/settings")
        self.ask("/system/update/settings", {**settings, "include_prerelease": True}, "PUT")
        self.until(lambda status: status["state"] != "checking" and status["checked_at"])

    def log(self) -> str:
        path = self.root / "logs" / f"{self.slug}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def warnings(self, start: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Give the lines of the log that people should see, from a byte on, and the byte to go on from."""
        lines = self.log().encode()[start:].splitlines(keepends=True)
        lines = [line for line in lines if line.endswith(b"\n")]
        entries = [json.loads(line) for line in lines]
        return [each for each in entries if each["level"] not in {"debug", "info"}], start + sum(map(len, lines))


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Names that differ; `launchers/` holds what a fresh installation has in its root, bytecode need only be there."""
    return {
        name
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
        and not name.startswith("launchers/")
        and not ("__pycache__" in name and name in one and name in other)
    }


def tree(folder: Path) -> dict[str, str]:
    """Give what is in a folder, with all that changes when somebody writes; not what an installed app itself writes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = f"/{path.relative_to(folder).as_posix()}"
        status = path.lstat()
        link = path.readlink() if path.is_symlink() else ""
        # A file that was shared for a moment has another ctime, and nothing else.
        times = (status.st_ino, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else ()
        if not re.search(r"/(data/update\.sqlite.*|logs/.*|versions/\.lock)$", name):
            found[name] = f"{status.st_mode:o} {times} {link}"
    return found


def unfinished(app: Installed) -> set[str]:
    """Name what only an update that is under way has."""
    hidden = {path.name for path in (*app.root.glob(".*"), *app.root.glob("versions/.*"))}
    return {*hidden, *(name for name in ("trial",) if (app.root / name).exists())} - {".lock"}


def session(leader: int) -> list[int]:
    """List the processes of a session that have not ended, the oldest first."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(file.parent.name))
    return sorted(found)


__all__ = ["BAD", "TRIAL_SECONDS", "Installed", "Platform", "Source", "changed", "session", "tree", "unfinished"]
