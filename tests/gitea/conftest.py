"""A Gitea and a runner for the tests of this folder; what takes minutes to build begins when they are collected."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.conftest import docker
from tests.conftest import REPOSITORY
from tests.support import golang, windows_pythons
from tests.support.docker import Docker
from tests.support.gitea import Owner, Server, serve
from tests.support.gitea_runner import run_jobs
from tests.support.projects import newcomer

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
