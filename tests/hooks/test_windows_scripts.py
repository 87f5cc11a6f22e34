"""Scripts for Windows are checked and corrected byte by byte, and never damaged."""

import subprocess
import sys
from pathlib import Path

import pytest

from hooks import windows_scripts

PROGRAM = Path(windows_scripts.__file__)


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.bat", b"@echo off\r\necho hi\r\n"),
        ("a.BAT", b"@echo off\r\n"),
        ("a.cmd", b"rem no line end at the end"),
        ("a.vbs", b"' tab\there, form feed \x0c\r\n"),
        ("a.nsi", b"Name a\nSection\nSectionEnd\n"),
        ("b.nsi", b"Name a\r\nSection\r\nSectionEnd\r\n"),
        ("a.vbs", b""),
    ],
)
def test_right_scripts_are_left_alone(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for arguments in ([path], ["--fix", path]):
        result = run(*arguments)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content", "messages", "fixed"),
    [
        pytest.param(
            "a.bat",
            b"a\r\nb\nc\n",
            ["2: line ends in LF, as do 1 more; must be CRLF"],
            b"a\r\nb\r\nc\r\n",
            id="lf",
        ),
        pytest.param(
            "a.cmd", b"a\r\r\nb\r\n", ["1: line ends in CR CR LF; must be CRLF"], b"a\r\nb\r\n", id="sed-run-twice"
        ),
        pytest.param("a.vbs", b"a\rb\r\n", ["1: line ends in CR; must be CRLF"], b"a\r\nb\r\n", id="old-macintosh"),
        pytest.param(
            "a.nsi",
            b"a\nb\r\nc\n",
            ["2: line ends in CRLF; other lines end in LF"],
            b"a\nb\nc\n",
            id="nsis-mixed-mostly-lf",
        ),
        pytest.param(
            "a.nsh",
            b"a\r\nb\r\nc\n",
            ["3: line ends in LF; other lines end in CRLF"],
            b"a\r\nb\r\nc\r\n",
            id="nsis-mixed-mostly-crlf",
        ),
        pytest.param(
            "a.bat", b"\xef\xbb\xbfa\r\n", ["1: begins with a byte order mark (UTF-8)"], b"a\r\n", id="utf-8-mark"
        ),
        pytest.param(
            "a.vbs",
            "\ufeffa\r\n".encode("utf-16-le"),
            ["1: begins with a byte order mark (UTF-16-LE)"],
            b"a\r\n",
            id="utf-16",
        ),
        pytest.param(
            "a.vbs",
            "x = \u201cHi\u201d \u2019 don\u2019t\r\n".encode(),
            [
                "1:5: U+201C LEFT DOUBLE QUOTATION MARK is not ASCII",
                "1:8: U+201D RIGHT DOUBLE QUOTATION MARK is not ASCII",
                "1:10: U+2019 RIGHT SINGLE QUOTATION MARK is not ASCII",
                "1:15: U+2019 RIGHT SINGLE QUOTATION MARK is not ASCII",
            ],
            b"x = \"Hi\" ' don't\r\n",
            id="curly-quotes",
        ),
        pytest.param(
            "a.vbs",
            'x = "a \u201cb\u201d"\r\n'.encode(),
            [
                "1:8: U+201C LEFT DOUBLE QUOTATION MARK is not ASCII",
                "1:10: U+201D RIGHT DOUBLE QUOTATION MARK is not ASCII",
            ],
            b"x = \"a 'b'\"\r\n",
            id="curly-quotes-inside-a-string",
        ),
        pytest.param(
            "a.bat",
            "rem a\u00a0\u2013 b\u2026\u200b\r\n".encode(),
            [
                "1:6: U+00A0 NO-BREAK SPACE is not ASCII",
                "1:7: U+2013 EN DASH is not ASCII",
                "1:10: U+2026 HORIZONTAL ELLIPSIS is not ASCII",
                "1:11: U+200B ZERO WIDTH SPACE is not ASCII",
            ],
            b"rem a - b...\r\n",
            id="dashes-and-spaces",
        ),
    ],
)
def test_wrong_scripts_are_reported_then_fixed_once(
    tmp_path: Path, name: str, content: bytes, messages: list[str], fixed: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    path.chmod(0o755)

    looked = run(path)
    assert (looked.returncode, looked.stderr) == (1, "")
    assert looked.stdout.splitlines() == [f"{path}:{message}" for message in messages]
    assert path.read_bytes() == content

    first = run("--fix", path)
    assert first.returncode == 1
    assert first.stdout.splitlines() == [f"{path}:{message} (fixed)" for message in messages]
    assert path.read_bytes() == fixed
    assert path.stat().st_mode & 0o777 == 0o755

    second = run("--fix", path)
    assert (second.returncode, second.stdout) == (0, "")
    assert path.read_bytes() == fixed


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.vbs", "x = 1\r\ny = \u00e9\r\n".encode(), "2:5: U+00E9 LATIN SMALL LETTER E WITH ACUTE is not ASCII"),
        ("a.bat", b"rem caf\xe9\r\n", "1:8: byte 0xE9 is neither ASCII nor part of a UTF-8 character"),
        ("a.bat", b"echo \x00\r\n", "1:6: U+0000 control character may not stand in a script"),
        ("a.bat", "echo \U0001f680\r\n".encode(), "1:6: U+1F680 ROCKET is not ASCII"),
        ("a.nsi", "DetailPrint 'it\u2019s'\n".encode(), "1:16: U+2019 RIGHT SINGLE QUOTATION MARK is not ASCII"),
    ],
)
def test_what_a_person_must_decide_is_never_changed(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for _ in range(2):
        result = run("--fix", path)
        assert result.returncode == 1
        assert result.stdout == f"{path}:{message}\n"
        assert path.read_bytes() == content


def test_the_rest_is_fixed_where_something_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.bat"
    path.write_bytes(b"\xef\xbb\xbfa \xe9 \xc3\xa9\nb\n")
    result = run("--fix", path)
    assert result.returncode == 1
    assert path.read_bytes() == b"a \xe9 \xc3\xa9\r\nb\r\n"
    assert [line.endswith("(fixed)") for line in result.stdout.splitlines()] == [True, True, False, False]


def test_folders_are_searched(tmp_path: Path) -> None:
    for name in ("windows/a.bat", "windows/deep/b.NSI", "windows/node_modules/c.bat", "windows/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a\nb\r\n")
    result = run("windows", cwd=tmp_path)
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["windows/a.bat", "windows/deep/b.NSI"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PATH"),
        (["missing.bat"], "missing.bat: No such file or directory"),
        (["notes.txt"], "notes.txt: not a script for Windows"),
        (["--wrong", "a.bat"], "unrecognized arguments: --wrong"),
    ],
)
def test_wrong_usage_is_one_clear_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_help_says_what_is_checked() -> None:
    text = run("--help").stdout
    for word in ("--fix", "ASCII", "CRLF", ".nsi", "Exit status"):
        assert word in text
