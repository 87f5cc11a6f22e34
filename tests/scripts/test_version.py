"""Does scripts/version.py of a project find the version to build, and refuse what is none?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import git

SCRIPTS = Path(__file__).parents[2] / "template" / "scripts"


class Project:
    """A repository with one commit, version.py, and a pyproject.toml that declares a version."""

    def __init__(self, folder: Path, declared: str, source: str = ".") -> None:
        self.folder = folder
        (folder / "scripts").mkdir(parents=True)
        for name in ("version.py", "targets.py"):
            (folder / "scripts" / name).write_bytes((SCRIPTS / name).read_bytes())
        (folder / source).mkdir(exist_ok=True)
        (folder / source / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{declared}"\n')
        git(folder, "init", "-q", "-b", "main")
        git(folder, "add", "--all")
        git(folder, "commit", "-q", "-m", "First")
        self.commit = git(folder, "rev-parse", "--short=9", "HEAD").strip()

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(self.folder / "scripts" / "version.py"), *arguments]
        path = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder)}
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env={**path, **environment}, cwd=self.folder.parent
        )

    def version(self, *arguments: str, **environment: str) -> str:
        result = self.run(*arguments, **environment)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def refusal(self, *arguments: str, **environment: str) -> str:
        result = self.run(*arguments, **environment)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1, f"not one line:\n{result.stderr}"
        return result.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project", "0.0.0")


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("v1.2.3", "1.2.3"),
        ("1.2.3", "1.2.3"),
        ("v1.0", "1.0"),
        ("v0.2.0-alpha.1", "0.2.0a1"),
        ("v0.2.0-beta.2", "0.2.0b2"),
        ("v0.2.0-rc.3", "0.2.0rc3"),
        ("v1.2.3a1", "1.2.3a1"),
        ("v1.2.3.post1", "1.2.3.post1"),
        ("v1.2.3.dev4", "1.2.3.dev4"),
        ("v1!2.0", "1!2.0"),
    ],
)
def test_forms_that_people_write(written: str, version: str, project: Project) -> None:
    assert project.version(written) == version
    git(project.folder, "tag", written.replace("!", ".")) if "!" in written else git(project.folder, "tag", written)
    if "!" not in written:
        assert project.version() == version, "the tag of the commit"


@pytest.mark.parametrize(
    ("label", "local"), [("dev", "dev"), ("nightly 7", "nightly.7"), ("Test_of-Icon", "test.of.icon")]
)
def test_label_is_a_development_version(label: str, local: str, project: Project) -> None:
    assert project.version(label) == f"0.0.0.dev0+{local}.g{project.commit}"


def test_a_long_label_fits_into_file_names(project: Project) -> None:
    version = project.version("a label " * 40)
    assert version.startswith("0.0.0.dev0+a.label.a.label.")
    assert version.endswith(f".g{project.commit}")
    assert len(version) < 90


def test_argument_wins_over_tag_and_environment(project: Project) -> None:
    git(project.folder, "tag", "v1.0.0")
    assert project.version("v2.0.0", GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v3.0.0") == "2.0.0"
    assert project.version(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v3.0.0") == "1.0.0"


def test_tag_of_the_workflow_where_the_checkout_has_none(project: Project) -> None:
    assert project.version(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v3.0.0-rc.1") == "3.0.0rc1"


@pytest.mark.parametrize("ref", ["main", "386/merge", "1.0"])
def test_branch_name_is_no_version(ref: str, project: Project) -> None:
    assert project.version(GITHUB_REF_TYPE="branch", GITHUB_REF_NAME=ref) == f"0.0.0.dev0+g{project.commit}"


@pytest.mark.parametrize("tag", ["banana-sushi", "v1.0-research", "v1$(id)"])
def test_tag_that_is_no_version_is_refused(tag: str, project: Project) -> None:
    for _ in range(2):
        said = project.refusal(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME=tag)
        assert tag in said and "tags look like v1.2.3" in said
        git(project.folder, "tag", "--force", tag)


@pytest.mark.parametrize("others", [["v1.2.3", "v1.2.3-rc.1"], ["v1.2.3"], []])
def test_of_several_tags_those_that_are_versions_count(others: list[str], project: Project) -> None:
    for tag in ("deployed", "2026-11-prod", *others):
        git(project.folder, "tag", "--annotate", "--message", tag, tag)
    git(project.folder, "tag", "checked")
    assert project.version() == ("1.2.3" if others else f"0.0.0.dev0+g{project.commit}")
    for tag in others:
        version = tag.removeprefix("v").replace("-rc.", "rc")
        assert project.version(GITHUB_REF_TYPE="tag", GITHUB_REF_NAME=tag) == version


def test_declared_version_must_agree_with_the_tag(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", "1.4.0", source="server")
    assert project.version() == "1.4.0"
    assert project.version("dev") == f"1.4.0.dev0+dev.g{project.commit}"
    git(project.folder, "tag", "v1.4.0")
    assert project.version() == "1.4.0"
    git(project.folder, "tag", "-d", "v1.4.0")
    git(project.folder, "tag", "v1.5.0")
    assert "disagree" in project.refusal()


def test_without_a_repository(project: Project) -> None:
    (project.folder / ".git").rename(project.folder / "git-is-gone")
    assert project.version() == "0.0.0.dev0"


def test_without_git(project: Project) -> None:
    assert project.version(PATH="") == "0.0.0.dev0"


def test_declared_nonsense_is_refused(tmp_path: Path) -> None:
    assert "'soon' is no version" in Project(tmp_path / "project", "soon").refusal()


def test_missing_declaration_is_refused(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "[project] has no version; write for example" in project.refusal()


def test_what_is_no_toml_is_refused(project: Project) -> None:
    (project.folder / "pyproject.toml").write_text("[project\n")
    assert project.refusal().startswith("version: pyproject.toml: ")


def test_the_project_is_the_one_that_targets_are_read_of(tmp_path: Path) -> None:
    """Another pyproject.toml may be an example, or have settings of tools only."""
    project = Project(tmp_path / "project", "1.4.0", source="server")
    (project.folder / "pyproject.toml").write_text("[tool.ruff]\n")
    assert project.version() == "1.4.0"
    (project.folder / "pyproject.toml").write_text('[project]\nname = "whole"\nversion = "2.0.0"\n')
    assert project.version() == "2.0.0"
