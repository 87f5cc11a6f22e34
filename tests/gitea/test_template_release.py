"""Does the template release itself: `make release`, its workflow, the notes, and a copy that takes the tag?"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import copier
import pytest
import yaml

from tests.conftest import git
from tests.support.gitea import Owner, Repository
from tests.support.projects import newcomer
from tests.support.tools import run

pytestmark = pytest.mark.slow

SECTION = "## 0.2.0\n\n### Before you update\n\n- Nothing breaks.\n\n- `make tea` makes *tea*.\n"
NOTES = SECTION.partition("\n\n")[2].strip()


class Template:
    """A clone of the template as its maintainers have it, and its repository on the server."""

    def __init__(self, source: Path, root: Path, owner: Owner) -> None:
        self.root = root
        self.repository: Repository = owner.repository("gitea-py-template")
        run(["git", "clone", "--quiet", "--no-tags", source, root])
        git(root, "remote", "set-url", "origin", self.repository.remote)
        server = {"GITHUB_SERVER_URL": owner.server.url, "GITHUB_REPOSITORY": self.repository.full_name}
        machine = newcomer(root.parent / "links")
        kept = {name: value for name, value in machine.items() if not name.startswith("GITHUB_")}
        self.environment = {**kept, **server, "GITEA_TOKEN": owner.token}
        git(root, "rm", "--quiet", ".gitea/workflows/test.yml")  # which takes an hour, and is for other tests
        git(root, "commit", "--quiet", "--message", "Without tests")
        self.push()

    def push(self) -> None:
        self.repository.push(self.root)

    def change(self, name: str, old: str, new: str, message: str = "Change") -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        git(self.root, "commit", "--quiet", "--all", "--message", message)

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run(["make", "--silent", *words], cwd=self.root, env=self.environment, returncode=None)

    def refused(self, *words: str) -> str:
        """Run a command that must fail with one line of its own, and give that."""
        result = self.make(*words)
        assert result.returncode == 2, result.stdout + result.stderr
        said, after = result.stderr.splitlines()
        assert after.startswith("make: ***")
        return said

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        uv = self.root / "template/scripts/uv.sh"
        command: list[str | Path] = [uv, "run", "--quiet", "--script", "scripts/release.py", *words]
        return run(command, cwd=self.root, env=self.environment, returncode=None)

    def public(self) -> dict[str, str]:
        return {release["tag_name"]: release["body"] for release in self.repository.releases() if not release["draft"]}


@pytest.fixture
def clone(template: Path, owner: Owner, tmp_path: Path) -> Template:
    return Template(template, tmp_path / "clone", owner)


def version_of(project: Path) -> str:
    return str(yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))["_commit"])


def changelog_section(root: Path, version: str) -> str:
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1].strip()


def test_make_release(clone: Template, tmp_path: Path) -> None:
    """All but the workflow: the tag, the notes, the copy."""
    clone.repository.api.patch(clone.repository.path, has_actions=False)
    assert "make release VERSION=1.2.3" in clone.refused("release")
    assert "'tea' is no version" in clone.refused("release", "VERSION=tea")
    assert "CHANGELOG.md has no section '## 0.2.0'" in clone.refused("release", "VERSION=0.2.0")
    (clone.root / "README.md").write_text("Not committed.\n", encoding="utf-8")
    assert "The work tree has changes" in clone.refused("release", "VERSION=0.1.0")
    git(clone.root, "restore", "README.md")

    released = clone.make("release", "VERSION=0.1.0")
    assert released.returncode == 0, released.stderr
    assert "pushed v0.1.0" in released.stdout
    assert git(clone.root, "cat-file", "-t", "v0.1.0").strip() == "tag"
    assert "is there already, at this commit" in clone.make("release", "VERSION=0.1.0").stdout

    project = tmp_path / "app"
    copier.run_copy(f"{clone.repository.url}.git", project, defaults=True, quiet=True)
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "First")
    assert version_of(project) == "v0.1.0"

    clone.change("CHANGELOG.md", "## 0.1.0", "## 0.2.0\n\n## 0.1.0")
    assert "is not the newest commit of main on the server" in clone.refused("release", "VERSION=0.2.0")
    clone.push()
    assert "CHANGELOG.md says nothing below '## 0.2.0'" in clone.refused("release", "VERSION=0.2.0")
    clone.change("CHANGELOG.md", "## 0.2.0\n", SECTION)
    clone.push()
    released = clone.make("release", "VERSION=minor")
    assert "pushed v0.2.0" in released.stdout, released.stderr
    git(clone.root, "pull", "--quiet", "--ff-only", "origin", "main")
    assert 'version = "0.2.0"' in (clone.root / "pyproject.toml").read_text(encoding="utf-8")
    assert git(clone.root, "describe").strip() == "v0.2.0"

    for tag in ("v0.1.0", "v0.2.0"):
        git(clone.root, "checkout", "--quiet", tag)
        made = clone.script("publish", "--tag", tag)
        assert f"{tag} is public: http" in made.stdout, made.stderr
        assert f"{tag} is public already" in clone.script("publish", "--tag", tag).stdout
    assert clone.public() == {"v0.2.0": NOTES, "v0.1.0": changelog_section(clone.root, "0.1.0")}

    copier.run_update(project, defaults=True, overwrite=True, quiet=True)
    assert version_of(project) == "v0.2.0"


def test_the_workflow_refuses_a_tag_that_the_changelog_does_not_know(clone: Template, runner: None, long: None) -> None:
    clone.change("pyproject.toml", 'version = "0.1.0"', 'version = "7.0.0"')
    git(clone.root, "tag", "v7.0.0")
    commit = clone.repository.push(clone.root, "v7.0.0")
    refused = clone.repository.run(event="push", workflow="release.yml", head_sha=commit).wait()
    assert refused.conclusions == {"notes": "failure", "check": "skipped", "publish": "skipped"}
    said = [line for line in refused.log("notes").splitlines() if line.startswith("release: ")]
    assert len(said) == 1 and "CHANGELOG.md has no section '## 7.0.0'" in said[0]
    assert clone.public() == {}


def leave_few_tests(root: Path) -> None:
    """Leave one in each folder of `make check`, for that it runs is what test_the_template_itself asks."""
    for folder in ("questions", "render", "hooks", "scripts", "docs", "demo"):
        for path in (root / "tests" / folder).glob("test_*.py"):
            path.unlink()
        few = f'"""Few."""\n\n\ndef test_{folder}() -> None:\n    assert "{folder}"\n'
        (root / f"tests/{folder}/test_few_of_{folder}.py").write_text(few, encoding="utf-8")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Few tests")


def test_the_workflow_releases(clone: Template, runner: None, long: None) -> None:
    leave_few_tests(clone.root)
    clone.push()
    assert "pushed v0.1.0" in clone.make("release", "VERSION=0.1.0").stdout
    clone.repository.run(event="push", workflow="release.yml").check(minutes=25)
    assert clone.public() == {"v0.1.0": changelog_section(clone.root, "0.1.0")}
    before = clone.repository.release("v0.1.0")
    again = clone.repository.dispatch("release.yml", tag="v0.1.0").check(minutes=25)
    assert "v0.1.0 is public already" in again.log("publish")
    assert clone.repository.release("v0.1.0") == before
