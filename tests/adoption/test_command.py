"""The command as the how-to has it: installed from the template's repository, its questions answered with Enter."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.docs.markdown import fences
from tests.support.terminal import ENTER, Terminal
from tests.support.tools import run, uv

HOW_TO = REPOSITORY / "docs/how-to/adopt-an-existing-project.md"
ADDRESS = "https://gitea.example.com/org/gitea-py-template.git"

# What is asked of a library in setup.cfg, in order, and what is offered.
ASKED = {
    "What is the project called?": "unit-lengths",
    "What does it do?": "Lengths in metres, feet and furlongs",
    "Who writes it?": "Ada Lovelace",
    "Which e-mail address": "ada@example.com",
    "Which licence?": "BSD-3-Clause",
    "Its short name": "unit-lengths",
    "Its name in Python": "unit_lengths",
    "Where is the Gitea server?": "https://git.example.org",
    "Who owns the repository": "birds",
    "What is the repository called": "sample",
    "Which is its default branch?": "main",
    "What should it become?": "Library",
    "Which Python is it developed": "3.13",
    "Which folder holds": ".",
    "Who makes a release public?": "The workflow",
    "Where is the library published?": "Package index of Gitea",
}


@pytest.mark.slow
def test_the_how_to_adopts_a_project(sample: Callable[[str], Path], template: Path) -> None:
    root = sample("setup.cfg")
    (fence,) = [fence.code for fence in fences(HOW_TO.read_text(encoding="utf-8")) if "uvx" in fence.code]
    branch, command = fence.splitlines()
    run(shlex.split(branch), cwd=root)
    command = command.replace("uvx", f"{uv()} tool run").replace(ADDRESS, template.as_uri())
    with Terminal(shlex.split(command), cwd=root, columns=120) as terminal:
        for question, offered in ASKED.items():
            terminal.wait_for(question, seconds=120)
            terminal.wait_for(offered, after=question)
            terminal.press(ENTER)
        assert terminal.wait_for_end() == 0, "\n".join(terminal.lines)

    answers = yaml.safe_load((root / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["_src_path"] == f"git+{template.as_uri()}"
    assert answers["_commit"] == "v0.1.0"
    assert (root / "build/adoption/report.md").exists()
