from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render, git
from tests.support import windows_app, windows_pythons, wine
from tests.support.docker import Docker, private_docker
from tests.support.packages import require_apt
from tests.support.projects import FOREIGN
from tests.support.tools import made_once, run, uv
from tests.support.wine import Windows


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    with private_docker() as private:
        yield private


@pytest.fixture(scope="session")
def machine() -> Iterator[Path]:
    """Unpack a Debian with Wine."""
    with wine.wine() as root:
        yield root


@pytest.fixture
def windows(machine: Path) -> Iterator[Windows]:
    """Start a Windows of this test's own."""
    with wine.windows(machine) as one:
        yield one


@pytest.fixture(scope="session")
def tiny_project(render: Render) -> Path:
    """Give the rendered project of the tiny app, for reading."""
    return render(windows_app.ANSWERS)


@pytest.fixture(scope="session")
def builds(tiny_project: Path, session_folder: Path) -> Path:
    """Give a folder with tree-1.0, tree-2.0 and the installers made from them, for reading."""

    def make(folder: Path) -> None:
        for version in ("1.0", "2.0"):
            tree = folder / f"tree-{version}"
            windows_app.make_tree(tiny_project, tree, version, extra=f"only in {version}.txt")
            windows_app.make_setup(tiny_project, tree, folder / f"tiny-v{version}-setup.exe", version, windows_app.NAME)

    return made_once(session_folder / "tiny", make)


@pytest.fixture(scope="session")
def windows_environment() -> dict[str, str]:
    """Give the environment in which bundles for Windows are built."""
    require_apt("nsis")
    own = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}
    path = f"{Path(uv()).parent}{os.pathsep}{own['PATH']}"
    return {**own, **windows_pythons.environment(), "PATH": path, "SOURCE_DATE_EPOCH": "1700000000"}


def app_for_windows(
    folder: Path, render: Render, environment: dict[str, str], *dependencies: str, **answers: object
) -> None:
    """Make a desktop app with dependencies of its own, committed and tagged v1.2.3."""
    names = {"project_name": "Größe & Co", "project_slug": "sample"}  # for people; files are called by the slug
    shutil.copytree(render(answers_for(["desktop"], frontend=False, **names, **answers)), folder, symlinks=True)
    git(folder, "init", "-q", "-b", "main")
    if dependencies:
        run([uv(), "add", "--quiet", "--no-sync", *dependencies], cwd=folder, env=environment)
    run([uv(), "lock", "--quiet"], cwd=folder, env=environment)
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "App")
    git(folder, "tag", "v1.2.3")


@pytest.fixture(scope="session")
def windows_project(render: Render, session_folder: Path, windows_environment: dict[str, str]) -> Path:
    """Give the default app of `app_for_windows`, built by `make`; for copying, as all workers share it."""

    def make(folder: Path) -> None:
        app_for_windows(folder, render, windows_environment)
        run(["make", "bundle-windows"], cwd=folder, env=windows_environment)

    return made_once(session_folder / "windows project", make)
