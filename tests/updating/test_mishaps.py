"""Clocks that are wrong, servers that go away, disks that are full or read-only: is all well afterwards?"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.packages import require_apt
from tests.support.releases import MANIFEST, SIGNATURE, Answer, Content
from tests.support.tools import MissingError, run
from tests.support.updates import tree
from tests.updating.bundles import VERSION, Bundle, Supplied, held, supplied

pytestmark = pytest.mark.slow

NEXT = "1.1.0"
YEAR = timedelta(days=365)


@pytest.fixture
def home(home: Supplied) -> Supplied:
    """It has the next version to offer."""
    home.release(NEXT)
    return home


# The clock ############################################################################################################


def test_a_clock_that_is_wrong_by_a_year(home: Supplied) -> None:
    """It is fast when an update is made, put right then, and slow for the next one."""
    require_apt("libfaketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    app, releases = home.app, home.releases

    def start(offset: timedelta) -> AbstractContextManager[object]:
        seconds = f"{offset.total_seconds():+.0f}"
        return home.start(LD_PRELOAD=str(library), FAKETIME=seconds, NO_FAKE_STAT="1")

    def see_dates(status: dict[str, Any], offset: timedelta) -> None:
        """The page says when it was looked, by the clock of the computer."""
        for name in ("checked_at", "confirmed_at"):
            since = datetime.fromisoformat(status[name]) - datetime.now(UTC) - offset
            assert abs(since) < timedelta(minutes=10), name

    with start(YEAR):
        app.wait(VERSION)
        see_dates(home.look(), YEAR)
        asked = len(releases.requests)
        app.ask("/system/update/check", {})
        assert len(releases.requests) == asked, "within a minute nobody may ask again"
        home.update(NEXT)
    with home.start():
        app.wait(NEXT)
        app.ask("/system/update/check", {})  # and nobody waits for a year
        see_dates(app.until(lambda status: status["state"] != "checking"), timedelta())
    with start(-YEAR):
        app.wait(NEXT)
        home.release("1.2.0")
        home.update("1.2.0")
        see_dates(home.look(), -YEAR)
    assert home.damaged() == set()


# The server ###########################################################################################################


def broken_off(content: Content) -> Answer:
    """Half of a file."""
    assert isinstance(content, bytes)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])

    return answer


@pytest.mark.usefixtures("long")
def test_a_server_that_goes_away_at_any_step_of_a_check(home: Supplied) -> None:
    """Whatever was broken off: it is told, nothing has changed, and the next check finds the release."""
    app, releases = home.app, home.releases
    port = int(releases.url.rpartition(":")[2])
    with ExitStack() as outside, home.start():
        app.wait(VERSION)
        before, (_, told) = tree(app.root), app.warnings()
        for name in (SIGNATURE, MANIFEST, "the list"):  # what is as it was is not asked for again
            path = releases.api if name == "the list" else releases.path(f"v{NEXT}", name)
            content = releases.files.pop(path, b"[" + b" " * 1000 + b"]")
            releases.files[path] = broken_off(content)
            status = home.look()
            assert status["state"] == "error", name
            assert status["error"]["message"], name
            assert str(releases.url) in status["error"]["way_out"]
            lines, told = app.warnings(told)
            assert [line["event"] for line in lines] == ["updates"], "one line, and no more"
            assert tree(app.root) == before
            if name == "the list":
                del releases.files[path]
            else:
                releases.files[path] = content
            assert home.look()["release"]["version"] == NEXT
            releases.listed[0]["name"] = f"{name} again"  # or the list would be taken for the one before
        home.close()
        status = home.look()
        assert status["state"] == "error"
        outside.enter_context(releases.serve(port=port))
        home.update(NEXT)
    assert home.damaged() == set()


class Line:
    """A line that is cut while an archive comes, and is there again after a while."""

    def __init__(self, content: Content, pieces: int) -> None:
        assert isinstance(content, Path)
        self.content = content.read_bytes()
        self.size = len(self.content) // pieces + 1
        self.asked: list[int] = []
        self.is_up = True

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        if not self.is_up:
            return
        found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        self.asked.append(start)
        handler.send_response(HTTPStatus.PARTIAL_CONTENT if found else HTTPStatus.OK)
        handler.send_header("ETag", '"archive"')
        handler.send_header("Content-Length", str(len(self.content) - start))
        if found:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        handler.end_headers()
        handler.wfile.write(self.content[start : start + self.size])
        self.is_up = False
        threading.Timer(1.5, self.plug_in).start()

    def plug_in(self) -> None:
        self.is_up = True


def test_a_server_that_goes_away_while_an_archive_comes(home: Supplied) -> None:
    """The line is cut three times; what has come is not loaded again, and nobody has to do anything."""
    path = home.path(NEXT)
    home.releases.files[path] = line = Line(home.releases.files[path], pieces=4)
    with home.start():
        home.app.wait(VERSION)
        home.update(NEXT)
        assert [start // line.size for start in line.asked] == [0, 1, 2, 3], "not from where it was broken off"
    assert home.damaged() == set()


# The disk #############################################################################################################


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """Mount something; only root can do that."""
    if os.geteuid() != 0:
        raise MissingError("root, who mounts a small disk")
    place.mkdir(parents=True, exist_ok=True)
    run(["mount", *options, place])
    try:
        yield place
    finally:
        run(["umount", "--lazy", place])


def refused(home: Supplied, version: str, do: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Try to install a version, which does not succeed; gives what is told of it."""
    home.app.ask("/system/update/apply", {"version": version, "when": "now"})
    do()
    error = home.app.until(lambda status: status["state"] == "error", 60)["error"]
    assert home.app.version() == VERSION
    assert "\n" not in error["message"]
    assert error["way_out"]
    return dict(error)


def test_a_full_disk(bundle: Bundle, tmp_path: Path) -> None:
    """Nearly full, full, and full in the middle of an update: it is told, and nothing has changed."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=300m", "tmpfs") as disk, supplied(bundle, disk) as home:
        home.scratch = tmp_path / "releases"
        home.release(NEXT)
        filler, app = disk / "filler", home.app

        def fill(left: int) -> None:
            filler.unlink(missing_ok=True)
            with filler.open("wb") as file:
                status = os.statvfs(disk)
                os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - left)

        with home.start():
            app.wait(VERSION)
            home.look()
            before, (_, told) = tree(app.root), app.warnings()
            fill(10 << 20)
            error = refused(home, NEXT)
            assert re.search(r"too little space on the disk of .*: 3\d MB are needed, 10 MB are free", error["message"])
            assert error["way_out"] == "Make room, and try again."
            lines, told = app.warnings(told)
            assert [line["reason"] for line in lines] == [error["message"]], "one line, and no more"
            assert tree(app.root) == before
            filler.unlink()
            go_on, path = threading.Event(), home.path(NEXT)
            content = home.releases.files[path]
            home.releases.files[path] = held(content, go_on)

            def fill_up() -> None:
                app.until(lambda _: (app.root / "versions/.lock").exists() and home.releases.requests[-1][0] == path)
                fill(40 << 10)  # half of the archive
                go_on.set()

            assert "too little space" in refused(home, NEXT, fill_up)["message"]
            home.releases.files[path] = content
            assert tree(app.root) == before
            fill(0)
            refused(home, NEXT)
            assert tree(app.root) == before
            filler.unlink()
            home.update(NEXT)
        assert home.damaged() == set()


def test_a_folder_that_must_not_be_written_to(home: Supplied, tmp_path: Path) -> None:
    app = home.app
    for name in ("data", "logs"):
        (app.root / name).mkdir()
    with ExitStack() as stack:
        root = stack.enter_context(mounted(tmp_path / "installed", "--bind", str(app.root)))
        run(["mount", "-o", "remount,bind,ro", root])
        for name in ("data", "logs"):
            stack.enter_context(mounted(root / name, "--bind", str(app.root / name)))
        real, app.root = app.root, root
        try:
            with home.start():
                app.wait(VERSION)
                home.look()
                before = tree(real)
                error = refused(home, NEXT)
                assert error["message"] == f"The folder {root} cannot be written to (Read-only file system)."
                assert error["way_out"] == "Update it as the user that it belongs to."
                lines, _ = app.warnings()
                assert [line["reason"] for line in lines] == [error["message"]], "one line, and no more"
                assert tree(real) == before
        finally:
            app.root = real
    with home.start():
        app.wait(VERSION)
        home.update(NEXT)
    assert home.damaged() == set()
