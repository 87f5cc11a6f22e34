"""Does scripts/windows_installer.py of a project tell makensis what is meant, whatever the names are?"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

from tests.answers import AWKWARD
from tests.support.packages import require_apt
from tests.support.signing import PASSWORD, Authority

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
  WriteUninstaller "$INSTDIR\\uninstall.exe"
SectionEnd
Section Uninstall
SectionEnd
!ifdef SIGN_COMMAND
  !uninstfinalize '${SIGN_COMMAND} "%1"' = 0
!endif
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    require_apt("nsis", "osslsigncode")
    return Authority(tmp_path_factory.mktemp("authority") / "ca")


@pytest.fixture
def timestamps(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Sign with the certificate of the tests."""
    with authority.timestamps() as url:
        for name, value in authority.environment(url).items():
            monkeypatch.setenv(name, value)
        yield url


def test_what_is_built_is_signed(
    authority: Authority,
    timestamps: str,
    script: ModuleType,
    tree: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = authority.requests
    made = make(script, tree)
    assert authority.requests == before + 2, "setup.exe and the uninstaller in it"
    setup = tmp_path / "dist" / "sample-v1.0-setup.exe"
    assert authority.verify(setup)
    changed = tmp_path / "changed.exe"
    changed.write_bytes(made[:30_000] + bytes([made[30_000] ^ 1]) + made[30_001:])
    assert not authority.verify(changed)
    assert (tree / "versions/1.0/python/python.exe").read_text() == "the file versions/1.0/python/python.exe"
    told = [path.read_text(encoding="utf-8-sig") for path in (tmp_path / "work").glob("*.nsh")]
    captured = capfd.readouterr()
    for text in [*told, captured.out, captured.err]:
        assert PASSWORD not in text and authority.certificate[:40] not in text
    assert not list(Path(tempfile.gettempdir()).glob("signing-*/certificate.pfx"))


def test_secrets_are_on_no_command_line_and_not_in_the_environment(
    authority: Authority,
    timestamps: str,
    script: ModuleType,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = shutil.which("osslsigncode")
    spy = tmp_path / "bin" / "osslsigncode"
    spy.parent.mkdir()
    note = f'{{ printf "%s\\n" "$@"; env; }} >>{tmp_path}/seen; stat -c %a "$3" >>{tmp_path}/modes'
    spy.write_text(f'#!/bin/sh\n{note}\nexec {real} "$@"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(script.signing, "_taken", {})
    script.signing.take_secrets()  # as a build does, for npm, packages and the app run in it
    assert not [name for name in os.environ if name.startswith("SIGNING_CERTIFICATE")]
    make(script, tree)
    seen = (tmp_path / "seen").read_text()
    assert "-readpass" in seen and PASSWORD not in seen and authority.certificate[:40] not in seen
    assert (tmp_path / "modes").read_text().split().count("600") == 2


@pytest.mark.parametrize("uninstaller", [False, True], ids=["setup", "uninstaller"])
@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "SIGNING_CERTIFICATE_PASSWORD",
            "another",
            "is no PFX file, or SIGNING_CERTIFICATE_PASSWORD is not its password",
        ),
        ("SIGNING_CERTIFICATE", "AAAA", "is no PFX file"),
        ("SIGNING_CERTIFICATE", "%%%", "is no base64"),
        ("SIGNING_CERTIFICATE", "Schlüssel", "is no base64"),
        ("SIGNING_TIMESTAMP_URL", "http://127.0.0.1:9/", "SIGNING_TIMESTAMP_URL can name another"),
    ],
)
def test_what_cannot_be_signed_is_not_made(
    variable: str,
    value: str,
    message: str,
    uninstaller: bool,
    timestamps: str,
    script: ModuleType,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(script.signing, "ATTEMPTS", 1)
    if not uninstaller:
        script.SCRIPT.write_text(SCRIPT.partition("!ifdef SIGN_COMMAND")[0])
    with pytest.raises(script.BuildError, match=message) as caught:
        make(script, tree)
    assert "\n" not in str(caught.value)
    assert not list(tree.parent.rglob("*-setup.exe*"))
