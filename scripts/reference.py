"""Write docs/reference/questions.md and docs/reference/files.md from copier.yml, its checks, and what it renders.

Run it as `python -m scripts.reference` after a change of the questions or of the files.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import copier
import yaml

REPOSITORY = Path(__file__).parents[1]
REFERENCE = REPOSITORY / "docs/reference"
AGAIN = "run `python -m scripts.reference`"

# What the defaults that depend on other answers come to.
OFFERED = {
    "description": "the name and “, self-hosted”",
    "project_slug": "from `project_name`: `Größe 2` becomes `grosse-2`",
    "package_name": "from `project_slug`: `my-app` becomes `my_app`",
    "repo_owner": "from `author_name`",
    "repo_name": "`project_slug`",
    "frontend": "yes with the target desktop, otherwise no",
    "auto_update": "yes with the target desktop, otherwise no",
}
FOR_NOW = "for now: "
CHANGES = {
    "project_name": "titles: the README, the page, the API, windows.",
    "description": "the README and the metadata of the package.",
    "author_name": "the metadata of the package, the licence's copyright line, and in setup.exe the publisher.",
    "author_email": "the metadata of the package. An empty answer leaves it out.",
    "license": "`LICENSE` and the metadata of the package and the image.",
    "project_slug": "the distribution, the command, the Docker image, the data folder: names that stay.",
    "package_name": "the folder below `src/`, and in upper case the names of the environment variables.",
    "gitea_url": (
        "links, the package index, with its host the name of the image, and where installed apps look for updates"
        " (`update_url`). Give the address that people use."
    ),
    "repo_owner": (
        "links, where releases go and installed apps look for them, the package index, the name of the image."
    ),
    "repo_name": "links, where releases go and installed apps look for them (`update_repository`).",
    "default_branch": "which branch the workflows follow, and the branch of a new repository.",
    "targets": "which files there are ([files](files.md)), and which questions are asked.",
    "python_version": (
        "`.python-version`, the base image and the Python in desktop bundles. `requires-python` is `>=3.11` for each"
        " answer; a library is tested with all four."
    ),
    "source_dir": "where `pyproject.toml`, `src/` and `tests/` are.",
    "port": "the port that the app and its container listen on where no setting says otherwise.",
    "frontend": "whether the page is made in `frontend/`, or is plain HTML, CSS and JavaScript in the package.",
    "tkinter": (
        "for now: errors at the start open a window where there is no terminal to print them on; bundles get a Python"
        " that can."
    ),
    "auto_update": (
        "`SOURCE/src/PACKAGE/update/`, which finds releases and, in a desktop app, installs them; its part of the page,"
        " its dependencies and settings."
    ),
    "release_gate": "whether `release.yml` makes a whole draft public, or leaves that to a person and `publish.yml`.",
    "own_files": (
        "what `copier update` neither writes nor removes. Asked of projects that were"
        " [adopted](../how-to/adopt-an-existing-project.md) only, whose answers name some."
    ),
    "index": "where a release sends the wheel, how the README installs the library, and the index that uv knows.",
}

# The conditions in the names of the template's files.
CONDITIONS = {
    "has_docker": "docker",
    "has_desktop": "desktop",
    "release_gate == 'manual'": "a person who publishes",
    "has_library": "library",
    "has_web": "docker or desktop",
    "has_frontend": "a frontend",
    "has_tkinter": "tkinter",
    "has_update": "updates",
    "has_desktop and has_update": "desktop, updates",
    "has_frontend and has_update": "a frontend, updates",
    "has_web and not has_frontend": "docker or desktop, without a frontend",
    "source_prefix": "a source folder",
}
# Files that cannot say themselves what they are.
DESCRIPTIONS = {
    ".python-version": "The Python of the virtual environment and of desktop bundles.",
    ".gitattributes": "Line ends, and what is generated.",
    ".editorconfig": "Indents and line ends for editors.",
    ".gitignore": "What git leaves out.",
    ".dockerignore": "What the image's build does not see.",
    ".copier-answers.yml": "The answers, and the version of the template. Change it with `copier update` only.",
    "README.md": "What the project is and how one works on it.",
    "CHANGELOG.md": "Releases, newest first.",
    "RELEASE_NOTES.md": "What the next release brings.",
    "LICENSE": "The text of the licence.",
    "docs/releasing.md": "How to make a release, step by step.",
    "scripts/icon.ico": "The icon of the app, for Windows and for menus.",
    "scripts/windows/start-hidden.vbs": "Starts the app without a window; the same rules as `run.sh`.",
    "pyproject.toml": "The package and its tools. Comments in it say which part is whose.",
    "frontend/.npmrc": "Settings of npm.",
    "frontend/.prettierrc.json": "How the frontend is formatted.",
    "frontend/eslint.config.js": "Rules for the TypeScript, import cycles among them.",
    "frontend/index.html": "The page.",
    "frontend/package.json": "What the frontend needs, and its commands.",
    "frontend/public/favicon.svg": "The icon of the page.",
    "frontend/src/main.ts": "Begins when the page is there.",
    "frontend/src/style.css": "How the page looks.",
    "frontend/tsconfig.json": "How strict TypeScript is.",
    "frontend/vite.config.ts": "How the frontend is built, and served while one works on it.",
    "static/favicon.svg": "The icon of the page.",
    "static/index.html": "The page.",
    "static/style.css": "How the page looks.",
    "py.typed": "Says that the package has types.",
    "tests/conftest.py": "What the tests share.",
}
EVERYTHING: dict[str, Any] = {
    "targets": ["docker", "desktop", "library"],
    "source_dir": "server",
    "tkinter": True,
    "auto_update": True,
    "release_gate": "manual",
}


class DescriptionError(Exception):
    """Something is not described; the message says where to describe it."""


def questions() -> str:
    """Give the page about the questions, in the sections of copier.yml."""
    text = (REPOSITORY / "copier.yml").read_text(encoding="utf-8")
    declared: dict[str, Any] = yaml.safe_load(text)
    lines = [
        "# Questions",
        "",
        f"Generated from `copier.yml`: {AGAIN}. On the command line each is `-d name=answer`",
        "([how](../how-to/choose-targets.md)).",
    ]
    for heading, body in re.findall(r"^# (.+)\n\n((?:(?!# ).*\n)*)", text, re.MULTILINE):
        names = [name for name in re.findall(r"^(\w+):", body, re.MULTILINE) if not name.startswith("_")]
        hidden = [name for name in names if declared[name].get("when") is False]
        if hidden:
            lines += _hidden({name: declared[name] for name in hidden})
        elif names:
            lines += ["", f"## {heading}"]
            for name in names:
                lines += _question(name, declared[name])
    return "\n".join([*lines, ""])


def _question(name: str, question: dict[str, Any]) -> Iterator[str]:
    if name not in CHANGES:
        raise DescriptionError(f"scripts/reference.py: say in CHANGES what {name} changes")
    yield from ("", f"### {name}", "", re.sub(r"\{=.*?=\}", "", question["help"]), "")
    yield f"- Offered: {_offered(name, question)}"
    if choices := question.get("choices"):
        named = choices.items() if isinstance(choices, dict) else [("", choice) for choice in choices]
        listed = "; ".join(f"`{value}`" + (f" ({text})" if text else "") for text, value in named)
        yield f"- Choices{', one or more' if question.get('multiselect') else ''}: {listed}"
    if targets := re.findall(r"'(\w+)' in targets", str(question.get("when", ""))):
        yield f"- Asked: with {' or '.join(targets)}"
    changes = CHANGES[name].removeprefix(FOR_NOW)
    yield f"- Changes{'' if changes == CHANGES[name] else ' for now'}: {changes}"
    if refused := list(_refusals(question.get("validator", ""))):
        yield f"- Refused with: {' · '.join(refused)}"


def _offered(name: str, question: dict[str, Any]) -> str:
    default = question["default"]
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, list):
        return ", ".join(f"`{value}`" for value in default) or "nothing"
    if "{" in default:
        if name not in OFFERED:
            raise DescriptionError(f"scripts/reference.py: say in OFFERED what {name} comes from")
        return OFFERED[name]
    return f"`{default}`" if default else "nothing"


def _refusals(validator: str) -> Iterator[str]:
    """Give the messages of a validator: its own, or those of includes/checks.jinja that it calls."""
    called = re.search(r"check\.(\w+)\((.*?)\) =\}", validator)
    if called is None:
        yield from re.findall(r"%\}([A-Z][^{]+)\{%", validator)
        return
    checks = (REPOSITORY / "includes/checks.jinja").read_text(encoding="utf-8")
    macro = re.search(rf"\{{% macro {called[1]}\((.*?)\) -%\}}\n(.*?)\{{%- endmacro", checks, re.DOTALL)
    rules = re.search(r"\{% set rules %\}\n(.*?)\{% endset %\}", checks, re.DOTALL)
    if macro is None or rules is None:
        raise DescriptionError(f"includes/checks.jinja: scripts/reference.py finds no rules, or no macro {called[1]}")
    arguments = called[2]
    if called[1] != "check":
        for line in map(str.strip, macro[2].splitlines()):
            yield from re.findall(r"(?:^|')([A-Z][^']+\.)", line)
        arguments = re.findall(r"check\((.*?)\)", macro[2])[-1]
    kind, _, most = (*arguments.split(", "), "100")[:3]
    kind = kind.strip("'")
    for name, _, message in (re.split("  +", rule) for rule in rules[1].splitlines()):
        if name == kind:
            yield message
    if kind != "port":  # of which its rule leaves five digits
        yield f"Write at most {most} characters."


def _hidden(declared: dict[str, Any]) -> Iterator[str]:
    yield from (
        "",
        "## Hidden values",
        "",
        "Derived from the answers; the template's files ask these only. They are not for the command line.",
        "",
        "| Name | Is |",
        "|---|---|",
    )
    for name, value in declared.items():
        expression = value["default"].replace("|", "\\|")
        plain = re.fullmatch(r"\{= (.*) =\}", expression)
        yield f"| `{name}` | `{plain[1] if plain and '=}' not in plain[1] else expression}` |"


def files() -> str:
    """Give the page about the files of a project."""
    settings: dict[str, Any] = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        roots = [render(Path(folder) / str(frontend), frontend=frontend) for frontend in (True, False)]
        rows = [_row(name, condition, roots, settings) for name, condition in template_files()]
    lines = [
        "# Files of a project",
        "",
        f"Generated from the template and from what it renders: {AGAIN}.",
        "",
        "`SOURCE` is the folder with the Python code (the answer `source_dir`; with `.` the project's own folder),",
        "`PACKAGE` the answer `package_name`.",
        "",
        "The owner says what `copier update` does. *You*: the file is written once and then never touched. *Template*:",
        "changes of the template come in, and your own stay where the two do not meet. *Both*: the same, and the file",
        "says which part is whose.",
        "",
        "| File | With | Owner | What it is |",
        "|---|---|---|---|",
        *sorted(rows, key=lambda row: ("/" not in row.split("`")[1], row.lower())),
        "",
        "`make setup` adds `SOURCE/uv.lock` and, with a frontend, `frontend/package-lock.json`. Commit both: the",
        "workflows install what they hold.",
    ]
    return "\n".join([*lines, ""])


def render(folder: Path, **others: Any) -> Path:
    """Render the work tree, with every target and option unless `others` say otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the template may have changes that are not committed yet
        answers = EVERYTHING | others
        copier.run_copy(str(REPOSITORY), folder, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    return folder


def template_files() -> Iterator[tuple[str, str]]:
    """Give each file of the template as a project has it, and the condition for it."""
    template = REPOSITORY / "template"
    for path in template.rglob("*"):
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        name = str(path.relative_to(template))
        conditions = list(dict.fromkeys(re.findall(r"\{% if (.*?) %\}", name)))
        for condition in conditions:
            if condition not in CONDITIONS:
                raise DescriptionError(f"scripts/reference.py: say in CONDITIONS what {condition} means")
        name = re.sub(r"\{%.*?%\}", "", name).removesuffix(".jinja")
        name = name.replace("{=_copier_conf.sep=}", "/").replace("{=_copier_conf.answers_file=}", ".copier-answers.yml")
        name = name.replace("{=package_dir=}", "SOURCE/src/PACKAGE").replace("{=tests_dir=}", "SOURCE/tests")
        name = name.replace("{=source_dir=}", "SOURCE")
        yield name, ", ".join(CONDITIONS[condition] for condition in conditions)


def _row(name: str, condition: str, roots: list[Path], settings: dict[str, Any]) -> str:
    rendered = name.replace("SOURCE", EVERYTHING["source_dir"]).replace("PACKAGE", "my_app")
    found = [root / rendered for root in roots if (root / rendered).is_file()]
    if not found:
        raise DescriptionError(f"{name}: none of the projects that scripts/reference.py renders has it")
    return f"| `{name}` | {condition or 'all'} | {_owner(name, settings)} | {_describe(name, found[0])} |"


def _owner(name: str, settings: dict[str, Any]) -> str:
    once = list(settings["_skip_if_exists"])
    left_out = (REPOSITORY / "includes/not-ours.txt").read_text(encoding="utf-8")
    once += left_out.partition("'update' %}\n")[2].partition("{% endif")[0].splitlines()
    owner = "template"
    for pattern in once:  # as git reads them: without a slash it is a name in any folder, and the last one decides
        path = name if "/" in pattern else name.rpartition("/")[2]
        place = pattern.removeprefix("!").replace("{= source_prefix =}", "SOURCE/")
        if fnmatch(path, place) or fnmatch(path, f"{place}/*"):  # a folder stands for what is in it
            owner = "template" if pattern.startswith("!") else "you"
    return "both" if name == "SOURCE/pyproject.toml" else owner


def _describe(name: str, path: Path) -> str:
    """Give the description from above, or what the file says of itself: its docstring or first comment."""
    known = [text for known, text in DESCRIPTIONS.items() if name == known or name.endswith(f"/{known}")]
    said = known[0] if known else _first_sentence(path)
    if not said:
        raise DescriptionError(f"scripts/reference.py: say in DESCRIPTIONS what {name} is")
    return said.replace("|", "\\|")


def _first_sentence(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or f"Tests of `{path.stem.removeprefix('test_')}`."
    elif path.name.endswith(".test.ts"):
        said = f"Tests of `{path.name.removesuffix('.test.ts')}.ts`."
    else:
        comment = re.search(r"^(?:#(?!!| shellcheck)|//|/\*+|<!--|;|'|@?rem\b)\s*(.+)$", text, re.MULTILINE)
        said = comment[1] if comment and text.index(comment[0]) < 200 else ""
    said = " ".join(said.partition("\n\n")[0].split()).removesuffix("*/").removesuffix("-->").strip()
    ends = "." if path.suffix == ".py" else ".:"  # after a colon, comments tell how a script is called
    sentence = re.match(rf".*?[{ends}](?=\s|$)", said)
    said = sentence[0] if sentence else said
    return said[:-1] + "." if said.endswith(":") else said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not the current one")
    arguments = parser.parse_args()
    try:
        pages = {REFERENCE / "questions.md": questions(), REFERENCE / "files.md": files()}
    except DescriptionError as error:
        print(f"reference: {error}", file=sys.stderr)
        return 2
    stale = [page for page, text in pages.items() if not page.is_file() or page.read_text(encoding="utf-8") != text]
    if not arguments.check:
        for page in stale:
            page.write_text(pages[page], encoding="utf-8", newline="\n")
        return 0
    for page in stale:
        print(f"docs/reference/{page.name} is out of date: {AGAIN}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
