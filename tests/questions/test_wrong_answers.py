"""Every wrong answer gets one line that says what would be right, and nothing is written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from tests.questions.conftest import Validate

TABLE = yaml.safe_load(Path(__file__).with_name("wrong.yml").read_text(encoding="utf-8"))
LONGEST = {
    "project_name": 60,
    "description": 200,
    "author_name": 100,
    "author_email": 100,
    "project_slug": 50,
    "package_name": 60,
    "gitea_url": 100,
    "repo_owner": 40,
    "repo_name": 100,
    "default_branch": 100,
    "source_dir": 40,
}
BEGINNINGS = {"author_email": "a@b", "gitea_url": "https://example.com/"}


def _cases() -> Iterator[tuple[str, str, list[Any]]]:
    for question, rows in TABLE.items():
        if not question.startswith("_"):
            for message, answers in rows.items():
                unfolded = [one for some in answers for one in (some if isinstance(some, list) else [some])]
                yield question, message, unfolded
    for question, most in LONGEST.items():
        beginning = BEGINNINGS.get(question, "")
        yield question, f"Write at most {most} characters.", [beginning + "a" * (most + 1 - len(beginning))]
    yield "targets", "Choose docker, desktop and/or library.", [[]]


CASES = list(_cases())


def _refused(template: Path, folder: Path, answers: dict[str, Any]) -> str:
    with pytest.raises((ValueError, TypeError)) as refused:
        copier.run_copy(str(template), folder, data=answers, defaults=True, quiet=True)
    assert not folder.exists(), "something was written"
    return str(refused.value)


@pytest.mark.parametrize(("question", "message", "answers"), CASES, ids=[f"{q}-{m}" for q, m, _ in CASES])
def test_the_line_says_what_would_be_right(
    question: str, message: str, answers: list[Any], validate: Validate, questionnaire: Path, tmp_path: Path
) -> None:
    said = _refused(questionnaire, tmp_path / "project", {question: answers[0]})

    assert said == f"Validation error for question '{question}': {message}"
    assert len(said) <= 80, "a terminal of 80 columns cuts it"
    assert [(answer, validate(question, answer)) for answer in answers] == [(answer, message) for answer in answers]


@pytest.mark.parametrize(
    ("question", "answer", "choices"),
    [
        ("targets", ["docker", "windows"], "'windows' is not in ['docker', 'desktop', 'library']"),
        ("targets", ["Docker"], "'Docker' is not in ['docker', 'desktop', 'library']"),
        ("targets", "[docker, windows]", "'windows' is not in ['docker', 'desktop', 'library']"),
        ("license", "GPL", "'GPL' is not in ['MIT', 'BSD-3-Clause', 'Apache-2.0', 'GPL-3.0-or-later', 'Proprietary']"),
        ("python_version", "3.10", "'3.10' is not in ['3.11', '3.12', '3.13', '3.14']"),
        ("release_gate", "nobody", "'nobody' is not in ['automatic', 'manual']"),
        ("index", "npm", "'npm' is not in ['gitea', 'pypi', 'both']"),
    ],
)
def test_what_is_no_choice_is_answered_with_the_choices(
    question: str, answer: Any, choices: str, questionnaire: Path, tmp_path: Path
) -> None:
    said = _refused(questionnaire, tmp_path / "project", {"targets": ["library"], question: answer})

    assert said == f"Invalid choice for '{question}': {choices}"


def test_no_free_text_is_left_out(questions: dict[str, dict[str, Any]]) -> None:
    free = [name for name, details in questions.items() if "choices" not in details and details.get("type") != "bool"]

    assert [name for name in free if questions[name].get("when") is not False and name not in TABLE] == []


def test_the_longest_answer_is_taken(validate: Validate) -> None:
    for question, most in LONGEST.items():
        beginning = BEGINNINGS.get(question, "")
        assert validate(question, beginning + "a" * (most - len(beginning))) == "", question


def test_an_answer_to_a_question_that_is_not_asked_must_be_right_as_well(questionnaire: Path, tmp_path: Path) -> None:
    said = _refused(questionnaire, tmp_path / "project", {"targets": ["library"], "port": "80"})

    assert said == "Validation error for question 'port': Choose 1024 to 65535, for example 8765."


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("description=a\nb", "Validation error for question 'description': Write one line of plain text."),
        (b"author_name=\xff", "Validation error for question 'author_name': Write one line of plain text."),
        ("targets=[]", "Validation error for question 'targets': Choose docker, desktop and/or library."),
        ("targets=[windows]", "Invalid choice for 'targets': 'windows' is not in ['docker', 'desktop', 'library']"),
        ("targets=docker", "Not a YAML list: 'docker'"),
        ("port=80", "Validation error for question 'port': Choose 1024 to 65535, for example 8765."),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_on_the_command_line_the_last_line_says_it(
    data: str | bytes, line: str, questionnaire: Path, tmp_path: Path
) -> None:
    """After Copier's own traceback, which it prints for a wrong --data."""
    folder = tmp_path / "project"

    result = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", "-d", data, str(questionnaire), str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": str(Path(sys.executable).parent), "LANG": "C.UTF-8", "HOME": str(tmp_path)},
    )

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].partition("Error: ")[2] == line
    assert not folder.exists(), "something was written"
