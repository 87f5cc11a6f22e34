"""A history of the template: two older versions made of the work tree, the released ones, and the work tree itself."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import Version

from tests.conftest import REPOSITORY, commit_work_tree, git

SYNTHETIC = ("v0.0.1", "v0.0.2")
AGED = "what stood here in"  # an older version, in place of a line in the middle of each text file
RENAMED = ("docs/how-to-release.md", "docs/releasing.md")
ADDED = "scripts/version.py"
DROPPED = "scripts/count-lines.sh"
DROPPED_TEXT = "#!/usr/bin/env bash\n# Counts the lines of the code.\nset -euo pipefail\ngit ls-files | xargs wc -l\n"
TOOL = (b'    "mypy>=1.0",\n', b'    "mypy>=2.0",\n')
UNREAD = ("tests", "docs", "bench", "scripts")  # by Copier
QUESTION = "release_gate"


def released() -> list[str]:
    """Give the tags of real releases, oldest first."""
    return sorted(git(REPOSITORY, "tag", "--list", "v*", "--merged", "HEAD").split(), key=Version)


def newest() -> str:
    """Give the tag that the work tree has in the history."""
    tags = released()
    return f"v{Version(tags[-1]).major + 1}.0.0" if tags else "v0.1.0"


def make_history(folder: Path) -> None:
    """Make a repository with a tag for each version, the work tree's the newest."""
    partial = folder.with_name(f"{folder.name}.partial")
    commit_work_tree(partial)
    git(partial, "rm", "--quiet", "-r", *UNREAD)
    git(partial, "commit", "--quiet", "--amend", "--message", "The work tree")
    git(partial, "tag", "--force", "v0.1.0")
    if tags := released():
        git(partial, "tag", newest())
        git(partial, "tag", "--delete", "v0.1.0")
        git(partial, "fetch", "--quiet", str(REPOSITORY), *(f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags))
    for version in SYNTHETIC:
        _age(partial, version)
        git(partial, "checkout", "--quiet", "--detach")
        git(partial, "add", "--all")
        git(partial, "commit", "--quiet", "--message", version)
        git(partial, "tag", version)
        git(partial, "checkout", "--quiet", "main")
    git(partial, "gc", "--quiet", "--prune=now")  # each update makes three clones, and then removes them
    partial.rename(folder)


def _age(repository: Path, version: str) -> None:
    """Make it an older one: another line in each text file; in v0.0.1 also other files, and a question less."""
    template = repository / "template"
    files = [path for path in template.rglob("*") if path.is_file() and "answers" not in path.name]
    for path in {path.resolve() for path in files}:
        lines = path.read_bytes().splitlines(keepends=True)
        if b"\0" not in b"".join(lines) and (index := _middle(lines)) is not None:
            if path.name.startswith("pyproject"):  # a second one, as near to the user's part as there is one
                lines[lines.index(TOOL[1])] = TOOL[0]
            end = b"\r\n" if lines[index].endswith(b"\r\n") else b"\n"
            lines[index] = f"{AGED} {version}".encode() + end
            path.write_bytes(b"".join(lines))
    if version == SYNTHETIC[0]:
        (template / f"{RENAMED[1]}.jinja").rename(template / f"{RENAMED[0]}.jinja")
        (template / ADDED).unlink()
        (template / DROPPED).write_text(DROPPED_TEXT, encoding="utf-8")
        questions = repository / "copier.yml"
        text = questions.read_text(encoding="utf-8")
        hidden = f"{QUESTION}: {{type: str, default: automatic, when: false}}\n"
        changed, count = re.subn(rf"^{QUESTION}:\n(?: .*\n)+", hidden, text, flags=re.MULTILINE)
        assert count == 1
        questions.write_text(changed, encoding="utf-8")


def _middle(lines: list[bytes]) -> int | None:
    """Find the line next to the middle that says something, and that Jinja has no part in."""
    plain = [index for index, line in enumerate(lines) if line.strip() and not re.search(rb"\{[%=#]|[%=#]\}", line)]
    return min(plain, key=lambda index: abs(2 * index - len(lines)), default=None)
