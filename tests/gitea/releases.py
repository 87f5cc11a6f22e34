"""Releases in tests: a project with its repository, what a whole release has, and a watch over what is public."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.gitea.proxy import proxy
from tests.support.background import repeated
from tests.support.gitea import Owner, Repository, Run
from tests.support.projects import Project
from tests.support.tools import run, uv

SECRET_WORDS = ("canary", "AUTHORIZATION: basic")
PEAK = """
import re, runpy, sys
from pathlib import Path
sys.path.insert(0, "scripts")
sys.argv = ["release.py", "upload", *sys.argv[1:]]
try:
    runpy.run_path("scripts/release.py", run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
print("peak", re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


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

    def push(self) -> None:
        """Push the default branch, and wait until the server no longer calls the repository empty."""
        self.repository.push(self.root)
        deadline = time.monotonic() + 30
        while self.repository.api.get(self.repository.path)["empty"]:
            assert time.monotonic() < deadline, "the repository stays empty"
            time.sleep(0.1)

    def tag_here(self, tag: str, notes: str = "- Something new.") -> str:
        """Write notes for a tag, commit, and tag that. Gives the commit."""
        heading = tag.removeprefix("v").partition("-")[0]
        (self.root / "RELEASE_NOTES.md").write_text(f"# {heading}\n\n{notes}\n", encoding="utf-8")
        self.commit(f"feat: what {tag} brings")
        self.project.git("tag", "--annotate", "--message", tag, tag)
        return self.project.git("rev-parse", "HEAD").strip()

    def tag(self, tag: str, notes: str = "- Something new.") -> str:
        """Do that and push the tag; no branch, which starts test.yml."""
        commit = self.tag_here(tag, notes)
        self.repository.push(self.root, tag)
        return commit

    def release(self, tag: str, notes: str = "- Something new.") -> Run:
        """Push a tag, and give the run that it starts."""
        return self.repository.run(event="push", workflow="release.yml", head_sha=self.tag(tag, notes))

    def refused(self, *words: str, **environment: str) -> str:
        """Run a command that must fail with one line, and give that line."""
        result = self.start(*words, **environment)
        assert result.returncode == 1, result.stdout + result.stderr
        assert result.stderr.count("\n") == 1, f"not one line:\n{result.stderr}"
        return result.stderr

    def command(self, *words: str, **environment: str) -> str:
        """Run a command that must work, and give what it printed."""
        result = self.start(*words, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def start(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        url = self.repository.owner.server.url
        usual = {"GITHUB_SERVER_URL": url, "GITEA_TOKEN": self.token, "DEPLOY_TOKEN": self.token}
        kept = {name: value for name, value in self.project.environment.items() if not name.startswith("GITHUB_")}
        result = run(
            [uv(), "run", "--quiet", "--script", "scripts/release.py", *words],
            cwd=self.root,
            env={**kept, **usual, **environment},
            returncode=None,
            timeout=300,
        )
        assert self.token not in result.stdout + result.stderr
        return result

    def build(self, tag: str) -> list[str]:
        """Stand in for the builds: files with the names that they give, whose contents are the same each time."""
        version = tag.removeprefix("v").replace("-rc.", "rc")
        run([self.root / "scripts/build-wheel.sh", version], cwd=self.root, env=self.project.environment)
        return sorted(str(path) for path in (self.root / "dist").iterdir())

    def tag_and_build(self, tag: str) -> list[str]:
        """Push the default branch and a tag on it, and give the files that its builds make."""
        self.push()
        self.tag(tag)
        return self.build(tag)

    def make_public(self, built: list[str], **environment: str) -> None:
        """Run the commands that make a release of the tag here with these files."""
        for words in (["create"], ["upload", *built], ["publish"]):
            self.command(*words, **environment)

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


def cancelled_at_the_end(make: MakeWorkplace) -> Iterator[MakeWorkplace]:
    """Make workplaces for a test; what it has started there and not waited for would hold up the jobs of others."""
    places: list[Workplace] = []

    def make_one(*arguments: Any, **others: Any) -> Workplace:
        places.append(make(*arguments, **others))
        return places[-1]

    yield make_one
    for place in places:
        place.repository.cancel_runs()


@contextmanager
def watched(place: Workplace, wanted: Callable[[str], Sequence[str]], pause: float = 0.25) -> Iterator[list[str]]:
    """Ask for the public releases all the while, as an app would: none may ever lack a file.

    There are `pause` seconds between two looks. The usual ones leave server and processor to the jobs of a runner.
    """
    problems: list[str] = []
    seen: set[str] = set()
    url = f"{place.repository.owner.server.url}/api/v1/{place.repository.path}/releases"
    with httpx2.Client(trust_env=False, timeout=30) as client:

        def watch() -> None:
            for release in client.get(url).json():
                names = {asset["name"] for asset in release["assets"]}
                if lacking := set(wanted(release["tag_name"])) - names:
                    problems.append(f"{release['tag_name']} is public without {sorted(lacking)}")
                seen.add(release["tag_name"])

        with repeated(watch, pause):
            yield problems
    assert problems == []
    assert seen, "no release was ever public"


@contextmanager
def nothing_public(place: Workplace, reader: Owner) -> Iterator[list[int]]:
    """Let somebody who may read the repository ask for its releases all the while, and expect that there are none."""
    repository = place.repository
    repository.api.put(f"{repository.path}/collaborators/{reader.name}", permission="read")
    looked: list[int] = []

    def look() -> None:
        looked.append(len(reader.api.get(f"{repository.path}/releases")))

    with repeated(look, 0.05):
        yield looked
    assert set(looked) == {0}, f"{len([number for number in looked if number])} of {len(looked)} times one was there"


def version_of(tag: str) -> str:
    """Write a tag's version as packages have it."""
    return tag.removeprefix("v").replace("-rc.", "rc")


def library_files(tag: str) -> list[str]:
    version = version_of(tag)
    return ["SHA256SUMS", f"sample-{version}-py3-none-any.whl", f"sample-{version}.tar.gz"]


def check_release(place: Workplace, tag: str, files: Sequence[str], *, draft: bool = False) -> dict[str, bytes]:
    """Expect a release with exactly these files, whose checksums are right."""
    release = place.repository.release(tag)
    assert release["draft"] is draft
    assert release["name"] == f"Sample {tag}"
    assert release["prerelease"] == ("-" in tag)
    assets = place.repository.assets(tag)
    assert sorted(assets) == sorted(files)
    lines = [line.split("  ") for line in assets["SHA256SUMS"].decode().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in assets.items() if name != "SHA256SUMS"}
    return assets


def without_counts(release: dict[str, Any]) -> dict[str, Any]:
    """Leave out what each download changes."""
    assets = [{**asset, "download_count": 0} for asset in release["assets"]]
    return {**release, "assets": assets}


def no_secret(place: Workplace, *runs: Run) -> None:
    for one in runs:
        logs = one.logs()
        for word in (place.token, place.repository.owner.token, *SECRET_WORDS):
            assert word not in logs


def desktop_files(tag: str) -> list[str]:
    linux = ("linux-x64.tar.gz", "linux-x64-app.tar.gz", "linux-x64.cdx.json")
    endings = ("setup.exe", *linux, "win-x64.zip", "win-x64-app.zip", "win-x64.cdx.json")
    return [
        "SHA256SUMS",
        "update.json",
        "update.json.sig",
        *(f"sample-v{version_of(tag)}-{ending}" for ending in endings),
    ]


def failed(started: Run) -> set[str]:
    """Wait for a run, and give the jobs that failed."""
    return {name for name, result in started.wait().conclusions.items() if result == "failure"}


def requests_of_upload(place: Workplace, *files: str) -> list[tuple[str, str]]:
    """Upload files, and give what was asked of the server for that: methods and paths."""
    with proxy(place.repository.owner.server.url) as between:
        place.command("upload", *files, GITHUB_SERVER_URL=between.url)
    return between.requests


def peak_of_upload(place: Workplace, size: int) -> int:
    """Upload a file of so many bytes, and give the bytes of memory that release.py took at its peak."""
    with (place.root / "big.bin").open("wb") as file:
        file.truncate(size)
    (place.root / "peak.py").write_text(PEAK)
    options = ["--quiet", "--no-project", "--with-requirements", "scripts/release.py"]
    server = {"GITHUB_SERVER_URL": place.repository.owner.server.url, "GITEA_TOKEN": place.token}
    environment = {**place.project.environment, **server}
    said = run([uv(), "run", *options, "python", "peak.py", "big.bin"], cwd=place.root, env=environment).stdout
    return int(said.split()[-1]) * 1024
