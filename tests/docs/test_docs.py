"""Is what the documentation says still so? Links, commands, paths, and the pages that are generated."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hooks import gitea_workflows
from scripts import reference
from tests.answers import answers_for
from tests.conftest import Render
from tests.docs.markdown import REPOSITORY, SELF_UPDATING, TUTORIAL, documents, fences, without_fences
from tests.docs.test_tutorial import PROJECT_URL, TEMPLATE_URL, Reader

# What the text names and neither the repository nor a project holds: made by a command, or the reader's own.
ELSEWHERE = {
    *(
        "build/demo/",
        "update.json",
        "data/",
        "dist/",
        "htmlcov/",
        "uv.lock",
        "server/uv.lock",
        "frontend/package-lock.json",
    ),
    *(
        "settings.toml",
        "answers.yml",
        "app.ini",
        "config.yaml",
        "../fresh",
        "../update-signing-key",
        ".git-blame-ignore-revs",
    ),
    *(
        "SOURCE/uv.lock",
        ".gitea/workflows/test-elsewhere.yml",
        ".github/workflows",
        ".venv",
        "actions/…",
        "actions/upload-artifact",
    ),
    *("instance.json", "versions/", "app/", "python/", "venv/", "bin/python3.13", "lib/python3.13"),  # an installed app
    *("build/", "build/cache/", "scripts/build-local.sh", "scripts/icon.png"),
    *("setup.py", "setup.cfg", "requirements.txt"),  # a project that is adopted, and what is said to it
    *("build/adoption/report.md", "build/adoption/template/"),
    *(
        "src/home_server/lights.py",
        "tests/test_lights.py",
        "src/harbour_weather/static/index.html",
        "$RUNNER_TOOL_CACHE/cache",
        "~/.docker/config.json",
    ),
}
# Pages with paths of other repositories in their text, and with tests of their own.
OF_OTHERS = {REPOSITORY / "docs/reference/hooks.md", REPOSITORY / "docs/explanation/comparison.md"}


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", paths, ids=lambda path: str(path.relative_to(REPOSITORY)))


def anchors(document: Path) -> set[str]:
    """Give the anchors of a document's headings, as Gitea and GitHub make them."""
    headings = re.findall(r"^#+ (.+)$", without_fences(document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> Iterator[str]:
    text = without_fences(text)
    yield from re.findall(r"\]\(([^)\s]+)\)", text)
    yield from re.findall(r'\bsrc="([^"]+)"', text)


@each(documents())
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in links(document.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if link.startswith(("https://", "http://")):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def commands(makefile: Path) -> set[str]:
    return set(re.findall(r"^([a-z-]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))


@each(documents())
def test_commands_exist(document: Path, projects: list[Path]) -> None:
    text = document.read_text(encoding="utf-8")
    code = [fence.code for fence in fences(text)] + re.findall(r"`([^`\n]+)`", without_fences(text))
    named = {target for piece in code for target in re.findall(r"\bmake ([a-z][a-z-]*[a-z])", piece)}
    known = commands(REPOSITORY / "Makefile").union(*(commands(project / "Makefile") for project in projects))
    assert named <= known


@each([document for document in documents() if document not in OF_OTHERS])
def test_paths_exist(document: Path, projects: list[Path]) -> None:
    named = re.findall(r"`([^`\s<>{}*]+)`", without_fences(document.read_text(encoding="utf-8")))
    missing = []
    for name in named:
        is_path = re.fullmatch(r"[.\w-]*[\w-]\.(py|sh|md|yml|yaml|toml|txt|json|js|ts|css|html)|[^:=\[]*/[^:=]*", name)
        if not is_path or name.startswith(("/", "--")) or name in ELSEWHERE or "@" in name:
            continue
        path = name.replace("SOURCE/", "").replace("PACKAGE", "home_server")
        pattern = path if "/" in path else f"**/{path}"
        roots = [*projects, *(project / "server" for project in projects)]
        if not (REPOSITORY / path).exists() and not any(list(root.glob(pattern)) for root in roots):
            missing.append(name)
    assert missing == []


def test_the_commands_of_a_project_are_all_described(projects: list[Path]) -> None:
    described = re.findall(r"^\| `make ([a-z-]+)`", (REPOSITORY / "docs/reference/make.md").read_text(), re.MULTILINE)
    helped = re.findall(r"^([a-z-]+):.*## ", (projects[0] / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(helped)


def test_the_generated_pages_are_current() -> None:
    for name, page in {"questions.md": reference.questions(), "files.md": reference.files()}.items():
        written = (REPOSITORY / "docs/reference" / name).read_text(encoding="utf-8")
        assert written == page, f"docs/reference/{name} is out of date: {reference.AGAIN}"


def test_the_answers_of_the_how_to_are_good(render: Render) -> None:
    text = (REPOSITORY / "docs/how-to/choose-targets.md").read_text(encoding="utf-8")
    (from_file,) = [fence.code for fence in fences(text) if fence.language == "yaml"]
    render(yaml.safe_load(from_file))
    (typed, *_) = [fence.code for fence in fences(text) if fence.language == "bash"]
    words = shlex.split(typed)
    pairs = [words[number + 1].split("=", 1) for number, word in enumerate(words) if word == "-d"]
    answers: dict[str, Any] = {name: yaml.safe_load(value) if name == "targets" else value for name, value in pairs}
    assert {"project_name", "targets", "port"} == set(answers)
    render(answers)


def test_the_workflow_of_the_how_to_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (REPOSITORY / "docs/how-to/runners.md").read_text(encoding="utf-8")
    (workflow,) = [fence.code for fence in fences(text) if fence.code.startswith("name:")]
    (tmp_path / "test.yml").write_text(workflow, encoding="utf-8")
    assert gitea_workflows.main(["--strict", str(tmp_path / "test.yml")]) == 0, capsys.readouterr().out


def test_what_comes_back_when_deleted_is_what_copier_skips_where_it_exists() -> None:
    page = (REPOSITORY / "docs/how-to/update-a-project.md").read_text(encoding="utf-8")
    deleted = re.findall(r"^\| deleted (.*) \| writes it again \|", page, re.MULTILINE)
    settings = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    assert sorted(re.findall("`(.*?)`", " ".join(deleted))) == sorted(settings["_skip_if_exists"])


def test_the_newest_version_has_an_entry() -> None:
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    newest = re.search(r"^## (.+)$", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest and newest[1] == version


def test_the_tutorial_can_be_followed(render: Render, tmp_path: Path) -> None:
    """What can be told without a network; that all of it works is for tests/docs/test_tutorial.py."""
    text = TUTORIAL.read_text(encoding="utf-8")
    assert TEMPLATE_URL in text and PROJECT_URL in text
    project = tmp_path / "home-server"
    shutil.copytree(render(answers_for(["docker"], project_name="Home Server")), project)
    reader = Reader(project, {})
    for fence in fences(text):
        assert fence.language in {"bash", "text", "python", "diff"}
        if fence.language in {"python", "diff"}:
            reader.follow(fence)


def test_the_one_line_can_be_changed(render: Render, tmp_path: Path) -> None:
    """The same of the app that updates itself; the rest is for tests/docs/test_self_updating_app.py."""
    project = tmp_path / "harbour-weather"
    shutil.copytree(render(answers_for(["desktop"], project_name="Harbour Weather", frontend=False)), project)
    reader = Reader(project, {})
    changes = [fence for fence in fences(SELF_UPDATING.read_text(encoding="utf-8")) if fence.language == "diff"]
    assert len(changes) == 1
    reader.follow(changes[0])
