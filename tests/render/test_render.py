"""Is what every combination of answers renders whole, parseable, and free of what was not asked for?"""

from __future__ import annotations

import ast
import json
import re
import stat
import tomllib
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.answers import AWKWARD, TARGETS, Answers, answers_for
from tests.conftest import Render

# What a project says only when it has the target or the option. Licences and hooks speak of everything.
WORDS = {
    "docker": r"docker|compose\.yaml|hadolint",
    "desktop": r"\bwindows\b|\bnsis?\b|\binstaller\b|\.vbs\b|systemd",
    "library": r"\bdurations?\b|twine|check-wheel",
    "web": r"\bport\b|fastapi|uvicorn|/health|127\.0\.0\.1|make run",
    "frontend": r"\bnpm\b|\bvite\b|node_modules|typescript|package-lock|make frontend",
    "tkinter": r"tkinter|dialogs",
}
EVERYWHERE = {"LICENSE", "gitea_workflows.py", "windows_scripts.py", ".copier-answers.yml"}
MACHINERY = re.compile(
    r"\{%|%\}|\{=|=\}|\{##|##\}|\bhas_[a-z]+\b|_copier_|jinja|cookiecutter|gitea-py-template", re.IGNORECASE
)
BINARY = {".ico", ".png"}
FOR_WINDOWS = {".vbs", ".bat", ".cmd", ".nsi", ".nsh"}
EXPANSION = re.compile(r"\$\{[^{}]*\}")  # of a shell, where %} and =} mean something
BUNDLES = re.compile(r"scripts/.*|(.+/)?pyproject\.toml")  # of a desktop app: they look what the project has


def files_of(project: Path) -> list[Path]:
    return sorted(path for path in project.rglob("*") if path.is_file())


def features(answers: Answers) -> dict[str, bool]:
    has = {target: target in answers["targets"] for target in TARGETS}
    has["web"] = has["docker"] or has["desktop"]
    has["frontend"] = has["web"] and answers.get("frontend", has["desktop"])
    has["tkinter"] = has["desktop"] and answers.get("tkinter", False)
    return has


def parse(path: Path, text: str) -> None:
    """Read the text as what the file's name says it is; raise where it is not."""
    match path.suffix or path.name:
        case ".py":
            ast.parse(text)
        case ".toml":
            tomllib.loads(text)
        case ".json":
            json.loads(text)
        case ".yml" | ".yaml":
            yaml.safe_load(text)
        case ".svg":
            ElementTree.fromstring(text)  # noqa: S314


@cache  # most files are the same ones in all combinations
def problems_of(name: str, content: bytes) -> list[str]:
    """Look at one file, whatever project it belongs to."""
    path = Path(name)
    problems: list[str] = []
    text = content.decode("utf-8")
    try:
        parse(path, text)
    except (SyntaxError, ValueError, yaml.YAMLError, ElementTree.ParseError) as error:
        problems.append(f"{name} does not parse: {error}")
    windows = path.suffix in FOR_WINDOWS
    if (b"\r\n" in content) != windows or content.count(b"\r") != content.count(b"\r\n"):
        problems.append(f"{name}: line ends are not {'CRLF' if windows else 'LF'}")
    if content and not content.endswith(b"\n"):
        problems.append(f"{name}: no line end at the end")
    if text.rstrip("\r\n") != text[:-2] and text.endswith("\n\n"):
        problems.append(f"{name}: empty lines at the end")
    if re.search(r"\n{4,}", text):
        problems.append(f"{name}: three or more empty lines, as an {{% if %}} leaves them")
    for line, row in enumerate(text.splitlines(), 1):
        said = EXPANSION.sub("", row) if path.suffix == ".sh" else row
        if path.name != ".copier-answers.yml" and (found := MACHINERY.search(said)):
            problems.append(f"{name}:{line}: {found.group()!r} is of the template's machinery")
    return problems


@cache
def speaks_of(feature: str, name: str, content: bytes) -> str | None:
    """Give the line of a file, or its name, that has a word of the feature."""
    text = f"{content.decode()}\n{name}"
    if not (found := re.search(WORDS[feature], text, re.IGNORECASE)):
        return None
    return text[text.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0].strip()[:100]


def test_every_combination_is_whole(combination: Answers, render: Render) -> None:
    project = render(combination)
    has = features(combination)
    problems: list[str] = []
    for path in files_of(project):
        if path.suffix in BINARY:
            continue
        name = str(path.relative_to(project))
        content = path.read_bytes()
        problems += problems_of(name, content)
        for feature in () if path.name in EVERYWHERE else WORDS:
            if feature in {"frontend", "tkinter"} and has["desktop"] and BUNDLES.fullmatch(name):
                continue
            if not has[feature] and (found := speaks_of(feature, name, content)):
                problems.append(f"{name}: speaks of {feature}, which was not chosen: {found!r}")
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        # Without a first line that names its interpreter, a script is one that others read.
        if executable != (path.suffix == ".sh" and content.startswith(b"#!")):
            problems.append(f"{name}: {'is' if executable else 'is not'} executable")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("targets", "wanted", "unwanted"),
    [
        (
            ["docker"],
            ["Dockerfile", "compose.yaml", "src/sample_docker/app.py", "src/sample_docker/static/index.html"],
            ["frontend"],
        ),
        (
            ["desktop"],
            ["frontend/package.json", "scripts/npm.sh", "scripts/hooks/windows_scripts.py"],
            ["Dockerfile", "compose.yaml"],
        ),
        (
            ["library"],
            ["scripts/check-wheel.sh", "src/sample_library/py.typed"],
            ["Dockerfile", "frontend", "src/sample_library/app.py"],
        ),
    ],
    ids=lambda value: "-".join(value) if value[0] in TARGETS else "",
)
def test_targets_bring_their_files(targets: list[str], wanted: list[str], unwanted: list[str], render: Render) -> None:
    project = render(answers_for(targets))
    assert [name for name in wanted if not (project / name).exists()] == []
    assert [name for name in unwanted if (project / name).exists()] == []


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_answers_are_inert(name: str, render: Render) -> None:
    answers = {**answers_for(TARGETS), **AWKWARD[name]}
    project = render(answers)
    for path in files_of(project):
        if path.suffix not in BINARY:
            parse(path, path.read_text(encoding="utf-8"))
    source = project / answers.get("source_dir", ".")
    pyproject = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert pyproject["project"]["description"] == stored["description"]
    assert pyproject["project"]["authors"][0]["name"] == stored["author_name"]
    assert stored["project_name"] in (project / "README.md").read_text(encoding="utf-8")


def test_own_files_are_only_links_of_the_hooks(render: Render) -> None:
    """The hooks of a project are those of this repository, as files: a link would point out of the project."""
    project = render(answers_for(TARGETS))
    hooks = Path(__file__).parents[2] / "hooks"
    for name in ("gitea_workflows.py", "windows_scripts.py"):
        copied = project / "scripts" / "hooks" / name
        assert not copied.is_symlink()
        assert copied.read_bytes() == (hooks / name).read_bytes()
    assert not [path for path in files_of(project) if path.is_symlink()]
