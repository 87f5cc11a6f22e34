"""What does a test run say where the machine lacks what tests need, and may not be given it?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

TESTS = """
import pytest
from tests.support import packages, tools

packages._become_root = lambda: None  # neither root nor sudo

@pytest.fixture(scope="session")
def service():
    packages.require_apt("no-such-package", "another-one")

def test_of_a_service(service): pass
def test_of_the_same_service(service): pass
def test_with_a_program(): tools.program("no-such-program", "from its own page")
def test_that_needs_nothing(): pass
"""


def run_tests(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TESTS, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "2"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-ra", f"--rootdir={folder}", "-c", os.devnull, str(folder)],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**kept, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **environment},
    )


def test_the_rest_runs_and_one_line_says_what_to_install(tmp_path: Path) -> None:
    result = run_tests(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed, 3 skipped" in result.stdout
    assert "missing: no-such-package another-one (names of Debian's packages)" in result.stdout
    (line,) = (line for line in result.stdout.splitlines() if "stayed out" in line)
    assert line == (
        "3 tests stayed out. They need: apt-get install --no-install-recommends another-one no-such-package; "
        "no-such-program (from its own page)"
    )


def test_under_ci_nothing_stays_out(tmp_path: Path) -> None:
    result = run_tests(tmp_path, CI="true")
    assert result.returncode == 1
    assert "3 tests stayed out" in result.stdout
    assert "1 passed" in result.stdout and "skipped" not in result.stdout.splitlines()[-1]
