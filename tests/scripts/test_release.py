"""Does release.py turn what cannot be provoked on a real server into one clear line, and change nothing?

Releases on a real Gitea are in tests/gitea/test_release.py.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.answers import answers_for
from tests.conftest import Render, git
from tests.support.background import served
from tests.support.tools import run, uv

pytestmark = pytest.mark.slow

Answer = tuple[int, str, bytes]
TOKEN = "canary-of-a-token-0123456789"


@dataclass
class Server:
    """A server that answers with what a test gives it: a list of releases in memory, or something odd."""

    releases: list[dict[str, Any]] = field(default_factory=list)
    files: dict[int, bytes] = field(default_factory=dict)
    odd: Callable[[str, str], Answer | None] = lambda _method, _path: None
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        if odd := self.odd(method, path):
            return odd
        if method == "GET" and "/releases?" in path:
            return _json(200, self.releases if "page=1&" in path else [])
        if method == "GET" and ("/git/ref/tags/" in path or "/tags/" in path):
            return _json(200, {"name": "v1.0.0"})
        if method == "GET" and path.endswith("/releases/1"):
            return _json(200, self.releases[0])
        if method == "POST" and path.endswith("/releases"):
            self.releases.append(release(**json.loads(body)))
            return _json(201, self.releases[-1])
        if method == "PATCH":
            self.releases[0].update(json.loads(body))
            return _json(200, self.releases[0])
        if method == "POST" and "/assets?name=" in path:
            number = len(self.files) + 1
            asset = {"id": number, "name": path.partition("name=")[2], "size": len(body)}
            self.files[number] = body
            self.releases[0]["assets"].append(asset)
            return _json(201, asset)
        if method == "DELETE":
            return 204, "", b""
        if method == "GET" and "/releases/assets/" in path:
            return 200, "application/octet-stream", self.files[int(path.rpartition("/")[2])]
        return _json(404, {"message": "not here"})


def _json(status: int, content: object) -> Answer:
    return status, "application/json", json.dumps(content).encode()


def release(**others: Any) -> dict[str, Any]:
    usual = {"id": 1, "tag_name": "v1.0.0", "name": "", "body": "", "draft": True, "prerelease": False, "assets": []}
    return {**usual, "html_url": "https://example.com/release", **others}


@contextmanager
def serve(fake: Server, certificate: Path | None = None) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
            status, kind, content = fake.answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if "gzip" in self.headers.get("Accept-Encoding", ""):  # as many a proxy does
                content = gzip.compress(content)
                self.send_header("Content-Encoding", "gzip")
            if 300 <= status < 400:
                self.send_header("Location", "https://elsewhere.example.com/")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = reply  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *arguments: Any) -> None:
            pass  # a client that turns away is what some tests are about

    with Quiet(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        fake.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        with served(server):
            yield fake


class Project:
    """A rendered project with a tag, and release.py of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        git(root, "init", "-q", "-b", "main")
        (root / "RELEASE_NOTES.md").write_text("# 1.0.0\n\n- First.\n", encoding="utf-8")
        git(root, "add", "--all")
        git(root, "commit", "-q", "-m", "First")
        git(root, "tag", "v1.0.0")

    def start(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GITEA_"))}
        usual = {"GITEA_TOKEN": TOKEN, "DEPLOY_TOKEN": TOKEN}
        result = run(
            [uv(), "run", "--quiet", "--script", "scripts/release.py", *words],
            cwd=self.root,
            env={**kept, **usual, **environment},
            returncode=None,
            timeout=120,
        )
        assert TOKEN not in result.stdout + result.stderr
        return result

    def command(self, *words: str, **environment: str) -> str:
        result = self.start(*words, **environment)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def refused(self, *words: str, **environment: str) -> str:
        result = self.start(*words, **environment)
        assert result.returncode == 1, result.stdout + result.stderr
        assert result.stderr.count("\n") == 1, f"not one line:\n{result.stderr}"
        return result.stderr


@pytest.fixture
def library(project: Render) -> Project:
    return Project(project(answers_for(["library"])))


@pytest.fixture
def everything(project: Render) -> Project:
    return Project(project(answers_for(["docker", "desktop", "library"])))


HTML = b"<html><head><title>504 Gateway\nTime-out</title></head><body>nginx</body></html>"
ODD: dict[str, tuple[Answer, str]] = {
    "page of a proxy": ((200, "text/html", HTML), "answered with text/html and not with JSON: is a proxy in between?"),
    "page of a proxy, refusing": ((403, "text/html", HTML), "answered 403: 504 Gateway Time-out; the token may not"),
    "redirect": ((301, "text/html", b""), "answered 301: to https://elsewhere.example.com/; give the address"),
    "null": (_json(200, None), "is no list of releases"),
    "text": (_json(200, "hello"), "is no list of releases"),
    "mapping": (_json(200, {"ok": True}), "is no list of releases"),
    "list of text": (_json(200, ["v1.0.0"]), "is no release"),
    "id of another kind": (_json(200, [release(id="1; DROP")]), "where 'id' belongs"),
    "id out of range": (_json(200, [release(id=-1)]), "where 'id' belongs"),
    "draft as text": (_json(200, [release(draft="false")]), "where 'draft' belongs"),
    "assets that are none": (_json(200, [release(assets={"a": 1})]), "assets are no list"),
    "too deep": ((200, "application/json", b"[" * 100_000), "not with JSON"),
    "not UTF-8": ((200, "application/json", b'["\xff\xfe"]'), "not with JSON"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_answers_are_one_line(name: str, library: Project) -> None:
    answer, expected = ODD[name]
    with serve(Server(odd=lambda _method, _path: answer)) as server:
        assert expected in library.refused("create", GITHUB_SERVER_URL=server.url)
    assert {method for method, _, _ in server.requests} == {"GET"}, "nothing was changed"
    assert len(server.requests) == 1, "none of these passes by itself"


def test_a_list_without_end(library: Project) -> None:
    others = [release(tag_name=f"v0.0.{number}") for number in range(50)]
    with serve(Server(odd=lambda _method, _path: _json(200, others))) as server:
        assert "does not end" in library.refused("upload", "README.md", GITHUB_SERVER_URL=server.url)


def test_a_server_that_stays_broken(library: Project) -> None:
    with serve(Server(odd=lambda _method, _path: (502, "text/html", HTML))) as server:
        assert "answered 502: 504 Gateway Time-out" in library.refused("create", GITHUB_SERVER_URL=server.url)
    assert 3 <= len(server.requests) <= 6, "with pauses, and not for ever"


def test_nobody_there(library: Project) -> None:
    with serve(Server()) as server:
        gone = server.url
    assert f"{gone} is not reached: " in library.refused("create", GITHUB_SERVER_URL=gone)


def test_a_certificate_that_nobody_vouches_for(library: Project, tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run(["openssl", *kind, "-keyout", tmp_path / "key", "-out", tmp_path / "cert", *subject])
    pem.write_bytes((tmp_path / "key").read_bytes() + (tmp_path / "cert").read_bytes())
    with serve(Server(), certificate=pem) as server:
        said = library.refused("create", GITHUB_SERVER_URL=server.url)
    assert "TLS: " in said and "set SSL_CERT_FILE" in said


@pytest.mark.parametrize(
    "url", ["gitea.example.com", "ftp://example.com", "https://", "https://me:pw@example.com", "https://a b"]
)
def test_what_is_no_address(url: str, library: Project) -> None:
    assert "is no address of a server" in library.refused("create", GITHUB_SERVER_URL=url)


@pytest.mark.parametrize("repository", ["name", "a/b/c", "../..//x", "a/b?x=y"])
def test_what_is_no_repository(repository: str, library: Project) -> None:
    assert "is no repository" in library.refused("create", GITHUB_REPOSITORY=repository)


@pytest.mark.parametrize("token", ["two\nlines", "tab\tin it"])
def test_a_token_that_is_none(token: str, library: Project) -> None:
    assert "GITEA_TOKEN holds line ends" in library.refused("create", GITEA_TOKEN=token)


def test_no_token(library: Project) -> None:
    assert "No token is set" in library.refused("publish", GITEA_TOKEN="", DEPLOY_TOKEN="")


@pytest.mark.parametrize("where", ["at a desk", "in a job of Gitea"])
def test_a_token_of_github_stays_there(where: str, library: Project) -> None:
    """A runner of Gitea sets GITHUB_TOKEN as well, for Gitea."""
    job = where != "at a desk"
    environment = {"GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true"} if job else {}
    tokens = {"GITHUB_TOKEN": TOKEN, "GITEA_TOKEN": "", "DEPLOY_TOKEN": ""}
    with serve(Server()) as server:
        result = library.start("publish", GITHUB_SERVER_URL=server.url, **tokens, **environment)
    assert ("There is no release of v1.0.0" if job else "No token is set") in result.stderr
    assert {sent for _, _, sent in server.requests} == ({f"token {TOKEN}"} if job else set())


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("banana-sushi", "is no version"),
        ("v1.0-research", "is no version"),
        ('v1";touch pwned;#', "is no version"),
        ("v1.0+local", "cannot be released"),
        ("v1!1.0", "has an epoch"),
        ("v" + "1" * 5000, "too long"),
        ("../../x", "is no version"),
    ],
)
def test_tags_that_cannot_be_released(tag: str, reason: str, library: Project) -> None:
    assert reason in library.refused("version", "--tag", tag)


@pytest.mark.parametrize(
    ("tag", "version", "channel"),
    [("v1.0.0", "1.0.0", "stable"), ("v0.2.0-alpha.1", "0.2.0a1", "prerelease"), ("v1.0.post1", "1.0.post1", "stable")],
)
def test_what_a_tag_means(tag: str, version: str, channel: str, library: Project, tmp_path: Path) -> None:
    handed_on = tmp_path / "output"
    said = library.command("version", RELEASE_TAG=tag, GITHUB_OUTPUT=str(handed_on))
    assert said.splitlines()[:3] == [f"tag={tag}", f"version={version}", f"channel={channel}"]
    assert handed_on.read_text() == said


NOTES: dict[str, tuple[bytes | None, str]] = {
    "of another version": (b"# 0.9.0\n\n- Old.\n", "is about 0.9.0 and not about 1.0.0"),
    "without a version": (b"# News\n\n- Something.\n", "does not say which version"),
    "empty": (b"", "does not say which version"),
    "only a heading": (b"# 1.0.0\n", "says nothing about 1.0.0"),
    "not UTF-8": (b"# 1.0.0\n\n- Gr\xfc\xdfe\n", "is not UTF-8"),
    "huge": (b"# 1.0.0\n\n" + b"- More.\n" * 20_000, "move the older notes to CHANGELOG.md"),
    "missing": (None, "is missing: write it"),
}


@pytest.mark.parametrize("name", NOTES)
def test_notes_that_do_not_fit(name: str, library: Project) -> None:
    content, expected = NOTES[name]
    path = library.root / "RELEASE_NOTES.md"
    path.unlink() if content is None else path.write_bytes(content)
    with serve(Server()) as server:
        assert expected in library.refused("create", GITHUB_SERVER_URL=server.url)
    assert {method for method, _, _ in server.requests} <= {"GET"}


def test_files_that_cannot_be_uploaded(library: Project) -> None:
    (library.root / "empty.txt").touch()
    (library.root / "with space.txt").write_text("x")
    (library.root / "SHA256SUMS").write_text("x")
    for name, reason in (
        ("nothing.txt", "is no file"),
        ("scripts", "is no file"),
        ("empty.txt", "is empty"),
        ("with space.txt", "rename it"),
        ("SHA256SUMS", "cannot be uploaded under this name"),
    ):
        assert reason in library.refused("upload", name)


def test_a_file_whose_name_leads_elsewhere(library: Project) -> None:
    evil = {"id": 7, "name": "../../evil", "size": 1}
    wheel = {"id": 8, "name": "sample_library-1.0.0-py3-none-any.whl", "size": 1}
    sdist = {"id": 9, "name": "sample_library-1.0.0.tar.gz", "size": 1}
    with serve(Server(releases=[release(assets=[evil, wheel, sdist])])) as server:
        assert "delete it there" in library.refused("publish", GITHUB_SERVER_URL=server.url)


def test_github(library: Project) -> None:
    """The same commands where the API is GitHub's."""
    github = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "owner/name"}
    dist = library.root / "dist"
    dist.mkdir()
    names = ["sample_library-1.0.0-py3-none-any.whl", "sample_library-1.0.0.tar.gz"]
    for name in names:
        (dist / name).write_bytes(name.encode())
    with serve(Server()) as server:
        environment = {**github, "GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.url}
        library.command("create", **environment)
        library.command("upload", *(str(dist / name) for name in names), **environment)
        library.command("publish", **environment)
    (made,) = server.releases
    assert made["draft"] is False and made["make_latest"] == "true"
    assert [asset["name"] for asset in made["assets"]] == [*names, "SHA256SUMS"]
    assert server.files[1] == names[0].encode(), "the bare bytes, and not a form"
    assert {authorization for _, _, authorization in server.requests} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(("draft", "what", "do"), [(False, "release", "take"), (True, "draft", "delete it, or take")])
def test_a_version_has_one_tag(draft: bool, what: str, do: str, library: Project) -> None:
    """A second one would replace its image."""
    with serve(Server(releases=[release(tag_name="1.0", draft=draft)])) as server:
        said = library.refused("create", GITHUB_SERVER_URL=server.url)
    assert f"There is a {what} of 1.0, which is the same version as v1.0.0: {do} the next number." in said
    assert {method for method, _, _ in server.requests} == {"GET"}


FEED, ACTIVITIES = "/owner/name/tags.rss", "/api/v1/repos/owner/name/activities/feeds?limit=50"


@pytest.mark.parametrize("asked_of", [FEED, ACTIVITIES])
def test_the_draft_waits_until_gitea_has_noted_the_tag(asked_of: str, library: Project) -> None:
    """Before that, Gitea would make it public. The feed of tags tells, and where there is none what was done lately."""
    asked: list[str] = []

    def notes(method: str, path: str) -> Answer | None:
        if path not in {FEED, ACTIVITIES}:
            return None
        assert not server.releases, "the draft was made before"
        asked.append(path)
        tag = "v1.0.0" if asked.count(path) == 3 else "v1.0.0-rc.1"
        if path == ACTIVITIES:
            others = [{"op_type": "commit_repo", "ref_name": "refs/tags/v1.0.0"}, 7]
            return _json(200, [*others, {"op_type": "push_tag", "ref_name": f"refs/tags/{tag}"}])
        if asked_of != FEED:
            return 404, "text/html", HTML
        return 200, "application/rss+xml", f"<link>http://a/b/c/releases/tag/{tag}</link>".encode()

    with serve(Server(odd=notes)) as server:
        library.command("create", GITHUB_SERVER_URL=server.url, GITHUB_REPOSITORY="owner/name")
    assert asked == ([FEED] * 3 if asked_of == FEED else [FEED, *[ACTIVITIES] * 3])
    assert [release["draft"] for release in server.releases] == [True]
    credentials = {base64.b64decode(sent.removeprefix("Basic ")) for _, path, sent in server.requests if path == FEED}
    assert credentials == {f"token:{TOKEN}".encode()}


# Webhooks -------------------------------------------------------------------------------------------------------------


def test_an_announcement_is_made_once(library: Project) -> None:
    told: list[str] = []

    def hook(method: str, path: str) -> Answer | None:
        if path != "/hook/canary":
            return None
        told.append(method)
        return 200, "text/plain", b"ok"

    public = release(draft=False, body="Notes.")
    with serve(Server(releases=[public], odd=hook)) as server:
        environment = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "owner/name"}
        environment |= {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.url}
        assert "is not set: nobody is told" in library.command("announce", **environment)
        environment["ANNOUNCE_WEBHOOK_URL"] = f"{server.url}/hook/canary"
        assert "announced" in library.command("announce", **environment)
        assert "was announced already" in library.command("announce", **environment)
    assert told == ["POST"]
    assert public["body"] == "Notes.\n<!-- announced -->\n"


@pytest.mark.parametrize(("name", "command"), [("ANNOUNCE", "announce"), ("DOCKER_REDEPLOY", "redeploy")])
def test_a_webhook_that_fails_is_a_warning(name: str, command: str, everything: Project) -> None:
    def hook(_method: str, path: str) -> Answer | None:
        return (404, "text/plain", b"no") if path.startswith("/hook") else None

    with serve(Server(releases=[release(draft=False)], odd=hook)) as server:
        environment = {"GITHUB_REPOSITORY": "owner/name", "GITHUB_ACTIONS": "true"}
        environment |= {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.url}
        for url, said in ((f"{server.url}/hook/canary-of-a-path", "answered 404"), ("canary-of-a-path", "no address")):
            result = everything.command(command, **environment, **{f"{name}_WEBHOOK_URL": url})
            assert f"::warning::{name}_WEBHOOK_URL" in result and said in result
            assert "canary" not in result


def test_a_slow_webhook_is_told_once(library: Project) -> None:
    """Whoever answers only when the work is done has the message already."""
    webhooks = library.root / "scripts/releasing/webhooks.py"
    text = webhooks.read_text(encoding="utf-8")
    assert "SECONDS = 30\n" in text
    webhooks.write_text(text.replace("SECONDS = 30\n", "SECONDS = 1\n"), encoding="utf-8")
    told: list[str] = []

    def hook(method: str, path: str) -> Answer | None:
        if path != "/hook":
            return None
        told.append(method)
        time.sleep(2)
        return 200, "text/plain", b"ok"

    public = release(draft=False, body="Notes.")
    with serve(Server(releases=[public], odd=hook)) as server:
        environment = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "owner/name"}
        environment |= {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.url}
        said = library.command("announce", **environment, ANNOUNCE_WEBHOOK_URL=f"{server.url}/hook")
    assert "was told, and gave no answer within 1 s" in said
    assert told == ["POST"]
    assert public["body"] == "Notes.\n<!-- announced -->\n"


# The manifest ---------------------------------------------------------------------------------------------------------


def bundle(path: Path, runtime: str) -> None:
    """Write an archive as the builds do, as far as the manifest looks at it."""
    name = "sample-docker-desktop-library/versions/1.0.0/runtime-id"
    data = f"{runtime}\n".encode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def manifest(everything: Project, server: Server, **environment: str) -> str:
    """Upload what the builds of a desktop app make, and publish it."""
    dist = everything.root / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    stem = "sample-docker-desktop-library-v1.0.0"
    runtimes = {"linux-x64": "a" * 64, "win-x64": "b" * 64}
    for ending in ("linux-x64.tar.gz", "linux-x64-app.tar.gz", "win-x64.zip", "win-x64-app.zip"):
        bundle(dist / f"{stem}-{ending}", next(value for name, value in runtimes.items() if ending.startswith(name)))
    for ending in ("setup.exe", "linux-x64.cdx.json", "win-x64.cdx.json"):
        (dist / f"{stem}-{ending}").write_text(ending)
    for name in ("sample_docker_desktop_library-1.0.0-py3-none-any.whl", "sample_docker_desktop_library-1.0.0.tar.gz"):
        (dist / name).write_text(name)
    environment |= {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "owner/name"}
    environment |= {"GITHUB_SERVER_URL": server.url, "GITHUB_API_URL": server.url}
    everything.command("create", **environment)
    everything.command("upload", *map(str, dist.iterdir()), **environment)
    return everything.command("publish", **environment)


def uploaded(server: Server) -> dict[str, bytes]:
    return {asset["name"]: server.files[asset["id"]] for asset in server.releases[0]["assets"]}


def test_the_manifest_is_signed(everything: Project, tmp_path: Path) -> None:
    said = everything.command("keygen", "--output", "key")
    key, public = (everything.root / "key"), said.splitlines()[-1]
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().strip() not in said
    assert "is there already" in everything.refused("keygen", "--output", "key")
    with serve(Server()) as server:
        manifest(everything, server, UPDATE_SIGNING_KEY=key.read_text())
    files = uploaded(server)
    content = json.loads(files["update.json"])
    assert files["update.json"] == json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), "canonical"
    assert {name: content[name] for name in ("format", "version", "tag", "channel")} == {
        "format": 1,
        "version": "1.0.0",
        "tag": "v1.0.0",
        "channel": "stable",
    }
    windows = content["platforms"]["win-x64"]
    assert windows["runtime"] == "b" * 64
    for entry in (windows["full"], windows["app"], windows["setup"], content["platforms"]["linux-x64"]["full"]):
        data = files[entry["name"]]
        assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    # openssl checks it: another program than the one that signed.
    der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(public)
    (tmp_path / "public.der").write_bytes(der)
    (tmp_path / "update.json").write_bytes(files["update.json"])
    (tmp_path / "signature").write_bytes(base64.b64decode(files["update.json.sig"]))
    verify: list[str | Path] = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-keyform",
        "DER",
        "-inkey",
        tmp_path / "public.der",
        "-rawin",
    ]
    run([*verify, "-in", tmp_path / "update.json", "-sigfile", tmp_path / "signature"])
    assert {"update.json", "update.json.sig"} <= {
        line.split("  ")[1] for line in files["SHA256SUMS"].decode().splitlines()
    }


def checked_out_to_publish(workflow: Path) -> list[str]:
    """Give the folders that the job of a workflow checks out which makes the release public."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    (steps,) = (job["steps"] for job in jobs if "release.py publish" in str(job))
    (folders,) = (step["with"]["sparse-checkout"] for step in steps if "checkout@" in step.get("uses", ""))
    return str(folders).split()


@pytest.mark.parametrize("source_dir", [".", "server"])
@pytest.mark.parametrize(("workflow", "gate"), [("release.yml", "automatic"), ("publish.yml", "manual")])
def test_without_a_key_the_release_says_what_that_means(
    workflow: str, gate: str, source_dir: str, project: Render
) -> None:
    """The job that publishes has to see what the app trusts, though it checks out little."""
    targets = ["docker", "desktop", "library"]
    everything = Project(project(answers_for(targets, release_gate=gate, source_dir=source_dir, auto_update=True)))
    folders = checked_out_to_publish(everything.root / ".gitea/workflows" / workflow)
    git(everything.root, "sparse-checkout", "set", *folders)
    with serve(Server()) as server:
        said = manifest(everything, server)
    assert "UPDATE_SIGNING_KEY is not set: installed apps will tell of v1.0.0, and not install it" in said
    assert "update.json" in uploaded(server) and "update.json.sig" not in uploaded(server)


def test_a_desk_without_the_key_changes_nothing(everything: Project) -> None:
    """A public release never changes, so one that no app may install is not made from a desk."""
    public_half = everything.command("keygen", "--output", "key").splitlines()[-1]
    secret = (everything.root / "key").read_text()
    with serve(Server()) as server:
        manifest(everything, server, UPDATE_SIGNING_KEY=secret)
        before = uploaded(server)
        server.releases[0]["draft"] = True
        here = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_API_URL": server.url}
        here |= {"GITHUB_REPOSITORY": "owner/name"}
        said = everything.refused("publish", **here)
        assert "has update.json.sig, which was made with a secret that is not set here" in said
        (keys,) = everything.root.glob("src/*/update_keys.txt")
        with keys.open("a") as file:
            file.write(f"{public_half}\n")
        git(everything.root, "commit", "-q", "--all", "-m", "A later commit, which the release does not hold")
        said = everything.refused("publish", "--tag", "v1.0.0", **here)
        assert "UPDATE_SIGNING_KEY is not set, and no app installs what is not signed" in said
        assert server.releases[0]["draft"] and uploaded(server) == before
        everything.command("publish", "--tag", "v1.0.0", **here, UPDATE_SIGNING_KEY=secret)
        assert not server.releases[0]["draft"] and uploaded(server) == before


def test_a_registry_that_is_none(everything: Project) -> None:
    said = everything.refused("image", "--unstable", "--dry-run", REGISTRY_IMAGE="registry.example.com")
    assert "REGISTRY_IMAGE is 'registry.example.com': write host/owner/name." in said


DOCKER = r"""#!/bin/bash
# Stands in for docker on a machine where a container runs what is `latest` so far.
echo "$*" >>"$DOCKER_LOG"
case $* in
  "image inspect "*) echo "${@: -1}" ;;
  "rmi "*:latest)
    if ! grep -q '^push .*:latest$' "$DOCKER_LOG"; then
      echo "Error response from daemon: conflict: unable to remove repository reference \"$2\" (must force) -" \
        "container 0123456789ab is using its referenced image cdef01234567" >&2
      exit 1
    fi
    ;;
esac
"""


def test_latest_moves_where_a_container_runs_the_one_before(everything: Project, tmp_path: Path) -> None:
    docker, log = tmp_path / "bin/docker", tmp_path / "log"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    environment = {"PATH": f"{docker.parent}{os.pathsep}{os.environ['PATH']}", "DOCKER_LOG": str(log)}
    environment |= {"DOCKER_HOST": "unix:///nowhere", "REGISTRY_IMAGE": "registry.example.com/owner/sample"}
    with serve(Server(releases=[release(draft=False)])) as server:
        said = everything.command("image", "--latest", GITHUB_SERVER_URL=server.url, **environment)
    latest = "registry.example.com/owner/sample:latest"
    assert f"pushed {latest}" in said
    assert [line for line in log.read_text().splitlines() if line.endswith(f" {latest}")][-3:] == [
        f"tag registry.example.com/owner/sample:1.0.0 {latest}",
        f"push --quiet {latest}",
        f"rmi {latest}",
    ]


# Tags -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def origin(library: Project, tmp_path: Path) -> Path:
    """The repository that the library's is pushed to; it has the branch, and no tag."""
    folder = tmp_path / "origin.git"
    git(library.root, "init", "-q", "--bare", str(folder))
    git(library.root, "remote", "add", "origin", str(folder))
    git(library.root, "push", "-q", "origin", "main")
    return folder


@pytest.mark.usefixtures("origin")
def test_a_tag_here_that_somebody_else_pushed_first(library: Project) -> None:
    git(library.root, "push", "-q", "origin", "v1.0.0")
    git(library.root, "commit", "-q", "--allow-empty", "-m", "feat: more")
    git(library.root, "push", "-q", "origin", "main")
    git(library.root, "tag", "--force", "v1.0.0")
    assert "v1.0.0 is there already, at another commit" in library.refused("tag", "1.0.0")
    git(library.root, "tag", "--force", "v1.0.0")
    assert "# 1.1.0" in library.command("candidate", "--dry-run"), "what came after the server's v1.0.0"


def test_a_tag_that_cannot_be_pushed_is_not_left_here(library: Project, origin: Path) -> None:
    hook = origin / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'Only Ann tags.' >&2\nexit 1\n")
    hook.chmod(0o755)
    git(library.root, "tag", "--delete", "v1.0.0")
    said = library.refused("tag", "1.0.0")
    assert "git push: remote: Only Ann tags. / ! [remote rejected] v1.0.0 -> v1.0.0 (pre-receive hook declined)" in said
    assert git(library.root, "tag", "--list") == ""


def test_a_candidate_that_is_open_is_found_beyond_the_first_page(library: Project, origin: Path) -> None:
    """Otherwise its branch, and what a person has done on it, would be replaced."""
    git(library.root, "commit", "-q", "--allow-empty", "-m", "feat: more")
    git(library.root, "push", "-q", "origin", "main")
    opened = [{"title": f"Another {number}"} for number in range(50)]
    ours = {"title": "chore(auto-release-candidate-2026-01-01)", "html_url": "https://example.com/pulls/1"}

    def pulls(_method: str, path: str) -> Answer | None:
        if "/pulls?" not in path:
            return None
        return _json(200, opened if "page=1&" in path else [ours] if "page=2&" in path else [])

    with serve(Server(odd=pulls)) as server:
        said = library.command("candidate", GITHUB_SERVER_URL=server.url)
    assert "A candidate is open already: https://example.com/pulls/1" in said
    assert git(origin, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]


@pytest.mark.usefixtures("origin")
def test_a_candidate_is_about_the_branch_and_not_about_what_is_checked_out(library: Project) -> None:
    git(library.root, "commit", "-q", "--allow-empty", "-m", "feat: more")
    git(library.root, "tag", "v1.1.0")
    git(library.root, "push", "-q", "origin", "main")
    git(library.root, "checkout", "-q", "-b", "feature", "v1.0.0")
    assert "Nothing new for users since v1.1.0" in library.command("candidate", "--dry-run")


@pytest.mark.parametrize("gate", ["automatic", "manual"])
def test_the_secrets_and_variables_of_the_workflows_are_listed(gate: str, render: Render) -> None:
    project = render(answers_for(["docker", "desktop", "library"], index="both", release_gate=gate))
    workflows = "".join(path.read_text() for path in (project / ".gitea/workflows").iterdir())
    _, listed, told = re.split(r"## Secrets\n|\nVariables ", (project / "docs/releasing.md").read_text())
    secrets = re.findall(r"`([A-Z_]+)`(?=[^|]*\|[^|]*\|[^|]*\|$)", listed, re.MULTILINE)
    assert set(secrets) == set(re.findall(r"\bsecrets\.(\w+)", workflows)) - {"GITEA_TOKEN"}
    assert set(re.findall(r"`([A-Z_]+)`", told.partition("\n")[0])) == set(re.findall(r"\bvars\.(\w+)", workflows))


def test_every_command_has_help(everything: Project) -> None:
    listed = everything.command("--help")
    for name in (
        "version",
        "create",
        "upload",
        "publish",
        "tag",
        "index",
        "image",
        "redeploy",
        "announce",
        "candidate",
        "keygen",
    ):
        assert f"\n    {name} " in listed or f"\n    {name}\n" in listed
        assert "--dry-run" in everything.command(name, "--help")
