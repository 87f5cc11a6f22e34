"""Projects that have all that the documentation speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.answers import TARGETS, answers_for
from tests.conftest import Render


@pytest.fixture(scope="session")
def projects(render: Render) -> list[Path]:
    """Give projects that together have every file and every command."""
    everything = {"source_dir": "server", "tkinter": True, "project_slug": "home-server", "release_gate": "manual"}
    return [
        render(answers_for(list(TARGETS), frontend=True, **everything)),
        render(answers_for(list(TARGETS), frontend=False, project_slug="home-server")),
    ]
