"""The hooks work as a user of another repository gets them: through pre-commit, from a commit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import git

CONFIGURATION = """\
repos:
  - repo: {repository}
    rev: v0.1.0
    hooks:
      - id: gitea-workflows
      - id: windows-scripts
"""
BAD_WORKFLOW = """\
on: [push]
permissions: {contents: read}
jobs:
  build:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: make
        shell: bash
"""


@pytest.mark.slow
def test_both_hooks_run_through_pre_commit(template: Path, tmp_path: Path) -> None:
    user = tmp_path / "user"
    workflow = user / ".gitea" / "workflows" / "test.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(BAD_WORKFLOW)
    script = user / "start.bat"
    script.write_bytes(b"@echo off\n")
    # A user's own folder of this name must not hide the program.
    (user / "hooks").mkdir()
    (user / "hooks" / "__init__.py").write_text("raise SystemExit('the wrong hooks')\n")
    (user / ".pre-commit-config.yaml").write_text(CONFIGURATION.format(repository=template))
    git(user, "init", "-q", "-b", "main")
    git(user, "add", "--all")

    def pre_commit() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color=never"],
            cwd=user,
            env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    first = pre_commit()
    assert first.returncode == 1, first.stdout + first.stderr
    assert ".gitea/workflows/test.yml:6: GW101 error: job build: `environment` is ignored" in first.stdout
    assert "start.bat:1: line ends in LF; must be CRLF (fixed)" in first.stdout
    assert script.read_bytes() == b"@echo off\r\n"

    workflow.write_text(BAD_WORKFLOW.replace("    environment: production\n", ""))
    git(user, "add", "--all")
    second = pre_commit()
    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stdout.count("Passed") == 2


def test_programs_are_single_files_that_name_no_other_repository() -> None:
    for path in sorted((Path(__file__).parents[2] / "hooks").glob("[a-z]*.py")):
        text = path.read_text(encoding="utf-8")
        assert "gitea-py-template" not in text
        assert "from hooks" not in text
        assert path.stat().st_mode & 0o111
