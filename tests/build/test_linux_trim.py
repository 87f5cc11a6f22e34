"""The recipes of trim.toml as they are shipped, each tried on what it is for, for both platforms."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render
from tests.support.tools import run, uv
from tests.support.windows_pythons import environment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("long")]

MAKE = """
import pathlib, sys
from bundle_common import read_project
from bundle_linux import LinuxTarget
from bundle_python import add_python
from bundle_windows import WindowsTarget
target = {"linux": LinuxTarget, "windows": WindowsTarget}[sys.argv[1]]
add_python(target(read_project()), set(), pathlib.Path(sys.argv[2]), shared=True)
"""
USE = """
import io, cv2, numpy
from PIL import Image
image = cv2.resize(numpy.full((8, 8, 3), 200, numpy.uint8), (4, 4))
ok, data = cv2.imencode(".jpg", image)
assert ok and cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (4, 4, 3)
assert Image.open(io.BytesIO(data.tobytes())).size == (4, 4)
assert cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean() > 190
"""


@pytest.mark.parametrize(("opencv", "windows", "linux"), [("<5", 38, 9), (">=5", 30, 0)])
def test_opencv_and_pillow(opencv: str, windows: int, linux: int, render: Render, tmp_path: Path) -> None:
    """Both can be imported afterwards, for else there is no bundle; the numbers are megabytes saved, at least."""
    project = tmp_path / "project"
    shutil.copytree(render(answers_for(["desktop"], frontend=False)), project)
    env = {**os.environ, **environment(), "UV": uv(), "PYTHONPATH": str(project / "scripts")}
    run([uv(), "add", "--quiet", "--no-sync", f"opencv-python-headless{opencv}", "pillow"], cwd=project, env=env)
    size: dict[str, int] = {}
    trim = project / "scripts/trim.toml"
    for state in ("whole", "trimmed"):
        if state == "trimmed":
            text, count = re.subn(
                r'^# (?=[\w"*-]+ = \[".*\]$)', "", trim.read_text(encoding="utf-8"), flags=re.MULTILINE
            )
            assert count == 3
            trim.write_text(text, encoding="utf-8")
        for platform in ("linux", "windows"):
            folder = tmp_path / f"{platform}-{state}"
            run([sys.executable, "-c", MAKE, platform, folder], cwd=project, env=env)
            size[folder.name] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size["windows-whole"] - size["windows-trimmed"] > windows * 1e6, size
    assert size["linux-whole"] - size["linux-trimmed"] > linux * 1e6, size
    run([tmp_path / "linux-trimmed/bin/python3", "-I", "-B", "-c", USE])
