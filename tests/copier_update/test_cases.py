"""What people do to a project between two updates, and with an update: what do they see, and what is lost?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.answers import Answers, answers_for
from tests.conftest import REPOSITORY, git
from tests.copier_update.conftest import Living, MakeLiving, owner
from tests.copier_update.history import ADDED, DROPPED, QUESTION, RENAMED, SYNTHETIC, newest

pytestmark = pytest.mark.slow

ICON = b"\0an icon of one's own"
OLDEST = SYNTHETIC[0]
NOTHING = "All that is yours is still there.\n"


def review(project: Living, *arguments: str) -> tuple[int, str]:
    """Run what `make review-update` runs."""
    result = subprocess.run(
        [sys.executable, "scripts/review_update.py", *arguments],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.stderr == ""
    return result.returncode, result.stdout


@pytest.mark.parametrize(
    ("content", "has_git", "reason"),
    [
        (b"_src_path: \xff\n", True, ".copier-answers.yml did not say where the template is."),
        (b"_src_path: \x00\n", True, ".copier-answers.yml did not say where the template is."),
        (b"_src_path: 1\n", False, "git is missing; install it (apt install git)."),
    ],
)
def test_what_cannot_be_reviewed_is_one_clear_line(tmp_path: Path, content: bytes, has_git: bool, reason: str) -> None:
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(REPOSITORY / "template/scripts/review_update.py", tmp_path / "scripts")
    (tmp_path / ".copier-answers.yml").write_bytes(content)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "First")
    env = os.environ if has_git else {**os.environ, "PATH": str(tmp_path)}
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=env)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"review-update: {reason}\n")


def test_files_that_are_deleted_replaced_or_no_longer_there(living: MakeLiving) -> None:
    project = living(OLDEST, answers_for(["docker", "desktop"], package_name="sample"))
    for name in ("compose.yaml", "scripts/signing.py", "CHANGELOG.md"):
        project.path(name).unlink()
    for name in (RENAMED[0], DROPPED):
        project.write(name, project.text(name) + "mine\n")
    project.write(ADDED, "# mine\n")  # the template has a file of that name since
    project.path("scripts/icon.ico").write_bytes(ICON)
    project.write("scripts/trim.toml", "# mine\n")
    script = project.path("scripts/windows/start-hidden.vbs")
    script.write_bytes(script.read_bytes().replace(b"\r\n", b"\n"))  # as some editors do
    project.commit()
    assert project.status() == ""

    project.update()

    assert project.conflicts() == {ADDED}
    assert project.text(ADDED).startswith("<<<<<<< before updating\n# mine\n=======\n")
    assert not project.path("compose.yaml").exists()
    assert not project.path("scripts/signing.py").exists()
    assert project.path("scripts/icon.ico").read_bytes() == ICON
    assert project.text("scripts/trim.toml") == "# mine\n"
    assert b"<<<<" not in script.read_bytes()
    assert script.read_bytes().count(b"\n") == script.read_bytes().count(b"\r\n")
    # These Copier does without a word.
    assert project.path("CHANGELOG.md").exists()
    assert not project.path(RENAMED[0]).exists()
    assert not project.path(DROPPED).exists()
    status, said = review(project)
    assert status == 1
    assert said.splitlines() == [
        "Not kept:",
        f"  {RENAMED[0]}: gone, with 1 line of yours, such as `mine`",
        f"  {DROPPED}: gone, with 1 line of yours, such as `mine`",
        "  CHANGELOG.md: there again, you had deleted it",
        "Take a file back with: git restore --source=HEAD FILE",
    ]

    git(project.root, "restore", "--source=HEAD", DROPPED)
    project.path("CHANGELOG.md").unlink()
    project.write(ADDED, "# mine\n")
    project.commit("Update")
    assert review(project, "--since", "HEAD~1")[1].splitlines()[1:-1] == [said.splitlines()[1]]
    project.update()
    assert project.status() == "?? CHANGELOG.md\n"  # again
    assert project.text(DROPPED).endswith("mine\n")


def test_a_target_switched_off(living: MakeLiving) -> None:
    """What it brought goes, edited or not; what is edited is said, and may be taken back."""
    answers = answers_for(["docker", "desktop"], package_name="sample")
    project = living(newest(), answers)
    project.write("Dockerfile", project.text("Dockerfile") + "# mine\n")
    project.path("scripts/icon.ico").write_bytes(ICON)
    code = [
        name for name in project.files() if owner(name, answers) == "you" and name.startswith(("src", "tests", "front"))
    ]
    own = ["scripts/linux/mine.sh", "src/sample/mine.py", "frontend/src/mine.ts"]
    for name in own:
        project.write(name, "mine\n")
    project.commit()
    before = project.files()

    project.update(targets=["library"])

    after = project.files()
    assert project.conflicts() == set()
    assert not [name for name in after if name.startswith("scripts/windows/") or name == "Dockerfile"]
    assert [name for name in [*code, *own] if after.get(name) != before[name]] == []
    assert review(project) == (
        1,
        "Not kept:\n"
        "  Dockerfile: gone, with 1 line of yours, such as `# mine`\n"
        "  scripts/icon.ico: gone, it was a file of yours\n"
        "  src/sample/instance.py: gone, and still imported by src/sample/server.py, tests/test_server.py\n"
        "  src/sample/update/__init__.py: gone, and still imported by src/sample/app.py\n"
        "  src/sample/update/settings.py: gone, and still imported by src/sample/settings.py\n"
        "Take a file back with: git restore --source=HEAD FILE\n",
    )
    git(project.root, "restore", "--source=HEAD", "Dockerfile", "src/sample/instance.py", "src/sample/update")
    assert "still imported" not in review(project)[1]
    project.check_settled()
    assert project.text("Dockerfile").endswith("# mine\n")
    assert project.path("src/sample/instance.py").exists()


def test_a_target_switched_on(living: MakeLiving, fresh: Callable[[Answers], Living]) -> None:
    """Its files come, its starter code does not; where the dependencies change places a person decides."""
    answers = answers_for(["docker"], package_name="sample", frontend=False)
    project = living(OLDEST, answers)
    project.replace("pyproject.toml", '    "fastapi', '    "mine>=1",\n    "fastapi')
    project.commit()

    project.update(targets=["docker", "library"])

    new = fresh(answers | {"targets": ["docker", "library"]}).files()
    assert project.conflicts() == {"pyproject.toml"}
    after = project.files()
    code = {name for name in new if name.startswith(("src/", "tests/"))}
    assert {name for name in new if name not in after} == code - {*after}
    text = project.text("pyproject.toml")
    assert [line in text.splitlines() for line in ('    "mine>=1",', "dependencies = []", "app = [")] == [True] * 3
    assert review(project) == (0, NOTHING)
    project.path("pyproject.toml").write_bytes(new["pyproject.toml"])
    project.commit("Update")
    project.check_settled()


def test_answers_are_changed(living: MakeLiving, fresh: Callable[[Answers], Living]) -> None:
    """The surroundings follow, the user's files stay; a question that is new has its default until it is answered."""
    answers = answers_for(["docker"], package_name="sample", project_slug="sample")
    project = living(OLDEST, answers)
    assert QUESTION not in yaml.safe_load(project.text(".copier-answers.yml"))
    project.replace("pyproject.toml", '    "fastapi', '    "mine>=1",\n    "fastapi')
    project.replace("Makefile", "help:", "mine:\n\ttrue\n\nhelp:")
    project.commit()
    before = project.files()

    project.update()
    answered = yaml.safe_load(project.text(".copier-answers.yml"))
    assert answered[QUESTION] == "automatic"
    project.commit("Update")
    changed = {"project_name": "Another", "python_version": "3.14", "description": "New.", QUESTION: "manual"}
    project.update(**changed)

    assert project.conflicts() == set()
    new = fresh(answers | {name: answered[name] for name in ("repo_name", "repo_owner")} | changed).files()
    after = project.files()
    assert {*after} == {*new}
    for name in ("README.md", "src/sample/__init__.py"):
        assert after[name] == before[name]
    for name in (".python-version", "Dockerfile", ".gitea/workflows/publish.yml", ".copier-answers.yml"):
        assert after[name] == new[name], name
    edited = new["pyproject.toml"].replace(b'    "fastapi', b'    "mine>=1",\n    "fastapi')
    assert after["pyproject.toml"] == edited
    assert review(project) == (0, NOTHING)
    project.check_settled()


def test_the_source_moves_into_a_folder(living: MakeLiving, fresh: Callable[[Answers], Living]) -> None:
    """As docs/how-to/update-a-project.md says: Copier knows of no moves, so what is the user's is moved by hand."""
    answers = answers_for(["docker"], package_name="sample")
    project = living(newest(), answers)
    project.replace("pyproject.toml", '    "fastapi', '    "mine>=1",\n    "fastapi')
    project.commit()
    before = project.files()

    project.update(source_dir="server")

    assert review(project) == (
        1,
        "Not kept:\n"
        '  pyproject.toml: gone, with 1 line of yours, such as `"mine>=1",`\n'
        "Take a file back with: git restore --source=HEAD FILE\n",
    )
    git(project.root, "restore", "pyproject.toml")
    for folder in ("server/src", "server/tests"):
        shutil.rmtree(project.path(folder))  # empty ones
    git(project.root, "mv", "--force", "pyproject.toml", "src", "tests", "server")
    after = project.files()
    assert {*after} == {*fresh(answers | {"source_dir": "server"}).files()}
    assert {name: after[f"server/{name}"] for name in before if name.startswith(("src/", "tests/", "pyproject"))} == {
        name: content for name, content in before.items() if name.startswith(("src/", "tests/", "pyproject"))
    }
    project.check_settled()


def test_the_package_has_another_name(living: MakeLiving) -> None:
    """As docs/how-to/update-a-project.md says: what is in the package moves by hand."""
    project = living(newest(), answers_for(["desktop"], package_name="sample", frontend=False))
    project.write("src/sample/mine.py", "mine\n")
    project.commit()
    before = project.files()

    project.update(package_name="another")

    status, said = review(project)
    assert status == 1
    assert [line.partition(":")[0].strip() for line in said.splitlines()[1:-1]] == [
        f"src/sample/{name}" for name in ("instance.py", "update/__init__.py", "update/settings.py")
    ]
    git(project.root, "restore", "src")
    shutil.rmtree(project.path("src/another"))
    git(project.root, "mv", "src/sample", "src/another")
    after = project.files()
    package = {name: content for name, content in before.items() if name.startswith("src/sample/")}
    assert {name.replace("sample", "another", 1): content for name, content in package.items()}.items() <= after.items()
    assert not [name for name in after if name.startswith("src/sample/")]
    assert 'module-name = "another"' in project.text("pyproject.toml")
    project.check_settled()


def test_an_update_that_is_killed(living: MakeLiving, pytestconfig: pytest.Config) -> None:
    """Half of the files are there: the next update refuses, git takes it back, and then it goes as ever."""
    answers = answers_for(["docker"], package_name="sample", frontend=False)
    project, whole = living(OLDEST, answers), living(OLDEST, answers)
    for each in (project, whole):
        each.write(".gitignore", each.text(".gitignore") + "local/\n")
        each.commit()
    project.write("local/notes", "mine\n")  # git knows nothing of it
    before = project.files()
    whole.update()
    for part in (0.05, 0.3, 0.6, 0.9) if pytestconfig.getoption("--series") == "all" else [0.5]:
        process = updating(project)
        while len(project.status().splitlines()) < len(whole.status().splitlines()) * part:
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert project.status() != whole.status()
        project.path(".git/index.lock").unlink(missing_ok=True)  # if git was killed as well

        assert "Destination repository is dirty; cannot continue." in updating(project).communicate()[0]
        git(project.root, "reset", "--quiet", "--hard")
        git(project.root, "clean", "--quiet", "--force", "-d")
        assert project.status() == ""
        assert project.files() == before
        assert project.text("local/notes") == "mine\n"
    project.update()
    assert project.files() == whole.files()


def updating(project: Living) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "copier", "update", "--defaults"]
    return subprocess.Popen(
        command,
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_after_an_update_commands_are_named(living: MakeLiving) -> None:
    project = living(OLDEST, answers_for(["library"], package_name="sample"))
    said = updating(project).communicate()[0]
    commands = [line.split("#")[0].strip() for line in said.splitlines() if line.startswith("  ")]
    assert commands == ["git diff", "make review-update", "make setup", "make check"], said
