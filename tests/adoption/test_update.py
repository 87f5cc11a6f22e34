"""From adoption on, `copier update` brings what is new in the template and leaves alone what is the project's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import copier
import pytest

from tests.adoption.conftest import Adopt
from tests.adoption.samples import SAMPLES
from tests.adoption.test_adopt import contents
from tests.conftest import git
from tests.copier_update.test_owners import FIX, committed, release
from tests.support.rendering import compiled_once

EVERYWHERE = (
    "template/scripts/uv.sh",
    "template/Makefile.jinja",
    "template/{=source_dir=}/pyproject.toml.jinja",
    "template/.gitignore.jinja",
    "template/.gitattributes.jinja",
    "template/.editorconfig.jinja",
    "template/.pre-commit-config.yaml.jinja",
    "template/README.md.jinja",
    "template/CHANGELOG.md",
    "template/LICENSE.jinja",
    "template/{% if has_docker %}.dockerignore{% endif %}.jinja",
    "template/{% if has_docker %}Dockerfile{% endif %}.jinja",
    "template/{% if has_docker %}compose.yaml{% endif %}.jinja",
    "template/docs/releasing.md.jinja",
    "template/.gitea{=_copier_conf.sep=}workflows/release.yml.jinja",
    "template/scripts/release.py.jinja",
    "template/{=package_dir=}/__init__.py.jinja",
    "template/{=tests_dir=}/test_package.py.jinja",
)


@pytest.fixture(scope="module")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the next version of the template, which has a line more in every file that a project may have as well."""
    return release(template, tmp_path_factory.mktemp("newer") / "template", *EVERYWHERE)


def update(root: Path, template: Path, newer: Path) -> set[str]:
    """Update the project; gives what has changed."""
    answers = root / ".copier-answers.yml"
    answers.write_text(answers.read_text(encoding="utf-8").replace(str(template), str(newer)), encoding="utf-8")
    committed(root, "The template has moved")
    with compiled_once():
        copier.run_update(root, defaults=True, overwrite=True, quiet=True, vcs_ref="v0.2.0")
    assert git(root, "ls-files", "--unmerged") == ""
    return {line[3:] for line in git(root, "status", "--porcelain", "--untracked-files=all").splitlines()}


@pytest.mark.parametrize("kind", ["poetry", "src"])
def test_a_fix_arrives_and_what_is_yours_stays(
    kind: str, sample: Callable[[str], Path], adopt: Adopt, template: Path, newer: Path
) -> None:
    check_update(sample(kind), adopt, template, newer)


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("kind", sorted(SAMPLES.keys() - {"poetry", "src"}))
def test_a_fix_arrives_in_the_other_kinds(
    kind: str, sample: Callable[[str], Path], adopt: Adopt, template: Path, newer: Path
) -> None:
    check_update(sample(kind), adopt, template, newer)


def check_update(root: Path, adopt: Adopt, template: Path, newer: Path) -> None:
    mine = contents(root)
    adopt(root)
    committed(root, "Adopted")
    with compiled_once():
        copier.run_update(root, defaults=True, overwrite=True, quiet=True, vcs_ref="v0.1.0")
    assert git(root, "status", "--porcelain") == "", "the answers are as Copier writes them"

    changed = update(root, template, newer)

    after = contents(root)
    assert {name: after[name] for name in mine} == mine
    assert {".copier-answers.yml", "scripts/uv.sh"} <= changed
    assert "?? " not in git(root, "status", "--porcelain"), "nothing is added that was not wanted"
    others = changed - {".copier-answers.yml"}
    assert [name for name in others if not (root / name).read_text(encoding="utf-8").endswith(FIX)] == []


def test_what_is_taken_off_the_list_gets_the_fixes(
    sample: Callable[[str], Path], adopt: Adopt, template: Path, newer: Path
) -> None:
    root = sample("poetry")
    adopt(root)
    (root / "Makefile").rename(root / "GNUmakefile")
    shutil.copy(root / "build/adoption/template/Makefile", root)
    adopt(root)
    committed(root, "Adopted, with the template's Makefile and one's own")

    changed = update(root, template, newer)

    assert "Makefile" in changed
    assert (root / "Makefile").read_text(encoding="utf-8").endswith(FIX)
    assert "GNUmakefile" not in changed
