"""Each kind of project, from `make setup` to its first commit, as a newcomer takes it there."""

from __future__ import annotations

import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.answers import AWKWARD, TARGETS, Answers
from tests.conftest import Render
from tests.support.projects import Project, mypy_cache, newcomer
from tests.support.tools import run

pytestmark = pytest.mark.slow

# All subsets; each Python, each place of the source and each awkward name at least once, the others in turn.
PROJECTS: dict[str, Answers] = {
    "docker": {"targets": ["docker"], "python_version": "3.14", "source_dir": "server", "frontend": True},
    "desktop": {"targets": ["desktop"], "python_version": "3.12", "frontend": False, "tkinter": True},
    "library": {"targets": ["library"], "python_version": "3.13", "source_dir": "server", "index": "both"},
    "docker-desktop": {"targets": ["docker", "desktop"], "python_version": "3.11", "frontend": False},
    "docker-library": {
        "targets": ["docker", "library"],
        "python_version": "3.12",
        "frontend": False,
        "auto_update": True,
        "index": "pypi",
    },
    "desktop-library": {"targets": ["desktop", "library"], "python_version": "3.14", "frontend": True},
    "all-code": {
        "targets": [*TARGETS],
        "python_version": "3.13",
        "source_dir": "server",
        "frontend": True,
        "tkinter": True,
    },
    "all-unicode": {"targets": [*TARGETS], "python_version": "3.11", "frontend": False, "auto_update": False},
}
# Their workflows run too, in fresh clones: the longest without a frontend; in whole series that with one as well.
WITH_WORKFLOW = {"sample": {"docker-library"}, "all": {"docker-library", "docker"}}
# Their wheels are tested with these; the workflow of docker-library does it with the lowest, on the newest Python.
WITH_DEPENDENCIES = {"library": "highest", "all-code": "lowest"}
NAMES = ["first", "stdlib", "digits", "dependency", "last", "server", "code", "unicode"]


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Path]:
    """Give a folder from which the bulk is gone afterwards: a project brings hundreds of megabytes."""
    yield tmp_path
    for bulk in [*tmp_path.glob("project/**/.venv"), *tmp_path.glob("project/frontend/node_modules")]:
        shutil.rmtree(bulk)


@pytest.mark.parametrize(("kind", "name"), list(zip(PROJECTS, NAMES, strict=True)))
def test_from_setup_to_the_first_commit(
    kind: str,
    name: str,
    render: Render,
    session_folder: Path,
    workplace: Path,
    pytestconfig: pytest.Config,
    subtests: pytest.Subtests,
) -> None:
    answers = {"project_name": "Sample"} | PROJECTS[kind] | AWKWARD[name]
    has_web = bool({"docker", "desktop"} & set(answers["targets"]))
    has_library = "library" in answers["targets"]
    has_frontend = bool(answers.get("frontend"))
    root = workplace / "project"
    shutil.copytree(render(answers), root, symlinks=True)
    rendered = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}
    project = Project(root, newcomer(workplace) | mypy_cache(session_folder))
    in_source = project.source.relative_to(root)
    locks = {str(in_source / "uv.lock"), *(["frontend/package-lock.json"] if has_frontend else [])}

    with subtests.test("before make setup, one line names it"):
        lines = project.make("check", returncode=2).splitlines()
        expected = f"{in_source / 'uv.lock'} is missing: run 'make setup' and commit it."
        assert [line for line in lines if not line.startswith("make")] == [expected]

    project.make("setup")
    with subtests.test("make setup adds the lock files only"):
        assert project.files() == rendered | locks
    with subtests.test("the chosen Python"):
        version = run([project.source / ".venv/bin/python", "--version"]).stdout
        assert version.startswith(f"Python {answers['python_version']}.")
    with subtests.test("make help lists the commands of these targets"):
        listed = set(re.findall(r"^  make (\S+) +\S", project.make("help"), re.MULTILINE))
        assert listed == commands(has_web=has_web, has_library=has_library, answers=answers)

    said = project.make("check")
    with subtests.test("make check shows the coverage"):
        assert re.search(r"^TOTAL .* \d+%$", said, re.MULTILINE)
        assert (project.source / "htmlcov/index.html").is_file()
    with subtests.test("make check leaves nothing behind"):
        assert project.files() == rendered | locks

    with subtests.test("the first commit passes the hooks"):
        project.git("add", "--all")
        project.git("commit", "--quiet", "--message", "First")
        assert project.git("status", "--porcelain") == ""

    if kind in WITH_WORKFLOW[pytestconfig.getoption("series")]:
        with subtests.test("the workflow's commands, all of make check among them, pass in a fresh clone"):
            assert run_workflow(project, workplace / "clone") >= checks(project)

    with subtests.test("a second make setup is quick and changes nothing"):
        start = time.monotonic()
        project.make("setup")
        assert project.git("status", "--porcelain") == ""
        assert time.monotonic() - start < 20  # npm takes most of it

    with subtests.test("make wheel stamps the version into the wheel only"):
        project.make("wheel", "VERSION=1.2.3-rc.1")
        check_wheel(project, has_web=has_web, has_frontend=has_frontend)
        assert project.git("status", "--porcelain") == ""

    if has_frontend:
        with subtests.test("a file of the frontend may have a space in its name"):
            logo = root / "frontend/public/My Logo.svg"
            logo.write_text("<svg/>")
            project.make("frontend")
            assert list(project.package.glob("static/My Logo.svg"))
            logo.unlink()

    if dependencies := WITH_DEPENDENCIES.get(kind):
        (root / "dist/another_name-1.0-py3-none-any.whl").touch()  # of before the project was renamed
        with subtests.test(f"the tests pass against the wheel with the {dependencies} dependencies"):
            assert " passed" in project.make("check-wheel", f"DEPENDENCIES={dependencies}")

    if has_web:
        with subtests.test("the app starts, answers and stops"):
            check_app(project, workplace / "data", answers)

    with subtests.test("no text of an answer ran as code"):
        assert not [path for path in workplace.rglob("pwned") if "node_modules" not in path.parts]


def commands(*, has_web: bool, has_library: bool, answers: Answers) -> set[str]:
    """Give the commands that a project must have, from its README's point of view."""
    names = {"help", "setup", "check", "check-python", "check-tests", "check-scripts", "format", "wheel", "clean"}
    names |= {"tag-release", "review-update"}
    if has_web:
        names |= {"run"}
    if answers.get("frontend"):
        names |= {"frontend", "check-frontend"}
    if has_library:
        names |= {"check-wheel"}
    if "docker" in answers["targets"]:
        names |= {"image", "check-image"}
    if "desktop" in answers["targets"]:
        names |= {"bundle", "bundle-windows"}
    return names


def checks(project: Project) -> set[str]:
    """Give the commands that `make check` comes to."""
    makefile = (project.root / "Makefile").read_text(encoding="utf-8")
    (names,) = re.findall(r"^check: (.+) ##", makefile, re.MULTILINE)
    return {f"make {name}" for name in names.split()}


def run_workflow(project: Project, folder: Path) -> set[str]:
    """Run the commands of test.yml, each job in a clone of its own, with the last values of its matrix; gives them."""
    ran = set()
    workflow = yaml.safe_load((project.root / ".gitea/workflows/test.yml").read_text(encoding="utf-8"))
    for name, job in workflow["jobs"].items():
        if "if" in job:
            continue  # needs a server with a registry: tests/gitea
        project.git("clone", "--quiet", str(project.root), str(folder / name))
        clone = Project(folder / name, dict(project.environment))
        clone.environment.update(environment_of(job))
        for command in [step["run"] for step in job["steps"] if "run" in step]:
            run(["bash", "-euo", "pipefail", "-c", command], cwd=clone.root, env=clone.environment)
            ran.add(command.strip())
        assert clone.git("status", "--porcelain") == ""
        shutil.rmtree(clone.root)
    return ran


def environment_of(job: dict[str, Any]) -> dict[str, str]:
    """Give a job's variables, the last value of its matrix for each that comes from there."""
    matrix = job.get("strategy", {}).get("matrix", {})
    expressions = {f"${{{{ matrix.{name} }}}}": values[-1] for name, values in matrix.items()}
    return {name: expressions.get(value, value) for name, value in job.get("env", {}).items()}


def check_wheel(project: Project, *, has_web: bool, has_frontend: bool) -> None:
    (wheel,) = project.root.glob("dist/*.whl")
    (sdist,) = project.root.glob("dist/*.tar.gz")
    assert sdist.name.endswith("-1.2.3rc1.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        headers = message_from_bytes(archive.read(metadata))
    package = project.package.name
    assert (headers["Name"], headers["Version"]) == (project.slug, "1.2.3rc1")
    assert f"{package}/py.typed" in names
    assert {f"{package}/static/index.html", f"{package}/settings.example.toml"} <= names or not has_web
    assert any(re.fullmatch(rf"{package}/static/assets/.+\.js", name) for name in names) or not has_frontend
    assert {name.partition("/")[0] for name in names} == {package, metadata.partition("/")[0]}


def check_app(project: Project, data: Path, answers: Answers) -> None:
    with project.app(data) as app:
        assert app.wait() == {"status": "ok", "version": "0.0.0", "ready": True}
        assert app.json("/system/info")["name"] == answers["project_name"]
        kind, page = app.get("/")
        assert kind == "text/html"
        assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.decode())
        assert assets
        for asset in assets:
            assert app.get(asset)[1], asset
        returncode, seconds = app.stop()
        assert returncode == 0, app.errors()
        assert seconds < 5
