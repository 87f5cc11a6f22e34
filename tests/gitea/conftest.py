"""A Gitea and a runner for the tests of this folder; what takes minutes to build begins when they are collected."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.answers import Answers
from tests.build.conftest import docker
from tests.conftest import REPOSITORY, Render
from tests.gitea.releases import MakeWorkplace, Workplace, cancelled_at_the_end
from tests.support import golang, windows_pythons
from tests.support.docker import Docker
from tests.support.gitea import Owner, Server, serve
from tests.support.gitea_runner import run_jobs
from tests.support.projects import Project, newcomer
from tests.support.tools import run

__all__ = ["docker"]

Environment = dict[str, str]

HERE = Path(__file__).parent
BUILD = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build Gitea while other tests run; whoever needs it waits for the lock on it."""
    config = session.config
    wanted = any(HERE in item.path.parents for item in session.items)
    if wanted and not config.option.collectonly and BUILD not in config.stash and not golang.is_built():
        command = [sys.executable, "-m", "tests.support.golang"]
        config.stash[BUILD] = subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if BUILD in config.stash:
        build = config.stash[BUILD]
        if build.poll() is None:
            os.killpg(build.pid, signal.SIGTERM)
        build.wait()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serve() as gitea:
        yield gitea


@pytest.fixture(scope="session")
def environment(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What jobs see: the tests' Docker, and Pythons for Linux and Windows that can be had here."""
    return docker.extend(newcomer(tmp_path_factory.mktemp("links")) | windows_pythons.environment())


@pytest.fixture(scope="session")
def runner(server: Server, environment: Environment) -> Iterator[None]:
    """Run the jobs of the server."""
    with run_jobs(server, environment):
        yield


@pytest.fixture
def owner(server: Server) -> Owner:
    return server.owner()


@pytest.fixture
def workplace_of(render: Render, tmp_path: Path) -> Callable[..., Workplace]:
    """Make a project with its repository, of an owner; answers and whether it gets a lock file are the test's."""

    def make(owner: Owner, *targets: str, lock: bool = True, **others: Any) -> Workplace:
        answers: Answers = {"project_name": "Sample", "targets": list(targets), **others}
        answers |= {"gitea_url": owner.server.url, "repo_owner": owner.name}
        root = tmp_path / f"project{len(list(tmp_path.glob('project*')))}"
        shutil.copytree(render(answers), root, symlinks=True)
        project = Project(root, newcomer(tmp_path / f"links-{root.name}"))
        if lock:
            run([root / "scripts/uv.sh", "lock", "--quiet"], cwd=project.source, env=project.environment)
        project.git("init", "--quiet", "--initial-branch", "main")
        place = Workplace(project, owner.repository(project.slug))
        project.git("remote", "add", "origin", place.repository.remote)
        place.commit("First [skip ci]")
        return place

    return make


@pytest.fixture
def workplace(workplace_of: Callable[..., Workplace], owner: Owner) -> Iterator[MakeWorkplace]:
    """Make such a project for an owner of this test's own."""
    yield from cancelled_at_the_end(partial(workplace_of, owner))
