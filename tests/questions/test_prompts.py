"""The questions as a person meets them, in a terminal of 80 columns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import copier
import pytest

from scripts import prompts_picture
from tests.answers import SUBSETS, subset_id
from tests.support.terminal import CLEAR_LINE, CTRL_C, DOWN, ENTER, SPACE, Terminal

# Question, what its line says, and the answer that is offered.
QUESTIONS: dict[str, tuple[str, str]] = {
    "project_name": ("What is the project called? (shown to people)", "My App"),
    "description": ("What does it do? (one sentence)", "My App, self-hosted"),
    "author_name": ("Who writes it? (a person or a company)", "Your Name"),
    "author_email": ("Which e-mail address may be published? (may stay empty)", ""),
    "license": ("Which licence? (Proprietary keeps all rights)", "MIT"),
    "project_slug": ("Its short name, for the command, the image and the files? (a-z, 0-9, -)", "my-app"),
    "package_name": ("Its name in Python, as in import my_app? (a-z, 0-9, _)", "my_app"),
    "gitea_url": ("Where is the Gitea server? (its address in the browser)", "https://gitea.example.com"),
    "repo_owner": ("Who owns the repository there? (a user or an organisation)", "your-name"),
    "repo_name": ("What is the repository called there?", "my-app"),
    "default_branch": ("Which is its default branch?", "main"),
    "targets": ("What should it become? (one or more)", "[Docker service (an image and a compose file)]"),
    "python_version": ("Which Python is it developed and shipped with?", "3.13"),
    "source_dir": ("Which folder holds the Python code? ('.' or a folder such as server)", "."),
    "port": ("Which port does it listen on? (1024 to 65535)", "8765"),
    "frontend": ("Make its page with TypeScript and Vite? (otherwise plain HTML)", "No"),
    "tkinter": ("Does it open windows of its own with tkinter?", "No"),
    "auto_update": ("Should it look for new releases and offer them to its users?", "No"),
    "release_gate": ("Who makes a release public?", "The workflow, as soon as everything is there"),
    "index": ("Where is the library published?", "Package index of Gitea"),
}
KEYS = {"docker": "", "desktop": SPACE + DOWN + SPACE, "library": SPACE + DOWN + DOWN + SPACE}  # from the default
NOT_ASKED = {
    "docker": {"tkinter", "index"},
    "desktop": {"index"},
    "library": {"port", "frontend", "tkinter", "auto_update"},
}


def _questions(template: Path, folder: Path) -> Terminal:
    command = [sys.executable, "-m", "copier", "copy", str(template), folder.name]
    return Terminal(command, cwd=folder.parent, lines=60)


def _values(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    return found


def test_docker_with_every_default(questionnaire: Path, tmp_path: Path) -> None:
    """Enter all the way: what is asked, in which order, in one line each, with which answers offered."""
    asked = [question for question in QUESTIONS if question not in NOT_ASKED["docker"]]
    with _questions(questionnaire, tmp_path / "project") as terminal:
        for question in asked:
            terminal.wait_for(QUESTIONS[question][0])
            if question == "targets":
                assert terminal.lines[-3:] == [
                    " » ● Docker service (an image and a compose file)",
                    "   ○ Desktop app (a Windows installer and a Linux bundle)",
                    "   ○ Library (a wheel for a package index)",
                ]
            terminal.press(ENTER)
        assert terminal.wait_for_end() == 0

    expected = []
    for question in asked:
        line, default = QUESTIONS[question]
        expected += [f"🎤 {line}", f"   {default}".rstrip()]
    begin = terminal.lines.index(expected[0])
    assert terminal.lines[begin : begin + len(expected)] == expected
    assert _values(tmp_path / "project")["targets"] == ["docker"]


@pytest.mark.parametrize("target", ["desktop", "library"])
def test_only_what_matters_is_asked(target: str, questionnaire: Path, tmp_path: Path) -> None:
    with _questions(questionnaire, tmp_path / "project") as terminal:
        for question, (line, _) in QUESTIONS.items():
            if question not in NOT_ASKED[target]:
                if question == "python_version" and target == "library":
                    line = "Which Python is it developed with?"
                terminal.wait_for(line)
                terminal.press(KEYS[target] if question == "targets" else "", ENTER)
        assert terminal.wait_for_end() == 0

    text = "\n".join(terminal.lines)
    assert [question for question in NOT_ASKED[target] if QUESTIONS[question][0] in text] == []
    assert _values(tmp_path / "project")["targets"] == [target]


def test_wrong_answers_are_told_and_corrected(questionnaire: Path, tmp_path: Path) -> None:
    """The line at the bottom stands there whole; then the answer is corrected, and later defaults follow it."""
    answers = {
        "project_name": ("", "Write at least one character.", "Größe 3"),
        "description": (" x", "Leave out the blanks at the ends.", "Measures"),
        "author_name": (" ", "Write at least one character.", "Zoë Ñandú"),
        "author_email": ("zoe", "Like ada@example.com, or nothing.", "zoe@example.com"),
        "project_slug": ("Grosse", "Use a-z, 0-9 and -, like my-app.", "measures"),
        "package_name": ("class", "Taken by Python; add _app.", "class_app"),
        "gitea_url": ("git.example.com", "Begin with https:// or http://.", "https://git.example.com"),
        "repo_owner": ("a/b", "As in its address, like ada or acme.", "zoe"),
        "repo_name": ("../x", "Use letters, digits, '.', '_', '-'.", "Measures"),
        "default_branch": ("x.lock", "End it without '.' or '.lock'.", "trunk"),
        "source_dir": ("../x", "Use '.' or one folder, like server.", "server"),
        "port": ("80", "Choose 1024 to 65535, for example 8765.", "8080"),
    }
    with _questions(questionnaire, tmp_path / "project") as terminal:
        for question, (line, _) in QUESTIONS.items():
            if question in NOT_ASKED["docker"]:
                continue
            terminal.wait_for(line)
            if question == "project_slug":
                assert terminal.lines[-1] == "   grosse-3", "from the project's name"
            elif question == "package_name":
                assert terminal.lines[-1] == "   measures", "from the short name"
            elif question == "repo_owner":
                assert terminal.lines[-1] == "   zoe-nandu", "from the author's name"
            if question in answers:
                wrong, message, right = answers[question]
                terminal.press(CLEAR_LINE, wrong, ENTER)
                terminal.wait_for(f"Validation error for question '{question}': {message}")
                terminal.press(CLEAR_LINE, right)
            elif question == "targets":
                terminal.press(SPACE, ENTER)
                terminal.wait_for("Validation error for question 'targets': Choose docker, desktop and/or library.")
                terminal.press(SPACE)
            terminal.press(ENTER)
        assert terminal.wait_for_end() == 0

    found = _values(tmp_path / "project")
    assert {question: found[question] for question in answers} == {
        question: right for question, (_, _, right) in answers.items()
    }


def test_ctrl_c_ends_in_one_line_and_writes_nothing(questionnaire: Path, tmp_path: Path) -> None:
    with _questions(questionnaire, tmp_path / "project") as terminal:
        terminal.wait_for(QUESTIONS["project_name"][0])
        terminal.press(CTRL_C)
        assert terminal.wait_for_end() == 1

    assert terminal.lines[-1] == "Execution stopped by user"
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize("targets", SUBSETS, ids=subset_id)
def test_the_next_three_commands_are_named(
    targets: tuple[str, ...], questionnaire: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my apps" / "größe"
    copier.run_copy(str(questionnaire), folder, data={"targets": list(targets)}, defaults=True)

    frontend = "desktop" in targets
    third = "make wheel    # dist/" if targets == ("library",) else "make run      # http://127.0.0.1:8765"
    assert capfd.readouterr().err.split("My App is ready. Next:\n")[1] == (
        f"""
  cd '{folder}'
  make setup    # repository, Python, dependencies, pre-commit{", npm packages" if frontend else ""}
  make check    # format, lint, types, tests{", frontend" if frontend else ""}
  {third}

All commands: make help. How to release: docs/releasing.md

"""
    )


def test_in_this_folder_there_is_no_cd(
    questionnaire: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    copier.run_copy(str(questionnaire), ".", defaults=True)

    assert "Next:\n\n  make setup" in capfd.readouterr().err


def test_the_picture_shows_the_questions_of_today() -> None:
    assert prompts_picture.PICTURE.read_text(encoding="utf-8") == prompts_picture.draw(prompts_picture.ask())
