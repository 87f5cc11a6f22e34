from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Render
from tests.support import windows_app, wine
from tests.support.docker import Docker, private_docker
from tests.support.tools import made_once
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
