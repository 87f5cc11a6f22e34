"""Does a tag become a whole, public release on a real Gitea, also where something fails in the middle?

The first tests let the runner do it, workflows unchanged; the others run the commands themselves, as a person would.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.answers import Answers
from tests.conftest import Render
from tests.gitea.proxy import proxy
from tests.gitea.releases import (
    MakeWorkplace,
    Workplace,
    check_release,
    desktop_files,
    failed,
    library_files,
    no_secret,
    nothing_public,
    peak_of_upload,
    requests_of_upload,
    version_of,
    watched,
    without_counts,
)
from tests.support.docker import Docker
from tests.support.gitea import Server, serve
from tests.support.projects import Project, newcomer
from tests.support.tools import run, uv

pytestmark = pytest.mark.slow


# With the runner ------------------------------------------------------------------------------------------------------


def test_stable_and_pre_release_from_the_tag(workplace: MakeWorkplace, docker: Docker, runner: None) -> None:
    place = workplace("docker", "library")
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.push()
    with watched(place, library_files):
        first = place.release("v1.0.0", "- “Quotes”, `$(code)` and 🚀.").check()
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

        second = place.release("v1.1.0-rc.1").check()
        check_release(place, "v1.1.0-rc.1", library_files("v1.1.0-rc.1"))
        assert place.digest("latest") == latest, "a pre-release moved latest"
        assert place.digest("1.1.0rc1") == place.digest("v1.1.0-rc.1") is not None
        assert ("pypi", "sample", "1.1.0rc1") in owner.packages("pypi")

        # Finishing a release that is whole changes nothing.
        before = (without_counts(place.repository.release("v1.0.0")), place.digest("v1.0.0"))
        again = place.repository.dispatch("release.yml", tag="v1.0.0").check()
        assert (without_counts(place.repository.release("v1.0.0")), place.digest("v1.0.0")) == before
    no_secret(place, first, second, again)


@pytest.mark.usefixtures("long")
def test_a_desktop_app_from_the_tag(workplace: MakeWorkplace, environment: Mapping[str, str], runner: None) -> None:
    place = workplace("desktop", frontend=False)
    public = place.command("keygen", "--output", "key").splitlines()[-1]
    key = (place.root / "key").read_text()
    (place.root / "key").unlink()
    place.repository.secret("UPDATE_SIGNING_KEY", key)
    place.repository.variable("WINDOWS_PYTHON_URL", environment["WINDOWS_PYTHON_URL"])
    place.push()
    with watched(place, desktop_files):
        released = place.release("v1.0.0").check()
    assets = check_release(place, "v1.0.0", desktop_files("v1.0.0"))
    manifest = json.loads(assets["update.json"])
    for platform in manifest["platforms"].values():
        assert re.fullmatch(r"[0-9a-f]{64}", platform["runtime"])
        for entry in (platform["full"], platform["app"]):
            data = assets[entry["name"]]
            assert (entry["size"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert len(base64.b64decode(assets["update.json.sig"])) == 64
    assert base64.b64decode(public) and key.strip() not in released.logs()
    no_secret(place, released)


OTHER_TAGS = {
    "banana-sushi": "is no version",
    "v2.0.0": "disagree",
    "v1$(touch${IFS}pwned)": "is no version",
    "v1.0.0';touch${IFS}pwned;\"ü🚀": "is no version",
}


def test_other_tags_publish_nothing_and_say_why(
    workplace: MakeWorkplace, runner: None, subtests: pytest.Subtests
) -> None:
    place = workplace("library", lock=False)
    pyproject = place.project.source / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.0.0"', 'version = "1.4.0"'))
    place.push()
    started = {tag: place.release(tag) for tag in OTHER_TAGS}
    for tag, reason in OTHER_TAGS.items():
        with subtests.test(tag):
            ended = started[tag].wait()
            assert ended.conclusions["version"] == "failure"
            assert set(ended.conclusions.values()) == {"failure", "skipped"}
            assert reason in ended.log("version")
    assert place.repository.releases() == []
    assert place.repository.owner.packages() == set()


def test_a_tag_with_an_expression_starts_nothing(workplace: MakeWorkplace, runner: None) -> None:
    """The engine of Gitea's runners would put the value in its place wherever the tag's name comes up."""
    place = workplace("library", lock=False)
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.push()
    place.tag("v1.0.0${{secrets.DEPLOY_TOKEN}}")
    commit = place.tag("banana-sushi")
    assert failed(place.repository.run(event="push", workflow="release.yml", head_sha=commit)) == {"version"}
    assert len(place.repository.runs(workflow="release.yml")) == 1


def test_publishing_a_tag_with_an_expression_does_nothing(workplace: MakeWorkplace, runner: None) -> None:
    place = workplace("library", release_gate="manual", lock=False)
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.push()
    tag = "v1.0.0${{secrets.DEPLOY_TOKEN}}"
    place.tag(tag)
    place.repository.api.post(f"{place.repository.path}/releases", tag_name=tag)
    published = place.repository.run(event="release", workflow="publish.yml").wait()
    by_hand = place.repository.dispatch("publish.yml", tag=tag).wait()
    for ended in (published, by_hand):
        assert set(ended.conclusions.values()) == {"skipped"}
    assert place.repository.owner.packages() == set()
    no_secret(place, published, by_hand)


# Command by command ---------------------------------------------------------------------------------------------------


def test_each_command_can_run_again(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    assert place.command("version").splitlines() == [
        "tag=v1.0.0",
        "version=1.0.0",
        "channel=stable",
        "prerelease=false",
    ]

    assert "would make the draft 'Sample v1.0.0'" in place.command("create", "--dry-run")
    assert place.repository.releases() == []
    assert "made the draft Sample v1.0.0" in place.command("create")
    assert "is used as it is" in place.command("create")
    (draft,) = place.repository.releases()
    assert draft["draft"]

    assert "lacks sample-1.0.0-*.whl, sample-1.0.0.tar.gz" in place.refused("publish")
    assert "is a draft: publish it first" in place.refused("index")
    for _ in range(2):
        place.command("upload", *built)
        assert sorted(place.repository.assets("v1.0.0")) == library_files("v1.0.0")[1:]
    assert "would make v1.0.0 public" in place.command("publish", "--dry-run")
    said = place.command("publish", "--draft")
    assert f"try it: {draft['html_url']}\n" in said
    assert said.endswith(f"publish it: {draft['html_url'].replace('/tag/', '/edit/')}\n")
    check_release(place, "v1.0.0", library_files("v1.0.0"), draft=True)
    assert "is whole but a draft" in place.command("publish", "--check")

    assert "is public" in place.command("publish")
    assets = check_release(place, "v1.0.0", library_files("v1.0.0"))
    before = without_counts(place.repository.release("v1.0.0"))
    assert "is public and whole" in place.command("publish")
    assert "is public already" in place.command("create")
    assert "is the one that is public" in place.command("upload", *built)
    for _ in range(2):
        assert "has sample 1.0.0" in place.command("index")
    assert without_counts(place.repository.release("v1.0.0")) == before
    assert place.repository.assets("v1.0.0") == assets
    assert place.repository.owner.packages("pypi") == {("pypi", "sample", "1.0.0")}


def test_a_public_release_never_changes(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    place.make_public(built)
    before = place.repository.assets("v1.0.0")
    Path(built[0]).write_bytes(b"another build")
    assert "a public release never changes" in place.refused("upload", built[0])
    (place.root / "more.txt").write_text("more")
    assert "more.txt is not in it" in place.refused("upload", "more.txt")
    assert place.repository.assets("v1.0.0") == before


def test_what_is_public_too_early_is_a_draft_again(workplace: MakeWorkplace) -> None:
    """By a person, or by Gitea, which takes note of a pushed tag after the draft was made."""
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    place.command("create")

    def make_public() -> None:
        release = place.repository.release("v1.0.0")
        place.repository.api.patch(f"{place.repository.path}/releases/{release['id']}", draft=False)

    make_public()
    assert "lacks" in place.refused("publish", "--check")
    for words in (["create"], ["upload", *built]):
        assert "was public before it was whole: it is a draft again" in place.command(*words)
        assert place.repository.release("v1.0.0")["draft"]
        make_public()
    place.command("publish")
    check_release(place, "v1.0.0", library_files("v1.0.0"))


@pytest.mark.parametrize("private", [False, True])
def test_a_draft_made_right_after_the_push_stays_one(private: bool, workplace: MakeWorkplace, server: Server) -> None:
    """Gitea notes a pushed tag later, and makes drafts on it public; who may read the repository would see that."""
    place = workplace("library", lock=False)
    place.push()
    place.repository.api.patch(place.repository.path, private=private)
    with nothing_public(place, server.owner()) as looked:
        place.tag("v1.0.0")
        said = place.command("create")
        time.sleep(2)
        assert place.repository.release("v1.0.0")["draft"]
    assert looked and "public before it was whole" not in said


def test_several_files_of_one_name_become_one(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    place.command("create")
    release, name = place.repository.release("v1.0.0"), Path(built[0]).name
    for _ in range(3):
        files = {"attachment": (name, b"old", "application/octet-stream")}
        place.repository.api.request("POST", f"{place.repository.path}/releases/{release['id']}/assets", files=files)
    place.command("upload", *built[1:])
    assert "twice" in place.refused("publish")
    place.command("upload", built[0])
    place.command("publish")
    assert check_release(place, "v1.0.0", library_files("v1.0.0"))[name] == Path(built[0]).read_bytes()


def test_an_index_that_has_the_version(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    place.make_public(built)
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
    said = place.refused("index")
    assert "Gitea's index" in said and wheel.name in said


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_missing_is_said_before_anything_is_made(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.push()
    place.tag("v1.0.0")
    owner = place.repository.owner
    assert "DEPLOY_TOKEN is not set" in place.refused("create", DEPLOY_TOKEN="")
    assert "401" in place.refused("create", GITEA_TOKEN="0" * 40)
    weak = owner.new_token("read:repository")
    assert "scopes" in place.refused("create", GITEA_TOKEN=weak)
    assert "404" in place.refused("create", GITHUB_REPOSITORY=f"{owner.name}/nothing")
    (place.root / "RELEASE_NOTES.md").write_text("# 0.9.0\n\n- Old.\n")
    assert "is about 0.9.0 and not about 1.0.0" in place.refused("create")
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.0\n\n- New.\n")
    place.project.git("tag", "v1.0.1")
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.1\n\n- New.\n")
    assert "push it first" in place.refused("create", "--tag", "v1.0.1")
    assert place.repository.releases() == []


def test_a_token_of_another_scope_for_the_index(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.make_public(place.tag_and_build("v1.0.0"))
    weak = place.repository.owner.new_token("write:repository")
    said = place.refused("index", DEPLOY_TOKEN=weak)
    assert said.startswith("release: Gitea's index:") and weak not in said
    assert place.repository.owner.packages() == set()
    place.command("index")
    assert place.repository.owner.packages() == {("pypi", "sample", "1.0.0")}


def test_many_releases(workplace: MakeWorkplace) -> None:
    """The draft is found beyond the first page, and the highest version is not the newest."""
    place = workplace("library")
    place.push()
    place.tag("v1.0.0")
    place.command("create")
    for number in range(60):
        place.repository.api.post(
            f"{place.repository.path}/releases", tag_name=f"v0.1.{number}", target_commitish="main"
        )
    place.command("upload", *place.build("v1.0.0"))
    place.command("publish")
    check_release(place, "v1.0.0", library_files("v1.0.0"))


# What fails in the middle ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["500", "502", "drop", "lose the answer"])
def test_a_passing_failure_of_each_request(how: str, workplace: MakeWorkplace) -> None:
    """What fails once at the network or the server is done again, and nothing is there twice."""
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    planted = [
        ("GET", "/releases", how),
        ("POST", "/releases$", how),
        ("POST", "/assets", how),
        ("GET", "/releases/download/", how),
        ("POST", "/assets.name=SHA256SUMS", how),
        ("PATCH", "/releases/", how),
    ]
    watcher = watched(place, library_files, pause=0.05)
    with watcher, proxy(place.repository.owner.server.url, *planted) as trouble:
        place.make_public(built, GITHUB_SERVER_URL=trouble.url)
        assert trouble.planted == [], "not every failure was met"
        time.sleep(0.2)
    check_release(place, "v1.0.0", library_files("v1.0.0"))


@pytest.mark.parametrize("step", range(6))
def test_a_run_that_broke_off_is_finished_by_another(step: int, workplace: MakeWorkplace) -> None:
    """A failure that lasts leaves a draft; the same commands once more end in the undisturbed release."""
    place = workplace("library")
    built = place.tag_and_build("v1.0.0")
    where = [
        ("POST", "/releases$"),
        ("POST", "/assets.name=sample-1.0.0-py3"),
        ("POST", "/assets.name=sample-1.0.0.tar.gz"),
        ("GET", "/releases/download/"),
        ("POST", "/assets.name=SHA256SUMS"),
        ("PATCH", "/releases/"),
    ][step]
    commands = (["create"], ["upload", *built], ["publish"])
    with watched(place, library_files, pause=0.05):
        with proxy(place.repository.owner.server.url, (*where, "403")) as trouble:
            for words in commands:
                result = place.start(*words, GITHUB_SERVER_URL=trouble.url)
                if result.returncode:
                    break
            assert "answered 403: Bad gateway" in result.stderr
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
    built = place.tag_and_build("v1.0.0")
    place.command("create")
    methods = [method for method, _ in requests_of_upload(place, *built)]
    assert methods.count("GET") == 1, "the listing"
    assert len(methods) == 1 + len(built)


def test_a_big_file_streams(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    place.push()
    place.tag("v1.0.0")
    place.command("create")
    assert peak_of_upload(place, 100 << 20) <= 80 << 20
    assert [asset["size"] for asset in place.repository.release("v1.0.0")["assets"]] == [100 << 20]


# The image ------------------------------------------------------------------------------------------------------------


def build_image(docker: Docker, folder: Path, version: str) -> None:
    """Stand in for the image: an empty one that says its version."""
    folder.mkdir(exist_ok=True)
    label = f"org.opencontainers.image.version={version}"
    (folder / "Dockerfile").write_text(f'FROM scratch\nLABEL {label}\nCOPY Dockerfile /\nCMD ["/none"]\n')
    docker.run("build", "--quiet", "--tag", "sample:dev", folder)


def release_image(place: Workplace, docker: Docker, tag: str, **environment: str) -> str:
    """Make a release of an image, command by command; gives what `image --latest` said."""
    place.tag(tag)
    environment = {**docker.environment, **environment, "RELEASE_TAG": tag}
    build_image(docker, place.root.parent / "image", tag.removeprefix("v").replace("-rc.", "rc"))
    place.command("create", **environment)
    place.command("image", **environment)
    place.command("publish", **environment)
    return place.command("image", "--latest", **environment)


def test_latest_is_the_highest_stable_version(workplace: MakeWorkplace, docker: Docker) -> None:
    place = workplace("docker", lock=False)
    place.push()
    owner = place.repository.owner
    release_image(place, docker, "v1.0.0")
    release_image(place, docker, "v1.1.0")
    latest = place.digest("latest")
    assert latest == place.digest("v1.1.0") == place.digest("1.1.0") != place.digest("v1.0.0")
    assert "is not the highest stable version, which is 1.1.0: latest stays" in release_image(place, docker, "v1.0.1")
    assert "is a pre-release: latest stays" in release_image(place, docker, "v2.0.0-rc.1")
    assert place.digest("latest") == latest
    (public,) = (release for release in place.repository.releases() if release["tag_name"] == "v1.1.0")
    assert {asset["name"] for asset in public["assets"]} == {"SHA256SUMS"}

    environment = {**docker.environment, "RELEASE_TAG": "v1.1.0"}
    build_image(docker, place.root.parent / "image", "1.1.0")
    assert "a public version is not replaced" in place.command("image", **environment)
    assert "is 1.1.0 already" in place.command("image", "--latest", **environment)
    build_image(docker, place.root.parent / "image", "1.0.0")
    assert "is version 1.0.0 and not 1.1.0" in place.refused("image", **environment)
    assert place.digest("latest") == latest == place.digest("1.1.0")
    weak = owner.new_token("write:repository")
    assert "refuses DEPLOY_TOKEN" in place.refused("image", "--latest", **{**environment, "DEPLOY_TOKEN": weak})
    left = docker.run("images", "--format", "{{.Repository}}").split()
    assert not [name for name in left if owner.name in name], "names stay on a machine that others use"


def test_latest_of_two_versions_at_once(workplace: MakeWorkplace, docker: Docker) -> None:
    """The higher one becomes public, and moves latest, while the lower one is about to."""
    place = workplace("docker", lock=False)
    place.push()
    for tag in ("v1.0.0", "v1.1.0"):
        place.tag(tag)
        build_image(docker, place.root.parent / "image", tag.removeprefix("v"))
        for words in (["create"], ["image"], ["publish", *(["--draft"] if tag == "v1.1.0" else [])]):
            place.command(*words, **docker.environment, RELEASE_TAG=tag)

    def higher() -> None:
        for words in (["publish", "--public"], ["image", "--latest"]):
            place.command(*words, **docker.environment, RELEASE_TAG="v1.1.0")
        assert place.digest("latest") == place.digest("v1.1.0")

    with proxy(place.repository.owner.server.url, ("PUT", "/manifests/latest", higher)) as trouble:
        image = f"{trouble.host}/{place.repository.owner.name}/sample"
        said = place.command("image", "--latest", **docker.environment, RELEASE_TAG="v1.0.0", REGISTRY_IMAGE=image)
    assert "1.1.0 became public meanwhile" in said
    assert place.digest("latest") == place.digest("v1.1.0") != place.digest("v1.0.0")


def test_other_registries(workplace: MakeWorkplace, docker: Docker, server: Server) -> None:
    """Another owner of the same server plays Docker Hub, a third one GHCR: stable versions only go to that."""
    place = workplace("docker", lock=False)
    place.push()
    hub, ghcr = server.owner(), server.owner()
    others = {
        **{"DOCKERHUB_USERNAME": hub.name, "DOCKERHUB_TOKEN": hub.token, "DOCKERHUB_REGISTRY": server.host},
        **{"GHCR_USERNAME": ghcr.name, "GHCR_TOKEN": ghcr.token, "GHCR_REGISTRY": server.host},
    }
    release_image(place, docker, "v1.0.0-rc.1", **others)
    assert {name for _, _, name in hub.packages("container")} >= {"v1.0.0-rc.1", "1.0.0rc1"}
    assert ghcr.packages() == set()
    release_image(place, docker, "v1.0.0", **others)
    for owner in (hub, ghcr):
        assert {name for _, _, name in owner.packages("container")} >= {"v1.0.0", "1.0.0", "latest"}
    place.command("image", "--unstable", **docker.environment, **others)
    assert "unstable" in {name for _, _, name in hub.packages("container")}
    assert "unstable" not in {name for _, _, name in ghcr.packages("container")}
    half = {**others, "GHCR_TOKEN": ""}
    assert "needs both GHCR_USERNAME and GHCR_TOKEN" in place.refused("image", "--latest", **docker.environment, **half)


# A person's gate ------------------------------------------------------------------------------------------------------


def make_draft(place: Workplace, tag: str) -> dict[str, Any]:
    place.tag(tag)
    for words in (["create"], ["upload", *place.build(tag)], ["publish"]):
        said = place.command(*words)
    assert f"Then publish it: {place.repository.url}/releases/edit/{tag}" in said
    release = place.repository.release(tag)
    assert release["draft"]
    return release


def test_a_person_publishes(workplace: MakeWorkplace, runner: None) -> None:
    place = workplace("library", release_gate="manual")
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.push()
    with watched(place, library_files):
        # On Gitea's page.
        release = make_draft(place, "v1.0.0")
        place.repository.api.patch(f"{place.repository.path}/releases/{release['id']}", draft=False)
        undrafted = place.repository.run(event="release", workflow="publish.yml").check()
        assert place.repository.owner.packages("pypi") == {("pypi", "sample", "1.0.0")}
        # By hand, and once more.
        make_draft(place, "v1.1.0")
        runs = [place.repository.dispatch("publish.yml", tag="v1.1.0").check() for _ in range(2)]
        assert not place.repository.release("v1.1.0")["draft"]
        assert ("pypi", "sample", "1.1.0") in place.repository.owner.packages("pypi")
    for tag in ("v1.0.0", "v1.1.0"):
        check_release(place, tag, library_files(tag))
    no_secret(place, undrafted, *runs)


def test_the_test_index_before_that(workplace: MakeWorkplace, server: Server, runner: None) -> None:
    """Another owner's index plays the test index."""
    place = workplace("library", release_gate="manual")
    other = server.owner()
    base = f"{server.url}/api/packages/{other.name}/pypi"
    place.repository.secret("TEST_PYPI_TOKEN", other.token)
    place.repository.variable("TEST_PYPI_UPLOAD_URL", base)
    place.repository.variable("TEST_PYPI_SIMPLE_URL", f"{base}/simple/")
    place.push()
    make_draft(place, "v1.0.0")
    place.repository.dispatch("publish.yml", tag="v1.0.0", index="test").check()
    assert other.packages("pypi") == {("pypi", "sample", "1.0.0")}
    assert place.repository.release("v1.0.0")["draft"]
    assert place.repository.owner.packages() == set()


# What docs/releasing.md of a project says -----------------------------------------------------------------------------


@pytest.mark.usefixtures("long")
def test_the_documented_commands_word_for_word(
    workplace: MakeWorkplace, docker: Docker, server: Server, tmp_path: Path
) -> None:
    """Each line of a block and each command of the table, in the order in which somebody would need them."""
    place = workplace("docker", "library", frontend=False)
    place.push()
    text = (place.root / "docs/releasing.md").read_text()
    blocks = [line for block in re.findall(r"(?ms)^ *```\n(.*?)^ *```$", text) for line in block.split("\n")]
    table = re.findall(r"^\| .* \| .* \| `(.*?)`(?:, then tag the right one)? \|$", text, re.MULTILINE)
    tag, to_test_index, install = (line.strip() for line in blocks if line)
    assert tag == "make tag-release VERSION=1.2.3" and len(table) == 6

    token, test_index = place.token, server.owner()
    index = f"{server.url}/api/packages/{test_index.name}/pypi"
    environment = {**docker.extend(place.project.environment), "GITHUB_SERVER_URL": server.url}
    environment |= {"TEST_PYPI_UPLOAD_URL": index, "TEST_PYPI_SIMPLE_URL": f"{index}/simple/"}

    def type_in(line: str, **more: str) -> str:
        result = run(["bash", "-c", line], cwd=place.root, env={**environment, **more}, returncode=None)
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
        return result.stdout

    # A tag that is none, as the table's first line has it.
    place.project.git("tag", "banana-sushi")
    place.repository.push(place.root, "banana-sushi")
    type_in(table[0].replace("TAG", "banana-sushi"))
    names = [entry["name"] for entry in place.repository.api.get(f"{place.repository.path}/tags")]
    assert names == []

    # A pre-release to try from the test index, then the version itself by the documented command.
    notes = place.root / "RELEASE_NOTES.md"
    for version, tag_it in (("1.2.3-rc.1", tag.replace("1.2.3", "1.2.3-rc.1")), ("1.2.3", tag)):
        notes.write_text(f"# {version}\n\n- New.\n", encoding="utf-8")
        place.commit(f"Notes of {version} [skip ci]")
        place.push()
        type_in(tag_it)
        release_tag = place.project.git("describe", "--tags").strip()
        build_image(docker, tmp_path / "image", version_of(release_tag))
        for words in (["create"], ["upload", *place.build(release_tag)], ["image"]):
            place.command(*words, **docker.environment, RELEASE_TAG=release_tag)
        if "rc" in release_tag:
            place.command("publish", RELEASE_TAG=release_tag)
            secrets = (f"GITEA_TOKEN={token}", f"TEST_PYPI_TOKEN={test_index.token}")
            type_in(to_test_index.replace("GITEA_TOKEN=…", secrets[0]).replace("TEST_PYPI_TOKEN=…", secrets[1]))
            assert test_index.packages("pypi") == {("pypi", "sample", "1.2.3rc1")}
            local = {"https://test.pypi.org/simple/": f"{index}/simple/", "/tmp/try": str(tmp_path / "try")}
            for old, new in local.items():
                install = install.replace(old, new)
            type_in(install, PATH=f"{Path(uv()).parent}:{environment['PATH']}")
            assert list((tmp_path / "try").rglob("sample-1.2.3rc1.dist-info"))
    assert release_tag == "v1.2.3"

    # What finishes the release, and once more where all is done.
    usual = {"GITEA_TOKEN": token, "DEPLOY_TOKEN": token}
    finish = sorted(table[1:], key=lambda line: "publish" not in line)
    assert [line.split()[3] for line in finish] == ["publish", "image", "redeploy", "index", "announce"]
    for _ in range(2):
        for line in finish:
            type_in(line.replace("TAG", release_tag), **usual)
        check_release(place, "v1.2.3", library_files("v1.2.3"))
        assert place.digest("latest") == place.digest("1.2.3")
        assert ("pypi", "sample", "1.2.3") in place.repository.owner.packages("pypi")


def test_people_install_it_with_what_it_depends_on(workplace: MakeWorkplace, tmp_path: Path) -> None:
    """By the line on the release's page: the library comes from Gitea, and what it depends on from PyPI."""
    place = workplace("library")
    pyproject = place.project.source / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    assert "\ndependencies = []\n" in text
    pyproject.write_text(text.replace("dependencies = []", 'dependencies = ["iniconfig"]', 1), encoding="utf-8")
    run([place.root / "scripts/uv.sh", "lock", "--quiet"], cwd=place.project.source, env=place.project.environment)
    place.make_public(place.tag_and_build("v1.0.0"))
    place.command("index")
    (line,) = re.findall(r"^    (pip install .*)$", place.repository.release("v1.0.0")["body"], re.MULTILINE)
    run([sys.executable, "-m", "venv", tmp_path / "venv"])
    path = f"{tmp_path / 'venv/bin'}{os.pathsep}{place.project.environment['PATH']}"
    run(["bash", "-c", line], env={**place.project.environment, "PATH": path})
    run([tmp_path / "venv/bin/python", "-I", "-c", "import iniconfig, sample"])


# Before a release -----------------------------------------------------------------------------------------------------


def test_candidate_merge_and_tag(workplace: MakeWorkplace) -> None:
    place = workplace("library", lock=False)
    place.push()
    place.tag("v1.0.0")
    place.push()
    for subject in (
        "feat(cli): colours",
        "fix: no crash on empty input",
        "chore: noise",
        "ci: more noise",
        "Words without a kind",
    ):
        place.commit(f"{subject}\n\n[skip ci]")
    place.push()
    head = place.project.git("rev-parse", "HEAD")
    assert "would open a pull request" in place.command("candidate", "--dry-run")
    assert "opened http" in place.command("candidate")
    assert "is open already" in place.command("candidate")
    assert place.project.git("rev-parse", "HEAD") == head and not place.project.git("status", "--porcelain")
    (opened,) = place.repository.api.pages(f"{place.repository.path}/pulls", state="open")
    assert re.fullmatch(r"chore\(auto-release-candidate-\d{4}-\d\d-\d\d\)", opened["title"])
    place.repository.api.post(f"{place.repository.path}/pulls/{opened['number']}/merge", Do="merge")
    place.project.git("pull", "--quiet", "--no-rebase", "origin", "main")
    notes = (place.root / "RELEASE_NOTES.md").read_text()
    sections = {"New": "cli: Colours", "Fixed": "No crash on empty input", "Changed": "Words without a kind"}
    assert notes == "# 1.1.0\n" + "".join(f"\n## {title}\n\n- {text}\n" for title, text in sections.items())
    assert "## 1.0.0\n\n- Something new." in (place.root / "CHANGELOG.md").read_text()

    assert "would tag v1.1.0" in place.command("tag", "minor", "--dry-run")
    assert "is about 1.1.0 and not about 1.2.0rc1" in place.refused("tag", "1.2.0-rc.1")
    assert "pushed v1.1.0" in place.command("tag", "minor")
    assert "is there already, at this commit" in place.command("tag", "1.1.0")
    assert "is about 1.1.0 and not about 1.1.1" in place.refused("tag", "patch")
    tag = place.repository.api.get(f"{place.repository.path}/tags/v1.1.0")
    assert tag["message"].strip() == "v1.1.0", "an annotated tag"
    place.commit("fix: later [skip ci]")
    place.push()
    assert "at another commit" in place.refused("tag", "v1.1.0")


def test_a_version_in_pyproject_is_raised(workplace: MakeWorkplace) -> None:
    place = workplace("library")
    pyproject = place.project.source / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.0.0"', 'version = "0.9.0"'))
    (place.root / "RELEASE_NOTES.md").write_text("# 1.0.0\n\n- All of it.\n")
    place.commit("Version by hand [skip ci]")
    place.push()
    assert "pushed v1.0.0" in place.command("tag", "v1.0.0")
    place.project.git("pull", "--quiet", "--tags", "origin", "main")
    assert 'version = "1.0.0"' in pyproject.read_text()
    assert place.project.git("describe", "--tags", "HEAD").strip() == "v1.0.0"
    assert place.command("version", "--tag", "v1.0.0").startswith("tag=v1.0.0")


def test_the_templates_news_as_a_pull_request(
    workplace: MakeWorkplace, template: Path, tmp_path: Path, runner: None
) -> None:
    newer = tmp_path / "template"
    shutil.copytree(template, newer, symlinks=True)
    place = workplace("library")
    answers = place.root / ".copier-answers.yml"
    answers.write_text(re.sub(r"(?m)^_src_path: .*$", f"_src_path: {newer}", answers.read_text()))
    system = place.root / "Makefile"
    system.write_text(system.read_text().replace("# What a person types", "# What my colleagues type"))
    place.commit("Own words [skip ci]")
    place.repository.secret("DEPLOY_TOKEN", place.token)
    place.push()
    makefile = newer / "template/Makefile.jinja"
    makefile.write_text(makefile.read_text().replace("# What a person types", "# Everything that anybody types"))
    git: list[str | Path] = ["git", "-C", newer, "-c", "core.hooksPath=/dev/null"]
    run([*git, "commit", "--quiet", "--all", "--message", "News"])
    run([*git, "tag", "v0.2.0"])
    place.repository.dispatch("template-update.yml").check()
    (opened,) = place.repository.api.pages(f"{place.repository.path}/pulls", state="open")
    assert opened["title"] == "chore: update from the template to v0.2.0 (with conflicts)"
    assert "- `Makefile`" in opened["body"]
    again = place.repository.dispatch("template-update.yml").check()
    assert "is open already" in again.log("update")
    assert len(place.repository.api.pages(f"{place.repository.path}/pulls", state="open")) == 1


def test_without_a_token_one_line_says_what_to_do(
    workplace: MakeWorkplace, runner: None, subtests: pytest.Subtests
) -> None:
    place = workplace("library", lock=False)
    place.push()
    inputs = {"tag-release.yml": {"version": "1.0.0"}, "release-candidate.yml": {}, "template-update.yml": {}}
    started = {workflow: place.repository.dispatch(workflow, **values) for workflow, values in inputs.items()}
    for workflow, one in started.items():
        with subtests.test(workflow):
            assert set(one.wait().conclusions.values()) == {"failure"}
            assert "DEPLOY_TOKEN is not set, so nothing is pushed from here. By hand: " in one.logs()


# Other servers --------------------------------------------------------------------------------------------------------


def test_a_server_below_a_path(render: Render, tmp_path: Path) -> None:
    with serve(sub_path="/git") as server:
        owner = server.owner()
        root = tmp_path / "project"
        answers: Answers = {
            "project_name": "Sample",
            "targets": ["library"],
            "gitea_url": server.url,
            "repo_owner": owner.name,
        }
        shutil.copytree(render(answers), root, symlinks=True)
        project = Project(root, newcomer(tmp_path / "links"))
        project.git("init", "--quiet", "--initial-branch", "main")
        place = Workplace(project, owner.repository(project.slug))
        place.commit("First [skip ci]")
        place.push()
        place.tag("v1.0.0")
        for words in (["create"], ["upload", *place.build("v1.0.0")], ["publish"], ["index"]):
            place.command(*words)
        check_release(place, "v1.0.0", library_files("v1.0.0"))
        assert owner.packages("pypi") == {("pypi", "sample", "1.0.0")}
