"""The generated workflows, unchanged, on a real Gitea with a runner."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.answers import AWKWARD, TARGETS, Answers
from tests.conftest import Render
from tests.gitea.conftest import Environment
from tests.support.docker import Docker
from tests.support.gitea import Owner, Repository, Run, serve
from tests.support.gitea_runner import run_jobs
from tests.support.projects import Project, newcomer
from tests.support.tools import run

pytestmark = pytest.mark.slow

SECRET = "canary-Zk3vT9qW"
SERVICE: Answers = {"project_name": "Sample", "targets": ["docker"], "frontend": False}
LIBRARY_TESTS = {
    f"tests ({dependencies}, {python})"
    for python in ("3.11", "3.12", "3.13", "3.14")
    for dependencies in ("highest", "lowest")
}


class Workplace:
    """A generated project with its lock files, committed, and its repository on the server."""

    def __init__(self, project: Project, repository: Repository) -> None:
        self.project = project
        self.repository = repository

    def commit(self, message: str) -> None:
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "--message", message)

    def push(self) -> Run:
        """Push the default branch; gives the run that it starts."""
        commit = self.repository.push(self.project.root)
        return self.repository.run(event="push", head_sha=commit)


MakeWorkplaceOf = Callable[[Owner, Answers], Workplace]
MakeWorkplace = Callable[[Answers], Workplace]


@pytest.fixture
def make_workplace(render: Render, tmp_path: Path) -> MakeWorkplaceOf:
    def make(owner: Owner, answers: Answers) -> Workplace:
        root = tmp_path / "project"
        shutil.copytree(render(answers), root, symlinks=True)
        project = Project(root, newcomer(tmp_path / "links"))
        run([root / "scripts/uv.sh", "lock", "--quiet"], cwd=project.source, env=project.environment)
        if (root / "frontend").exists():
            npm: list[str | Path] = [root / "scripts/npm.sh", "install", "--package-lock-only"]
            run(npm, cwd=root, env=project.environment)
        branch = answers.get("default_branch", "main")
        project.git("init", "--quiet", "--initial-branch", branch)
        place = Workplace(project, owner.repository(project.slug, default_branch=branch))
        place.repository.secret("SIGNING_CERTIFICATE_PASSWORD", SECRET)
        place.commit("First")
        return place

    return make


@pytest.fixture
def workplace(make_workplace: MakeWorkplaceOf, owner: Owner, runner: None) -> MakeWorkplace:
    return partial(make_workplace, owner)


def check_logs(run: Run) -> None:
    """Expect no secret in what people may read."""
    logs = run.logs()
    assert logs
    for secret in (SECRET, run.repository.owner.token, "AUTHORIZATION: basic"):
        assert secret not in logs


def check_archives(files: dict[str, bytes], name: str) -> None:
    """Expect the whole archive and the one of the app alone, which is the smaller by far."""
    sizes = {path.removeprefix(name): len(content) for path, content in files.items() if path.startswith(name)}
    suffix = ".zip" if "win" in name else ".tar.gz"
    assert sizes[suffix] > 10 * sizes[f"-app{suffix}"] > 0, sizes


@pytest.mark.usefixtures("long")
def test_a_project_with_every_target(
    workplace: MakeWorkplace,
    environment: Environment,
    docker: Docker,
    request: pytest.FixtureRequest,
    subtests: pytest.Subtests,
) -> None:
    one = workplace({"project_name": "Sample", "targets": [*TARGETS], "frontend": True})
    slug = one.project.slug
    one.repository.variable("WINDOWS_PYTHON_URL", environment["WINDOWS_PYTHON_URL"])
    pushed = one.push()
    if request.config.getoption("--series") == "all":
        with subtests.test("test.yml is green"):
            jobs = {"python", "frontend", "scripts", "unstable", *LIBRARY_TESTS}
            assert set(pushed.check(minutes=20).conclusions) == jobs
            check_logs(pushed)
    else:  # each of the eight jobs that test the library builds its frontend: minutes
        pushed.cancel()
    built = one.repository.dispatch("build.yml", version="v1.2.3-rc.1")
    with subtests.test("build.yml is green"):
        assert set(built.check().conclusions) == {"wheel", "bundle", "windows", "image"}
        check_logs(built)
    with subtests.test("the wheel and the sdist are on the run's page"):
        assert set(built.artifact("wheel")) == {f"{slug}-1.2.3rc1-py3-none-any.whl", f"{slug}-1.2.3rc1.tar.gz"}
    with subtests.test("so are the bundles for Linux and Windows"):
        name = f"{slug}-v1.2.3rc1"
        check_archives(built.artifact("bundle"), f"{name}-linux-x64")
        windows = built.artifact("windows")
        check_archives(windows, f"{name}-win-x64")
        assert windows[f"{name}-setup.exe"].startswith(b"MZ")
    with subtests.test("the image has the version"):
        labels = json.loads(docker.run("image", "inspect", "--format={{json .Config.Labels}}", f"{slug}:dev"))
        assert labels["org.opencontainers.image.version"] == "1.2.3rc1"
        assert labels["org.opencontainers.image.revision"] == one.project.git("rev-parse", "HEAD").strip()
        assert "1.2.3rc1" in built.log("image")


def test_a_library(workplace: MakeWorkplace, tmp_path: Path, subtests: pytest.Subtests) -> None:
    one = workplace({"project_name": "Sample", "targets": ["library"]})
    pwned = tmp_path / "pwned"
    pushed = one.push()
    # What the shell would run, what make would run, and each kind of quotes.
    inputs = [f"v1$(touch {pwned})$(shell touch {pwned})`touch {pwned}`", f"'; touch {pwned} #", f'"; touch {pwned} #']
    built = [one.repository.dispatch("build.yml", version=text) for text in inputs]
    tag = f"v1$(touch${{IFS}}{pwned})';touch${{IFS}}{pwned};\"ü🚀"
    one.project.git("tag", tag)
    one.repository.push(one.project.root, f"refs/tags/{tag}")
    tagged = one.repository.dispatch("build.yml", ref=f"refs/tags/{tag}", version="")
    option = one.repository.dispatch("build.yml", version=f"--output={pwned}")

    with subtests.test("test.yml is green"):
        assert set(pushed.check().conclusions) == {"python", "scripts", *LIBRARY_TESTS}
        check_logs(pushed)
    for text, started in zip(inputs, built, strict=True):
        with subtests.test("a version with code is a label", text=text):
            wheel, _ = sorted(started.check().artifact("wheel"))
            label = re.search(r"sample-0\.0\.0\.dev0\+([a-z0-9.]+)-py3-none-any\.whl", wheel)
            assert label and "touch" in label[1]
    with subtests.test("a tag that is no version"):
        assert tagged.wait().conclusions == {"wheel": "failure"}
        assert "is no version; tags look like v1.2.3 or v1.2.3-rc.1." in tagged.log("wheel")
    with subtests.test("a version that looks like an option"):
        assert option.wait().conclusions == {"wheel": "failure"}
        assert f"'--output={pwned}' is not known" in option.log("wheel")
    with subtests.test("nothing of it ran"):
        assert not pwned.exists()


@pytest.mark.usefixtures("long")
def test_an_app_with_awkward_names(workplace: MakeWorkplace, tmp_path: Path, subtests: pytest.Subtests) -> None:
    answers = {**AWKWARD["code"], **AWKWARD["server"], "targets": ["docker", "desktop"], "frontend": True}
    one = workplace(answers)
    pwned = tmp_path / "pwned"
    pushed = one.push()
    branch = f"x$(touch${{IFS}}{pwned})`touch${{IFS}}{pwned}`';touch${{IFS}}{pwned};\"ü🚀"
    one.project.git("switch", "--quiet", "--create", branch)
    (one.project.source / "tests/test_planted.py").write_text(
        '"""Planted."""\n\n\ndef test_planted() -> None:\n    assert "planted".upper() == "planted", "planted"\n',
        encoding="utf-8",
    )
    one.commit(f"A test that fails $(touch {pwned}) '; touch {pwned} #")
    commit = one.repository.push(one.project.root)
    one.repository.pull_request(branch, answers["default_branch"], title=f'"; touch {pwned}; $(touch {pwned})')
    asked = one.repository.run(event="pull_request", head_sha=commit)

    with subtests.test("test.yml is green"):
        assert set(pushed.check().conclusions) == {"python", "tests", "frontend", "scripts", "unstable"}
        assert "DEPLOY_TOKEN is not set: no image is pushed as unstable" in pushed.log("unstable")
        check_logs(pushed)
    with subtests.test("a pull request with a test that fails is red, and says which"):
        results = asked.wait().conclusions
        assert results.pop("unstable") == "skipped"
        assert results == {"python": "success", "tests": "failure", "frontend": "success", "scripts": "success"}
        assert "FAILED tests/test_planted.py::test_planted - AssertionError: planted" in asked.log("tests")
        check_logs(asked)
    with subtests.test("so does the commit's state"):
        state = one.repository.api.get(f"{one.repository.path}/commits/{commit}/status")
        assert state["state"] == "failure"
    with subtests.test("code in names ran nowhere"):
        assert not pwned.exists()
        assert not list(one.project.root.rglob("pwned"))


def test_a_server_below_a_path(make_workplace: MakeWorkplaceOf, environment: Environment) -> None:
    with serve(sub_path="/git") as server, run_jobs(server, environment):
        one = make_workplace(server.owner(), SERVICE)
        assert set(one.push().check().conclusions) == {"python", "tests", "scripts", "unstable"}


def test_an_older_server(make_workplace: MakeWorkplaceOf, environment: Environment, long: None) -> None:
    """1.23 has no list of runs, but one of the jobs that a runner took. With secrets the last one pushes an image."""
    with serve("1.23") as server, run_jobs(server, environment):
        owner, hub = server.owner(), server.owner()
        one = make_workplace(owner, SERVICE)
        one.repository.secret("DEPLOY_TOKEN", owner.new_token("write:package"))
        one.repository.variable("REGISTRY_IMAGE", f"{server.host}/{owner.name}/sample")
        one.repository.secret("DOCKERHUB_USERNAME", hub.name)
        one.repository.secret("DOCKERHUB_TOKEN", hub.new_token("write:package"))
        one.repository.variable("DOCKERHUB_REGISTRY", server.host)
        one.repository.push(one.project.root)
        deadline = time.monotonic() + 600
        while True:
            tasks = one.repository.api.get(f"{one.repository.path}/actions/tasks")["workflow_runs"] or []
            states = {task["name"]: task["status"] for task in tasks}
            if len(states) == 4 and not {"running", "waiting"} & set(states.values()):
                break
            assert time.monotonic() < deadline, states
            time.sleep(1)
        assert states == dict.fromkeys(("python", "tests", "scripts", "unstable"), "success")
        for each in (owner, hub):
            names = {(name, version) for _, name, version in each.packages() if not version.startswith("sha256:")}
            assert names == {("sample", "unstable")}


def test_the_template_itself(template: Path, owner: Owner, runner: None, long: None) -> None:
    """The first job of this repository's own workflow; the jobs after it are `make test`."""
    repository = owner.repository("gitea-py-template")
    started = repository.run(event="push", head_sha=repository.push(template))
    result = started.wait_for_job("fast", minutes=20)
    started.cancel()
    assert result == "success", started.log("fast")[-5000:]
