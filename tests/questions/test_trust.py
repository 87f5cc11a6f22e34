"""A copy needs no trust and gives the same each time; copier.yml and the template speak of the same names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from copier.errors import UserMessageError
from jinja2 import UndefinedError, meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from tests.answers import AWKWARD
from tests.conftest import REPOSITORY

TEMPLATE = REPOSITORY / "template"
INCLUDES = REPOSITORY / "includes"
FROM_COPIER = {"_copier_answers", "_copier_conf", "_copier_operation"}


def _copy(template: Path, folder: str | Path, *data: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the real `copier copy` as a newcomer does: no --trust, no settings of their own."""
    answers = [part for answer in data for part in ("--data", answer)]
    return subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", *answers, str(template), str(folder)],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
    )


def _contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_copies_without_trust_are_the_same_bytes_wherever_they_are(template: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "Meine Projekte (ä, 日本)" / "mit 'Namen'"]
    data = [
        "targets=[docker, desktop, library]",
        f"project_name={AWKWARD['code']['project_name']}",
        "project_slug=same",
    ]
    results = [_copy(template, folder, *data, cwd=tmp_path) for folder in folders]

    assert [result.returncode for result in results] == [0, 0], results[0].stderr + results[1].stderr
    assert _contents(folders[0]) == _contents(folders[1])
    answers = yaml.safe_load((folders[0] / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["_commit"] == "v0.1.0"
    assert answers["_src_path"] == str(template)


def test_the_defaults_make_a_project(template: Path, tmp_path: Path) -> None:
    result = _copy(template, "myapp", cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    assert "unsafe" not in result.stderr.lower()
    assert (tmp_path / "myapp" / "README.md").read_text(encoding="utf-8").startswith("# My App\n")


def test_copier_yml_asks_for_nothing_that_needs_trust(config: dict[str, Any]) -> None:
    """One task, even one that never runs, makes Copier refuse, then and in every later update from that version."""
    assert {"_tasks", "_jinja_extensions", "_migrations"} & config.keys() == set()


def test_copier_yml_is_short_and_in_order(questions: dict[str, dict[str, Any]]) -> None:
    assert len((REPOSITORY / "copier.yml").read_text(encoding="utf-8").splitlines()) < 170
    hidden = [details.get("when") is False for details in questions.values()]
    assert hidden == sorted(hidden), "hidden values come last"


def test_every_question_has_help_and_default(questions: dict[str, dict[str, Any]]) -> None:
    for name, details in questions.items():
        assert "default" in details, name
        assert details.get("when") is False or details["help"], name


def test_nothing_is_used_before_it_is_asked(
    questions: dict[str, dict[str, Any]], environment: SandboxedEnvironment
) -> None:
    known: set[str] = set()
    for name, details in questions.items():
        for part, text in details.items():
            allowed = known | {name} if part in {"validator", "when"} else known  # the answer of an earlier copy
            assert _undeclared(environment, str(text)) <= allowed, f"{name}: {part}"
        known.add(name)


def test_what_templates_use_is_asked_and_what_is_asked_is_used(
    questions: dict[str, dict[str, Any]], environment: SandboxedEnvironment
) -> None:
    used: set[str] = set()
    for where, text in _template_texts():
        names = _undeclared(environment, text)
        assert names <= questions.keys() | FROM_COPIER, where
        used |= names
    for name in reversed(questions):  # a hidden value is used, then so is what it is derived from
        if name in used and questions[name].get("when") is False:
            used |= _undeclared(environment, questions[name]["default"])

    assert questions.keys() - used == set()


def test_imported_macros_look_at_their_arguments_only(
    questions: dict[str, dict[str, Any]], environment: SandboxedEnvironment
) -> None:
    """Jinja imports without the answers: a name from outside would be undefined, and only for some answers."""
    validators = [(name, str(part)) for name, details in questions.items() for part in details.values()]
    imported: set[str] = set()
    for _, text in [*_template_texts(), *validators]:
        parsed = environment.parse(text)
        imported |= {node.template.as_const() for node in parsed.find_all(nodes.Import)}
        imported |= {node.template.as_const() for node in parsed.find_all(nodes.FromImport)}

    assert {"includes/names.jinja", "includes/checks.jinja"} <= imported
    for name in imported:
        assert _undeclared(environment, (REPOSITORY / name).read_text(encoding="utf-8")) == set(), name


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("typo.txt.jinja", "{= porject_name =}"),
        ("condition.txt.jinja", "{% if has_dokcer %}x{% endif %}"),
        ("{% if has_dokcer %}path.txt{% endif %}", "x"),
    ],
)
def test_a_name_that_nobody_asks_for_stops_the_copy(path: str, text: str, questionnaire: Path, tmp_path: Path) -> None:
    planted = tmp_path / "template"
    shutil.copytree(questionnaire, planted)
    (planted / "template" / path).write_text(text, encoding="utf-8")

    with pytest.raises((UndefinedError, UserMessageError), match="is undefined"):
        copier.run_copy(str(planted), tmp_path / "project", defaults=True, quiet=True)


def _undeclared(environment: SandboxedEnvironment, text: str) -> set[str]:
    return meta.find_undeclared_variables(environment.parse(text))


def _template_texts() -> Iterator[tuple[str, str]]:
    """Everything that Copier renders: names of files, files, what they include, and its own settings."""
    for path in sorted(TEMPLATE.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(TEMPLATE))
            yield name, name
            if name.endswith(".jinja"):
                yield name, path.read_text(encoding="utf-8")
    for path in sorted(INCLUDES.rglob("*")):
        if path.is_file():
            yield path.name, path.read_text(encoding="utf-8")
    config = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    yield "copier.yml", "\n".join(config["_exclude"])
