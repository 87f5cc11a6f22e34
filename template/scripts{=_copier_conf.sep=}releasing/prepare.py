"""Before a release: the tag, and a candidate with drafted notes as a pull request."""

from __future__ import annotations

import argparse
import base64
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version
from version import ROOT

from releasing import ReleaseError, add_command, in_workflow, say, secret
from releasing.forge import connect
from releasing.project import HEADING, find_project, is_from_tag, notes_of, run, settings, versions_in

BUMPS = ("major", "minor", "patch", "rc")
CHANGE = re.compile(r"(?P<kind>[a-z]+)(?:\((?P<scope>[^)]*)\))?(?P<breaking>!)?: *(?P<text>.+)")
GROUPS = {"feat": "New", "fix": "Fixed", "perf": "Faster", "docs": "Documentation", "revert": "Taken back"}
NOISE = {"chore", "ci", "build", "test", "style", "refactor", "wip", "release"}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = add_command(commands, "tag", "tag the newest commit of the default branch and push the tag", tag)
    command.add_argument("version", help="1.2.3, 1.3.0-rc.1, or what to raise: major, minor, patch, rc")
    add_command(
        commands, "candidate", "open a pull request with notes drafted from the commits since the last tag", candidate
    )


# Git ------------------------------------------------------------------------------------------------------------------


def git(*arguments: str, cwd: Path = ROOT) -> str:
    return run(["git", *arguments], cwd=cwd, env=git_environment())


def git_environment() -> dict[str, str]:
    """Give git an identity where it has none, and DEPLOY_TOKEN without showing it to the list of processes."""
    environment = dict(os.environ)
    if in_workflow():
        environment["GIT_TERMINAL_PROMPT"] = "0"
    actor = os.environ.get("GITHUB_ACTOR", "")
    if in_workflow() and actor:
        host = urlsplit(os.environ.get("GITHUB_SERVER_URL", "")).hostname or "localhost"
        for role in ("AUTHOR", "COMMITTER"):
            environment.setdefault(f"GIT_{role}_NAME", actor)
            environment.setdefault(f"GIT_{role}_EMAIL", f"{actor}@noreply.{host}")
    token = secret("DEPLOY_TOKEN")
    server = os.environ.get("GITHUB_SERVER_URL") or str(settings().get("server", ""))
    if token and server:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        count = int(environment.get("GIT_CONFIG_COUNT") or 0)
        environment["GIT_CONFIG_COUNT"] = str(count + 1)
        environment[f"GIT_CONFIG_KEY_{count}"] = f"http.{server.rstrip('/')}/.extraHeader"
        environment[f"GIT_CONFIG_VALUE_{count}"] = f"Authorization: Basic {basic}"
    return environment


def may_push(by_hand: str) -> bool:
    """Say whether a workflow can push so that others start; without the secret, what a person does instead."""
    if not in_workflow() or secret("DEPLOY_TOKEN"):
        return True
    line = f"The secret DEPLOY_TOKEN is not set, so nothing is pushed from here. By hand: {by_hand}"
    if os.environ.get("GITHUB_EVENT_NAME") == "schedule":
        say(line)
        return False
    raise ReleaseError(line)


def fetch(branch: str) -> None:
    """Bring a branch and all tags here: where the server has another tag of that name, the server's counts."""
    git("fetch", "--quiet", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}", "+refs/tags/*:refs/tags/*")


def remote_commit(ref: str) -> str:
    """Give the commit that the server has under a ref (of a tag: what it points to), or nothing."""
    lines = [line.split("\t") for line in git("ls-remote", "origin", ref, f"{ref}^{{}}").splitlines()]
    found = {name: commit for commit, name in lines}
    return found.get(f"{ref}^{{}}", found.get(ref, ""))


def version_tags(commit: str = "HEAD") -> dict[Version, str]:
    found = {}
    for name in git("tag", "--list", "--merged", commit).split():
        try:
            found[Version(name)] = name
        except InvalidVersion:
            continue
    return found


@contextmanager
def own_tree(commit: str) -> Iterator[Path]:
    """Check a commit out beside the work tree, which stays as it is."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            git("worktree", "remove", "--force", str(tree))


# The tag --------------------------------------------------------------------------------------------------------------


def tag(options: argparse.Namespace) -> None:
    """Raise the version in pyproject.toml if it stands there, commit, tag, push both at once."""
    if options.version not in BUMPS:
        next_version(options.version)  # what is no version is said before the server is asked
    branch = str(settings()["branch"])
    if not may_push(f"make tag-release VERSION={options.version}"):
        return
    fetch(branch)
    version = next_version(options.version)
    name = tag_name(version)
    head = git("rev-parse", "HEAD")
    if git("status", "--porcelain", "--untracked-files=no"):
        raise ReleaseError("The work tree has changes: commit them first.")
    if there := remote_commit(f"refs/tags/{name}"):
        if there in {head, git("rev-parse", f"origin/{branch}")}:
            say(f"{name} is there already, at this commit.")
            return
        raise ReleaseError(
            f"{name} is there already, at another commit ({there[:9]}): a tag never moves, take the next version."
        )
    if remote_commit(f"refs/heads/{branch}") != head:
        raise ReleaseError(f"This is not the newest commit of {branch} on the server: pull, or push, first.")
    notes_of(version)
    if options.dry_run:
        say(f"would tag {name}")
        return
    with own_tree(head) as tree:
        if not is_from_tag():
            raise_version(tree, version)
        tag_and_push(tree, name, branch)
    say(f"pushed {name}: the workflow Release goes on.")


def tag_and_push(tree: Path, name: str, branch: str) -> None:
    """Tag the tree's commit, and push both at once; a tag that cannot be pushed does not stay here."""
    if name in git("tag", "--list", name).split():
        git("tag", "--delete", name)  # of an attempt that was broken off
    git("tag", "--annotate", "--message", name, name, cwd=tree)
    try:
        git("push", "--quiet", "--atomic", "origin", f"HEAD:refs/heads/{branch}", f"refs/tags/{name}", cwd=tree)
    except ReleaseError:
        git("tag", "--delete", name)
        raise


def next_version(text: str) -> Version:
    """Read a version, or raise the highest one that is tagged."""
    if text not in BUMPS:
        try:
            version = Version(text)
        except InvalidVersion:
            raise ReleaseError(
                f"{text!r} is no version: write for example 1.2.3, 1.3.0-rc.1, or one of {', '.join(BUMPS)}."
            ) from None
        if version.local or version.epoch:
            raise ReleaseError(f"{text!r} cannot be released: write for example 1.2.3 or 1.3.0-rc.1.")
        return version
    tagged = version_tags()
    stable = max((version for version in tagged if not version.is_prerelease), default=Version("0.0.0"))
    if text == "rc":
        highest = max(tagged, default=stable)
        if highest.pre and highest.pre[0] == "rc":
            return Version(f"{highest.base_version}rc{highest.pre[1] + 1}")
        return Version(f"{raised(stable, 'minor')}rc1")
    return raised(stable, text)


def tag_name(version: Version) -> str:
    """Write a version as tags have it: v1.2.3, v1.3.0-rc.1."""
    if version.pre is None or version.is_postrelease or version.dev is not None:
        return f"v{version}"
    kind = {"a": "alpha", "b": "beta"}.get(version.pre[0], version.pre[0])
    return f"v{version.base_version}-{kind}.{version.pre[1]}"


def raised(version: Version, part: str) -> Version:
    numbers = [version.major, version.minor, version.micro]
    place = ("major", "minor", "patch").index(part)
    return Version(".".join(map(str, [*numbers[:place], numbers[place] + 1, *[0] * (2 - place)])))


def raise_version(tree: Path, version: Version) -> None:
    """Write the version into pyproject.toml and uv.lock, and commit that."""
    folder = tree / find_project()[0].relative_to(ROOT).parent
    uv = os.environ.get("UV") or str(ROOT / "scripts" / "uv.sh")
    run([uv, "version", "--quiet", "--no-sync", str(version)], cwd=folder)
    if git("status", "--porcelain", "--untracked-files=no", cwd=tree):
        git("commit", "--quiet", "--all", "--no-verify", "--message", f"chore(release): {version}", cwd=tree)


# The candidate --------------------------------------------------------------------------------------------------------


def candidate(options: argparse.Namespace) -> None:
    """Draft the notes of the next version as a pull request, for a person to finish."""
    branch = str(settings()["branch"])
    name = f"auto-release-candidate-{datetime.now(UTC):%Y-%m-%d}"
    if not may_push("write RELEASE_NOTES.md, then make tag-release"):
        return
    fetch(branch)
    head = git("rev-parse", f"origin/{branch}")
    tagged = version_tags(head)
    last = max(tagged, default=None)
    commits = git("log", "--no-merges", "--format=%s", f"{tagged[last]}..{head}" if last else head).splitlines()
    groups = grouped(commits)
    if not groups:
        say(f"Nothing new for users since {tagged[last] if last else 'the beginning'}: no candidate.")
        return
    version = proposed(last, commits)
    with own_tree(head) as tree:
        if not write_notes(tree, version, groups, last):
            say(
                "RELEASE_NOTES.md is about a version that is not tagged yet: tag it when it is good (make tag-release)."
            )
            return
        if options.dry_run:
            say(f"would open a pull request with:\n{(tree / 'RELEASE_NOTES.md').read_text(encoding='utf-8')}")
            return
        forge = connect("DEPLOY_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN")
        for entry in forge.pull_requests():
            if "auto-release-candidate-" in str(entry.get("title", "")):
                say(f"A candidate is open already: {entry.get('html_url')}")
                return
        git("commit", "--quiet", "--all", "--no-verify", "--message", f"chore: draft the notes of {version}", cwd=tree)
        git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{name}", cwd=tree)
    body = f"Notes drafted from {len(commits)} commits. Correct them and the number {version}, merge, then run *Actions*, *tag-release.yml*."
    say(f"opened {forge.open_pull_request(name, branch, f'chore({name})', body)}")


def grouped(commits: list[str]) -> Mapping[str, list[str]]:
    """Sort what users care about; leave out what only people who work on it see."""
    groups: dict[str, list[str]] = {}
    for subject in dict.fromkeys(commits):
        found = CHANGE.fullmatch(subject.strip())
        kind = found["kind"] if found else ""
        if kind in NOISE and not (found and found["breaking"]):
            continue
        text = found["text"] if found else subject.strip()
        title = "Breaking" if found and found["breaking"] else GROUPS.get(kind, "Changed")
        scope = f"{found['scope']}: " if found and found["scope"] else ""
        if text:
            groups.setdefault(title, []).append(f"{scope}{text[0].upper()}{text[1:]}")
    order = ["Breaking", "New", "Fixed", "Faster", "Changed", "Taken back", "Documentation"]
    return {title: groups[title] for title in order if title in groups}


def proposed(last: Version | None, commits: list[str]) -> Version:
    """Propose the next version from the kinds of commits; below 1.0 what breaks raises the second number."""
    if last is None:
        return Version("0.1.0")
    if last.is_prerelease:
        return Version(last.base_version)
    found = [match for subject in commits if (match := CHANGE.fullmatch(subject.strip()))]
    if any(match["breaking"] for match in found):
        return raised(last, "major" if last.major else "minor")
    return raised(last, "minor" if any(match["kind"] == "feat" for match in found) else "patch")


def write_notes(tree: Path, version: Version, groups: Mapping[str, list[str]], last: Version | None) -> bool:
    """Write the new notes, and move the older ones to CHANGELOG.md; notes of a version to come are a person's and stay."""
    notes, changelog = tree / "RELEASE_NOTES.md", tree / "CHANGELOG.md"
    old = notes.read_text(encoding="utf-8") if notes.exists() else ""
    heading = HEADING.search(old)
    about = versions_in(heading["text"]) if heading else []
    if about and (last is None or about[0] > last):
        return False
    sections = [f"## {title}\n\n" + "".join(f"- {text}\n" for text in texts) for title, texts in groups.items()]
    notes.write_text("\n".join([f"# {version}\n", *sections]), encoding="utf-8")
    if about:
        moved = re.sub(r"^(#+ )", r"#\1", old.strip(), flags=re.MULTILINE)
        history = changelog.read_text(encoding="utf-8") if changelog.exists() else "# Changelog\n"
        place = first.start() if (first := re.search(r"^## ", history, re.MULTILINE)) else len(history)
        parts = (history[:place].rstrip(), moved, history[place:].strip())
        changelog.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
        git("add", "CHANGELOG.md", cwd=tree)
    git("add", "RELEASE_NOTES.md", cwd=tree)
    return True
