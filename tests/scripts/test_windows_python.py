"""Does scripts/windows_python.py of a project get the Windows Python that is meant, whatever the network does?"""

from __future__ import annotations

import io
import random
import sys
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.background import served

PATH_FILE = b"python313.zip\r\n.\r\nLib\\site-packages\r\n..\\app\r\nimport site\r\n"


def package(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return buffer.getvalue()


MODULES = package(os__pyc=b"\0" * 5000)
PACKAGE = package(python__exe=random.Random(0).randbytes(500_000), python313__dll=b"", python313__zip=MODULES)  # noqa: S311


class Mirror:
    """A server that gives PACKAGE for every path, or does what `trouble` says, one request after the other."""

    def __init__(self) -> None:
        self.trouble: list[str] = []
        self.requests: list[str] = []  # what was asked for: the Range header, or nothing
        self.paths: list[str] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ftp"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.requests.append(wanted)
        self.paths.append(request.path)
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble.isdecimal():
            request.send_error(int(trouble))
            return
        content = b"<!DOCTYPE html><p>Please log in</p>" if trouble == "page" else PACKAGE
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and trouble != "no ranges" else 0
        if start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        end = len(content) // 2 if trouble == "broken" else len(content)
        request.wfile.write(content[start:end])


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    mirror = Mirror()
    monkeypatch.setenv("WINDOWS_PYTHON_URL", mirror.url)
    monkeypatch.setenv("WINDOWS_PYTHON_VERSION", "3.13.2")
    monkeypatch.setenv("WINDOWS_PYTHON_SHA256", sha256(PACKAGE).hexdigest())
    with mirror.server, served(mirror.server):
        yield mirror


@pytest.fixture
def script(desktop_script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = desktop_script("windows_python")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


def lay_out(script: ModuleType, folder: Path, minor: str = "3.13") -> str:
    """Lay out a Python, or give the message of what is wrong."""
    try:
        script.lay_out(minor, folder, compiler=Path(sys.executable))
    except script.BuildError as error:
        assert "\n" not in str(error)
        assert not list(folder.glob("*.exe"))
        return str(error)
    assert {path.name for path in folder.iterdir()} >= {"python.exe", "python313.dll", "python313.zip"}
    assert (folder / "python313._pth").read_bytes() == PATH_FILE
    assert (folder / "Lib" / "site-packages").is_dir()
    with zipfile.ZipFile(folder / "python313.zip") as library:  # for an installer to compress
        assert [(member.filename, member.compress_type) for member in library.infolist()] == [
            ("os.pyc", zipfile.ZIP_STORED)
        ]
    return ""


def test_it_is_loaded_once(script: ModuleType, mirror: Mirror, tmp_path: Path) -> None:
    assert lay_out(script, tmp_path / "one") == ""
    assert lay_out(script, tmp_path / "two") == ""
    assert mirror.paths == ["/ftp/3.13.2/python-3.13.2-embed-amd64.zip"]


@pytest.mark.parametrize("trouble", ["503", "429", "broken"])
def test_it_is_tried_again(trouble: str, script: ModuleType, mirror: Mirror, tmp_path: Path) -> None:
    mirror.trouble = [trouble, trouble]
    assert lay_out(script, tmp_path / "python") == ""
    assert len(mirror.requests) == 3


def test_what_is_there_is_not_loaded_again(script: ModuleType, mirror: Mirror, tmp_path: Path) -> None:
    mirror.trouble = ["broken"] * script.ATTEMPTS
    assert "the connection broke" in lay_out(script, tmp_path / "first")
    del mirror.requests[:]
    assert lay_out(script, tmp_path / "second") == ""
    assert mirror.requests == [f"bytes={len(PACKAGE) // 2}-"]


@pytest.mark.parametrize("trouble", ["", "no ranges"])
@pytest.mark.parametrize("size", [10, len(PACKAGE), len(PACKAGE) + 10])
def test_a_rest_of_something_else_is_thrown_away(
    size: int, trouble: str, script: ModuleType, mirror: Mirror, tmp_path: Path
) -> None:
    digest = sha256(PACKAGE).hexdigest()[:16]
    rest = script.cache_folder() / f"{digest}-python-3.13.2-embed-amd64.zip.partial"
    rest.write_bytes(b"x" * size)
    mirror.trouble = [trouble]
    assert lay_out(script, tmp_path / "python") == ""


def test_a_file_that_changed_in_the_cache_is_loaded_again(script: ModuleType, mirror: Mirror, tmp_path: Path) -> None:
    assert lay_out(script, tmp_path / "one") == ""
    (cached,) = (path for path in script.cache_folder().iterdir() if path.suffix == ".zip")
    cached.write_bytes(PACKAGE[:-1] + b"x")
    assert lay_out(script, tmp_path / "two") == ""
    assert len(mirror.requests) == 2


def test_a_page_that_is_not_there(script: ModuleType, mirror: Mirror, tmp_path: Path) -> None:
    mirror.trouble = ["404"]
    message = lay_out(script, tmp_path / "python")
    assert "the server says 404" in message and "WINDOWS_PYTHON_URL" in message
    assert len(mirror.requests) == 1


@pytest.mark.parametrize("final", [True, False])
def test_a_page_in_place_of_the_package(final: bool, script: ModuleType, mirror: Mirror, tmp_path: Path) -> None:
    mirror.trouble = ["page"]
    assert "it is no zip archive (a web page?)" in lay_out(script, tmp_path / "first")
    mirror.trouble = ["page"] if final else []
    assert bool(lay_out(script, tmp_path / "second")) == final


def test_another_package(script: ModuleType, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOWS_PYTHON_SHA256", "0" * 64)
    message = lay_out(script, tmp_path / "python")
    assert message.endswith(f"it has SHA-256 {sha256(PACKAGE).hexdigest()}, expected SHA-256 {'0' * 64}.")
    assert not [path for path in script.cache_folder().iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid/", "file:///nowhere", "nowhere"])
def test_no_network(
    url: str, script: ModuleType, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDOWS_PYTHON_URL", url)
    message = lay_out(script, tmp_path / "python")
    assert url.rstrip("/") in message and "WINDOWS_PYTHON_URL" in message


@pytest.mark.parametrize(
    ("variables", "minor", "message"),
    [
        ({"WINDOWS_PYTHON_SHA256": ""}, "3.13", "go together"),
        ({"WINDOWS_PYTHON_VERSION": "3.13"}, "3.13", "go together"),
        ({"WINDOWS_PYTHON_SHA256": "abc"}, "3.13", "go together"),
        ({}, "3.14", "WINDOWS_PYTHON_VERSION is 3.13.2, but the project is built with Python 3.14"),
    ],
)
def test_settings_that_do_not_fit(
    variables: dict[str, str],
    minor: str,
    message: str,
    script: ModuleType,
    mirror: Mirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert message in lay_out(script, tmp_path / "python", minor)
    assert mirror.requests == []


def test_the_pinned_packages_are_of_their_minor_version(script: ModuleType) -> None:
    for minor, (version, digest) in script.EMBEDDABLE.items():
        assert version.startswith(f"{minor}.") and len(digest) == 64
