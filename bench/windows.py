"""What a build for Windows costs and weighs, beside what one does by hand: pip for each requirement, zip, 7z."""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import copier

from bench.measure import Table, Times, commit, row, run, size_row, timed
from tests.answers import answers_for
from tests.support.packages import require_apt
from tests.support.tools import program, uv
from tests.support.windows_pythons import environment

DEPENDENCIES = 1 / 8  # to be kept: of the time of the loop
SEVEN_ZIP = 1.05  # and of the size of 7z's best
ZIP = 0.65  # and of a zip as one makes it
MORE = ("numpy", "pillow", "uvicorn[standard]")  # what an app with a bit more to do has
INSTALL = """
import pathlib, sys
from bundle_common import read_project
from bundle_python import export_lock, install
from bundle_windows import WindowsTarget
project = read_project()
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
install(WindowsTarget(project), export_lock(project), folder / "site-packages")
"""


def compare_dependencies(template: Path, scratch: Path, runs: int) -> Table:
    """Compare one resolution from the lock with a loop of `pip download` and unzip, both with warm caches."""
    project = make_project(template, scratch / "dependencies")
    requirements = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    run([uv(), "venv", "--quiet", "--seed", scratch / "pip"])
    pip: list[str | Path] = [
        scratch / "pip/bin/python",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
    ]
    flags = ["--platform", "win_amd64", "--python-version", "3.13", "--only-binary", ":all:"]
    loop, ours = Times(), Times()
    for number in range(runs + 1):
        wheels = scratch / f"wheels{number}"
        parts = []
        for requirement in requirements:
            try:
                parts.append(run([*pip, *flags, "--dest", wheels, requirement]))
            except RuntimeError:  # of markers for this machine, not for Windows: the guide then takes what is for here
                parts.append(run([*pip, "--dest", wheels, requirement]))
        parts.append(timed(lambda wheels=wheels: unpack(wheels)))  # type: ignore[misc]
        mine = install(project, scratch / f"ours{number}")
        if number:  # the first one fills the caches
            loop.add(Times([sum(part.clock[0] for part in parts)], [sum(part.processor[0] for part in parts)]))
            ours.add(mine)
        shutil.rmtree(wheels)
        shutil.rmtree(scratch / f"ours{number}")
    shutil.rmtree(project)
    return Table(
        "Dependencies for Windows",
        [
            row("one resolution from the lock, with hashes", ours, others=loop, bound=DEPENDENCIES),
            row("pip download for each, unzip", loop),
        ],
        [f"{runs} runs each after one that filled the caches; {', '.join(MORE)} besides the template's own."],
    )


def install(project: Path, folder: Path) -> Times:
    """Install the dependencies as the build does."""
    env = {**os.environ, **environment(), "PYTHONPATH": str(project / "scripts"), "UV": uv()}
    return run([sys.executable, "-c", INSTALL, folder], cwd=project, env=env)


def make_project(template: Path, project: Path) -> Path:
    answers = answers_for(["desktop"], frontend=False)
    copier.run_copy(str(template), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    run([uv(), "add", "--quiet", "--no-sync", *MORE], cwd=project, env={**os.environ, **environment()})
    commit(project)
    return project


def unpack(wheels: Path) -> None:
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(wheels / "unpacked")


def compare_sizes(template: Path, scratch: Path) -> Table:
    """Compare setup.exe with the best of 7z and with zip, of the same files."""
    require_apt("nsis", "p7zip-full")
    project = make_project(template, scratch / "sizes")
    run(
        [project / "scripts/build-dist-windows.sh", "--version", "1.0"],
        cwd=project,
        env={**os.environ, **environment()},
    )
    (setup,) = (project / "dist").glob("*-setup.exe")
    (tree,) = (path for path in (project / "build/windows").iterdir() if (path / "versions").is_dir())
    seven, plain = scratch / "tree.7z", scratch / "tree.zip"
    run([program("7z", "apt install p7zip-full"), "a", "-mx9", "-bd", seven, tree])
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(tree.rglob("*")):
            archive.write(path, path.relative_to(tree))
    size, best, usual = (path.stat().st_size for path in (setup, seven, plain))
    shutil.rmtree(project)
    return Table(
        "setup.exe",
        [
            size_row("setup.exe", size, others=best, bound=SEVEN_ZIP),
            size_row("7z -mx9", best),
            size_row("setup.exe, to zip -9", size, others=usual, bound=ZIP),
            size_row("zip -9", usual),
        ],
        [f"The same files in each: the template's app with {', '.join(MORE)}, and Python."],
    )
