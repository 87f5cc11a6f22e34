"""A Gitea with the releases of a generated app: built as its users' builds are, signed, found by what is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import Answers
from tests.build.conftest import docker, machine, windows
from tests.conftest import Render
from tests.gitea.conftest import server
from tests.support import windows_pythons
from tests.support.gitea import Server
from tests.support.projects import Project, newcomer
from tests.support.tools import run
from tests.support.updates import Installed, Platform, Source
from tests.support.windows_app import packed_in_seconds
from tests.updating.bundles import Bundle, Supplied, build, folder_in_memory, supplied

__all__ = ["docker", "machine", "make_source", "server", "windows"]


def make_source(render: Render, server: Server, folder: Path, platform: Platform = "linux") -> Source:
    """Give a project whose releases are built for one platform, in a repository of its own."""
    owner = server.owner()
    answers: Answers = {"project_name": "Sample", "targets": ["desktop"], "frontend": False, "auto_update": True}
    root = folder / "project"
    shutil.copytree(render({**answers, "gitea_url": server.url, "repo_owner": owner.name}), root, symlinks=True)
    environment = newcomer(folder / "links")
    if platform == "windows":
        environment |= windows_pythons.environment() | packed_in_seconds(folder)
    project = Project(root, environment)
    run([root / "scripts/uv.sh", "lock", "--quiet"], cwd=project.source, env=project.environment)
    project.git("init", "--quiet", "--initial-branch", "main")
    repository = owner.repository(project.slug)
    project.git("remote", "add", "origin", repository.remote)
    return Source(project, repository, platform)


@pytest.fixture(scope="session")
def source(render: Render, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(render, server, tmp_path_factory.mktemp("updating"))


@pytest.fixture(scope="session")
def first(source: Source) -> Path:
    """The folder with the files of 1.0.0, which is installed before anything else is released."""
    return source.publish("1.0.0")


@pytest.fixture
def installed(source: Source, first: Path, tmp_path: Path) -> Installed:
    """1.0.0, unpacked."""
    return Installed.unpack(first / f"{source.project.slug}-v1.0.0-linux-x64.tar.gz", tmp_path / "An app – for Jö")


@pytest.fixture(scope="session")
def bundle(render: Render, session_folder: Path) -> Bundle:
    return build(render, session_folder / "bundle")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """What a program leaves that is killed is the same on every disk: this one is quick."""
    with folder_in_memory(tmp_path) as folder:
        yield folder


@pytest.fixture
def home(bundle: Bundle, folder: Path) -> Iterator[Supplied]:
    """An installation of the bundle, and a server for its releases."""
    with supplied(bundle, folder) as home:
        yield home
