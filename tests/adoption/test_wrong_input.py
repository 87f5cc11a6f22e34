"""What adopt-project says to a word of the command line that cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.adoption.conftest import Adopt
from tests.answers import answers_for
from tests.conftest import Render


def test_each_gets_its_hint(
    sample: Callable[[str], Path], adopt: Adopt, template: Path, tmp_path: Path, render: Render
) -> None:
    root = sample("flat")
    project = str(render(answers_for(["library"])))

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
    assert not (root / ".copier-answers.yml").exists()
