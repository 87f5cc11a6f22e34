"""Does `make setup` of a project reach its end on machines of all kinds? What it calls is pretended here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render
from tests.support.tools import run

UV = """#!/bin/sh
echo "$*" >>uv.log
[ "$1" != lock ] || touch uv.lock
"""


@pytest.mark.parametrize("own_hooks", [False, True])
def test_hooks_of_the_user_go_before(own_hooks: bool, project: Render, tmp_path: Path) -> None:
    root = project(answers_for(["library"]))
    (tmp_path / "uv").write_text(UV, encoding="utf-8")
    (tmp_path / "uv").chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text("[core]\n\thooksPath = /home/ada/hooks\n" if own_hooks else "", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in {"UV", "MAKEFLAGS", "MAKELEVEL"}}
    result = run(
        ["make", "setup", f"UV={tmp_path}/uv"], cwd=root, env=environment | {"GIT_CONFIG_GLOBAL": str(settings)}
    )
    installed = "pre-commit install" in (root / "uv.log").read_text(encoding="utf-8")
    assert installed is not own_hooks
    assert ("git takes its hooks from /home/ada/hooks (core.hooksPath)" in result.stderr) is own_hooks
    assert result.stderr.count("\n") == own_hooks
