"""Does README say what is so: its numbers, its table, its commands, the address that Copier takes?"""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from copier._vcs import get_repo

from bench.__main__ import PARTS
from tests.answers import PYTHON_VERSIONS, SUBSETS
from tests.copier_update.history import SYNTHETIC, released
from tests.copier_update.test_green import UPDATED
from tests.docs.markdown import REPOSITORY
from tests.project.test_projects import PROJECTS
from tests.support import golang, renovate, windows_pythons
from tests.support.tools import run

README = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
COMPARISON = (REPOSITORY / "docs/explanation/comparison.md").read_text(encoding="utf-8")
WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
# Cells that are shorter in README.
SHORT = {"MkDocs": "yes", "Sphinx": "yes"}


def current_phrases() -> list[str]:
    """Give what README says, with the numbers of today."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    settings = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    pythons = f"{PYTHON_VERSIONS[0]} to {PYTHON_VERSIONS[-1]}"
    return [
        f"Version {project['version']}.",
        f"'copier>={settings['_min_copier_version'].removesuffix('.0')}'",
        f"a matrix of Python {pythons} ×",
        f"Each of the {len(SUBSETS)} sets of targets is set up",
        f"among them every Python from {pythons}, on Linux",
        f"Images for all {WORDS[len(PYTHON_VERSIONS)]} Pythons",
        f"with each Python from {pythons},",
        f"unchanged on Gitea {' and '.join(golang.SERVERS)} that the tests build",
        f"CPython {windows_pythons.EMBEDDABLE_VERSION.rpartition('.')[0]} (from PyPI)",
        f"{WORDS[len(UPDATED)].capitalize()} updated projects pass all their checks.",
        f"by Renovate {renovate.VERSION.partition('.')[0]};",
    ]


@pytest.mark.parametrize("phrase", current_phrases())
def test_a_number_is_that_of_today(phrase: str) -> None:
    assert phrase in README, f"README says something else than {phrase!r}: put it right"


def test_the_versions_from_which_projects_are_updated() -> None:
    synthetic = f"is run from {WORDS[len(SYNTHETIC)]} older versions, made of this one as none is released yet,"
    assert (synthetic in README) == (not released()), "say in README from which versions projects are updated"


def test_each_set_of_targets_and_each_python_has_a_project() -> None:
    assert {tuple(answers["targets"]) for answers in PROJECTS.values()} == set(SUBSETS)
    assert {answers["python_version"] for answers in PROJECTS.values()} == set(PYTHON_VERSIONS)


def rows(text: str) -> list[list[str]]:
    """Give the cells of all rows of tables, without what is behind them: footnotes, targets of links."""
    plain = re.sub(r"\[\^\d+\]|\]\([^)]*\)|\[(?!\^)", "", text)
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in plain.splitlines() if line.startswith("| ")]


def test_the_table_is_the_beginning_of_the_comparison() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("## How it compares")[2]
    header, *table = rows(readme.partition("## Documentation")[0])
    others, *compared = rows(COMPARISON)
    assert [name for name, other in zip(header[1:], others[1:], strict=False) if not other.startswith(name)] == []
    found = [cells for cells in compared if len(cells) == len(others)]
    for title, *cells in table:
        # The titles differ in words; what stands below them does not.
        candidates = [row[1 : len(cells) + 1] for row in found if row[0].split()[0] == title.split()[0]]
        assert any(
            all(SHORT.get(there, there).startswith(here) for here, there in zip(cells, row, strict=True))
            for row in candidates
        ), f"{title}: {cells} is not what docs/explanation/comparison.md says: {candidates}"


def test_the_other_tools_are_compared() -> None:
    (sentence,) = re.findall(r"has ([^()]*? too), and says", README)
    tools = re.findall(r"[\w]+", sentence.replace(" and ", " ").replace(" too", ""))
    header = next(line for line in COMPARISON.splitlines() if line.startswith("| | this | PyInstaller"))
    assert len(tools) > 5
    assert [tool for tool in tools if tool not in header] == []


def test_the_address_of_a_copy_is_one_for_copier() -> None:
    (command,) = re.findall(r"copier copy (https\S+) myapp", README)
    assert get_repo(command) == command
    assert get_repo(f"git+{command.removesuffix('.git')}") == command.removesuffix(".git")
    assert get_repo("gh:org/gitea-py-template") == "https://github.com/org/gitea-py-template.git"
    assert get_repo(command.removesuffix(".git")) is None, "Copier takes an address without .git now: README may say so"


def test_make_help_lists_all_commands() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    listed = re.findall(r"^  make (\S+) +\S", run(["make", "help"], cwd=REPOSITORY).stdout, re.MULTILINE)
    assert set(listed) == set(re.findall(r"^\.PHONY: (\S+)", makefile, re.MULTILINE)) - {"python"}


def test_what_is_measured_is_on_the_page() -> None:
    page = (REPOSITORY / "docs/reference/performance.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.+)", page, re.MULTILINE)
    assert len(titles) == len(PARTS), "run on a quiet machine: the command at the top of docs/reference/performance.md"


def test_what_the_comparison_says_was_measured_is_on_the_page() -> None:
    number = re.compile(r"([\d.]+) (ms|s|kB)\b")
    page = number.findall((REPOSITORY / "docs/reference/performance.md").read_text(encoding="utf-8"))
    cells = [cell for line in COMPARISON.splitlines() for cell in line.split(" | ") if "[^8]" in cell]
    claimed = [match for cell in cells for match in number.findall(cell)]
    assert len(claimed) == 5
    for value, unit in claimed:
        digits = len(value.partition(".")[2])
        there = {round(float(measured), digits) for measured, of in page if of == unit}
        assert float(value) in there, f"comparison.md says {value} {unit}: that was not measured"
