"""Are the messages that the troubleshooting quotes those that are printed?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import copier
import pytest

from tests.docs.markdown import REPOSITORY

PAGES = [
    REPOSITORY / "docs/how-to" / name for name in ("troubleshooting.md", "build-bundles.md", "build-for-windows.md")
]
SOURCES = ("template", "includes", "adoption", "hooks", "copier.yml")  # of what people are shown
OTHERS = {
    "Copier",
    "Gitea",
    "makensis",
    "ruff",
    "upload-artifact",
    "uv",
}  # whose messages are quoted, with their name behind them
QUOTED = re.compile(r"(`+)(.+?)\1(?: \(([\w-]+)\))?")
WHOLE = 700  # characters of source in which one message has room


@cache
def texts(*places: Path) -> list[str]:
    """Give what the files say; strings that Python joins are one, as they are printed."""
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*")))]
    found = []
    for path in files:
        if path.is_file() and not path.is_symlink() and path.suffix != ".ico" and "__pycache__" not in path.parts:
            text = path.read_text(encoding="utf-8", errors="replace")
            found.append(re.sub(r'"\s*\n\s*f?"', "", text))
    return found


def is_said(message: str, *places: Path) -> bool:
    """Tell whether the pieces between the dots stand in one file, near each other and in that order."""
    pieces = [re.escape(piece.strip()) for piece in message.split("…") if piece.strip()]
    pattern = re.compile(rf"[^\x00]{{0,{WHOLE // len(pieces)}}}?".join(pieces))
    return any(pattern.search(text) for text in texts(*places))


def symptoms(page: Path) -> Iterator[tuple[str, str]]:
    """Give each message in the first column of tables that begin with what somebody sees, and whose it is."""
    text = page.read_text(encoding="utf-8")
    for table in re.finditer(r"^\| (?:You see|message) \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table[1].splitlines():
            for quote in QUOTED.finditer(row.split(" | ")[0]):
                yield quote[2], quote[3] or ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_messages_are_those_that_are_printed(page: Path) -> None:
    found = list(symptoms(page))
    assert len(found) >= 5
    ours = [message for message, whose in found if not whose]
    missing = [message for message in ours if not is_said(message, *(REPOSITORY / name for name in SOURCES))]
    assert missing == []
    assert {whose for _, whose in found} <= {"", *OTHERS}


def test_messages_of_copier_are_its_own() -> None:
    (package,) = copier.__path__
    quoted = [message for message, whose in symptoms(PAGES[0]) if whose == "Copier"]
    assert len(quoted) >= 4
    assert [message for message in quoted if not is_said(message, Path(package))] == []
