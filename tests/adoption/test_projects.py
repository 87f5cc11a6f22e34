"""Three projects, adopted as the report says, word for word, until `make setup && make check` is green."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adoption.conftest import Adopt
from tests.adoption.samples import SAMPLES
from tests.adoption.test_command import HOW_TO
from tests.conftest import git
from tests.docs.markdown import fences
from tests.support.projects import newcomer
from tests.support.tools import run, uv

pytestmark = pytest.mark.slow

Edits = dict[str, list[tuple[str, str]]]
OPTIONAL = (
    *("Nothing that was added reads", "Compare these", "A release candidate writes", "`.dockerignore` was not added"),
    "`make check` looks at all",
)
LENIENT = ("strict = true", "strict = false")

# What a person writes by hand where the report says so: in which file, what in place of what.
BY_HAND: dict[str, Edits] = {
    "setup.cfg": {"pyproject.toml": [LENIENT]},
    "server": {"server/pyproject.toml": [LENIENT]},
    "poetry": {
        "src/paste_board/__main__.py": [("", "from paste_board.main import run\n\nrun()\n")],
    },
}
# And of the report after Poetry's own form is gone.
BY_HAND_LATER: dict[str, Edits] = {
    "poetry": {
        "pyproject.toml": [
            ("[dependency-groups]\n", "[dependency-groups]\n{tools}\n"),
            ("dev = [\n", 'dev = [\n    {{ include-group = "tools" }},\n'),
            ("[tool.mypy]\n", '[tool.mypy]\nfiles = ["src"]\n'),
            ("[tool.ruff]\n", '[tool.ruff]\nextend-exclude = ["scripts/*"]\n'),
        ]
    }
}


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Path]:
    """Give a folder from which the bulk is gone afterwards."""
    yield tmp_path
    for bulk in tmp_path.glob("**/.venv"):
        shutil.rmtree(bulk)


def commands(report: str) -> list[list[str]]:
    """Give the commands of each step."""
    steps = re.split(r"^\d+\. ", report.partition("## To do by hand")[2].partition("\nThen:\n")[0], flags=re.MULTILINE)
    return [re.findall(r"^ {7}(\S.*)$", step, re.MULTILINE) for step in steps[1:] if "does their work now" not in step]


def optional(report: str) -> bool:
    """Say whether all steps are such that one may leave them undone."""
    begins = tuple(step[:12] for step in OPTIONAL)
    return all(step.startswith(begins) for step in re.findall(r"^\d+\. (.*)", report, re.MULTILINE))


def in_the_end() -> list[str]:
    """Give the how-to's last commands."""
    (fence,) = [fence.code for fence in fences(HOW_TO.read_text(encoding="utf-8")) if "make check" in fence.code]
    return fence.splitlines()


def edit(root: Path, edits: Edits, report: str) -> None:
    tools = re.search(r"`(tools\s=\s[^`]*)`", report)
    for name, changes in edits.items():
        path = root / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for old, new in changes:
            assert old in text, f"{name}: {old}"
            put = new.format(tools=tools[1] if tools else "") if "{" in new else new
            text = text.replace(old, put, 1) if old else put
        path.write_text(text, encoding="utf-8")


def test_the_report_leads_to_a_green_project(
    sample: Callable[[str], Path], adopt: Adopt, workplace: Path, subtests: pytest.Subtests
) -> None:
    check_project("poetry", sample("poetry"), adopt, workplace, subtests)


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("kind", sorted(BY_HAND.keys() - {"poetry"}))
def test_the_report_leads_to_the_other_green_projects(
    kind: str, sample: Callable[[str], Path], adopt: Adopt, workplace: Path, subtests: pytest.Subtests
) -> None:
    check_project(kind, sample(kind), adopt, workplace, subtests)


def check_project(kind: str, root: Path, adopt: Adopt, workplace: Path, subtests: pytest.Subtests) -> None:
    environment = newcomer(workplace)

    def do(steps: list[list[str]]) -> None:
        for command in [command for step in steps for command in step]:
            line = command.replace("uvx ", f"{uv()} tool run ")
            different = 1 if command.startswith("diff ") else 0
            run(["bash", "-euo", "pipefail", "-c", line], cwd=root, env=environment, returncode=different)

    report = adopt(root).stdout
    steps = commands(report)
    rules = [step for step in steps if "make format" in step]
    do([step for step in steps if step not in rules])
    edit(root, BY_HAND[kind], report)
    if kind in BY_HAND_LATER:
        report = adopt(root).stdout
        edit(root, BY_HAND_LATER[kind], report)
        do([step for step in commands(report) if any("pyproject.toml" in command for command in step)])

    assert optional(adopt(root).stdout), "a second look finds only what one may do"
    for line in in_the_end():
        run(["bash", "-euo", "pipefail", "-c", line], cwd=root, env=environment)  # the commit passes the hooks
        if line == "make setup":
            do(rules)
    assert git(root, "status", "--porcelain") == ""
    assert not (root / "build/adoption").exists()
    with subtests.test("no file is lost, and what was not named in a step is as it was"):
        history = set(git(root, "show", "--name-status", "--format=", "--no-renames", "HEAD").split())
        assert {name for name in SAMPLES[kind] if not (root / name).exists()} <= history
