"""Do updates get along with each other, with another app, with a backup, and with those who only look?"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.conftest import Render
from tests.support.releases import Answer, Content
from tests.support.tools import run
from tests.support.updates import Installed, unfinished
from tests.updating.bundles import ANSWERS, VERSION, Bundle, Supplied, build, held, supplied

pytestmark = pytest.mark.slow

NEXT = "1.1.0"
REQUESTS = 10_000
SLOWER = 1.05  # at most, where nothing else is to be done
AT_ONCE = 8
TURNS = 10


@pytest.fixture
def home(home: Supplied) -> Supplied:
    """It has the next version to offer."""
    home.release(NEXT)
    return home


def hold(home: Supplied) -> threading.Event:
    """Let the archive wait."""
    go_on, path = threading.Event(), home.path(NEXT)
    home.releases.files[path] = held(home.releases.files[path], go_on)
    return go_on


def test_of_two_updaters_one_wins(home: Supplied, folder: Path) -> None:
    """Two servers of one installation, with data folders of their own, are told to update at once."""
    other = Installed(home.app.root, home.app.slug)
    second = Supplied(home.bundle, other, home.releases, home.scratch)
    go_on = hold(home)
    with home.start(), second.start(**{f"{other.prefix}_DATA_DIR": str(folder / "other data")}):
        for each in (home, second):
            each.app.wait(VERSION)
            assert each.look()["release"]["version"] == NEXT
        body = {"version": NEXT, "when": "now"}
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: each.app.ask("/system/update/apply", body), (home, second)))
        end = time.monotonic() + 40
        while not (late := [each for each in (home, second) if each.app.status()["state"] == "error"]):
            assert time.monotonic() < end, "nobody is refused"
        (loser,) = late
        (winner,) = [each for each in (home, second) if each is not loser]
        assert loser.app.status()["error"] == {
            "message": "Another process updates this app already.",
            "way_out": "Wait until it has ended.",
        }
        go_on.set()
        winner.app.wait(NEXT)
        assert winner.app.outcome(NEXT) == ("updated", VERSION)
        assert loser.app.version() == VERSION, "it goes on as it was"
        assert home.damaged() == set()
        assert loser.app.status()["last"]["outcome"] == "failed"
    with home.start():
        home.app.wait(NEXT)
        home.app.until(lambda _: unfinished(home.app) == set())
    assert [path.name for path in sorted(home.app.root.glob("versions/[!.]*"))] == [VERSION, NEXT]


@pytest.mark.usefixtures("long")
def test_two_apps_in_one_place_do_not_meet(bundle: Bundle, render: Render, folder: Path, session_folder: Path) -> None:
    """Two apps, and the first one twice, have one home and one parent folder, and update all at once."""
    other = build(render, session_folder / "another bundle", {**ANSWERS, "project_name": "Another"})
    place, versions = folder / "Apps", {}
    with ExitStack() as stack:
        homes = []
        for number, each in enumerate((bundle, bundle, other)):
            home = stack.enter_context(supplied(each, place / f"{each.slug} {number}"))
            home.scratch = folder / f"releases {number}"
            home.release(NEXT)
            homes.append(home)
        (folder / "home").mkdir()
        for home in homes:
            stack.enter_context(home.start(HOME=str(folder / "home")))
        for home in homes:
            home.app.wait(VERSION)
            (home.app.root / "data" / "note.txt").write_text(str(home.app.root), encoding="utf-8")
            assert home.look()["release"]["version"] == NEXT
        for home in homes:
            home.app.ask("/system/update/apply", {"version": NEXT, "when": "now"})
        for home in homes:
            home.app.wait(NEXT)
            assert home.app.outcome(NEXT) == ("updated", VERSION)
            assert home.damaged() == set()
            assert (home.app.root / "data" / "note.txt").read_text(encoding="utf-8") == str(home.app.root)
            versions[home.app.root] = {path.name for path in home.app.root.iterdir()}
    assert set(place.glob("*/*")) == set(versions)
    assert list((folder / "home").iterdir()) == []
    assert all(names == next(iter(versions.values())) for names in versions.values())


@pytest.mark.usefixtures("long")
def test_an_update_while_a_backup_is_made(home: Supplied, folder: Path) -> None:
    """Pack the whole folder again and again: the update succeeds, and each backup can be put back."""
    app = home.app
    backups, ended = list[Path](), threading.Event()

    def back_up() -> None:
        while not ended.is_set():
            backup = folder / f"{len(backups)}.tar"
            # 1: something was changed while it was read, as it has to be.
            done = run(["tar", "-cf", backup, "-C", app.root.parent, app.root.name], returncode=None)
            assert done.returncode in {0, 1}, done.stderr
            backups.append(backup)

    with home.start(), ThreadPoolExecutor(1) as pool:
        app.wait(VERSION)
        for number in range(100):
            (app.root / "data" / f"{number}.txt").write_text(f"{number} " * 1000, encoding="utf-8")
        packing = pool.submit(back_up)
        try:
            home.update(NEXT)
        finally:
            ended.set()
        packing.result()
        app.until(lambda _: unfinished(app) == set())
        assert home.damaged() == set()
    assert len(backups) > 1
    started = Counter[tuple[str, str, bool]]()
    for backup in backups:
        root = folder / f"from {backup.name}"
        root.mkdir()
        run(["tar", "-xf", backup, "--strip-components=1", "-C", root])
        for number in range(100):
            assert (root / "data" / f"{number}.txt").read_text(encoding="utf-8") == f"{number} " * 1000
        again = Supplied(home.bundle, Installed(root, app.slug), home.releases, folder)
        with again.start():
            version = again.app.settle()
            assert version in {VERSION, NEXT}
            assert again.damaged(version) == set()
            # A backup may have `current` and not yet the version that it names: then the one before runs.
            kind = version, again.app.current, (root / "failed").exists()
            if kind[::2] == (VERSION, False) and kind not in started:
                again.update(NEXT)
            started[kind] += 1
        shutil.rmtree(root)
    print(f"{len(backups)} backups (version, current, failed): {dict(started)}")


class Questions:
    """Somebody who asks an app for its status again and again."""

    def __init__(self, app: Installed) -> None:
        self.app = app
        self.states = Counter[str]()

    def ask(self, times: int) -> None:
        """Ask without a pause, over one connection: the app closes it where nobody says anything for a while."""
        with closing(HTTPConnection("127.0.0.1", self.app.port, timeout=60)) as connection:
            for _ in range(times):
                connection.request("GET", "/system/update/status")
                answer = connection.getresponse()
                content = json.load(answer)
                assert (answer.status, content["current_version"]) == (HTTPStatus.OK, VERSION)
                self.states[content["state"]] += 1


def busy_seconds(app: Installed) -> float:
    """The time of the processor that the app has had."""
    pid = json.loads((app.root / "data" / "instance.json").read_text(encoding="utf-8"))["pid"]
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.usefixtures("long")
def test_ten_thousand_questions_during_an_update(home: Supplied, bundle: Bundle, folder: Path) -> None:
    """Two apps are asked by turns, of which one loads a whole archive, and then both installs it and answers."""
    version, enough = "1.2.0", threading.Event()
    home.release(version, "another")
    path = home.path(version, "")
    home.releases.files[path] = slowly(home.releases.files[path], enough)
    idle = Supplied(bundle, bundle.install(folder / "idle"), home.releases, folder)
    with home.start(), idle.start():
        for each in (home, idle):
            each.app.wait(VERSION)
            assert each.look()["release"]["version"] == version
        home.app.ask("/system/update/apply", {"version": version, "when": "next_start"})
        home.app.until(lambda status: status["progress"] and status["progress"]["received"])
        spent = {id(each): 0.0 for each in (home, idle)}
        questions = {id(each): Questions(each.app) for each in (home, idle)}
        for _ in range(TURNS):
            for each in (home, idle):
                before = busy_seconds(each.app)
                questions[id(each)].ask(REQUESTS // 2 // TURNS)
                spent[id(each)] += busy_seconds(each.app) - before
        others = [Questions(home.app) for _ in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda other: other.ask(REQUESTS // 2 // AT_ONCE), others))
            for other in others:
                questions[id(home)].states += other.states
                other.states.clear()
            assert questions[id(home)].states == {"downloading": REQUESTS}
            enough.set()
            list(pool.map(lambda other: other.ask(REQUESTS // 4 // AT_ONCE), others))
        home.app.until(lambda status: status["on_next_start"] == version, 120)
        states = sum((other.states for other in others), Counter[str]())
    assert home.damaged() == set()
    slower = spent[id(home)] / spent[id(idle)]
    print(f"{REQUESTS} questions, then {dict(states)}; {slower:.3f} times the processor of an idle app")
    assert states["applying"], "the update had ended"
    assert slower <= SLOWER


def slowly(content: Content, enough: threading.Event) -> Answer:
    """A file that comes slowly, and its second half very slowly, until somebody has seen enough of that."""
    assert isinstance(content, Path)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Content-Length", str(content.stat().st_size))
        handler.end_headers()
        with content.open("rb") as file:
            while block := file.read(50_000 if file.tell() < content.stat().st_size // 2 else 5_000):
                handler.wfile.write(block)
                enough.wait(0.1 if len(block) > 5_000 else 1)

    return answer
