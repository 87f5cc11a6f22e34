"""Do answers age as docs/explanation/what-is-stable.md says?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from tests.conftest import REPOSITORY, git
from tests.copier_update.conftest import Living
from tests.docs.markdown import fences
from tests.support.rendering import compiled_once

pytestmark = pytest.mark.slow

Change = Callable[[str], str]


class Aging:
    """A project of the template's, and a copy of the template that gets newer."""

    def __init__(self, template: Path, folder: Path, **answers: Any) -> None:
        self.template = folder / "template"
        shutil.copytree(template, self.template, symlinks=True)
        self.project = Living(folder / "app")
        with compiled_once():
            copier.run_copy(str(self.template), self.project.root, data=answers, defaults=True, quiet=True)
        git(self.project.root, "init", "--quiet")
        self.project.commit("First")

    def release(self, tag: str, change: Change) -> None:
        """Make a newer version whose questions are others."""
        path = self.template / "copier.yml"
        before = path.read_text(encoding="utf-8")
        after = change(before)
        assert after != before
        path.write_text(after, encoding="utf-8")
        git(self.template, "commit", "--quiet", "--all", "--message", tag)
        git(self.template, "tag", tag)

    def update(self) -> dict[str, Any]:
        """Update, and give the answers then."""
        self.project.update()
        self.project.commit("Update")
        answers: dict[str, Any] = yaml.safe_load(self.project.text(".copier-answers.yml"))
        return answers


def as_the_policy_says(questions: str) -> str:
    """Rename a question with the lines of the page."""
    text = (REPOSITORY / "docs/explanation/what-is-stable.md").read_text(encoding="utf-8")
    (example,) = [fence.code for fence in fences(text) if fence.language == "yaml"]
    for old, new in {
        "old_name": "release_gate",
        "new_name": "who_publishes",
        "what a new project gets": "automatic",
    }.items():
        example = example.replace(old, new)
    changed, count = re.subn(r"^release_gate:\n(?: .*\n)+", lambda _: example, questions, flags=re.MULTILINE)
    assert count == 1
    return changed


def test_a_renamed_question_keeps_its_answer(template: Path, tmp_path: Path) -> None:
    aging = Aging(template, tmp_path, release_gate="manual", targets=["library"])
    assert aging.project.path(".gitea/workflows/publish.yml").exists()
    aging.release("v0.2.0", as_the_policy_says)
    answers = aging.update()
    assert answers["who_publishes"] == "manual"
    assert "release_gate" not in answers
    assert aging.project.path(".gitea/workflows/publish.yml").exists()
    aging.release("v0.3.0", lambda text: text.replace("Who writes it?", "Who is it by?"))
    assert aging.update()["who_publishes"] == "manual"
    with compiled_once():  # a script that knows the old name only
        other = tmp_path / "other"
        copier.run_copy(str(aging.template), other, data={"release_gate": "manual"}, defaults=True, quiet=True)
    assert (other / ".gitea/workflows/publish.yml").exists()


def test_a_choice_that_is_taken_away_falls_to_the_default(template: Path, tmp_path: Path) -> None:
    aging = Aging(template, tmp_path, index="both", targets=["library"])
    aging.release("v0.2.0", lambda text: text.replace(", Both: both", ""))
    assert aging.update()["index"] == "gitea"


def test_a_question_that_is_taken_away_leaves_the_answers(template: Path, tmp_path: Path) -> None:
    aging = Aging(template, tmp_path, targets=["library"])
    hidden = "release_gate: {type: str, default: automatic, when: false}\n"
    aging.release("v0.2.0", lambda text: re.sub(r"(?m)^release_gate:\n(?: .*\n)+", hidden, text))
    assert "release_gate" not in aging.update()


def test_an_older_copier_says_what_it_needs(template: Path, tmp_path: Path) -> None:
    aging = Aging(template, tmp_path, targets=["library"])
    aging.release(
        "v0.2.0", lambda text: re.sub(r'(?m)^_min_copier_version: "[\d.]+"', '_min_copier_version: "999.0"', text)
    )
    with pytest.raises(copier.errors.UnsupportedVersionError, match=r"999\.0"):
        aging.update()
    assert aging.project.status() == ""
