"""Is a project that was updated as good as a new one: `make setup`, `make check`, its hooks at the commit?"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.answers import TARGETS, Answers, answers_for
from tests.copier_update.conftest import Living, MakeLiving, owner
from tests.copier_update.history import SYNTHETIC
from tests.support.projects import Project, newcomer
from tests.support.tools import run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("long")]

# From which version, and with which answers.
UPDATED: dict[str, tuple[str, Answers]] = {
    "library": (SYNTHETIC[0], answers_for(["library"], package_name="sample")),
    "docker": (
        SYNTHETIC[0],
        answers_for(["docker"], package_name="sample", source_dir="server", frontend=False),
    ),
    "all": (SYNTHETIC[1], answers_for(TARGETS, package_name="sample")),
}
MODULE = '''"""What I added."""


def twice(number: int) -> int:
    return 2 * number
'''
TEST = """from sample import mine


def test_twice() -> None:
    assert mine.twice(2) == 4
"""


@pytest.mark.parametrize(("version", "answers"), UPDATED.values(), ids=list(UPDATED))
def test_an_updated_project_passes_its_checks(
    version: str, answers: Answers, living: MakeLiving, fresh: Callable[[Answers], Living], tmp_path: Path
) -> None:
    updated = living(version, answers)
    # The older versions are made up: their code has never run. That of the user's who has come so far does.
    for name, content in fresh(answers).files().items():
        if owner(name, answers) == "you":
            updated.path(name).write_bytes(content)
    source = answers.get("source_dir", ".")
    updated.write(f"{source}/src/sample/mine.py", MODULE)
    updated.write(f"{source}/tests/test_mine.py", TEST)
    updated.replace(f"{source}/pyproject.toml", "    # Your own,", '    "idna>=3.4",\n    # Your own,')
    updated.write("README.md", updated.text("README.md") + "\nMine.\n")
    updated.commit()

    updated.update()

    assert updated.conflicts() == set()
    project = Project(updated.root, newcomer(tmp_path))
    assert project.make("review-update") == "All that is yours is still there.\n"
    project.make("setup")
    project.make("check")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Update")  # through the hooks
    assert project.git("status", "--porcelain") == ""
    assert "mine.py" in project.git("ls-files")
    updated.update()
    assert updated.status() == ""

    updated.write("mine.txt", "<<<<<<< before updating\nmine\n=======\nnew\n>>>>>>> after updating\n")
    updated.write("Makefile.rej", "what was not brought in\n")
    project.git("add", "--all")
    refused = run(["git", "commit", "-m", "Not settled"], cwd=updated.root, env=project.environment, returncode=1)
    said = refused.stdout + refused.stderr
    assert "mine.txt:1:<<<<<<< before updating" in said
    assert "delete the .rej file\n\nMakefile.rej" in said
    shutil.rmtree(updated.root)
