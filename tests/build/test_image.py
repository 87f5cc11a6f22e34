"""The image of a generated service: built by its own `make image`, run as its compose.yaml does."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.answers import AWKWARD, Answers
from tests.conftest import Render
from tests.support.docker import Docker
from tests.support.projects import Project, newcomer
from tests.support.tools import program, run

pytestmark = pytest.mark.slow

CLASSIC, BUILDKIT = {"DOCKER_BUILDKIT": "0"}, {"DOCKER_BUILDKIT": "1"}
RESTRICTED = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"]
USER = "10001"


@dataclass(frozen=True)
class Service:
    """A project with its lock files, whose images are built by the builder in `environment`."""

    project: Project
    docker: Docker

    @property
    def image(self) -> str:
        return f"{self.project.slug}:dev"

    def build(self, version: str) -> None:
        self.project.make("image", f"VERSION={version}")

    def lock(self) -> None:
        uv = self.project.root / "scripts/uv.sh"
        run([uv, "lock", "--quiet"], cwd=self.project.source, env=self.project.environment)

    def inspect(self, image: str | None = None) -> dict[str, Any]:
        (found,) = json.loads(self.docker.run("image", "inspect", image or self.image))
        result: dict[str, Any] = found
        return result

    def layers(self) -> list[str]:
        layers: list[str] = self.inspect()["RootFS"]["Layers"]
        return layers

    def python(self, code: str) -> str:
        """Run a line of Python in the image."""
        return self.docker.run("run", "--rm", *RESTRICTED, self.image, "python", "-c", code).strip()

    @contextmanager
    def container(self, *options: str) -> Iterator[Container]:
        flags = ["--detach", "--health-interval=1s", f"--publish=127.0.0.1::{self.port}", *RESTRICTED, *options]
        name = self.docker.run("run", *flags, self.image).strip()
        try:
            yield Container(name, self.docker, self.docker.run("port", name, str(self.port)).strip())
        finally:
            self.docker.run("rm", "--force", "--volumes", name)

    @property
    def port(self) -> int:
        (exposed,) = self.inspect()["Config"]["ExposedPorts"]
        return int(exposed.partition("/")[0])


@dataclass(frozen=True)
class Container:
    name: str
    docker: Docker
    address: str

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while (state := self.state()["Health"]["Status"]) != "healthy":
            assert state == "starting" and time.monotonic() < deadline, (state, self.docker.run("logs", self.name))
            time.sleep(0.2)

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.docker.run("inspect", "--format={{json .State}}", self.name))
        return state

    def get(self, path: str) -> str:
        return get(f"http://{self.address}{path}")

    def execute(self, *command: str, returncode: int = 0) -> str:
        return self.docker.run("exec", self.name, *command, returncode=returncode).strip()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  (an address of this machine)
        content: bytes = response.read()
    return content.decode()


@pytest.fixture
def service(request: pytest.FixtureRequest, project: Render, docker: Docker, tmp_path: Path) -> Iterator[Any]:
    """Make a project with its lock files, called as the test is; in the end its image is gone."""
    made: list[Service] = []
    name = "-".join(re.findall("[a-z0-9]+", request.node.name.removeprefix("test_")))

    def make(answers: Answers, builder: dict[str, str]) -> Service:
        root = project({**answers, "project_slug": name[:40].strip("-")})
        environment = docker.extend(newcomer(tmp_path / "links")) | builder
        made.append(Service(Project(root, environment), docker))
        made[-1].lock()
        if (root / "frontend").exists():
            npm: list[str | Path] = [root / "scripts/npm.sh", "install", "--package-lock-only"]
            run(npm, cwd=root, env=environment)
        return made[-1]

    yield make
    for one in made:
        docker.run("image", "rm", "--force", "--no-prune", one.image, returncode=None)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_service_with_few_rights(service: Any, subtests: pytest.Subtests) -> None:
    """The classic builder, Python 3.13, no frontend, the source at the root."""
    one: Service = service({"targets": ["docker"], "frontend": False, "license": "Apache-2.0"}, CLASSIC)
    project = one.project
    project.git("init", "--quiet")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "First")
    project.git("tag", "v1.2.3")
    project.make("image")  # the tag says which version
    with subtests.test("make check-image"):
        assert "1.2.3" in project.make("check-image").splitlines()[-1]

    with one.container() as container:
        container.wait_until_healthy()
        with subtests.test("it answers, and says its version"):
            assert json.loads(container.get("/health")) == {"status": "ok", "version": "1.2.3", "ready": True}
        with subtests.test("its page is in the image"):
            assert "<title>" in container.get("/")
        with subtests.test("it runs as nobody in particular"):
            assert container.execute("id", "-u") == container.execute("id", "-g") == USER
        with subtests.test("it can write its data, and nothing else"):
            container.execute("touch", "/data/new", "/tmp/new")
            for place in ("/new", one.python("import sys; print(sys.prefix)") + "/new"):
                container.execute("touch", place, returncode=1)
        with subtests.test("what is installed belongs to root"):
            owned = ["find", "/", "-xdev", "-user", USER, "-not", "-path", "/proc/*"]
            assert one.docker.run("run", "--rm", "--user=root", one.image, *owned).split() == ["/data"]
        with subtests.test("a port in settings.toml is none of the container's"):
            container.execute("sh", "-c", "echo 'port = 9876' >/data/settings.toml")
            one.docker.run("restart", container.name)
            container.wait_until_healthy()
        with subtests.test("it stops in time, and well"):
            start = time.monotonic()
            one.docker.run("stop", container.name)
            assert time.monotonic() - start < 5
            assert container.state()["ExitCode"] in {0, 143}

    with (
        subtests.test("another port in the environment is asked for health"),
        one.container(f"--env={project.package.name.upper()}_PORT=9876") as container,
    ):
        container.wait_until_healthy()

    with subtests.test("its labels"):
        labels = one.inspect()["Config"]["Labels"]
        found = {name.rpartition(".")[2]: text for name, text in labels.items() if "opencontainers" in name}
        assert found == {
            "title": project.slug,
            "version": "1.2.3",
            "licenses": "Apache-2.0",
            "revision": project.git("rev-parse", "HEAD").strip(),
            "source": f"https://gitea.example.com/your-name/{project.slug}",
        }

    with subtests.test("an image is built again at once"):
        before = one.inspect()["Id"]
        project.make("image")
        assert one.inspect()["Id"] == before


@pytest.mark.parametrize("builder", [CLASSIC, BUILDKIT], ids=["classic", "buildkit"])
def test_only_the_lock_changes_the_layer_of_the_dependencies(
    service: Any, builder: dict[str, str], subtests: pytest.Subtests
) -> None:
    one: Service = service({"targets": ["docker"], "frontend": False}, builder)
    one.build("1.0.0")
    layers = one.layers()

    def changed() -> list[int]:
        """Build again; gives which layers changed, counted from the last."""
        nonlocal layers
        before, layers = layers, one.layers()
        assert len(before) == len(layers)
        return [-number for number in range(1, len(layers) + 1) if before[-number] != layers[-number]]

    with subtests.test("a version changes the last layer alone"):
        one.build("1.0.1")
        assert changed() == [-1]
    with subtests.test("so does the code"):
        edit(one.project.package / "app.py", '"""', '"""Changed. ')
        one.build("1.0.1")
        assert changed() == [-1]
    with subtests.test("and so does pyproject.toml, if nothing is installed otherwise"):
        edit(one.project.source / "pyproject.toml", 'version = "0.0.0"', 'version = "2.0.0"')
        edit(one.project.source / "uv.lock", 'version = "0.0.0"', 'version = "2.0.0"')
        edit(one.project.source / "pyproject.toml", "line-length = 120", "line-length = 100")
        one.build("2.0.0")
        assert changed() == [-1]
    with subtests.test("a dependency changes both"):
        edit(one.project.source / "pyproject.toml", "dependencies = [", 'dependencies = [\n    "iniconfig",')
        one.lock()
        one.build("2.0.0")
        assert changed() == [-1, -2]
        assert one.python("import iniconfig; print(iniconfig.__name__)") == "iniconfig"


def test_with_a_library_and_awkward_names(service: Any, subtests: pytest.Subtests) -> None:
    """BuildKit, Python 3.12, the app's dependencies as an extra, code in every free text."""
    answers = {"targets": ["docker", "library"], "python_version": "3.12", "frontend": False, **AWKWARD["code"]}
    one: Service = service(answers, BUILDKIT)
    one.build("dev")
    with one.container() as container:
        container.wait_until_healthy()
        with subtests.test("it says its name"):
            assert json.loads(container.get("/system/info"))["name"] == answers["project_name"]
        with subtests.test("a label of one's own is no release"):
            assert json.loads(container.get("/health"))["version"].startswith("0.0.0.dev0+dev")
        with subtests.test("both commands are there"):
            container.execute(one.project.slug, "--version")
            container.execute(f"{one.project.slug}-duration", "--version")
    with subtests.test("what only development needs is not"):
        installed = one.python("from importlib import metadata as m; print(*(d.name for d in m.distributions()))")
        assert "fastapi" in installed.split()
        assert not {"pytest", "ruff", "mypy", "uv", "pip"} & set(installed.split())


def test_with_a_frontend_a_desktop_app_and_packages(service: Any, docker: Docker, subtests: pytest.Subtests) -> None:
    """The classic builder, Python 3.11, the source in a folder; ids are taken, extras and packages chosen."""
    one: Service = service(
        {
            "targets": ["docker", "desktop"],
            "python_version": "3.11",
            "source_dir": "server",
            "frontend": True,
            "tkinter": True,
            "port": "9123",
        },
        CLASSIC,
    )
    root, source = one.project.root, one.project.source
    # A base image in which others have taken the ids that are often used.
    base = f"{one.project.slug}-base"
    (root / "taken").mkdir()
    users = [f"useradd --uid {uid} user{uid}" for uid in (999, 1000, 1001)]
    (root / "taken/Dockerfile").write_text(f"FROM python:3.11-slim\nRUN {' && '.join(users)}\n", encoding="utf-8")
    docker.run("build", "--tag", base, root / "taken")
    edit(root / "Dockerfile", "FROM python:3.11-slim", f"FROM {base}")
    (root / "system-packages.txt").write_text("# for the tests\n\ntree  # one\n  bc\n", encoding="utf-8")
    edit(source / "pyproject.toml", "[dependency-groups]\n", '[dependency-groups]\nplugins = ["iniconfig"]\n')
    edit(source / "pyproject.toml", "image = { extras = [], groups = [] }", 'image = { groups = ["plugins"] }')
    (root / "server/secret.env").write_text("KEY=secret", encoding="utf-8")
    one.lock()
    one.build("1.2.3-rc.1")
    with one.container() as container:
        container.wait_until_healthy()
        with subtests.test("the version in one way of writing"):
            assert json.loads(container.get("/health"))["version"] == "1.2.3rc1"
        with subtests.test("the page that Vite built"):
            assert "/static/assets/" in container.get("/")
        with subtests.test("Debian's packages"):
            container.execute("which", "tree", "bc")
        with subtests.test("the group of dependencies that pyproject.toml names for it"):
            container.execute("python", "-c", "import iniconfig")
        with subtests.test("its user"):
            assert container.execute("id", "-u") == USER
        with subtests.test("no tools that built it, and nothing else of the project"):
            container.execute("which", "node", "uv", returncode=1)
            names = docker.run("run", "--rm", "--user=root", one.image, "find", "/", "-xdev", "-name", "*.env")
            assert "secret.env" not in names


def test_with_compose(service: Any, docker: Docker, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Python 3.14 and BuildKit; compose.yaml as it is, but for the image, which is not in a registry yet."""
    answers = {"targets": ["docker"], "python_version": "3.14", "frontend": False, "port": "28765"}
    one: Service = service(answers, BUILDKIT)
    one.build("1.2.3")
    project = Project(one.project.root, one.project.environment | {"IMAGE": one.image})

    def compose(*arguments: str) -> str:
        return run(["docker", "compose", *arguments], cwd=project.root, env=project.environment).stdout

    with subtests.test("without IMAGE it is the released one"):
        config = run(["docker", "compose", "config"], cwd=project.root, env=one.project.environment).stdout
        (app,) = yaml.safe_load(config)["services"].values()
        assert app["image"] == f"gitea.example.com/your-name/{project.slug}:latest"
        assert app["restart"] == "unless-stopped"

    try:
        compose("up", "--detach", "--wait")
        with subtests.test("it answers on this machine only"):
            assert json.loads(get(f"http://127.0.0.1:{one.port}/health"))["version"] == "1.2.3"
            published = docker.run("port", compose("ps", "--quiet").strip(), str(one.port))
            assert published.split() == [f"127.0.0.1:{one.port}"]
        with subtests.test("few rights"):
            (name,) = compose("ps", "--quiet").split()
            (container,) = json.loads(docker.run("inspect", name))
            host = container["HostConfig"]
            assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]
            status = compose("exec", "--no-TTY", "app", "cat", "/proc/1/status")
            facts = dict(line.split(":\t", 1) for line in status.splitlines())
            assert facts["NoNewPrivs"] == "1" and int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
        with subtests.test("data stay when the image changes"):
            compose("exec", "--no-TTY", "app", "touch", "/data/kept")
            compose("down")
            compose("up", "--detach", "--wait")
            compose("exec", "--no-TTY", "app", "ls", "/data/kept")
    finally:
        compose("down", "--volumes")


def test_bad_input(render: Render, docker: Docker, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """One line says what is wrong with the arguments, the project or the machine."""
    root = tmp_path / "project"
    shutil.copytree(render({"targets": ["docker"], "frontend": False}), root, symlinks=True)
    environment = docker.extend(newcomer(tmp_path / "links"))

    def error(*arguments: str, script: str = "build-image.sh", **variables: str) -> str:
        command: list[str | Path] = [root / "scripts" / script, *arguments]
        result = run(command, env=environment | variables, returncode=None)
        assert result.returncode != 0 and not result.stdout
        return result.stderr.strip()

    with subtests.test("--help"):
        assert "--version" in run([root / "scripts/build-image.sh", "--help"], env=environment).stdout
    for arguments in (["--versoin", "1"], ["--version"], ["--tag", ""], ["extra"]):
        with subtests.test(" ".join(arguments)):
            assert len(error(*arguments).splitlines()) == 1
    with subtests.test("no lock"):
        assert error() == "build-image: uv.lock is missing: run 'make setup' and commit it."
    (root / "uv.lock").touch()
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("bash", "dirname", "env", "git"):
        (bare / name).symlink_to(program(name, f"apt-get install {name}"))
    for script in ("build-image.sh", "check-image.sh"):
        with subtests.test(f"{script}: no docker"):
            assert "docker is missing" in error(script=script, PATH=str(bare))
        with subtests.test(f"{script}: no daemon"):
            message = error(script=script, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
            assert "daemon" in message and len(message.splitlines()) == 1
