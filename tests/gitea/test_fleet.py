"""Many repositories: does the template's news reach each, by the scheduled workflow and by Renovate?"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import copier
import pytest

from tests.conftest import REPOSITORY, git
from tests.docs.markdown import fences
from tests.support.gitea import Owner, Repository
from tests.support.packages import require_apt
from tests.support.rendering import compiled_once
from tests.support.renovate import renovate
from tests.support.tools import run

pytestmark = pytest.mark.slow
long = pytest.mark.usefixtures("long")

PAGE = REPOSITORY / "docs/how-to/many-repositories.md"
CONFIGURATION = PAGE.parent / "renovate/config.json"
WORKFLOW = ".gitea/workflows/template-update.yml"
NEWS = "## 0.2.0\n\n### Before you update\n\n- The page about releases has another name.\n\n- Tea.\n"
MOVED = ("docs/releasing.md.jinja", "docs/how-to-release.md.jinja")
FIRST_LINE = "# What a person types"


@dataclass(frozen=True)
class OfOrganisation(Repository):
    """A repository of an organisation's; `owner` is who works on it."""

    organisation: str

    @property
    def full_name(self) -> str:
        return f"{self.organisation}/{self.name}"


@dataclass(frozen=True)
class Organisation:
    """An organisation of the owner's."""

    owner: Owner

    @property
    def name(self) -> str:
        return f"org-{self.owner.name}"

    @classmethod
    def new(cls, owner: Owner) -> Self:
        organisation = cls(owner)
        owner.api.post("orgs", username=organisation.name)
        return organisation

    def repository(self, name: str, **options: Any) -> Repository:
        self.owner.api.post(f"orgs/{self.name}/repos", name=name, **options)
        return OfOrganisation(self.owner, name, self.name)

    def type(self, words: str, **tokens: str) -> subprocess.CompletedProcess[str]:
        """Type the commands of the page that have these words, with the own server and organisation."""
        require_apt("curl")
        (code,) = [fence.code for fence in fences(PAGE.read_text(encoding="utf-8")) if words in fence.code]
        own = {"https://gitea.example.com": self.owner.server.url, "orgs/org/": f"orgs/{self.name}/"}
        for example, meant in own.items():
            assert example in code
            code = code.replace(example, meant)
        return run(["bash", "-o", "pipefail", "-c", code], env={**os.environ, **tokens, "no_proxy": "127.0.0.1"})


@dataclass(frozen=True)
class Member:
    """A project of the fleet, with its clone."""

    root: Path
    repository: Repository

    def push(self, message: str, end: str = "\n\n[skip ci]") -> str:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", f"{message}{end}")
        return self.repository.push(self.root)

    def edit(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def pull_requests(self) -> list[dict[str, Any]]:
        return self.repository.api.pages(f"{self.repository.path}/pulls", state="open")


class Fleet:
    """An organisation with the template and projects made from it."""

    def __init__(self, owner: Owner, template: Path, folder: Path) -> None:
        self.owner = owner
        self.folder = folder
        self.organisation = Organisation.new(owner)
        self.name = self.organisation.name
        self.template = folder / "template"
        shutil.copytree(template, self.template, symlinks=True)
        self.home = self.organisation.repository("gitea-py-template")
        self.home.api.patch(self.home.path, has_actions=False)  # its own tests are not what is asked here
        self.home.push(self.template, "main", "v0.1.0")

    def member(self, name: str, *targets: str, **others: Any) -> Member:
        root = self.folder / name
        server = {"gitea_url": self.owner.server.url, "repo_owner": self.name}
        answers = {"project_name": name, "targets": list(targets), **server, **others}
        with compiled_once():
            copier.run_copy(f"{self.home.url}.git", root, data=answers, defaults=True, quiet=True)
        git(root, "init", "--quiet", "--initial-branch", "main")
        member = Member(root, self.organisation.repository(name))
        member.push("First")
        return member

    def release(self) -> None:
        """Make the template's next version, in which a file has another name and a line of each Makefile is another."""
        git(self.template, "mv", *(f"template/{name}" for name in MOVED))
        makefile = self.template / "template/Makefile.jinja"
        makefile.write_text(makefile.read_text(encoding="utf-8").replace(FIRST_LINE, "# Everything that anybody types"))
        changelog = self.template / "CHANGELOG.md"
        changelog.write_text(changelog.read_text(encoding="utf-8").replace("## 0.1.0", f"{NEWS}\n## 0.1.0", 1))
        git(self.template, "commit", "--quiet", "--all", "--message", "News")
        git(self.template, "tag", "v0.2.0")
        self.home.push(self.template, "main", "v0.2.0")


@pytest.fixture
def fleet(owner: Owner, template: Path, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(owner, template, tmp_path)
    yield fleet
    for repository in fleet.owner.api.pages(f"orgs/{fleet.name}/repos"):  # whose schedules would go on
        fleet.owner.api.patch(f"repos/{repository['full_name']}", has_actions=False)


@long
def test_the_scheduled_workflow_in_three_repositories(fleet: Fleet, runner: None) -> None:
    """One secret of the organisation's, and each repository gets a pull request that tells what it is about."""
    token = fleet.owner.new_token("write:repository", "read:user")
    ours = fleet.owner.new_token("write:organization")
    fleet.organisation.type("secrets/DEPLOY_TOKEN", GITEA_TOKEN=ours, DEPLOY_TOKEN=token)
    plain = fleet.member("plain", "docker", frontend=False)
    writes = fleet.member("writes", "library")
    meets = fleet.member("meets", "docker", "desktop", source_dir="server")
    writes.edit("docs/releasing.md", writes.text("docs/releasing.md") + "\nAsk Ada before a release.\n")
    writes.push("Own words")
    meets.edit("Makefile", meets.text("Makefile").replace(FIRST_LINE, "# What my colleagues type"))
    meets.push("Own words")
    fleet.release()
    fleet.home.api.patch(fleet.home.path, private=True)  # the secret opens it for the jobs

    plain.edit(WORKFLOW, plain.text(WORKFLOW).replace('"47 5 2 * *"', '"* * * * *"'))
    commit = plain.push("Each minute", end="")  # for Gitea leaves out schedules with the rest
    plain.repository.run(event="push", head_sha=commit).cancel()
    all_started = [each.repository.dispatch("template-update.yml") for each in (writes, meets)]
    all_started.append(plain.repository.run(within=300, event="schedule"))
    for started in all_started:
        started.check()
        assert token not in started.logs()

    (opened,) = plain.pull_requests()
    assert opened["title"] == "chore: update from the template to v0.2.0"
    assert "## Conflicts" not in opened["body"] and "## Not kept" not in opened["body"]
    (opened,) = writes.pull_requests()
    assert opened["title"] == "chore: update from the template to v0.2.0"
    lost = "- docs/releasing.md: gone, with 1 line of yours, such as `Ask Ada before a release.`"
    assert (
        f"## Not kept\n\nOf what was yours; `git restore --source=HEAD~1 FILE` takes a file back:\n\n{lost}\n"
        in (opened["body"])
    )
    (opened,) = meets.pull_requests()
    assert opened["title"] == "chore: update from the template to v0.2.0 (with conflicts)"
    assert "- `Makefile`" in opened["body"] and "## Not kept" not in opened["body"]
    for member in (plain, writes, meets):
        (opened,) = member.pull_requests()
        news = "## News\n\n### 0.2.0\n\n### Before you update\n\n- The page about releases has another name."
        assert news in opened["body"]
        changed = member.repository.api.pages(f"{member.repository.path}/pulls/{opened['number']}/files")
        assert {"Makefile", ".copier-answers.yml", "docs/how-to-release.md"} <= {file["filename"] for file in changed}


def test_all_repositories_of_an_organisation_are_started(owner: Owner, tmp_path: Path) -> None:
    """More than the server lists at once; those without the workflow are named."""
    organisation = Organisation.new(owner)
    members = [organisation.repository("first"), organisation.repository("second", default_branch="trunk")]
    others = [organisation.repository(f"other-{number}") for number in range(49)]
    workflow = "on: workflow_dispatch\njobs: {update: {runs-on: no-runner-has-this, steps: [{run: 'true'}]}}\n"
    (tmp_path / WORKFLOW).parent.mkdir(parents=True)
    (tmp_path / WORKFLOW).write_text(workflow, encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "First")
    for member, branch in zip(members, ("main", "trunk"), strict=True):
        member.push(tmp_path, f"HEAD:refs/heads/{branch}")

    token = owner.new_token("read:organization", "write:repository")
    result = organisation.type("/dispatches", GITEA_TOKEN=token)

    assert set(result.stderr.splitlines()) == {f"{other.full_name}: not started" for other in others}
    for member, branch in zip(members, ("main", "trunk"), strict=True):
        (started,) = member.runs()
        told = owner.api.get(started.path)
        assert (told["event"], told["head_branch"]) == ("workflow_dispatch", branch)
        started.cancel()


@long
def test_renovates_own_validator_takes_the_configuration(tmp_path: Path) -> None:
    result = renovate("config-validator.js", "--strict", CONFIGURATION, folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Config validated successfully" in result.stdout
    wrong = tmp_path / "wrong.json"
    wrong.write_text(CONFIGURATION.read_text(encoding="utf-8").replace("enabledManagers", "enabledManager"))
    assert renovate("config-validator.js", "--strict", wrong, folder=tmp_path).returncode == 1


@long
def test_renovate_opens_a_pull_request(fleet: Fleet, tmp_path: Path) -> None:
    """With the configuration of the page, in which only the address and the organisation are others."""
    member = fleet.member("app", "library")
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in {"https://gitea.example.com": fleet.owner.server.url, '"org/*"': f'"{fleet.name}/*"'}.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "config.json").write_text(text, encoding="utf-8")

    def bot() -> None:
        scopes = ("write:repository", "read:user", "write:issue", "read:organization")
        token = fleet.owner.new_token(*scopes)
        result = renovate(
            "renovate.js",
            folder=tmp_path,
            RENOVATE_CONFIG_FILE="config.json",
            RENOVATE_TOKEN=token,
            RENOVATE_BASE_DIR=tempfile.mkdtemp(dir=tmp_path),  # it remembers for a while which tags there are
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        assert token not in result.stdout + result.stderr

    bot()
    assert member.pull_requests() == []
    fleet.release()
    bot()
    (opened,) = member.pull_requests()
    assert opened["title"] == "chore: update the template to v0.2.0"
    changed = member.repository.api.pages(f"{member.repository.path}/pulls/{opened['number']}/files")
    assert {"Makefile", ".copier-answers.yml", "docs/how-to-release.md"} <= {file["filename"] for file in changed}
    bot()
    assert len(member.pull_requests()) == 1
