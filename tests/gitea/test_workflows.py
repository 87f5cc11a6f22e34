"""The generated workflows, unchanged, on a real Gitea with a runner."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.answers import Answers
from tests.conftest import Render
from tests.support.gitea import Owner, Repository
from tests.support.projects import Project, newcomer
from tests.support.tools import run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gitea")]


class Workplace:
    """A generated project with its lock files, committed, and its repository on the server."""

    def __init__(self, project: Project, repository: Repository) -> None:
        self.project = project
        self.repository = repository

    def commit(self, message: str) -> str:
        """Commit everything; gives the commit."""
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "--message", message)
        return self.project.git("rev-parse", "HEAD").strip()


@pytest.fixture
def workplace(render: Render, owner: Owner, runner: None, tmp_path: Path) -> object:
    def make(answers: Answers) -> Workplace:
        root = tmp_path / "project"
        shutil.copytree(render(answers), root, symlinks=True)
        project = Project(root, newcomer(tmp_path / "links"))
        run([root / "scripts/uv.sh", "lock", "--quiet"], cwd=project.source, env=project.environment)
        if (root / "frontend").exists():
            run([root / "scripts/npm.sh", "install", "--package-lock-only"], cwd=root, env=project.environment)
        branch = answers.get("default_branch", "main")
        project.git("init", "--quiet", "--initial-branch", branch)
        place = Workplace(project, owner.repository(project.slug, default_branch=branch))
        place.commit("First")
        return place

    return make


def test_a_library(workplace, subtests: pytest.Subtests) -> None:
    one = workplace({"project_name": "Sample", "targets": ["library"]})
    one.repository.push(one.project.root)
    one.repository.run(event="push").check()
    run_ = one.repository.dispatch("build.yml", version="1.2.3").check()
    print(run_.artifact("wheel").keys(), run_.logs())
