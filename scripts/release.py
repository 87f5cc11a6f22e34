# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx2>=2.16.1", "packaging>=25", "stamina>=25"]
# ///
"""Release the template, with what generated projects release themselves with; the notes are a section of CHANGELOG.md.

    make release VERSION=1.2.3    tags and pushes; the workflow Release does the rest
    release.py notes              prints the notes of the tag
    release.py publish            makes the release public, with those notes

The release is that of --tag, of RELEASE_TAG, or of the tag on this commit. An error is one line, and the status 1.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from packaging.version import Version

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = REPOSITORY / "template" / "scripts"


def load_machinery() -> Any:
    """Make importable what projects release themselves with; what it works on is this repository."""
    sys.path.insert(0, str(SCRIPTS))
    for name in ("version", "targets"):
        vars(importlib.import_module(name))["ROOT"] = REPOSITORY
    (package,) = SCRIPTS.parent.glob("scripts*releasing")
    spec = importlib.util.spec_from_file_location(
        "releasing", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is no package")
    sys.modules["releasing"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


releasing: Any = load_machinery()
forges: Any = importlib.import_module("releasing.forge")
prepare: Any = importlib.import_module("releasing.prepare")
project: Any = importlib.import_module("releasing.project")


def notes_of(version: Version) -> str:
    """Read the section of CHANGELOG.md; a pre-release may take that of the version that it leads to."""
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## +v?(\S+)[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {name: body.strip() for name, body in sections}
    for name in (str(version), version.base_version):
        if found.get(name):
            return found[name]
    state = "says nothing below" if str(version) in found else "has no section"
    raise releasing.ReleaseError(
        f"CHANGELOG.md {state} '## {version}': write what users notice, what breaks first "
        "(docs/explanation/what-is-stable.md)."
    )


def wanted(options: argparse.Namespace) -> tuple[str, Version]:
    tag = options.tag or project.wanted_tag()
    return tag, project.find_version(tag)


def notes(options: argparse.Namespace) -> None:
    """Print them, or end with one line: before the checks, which take minutes."""
    releasing.say(notes_of(wanted(options)[1]))


def publish(options: argparse.Namespace) -> None:
    tag, version = wanted(options)
    text = notes_of(version)
    forge = forges.connect()
    release = forge.find_release(tag)
    if release and not release.draft:
        releasing.say(f"{tag} is public already: {release.page}")
        return
    if not forge.knows_tag(tag):
        raise releasing.ReleaseError(f"The server has no tag {tag}: push it first (make release VERSION={version}).")
    if options.dry_run:
        releasing.say(f"would make {tag} public with:\n{text}")
        return
    if release is None:
        forge.is_settled(tag)
        release = forge.create_draft(tag, f"gitea-py-template {tag}", text, prerelease=version.is_prerelease)
    release = forge.edit(release, draft=False)
    releasing.say(f"{tag} is public: {release.page}")


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="release.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = result.add_subparsers(metavar="COMMAND", required=True)
    tag = releasing.add_command(commands, "tag", "tag the newest commit of the branch, push the tag", prepare.tag)
    tag.add_argument("version", help="1.2.3, 1.3.0-rc.1, or what to raise: major, minor, patch, rc")
    releasing.add_command(commands, "notes", "print the notes of a tag", notes)
    releasing.add_command(commands, "publish", "make the release of a tag public", publish)
    return result


def main() -> int:
    prepare.notes_of = notes_of  # those of a project are all of RELEASE_NOTES.md
    options = parser().parse_args()
    return int(forges.reporting(lambda: options.run(options)))


if __name__ == "__main__":
    sys.exit(main())
