"""Has each cell of the comparison a source, or says that nobody has looked? And are our own tests where it says?"""

from __future__ import annotations

import re

from tests.docs.markdown import REPOSITORY

PAGE = REPOSITORY / "docs/explanation/comparison.md"
TABLE = re.compile(r"^\|.*\|\n\|[-|]+\n((?:\|.*\|\n)+)", re.MULTILINE)
UNSURE = re.compile(r"\*\(?not (?:checked|measured|counted|found|run)")
NONE = {"", "–", "no", "makes no apps"}  # what needs no proof: it is not there, or cannot be
COOKIECUTTER = "no, Cookiecutter has nothing for it"


def test_each_cell_has_a_source() -> None:
    text = PAGE.read_text(encoding="utf-8")
    bare = []
    cells = 0
    for table in TABLE.finditer(text):
        for row in table[1].splitlines():
            title, *found = [cell.strip() for cell in row.strip("|").split(" | ")]
            for cell in found:
                cells += 1
                has_source = "[^" in cell or UNSURE.search(cell) or "](" in cell
                if not has_source and cell not in NONE | {COOKIECUTTER}:
                    bare.append(f"{title}: {cell}")
    assert bare == []
    assert cells > 150


def test_each_source_is_named_and_used() -> None:
    text = PAGE.read_text(encoding="utf-8")
    tables, _, sources = text.partition("## Sources")
    assert set(re.findall(r"\[\^(\d+)\]", tables)) == set(re.findall(r"^\[\^(\d+)\]:", sources, re.MULTILINE))
    ours = re.findall(r"`((?:tests|template)/[\w./]+)`", sources)
    assert len(ours) > 10
    missing = [name for name in ours if not list(REPOSITORY.glob(name)) and not list(REPOSITORY.glob(f"**/{name}*"))]
    assert missing == []
