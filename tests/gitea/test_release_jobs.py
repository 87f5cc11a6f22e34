"""Releases by the runner: each subset of targets, failures in the middle of jobs, several at once, other servers."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from tests.answers import SUBSETS, subset_id
from tests.conftest import REPOSITORY
from tests.gitea.conftest import Environment
from tests.gitea.proxy import Planted, Trouble, proxy
from tests.gitea.releases import (
    MakeWorkplace,
    Workplace,
    check_release,
    desktop_files,
    failed,
    library_files,
    no_secret,
    nothing_public,
    version_of,
    watched,
    without_counts,
)
from tests.support.background import repeated
from tests.support.docker import Docker
from tests.support.gitea import Run, Server, serve
from tests.support.gitea_pages import Page
from tests.support.gitea_runner import run_jobs
from tests.support.packages import require_apt
from tests.support.signing import Authority
from tests.support.tools import run, uv

pytestmark = pytest.mark.slow

WorkplaceOf = Callable[..., Workplace]


def files_of(targets: Sequence[str]) -> Callable[[str], list[str]]:
    """Give what says which files a release of these targets has."""
    kinds = [kind for name, kind in (("library", library_files), ("desktop", desktop_files)) if name in targets]
    return lambda tag: sorted({"SHA256SUMS", *(name for kind in kinds for name in kind(tag))})


def prepare(place: Workplace, environment: Environment) -> str:
    """Put in a stand-in for the build of bundles, which takes minutes. Gives the key that signs."""
    if not (place.root / "scripts/bundle.py").exists():
        return ""
    shutil.copy(Path(__file__).with_name("stand_in_bundle.py"), place.root / "scripts/bundle.py")
    place.command("keygen", "--output", "key")
    key = (place.root / "key").read_text().strip()
    place.repository.secret("UPDATE_SIGNING_KEY", key)
    (place.root / "key").unlink()
    place.repository.variable("WINDOWS_PYTHON_URL", environment["WINDOWS_PYTHON_URL"])
    place.commit("Stand-in [skip ci]")
    return key


def without_checks(place: Workplace) -> None:
    """Leave the checks out: what they say is tested elsewhere, and here runs are many."""
    makefile = place.root / "Makefile"
    text = re.sub(
        r"(?m)^(check-(?:python|tests|frontend|scripts):).*\n(?:\t.*\n)+", r"\1\n\t@true\n", makefile.read_text()
    )
    makefile.write_text(text)
    place.commit("No checks [skip ci]")


@pytest.mark.usefixtures("long", "runner")
@pytest.mark.parametrize("targets", SUBSETS, ids=subset_id)
def test_two_tags_at_once_of_each_subset(
    targets: tuple[str, ...], workplace: MakeWorkplace, environment: Environment
) -> None:
    """A stable version and a pre-release of the next one, pushed together."""
    place = workplace(*targets, frontend=False, source_dir="server" if len(targets) == 2 else ".")
    place.repository.secret("DEPLOY_TOKEN", place.token)
    prepare(place, environment)
    place.push()
    tags = {"v1.0.0": place.tag_here("v1.0.0"), "v1.1.0-rc.1": place.tag_here("v1.1.0-rc.1")}
    owner = place.repository.owner
    with watched(place, files_of(targets)):
        place.repository.push(place.root, *tags)
        runs = [place.repository.run(event="push", workflow="release.yml", head_sha=tags[tag]) for tag in tags]
        for run in runs:
            run.check(minutes=30)
        time.sleep(0.2)
    for tag in tags:
        assets = check_release(place, tag, files_of(targets)(tag))
        if "desktop" in targets:
            manifest = json.loads(assets["update.json"])
            assert (manifest["tag"], manifest["version"]) == (tag, version_of(tag))
            assert len(base64.b64decode(assets["update.json.sig"])) == 64
    versions = set(map(version_of, tags))
    wheels = {("pypi", "sample", version) for version in versions} if "library" in targets else set()
    assert owner.packages("pypi") == wheels
    if "docker" in targets:
        assert {name for _, _, name in owner.packages("container")} >= {*tags, *versions, "latest"}
        assert place.digest("latest") == place.digest("v1.0.0") != place.digest("v1.1.0-rc.1")
    no_secret(place, *runs)


# What fails in the middle of a job ------------------------------------------------------------------------------------


@contextmanager
def in_front(environment: Environment) -> Iterator[tuple[Server, Trouble]]:
    """Run a Gitea whose runner, with everything that its jobs do, goes through a proxy that breaks things."""
    with serve() as server, proxy(server.url) as trouble, run_jobs(replace(server, url=trouble.url), environment):
        yield server, trouble


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Collect the command lines of all processes on this machine, as anybody on it could."""
    found: set[str] = set()
    looks: Counter[str] = Counter()  # at each process, in half a second from when it has begun: then it is what it is

    def watch() -> None:
        processes = {entry.name for entry in os.scandir("/proc") if entry.name.isdecimal()}
        for gone in looks.keys() - processes:
            del looks[gone]
        for process in processes:
            looks[process] += 1
            if looks[process] <= 25:
                with suppress(OSError):  # it has just ended
                    line = Path("/proc", process, "cmdline").read_bytes()
                    found.add(line.replace(b"\0", b" ").decode(errors="replace"))

    with repeated(watch, 0.02):
        yield found


def fail_once(place: Workplace, marks: Path, *scripts: str) -> None:
    """Let a script fail while there is a file of its name in `marks`, which it takes away."""
    marks.mkdir()
    for name in scripts:
        path = place.root / "scripts" / name
        line = f'if [[ -e {marks / name} ]]; then rm "{marks / name}"; echo "planted" >&2; exit 1; fi'
        path.write_text(path.read_text().replace("set -euo pipefail\n", f"set -euo pipefail\n{line}\n", 1))
    place.commit("Fails once [skip ci]")


def unpacked(assets: dict[str, bytes]) -> Iterable[bytes]:
    """Give all that is in the files of a release, unpacked as far as they are zips."""
    for data in assets.values():
        yield data
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from (archive.read(name) for name in archive.namelist())


def outline(place: Workplace, tag: str) -> dict[str, Any]:
    """Describe a release and what belongs to it, with `VERSION` for its number."""
    release = place.repository.release(tag)
    contents: dict[str, Any] = {}
    for name, data in place.repository.assets(tag).items():
        contents[name] = len(data) if name.startswith("update") else None
        if data.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                contents[name] = sorted(archive.namelist())
    packages = sorted(entry for entry in place.repository.owner.packages() if version_of(tag) in entry[2])
    found = [release["name"], release["body"], release["draft"], release["prerelease"], contents, packages]
    return json.loads(json.dumps(found).replace(version_of(tag), "VERSION"))  # type: ignore[no-any-return]


@dataclass
class Series:
    """Releases that fail at each step in turn, and are finished by running the workflow by hand."""

    workplace_of: WorkplaceOf
    environment: Environment
    docker: Docker
    marks: Path
    subtests: pytest.Subtests

    def run(self, *targets: str) -> None:
        whole = len(targets) == 3
        with in_front(self.environment) as (server, trouble), command_lines() as seen:
            owner = server.owner()
            place = self.workplace_of(owner, *targets, frontend=False)
            place.repository.variable("REGISTRY_IMAGE", f"{trouble.host}/{owner.name}/sample")
            announce = f"{trouble.url}/hooks/canary-announce"
            place.repository.secret("ANNOUNCE_WEBHOOK_URL", announce)
            place.repository.secret("DOCKER_REDEPLOY_WEBHOOK_URL", f"{trouble.url}/hooks/canary-redeploy")
            key = prepare(place, self.environment)
            without_checks(place)
            marks = self.marks
            builds = [
                "build-wheel.sh",
                "build-image.sh",
                *(["build-dist.sh", "build-dist-windows.sh"] if whole else []),
            ]
            fail_once(place, marks, *builds)
            place.push()
            runs = []
            with watched(place, files_of(targets)):
                with self.subtests.test("without the secret nothing is made"):
                    runs.append(place.release("v1.0.0"))
                    assert failed(runs[-1]) == {"draft"}
                    assert "DEPLOY_TOKEN is not set, which Gitea's index needs" in runs[-1].log("draft")
                    assert place.repository.releases() == []
                place.repository.secret("DEPLOY_TOKEN", place.token)

                with self.subtests.test("what fails at the network in passing stops nothing"):
                    trouble.planted += [
                        ("GET", "/releases[?]", "500"),
                        ("POST", "/releases$", "lose the answer"),
                        ("POST", "/assets[?]", "drop"),
                        ("POST", "/assets[?]", "502"),
                        ("GET", "/releases/download/", "502"),
                        ("PUT", "/v2/.*/manifests/", "502"),
                        ("PATCH", "/api/v1/.*/releases/", "lose the answer"),
                        ("POST", "/api/packages/", "503"),
                        ("POST", "/hooks/", "200"),
                        ("POST", "/hooks/", "200"),
                    ]
                    runs.append(place.repository.dispatch("release.yml", tag="v1.0.0").check())
                    assert trouble.planted == [], "not every failure was met"

                commit = place.tag("v1.0.1")
                runs.append(place.repository.run(event="push", workflow="release.yml", head_sha=commit))
                steps: list[tuple[str, set[str], list[Planted]]] = [
                    ("the third upload", {"publish"}, [("POST", "/assets[?]name=SHA256SUMS", "403")]),
                    ("publish", {"publish"}, [("PATCH", "/api/v1/.*/releases/", "403")]),
                    ("the index", {"finish"}, [("POST", "/api/packages/", "403")]),
                ]
                if whole:
                    cdx, manifest = "/assets[?]name=.*linux-x64.cdx.json", "/v2/.*/manifests/"
                    steps = [
                        ("the draft", {"draft"}, [("POST", "/releases$", "403")]),
                        ("a token of another scope", {"image"}, []),
                        ("builds", {"wheel", "linux", "windows", "image"}, []),
                        ("uploads and the image", {"linux", "image"}, [("POST", cdx, "403"), ("PUT", manifest, "403")]),
                        *steps,
                        ("latest", {"finish"}, [("PUT", "/v2/.*/manifests/latest", "403")]),
                    ]
                for number, (name, jobs, planted) in enumerate(steps):
                    with self.subtests.test(f"where it fails: {name}"):
                        trouble.planted += planted
                        other_scope = owner.new_token("write:repository")
                        place.repository.secret("DEPLOY_TOKEN", other_scope if "scope" in name else place.token)
                        if name == "builds":
                            for script in builds:
                                (marks / script).touch()
                        if number:
                            runs.append(place.repository.dispatch("release.yml", tag="v1.0.1"))
                        assert failed(runs[-1]) == jobs, runs[-1].logs()[-3000:]
                        assert trouble.planted == [], "the failure was not met"
                        public = [
                            release["tag_name"] for release in place.repository.releases() if not release["draft"]
                        ]
                        assert ("v1.0.1" in public) == (jobs == {"finish"})
                with self.subtests.test("a webhook that fails is a warning, and its command tells it later"):
                    trouble.planted += [
                        ("POST", "/hooks/canary-redeploy", "200"),
                        ("POST", "/hooks/canary-announce", "500"),
                    ]
                    runs.append(place.repository.dispatch("release.yml", tag="v1.0.1").check())
                    assert "ANNOUNCE_WEBHOOK_URL (127.0.0.1) answered 500" in runs[-1].log("finish")
                    trouble.planted += [("POST", "/hooks/canary-announce", "200")]
                    place.command("announce", RELEASE_TAG="v1.0.1", ANNOUNCE_WEBHOOK_URL=announce)
                    assert trouble.planted == []
            with self.subtests.test("in the end it is as an undisturbed one"):
                assert outline(place, "v1.0.1") == outline(place, "v1.0.0")
                for tag in ("v1.0.0", "v1.0.1"):
                    check_release(place, tag, files_of(targets)(tag))
                assert place.digest("latest") == place.digest("1.0.1") == place.digest("v1.0.1")
            with self.subtests.test("no secret is in a log, in a file or on a command line"):
                tokens = {token for token in trouble.tokens if len(token) >= 16}
                assert len(tokens) > len(runs), "jobs have a token each"
                secrets = {place.token, key, "canary-announce", "canary-redeploy", *tokens} - {""}
                image = f"{server.host}/{owner.name}/sample:v1.0.1"
                self.docker.run("pull", "--quiet", image)
                said = [run.logs() for run in runs]
                said += [self.docker.run("history", "--no-trunc", image), self.docker.run("inspect", image), *seen]
                files = list(unpacked(place.repository.assets("v1.0.1")))
                self.docker.run("rmi", image)
                for secret in secrets:
                    assert not [text for text in said if secret in text]
                    assert not [data for data in files if secret.encode() in data]
                assert any("release.py" in line for line in seen), "nobody looked"


@pytest.fixture
def series(
    workplace_of: WorkplaceOf, environment: Environment, docker: Docker, tmp_path: Path, subtests: pytest.Subtests
) -> Series:
    return Series(workplace_of, environment, docker, tmp_path / "marks", subtests)


def test_what_fails_in_a_job_is_finished_by_a_run_by_hand(series: Series) -> None:
    """What one release is in the end is what an undisturbed one is."""
    series.run("docker", "library")


@pytest.mark.usefixtures("long")
def test_so_is_what_fails_at_every_step_of_a_project_with_all_targets(series: Series) -> None:
    series.run("docker", "desktop", "library")


# A signed installer ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("long", "runner")
def test_a_signed_installer_is_never_built_into_a_public_release(
    workplace: MakeWorkplace, environment: Environment, tmp_path: Path
) -> None:
    """Its time stamp makes another file of each build: a run by hand stops there, and commands do what is left."""
    require_apt("nsis", "osslsigncode")
    place, authority = workplace("desktop", frontend=False), Authority(tmp_path / "ca")
    repository, setup = place.repository, "sample-v1.0.0-setup.exe"
    key = prepare(place, environment)
    without_checks(place)
    with authority.timestamps() as url:
        for name, value in authority.environment(url).items():
            (repository.variable if name.endswith("_URL") else repository.secret)(name, value)
        place.push()
        with watched(place, desktop_files):
            runs = [place.release("v1.0.0").check()]
            assets, before = check_release(place, "v1.0.0", desktop_files("v1.0.0")), repository.release("v1.0.0")
            (tmp_path / setup).write_bytes(assets[setup])
            assert authority.verify(tmp_path / setup)
            stamps = authority.requests

            runs.append(repository.dispatch("release.yml", tag="v1.0.0").wait())
            assert authority.requests > stamps, "nothing was signed again"
            results = runs[-1].conclusions
            assert {name: result for name, result in results.items() if result != "success"} == {
                "windows": "failure",
                "publish": "skipped",
                "finish": "skipped",
            }
            reason = f"v1.0.0 is public with another {setup}; a public release never changes"
            assert reason in runs[-1].log("windows")
            assert without_counts(repository.release("v1.0.0")) == without_counts(before)
            assert check_release(place, "v1.0.0", desktop_files("v1.0.0")) == assets
    # What the document has for what comes after.
    table = re.findall(
        r"^\| .* \| `(scripts/uv.sh .* --tag TAG)` \|$", (place.root / "docs/releasing.md").read_text(), re.MULTILINE
    )
    assert [line.split()[3] for line in table] == ["publish", "announce"]
    said = [place.command(*line.split()[3:-1], "v1.0.0") for line in table]
    assert "v1.0.0 is public and whole" in said[0]
    assert check_release(place, "v1.0.0", desktop_files("v1.0.0")) == assets
    no_secret(place, *runs)
    for one in runs:
        assert key not in one.logs() and authority.certificate[:40] not in one.logs()


# What docs/releasing.md of a project says of a person's gate ----------------------------------------------------------


@dataclass
class Person:
    """Does what docs/releasing.md says: on Gitea's pages, whose links and buttons it has in italics, and at a desk."""

    place: Workplace
    environment: Environment

    @property
    def text(self) -> str:
        return (self.place.root / "docs/releasing.md").read_text(encoding="utf-8")

    def find(self, pattern: str) -> list[str]:
        """Give what a sentence of the document says in the places that the pattern has groups for."""
        found = re.search(pattern.replace(" ", r"\s+"), self.text, re.DOTALL)
        assert found, f"docs/releasing.md does not say {pattern!r}"
        return list(found.groups())

    def start(self, links: str, **inputs: str) -> Run:
        """Follow links from the repository's page to a button, and give the run that this starts."""
        *path, button = re.findall(r"\*(.+?)\*", links)
        page = Page.open(self.place.repository.owner.browser, self.place.repository.url)
        for name in path:
            page = page.follow(name)
        return self.started(lambda: page.press(button, **inputs), workflow=path[-1])

    def started(self, action: Callable[[], object], **wanted: str) -> Run:
        """Do something that starts a run, and give that."""
        before = {one.id for one in self.place.repository.runs(**wanted)}
        action()
        wait_until(lambda: not before.issuperset(one.id for one in self.place.repository.runs(**wanted)), 60)
        return self.place.repository.runs(**wanted)[0]

    def type_in(self, line: str, **more: str) -> None:
        result = run(["bash", "-c", line], cwd=self.place.root, env={**self.environment, **more}, returncode=None)
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"

    def tag(self, line: str, version: str) -> tuple[str, str]:
        """Write notes and type in what tags; gives the pages that the workflow Release names at the end."""
        (self.place.root / "RELEASE_NOTES.md").write_text(f"# {version}\n\n- New.\n", encoding="utf-8")
        self.place.commit(f"docs: notes of {version}")
        self.started(self.place.push, workflow="test.yml").cancel()  # its jobs only hold up what is to be seen here
        ended = self.started(lambda: self.type_in(line), workflow="release.yml").check()
        found = re.search(r"try it: (\S+)\n.*: (\S+)$", ended.log("publish"), re.MULTILINE)
        assert found, ended.log("publish")
        return found[1], found[2]


def nobody_sees(place: Workplace, tag: str) -> None:
    """Expect that who has no token learns nothing of a release."""
    url, base = place.repository.url, f"{place.repository.owner.server.url}/api/v1/{place.repository.path}"
    with httpx2.Client(trust_env=False) as client:
        names = [asset["name"] for asset in place.repository.release(tag)["assets"]]
        assert names
        for path in (f"{base}/releases/tags/{tag}", *(f"{url}/releases/download/{tag}/{name}" for name in names)):
            assert client.get(path).status_code == 404, path
        listed = client.get(f"{base}/releases")
        assert listed.status_code == 404 or tag not in [release["tag_name"] for release in listed.json()]


@pytest.mark.usefixtures("long", "runner")
def test_the_documented_gate_word_for_word(
    workplace: MakeWorkplace, environment: Environment, server: Server, tmp_path: Path
) -> None:
    place, test_index = workplace("docker", "library", release_gate="manual", frontend=False), server.owner()
    without_checks(place)
    place.push()
    repository, owner = place.repository, place.repository.owner
    index = f"{server.url}/api/packages/{test_index.name}/pypi"
    repository.variable("TEST_PYPI_UPLOAD_URL", index)
    repository.variable("TEST_PYPI_SIMPLE_URL", f"{index}/simple/")
    person = Person(place, {**environment, **place.project.environment, "TEST_PYPI_UPLOAD_URL": index})
    person.environment["TEST_PYPI_SIMPLE_URL"] = f"{index}/simple/"

    settings, actions, secrets, secret = person.find(r"Once, under \*(.+?)\*, \*(.+?)\*, \*(.+?)\* .*?: set `(\w+)`")
    page = Page.open(owner.browser, repository.url).follow(settings)
    assert actions in page.text
    for name, value in {secret: place.token, "TEST_PYPI_TOKEN": test_index.token}.items():
        page.follow(secrets).press("Confirm", name=name, data=value)
    (tag_it,) = person.find(r"```\n (make tag-release VERSION=1.2.3)\n")
    publish, by_hand = person.find(r"press \*(.+?)\* there, or run (.+?) with the tag\.")
    to_test_index, which = person.find(r"\n(\*Actions\*, \S+, \*[\w ]+\*) with `index: (\w+)`")
    at_a_desk, install = person.find(r"from your desk: ```\n(.+?)\n(.+?)\n```")
    (at_last,) = person.find(r"\| \*publish\* \| .+? \| `(.+?)` \|")

    with watched(place, library_files):
        # A draft: its owner can try it, and nobody else sees any of it.
        draft, edit = person.tag(tag_it, "1.2.3")
        assets = check_release(place, "v1.2.3", library_files("v1.2.3"), draft=True)
        links = Page.open(owner.browser, draft).downloads()
        assert {unquote(link.rpartition("/")[2]): owner.browser.get(link).content for link in links} == assets
        nobody_sees(place, "v1.2.3")

        def before() -> None:
            assert repository.release("v1.2.3")["draft"]
            assert owner.packages("pypi") == set()
            assert place.digest("latest") is None and place.digest("v1.2.3") is not None
            assert test_index.packages("pypi") == {("pypi", "sample", "1.2.3")}

        # The test index, on the page and from a desk.
        person.start(to_test_index, tag="v1.2.3", index=which).check()
        before()
        for name, token in {"GITEA_TOKEN": place.token, "TEST_PYPI_TOKEN": test_index.token}.items():
            at_a_desk = at_a_desk.replace(f"{name}=…", f"{name}={token}")
        person.type_in(at_a_desk)
        before()
        for old, new in {"https://test.pypi.org/simple/": f"{index}/simple/", "/tmp/try": f"{tmp_path}/try"}.items():
            install = install.replace(old, new)
        person.type_in(install, PATH=f"{Path(uv()).parent}:{person.environment['PATH']}")
        (wheel,) = (tmp_path / "try").rglob("sample-1.2.3.dist-info")
        assert "Version: 1.2.3" in (wheel / "METADATA").read_text()

        # Published on the page to edit it: the rest follows.
        pressed = Page.open(owner.browser, edit)
        person.started(lambda: pressed.press(publish), event="release", workflow="publish.yml").check()
        assert check_release(place, "v1.2.3", library_files("v1.2.3")) == assets
        assert owner.packages("pypi") == {("pypi", "sample", "1.2.3")}
        assert place.digest("latest") == place.digest("1.2.3") == place.digest("v1.2.3")

        # Published by the workflow, and once more.
        person.tag(tag_it.replace("1.2.3", "patch"), "1.2.4")
        nobody_sees(place, "v1.2.4")
        for _ in range(2):
            person.start(by_hand, tag="v1.2.4").check()
            check_release(place, "v1.2.4", library_files("v1.2.4"))
            assert owner.packages("pypi") == {("pypi", "sample", version) for version in ("1.2.3", "1.2.4")}
            assert place.digest("latest") == place.digest("1.2.4") != place.digest("1.2.3")

        # Published from a desk: the same follows.
        person.tag(tag_it.replace("1.2.3", "minor"), "1.3.0")
        line = at_last.replace("TAG", "v1.3.0")
        person.started(
            lambda: person.type_in(line, GITEA_TOKEN=place.token), event="release", workflow="publish.yml"
        ).check()
        check_release(place, "v1.3.0", library_files("v1.3.0"))
        assert ("pypi", "sample", "1.3.0") in owner.packages("pypi")
        assert place.digest("latest") == place.digest("1.3.0")
    no_secret(place, *repository.runs())


# Branches, candidates, other servers ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("long", "runner")
def test_a_tag_on_a_branch_that_is_then_deleted(workplace: MakeWorkplace, tmp_path: Path) -> None:
    """The branch's name is code in shells and in workflows, with quotes and other scripts."""
    place = workplace("library")
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.push()
    pwned = tmp_path / "pwned"
    branch = f"release/1.x$(touch${{IFS}}{pwned})`touch${{IFS}}{pwned}`';touch${{IFS}}{pwned};\"${{{{secrets}}}}ü🚀"
    place.project.git("switch", "--quiet", "--create", branch)
    commit = place.tag_here("v1.0.0", "- “Quotes”, `$(code)` and 🚀.")
    with watched(place, library_files):
        place.repository.push(place.root, "v1.0.0", branch)
        started = place.repository.run(event="push", workflow="release.yml", head_sha=commit)
        place.project.git("push", "--quiet", "--delete", place.repository.remote, branch)
        place.project.git("switch", "--quiet", "main")
        place.project.git("branch", "--delete", "--force", branch)
        started.check()
        time.sleep(0.2)
    check_release(place, "v1.0.0", library_files("v1.0.0"))
    assert place.repository.api.get(f"{place.repository.path}/tags/v1.0.0")["commit"]["sha"] == commit
    assert not pwned.exists() and not list(place.root.rglob("pwned"))


@pytest.mark.usefixtures("long", "runner")
def test_a_run_by_hand_that_skips_the_checks_publishes_nothing(workplace: MakeWorkplace) -> None:
    """The tag's own commit asks for no run; the next run by hand checks, and finishes the release."""
    place = workplace("library")
    repository = place.repository
    without_checks(place)
    makefile = place.root / "Makefile"
    makefile.write_text(makefile.read_text().replace("\t@true\n", "\t@echo it is checked\n"))
    repository.secret("DEPLOY_TOKEN", place.token)
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.0\n\n- All of it.\n", encoding="utf-8")
    place.commit("Notes [skip ci]")
    place.project.git("tag", "v1.0.0")
    place.push()
    repository.push(place.root, "v1.0.0")
    unchecked = repository.dispatch("release.yml", tag="v1.0.0", skip_checks="true").check()
    assert "it is checked" not in unchecked.logs()
    check_release(place, "v1.0.0", library_files("v1.0.0"), draft=True)
    nobody_sees(place, "v1.0.0")
    assert repository.owner.packages() == set()
    with watched(place, library_files):
        checked = repository.dispatch("release.yml", tag="v1.0.0").check()
        time.sleep(0.2)
    assert checked.logs().count("it is checked") == 3
    check_release(place, "v1.0.0", library_files("v1.0.0"))
    assert repository.owner.packages("pypi") == {("pypi", "sample", "1.0.0")}
    assert len(repository.runs(workflow="release.yml")) == 2, "the push of the tag started one"


@pytest.mark.usefixtures("long", "runner")
def test_from_the_candidate_to_the_release(workplace: MakeWorkplace) -> None:
    """Three workflows one after the other, started and merged by a person; DEPLOY_TOKEN lets one start the next."""
    place = workplace("library")
    without_checks(place)
    place.repository.secret("DEPLOY_TOKEN", place.token)
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.0\n\n- All of it.\n", encoding="utf-8")
    place.commit("Notes [skip ci]")
    place.project.git("tag", "v1.0.0")
    place.commit("feat: colours [skip ci]")
    place.push()
    place.repository.push(place.root, "v1.0.0")
    candidate = place.repository.dispatch("release-candidate.yml").check()
    (opened,) = place.repository.api.pages(f"{place.repository.path}/pulls", state="open")
    assert opened["title"].startswith("chore(auto-release-candidate-")
    # The checks of the request and of the merge have ten jobs each, which would hold up all that comes after.
    place.repository.run(event="pull_request", workflow="test.yml").cancel()
    place.repository.api.post(f"{place.repository.path}/pulls/{opened['number']}/merge", Do="squash")
    place.repository.run(event="push", workflow="test.yml").cancel()
    tagged = place.repository.dispatch("tag-release.yml", version="minor").check()
    commit = place.repository.api.get(f"{place.repository.path}/branches/main")["commit"]["id"]
    with watched(place, library_files):
        released = place.repository.run(event="push", workflow="release.yml", head_sha=commit).check()
        time.sleep(0.2)
    check_release(place, "v1.1.0", library_files("v1.1.0"))
    assert "Colours" in place.repository.release("v1.1.0")["body"]
    assert place.repository.owner.packages("pypi") == {("pypi", "sample", "1.1.0")}
    no_secret(place, candidate, tagged, released)


@pytest.mark.usefixtures("long")
def test_a_release_below_a_path(workplace_of: WorkplaceOf, environment: Environment) -> None:
    with serve(sub_path="/git") as server, run_jobs(server, environment):
        place = workplace_of(server.owner(), "library")
        place.repository.secret("DEPLOY_TOKEN", place.token)
        place.push()
        with watched(place, library_files):
            place.release("v1.0.0").check()
            time.sleep(0.2)
        check_release(place, "v1.0.0", library_files("v1.0.0"))
        assert place.repository.owner.packages() == {("pypi", "sample", "1.0.0")}


@pytest.mark.usefixtures("long")
def test_a_release_on_an_older_server(workplace_of: WorkplaceOf, environment: Environment) -> None:
    """1.23 has no list of runs: what it then has tells when the workflow is done."""
    with serve("1.23") as server, run_jobs(server, environment):
        place = workplace_of(server.owner(), "docker", "library", frontend=False)
        place.repository.secret("DEPLOY_TOKEN", place.token)
        place.push()
        with watched(place, library_files):
            place.tag("v1.0.0")
            wait_until(lambda: place.digest("latest") is not None)
            wait_until(lambda: "running" not in states(place).values())
        check_older(place)
        assert set(states(place).values()) == {"success"}


PROVIDER = """
import asyncio
import sys

from pydantic import SecretStr
from sample.update.providers import make_provider
from sample.update.settings import UpdateSettings


async def main() -> None:
    provider = make_provider(UpdateSettings(update_token=SecretStr(sys.argv[1])))
    (release,) = await provider.get_releases()
    sums = await provider.read(release.asset("SHA256SUMS"), 1000)
    print(release.tag, *sorted(asset.name for asset in release.assets))
    print(sums.decode())
    await provider.aclose()


asyncio.run(main())
"""


@pytest.mark.usefixtures("long")
def test_a_release_of_a_private_repository_on_an_older_server(
    workplace_of: WorkplaceOf, environment: Environment, docker: Docker
) -> None:
    """The workflow, and a person where it stops: who has no token sees nothing of it, and an app with one finds it."""
    with serve("1.23") as server, run_jobs(server, environment):
        owner, reader = server.owner(), server.owner()
        place = workplace_of(owner, "docker", "library", frontend=False, auto_update=True)
        without_checks(place)
        place.push()
        repository = place.repository
        repository.api.patch(repository.path, private=True)
        with nothing_public(place, reader) as looked:
            # By hand, before the server has noted the push. The workflow makes nothing: there is no secret yet.
            commit = place.tag("v0.9.0")
            said = place.command("create")
            time.sleep(2)
            assert looked and repository.release("v0.9.0")["draft"] and "public before" not in said
            repository.api.delete(f"{repository.path}/releases/{repository.release('v0.9.0')['id']}")
        wait_until(lambda: states(place, commit).get("draft") == "failure")

        repository.secret("DEPLOY_TOKEN", place.token)
        commit = place.tag("v1.0.0")
        wait_until(lambda: "publish" in (now := states(place, commit)) and "running" not in now.values())
        assert {name for name, state in states(place, commit).items() if state != "success"} == {"publish"}
        nobody_sees(place, "v1.0.0")
        # As docs/how-to/release.md says of older servers.
        manual = (REPOSITORY / "docs/how-to/release.md").read_text(encoding="utf-8")
        found = re.search(r"`scripts/uv.sh run scripts/release.py (publish) --tag TAG` at a desk", manual)
        table = re.findall(
            r"^\| .* \| `scripts/uv.sh run scripts/release.py (.*) --tag TAG` \|$",
            (place.root / "docs/releasing.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        assert found and set(table) == {"publish", "image --latest", "redeploy", "index", "announce"}
        for words in (found[1], *table):
            place.command(*words.split(), "--tag", "v1.0.0", **docker.environment)
        check_older(place)
        nobody_sees(place, "v1.0.0")
        # Packages are as their owner is, as the same page says, and not as the repository is.
        assert set(seen_of_packages(place)) == {200}
        server.api.patch(f"admin/users/{owner.name}", source_id=0, login_name=owner.name, visibility="private")
        assert set(seen_of_packages(place)) <= {401, 404}
        assert place.digest("latest") == place.digest("v1.0.0") is not None

        (place.project.source / "provider.py").write_text(PROVIDER)
        token = reader.new_token("read:repository")
        command: list[str | Path] = [place.root / "scripts/uv.sh", "run", "--quiet", "--extra", "app", "python"]
        said = run([*command, "provider.py", token], cwd=place.project.source, env=place.project.environment).stdout
        sums = repository.assets("v1.0.0")["SHA256SUMS"].decode()
        assert said == f"v1.0.0 {' '.join(library_files('v1.0.0'))}\n{sums}\n"


def seen_of_packages(place: Workplace) -> list[int]:
    """Ask for the image and the index without a token, and give what the server answers."""
    owner = place.repository.owner
    with httpx2.Client(base_url=f"{owner.server.url}/", trust_env=False) as client:
        token = client.get("v2/token?service=container_registry").json().get("token", "")
        image = client.get(f"v2/{owner.name}/sample/manifests/v1.0.0", headers={"Authorization": f"Bearer {token}"})
        return [image.status_code, client.get(f"api/packages/{owner.name}/pypi/simple/sample/").status_code]


def check_older(place: Workplace) -> None:
    check_release(place, "v1.0.0", library_files("v1.0.0"))
    owner = place.repository.owner
    assert owner.packages("pypi") == {("pypi", "sample", "1.0.0")}
    assert {name for _, _, name in owner.packages("container")} >= {"v1.0.0", "1.0.0", "latest"}
    assert place.digest("latest") == place.digest("1.0.0") == place.digest("v1.0.0")


def states(place: Workplace, commit: str = "") -> dict[str, str]:
    """Give how the jobs of a commit are that have begun."""
    tasks = place.repository.api.get(f"{place.repository.path}/actions/tasks", limit=50)["workflow_runs"] or []
    return {task["name"]: task["status"] for task in tasks if commit in {"", task["head_sha"]}}


def wait_until(done: Callable[[], bool], seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not done after {seconds} s"
        time.sleep(1)
