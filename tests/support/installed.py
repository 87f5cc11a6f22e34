"""An installed app for Linux, put together by hand: a CPython that can be moved, the dependencies, and the app."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from tests.support import pythons
from tests.support.tools import run, uv

MINOR = "3.13"


def add_version(root: Path, project: Path, version: str) -> Path:
    """Add the project's app to the installation at `root`, under this version, with launcher and scripts."""
    folder = root / "versions" / version
    python = folder / "python"
    python.parent.mkdir(parents=True)
    with tarfile.open(pythons.archive(MINOR)) as archive:
        archive.extractall(folder, filter="data")
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    stamped = folder / "source"
    shutil.copytree(project, stamped, ignore=shutil.ignore_patterns(".venv", ".git"))
    (stamped / "pyproject.toml").write_text(text.replace('version = "0.0.0"', f'version = "{version}"'))
    wanted = folder / "requirements.txt"
    export = ["export", "--no-dev", "--no-emit-project", "--output-file", wanted, "--directory", stamped]
    run([uv(), *export, "--quiet", "--python", python / "bin/python3"])
    to = ["--python", python / "bin/python3", "--break-system-packages"]
    run([uv(), "pip", "install", "--quiet", *to, "--requirements", wanted])
    run([uv(), "pip", "install", "--quiet", *to, "--no-deps", "--target", folder / "app", stamped])
    (site,) = python.glob("lib/python*/site-packages")
    (site / "app.pth").write_text(os.path.relpath(folder / "app", site) + "\n", encoding="utf-8")
    (folder / "VERSION").write_text(f"{version}\n", encoding="utf-8")
    shutil.copy2(project / "scripts/start.py", folder)
    shutil.rmtree(stamped)
    wanted.unlink()
    for script in (project / "scripts/linux").glob("*.sh"):
        shutil.copy2(script, root)
    (root / "current").write_text(f"{version}\n", encoding="utf-8")
    return folder
