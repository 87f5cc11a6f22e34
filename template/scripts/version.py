# /// script
# requires-python = ">=3.11"
# dependencies = ["packaging>=25"]
# ///
"""Print the version to build, as PEP 440 writes it.

The first of these that is there: the argument; the tag of the commit; the tag that a workflow runs for; what pyproject.toml says.
Of several tags on the commit the workflow's counts, otherwise the highest; one that is no version, such as `deployed`, never does.
`version = "0.0.0"` in pyproject.toml means "from the tag": without one the version is 0.0.0.dev0+g<commit>. Any other value there must
agree with the tag.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from packaging.version import InvalidVersion, Version
from targets import TargetError, find_pyproject, read_toml

ROOT = Path(__file__).resolve().parents[1]
FROM_TAG = Version("0.0.0")
LONGEST_LABEL = 60  # the version is in file names, which have 255 bytes at most


class VersionError(Exception):
    """No version can be told; the message says what would be right."""


def git(*arguments: str) -> str:
    """Give the output of git, or nothing where there is no git, no repository, no commit or no tag."""
    try:
        result = subprocess.run(["git", "-C", str(ROOT), *arguments], check=False, capture_output=True, text=True)  # noqa: S603, S607
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def declared_version() -> Version:
    """Read [project] version of the project's pyproject.toml."""
    try:
        declared = read_toml(find_pyproject()).get("project", {}).get("version")
    except TargetError as error:
        raise VersionError(str(error)) from None
    if not isinstance(declared, str):
        raise VersionError('pyproject.toml: [project] has no version; write for example version = "0.0.0".')
    try:
        return Version(declared)
    except InvalidVersion:
        raise VersionError(f"pyproject.toml: {declared!r} is no version; write for example 1.2.3 or 0.0.0.") from None


def development(base: Version, label: str = "") -> Version:
    """Give a version below `base`'s release whose local part tells where it comes from."""
    commit = git("rev-parse", "--short=9", "HEAD")
    label = ".".join(re.findall(r"[a-z0-9]+", label.lower()))[:LONGEST_LABEL].rstrip(".")
    local = ".".join(filter(None, [label, f"g{commit}" if commit else ""]))
    return Version(f"{base.base_version}.dev0" + (f"+{local}" if local else ""))


def tagged_version(tag: str, declared: Version) -> Version:
    try:
        version = Version(tag)
    except InvalidVersion:
        raise VersionError(f"The tag {tag!r} is no version; tags look like v1.2.3 or v1.2.3-rc.1.") from None
    if declared not in {FROM_TAG, version}:
        raise VersionError(
            f'The tag {tag!r} and version = "{declared}" in pyproject.toml disagree; tag v{declared}, or change the version first.'
        )
    return version


def workflow_tag() -> str:
    """Give the tag that a workflow runs for, if it does."""
    return os.environ.get("GITHUB_REF_NAME", "") if os.environ.get("GITHUB_REF_TYPE") == "tag" else ""


def commit_tag() -> str:
    """Give the tag of the commit that tells its version, if it has one."""
    versions = {}
    for tag in git("tag", "--points-at", "HEAD").split():
        with suppress(InvalidVersion):
            versions[tag] = Version(tag)
    return workflow_tag() if workflow_tag() in versions else max(versions, key=lambda tag: versions[tag], default="")


def resolve(text: str | None) -> Version:
    """Find the version for `text`, an argument such as v1.2.3 or a label such as dev; `None` asks git and the environment."""
    declared = declared_version()
    if text:
        try:
            return Version(text)
        except InvalidVersion:
            return development(declared, text)
    if tag := commit_tag() or workflow_tag():
        return tagged_version(tag, declared)
    return development(declared) if declared == FROM_TAG else declared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", nargs="?", help="a version (v1.2.3) or a label of your own (dev, test-of-the-icon)")
    try:
        print(resolve(parser.parse_args().version))
    except VersionError as error:
        print(f"version: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
