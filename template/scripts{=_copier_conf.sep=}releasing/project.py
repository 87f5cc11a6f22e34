"""What is released: the project, the version that a tag means, its notes, and what its targets add to a release."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

import stamina
from packaging.version import Version
from targets import TargetError, find_pyproject, read_pyproject
from version import FROM_TAG, ROOT, VersionError, declared_version, tagged_version

from releasing import ReleaseError, mask, one_line

TARGETS = ("desktop", "library", "image")  # modules of this package; a project has those of its targets
SUMS = "SHA256SUMS"
NOTES_LIMIT = 100_000
HEADING = re.compile(r"^#{1,2} +(?P<text>.+?) *#*$", re.MULTILINE)
PASSING = re.compile(
    r"timeout|timed out|connection (reset|refused|closed)|unexpected EOF|error sending request|\b50[0234]\b|TLS handshake",
    re.IGNORECASE,
)
VERSION_WORD = re.compile(r"(?<![\w.])v?\d+(?:\.\d+)*[\w.!+-]*")


@dataclass(frozen=True)
class Wanted:
    """A file that a whole release has: a pattern for its name, and what people use it for."""

    pattern: str
    use: str


class Target(Protocol):
    """What the module of a target offers."""

    def wanted(self, project: Project) -> Sequence[Wanted]:
        """Give the files that builds upload."""

    def notes(self, project: Project) -> Sequence[str]:
        """Give lines of Markdown that say how to get it."""

    def unset_secrets(self, project: Project) -> Sequence[str]:
        """Give a line for each secret that later steps need and nobody has set."""

    def make(self, project: Project, folder: Path) -> Mapping[str, bytes]:
        """Give files made from what is uploaded, which lies in `folder`."""


@dataclass(frozen=True)
class Project:
    """The project, seen from one tag."""

    name: str
    slug: str
    server: str
    owner: str
    repository: str
    branch: str
    gate: str
    image: str
    indexes: tuple[str, ...]
    tag: str
    version: Version

    @property
    def url(self) -> str:
        return f"{self.server}/{self.owner}/{self.repository}"

    @property
    def title(self) -> str:
        return f"{self.name} {self.tag}"

    @property
    def channel(self) -> str:
        return "prerelease" if self.version.is_prerelease else "stable"

    @cached_property
    def targets(self) -> list[Target]:
        return [target for name in TARGETS if (target := find_target(name))]

    @cached_property
    def wanted(self) -> list[Wanted]:
        return [file for target in self.targets for file in target.wanted(self)]

    def download_url(self, name: str) -> str:
        return f"{self.url}/releases/download/{self.tag}/{name}"


def find_target(name: str) -> Target | None:
    """Give the module of a target, if the project has it."""
    if not Path(__file__).with_name(f"{name}.py").exists():
        return None
    return cast("Target", importlib.import_module(f"releasing.{name}"))


def run(
    command: Sequence[str], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, text: str | None = None
) -> str:
    """Run a program and give what it printed; where it fails, what it wrote from `error` on, or last, is the error.

    Of git also what the server said, and which ref was refused: that stands before `error`.
    """
    try:
        result = subprocess.run(  # noqa: S603
            command, check=False, capture_output=True, text=True, errors="replace", cwd=cwd, env=env, input=text
        )
    except OSError as error:
        raise ReleaseError(f"{command[0]} does not start ({error.strerror}): install it.") from None
    if result.returncode != 0:
        said = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        first = next((number for number, line in enumerate(said) if line.startswith("error")), len(said) - 3)
        chosen = [
            line
            for number, line in enumerate(said)
            if first <= number < first + 6 or re.match(r"remote:\s*\S| ! ", line)
        ]
        why = " / ".join(chosen) or f"ended with status {result.returncode}"
        raise ReleaseError(f"{' '.join([Path(command[0]).name, *command[1:2]])}: {one_line(mask(why), 400)}")
    return result.stdout.strip()


class PassingError(ReleaseError):
    """A program failed for a reason that may pass."""


def run_patiently(command: Sequence[str], *, env: Mapping[str, str] | None = None, text: str | None = None) -> str:
    """Run a program, again where the network or a server was in the way for a moment."""
    for attempt in stamina.retry_context(on=PassingError, attempts=4, timeout=120, wait_initial=1):
        with attempt:
            try:
                return run(command, env=env, text=text)
            except ReleaseError as error:
                if PASSING.search(str(error)):
                    raise PassingError(str(error)) from None
                raise
    raise AssertionError("not reached: the last attempt raises")


def settings() -> dict[str, Any]:
    path = ROOT / "scripts" / "release.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReleaseError(f"scripts/release.toml cannot be read ({error}); `copier update` writes it.") from None


def find_project() -> tuple[Path, str]:
    """Give the pyproject.toml with the project in it, and what the project is called."""
    try:
        path = find_pyproject()
        return path, read_pyproject(path)[0]
    except TargetError as error:
        raise ReleaseError(str(error)) from None


def wanted_tag() -> str:
    """Find the tag to release: RELEASE_TAG, the one that the workflow runs for, or that of the commit."""
    if tag := os.environ.get("RELEASE_TAG", "").strip():
        return tag.removeprefix("refs/tags/")
    if os.environ.get("GITHUB_REF_TYPE") == "tag" and (tag := os.environ.get("GITHUB_REF_NAME", "")):
        return tag
    tags = run(["git", "tag", "--points-at", "HEAD"]).split()
    if len(tags) != 1:
        raise ReleaseError(
            f"{len(tags) or 'no'} tags are on this commit: say which one is meant, for example --tag v1.2.3."
        )
    return tags[0]


def find_version(tag: str) -> Version:
    """Give the version that a tag means; refuse a tag that pyproject.toml contradicts, or that names no public release."""
    if len(tag) > 100:
        raise ReleaseError(f"The tag {one_line(tag, 20)!r} is too long to be a version: tags look like v1.2.3.")
    try:
        version = tagged_version(tag, declared_version())
    except VersionError as error:
        raise ReleaseError(str(error)) from None
    if not re.fullmatch(r"v?\d[0-9A-Za-z.!-]*", tag):
        raise ReleaseError(f"The tag {tag!r} cannot be released: tags look like v1.2.3 or v1.2.3-rc.1.")
    if version.local or version.epoch:
        raise ReleaseError(
            f"The tag {tag!r} has {'a local part' if version.local else 'an epoch'}, which images cannot be tagged with: tag v{version.base_version.partition('!')[2] or version.base_version}."
        )
    return version


def read_project(tag: str | None = None) -> Project:
    """Read the project as its files and answers describe it, for one tag."""
    tag = tag or wanted_tag()
    content = settings()
    version = find_version(tag)
    try:
        return Project(
            name=str(content["name"]),
            slug=find_project()[1],
            server=str(content["server"]).rstrip("/"),
            owner=str(content["owner"]),
            repository=str(content["repository"]),
            branch=str(content["branch"]),
            gate=str(content["gate"]),
            image=str(content.get("image", "")),
            indexes=tuple(map(str, content.get("indexes", ()))),
            tag=tag,
            version=version,
        )
    except KeyError as error:
        raise ReleaseError(
            f"{error} is missing in scripts/release.toml or pyproject.toml; `copier update` writes it."
        ) from None


def is_from_tag() -> bool:
    """Say whether pyproject.toml leaves the version to the tag."""
    try:
        return declared_version() == FROM_TAG
    except VersionError as error:
        raise ReleaseError(str(error)) from None


def versions_in(text: str) -> list[Version]:
    """Give the versions that a line of text names."""
    found = []
    for word in VERSION_WORD.findall(text):
        try:
            found.append(Version(word.rstrip(".-")))
        except ValueError:  # no version, or one with thousands of digits
            continue
    return found


def notes_of(version: Version, path: Path | None = None) -> str:
    """Read RELEASE_NOTES.md, if it speaks of this version: a pre-release may take the notes of the version that it leads to."""
    path = path or ROOT / "RELEASE_NOTES.md"
    begin = f"begin it with the heading '# {version}'"
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").strip()
    except OSError:
        raise ReleaseError(f"RELEASE_NOTES.md is missing: write it, and {begin}.") from None
    except UnicodeDecodeError:
        raise ReleaseError("RELEASE_NOTES.md is not UTF-8: save it as UTF-8.") from None
    if len(text) > NOTES_LIMIT:
        raise ReleaseError(
            f"RELEASE_NOTES.md has {len(text)} characters, more than {NOTES_LIMIT}: move the older notes to CHANGELOG.md."
        )
    heading = HEADING.search(text)
    named = versions_in(heading["text"]) if heading else []
    if not named or heading is None:
        raise ReleaseError(f"RELEASE_NOTES.md does not say which version it is about: {begin}.")
    allowed = {version, Version(version.base_version)} if version.is_prerelease else {version}
    if not allowed.intersection(named):
        raise ReleaseError(
            f"RELEASE_NOTES.md is about {named[0]} and not about {version}: write what is new, and {begin}."
        )
    body = (text[: heading.start()] + text[heading.end() :]).strip()
    if not body:
        raise ReleaseError(f"RELEASE_NOTES.md says nothing about {version} but its number: write what is new.")
    return body
