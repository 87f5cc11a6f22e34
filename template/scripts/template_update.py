# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.18", "httpx2>=2.16.1", "packaging>=25", "pyyaml>=6", "stamina>=25"]
# ///
"""Bring the template's news as a pull request: `copier update` on a branch of its own, conflicts listed, never on the default branch.

The workflow *Template update* runs it each month. Without --dry-run it pushes the branch and opens the pull request; when the template
has nothing new it says so. It leaves the work tree alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from packaging.version import InvalidVersion, Version
from releasing import ReleaseError, one_line, say
from releasing.forge import connect, reporting
from releasing.prepare import git, git_environment, may_push, own_tree
from releasing.project import find_project, run, settings
from review_update import ReviewError, not_kept
from version import ROOT

ANSWERS = ".copier-answers.yml"
NEWS_LIMIT = 20_000


def answers(tree: Path) -> dict[str, str]:
    """Read where the template is, and which version of it the project has."""
    try:
        content = yaml.safe_load((tree / ANSWERS).read_text(encoding="utf-8"))
        return {"source": str(content["_src_path"]), "version": str(content["_commit"])}
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ReleaseError(
            f"{ANSWERS} does not say where the template is ({one_line(str(error))}): restore it from git."
        ) from None


def copier(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "copier", *arguments]
    return subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def with_token() -> Iterator[None]:
    """Let copier's own calls of git have DEPLOY_TOKEN, for a template that not everybody may read."""
    before = dict(os.environ)
    os.environ.update(git_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def update(tree: Path) -> str:
    """Bring the newest version into the tree; gives its name, or nothing where the project has it already."""
    result = copier(tree, "check-update", "--quiet")
    if result.returncode not in {0, 2}:
        raise ReleaseError(f"The template cannot be asked for its versions: {one_line(result.stderr[-300:])}")
    if result.returncode == 0:
        return ""
    result = copier(tree, "update", "--defaults", "--quiet")
    if result.returncode != 0:
        raise ReleaseError(f"copier update does not work; try it by hand: {one_line(result.stderr[-300:])}")
    return answers(tree)["version"]


def conflicts(tree: Path) -> list[str]:
    """List the files in which the project's lines and the template's meet: copier itself ends with status 0."""
    unmerged = [line.split("\t", 1)[1] for line in git("ls-files", "--unmerged", cwd=tree).splitlines()]
    rejected = git("ls-files", "--others", "--exclude-standard", "*.rej", cwd=tree).splitlines()
    return sorted({*unmerged, *rejected})


def lock(tree: Path) -> str:
    """Renew uv.lock where pyproject.toml has changed; gives what a person must do instead."""
    folder = tree / find_project()[0].relative_to(ROOT).parent
    if not (folder / "uv.lock").exists():
        return ""
    try:
        run([str(ROOT / "scripts" / "uv.sh"), "lock", "--quiet"], cwd=folder)
    except ReleaseError:
        return "`uv.lock` is not renewed: settle the conflicts, then run `make setup` and commit it."
    return ""


def news(source: str, old: str, new: str) -> str:
    """Give what the template's changelog says of the versions in between, where it can be had."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            address = source.removeprefix("git+").replace("gh:", "https://github.com/", 1)
            run(["git", "clone", "--quiet", "--no-checkout", "--filter=blob:none", address, folder])
            text = run(["git", "-C", folder, "show", f"{new}:CHANGELOG.md"])
            since, until = Version(old), Version(new)
        except (ReleaseError, InvalidVersion):
            return ""
    sections = re.findall(r"^## +v?(\S+)[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = []
    for name, body in sections:
        try:
            if since < Version(name) <= until:
                found.append(f"### {name}\n\n{body.strip()}")
        except InvalidVersion:
            continue
    return "\n\n".join(found)[:NEWS_LIMIT]


def describe(tree: Path, old: str, unsettled: list[str], lost: list[str], left: str) -> str:
    new = answers(tree)["version"]
    parts = [f"From {old} to {new}. Look at what came, wait for the checks, merge."]
    if unsettled:
        listed = "\n".join(f"- `{name}`" for name in unsettled)
        parts.append(
            f"## Conflicts\n\nIn these files your lines and the template's meet; both are there, between marks:\n\n{listed}"
        )
    if lost:
        listed = "\n".join(f"- {line}" for line in lost)
        parts.append(
            f"## Not kept\n\nOf what was yours; `git restore --source=HEAD~1 FILE` takes a file back:\n\n{listed}"
        )
    if left:
        parts.append(left)
    if text := news(answers(tree)["source"], old, new):
        parts.append(f"## News\n\n{text}")
    return "\n\n".join(parts)


def propose(*, dry_run: bool) -> None:
    branch = str(settings()["branch"])
    if not may_push("uvx copier update --defaults, on a branch of its own"):
        return
    git("fetch", "--quiet", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}")
    with own_tree(f"origin/{branch}") as tree:
        old = answers(tree)["version"]
        with with_token():
            new = update(tree)
            if not new:
                say(f"The template has nothing newer than {old}.")
                return
            unsettled = conflicts(tree)
            body = describe(tree, old, unsettled, not_kept(tree), lock(tree))
        head = f"template-update-{re.sub(r'[^0-9A-Za-z.-]', '-', new)}"
        if dry_run:
            say(f"would open a pull request from {head}:\n{body}")
            return
        forge = connect("DEPLOY_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN")
        for entry in forge.pull_requests():
            place = entry.get("head")
            if isinstance(place, dict) and place.get("ref") == head:
                say(f"The pull request is open already: {entry.get('html_url')}")
                return
        git("add", "--all", cwd=tree)
        git("commit", "--quiet", "--no-verify", "--message", f"chore: update from the template to {new}", cwd=tree)
        git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{head}", cwd=tree)
        title = f"chore: update from the template to {new}" + (" (with conflicts)" if unsettled else "")
        say(f"opened {forge.open_pull_request(head, branch, title, body)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="print the pull request's text, push nothing")
    options = parser.parse_args()
    return reporting(lambda: propose(dry_run=options.dry_run), "template-update", (ReviewError,))


if __name__ == "__main__":
    sys.exit(main())
