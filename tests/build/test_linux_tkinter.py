"""A Linux bundle with tkinter: made with a Python of one's own that has it, it opens a window."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.build.test_bundle_linux import Bundled, unpack
from tests.conftest import Render
from tests.support.packages import require_apt
from tests.support.projects import newcomer
from tests.support.pythons import archive
from tests.support.tools import MissingError, run
from tests.support.wine import screen

pytestmark = pytest.mark.slow

LOOK = """
import re, tkinter
root = tkinter.Tk()
root.update()
maps = open("/proc/self/maps").read()
print(root.winfo_viewable(), *sorted(set(re.findall(r"/\\S.*lib(?:tcl|tk)8.*", maps))), sep="\\n")
"""
SYSTEM_PYTHON = Path("/usr/bin/python3")  # whose tkinter Debian's package has


def python_with_tkinter(folder: Path) -> tuple[str, Path]:
    """Make a Python as standalone builds with tkinter are; gives its minor version and its folder.

    It is the build of `pythons`, which has none, with Debian's module and libraries for the same minor version.
    """
    require_apt("python3-tk", "patchelf")
    minor = run([SYSTEM_PYTHON, "-c", "import sys; print(f'3.{sys.version_info.minor}')"]).stdout.strip()
    if minor not in {"3.11", "3.12", "3.13", "3.14"}:
        raise MissingError(f"a Debian whose Python is 3.11 to 3.14, not {minor}")
    folder.mkdir()
    run(["tar", "-xzf", archive(minor), "-C", folder])
    python = folder / "python"
    module = Path(run([SYSTEM_PYTHON, "-c", "import _tkinter; print(_tkinter.__file__)"]).stdout.strip())
    own = Path(shutil.copy(module, python / f"lib/python{minor}/lib-dynload"))
    run(["patchelf", "--set-rpath", "$ORIGIN/../..", own])
    for line in run(["ldd", module]).stdout.splitlines():
        name, _, path = line.strip().partition(" => ")
        if name.startswith(("libtcl", "libtk", "libBLT")):
            copied = shutil.copy(path.split()[0], python / "lib" / name)
            run(["patchelf", "--set-rpath", "$ORIGIN", copied])
    for scripts in Path("/usr/share/tcltk").glob("t*8.6"):
        shutil.copytree(scripts, python / "lib" / scripts.name)
    return minor, python


@pytest.mark.usefixtures("long")
def test_its_window_opens(render: Render, tmp_path: Path) -> None:
    require_apt("x11-utils")
    minor, python = python_with_tkinter(tmp_path / "own")
    shutil.copytree(
        render(answers_for(["desktop"], tkinter=True, python_version=minor, frontend=False)), tmp_path / "project"
    )
    project = Bundled(tmp_path / "project", newcomer(tmp_path / "newcomer"))
    project.lock()
    project.commit()
    project.build("--version", "1.0", "--python", python)
    root = unpack(project.root / "dist/sample-desktop-v1.0-linux-x64.tar.gz", tmp_path / "unpacked")
    shutil.rmtree(python)
    with screen() as name, socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {"PATH": "/usr/bin:/bin", "DISPLAY": name}
        bundled = root / "versions/1.0/python/bin/python3"
        viewable, *libraries = run([bundled, "-I", "-B", "-c", LOOK], env=environment).stdout.splitlines()
        assert viewable == "1"
        assert libraries, "Tcl and Tk are not those of the bundle"
        assert all(Path(library).is_relative_to(root) for library in libraries), libraries
        command = [str(root / "run.sh"), "--port", str(taken.getsockname()[1])]
        with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as app:
            try:
                wait_for_window(environment, '"Sample desktop"')
            finally:
                app.terminate()


def wait_for_window(environment: dict[str, str], title: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while title not in (windows := run(["xwininfo", "-root", "-tree"], env=environment).stdout):
        assert time.monotonic() < end, windows
        time.sleep(0.1)
