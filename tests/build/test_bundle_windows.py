"""scripts/build-dist-windows.sh: what it makes on this machine, that it starts as Windows, and what it refuses."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.conftest import app_for_windows
from tests.conftest import Render, git
from tests.support import windows_pythons
from tests.support.tools import run, sha256, uv
from tests.support.windows_app import packed_in_seconds
from tests.support.wine import Windows, screen, windows, wine

pytestmark = pytest.mark.slow

MAGIC = {"3.12": 3531, "3.13": 3571}  # of bytecode
# numpy 2.2 and later call a function that Wine 10 has not.
MORE = [
    "numpy<2.2",
    "pillow",
    "pynacl",
    "pystray",
    "colorama; sys_platform == 'win32'",
    "pywin32; sys_platform == 'win32'",
]
IMPORTS = ["numpy", "PIL.Image", "nacl.signing", "pystray", "colorama", "win32api", "win32com.client", "tkinter"]


@pytest.fixture(scope="module")
def environment(windows_environment: dict[str, str]) -> dict[str, str]:
    return windows_environment


@pytest.fixture(scope="module")
def project(windows_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the default app."""
    return shutil.copytree(windows_project, tmp_path_factory.mktemp("default") / "a project", symlinks=True)


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    """Give the output folder of the default app's build."""
    return project / "dist"


@pytest.fixture
def machine() -> Iterator[Windows]:
    with wine() as root, screen() as display, windows(root, display=display) as windows_:
        yield windows_


def build(
    project: Path, environment: dict[str, str], *arguments: str, returncode: int | None = 0
) -> subprocess.CompletedProcess[str]:
    return run(
        [project / "scripts/build-dist-windows.sh", *arguments], cwd=project, env=environment, returncode=returncode
    )


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in folder.iterdir()}


def test_what_is_made(built: Path) -> None:
    ends = ["setup.exe", "win-x64-app.zip", "win-x64.cdx.json", "win-x64.zip"]
    assert sorted(path.name for path in built.iterdir()) == [f"sample-v1.2.3-{end}" for end in ends]
    with zipfile.ZipFile(built / "sample-v1.2.3-win-x64.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    assert all(name.startswith("sample/") for name in files)
    beside = {name.split("/")[1] for name in files if name.count("/") == 1}
    assert beside == {"current", "icon.ico", "sample.cmd", "start-hidden.vbs"}
    assert files["sample/current"] == b"1.2.3\n"
    version, python = "sample/versions/1.2.3", "sample/versions/1.2.3/python"
    assert {f"{version}/{name}" for name in ("VERSION", "start.py", "runtime-id", "THIRD_PARTY_LICENSES.txt")} <= set(
        files
    )
    paths = b"python313.zip\r\n.\r\nLib\\site-packages\r\n..\\app\r\nimport site\r\n"
    assert files[f"{python}/python313._pth"] == paths
    with zipfile.ZipFile(windows_pythons.embeddable_zip()) as original:  # with its signatures
        for name in ("python.exe", "python313.dll", "_ssl.pyd"):
            assert files[f"{python}/{name}"] == original.read(name)
    site = f"{python}/Lib/site-packages"
    assert f"{version}/app/sample-1.2.3.dist-info/METADATA" in files
    assert not [
        name for name in files if name.endswith((".so", "/.lock", ".js.map")) or name.startswith(f"{site}/bin/")
    ]
    compiled = {data[:8] for name, data in files.items() if name.endswith(".pyc")}
    assert compiled == {MAGIC["3.13"].to_bytes(2, "little") + b"\r\n" + bytes([1, 0, 0, 0])}, "3.13, unchecked hash"
    with zipfile.ZipFile(built / "sample-v1.2.3-win-x64-app.zip") as archive:
        app = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    left_out = {"sample/current", "sample/icon.ico", f"{version}/THIRD_PARTY_LICENSES.txt"}
    assert app == {
        name: data
        for name, data in files.items()
        if name not in left_out and not name.startswith(python) and "__pycache__" not in name
    }


def test_another_build_gives_the_same_files(
    built: Path, project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """All but setup.exe, which is packed in no time; then that one alone, as for users."""
    clone, out = tmp_path / "elsewhere", tmp_path / "out"
    git(tmp_path, "clone", "-q", str(project), str(clone))
    result = build(clone, environment | packed_in_seconds(tmp_path), "--output", str(out))
    for name, digest in digests(out).items():
        assert f"{name} " in result.stdout and digest in result.stdout
    before = {name: digest for name, digest in digests(out).items() if not name.endswith("setup.exe")}
    alone = tmp_path / "alone"
    build(clone, environment, "--installer-only", "--output", str(alone))
    assert digests(alone).keys() == digests(out).keys() - before.keys()
    assert {**before, **digests(alone)} == digests(built)
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.usefixtures("long")
def test_it_runs_as_windows(render: Render, environment: dict[str, str], machine: Windows, tmp_path: Path) -> None:
    """A build with Wine imports all modules, and starts what it made: before anybody can take it."""
    project = tmp_path / "a project"
    app_for_windows(project, render, environment, *MORE, tkinter=True)
    share(machine, project, Path(f"{machine.root}{project}"))
    script = tmp_path / "wine"
    quiet = {"WINEDLLOVERRIDES": "mscoree,mshtml=;winedbg.exe=d"}
    command = machine.command("sh", "-c", 'cd "$0" && exec wine "$@"', env=quiet)
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$PWD" "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    result = build(project, {**environment, "WINE": str(script)})
    assert "/health says 1.2.3" in result.stderr
    assert "cannot be imported" not in result.stderr
    site = project / "build/windows/sample/versions/1.2.3/python/Lib/site-packages"
    assert (site / "pywin32.pth").is_file() and (site / "pywin32_system32").is_dir()
    with zipfile.ZipFile(project / "dist/sample-v1.2.3-win-x64.zip") as archive:
        archive.extractall(machine.files / "portable")
    imports = f"import {', '.join(IMPORTS)}; root = tkinter.Tk(); root.update(); print(root.tk.eval('info library'))"
    python = r"C:\portable\sample\versions\1.2.3\python\python.exe"
    said = machine.run(python, "-B", "-c", imports, env=quiet, timeout=120).stdout
    assert r"\python\tcl\tcl8.6" in said.replace("/", "\\")


def share(machine: Windows, folder: Path, at: Path) -> None:
    """Let programs in there see a folder of this machine under its own path."""
    at.mkdir(parents=True)
    machine.mount("--bind", str(folder), at=at)


def test_a_minor_version_of_which_python_org_has_no_fixes(
    project: Path, environment: dict[str, str], machine: Windows, tmp_path: Path
) -> None:
    code = (
        "import pathlib, sys, windows_python as w\n"
        "print(w.describe('3.12', tkinter=False))\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "w.lay_out('3.12', folder, compiler=pathlib.Path(sys.executable))\n"
        "print(w.version_of(folder, '3.12'))"
    )
    command = [
        uv(),
        "run",
        "--quiet",
        "--no-project",
        "--python",
        "3.12",
        "--with",
        "filelock",
        "python",
        "-B",
        "-c",
        code,
    ]
    without = {name: value for name, value in environment.items() if not name.startswith("WINDOWS_PYTHON_")}
    folder = machine.files / "python"
    said = run([*command, folder], cwd=project / "scripts", env={**without, "PYTHONPATH": "."}).stdout
    assert said.splitlines() == [f"layout 1, cpython-{windows_pythons.MAVEN.version}-windows-x86_64-none", "3.12.1"]
    names = {path.name for path in folder.iterdir()}
    assert names >= {"python.exe", "python3.dll", "python312.zip", "python312._pth", "_ssl.pyd", "Lib"}
    assert not names & {
        "_tkinter.pyd",
        "tcl",
        "tcl86t.dll",
        "tk86t.dll",
        "zlib1.dll",
        "_testcapi.pyd",
        "include",
        "libs",
    }
    with zipfile.ZipFile(folder / "python312.zip") as library:
        assert not [
            name for name in library.namelist() if name.startswith(("test/", "tkinter/", "idlelib/", "ensurepip/"))
        ]
        assert library.read("os.pyc")[:2] == MAGIC["3.12"].to_bytes(2, "little")
    check = (
        "import asyncio, ctypes, decimal, json, lzma, multiprocessing, sqlite3, ssl, sys; print(json.__spec__.origin)"
    )
    said = machine.run(r"C:\python\python.exe", "-B", "-c", check).stdout
    assert said.strip() == r"C:\python\python312.zip\json\__init__.pyc"


def refused(project: Path, environment: dict[str, str], *arguments: str) -> str:
    """Give the one line with which a build ends that has made nothing."""
    output = project / "refused"
    result = build(project, environment, "--output", str(output), *arguments, returncode=1)
    assert not output.exists() or not list(output.iterdir())
    assert not list((project / "build").glob("work-*"))
    return result.stderr.strip().splitlines()[-1]


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", str(project), str(tmp_path / "copy"))
    return tmp_path / "copy"


def test_no_makensis(copy: Path, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for folder in environment["PATH"].split(os.pathsep):
        for program in Path(folder).iterdir() if Path(folder).is_dir() else []:
            if program.name != "makensis" and not (tmp_path / "bin" / program.name).is_symlink():
                (tmp_path / "bin" / program.name).symlink_to(program)
    line = refused(copy, {**environment, "PATH": str(tmp_path / "bin")})
    assert line == "bundle: makensis is missing, which makes setup.exe: apt install nsis."


def test_an_icon_that_is_none(copy: Path, environment: dict[str, str]) -> None:
    (copy / "scripts/icon.ico").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "icon.ico is a PNG image" in refused(copy, environment)


def test_a_lock_that_does_not_fit(copy: Path, environment: dict[str, str]) -> None:
    pyproject = copy / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"uvicorn>=0.50"', '"uvicorn>=0.50", "colorama"'))
    assert "uv.lock does not fit pyproject.toml" in refused(copy, environment)


def test_a_dependency_without_a_wheel(copy: Path, environment: dict[str, str]) -> None:
    run([uv(), "add", "--quiet", "--no-sync", "uvloop"], cwd=copy, env=environment)
    line = refused(copy, environment)
    assert "uvloop" in line and "wheel" in line and "windows" in line


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WINDOWS_PYTHON_SHA256": "0" * 64}, "is not the file that is meant: it has SHA-256"),
        ({"WINDOWS_PYTHON_URL": "file:///nowhere", "WINDOWS_PYTHON_SHA256": "1" * 64}, "cannot be loaded"),
        ({"WINDOWS_PYTHON_VERSION": "3.12.10"}, "the project is built with Python 3.13"),
    ],
)
def test_a_python_that_is_not_meant(
    variables: dict[str, str], message: str, copy: Path, environment: dict[str, str]
) -> None:
    assert message in refused(copy, {**environment, **variables})


def test_nothing_to_pack(copy: Path, environment: dict[str, str]) -> None:
    assert "build once without --installer-only" in refused(copy, environment, "--installer-only")
