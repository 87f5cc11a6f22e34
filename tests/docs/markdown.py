"""The documentation's Markdown, read as far as tests need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
TUTORIAL = REPOSITORY / "docs/tutorial/first-project.md"
SELF_UPDATING = REPOSITORY / "docs/tutorial/self-updating-app.md"
FENCE = re.compile(r"^( *)(`{3,})(\w*)\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)  # in a list, indented


def documents() -> list[Path]:
    """List what is written for people: README, CHANGELOG and all below docs/."""
    return [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Fence:
    """A block of code, and the last line of text before it."""

    language: str
    code: str
    before: str


def fences(text: str) -> Iterator[Fence]:
    for match in FENCE.finditer(text):
        before = text[: match.start()].rstrip().rpartition("\n")[2]
        code = re.sub(f"^{match[1]}", "", match[4], flags=re.MULTILINE)
        yield Fence(match[3], code, before)


def without_fences(text: str) -> str:
    return FENCE.sub("", text)


def table(text: str, header: str) -> dict[str, str]:
    """Give the two columns of the table whose header line is `header`."""
    _, _, below = text.partition(f"{header}\n|---|---|\n")
    rows = re.match(r"(?:\|.*\|\n)*", below)
    assert rows and rows[0], f"no table {header}"
    return dict(re.findall(r"^\| (.*?) \| (.*?) \|$", rows[0], re.MULTILINE))
