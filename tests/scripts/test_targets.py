"""Does scripts/targets.py of a project turn its table of targets into flags of uv, and say what is wrong with it?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "template" / "scripts" / "targets.py"
TABLE = """
[project]
name = "my-app"
[tool.my-app.targets]
tests = { extras = ["app", "gpu"], groups = ["dev"] }
image = { extras = [], groups = [] }
wrong = { extras = "app" }
"""


def run(folder: Path, content: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(content)
    command = [sys.executable, str(SCRIPT), *arguments, "--pyproject", str(pyproject)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(("target", "flags"), [("tests", "--extra app --extra gpu --group dev\n"), ("image", "\n")])
def test_flags(target: str, flags: str, tmp_path: Path) -> None:
    result = run(tmp_path, TABLE, target)
    assert (result.returncode, result.stdout) == (0, flags), result.stderr


@pytest.mark.parametrize(
    ("content", "target", "says"),
    [
        (TABLE, "phone", "There is no target 'phone'; pyproject.toml has tests, image"),
        (TABLE, "wrong", "extras must be a list of names"),
        ('[project]\nname = "my-app"\n', "tests", "[tool.my-app.targets] is missing"),
        ("[project\n", "tests", "pyproject.toml: "),
        ("[project]\n", "tests", "pyproject.toml: [project] has no name; write for example"),
    ],
)
def test_wrong_table_gets_one_line(content: str, target: str, says: str, tmp_path: Path) -> None:
    result = run(tmp_path, content, target)
    assert result.returncode == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
