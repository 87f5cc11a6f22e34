"""Does an installed app refuse whatever somebody does to it who has the server, the network, or a page in its browser?

One app is attacked by all of them, one after the other, and each is another release: what the app has found out about
one says nothing about the next. In the end it still takes the release that is good.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.releases import MANIFEST, SIGNATURE, Answer, Content, Key, Releases, describe, signed
from tests.support.tools import sha256
from tests.support.updates import Installed, tree
from tests.updating.bundles import VERSION, Bundle, Member, member, write_tar

pytestmark = pytest.mark.slow

TOKEN = "5ecret-of-the-repository"
BASIC = base64.b64encode(f"{TOKEN}:x-oauth-basic".encode()).decode()  # as it is sent for files
CANARY = "not to be touched"
Manifest = dict[str, Any]
Step = Callable[["Attack"], object]


@dataclass
class Attack:
    """An app that runs, the server that it asks, another server, and keys: what an attacker has, and more."""

    app: Installed
    bundle: Bundle
    home: Releases
    elsewhere: Releases
    key: Key
    stranger: Key  # which the app does not trust
    folder: Path  # in which nothing may change but what the app itself writes
    scratch: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    version: str = VERSION  # of the last release
    baseline: Mapping[str, str] = field(default_factory=dict)
    told: int = 0  # bytes of the log that were looked at

    def release(
        self,
        change: Callable[[Manifest], object] = lambda _: None,
        *,
        key: Key | None = None,
        members: Callable[[list[Member]], object] = lambda _: None,
        app: Callable[[Attack], bytes] | None = None,
        **entry: object,
    ) -> None:
        """Put another release on the server, the only one, with a manifest that was changed before it was signed."""
        self.version = f"1.1.{next(self.numbers)}"
        contents = self.bundle.members(self.version)
        members(contents)
        packed = app(self) if app else write_tar(contents)
        archives = self.bundle.archives(self.version, self.scratch)
        manifest = describe(self.bundle.slug, self.version, archives)
        archives["app"].write_bytes(packed)
        manifest["platforms"]["linux-x64"]["app"] |= describe_file(archives["app"])
        change(manifest)
        self.home.clear()
        files = {path.name: path.read_bytes() for path in archives.values()}
        self.home.add(f"v{self.version}", {**files, **signed(manifest, key or self.key)}, **entry)

    @property
    def entry(self) -> dict[str, Any]:
        """The release on the list."""
        return self.home.listed[0]

    def asset(self, name: str) -> dict[str, Any]:
        (found,) = [asset for asset in self.entry["assets"] if asset["name"] == name]
        return dict(found)

    @property
    def app_path(self) -> str:
        return self.path(f"{self.bundle.slug}-v{self.version}-linux-x64-app.tar.gz")

    def path(self, name: str) -> str:
        return self.home.path(f"v{self.version}", name)

    def check(self) -> dict[str, Any]:
        self.app.begin_check()
        return self.app.until(lambda status: status["state"] != "checking")

    def apply(self) -> dict[str, Any]:
        self.app.ask("/system/update/apply", {"version": self.version, "when": "now"})
        return self.app.until(lambda status: status["state"] not in {"downloading", "applying"})

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str | None] | None = None
    ) -> tuple[int, Any]:
        """Send a request to the app as the page does, or as the headers say; gives the code and the answer."""
        connection = HTTPConnection("127.0.0.1", self.app.port, timeout=10)
        wanted = {"Content-Type": "application/json", **(headers or {})}
        said = {name: value for name, value in wanted.items() if value is not None}
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/system/update{path}", content, said)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else text

    def tree(self) -> dict[str, str]:
        """Give what is in the folder, with all that changes when somebody writes; not what the app itself writes."""
        return tree(self.folder)

    def changes(self) -> set[str]:
        now = self.tree()
        return {name for name in now.keys() | self.baseline.keys() if now.get(name) != self.baseline.get(name)}

    def warnings(self) -> list[dict[str, Any]]:
        """Give the lines that people should see, of those since the last time."""
        found, self.told = self.app.warnings(self.told)
        return found

    def settle(self) -> None:
        """Begin anew after whatever came before."""
        self.home.clear()
        self.elsewhere.clear()
        self.baseline = self.tree()
        self.warnings()

    def see_nothing_changed(self) -> None:
        """Whatever was done, the app is as it was, and nobody else has heard its token."""
        assert (self.app.ask("/health")["version"], self.app.current) == (VERSION, VERSION)
        assert self.changes() == set()
        assert (self.folder / "canary").read_text(encoding="utf-8") == CANARY
        for path, headers in self.elsewhere.requests:
            assert "authorization" not in headers.lower()
            assert not any(secret in path + headers for secret in (TOKEN, BASIC))
        assert not any(secret in self.app.log() for secret in (TOKEN, BASIC))


def describe_file(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "sha256": sha256(path)}


@contextmanager
def besieged(bundle: Bundle, folder: Path) -> Iterator[Attack]:
    """Install the app, and start it with a server that anything can be done to."""
    house, scratch = folder / "house", folder / "scratch"
    app = bundle.install(house / "app")
    (house / "canary").write_text(CANARY, encoding="utf-8")
    stranger = Key(scratch / "stranger")
    home, elsewhere = Releases("ada/sample"), Releases("ada/sample")
    with home.serve(), elsewhere.serve("localhost"):
        own = {"URL": home.url, "REPOSITORY": home.repository, "TOKEN": TOKEN}
        with app.run(**{f"{app.prefix}_UPDATE_{name}": value for name, value in own.items()}):
            app.wait(VERSION)
            attack = Attack(app, bundle, home, elsewhere, bundle.key, stranger, house, scratch)
            attack.check()
            yield attack


@pytest.fixture(scope="module")
def attacked(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    with besieged(bundle, tmp_path_factory.mktemp("attacked")) as attack:
        yield attack


@pytest.fixture
def attack(attacked: Attack) -> Iterator[Attack]:
    attacked.settle()
    yield attacked
    attacked.see_nothing_changed()


# What the server says #################################################################################################


def redirect(url: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(HTTPStatus.FOUND)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def say(content: bytes, code: HTTPStatus = HTTPStatus.OK, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def endless(content: bytes, pause: float = 0) -> Answer:
    """Say it again and again, and not how long it will be: until nobody listens, or for ten minutes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.send_response(HTTPStatus.OK)
        handler.end_headers()
        end = time.monotonic() + 600
        while time.monotonic() < end:
            handler.wfile.write(content)
            time.sleep(pause)

    return answer


def replay(attack: Attack, *, tag: str = "") -> None:
    """Give the list of files of the release before, which was signed, for a newer one."""
    attack.release()
    old = {name: attack.home.files[attack.path(name)] for name in (MANIFEST, SIGNATURE)}
    attack.release()
    attack.home.files |= {attack.path(name): content for name, content in old.items()}


def under_another_tag(attack: Attack) -> None:
    """Call it newer than it is."""
    attack.release()
    tag = f"v{attack.version}.post1"
    for path, content in list(attack.home.files.items()):
        attack.home.files[path.replace(f"/v{attack.version}/", f"/{tag}/")] = content
    for asset in attack.entry["assets"]:
        asset["browser_download_url"] = asset["browser_download_url"].replace(f"/v{attack.version}/", f"/{tag}/")
    attack.entry["tag_name"] = tag


def signed_rubbish(content: bytes) -> Step:
    def step(attack: Attack) -> None:
        attack.release()
        attack.home.files[attack.path(MANIFEST)] = content
        attack.home.files[attack.path(SIGNATURE)] = attack.key.sign(content)

    return step


def manifest(**changes: object) -> Step:
    """Change the list of files, and sign that."""
    return lambda attack: attack.release(lambda manifest: manifest.update(changes))


def described(kind: str = "app", **changes: object) -> Step:
    """Change what the signed list says of a file."""

    def change(manifest: Manifest, attack: Attack) -> None:
        texts = {"version": attack.version, "slug": attack.bundle.slug}
        filled = {name: value % texts if isinstance(value, str) else value for name, value in changes.items()}
        manifest["platforms"]["linux-x64"][kind] |= filled

    return lambda attack: attack.release(lambda manifest: change(manifest, attack))


def listed(name: str, **changes: object) -> Step:
    """Change what the server says of a file, after all was signed."""

    def step(attack: Attack) -> None:
        attack.release()
        texts = {"here": attack.home.url, "elsewhere": attack.elsewhere.url, "version": attack.version}
        for asset in attack.entry["assets"]:
            if asset["name"].endswith(name):
                asset |= {key: value % texts if isinstance(value, str) else value for key, value in changes.items()}

    return step


def stripped(name: str) -> Step:
    def step(attack: Attack) -> None:
        attack.release()
        attack.entry["assets"] = [asset for asset in attack.entry["assets"] if not asset["name"].endswith(name)]

    return step


def replaced(name: str, content: Callable[[Attack], Content]) -> Step:
    """Put something in the place of a file, after all was signed."""

    def step(attack: Attack) -> None:
        attack.release()
        (path,) = [path for path in attack.home.files if path.endswith(f"/{name}") or path.endswith(f"64{name}")]
        attack.home.files[path] = content(attack)

    return step


def elsewhere(content: Callable[[Attack], bytes]) -> Callable[[Attack], Content]:
    """Lead to another server, which has something of its own."""

    def lead(attack: Attack) -> Content:
        attack.elsewhere.files["/file"] = content(attack)
        return redirect(f"{attack.elsewhere.url}/file")

    return lead


def forged(attack: Attack) -> bytes:
    """The list of files, of which one has another hash."""
    content = attack.home.files[attack.path(MANIFEST)]
    assert isinstance(content, bytes)
    return re.sub(rb'"sha256": "\w', b'"sha256": "f', content)


def other_bytes(attack: Attack) -> bytes:
    """As long as the signed archive of the app, and something else."""
    content = attack.home.files[attack.app_path]
    assert isinstance(content, bytes)
    return content[:-1] + bytes([content[-1] ^ 1])


def packed(attack: Attack) -> Answer:
    """As many bytes as were signed, which become many more when they are unpacked on the way."""
    size = len(other_bytes(attack))
    return say((gzip.compress(bytes(10_000_000)) + bytes(size))[:size], Content_Encoding="gzip")


APP = "-app.tar.gz"
UNTRUSTED = r"is not signed with a key that this app trusts"
DAMAGED = r"The list of files of v[\d.]+ is damaged"
LIES: dict[str, tuple[Step, str]] = {
    "signed by a stranger": (lambda attack: attack.release(key=attack.stranger), UNTRUSTED),
    "changed after it was signed": (replaced(MANIFEST, forged), UNTRUSTED),
    "a space more than was signed": (replaced(MANIFEST, lambda attack: forged(attack) + b" "), UNTRUSTED),
    "another key's signature beside it": (
        replaced(SIGNATURE, lambda attack: attack.stranger.sign(forged(attack))),
        UNTRUSTED,
    ),
    "no signature": (stripped(SIGNATURE), "is not signed: it has no update.json.sig"),
    "no list of files": (stripped(MANIFEST), "is not signed: it has no update.json"),
    "an empty signature": (replaced(SIGNATURE, lambda _: b"\n"), "is not signed"),
    "a signature of noughts": (replaced(SIGNATURE, lambda _: base64.b64encode(bytes(64))), UNTRUSTED),
    "a signature that is none": (replaced(SIGNATURE, lambda _: b"<html>"), "The signature of v[0-9.]+ is damaged"),
    "the list of files of an older release": (replay, "is of another release"),
    "an older release with a higher number": (under_another_tag, "is of another release"),
    "another project's": (manifest(name="other"), "is of 'other' and not of 'sample'"),
    "another platform's": (manifest(platforms={}), "has nothing for this platform"),
    "another platform's file": (described(name="%(slug)s-v%(version)s-win-x64-app.zip"), "is not a name for"),
    "the whole archive for the app's": (described(name="%(slug)s-v%(version)s-linux-x64.tar.gz"), "is not a name for"),
    "a path for a name": (described(name="../../../../evil"), DAMAGED),
    "a path behind a name": (described(name="%(slug)s-v%(version)s-linux-x64-app/../../evil"), DAMAGED),
    "no bytes": (described(size=0), DAMAGED),
    "more bytes than a disk has": (described(size=1 << 60), DAMAGED),
    "a size in words": (described(size="78000"), DAMAGED),
    "a hash that is none": (described(sha256="x" * 64), DAMAGED),
    "a form that nobody knows yet": (manifest(format=2), "update by hand"),
    "no form": (manifest(format=None), DAMAGED),
    "no text": (signed_rubbish(b"\xff\xfe" * 100), DAMAGED),
    "brackets without end": (signed_rubbish(b"[" * 60_000), DAMAGED),
    "a file that is not there": (stripped(APP), "lacks the file"),
    "another size on the server's list": (listed(APP, size=1), "has 1 bytes and not the"),
    "a file on another server": (listed(APP, browser_download_url="%(elsewhere)s/file"), "lacks the file"),
    "a file above the repository": (
        listed(APP, browser_download_url="%(here)s/ada/sample/releases/download/../../../../etc/passwd"),
        "lacks the file",
    ),
    "a list of files from another server": (replaced(MANIFEST, elsewhere(forged)), UNTRUSTED),
}


@pytest.mark.parametrize(("step", "reason"), LIES.values(), ids=LIES)
def test_what_is_not_trusted_is_shown_and_not_installed(step: Step, reason: str, attack: Attack) -> None:
    confirmed = attack.check()["confirmed_at"]
    step(attack)
    if replay is not step:
        confirmed = attack.app.status()["confirmed_at"]
    status = attack.check()
    assert status["state"] == "update_available"
    assert not status["can_auto_update"]
    assert re.search(reason, status["reason"]), status["reason"]
    assert status["confirmed_at"] == confirmed, "the newest release counts as confirmed"
    (line,) = attack.warnings()
    assert line["reason"] == status["reason"]
    code, answer = attack.ask("POST", "/apply", {"version": status["release"]["version"], "when": "now"})
    assert (code, answer["detail"]) == (HTTPStatus.CONFLICT, status["reason"])


def list_of(content: Callable[[Attack], Content]) -> Step:
    """Give something else than a list of releases."""

    def step(attack: Attack) -> None:
        attack.home.files[attack.home.api] = content(attack)

    return step


def pages(attack: Attack) -> Content:
    """Say that there is always one more."""
    attack.release()
    page = json.dumps(attack.home.listed).encode()
    return say(page, X_Total_Count="1000000")


TROUBLES: dict[str, tuple[Step, str]] = {
    "a list that does not end": (list_of(lambda _: endless(b" " * 65536)), "gave an answer of more than"),
    "pages that do not end": (list_of(pages), "has a list of releases that does not end"),
    "no list": (list_of(lambda _: b'{"message": "Not today"}'), "gave no list of releases"),
    "a page for people": (list_of(lambda _: b"<html>"), "gave no list of releases"),
    "brackets without end": (list_of(lambda _: b"[" * 1_000_000), "gave no list of releases"),
    "a number without end": (list_of(lambda _: b"[" + b"9" * 1_000_000 + b"]"), "gave no list of releases"),
    "something packed": (
        list_of(lambda _: say(gzip.compress(b"[]" + b" " * 50_000_000), Content_Encoding="gzip")),
        "gave no list of releases",
    ),
    "a list on another server": (list_of(elsewhere(lambda _: b"[]")), "leads to http://localhost:[0-9]+: set update"),
    "a circle": (list_of(lambda attack: redirect(attack.home.api)), "leads in a circle"),
    "a file of this computer": (list_of(lambda _: redirect("file:///etc/passwd")), "leads to an address without TLS"),
    "a login": (list_of(lambda _: redirect("/user/login?redirect_to=x")), "wants a login"),
    "come back tomorrow": (
        list_of(lambda _: say(b"", HTTPStatus.TOO_MANY_REQUESTS, Retry_After="86400")),
        "answered 429: too many requests",
    ),
    "a long list of files": (replaced(MANIFEST, lambda _: endless(b" " * 1024)), "gave an answer of more than 65536"),
    "a longer list of files": (listed(MANIFEST, size=1 << 40), "update.json is larger than 65536 bytes"),
    "a long signature": (replaced(SIGNATURE, lambda _: b"x" * 2000), "gave an answer of more than 1024"),
    "a list of files in this computer": (
        replaced(MANIFEST, lambda _: redirect("file:///etc/passwd")),
        "leads to an address without TLS",
    ),
}


@pytest.mark.parametrize(("step", "reason"), TROUBLES.values(), ids=TROUBLES)
def test_a_server_that_talks_nonsense_is_left(step: Step, reason: str, attack: Attack) -> None:
    checked = attack.check()["checked_at"]
    step(attack)
    start = time.monotonic()
    status = attack.check()
    assert time.monotonic() - start < 10
    assert status["state"] == "error"
    assert re.search(reason, status["error"]["message"]), status["error"]
    assert status["checked_at"] == checked
    (line,) = attack.warnings()
    assert line["reason"] == status["error"]["message"]
    code, _ = attack.ask("POST", "/apply", {"version": attack.version, "when": "now"})
    assert code == HTTPStatus.CONFLICT


def test_a_list_of_rubbish_is_passed_over(attack: Attack) -> None:
    attack.release()
    good = attack.entry
    rubbish: list[Any] = [
        *(None, 7, "v9.9.9", []),
        {**good, "tag_name": "v9.9.9/../../etc"},
        {**good, "tag_name": "v9.9.8\nupdate installed"},
        {**good, "tag_name": "v9.9.7", "published_at": "never"},
        {**good, "tag_name": "v9.9.6", "assets": [{"name": "../../evil", "size": 1, "browser_download_url": "x"}]},
        {**good, "tag_name": "v9.9.5", "assets": [{"name": "evil", "size": -1, "browser_download_url": "x"}]},
        {**good, "tag_name": "v9.9.4", "name": "\ud800"},
        {**good, "tag_name": "v9.9.3", "draft": True},
        {**good, "tag_name": "v0.9.0"},
    ]
    attack.home.listed[:0] = rubbish
    status = attack.check()
    assert status["release"]["version"] == attack.version
    lines = attack.warnings()
    assert {line["event"] for line in lines} == {"release skipped"}
    assert len(lines) == 10, "each of them is told once"
    attack.check()
    assert attack.warnings() == []


def test_nothing_older_than_what_was_seen_signed(attack: Attack) -> None:
    attack.release()
    older = list(attack.home.listed), dict(attack.home.files)
    attack.release()
    seen = attack.check()["confirmed_at"]
    newest = attack.version
    attack.home.listed[:], attack.home.files = older[0], older[1]
    status = attack.check()
    assert re.search(f"Version {newest} was seen before, and the server now has only", status["reason"])
    assert status["confirmed_at"] == seen, "it does not show since when the newest one is held back"
    code, _ = attack.ask("POST", "/apply", {"version": status["release"]["version"], "when": "now"})
    assert code == HTTPStatus.CONFLICT
    assert len(attack.warnings()) == 1


# What the server sends ################################################################################################

DOWNLOADS: dict[str, tuple[Step, str]] = {
    "other bytes": (replaced(APP, other_bytes), "is not what was signed: its SHA-256 is"),
    "other bytes from another server": (replaced(APP, elsewhere(other_bytes)), "is not what was signed"),
    "a byte more": (
        replaced(APP, lambda attack: (content := other_bytes(attack)) and say(content + b"x")),
        "is larger than the [0-9]+ bytes that were signed",
    ),
    "bytes without end": (replaced(APP, lambda _: endless(b"x" * 65536)), "is larger than the [0-9]+ bytes that were"),
    "something packed": (replaced(APP, packed), "is not what was signed"),
    "a circle": (replaced(APP, lambda attack: redirect(attack.app_path)), "leads in a circle"),
    "a file of this computer": (replaced(APP, lambda _: redirect("file:///dev/zero")), "leads to an address without"),
    "another part than was asked for": (
        replaced(
            APP, lambda attack: say(other_bytes(attack), HTTPStatus.PARTIAL_CONTENT, Content_Range="bytes 9-10/11")
        ),
        "gave another part of .* than was asked for",
    ),
}


def refused(attack: Attack, reason: str) -> None:
    """See that the release on offer is refused when it is to be installed."""
    status = attack.check()
    assert status["can_auto_update"], status
    assert attack.warnings() == []
    status = attack.apply()
    assert status["state"] == "error", status
    assert re.search(reason, status["error"]["message"]), status["error"]
    assert status["error"]["way_out"]
    assert (status["last"]["outcome"], status["last"]["version"]) == ("failed", attack.version)
    assert status["on_next_start"] is None
    (line,) = attack.warnings()
    assert (line["event"], line["reason"]) == ("update failed", status["error"]["message"])


@pytest.mark.parametrize(("step", "reason"), DOWNLOADS.values(), ids=DOWNLOADS)
def test_what_was_not_signed_is_not_kept(step: Step, reason: str, attack: Attack) -> None:
    step(attack)
    refused(attack, reason)


def test_a_person_stops_a_slow_download(attack: Attack) -> None:
    replaced(APP, lambda _: endless(b"x", 0.1))(attack)
    assert attack.check()["can_auto_update"]
    attack.app.ask("/system/update/apply", {"version": attack.version, "when": "now"})
    attack.app.until(lambda status: status["state"] == "downloading" and status["progress"])
    start = time.monotonic()
    attack.app.ask("/system/update/cancel", {})
    status = attack.app.until(lambda status: status["state"] == "update_available")
    assert time.monotonic() - start < 2
    assert status["error"] is None
    assert attack.warnings() == []


SLOW: dict[str, tuple[Step, str, int]] = {
    "a file that comes byte by byte": (
        replaced(APP, lambda _: endless(b"x", 1)),
        "sends too slowly: [0-9]+ bytes in",
        60,
    ),
    "a file that stops": (replaced(APP, lambda _: endless(b"", 1)), "stopped sending|no answer in time", 400),
    "half a file": (replaced(APP, lambda attack: other_bytes(attack)[:40_000]), "has sent only a part of", 120),
    "a list that comes byte by byte": (list_of(lambda _: endless(b" ", 1)), "no answer in time", 400),
    "a signature that comes byte by byte": (replaced(SIGNATURE, lambda _: endless(b"\n", 1)), "no answer in time", 400),
}


@pytest.mark.usefixtures("long")
def test_a_server_that_takes_its_time_is_left(bundle: Bundle, tmp_path: Path) -> None:
    """Each app has a server of its own, so that all wait at the same time."""
    with ExitStack() as stack:
        apps = {name: stack.enter_context(besieged(bundle, tmp_path / str(n))) for n, name in enumerate(SLOW)}
        for name, attack in apps.items():
            attack.settle()
            SLOW[name][0](attack)
            is_file = name.startswith(("a file", "half"))
            attack.app.begin_check()
            if is_file:
                attack.app.until(lambda status: status["state"] == "update_available")
                attack.app.ask("/system/update/apply", {"version": attack.version, "when": "now"})
        for name, (_, reason, seconds) in SLOW.items():
            attack = apps[name]
            status = attack.app.until(lambda status: status["state"] == "error", seconds)
            assert re.search(reason, status["error"]["message"]), (name, status)
            (line,) = attack.warnings()
            assert line["reason"] == status["error"]["message"]
            for kept in attack.app.root.glob("versions/.download/*"):  # at most one, so that it goes on from there
                kept.unlink()
                kept.parent.rmdir()
            attack.see_nothing_changed()


# What was signed, and may not do everything ###########################################################################

# Texts in names: %(top)s is sample/versions/1.1.1, %(root)s the folder of the app, %(slug)s sample.


def adds(*entries: tuple[str, Mapping[str, Any]]) -> Step:
    """Put entries behind what the archive holds; the first names in it are as they should be."""

    def step(attack: Attack) -> None:
        def change(members: list[Member]) -> None:
            texts = {
                "top": f"{attack.bundle.slug}/versions/{attack.version}",
                "root": attack.app.root,
                "house": attack.folder,
                "slug": attack.bundle.slug,
                "running": VERSION,
            }
            for name, attributes in entries:
                filled: dict[str, Any] = {
                    key: value % texts if isinstance(value, str) else value for key, value in attributes.items()
                }
                members.append(member(name % texts, **filled))

        attack.release(members=change)

    return step


def file(name: str, content: bytes = b"evil") -> tuple[str, Mapping[str, Any]]:
    return name, {"content": content}


def special(kind: bytes, name: str = "%(top)s/app/special", **attributes: object) -> tuple[str, Mapping[str, Any]]:
    """Make an entry that is no file."""
    return name, {"content": b"", "type": kind, **attributes}


def link(name: str, leads_to: str) -> tuple[str, Mapping[str, Any]]:
    return special(tarfile.SYMTYPE, name, linkname=leads_to)


def without(name: str) -> Step:
    def change(members: list[Member]) -> None:
        members[:] = [found for found in members if not found[0].name.endswith(name)]

    return lambda attack: attack.release(members=change)


def with_content(name: str, content: bytes) -> Step:
    def change(members: list[Member]) -> None:
        members[:] = [
            member(entry.name, content=content) if entry.name.endswith(name) else (entry, before)
            for entry, before in members
        ]

    return lambda attack: attack.release(members=change)


def raw(make: Callable[[Attack], bytes]) -> Step:
    return lambda attack: attack.release(app=make)


def crowd(attack: Attack) -> bytes:
    """A hundred thousand members and one."""
    entry = member(f"{attack.bundle.slug}/versions/{attack.version}", type=tarfile.DIRTYPE)[0].tobuf()
    return gzip.compress(entry * 100_001, 1)


def truncated(attack: Attack) -> bytes:
    content = write_tar(attack.bundle.members(attack.version))
    return content[: len(content) // 2]


ELSEWHERE = "has a name that leads elsewhere"
NO_PART = "which is no part of version"
LINK = "has a link that leads elsewhere"
NOTHING = "which is neither file, folder nor link"
TOO_LARGE = "is larger unpacked than any of this app could be"
ARCHIVES: dict[str, tuple[Step, str]] = {
    "above": (adds(file("../evil")), ELSEWHERE),
    "above the version": (adds(file("%(top)s/../../../../canary")), ELSEWHERE),
    "above in the middle": (adds(file("%(top)s/app/../../evil")), ELSEWHERE),
    "from the root": (adds(file("%(house)s/canary")), ELSEWHERE),
    "by Windows' separators": (adds(file("%(top)s\\..\\..\\evil")), ELSEWHERE),
    "a name of two lines": (adds(file("%(top)s/app/a\nb")), ELSEWHERE),
    "a name that is too long": (adds(file("%(top)s/app/" + "x" * 256)), ELSEWHERE),
    "a folder of its own": (adds(file("evil/evil")), "which is not below sample/"),
    "into the version that runs": (adds(file("%(slug)s/versions/%(running)s/app/evil.py")), NO_PART),
    "into another version": (adds(file("%(slug)s/versions/9.9.9/app/evil.py")), NO_PART),
    "a trial": (adds(file("%(slug)s/trial")), NO_PART),
    "what failed": (adds(file("%(slug)s/failed")), NO_PART),
    "data": (adds(file("%(slug)s/data/settings.toml")), NO_PART),
    "a log": (adds(file("%(slug)s/logs/sample.log")), NO_PART),
    "an uninstaller": (adds(file("%(slug)s/uninstall.exe")), NO_PART),
    "a hidden file": (adds(file("%(slug)s/.profile")), NO_PART),
    "a launcher that is a link": (adds(link("%(slug)s/run.sh", "../../canary")), NO_PART),
    "a link from the root": (adds(link("%(top)s/app/link", "/etc")), LINK),
    "a link above": (adds(link("%(top)s/app/link", "../../../../canary")), LINK),
    "a link through a link": (adds(link("%(top)s/a", "app"), link("%(top)s/b", "a/../../x")), LINK),
    "a link to nothing": (adds(link("%(top)s/app/link", "")), LINK),
    "a file through a link": (
        adds(link("%(top)s/app/link", "../.."), file("%(top)s/app/link/evil")),
        "as a file and as a folder|has a link",
    ),
    "a link in place of a file": (
        adds(file("%(top)s/app/link"), link("%(top)s/app/link", "sample")),
        "has 'app/link' twice",
    ),
    "a second name of a file": (adds(special(tarfile.LNKTYPE, linkname="%(house)s/canary")), NOTHING),
    "a device": (adds(special(tarfile.CHRTYPE, devmajor=1, devminor=5)), NOTHING),
    "a disk": (adds(special(tarfile.BLKTYPE, devmajor=8)), NOTHING),
    "a pipe": (adds(special(tarfile.FIFOTYPE)), NOTHING),
    "case": (adds(file("%(top)s/app/SAMPLE/app.py")), "has both 'app/sample' and 'app/SAMPLE'"),
    "a file twice": (adds(file("%(top)s/start.py")), "has 'start.py' twice"),
    "a file as a folder": (adds(file("%(top)s/VERSION/evil")), "as a file and as a folder"),
    "a large file": (adds(file("%(top)s/app/zeros", bytes(100_000_000))), TOO_LARGE),
    "large files": (adds(*(file(f"%(top)s/app/{n}", bytes(1_000_000)) for n in range(100))), TOO_LARGE),
    "a large header": (adds(special(tarfile.XHDTYPE, content=bytes(50_000_000))), TOO_LARGE),
    "a crowd": (raw(crowd), "has more than 100000 members"),
    "a part of it": (raw(truncated), "The archive is damaged"),
    "nothing": (raw(lambda _: b"PK\3\4"), "The archive is damaged"),
    "an empty one": (raw(lambda _: write_tar([])), "says None in VERSION"),
    "another version": (with_content("/VERSION", b"9.9.9\n"), "says '9.9.9' in VERSION"),
    "another runtime": (with_content("/runtime-id", b"0" * 64), "in runtime-id"),
    "what cannot start": (without("/start.py"), "The archive has no start.py"),
}


@pytest.mark.parametrize(("step", "reason"), ARCHIVES.values(), ids=ARCHIVES)
def test_not_even_what_is_signed_leaves_its_place(step: Step, reason: str, attack: Attack) -> None:
    step(attack)
    refused(attack, reason)


@pytest.mark.parametrize(
    ("name", "leads_to", "reason"),
    [
        ("current", "../other", "current is a link"),
        ("failed", "../canary", "failed is a link"),
        ("versions/9.9.9", "../../outside", "9.9.9 is a link"),
        ("versions/.download", "../../outside", ".download is a link"),
        ("versions/.writable.new", "../../canary", ".writable.new is a link"),
        ("versions/.lock", "../../canary", ".lock is a link|cannot be written to"),
        ("versions/.%(version)s.partial", "../../outside", "partial is a link"),
        ("versions/.download/%(name)s", "../../../canary", "is a link"),
    ],
)
def test_a_link_in_the_folder_of_the_app_is_not_followed(name: str, leads_to: str, reason: str, attack: Attack) -> None:
    attack.release()
    archive = f"{attack.bundle.slug}-v{attack.version}-linux-x64-app.tar.gz"
    place = attack.app.root / (name % {"version": attack.version, "name": archive})
    (attack.folder / "outside").mkdir(exist_ok=True)
    (attack.folder / "other").write_text(f"{VERSION}\n", encoding="utf-8")
    place.parent.mkdir(exist_ok=True)
    before = place.read_bytes() if place.exists() else None
    place.unlink(missing_ok=True)
    place.symlink_to(leads_to)
    attack.baseline = attack.tree()
    try:
        refused(attack, reason)
        assert attack.changes() == set()
    finally:
        place.unlink()
        if before is not None:
            place.write_bytes(before)
        attack.baseline = attack.tree()


# What other pages send ################################################################################################

Headers = Mapping[str, str | None]
PAGES: dict[str, tuple[Headers, int]] = {
    "another site": ({"Origin": "https://evil.example"}, 403),
    "no site": ({"Origin": "null"}, 403),
    "another app of this computer": ({"Origin": "http://127.0.0.1:1"}, 403),
    "a name like its own": ({"Origin": "http://127.0.0.1.evil.example:%(port)s"}, 403),
    "an origin that is none": ({"Origin": "http://[evil"}, 403),
    "another site, says the browser": ({"Sec-Fetch-Site": "cross-site"}, 403),
    "a neighbour, says the browser": ({"Sec-Fetch-Site": "same-site"}, 403),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "a form with text": ({"Content-Type": "text/plain"}, 415),
    "a form with files": ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    "what says nothing": ({"Content-Type": None}, 415),
    "nearly JSON": ({"Content-Type": "application/jsonp"}, 415),
}
HOSTS = [
    *(
        "evil.example:%(port)s",
        "127.0.0.1.evil.example:%(port)s",
        "localhost.evil.example",
        "evil.example:80#@localhost",
    ),
    *("localhost@evil.example", "[::1", "", "xn--lcalhost-54a"),
]


def everything(attack: Attack, headers: Headers, expected: set[int]) -> None:
    """Try all that changes something."""
    choice = {"version": attack.version}
    settings = {"enabled": True, "check_interval_hours": 1, "include_prerelease": True}
    for method, path, body in [
        ("POST", "/check", {}),
        ("POST", "/apply", {**choice, "when": "now"}),
        ("POST", "/apply", {**choice, "when": "next_start"}),
        ("POST", "/dismiss", choice),
        ("POST", "/cancel", {}),
        ("PUT", "/settings", settings),
    ]:
        code, answer = attack.ask(method, path, body, headers)
        assert code in expected, (method, path, code, answer)


def filled(headers: Headers, attack: Attack) -> Headers:
    return {name: value and value % {"port": attack.app.port} for name, value in headers.items()}


@pytest.fixture
def offered(attack: Attack) -> Iterator[Attack]:
    """A release that could be installed, if only somebody might say so."""
    attack.release()
    status = attack.check()
    assert status["can_auto_update"]
    yield attack
    after = attack.app.status()
    assert {**after, "last": None} == {**status, "last": None}
    assert attack.warnings() == []


@pytest.mark.parametrize(("headers", "expected"), PAGES.values(), ids=PAGES)
def test_other_pages_change_nothing(headers: Headers, expected: int, offered: Attack) -> None:
    everything(offered, filled(headers, offered), {expected})


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_name_that_leads_here_reads_nothing(host: str, offered: Attack) -> None:
    """DNS rebinding: to the browser that page and the app are the same."""
    host %= {"port": offered.app.port}
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}):
        everything(offered, headers, {400, 403})
        for path in ("/status", "/settings", "/history"):
            code, answer = offered.ask("GET", path, headers=headers)
            assert code in {400, 403}
            assert VERSION not in str(answer)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 101),
        ({"Origin": "http://127.0.0.1:%(port)s"}, 101),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ],
)
def test_no_other_page_listens(headers: Headers, code: int, offered: Attack) -> None:
    upgrade: Headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(), "Content-Type": None}
    assert offered.ask("GET", "/events", headers={**upgrade, **key, **filled(headers, offered)})[0] == code


def test_nobody_is_told_that_other_pages_may(offered: Attack) -> None:
    """Neither does a browser that asks first get leave, nor does a method in disguise count."""
    connection = HTTPConnection("127.0.0.1", offered.app.port, timeout=10)
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method, path, headers in [
        ("OPTIONS", "/apply", asking),
        ("GET", "/apply", {"X-HTTP-Method-Override": "POST"}),
        ("GET", "/status", {"Origin": "https://evil.example"}),
    ]:
        connection.request(method, f"/system/update{path}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert answer.status == (200 if path == "/status" else 405)
    connection.close()


# In the end ###########################################################################################################


def test_the_good_release_is_installed_after_all_that(attacked: Attack) -> None:
    """What lies about in its way is taken for what it is."""
    attacked.settle()
    attacked.release()
    app, version = attacked.app, attacked.version
    archive = f"{attacked.bundle.slug}-v{version}-linux-x64-app.tar.gz"
    (app.root / "versions/.download").mkdir(exist_ok=True)
    (app.root / "versions/.download" / archive).write_bytes(b"begun by somebody else")
    (app.root / f"versions/.{version}.partial/app/sample").mkdir(parents=True)
    (app.root / f"versions/.{version}.partial/app/sample/evil.py").write_text("evil", encoding="utf-8")
    for name in (".current.new", ".trial.new", ".writable.new"):
        (app.root / name).symlink_to(attacked.folder / "canary")
    assert attacked.check()["release"]["version"] == version
    app.ask("/system/update/apply", {"version": version, "when": "now"})
    app.wait(version)
    last = app.until(lambda status: status["last"]["version"] == version)["last"]
    assert (last["outcome"], last["from_version"]) == ("updated", VERSION)
    assert (attacked.folder / "canary").read_text(encoding="utf-8") == CANARY
    assert not list(app.root.rglob("evil*"))
    assert TOKEN not in app.log()
    assert any(BASIC in headers for _, headers in attacked.home.requests), "its own server has not heard it either"
