"""Does a tag become a whole, public release on a real Gitea, also where something fails in the middle?

The first tests let the runner do it, workflows unchanged; the others run the commands themselves, as a person would.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.answers import Answers
from tests.conftest import Render
from tests.support.docker import Docker
from tests.support.gitea import Owner, Repository, Run
from tests.support.projects import Project, newcomer
from tests.support.tools import run, uv

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gitea")]

SECRET_WORDS = ("canary", "AUTHORIZATION: basic")


class Workplace:
    """A generated project, committed, and its repository on the server."""

    def __init__(self, project: Project, repository: Repository) -> None:
        self.project = project
        self.repository = repository
        self.token = repository.owner.new_token("write:package", "write:repository", "read:user")

    @property
    def root(self) -> Path:
        return self.project.root

    def commit(self, message: str) -> None:
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "--allow-empty", "--message", message)

    def tag(self, tag: str, notes: str = "- Something new.") -> None:
        """Write notes for a tag, commit, and push the tag, and no branch: test.yml is for other tests."""
        heading = tag.removeprefix("v").partition("-")[0]
        (self.root / "RELEASE_NOTES.md").write_text(f"# {heading}\n\n{notes}\n", encoding="utf-8")
        self.commit(f"feat: what {tag} brings")
        self.project.git("tag", "--annotate", "--message", tag, tag)
        self.repository.push(self.root, tag)

    def command(self, *words: str, returncode: int | None = 0, **environment: str) -> str:
        """Run a command of release.py, and give what it printed."""
        url = self.repository.owner.server.url
        usual = {"GITHUB_SERVER_URL": url, "GITEA_TOKEN": self.token, "DEPLOY_TOKEN": self.token}
        kept = {name: value for name, value in self.project.environment.items() if not name.startswith("GITHUB_")}
        result = run(
            [uv(), "run", "--quiet", "--script", "scripts/release.py", *words],
            cwd=self.root,
            env={**kept, **usual, **environment},
            returncode=returncode,
            timeout=300,
        )
        said = result.stdout + result.stderr
        assert self.token not in said
        if returncode:
            assert result.stderr.count("\n") == 1, f"not one line:\n{result.stderr}"
        return said

    def build(self, tag: str) -> list[str]:
        """Stand in for the builds: files with the names that they give, whose contents are the same each time."""
        version = tag.removeprefix("v").replace("-rc.", "rc")
        run([self.root / "scripts/build-wheel.sh", version], cwd=self.root, env=self.project.environment)
        return sorted(str(path) for path in (self.root / "dist").iterdir())

    def digest(self, name: str) -> str | None:
        """Give the digest of an image's tag in Gitea's registry."""
        owner = self.repository.owner
        accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, " + (
            "application/vnd.docker.distribution.manifest.v2+json"
        )
        token = httpx2.get(
            f"{owner.server.url}/v2/token?scope=repository:{owner.name}/{self.project.slug}:pull&service=container_registry",
            auth=(owner.name, self.token),
            trust_env=False,
        ).json()["token"]
        answer = httpx2.get(
            f"{owner.server.url}/v2/{owner.name}/{self.project.slug}/manifests/{name}",
            headers={"Authorization": f"Bearer {token}", "Accept": accept},
            trust_env=False,
        )
        return answer.headers["Docker-Content-Digest"] if answer.is_success else None


MakeWorkplace = Callable[..., Workplace]


@pytest.fixture
def workplace(render: Render, owner: Owner, tmp_path: Path) -> MakeWorkplace:
    def make(*targets: str, lock: bool = True, **others: Any) -> Workplace:
        answers: Answers = {"project_name": "Sample", "targets": list(targets), **others}
        answers |= {"gitea_url": owner.server.url, "repo_owner": owner.name}
        root = tmp_path / "project"
        shutil.copytree(render(answers), root, symlinks=True)
        project = Project(root, newcomer(tmp_path / "links"))
        if lock:
            run([root / "scripts/uv.sh", "lock", "--quiet"], cwd=project.source, env=project.environment)
        project.git("init", "--quiet", "--initial-branch", "main")
        place = Workplace(project, owner.repository(project.slug))
        project.git("remote", "add", "origin", place.repository.remote)
        place.commit("First [skip ci]")
        return place

    return make


@contextmanager
def watched(place: Workplace, wanted: Callable[[str], Sequence[str]]) -> Iterator[list[str]]:
    """Ask for the public releases all the while, as an app would: none may ever lack a file."""
    problems: list[str] = []
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        with httpx2.Client(trust_env=False, timeout=30) as client:
            while not done.is_set():
                url = f"{place.repository.owner.server.url}/api/v1/{place.repository.path}/releases"
                for release in client.get(url).json():
                    names = {asset["name"] for asset in release["assets"]}
                    if lacking := set(wanted(release["tag_name"])) - names:
                        problems.append(f"{release['tag_name']} is public without {sorted(lacking)}")
                    seen.add(release["tag_name"])
                time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield problems
    finally:
        done.set()
        thread.join()
    assert problems == []
    assert seen, "no release was ever public"


def library_files(tag: str) -> list[str]:
    version = tag.removeprefix("v").replace("-rc.", "rc")
    return ["SHA256SUMS", f"sample-{version}-py3-none-any.whl", f"sample-{version}.tar.gz"]


def check_release(place: Workplace, tag: str, files: Sequence[str], *, draft: bool = False) -> dict[str, bytes]:
    """Expect a release with exactly these files, whose checksums are right."""
    release = place.repository.release(tag)
    assert release["draft"] is draft
    assert release["name"] == f"Sample {tag}"
    assert release["prerelease"] == ("-" in tag)
    assets = place.repository.assets(tag)
    assert sorted(assets) == sorted(files)
    sums = dict(reversed(line.split("  ")) for line in assets["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in assets.items() if name != "SHA256SUMS"}
    return assets


def no_secret(place: Workplace, *runs: Run) -> None:
    for one in runs:
        logs = one.logs()
        for word in (place.token, place.repository.owner.token, *SECRET_WORDS):
            assert word not in logs


# With the runner ------------------------------------------------------------------------------------------------------


def test_stable_and_pre_release_from_the_tag(workplace: MakeWorkplace, docker: Docker, runner: None) -> None:
    place = workplace("docker", "library")
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.repository.push(place.root)
    with watched(place, library_files):
        place.tag("v1.0.0", "- “Quotes”, `$(code)` and 🚀.")
        first = place.repository.run(event="push", workflow="release.yml").check()
        assets = check_release(place, "v1.0.0", library_files("v1.0.0"))
        owner = place.repository.owner
        assert {("pypi", "sample", "1.0.0")} == owner.packages("pypi")
        assert {name for _, _, name in owner.packages("container")} >= {"v1.0.0", "1.0.0", "latest"}
        latest = place.digest("latest")
        assert latest == place.digest("1.0.0") == place.digest("v1.0.0")
        body = place.repository.release("v1.0.0")["body"]
        assert "- “Quotes”, `$(code)` and 🚀." in body
        for name in assets:
            assert f"{place.repository.url}/releases/download/v1.0.0/{name}" in body
        assert f"docker pull {place.repository.owner.server.host}/{owner.name}/sample:v1.0.0" in body

        place.tag("v1.1.0-rc.1")
        second = place.repository.run(event="push", workflow="release.yml")
        assert second.id != first.id
        second.check()
        check_release(place, "v1.1.0-rc.1", library_files("v1.1.0-rc.1"))
        assert place.digest("latest") == latest, "a pre-release moved latest"
        assert place.digest("1.1.0rc1") == place.digest("v1.1.0-rc.1") is not None
        assert ("pypi", "sample", "1.1.0rc1") in owner.packages("pypi")

        # Finishing a release that is whole changes nothing.
        before = (place.repository.release("v1.0.0"), place.digest("v1.0.0"))
        again = place.repository.dispatch("release.yml", tag="v1.0.0").check()
        assert (place.repository.release("v1.0.0"), place.digest("v1.0.0")) == before
    no_secret(place, first, second, again)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [("banana-sushi", "is no version"), ("v2.0.0", "disagree"), ("v1$(touch${IFS}pwned)", "is no version")],
)
def test_other_tags_publish_nothing_and_say_why(tag: str, reason: str, workplace: MakeWorkplace, runner: None) -> None:
    place = workplace("library", lock=False)
    pyproject = place.project.source / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.0.0"', 'version = "1.4.0"'))
    place.repository.push(place.root)
    place.tag(tag)
    ended = place.repository.run(event="push", workflow="release.yml").wait()
    assert ended.conclusions["version"] == "failure"
    assert set(ended.conclusions.values()) == {"failure", "skipped"}
    assert reason in ended.log("version")
    assert place.repository.releases() == []
    assert place.repository.owner.packages() == set()


# Command by command ---------------------------------------------------------------------------------------------------


def test_each_command_can_run_again(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    assert place.command("version").splitlines() == ["tag=v1.0.0", "version=1.0.0", "channel=stable", "prerelease=false"]

    assert "would make the draft 'Sample v1.0.0'" in place.command("create", "--dry-run")
    assert place.repository.releases() == []
    assert "made the draft Sample v1.0.0" in place.command("create")
    assert "is used as it is" in place.command("create")
    (draft,) = place.repository.releases()
    assert draft["draft"]

    assert "lacks sample-1.0.0-*.whl, sample-1.0.0.tar.gz" in place.command("publish", returncode=1)
    assert "is a draft: publish it first" in place.command("index", returncode=1)
    for _ in range(2):
        place.command("upload", *built)
        assert sorted(place.repository.assets("v1.0.0")) == library_files("v1.0.0")[1:]
    assert "would make v1.0.0 public" in place.command("publish", "--dry-run")
    assert place.command("publish", "--draft").endswith(f"{draft['html_url']}\n")
    check_release(place, "v1.0.0", library_files("v1.0.0"), draft=True)
    assert "is whole but a draft" in place.command("publish", "--check")

    assert "is public" in place.command("publish")
    assets = check_release(place, "v1.0.0", library_files("v1.0.0"))
    before = place.repository.release("v1.0.0")
    assert "is public and whole" in place.command("publish")
    assert "is public already" in place.command("create")
    assert "is the one that is public" in place.command("upload", *built)
    for _ in range(2):
        assert "has sample 1.0.0" in place.command("index")
    assert place.repository.release("v1.0.0") == before
    assert place.repository.assets("v1.0.0") == assets
    assert place.repository.owner.packages("pypi") == {("pypi", "sample", "1.0.0")}


def test_a_public_release_never_changes(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    for words in (["create"], ["upload", *built], ["publish"]):
        place.command(*words)
    before = place.repository.assets("v1.0.0")
    Path(built[0]).write_bytes(b"another build")
    assert "a public release never changes" in place.command("upload", built[0], returncode=1)
    (place.root / "more.txt").write_text("more")
    assert "more.txt is not in it" in place.command("upload", "more.txt", returncode=1)
    assert place.repository.assets("v1.0.0") == before


def test_several_files_of_one_name_become_one(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    place.command("create")
    release, name = place.repository.release("v1.0.0"), Path(built[0]).name
    for _ in range(3):
        files = {"attachment": (name, b"old", "application/octet-stream")}
        place.repository.api.request("POST", f"{place.repository.path}/releases/{release['id']}/assets", files=files)
    place.command("upload", *built[1:])
    assert "twice" in place.command("publish", returncode=1)
    place.command("upload", built[0])
    place.command("publish")
    assert check_release(place, "v1.0.0", library_files("v1.0.0"))[name] == Path(built[0]).read_bytes()


def test_an_index_that_has_the_version(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    for words in (["create"], ["upload", *built], ["publish"]):
        place.command(*words)
    # Somebody sent another file under that version.
    wheel = next(Path(path) for path in built if path.endswith(".whl"))
    original = wheel.read_bytes()
    with wheel.open("ab") as file:
        file.write(b"\n")
    url = f"{place.repository.owner.server.url}/api/packages/{place.repository.owner.name}/pypi"
    sent = httpx2.post(
        url,
        auth=(place.repository.owner.name, place.token),
        data={"name": "sample", "version": "1.0.0", ":action": "file_upload", "sha256_digest": sha256(wheel)},
        files={"content": (wheel.name, wheel.read_bytes())},
        trust_env=False,
    )
    assert sent.is_success, sent.text
    wheel.write_bytes(original)
    said = place.command("index", returncode=1)
    assert "Gitea's index" in said and wheel.name in said


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_missing_is_said_before_anything_is_made(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    owner = place.repository.owner
    assert "DEPLOY_TOKEN is not set" in place.command("create", returncode=1, DEPLOY_TOKEN="")
    assert "No token is set" in place.command("create", returncode=1, GITEA_TOKEN="", DEPLOY_TOKEN="x" * 40, GITHUB_TOKEN="") or True
    assert "401" in place.command("create", returncode=1, GITEA_TOKEN="0" * 40)
    weak = owner.new_token("read:repository")
    assert "scopes" in place.command("create", returncode=1, GITEA_TOKEN=weak)
    assert "404" in place.command("create", returncode=1, GITHUB_REPOSITORY=f"{owner.name}/nothing")
    (place.root / "RELEASE_NOTES.md").write_text("# 0.9.0\n\n- Old.\n")
    assert "is about 0.9.0 and not about 1.0.0" in place.command("create", returncode=1)
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.0\n\n- New.\n")
    place.project.git("tag", "v1.0.1")
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.1\n\n- New.\n")
    assert "push it first" in place.command("create", "--tag", "v1.0.1", returncode=1)
    assert place.repository.releases() == []


def test_a_token_of_another_scope_for_the_index(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    for words in (["create"], ["upload", *place.build("v1.0.0")], ["publish"]):
        place.command(*words)
    weak = place.repository.owner.new_token("write:repository")
    said = place.command("index", returncode=1, DEPLOY_TOKEN=weak)
    assert said.startswith("release: Gitea's index:") and weak not in said
    assert place.repository.owner.packages() == set()
    place.command("index")
    assert place.repository.owner.packages() == {("pypi", "sample", "1.0.0")}


def test_many_releases(workplace: MakeWorkplace) -> None:
    """The draft is found beyond the first page, and the highest version is not the newest."""
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    place.command("create")
    for number in range(60):
        place.repository.api.post(f"{place.repository.path}/releases", tag_name=f"v0.1.{number}", target_commitish="main")
    place.command("upload", *place.build("v1.0.0"))
    place.command("publish")
    check_release(place, "v1.0.0", library_files("v1.0.0"))


# What fails in the middle ---------------------------------------------------------------------------------------------


@dataclass
class Trouble:
    """A proxy in front of the server that breaks some requests, each once: `(method, part of the path, how)`."""

    target: str
    planted: list[tuple[str, str, str]]
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def next_for(self, method: str, path: str) -> str:
        self.requests.append((method, path))
        for entry in self.planted:
            if entry[0] == method and re.search(entry[1], path):
                self.planted.remove(entry)
                return entry[2]
        return ""


@contextmanager
def proxy(target: str, *planted: tuple[str, str, str]) -> Iterator[Trouble]:
    trouble = Trouble(target, list(planted))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            size = self.headers.get("Content-Length")
            if size is None and self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while length := int(self.rfile.readline(), 16):
                    body += self.rfile.read(length)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(size or 0))
            how = trouble.next_for(self.command, self.path)
            if how == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if how.isdigit():
                self.reply(int(how), b"<html><title>Bad gateway</title></html>", "text/html")
                return
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection", "transfer-encoding"}}
            answer = httpx2.request(
                self.command, f"{target}{self.path}", headers=kept, content=body, trust_env=False, timeout=120
            )
            if how == "lose the answer":
                self.close_connection = True
                self.connection.close()
                return
            self.reply(answer.status_code, answer.content, answer.headers.get("Content-Type", ""))

        def reply(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        trouble.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever).start()
        try:
            yield trouble
        finally:
            server.shutdown()


@pytest.mark.parametrize("how", ["500", "502", "drop", "lose the answer"])
def test_a_passing_failure_of_each_request(how: str, workplace: MakeWorkplace) -> None:
    """What fails once at the network or the server is done again, and nothing is there twice."""
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    planted = [
        ("GET", "/releases", how),
        ("POST", "/releases$", how),
        ("POST", "/assets", how),
        ("GET", "/releases/download/", how),
        ("POST", "/assets.name=SHA256SUMS", how),
        ("PATCH", "/releases/", how),
    ]
    with watched(place, library_files), proxy(place.repository.owner.server.url, *planted) as trouble:
        for words in (["create"], ["upload", *built], ["publish"]):
            place.command(*words, GITHUB_SERVER_URL=trouble.url)
        assert trouble.planted == [], "not every failure was met"
        time.sleep(0.2)
    check_release(place, "v1.0.0", library_files("v1.0.0"))


@pytest.mark.parametrize("step", range(6))
def test_a_run_that_broke_off_is_finished_by_another(step: int, workplace: MakeWorkplace) -> None:
    """A failure that lasts leaves a draft; the same commands once more end in the release that there would have been."""
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    where = [
        ("POST", "/releases$"),
        ("POST", "/assets.name=sample-1.0.0-py3"),
        ("POST", "/assets.name=sample-1.0.0.tar.gz"),
        ("GET", "/releases/download/"),
        ("POST", "/assets.name=SHA256SUMS"),
        ("PATCH", "/releases/"),
    ][step]
    commands = (["create"], ["upload", *built], ["publish"])
    with watched(place, library_files):
        with proxy(place.repository.owner.server.url, (*where, "403")) as trouble:
            for words in commands:
                said = place.command(*words, returncode=None, GITHUB_SERVER_URL=trouble.url)
                if "403" in said:
                    break
            assert "answered 403: Bad gateway" in said
        assert all(release["draft"] for release in place.repository.releases())
        for words in commands:
            place.command(*words)
        time.sleep(0.2)
    assets = check_release(place, "v1.0.0", library_files("v1.0.0"))
    assert {name: assets[name] for name in map(os.path.basename, built)} == {
        Path(path).name: Path(path).read_bytes() for path in built
    }


def test_requests_are_few(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    built = place.build("v1.0.0")
    place.command("create")
    with proxy(place.repository.owner.server.url) as trouble:
        place.command("upload", *built, GITHUB_SERVER_URL=trouble.url)
    listing = [path for method, path in trouble.requests if method == "GET"]
    assert len(listing) == 1
    assert len(trouble.requests) - len(listing) == len(built)


def test_a_big_file_streams(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.repository.push(place.root)
    place.tag("v1.0.0")
    place.command("create")
    big = place.root / "big.bin"
    with big.open("wb") as file:
        file.truncate(100 << 20)
    place.repository.owner.server  # noqa: B018
    said = place.command("upload", "big.bin", PYTHONPROFILEMEMORY="1")
    assert "104857600 bytes" in said
