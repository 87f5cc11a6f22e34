"""Does scripts/uv.sh of a project bring uv where there is none, and say in one line when it cannot?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "template" / "scripts" / "uv.sh"
TOOLS = ("bash", "mkdir", "mktemp", "mv", "rm", "tail", "sort", "head")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH of a few commands: this Python, and no uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    (folder / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python3").chmod(0o755)
    return folder


def run(bare: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # What leads to PyPI on this machine stays; uv's and pip's own caches are not of interest.
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    cache = str(bare.parent / "cache")
    return subprocess.run(
        [SCRIPT, *(arguments or ["--version"])],
        check=False,
        capture_output=True,
        text=True,
        env={**kept, "PATH": str(bare), "HOME": str(bare.parent), "XDG_CACHE_HOME": cache, **environment},
    )


def uv_of_machine(bare: Path, version: str) -> None:
    (bare / "uv").write_text(f"#!/bin/sh\necho 'uv {version} (of this machine)'\n")
    (bare / "uv").chmod(0o755)


@pytest.mark.parametrize("version", ["0.13.0", "0.13.8", "0.14.2", "1.0.0"])
def test_new_enough_uv_of_the_machine_is_used(version: str, bare: Path) -> None:
    uv_of_machine(bare, version)
    assert run(bare).stdout.strip() == f"uv {version} (of this machine)"
    assert not (bare.parent / "cache").exists()


@pytest.mark.slow
@pytest.mark.parametrize("old", ["", "0.9.30"])
def test_uv_is_fetched_once(old: str, bare: Path) -> None:
    if old:
        uv_of_machine(bare, old)
    first = run(bare)
    assert first.stdout.startswith("uv 0.13.8"), first.stderr
    (bare / "python3").unlink()  # nothing is fetched or made anew
    assert run(bare).stdout == first.stdout


@pytest.mark.slow
def test_two_first_calls_at_once(bare: Path) -> None:
    command = f"'{SCRIPT}' --version & '{SCRIPT}' --version; wait $!"
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    environment = {**kept, "PATH": str(bare), "HOME": str(bare.parent), "XDG_CACHE_HOME": str(bare.parent / "cache")}
    result = subprocess.run(["/bin/bash", "-ec", command], check=False, capture_output=True, text=True, env=environment)
    assert result.stdout.count("uv 0.13.8") == 2, result.stderr
    assert [path.name for path in (bare.parent / "cache" / "uv-from-pypi").iterdir()] == ["0.13.8"]


@pytest.mark.slow
def test_no_way_to_pypi_is_one_line(bare: Path) -> None:
    result = run(bare, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_TIMEOUT="2", PIP_FIND_LINKS="")
    assert result.returncode == 1
    assert "could not be had from PyPI" in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert not list((bare.parent / "cache" / "uv-from-pypi").iterdir()), "nothing half-made is left"


@pytest.mark.slow
def test_a_damaged_cache_is_one_line(bare: Path) -> None:
    home = bare.parent / "cache/uv-from-pypi/0.13.8"
    (home / "uv").mkdir(parents=True)
    result = run(bare)
    assert result.returncode == 1
    assert result.stderr == f"uv.sh: {home} cannot be used: remove it; programs must be allowed to run there.\n"
    assert [path.name for path in home.parent.iterdir()] == ["0.13.8"], "nothing half-made is left"


def test_no_python_is_one_line(bare: Path) -> None:
    (bare / "python3").unlink()
    result = run(bare)
    assert result.returncode == 1
    assert result.stderr == "uv.sh: python3 is missing; install it (apt install python3), or install uv.\n"


SECRET = "https://ada:secret@pypi.example.com/simple"
HINT = (
    "uv.sh: pip takes packages from another index than PyPI, of which uv knows nothing: "
    "set UV_DEFAULT_INDEX to its address."
)


@pytest.mark.parametrize(
    ("command", "uv_index", "pip_settings", "hints"),
    [
        ("lock", "", f"global.index-url='{SECRET}'", [HINT]),
        ("sync", "", f":env:.index-url='{SECRET}'", [HINT]),
        ("lock", SECRET, f"global.index-url='{SECRET}'", []),
        ("lock", "", f"global.extra-index-url='{SECRET}'", []),
        ("run", "", f"global.index-url='{SECRET}'", []),
    ],
)
def test_an_index_that_only_pip_knows_is_named_where_uv_fails(
    command: str, uv_index: str, pip_settings: str, hints: list[str], bare: Path
) -> None:
    answers = {
        "uv": "[ $1 = --version ] && echo 'uv 0.13.8' || { echo 'no way to PyPI' >&2; exit 7; }",
        "python3": f'[ "$*" = "-m pip config list" ] && echo "{pip_settings}"',
    }
    for name, answer in answers.items():
        (bare / name).write_text(f"#!/bin/sh\n{answer}\n")
        (bare / name).chmod(0o755)
    result = run(bare, command, UV_DEFAULT_INDEX=uv_index)
    assert result.returncode == 7
    assert result.stderr.splitlines() == ["no way to PyPI", *hints]
