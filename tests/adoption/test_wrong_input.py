"""What adopt-project says to a word of the command line that cannot be right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adoption.conftest import Adopt
from tests.adoption.samples import write
from tests.answers import answers_for
from tests.conftest import REPOSITORY, Render, git


def test_each_gets_its_hint(
    sample: Callable[[str], Path], adopt: Adopt, template: Path, tmp_path: Path, render: Render
) -> None:
    root = sample("flat")
    project = str(render(answers_for(["library"])))
    answers_file = "{{ _copier_conf.answers_file }}.jinja"
    other = write(
        {"copier.yml": "project_slug: x\n", answers_file: "{{ _copier_answers|to_nice_yaml }}"}, tmp_path / "other"
    )
    git(other, "tag", "v1.0.0")

    def said(*options: str) -> str:
        (line,) = adopt(root, "--defaults", *options, returncode=1).stderr.splitlines()
        return line.removeprefix("adopt-project: ")

    assert said("-d", "prot=9000", str(template)).startswith(
        "-d prot: there is no such question; there are project_name, "
    )
    assert (
        said("-d", "targets=docker", str(template)) == "Not a YAML list: 'docker' (a list looks like [docker, library])"
    )
    assert said(str(tmp_path / "nowhere")).endswith("(give its address, or the folder of a clone)")
    assert said("--vcs-ref", "v99", str(template)).endswith(
        "(--vcs-ref takes a tag, a branch or a commit of the template)"
    )
    assert said(project) == f"{project} is no template: it has no questions."
    assert said(str(other)) == f"{other} is another template: adopt-project is for gitea-py-template."
    assert not (root / ".copier-answers.yml").exists()


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("PATH", "", "There is no git: install it."),
        ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", "{root} cannot be read by git: fatal: detected dubious ownership "),
    ],
)
def test_what_is_wrong_with_git_is_said(
    variable: str, value: str, line: str, sample: Callable[[str], Path], adopt: Adopt, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sample("flat")
    monkeypatch.setenv(variable, value)
    (said,) = adopt(root, returncode=1).stderr.splitlines()
    assert said.startswith(f"adopt-project: {line.format(root=root)}")


def test_without_its_extra_the_command_names_it() -> None:
    program = "import sys; sys.modules['copier'] = None; from adoption.__main__ import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", program], check=False, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr == "adopt-project: copier is not there: install gitea-py-template[adopt], with it.\n"
