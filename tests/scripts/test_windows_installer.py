"""Does scripts/windows_installer.py of a project tell makensis what is meant, whatever the names are?"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

from tests.answers import AWKWARD
from tests.support.packages import require_apt

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
ICON = b"\0\0\1\0\1\0\1\1\0\0\1\0\x20\0" + len(PNG).to_bytes(4, "little") + (22).to_bytes(4, "little") + PNG
SCRIPT = """\
Unicode true
Target amd64-unicode
SetCompress off
!include product.nsh
!include files.nsh
Name "${APP_NAME}"
OutFile "${OUTPUT}"
Section
  FileOpen $0 "$TEMP\\name.txt" w
  FileWriteUTF16LE $0 "<<<${APP_NAME}>>>"
  FileClose $0
  !insertmacro PACK_ROOT "$INSTDIR"
  !insertmacro PACK_VERSION "$INSTDIR\\versions\\new"
SectionEnd
"""


@pytest.fixture
def script(desktop_script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = desktop_script("windows_installer")
    nsi = tmp_path / "installer.nsi"
    nsi.write_text(SCRIPT, encoding="ascii")
    monkeypatch.setattr(module, "SCRIPT", nsi)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with names that makensis could misread."""
    tree = tmp_path / "a $tree [1] with ü, 'quotes' and ${APP_NAM}"
    names = ["start-hidden.vbs", "current", "versions/1.0/python/python.exe", "versions/1.0/app/x$INSTDIR/[a] b.py"]
    for name in [*names, "versions/1.0/app/日本.txt", "versions/0.9/old.txt"]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"the file {name}", encoding="utf-8")
    return tree


def make(script: ModuleType, tree: Path, name: str = "Sample", icon: bytes = ICON) -> bytes:
    (tree.parent / "icon.ico").write_bytes(icon)
    values = {"APP_NAME": name, "VERSION_FOLDER": "1.0", "ICON": str(tree.parent / "icon.ico")}
    output = tree.parent / "dist" / "sample-v1.0-setup.exe"
    output.parent.mkdir(exist_ok=True)
    script.make(tree.parent / "work", tree, output, values)
    return output.read_bytes()


@pytest.mark.parametrize("name", [str(answers.get("project_name", "x")) for answers in AWKWARD.values()])
def test_any_name_arrives_as_it_is(name: str, script: ModuleType, tree: Path) -> None:
    require_apt("nsis")
    assert f"<<<{name}>>>".encode("utf-16-le") in make(script, tree, name)


def test_an_environment_variable_is_not_read(script: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    made = make(script, tree, "a $%SECRET% b")
    assert "<<<a $ %SECRET% b>>>".encode("utf-16-le") in made


def test_the_files_of_the_version_are_packed_and_no_others(script: ModuleType, tree: Path) -> None:
    made = make(script, tree)
    files = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    packed = {name for name in files if f"the file {name}".encode() in made}
    assert packed == files - {"current", "versions/0.9/old.txt"}


def test_the_same_tree_gives_the_same_file(script: ModuleType, tree: Path) -> None:
    for path in tree.rglob("*"):
        os.utime(path, (10**9, 10**9))
    assert make(script, tree) == make(script, tree)


@pytest.mark.parametrize(
    ("icon", "message"),
    [(PNG, "is a PNG image"), (b"", "is no icon"), (ICON[:-1], "is no icon"), (ICON[:12], "is no icon")],
)
def test_an_icon_that_is_none(icon: bytes, message: str, script: ModuleType, tree: Path) -> None:
    with pytest.raises(script.BuildError, match=message):
        make(script, tree, icon=icon)


def test_makensis_is_missing(script: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(script.BuildError, match="apt install nsis"):
        make(script, tree)


def test_makensis_of_a_windows_is_found(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "NSIS" / "makensis.exe"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("ProgramFiles(x86)", str(tmp_path))
    assert script.find_makensis() == str(program)


def test_a_warning_stops_it_with_one_line(script: ModuleType, tree: Path) -> None:
    script.SCRIPT.write_text(SCRIPT + 'Section\n  DetailPrint "$nothing"\nSectionEnd\n')
    with pytest.raises(script.BuildError, match="unknown variable") as caught:
        make(script, tree)
    assert "\n" not in str(caught.value)
    assert not list(tree.parent.rglob("*-setup.exe"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My App", "My App"),
        ('a/b\\c: "d" <e> |?*', "a b c d e"),
        ("CON", "slug"),
        ("nul.txt", "slug"),
        ("...", "slug"),
        ("Größe 日本 🚀.", "Größe 日本 🚀"),
    ],
)
def test_names_of_files(name: str, expected: str, script: ModuleType) -> None:
    assert script.file_name(name, "slug") == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1", "1.0.0.0"), ("1.2.3rc1", "1.2.3.0"), ("1.2.3.4.5", "1.2.3.4"), ("2026.99999", "2026.65535.0.0")],
)
def test_numbers_of_a_version(version: str, expected: str, script: ModuleType) -> None:
    assert script.version_numbers(Version(version)) == expected


def test_a_certificate_without_osslsigncode(
    script: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = subprocess.run(["which", "makensis"], check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "makensis").symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("SIGNING_CERTIFICATE", "AAAA")
    with pytest.raises(Exception, match="apt install osslsigncode"):
        make(script, tree)
