"""Every wrong answer gets one line that says what would be right, and nothing is written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import copier
import pytest

from tests.questions.conftest import Validate

PLAIN = "Write one line of plain text."
NOT_EMPTY = "Write at least one character."
NO_BLANKS = "Leave out the blanks at the ends."
SLUG = "Use a-z, 0-9 and -, like my-app."
PACKAGE = "Use a-z, 0-9 and _, like my_app."
FIRST = "Begin with a letter or a digit."
FOLDER = "Use '.' or one folder, like server."
EMAIL = "Like ada@example.com, or nothing."
URL = "Like https://gitea.example.com."
OWNER = "As in its address, like ada or acme."
REPOSITORY = "Use letters, digits, '.', '_', '-'."
BRANCH = "Like main: letters, digits, ._-/"
PORT = "Choose 1024 to 65535, for example 8765."
TAKEN_SLUG = "Taken in the project; add -app."

# What no line of text may hold: ends of lines (of Unicode too), control characters (NUL, ESC, DEL, C1), halves of a character,
# signs that turn the text round or that nobody sees.
UNPRINTABLE = [
    *("a\nb", "a\n", "\na", "a\rb", "a\r\nb", "a\x0bb", "a\x0cb", "a\x85b", "a\u2028b", "a\u2029b"),
    *("a\tb", "a\x00b", "\x1b[31ma", "a\x7f", "a\x9bb", "\ud800", "a\udcffb", "a\u202eb", "a\u2066b", "\ufeffa", "a\uffff"),
]
FREE_TEXT = {"project_name": 60, "description": 200, "author_name": 100}
LINES_AND_CODE = ["a\n", "\na", "a\nb", "a\x00", "a\udcff", "$(id)", "`id`", "a b", "a'b", 'a"b', "a\\b", "{= 1 =}", "a;b", "ä"]

WRONG: dict[str, dict[str, Iterable[Any]]] = {
    **{
        question: {
            NOT_EMPTY: ["", " ", "\t", "\n"],
            PLAIN: UNPRINTABLE,
            NO_BLANKS: [" a", "a ", "\u00a0a"],
            f"Write at most {most} characters.": ["a" * (most + 1), "日" * (most + 1)],
        }
        for question, most in FREE_TEXT.items()
    },
    "author_email": {
        EMAIL: [
            *("ada", "@", "ada@", "@example.com", "ada example.com", "ada@ex@ample.com", "a..b@example.com", ".a@example.com"),
            *("ada@example..com", "ada@-example.com", "ada@example.com.", "Ada <ada@example.com>", " ", "a b@example.com"),
            *('"a"@example.com', "a@b\n", "\na@b", "a\x00@b", "a\udcff@b", "ä@example.com", "$(id)@b;c", "`id`@b", "{= 1 =}@b"),
        ],
        "Write at most 100 characters.": ["a" * 98 + "@b.c"],
    },
    "project_slug": {
        SLUG: ["", "My-App", "ÄPP", "my app", "my_app", "my/app", "../app", "my\\app", "-app", "app-", "my--app", ".", *LINES_AND_CODE],
        TAKEN_SLUG: ["fastapi", "pre-commit", "pytest", "uv", "python", "git", "scripts", "tests", "con", "nul"],
        "Write at most 50 characters.": ["a" * 51],
    },
    "package_name": {
        PACKAGE: ["", "My_App", "my-app", "my app", "my.app", "my/app", "../app", "_app", ".", *LINES_AND_CODE],
        "Begin with a letter, like my_app.": ["3d", "1"],
        "Taken by Python; add _app.": ["class", "match", "none", "email", "test", "tkinter", "tomllib"],
        "Taken in the project; add _app.": ["fastapi", "pydantic_settings", "tests", "yaml", "aux"],
        "Write at most 60 characters.": ["a" * 61],
    },
    "gitea_url": {
        "Begin with https:// or http://.": [
            *("", "gitea.example.com", "git@gitea.example.com:ada/x", "ssh://gitea.example.com", "//gitea.example.com", "javascript:1"),
            *("file:///etc/passwd", "HTTPS://gitea.example.com", " https://gitea.example.com", "\nhttps://gitea.example.com"),
        ],
        "Leave out the name and the password.": ["https://ada:secret@gitea.example.com", "https://ada@gitea.example.com/"],
        "Leave out the '/' at the end.": ["https://gitea.example.com/", "https://example.com/gitea/", "https://", "http://a//"],
        URL: [
            *("https://gitea example.com", "https://gitea.example.com?x=1", "https://gitea.example.com#x", "https://gitea..com"),
            *("https://-a.com", "https://a.com:0", "https://a.com:70000", "https://a.com:x", "https://a.com/../x", "https://a.com//x"),
            *("https://a.com\n", "https://a.com\x00", "https://a.com/\udcff", "https://ä.com", "https://a.com/$(id)", 'https://a.com/"'),
            *("https://a.com/`id`", "https://a.com/{= 1 =}", "https://a.com/a\\b", "https://a.com/%0a"),
        ],
        "Write at most 100 characters.": ["https://example.com/" + "a" * 81],
    },
    "repo_owner": {
        OWNER: ["", ".", "..", "-a", "a-", "a.", "a..b", "a_-b", "a/b", "../a", "https://a", "@ada", *LINES_AND_CODE],
        "Write at most 40 characters.": ["a" * 41],
    },
    "repo_name": {
        REPOSITORY: ["", "a/b", "../a", "a\\b", "my app", "https://a", *LINES_AND_CODE],
        FIRST: [".", "..", "-a", "_a", ".git"],
        "Leave out '.git' at the end.": ["a.git"],
        "Leave out '.wiki' at the end.": ["a.wiki"],
        "Write at most 100 characters.": ["a" * 101],
    },
    "default_branch": {
        BRANCH: ["", "a//b", "a/", "a~1", "a^", "a:b", "a?", "a*", "[a", "@", "a@{1}", *LINES_AND_CODE],
        FIRST: ["-x", "--", ".a", "a/.b", "a/-b", "/a", "..", "."],
        "Use single dots, like 1.x.": ["a..b", "a/b..c"],
        "End it without '.' or '.lock'.": ["x.lock", "x.lock/y", "x."],
        "Like main: HEAD is git's own.": ["HEAD"],
        "Write at most 100 characters.": ["a" * 101],
    },
    "targets": {"Choose docker, desktop and/or library.": [[]]},
    "source_dir": {
        FOLDER: [
            *("", "..", "../x", "/abs", "a/b", "a/", "./a", "a\\b", "C:\\a", "C:", "~", "~/a", "Server", "1a", "-a", ".a", "a..b"),
            *LINES_AND_CODE,
        ],
        "Taken in the project; try server.": ["src", "tests", "scripts", "frontend", "docs", "data", "dist", "build", "nul"],
        "Write at most 40 characters.": ["a" * 41],
    },
    "port": {
        PORT: ["", "0", "-1", "80", "443", "1023", "65536", "99999", "1e4", "0x2000", "08765", "8765.0", "http", "８７６５", "8765\n"],
    },
}
CASES = [(question, message, list(answers)) for question in WRONG for message, answers in WRONG[question].items()]


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


def test_an_answer_to_a_question_that_is_not_asked_must_be_right_as_well(questionnaire: Path, tmp_path: Path) -> None:
    said = _refused(questionnaire, tmp_path / "project", {"targets": ["library"], "port": "80"})

    assert said == f"Validation error for question 'port': {PORT}"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("project_name=", f"ValueError: Validation error for question 'project_name': {NOT_EMPTY}"),
        ("description=a\nb", f"ValueError: Validation error for question 'description': {PLAIN}"),
        (b"author_name=\xff", f"ValueError: Validation error for question 'author_name': {PLAIN}"),
        ("project_slug=Upper", f"ValueError: Validation error for question 'project_slug': {SLUG}"),
        ("targets=[]", "ValueError: Validation error for question 'targets': Choose docker, desktop and/or library."),
        ("targets=[windows]", "ValueError: Invalid choice for 'targets': 'windows' is not in ['docker', 'desktop', 'library']"),
        ("targets=docker", "TypeError: Not a YAML list: 'docker'"),
        ("port=80", f"ValueError: Validation error for question 'port': {PORT}"),
        ("source_dir=../x", f"ValueError: Validation error for question 'source_dir': {FOLDER}"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_on_the_command_line_the_last_line_says_it(data: str | bytes, line: str, template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"

    result = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", "-d", data, str(template), str(folder)],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": str(Path(sys.executable).parent), "LANG": "C.UTF-8", "HOME": str(tmp_path)},
    )

    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == line
    assert not folder.exists(), "something was written"
