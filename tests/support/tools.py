"""What the tests need of the machine: programs, a cache that outlives a run, and locks between pytest's workers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

from filelock import FileLock

_TAIL = 60  # lines of a failed command's output that a report shows, besides those that speak of an error


class MissingError(AssertionError):
    """The machine lacks `what`, or Debian's `packages`: conftest.py leaves out the tests that need it."""

    def __init__(self, what: str, packages: Sequence[str] = ()) -> None:
        super().__init__(f"missing: {what}")
        self.what = what
        self.packages = packages


def cache(*parts: str) -> Path:
    """Give a path in the cache of these tests; nobody makes the last part, and it may be deleted at any time."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = home.joinpath("gitea-py-template", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def lock(name: str) -> FileLock:
    """Give the lock of that name: it holds between processes."""
    return FileLock(cache("locks", name))


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """Let `make` write a file or folder of the cache unless it is there; what is half made is never seen at `path`."""
    with lock(path.name):
        if not path.exists():
            partial = path.with_name(f".{path.name}.partial")
            remove(partial)
            path.parent.mkdir(parents=True, exist_ok=True)
            make(partial)
            partial.rename(path)
    return path


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_sha256(path: Path, expected: str) -> Path:
    """Give the path back if the file is the one that was meant; otherwise remove it: the next run loads it anew."""
    actual = sha256(path)
    if actual != expected:
        path.unlink()
        raise AssertionError(f"{path.name} has SHA-256 {actual}, expected {expected}")
    return path


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 900,
    returncode: int | None = 0,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and give its output as text.

    A return code other than `returncode` (`None`: any will do) is an AssertionError that shows the end of the output.
    """
    try:
        result = subprocess.run(
            [str(word) for word in command],
            check=False,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        output = b"".join(filter(None, (error.stdout, error.stderr))).decode(errors="replace")
        raise AssertionError(_report(command, f"not done after {timeout} s", output)) from None
    if returncode not in (None, result.returncode):
        raise AssertionError(_report(command, f"returned {result.returncode}", result.stdout + result.stderr))
    return result


def _report(command: Sequence[str | Path], what: str, output: str) -> str:
    lines = output.splitlines()
    # Some programs (npm) say first what is wrong, and then at length how they are used.
    errors = [line for line in lines[:-_TAIL] if "error" in line.lower()][:10]
    return "\n".join([f"{' '.join(map(str, command))}: {what}", *errors, *lines[-_TAIL:]])


def program(name: str, hint: str) -> str:
    """Give the path of a program, or say how to get it."""
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} ({hint})")
    return found


def uv() -> str:
    """Give the path of uv: of the one that runs these tests, or the one on PATH."""
    return os.environ.get("UV") or program("uv", "pip install uv")
