"""A defect turns the check red that should see it, and no other; the message names the file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.answers import TARGETS, answers_for
from tests.conftest import Render
from tests.support.projects import Project, mypy_cache, newcomer

pytestmark = pytest.mark.slow

CHECKS = ("check-python", "check-tests", "check-scripts")


@dataclass(frozen=True)
class Defect:
    """Text added to a file (`{package}`: the folder of the package), the check that sees it, and what that says."""

    what: str
    file: str
    text: str
    check: str
    message: str


DEFECTS = [
    Defect("unused import", "{package}/extra.py", "import shutil\n", "check-python", r"F401.*\n.*extra\.py:1"),
    Defect("bad format", "{package}/extra.py", "x = {  'a':1 }\n", "check-python", r"unformatted: .*\n.*/extra\.py:1:"),
    Defect(
        "type error",
        "{package}/extra.py",
        'def size(text):\n    return len(text)\n\n\ndef count() -> int:\n    return "three"\n',
        "check-python",
        r"/extra\.py:1: error: .* missing a type annotation.*\n.*/extra\.py:6: error: Incompatible return value",
    ),
    Defect(
        "failing test",
        "{source}/tests/test_extra.py",
        'def test_length() -> None:\n    assert len("three") == 3\n',
        "check-tests",
        r"FAILED tests/test_extra\.py::test_length",
    ),
    Defect(
        "warning in a test",
        "{source}/tests/test_extra.py",
        'import warnings\n\n\ndef test_warning() -> None:\n    warnings.warn("old", stacklevel=1)\n',
        "check-tests",
        r"FAILED tests/test_extra\.py::test_warning",
    ),
    Defect("bad shell", "scripts/extra.sh", "#!/bin/bash\ncd $1\n", "check-scripts", r"In scripts/extra\.sh line 2:"),
    Defect("bad Dockerfile", "Dockerfile", "RUN cd /srv\n", "check-scripts", r"Dockerfile:\d+ DL3003"),
    Defect(
        "text of a user run as code in a workflow",
        ".gitea/workflows/extra.yml",
        """\
on: [pull_request]
permissions:
  contents: read
defaults:
  run:
    shell: bash
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.pull_request.title }}"
""",
        "check-scripts",
        r"\.gitea/workflows/extra\.yml:11:",
    ),
    Defect(
        "line ends in a script for Windows",
        "scripts/extra.bat",
        "@echo off\n",
        "check-scripts",
        r"scripts/extra\.bat:1",
    ),
    Defect(
        "a conflict that an update left",
        "docs/releasing.md",
        "<<<<<<< before updating\nmine\n=======\nnew\n>>>>>>> after updating\n",
        "check-scripts",
        r"docs/releasing\.md:\d+:<<<<<<< before updating\n.*\n.*choose between the marks",
    ),
    Defect("what an update rejected", "Makefile.rej", "@@ -1 +1 @@\n", "check-scripts", r"Makefile\.rej\n"),
]

FRONTEND_DEFECTS = [
    Defect("bad format", "frontend/src/extra.ts", "export  const x='1'\n", "check-frontend", r"src/extra\.ts"),
    Defect(
        "lint error",
        "frontend/src/extra.ts",
        "export function read(text: any): unknown {\n  return text;\n}\n",
        "check-frontend",
        r"src/extra\.ts\n\s+1:\d+\s+error.*no-explicit-any",
    ),
    Defect(
        "type error",
        "frontend/src/extra.ts",
        'export const count: number = "three";\n',
        "check-frontend",
        r"src/extra\.ts\S* ?-? error TS2322",
    ),
    Defect(
        "import cycle",
        "frontend/src/format.ts",
        'export { createPage } from "./page.ts";\n',
        "check-frontend",
        r"src/format\.ts\n.*import-x/no-cycle",
    ),
    Defect(
        "failing test",
        "frontend/tests/extra.test.ts",
        'import { expect, test } from "vitest";\n\ntest("length", () => {\n  expect("three").toHaveLength(3);\n});\n',
        "check-frontend",
        r"FAIL .*tests/extra\.test\.ts > length",
    ),
]


@pytest.mark.parametrize("part", ["python", "frontend"])
def test_a_defect_turns_its_check_red(
    part: str,
    render: Render,
    session_folder: Path,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    subtests: pytest.Subtests,
) -> None:
    in_frontend, whole = part == "frontend", pytestconfig.getoption("series") == "all"
    root = tmp_path / "project"
    answers = answers_for(TARGETS, frontend=in_frontend, source_dir="." if in_frontend else "server")
    shutil.copytree(render(answers), root, symlinks=True)
    # A few of the project's tests, and the planted ones; the others are not even read, a dozen times.
    quick = {"PYTEST_ADDOPTS": "--no-cov -k 'test_package or test_extra' --ignore-glob='*/test_[!ep]*'"}
    project = Project(root, newcomer(tmp_path) | mypy_cache(session_folder) | quick)
    project.make("setup")
    checks = ("check-frontend", "check-scripts") if in_frontend else CHECKS
    project.make(*checks)
    for defect in FRONTEND_DEFECTS if in_frontend else DEFECTS:
        with subtests.test(defect.what), planted(defect, project):
            # That no other check sees it is for whole series: a dozen times all of them.
            failed, output = red(project, checks if whole else (defect.check,))
            assert failed == {defect.check}, output
            assert re.search(defect.message, output), output
    with subtests.test("and back"):
        project.make(*checks)
    shutil.rmtree(root)


def red(project: Project, checks: tuple[str, ...]) -> tuple[set[str], str]:
    """Run the checks, each of them whatever the others say; gives those that failed, and the output."""
    output = project.make("--keep-going", *checks, returncode=None)
    failed = set(re.findall(r"\*\*\* \[Makefile:\d+: (\S+)\] Error", output))
    return failed, re.sub(r"\x1b\[[0-9;]*m", "", output)


@contextmanager
def planted(defect: Defect, project: Project) -> Iterator[None]:
    """Add the defect's text to its file, and take it away again."""
    source = project.source.relative_to(project.root)
    file = project.root / defect.file.format(package=project.package.relative_to(project.root), source=source)
    before = file.read_bytes() if file.exists() else None
    made = [folder for folder in file.parents if not folder.exists()]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        stream.write(defect.text.encode())
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)
        for folder in made:
            folder.rmdir()
