"""scripts/start.py: with what an installed version starts. Trials: tests/build/test_linux_launcher.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render

APP = """
import os, sys, threading
print("🚀", file=sys.stderr) if "--emoji" in sys.argv else None
print(os.environ["SAMPLE_DATA_DIR"], sys.argv[1:], __name__, threading.active_count())
"""


@pytest.fixture
def version(render: Render, tmp_path: Path) -> Path:
    """Give the folder of an installed version, in a root with an awkward name."""
    folder = tmp_path / "Größe 100 %/versions/1.0.0"
    (folder / "app/sample").mkdir(parents=True)
    (folder / "app/sample/__main__.py").write_text(APP, encoding="utf-8")
    (folder / "VERSION").write_text("1.0.0\n", encoding="utf-8")
    start = render(answers_for(["desktop"], project_slug="sample", frontend=False)) / "scripts/start.py"
    # In place of an interpreter that knows where the app is.
    known = f"import sys; sys.path.append({str(folder / 'app')!r})\n"
    text = start.read_text(encoding="utf-8")
    (folder / "start.py").write_text(
        text.replace("from __future__ import annotations\n", f"from __future__ import annotations\n{known}"),
        encoding="utf-8",
    )
    return folder


def run(version: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAMPLE_")}
    return subprocess.run(
        [sys.executable, "-I", "-B", version / "start.py", *arguments],
        env={**environment, **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=version.parents[1],
    )


def test_the_data_is_in_the_root_unless_something_else_is_said(version: Path) -> None:
    root = version.parents[1]
    assert run(version, "--port", "1").stdout == f"{root / 'data'} ['--port', '1'] __main__ 1\n"
    assert run(version, SAMPLE_DATA_DIR="").stdout.startswith(f"{root / 'data'} ")
    assert run(version, SAMPLE_DATA_DIR="/srv/data").stdout.startswith("/srv/data ")


@pytest.mark.parametrize(
    ("trial", "watched"), [("1.0.0\n0.9.0\nstarted\n", True), ("1.1.0\n1.0.0\n", False), ("", False)]
)
def test_only_its_own_trial_is_watched(version: Path, trial: str, watched: bool) -> None:
    (version.parents[1] / "trial").write_text(trial, encoding="utf-8")
    result = run(version, "--data-dir=~/x", SAMPLE_TRIAL_SECONDS="no number")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith(f"__main__ {2 if watched else 1}\n")
    assert (version.parents[1] / "trial").exists()  # it has proved nothing


def test_an_app_that_is_not_there(version: Path) -> None:
    (version / "app/sample").rename(version / "app/other")
    result = run(version)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"sample is missing in {version / 'app'}: install the app again.\n"


def test_its_output_is_utf_8(version: Path) -> None:
    """Also where the locale, on Windows the code page, has no such characters."""
    start = version / "start.py"
    narrow = 'import sys; sys.stdout.reconfigure(encoding="ascii"); sys.stderr.reconfigure(encoding="ascii")\n'
    text = start.read_text(encoding="utf-8")
    start.write_text(text.replace("import faulthandler\n", f"import faulthandler\n{narrow}"), encoding="utf-8")
    result = run(version, "--emoji")
    assert result.stderr == "🚀\n"
    assert result.stdout.startswith(str(version.parents[1] / "data"))


def test_it_writes_nothing_beside_itself(version: Path) -> None:
    before = sorted(version.rglob("*"))
    run(version)
    assert sorted(version.rglob("*")) == before
