"""Do the linters of each kind of file accept what is rendered? Each distinct file is looked at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.answers import AWKWARD, TARGETS, answers_for, pairwise, sampled_combinations, subsets
from tests.conftest import REPOSITORY, Render
from tests.support.tools import cache, made_once, program

BIN = Path(sys.executable).parent
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"

DistinctFiles = Callable[[str], list[Path]]


@pytest.fixture(scope="session")
def projects(render: Render) -> list[Path]:
    awkward = [{**answers_for(TARGETS), **answers} for answers in AWKWARD.values()]
    combinations = [*subsets(), *pairwise(), *sampled_combinations(), *awkward]
    if os.environ.get("PYTEST_XDIST_WORKER", "").endswith("1"):
        combinations.reverse()  # two workers that start at the same end wait for each other's every project
    return [render(answers) for answers in combinations]


@pytest.fixture(scope="session")
def distinct_files(projects: list[Path]) -> DistinctFiles:
    def find(pattern: str) -> list[Path]:
        found = {sha256(path.read_bytes()).hexdigest(): path for project in projects for path in project.glob(pattern)}
        assert found, f"no project has {pattern}: the pattern is out of date"
        return sorted(found.values())

    return find


@pytest.fixture(scope="session")
def workflows(distinct_files: DistinctFiles) -> list[Path]:
    """The workflows of projects, and those that test the template itself."""
    return [*distinct_files(".gitea/workflows/*.yml"), *sorted((REPOSITORY / ".gitea/workflows").glob("*.yml"))]


def lint(*command: str | Path, cwd: Path | None = None) -> None:
    result = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, cwd=cwd)
    assert result.returncode == 0, f"{Path(command[0]).name}:\n{result.stdout}{result.stderr}"


@pytest.fixture(scope="session")
def actionlint() -> Path:
    """The linter of workflows, built from source with Go where it is not there yet."""

    def build(folder: Path) -> None:
        go = program("go", "1.25 or newer, with which the tests build actionlint")
        lint("env", f"GOBIN={folder}", go, "install", ACTIONLINT)

    return made_once(cache("actionlint-1.7.12"), build) / "actionlint"


def test_shellcheck(distinct_files: DistinctFiles) -> None:
    lint(BIN / "shellcheck", *distinct_files("scripts/**/*.sh"))


def test_hadolint(distinct_files: DistinctFiles) -> None:
    lint(BIN / "hadolint", *distinct_files("Dockerfile"))


def test_actionlint(workflows: list[Path], actionlint: Path) -> None:
    artifacts = ".*actions/upload-artifact@v3.* is too old to run on GitHub Actions"  # newer: not on every Gitea
    lint(actionlint, "-ignore", artifacts, "-shellcheck", BIN / "shellcheck", *workflows)


def test_gitea_workflows(workflows: list[Path]) -> None:
    lint(BIN / "gitea-workflows", "--strict", *workflows)


def test_zizmor(workflows: list[Path], tmp_path: Path) -> None:
    # It takes only workflows that lie where the forge looks for them.
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    for number, path in enumerate(workflows):
        shutil.copy(path, folder / f"{number}-{path.name}")
    config = Path(__file__).parent / "zizmor.yml"
    lint(BIN / "zizmor", "--offline", "--no-progress", "--config", config, tmp_path)


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [("vendor.github-workflows", ".gitea/workflows/*.yml"), ("vendor.compose-spec", "compose.yaml")],
)
def test_schemas(schema: str, pattern: str, distinct_files: DistinctFiles) -> None:
    lint(BIN / "check-jsonschema", "--builtin-schema", schema, *distinct_files(pattern))


def test_pre_commit_configuration(distinct_files: DistinctFiles) -> None:
    lint(BIN / "pre-commit", "validate-config", *distinct_files(".pre-commit-config.yaml"))


def test_windows_scripts(projects: list[Path]) -> None:
    lint(BIN / "windows-scripts", *projects)


def test_ruff(projects: list[Path]) -> None:
    for project in projects:
        source = next(path.parent for path in [*project.glob("pyproject.toml"), *project.glob("*/pyproject.toml")])
        code = [project] if source == project else [source, project / "scripts"]
        for command in (["check"], ["format", "--check"]):
            lint(BIN / "ruff", *command, "--no-cache", "--quiet", "--config", "pyproject.toml", *code, cwd=source)


@pytest.mark.parametrize("source_dir", [".", "server"])
def test_the_check_of_a_project_sees_its_scripts(source_dir: str, project: Render) -> None:
    root = project(answers_for(["library"], source_dir=source_dir))
    (root / "scripts/extra.py").write_text("import shutil\n", encoding="utf-8")
    (arguments,) = re.findall(r"ruff check (--config .*)", (root / "Makefile").read_text(encoding="utf-8"))
    with pytest.raises(AssertionError, match=r"F401(.*\n)+.*scripts/extra\.py:1"):
        lint(BIN / "ruff", "check", "--no-cache", *arguments.split(), cwd=root / source_dir)
