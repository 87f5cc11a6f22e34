"""Know what projects rely on (docs/explanation/what-is-stable.md), and keep docs/reference/stable.txt, the list of it.

Run it as `python -m scripts.stable`: it adds what is new. What is gone stays in the list, and a test is red for it,
until somebody deletes its line: that is the moment to read the policy.
"""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from scripts.reference import REPOSITORY, render, template_files

LIST = REPOSITORY / "docs/reference/stable.txt"
POLICY = "docs/explanation/what-is-stable.md"
AGAIN = "run `python -m scripts.stable`"
HEAD = f"""\
# What projects rely on, as {POLICY} says. `python -m scripts.stable` adds what is new.
# A line is deleted by hand only, together with what the policy asks for.
"""
TARGETS = ("docker", "desktop", "library")
TEMPLATE = REPOSITORY / "template"


def current(project: Callable[[str], Path]) -> set[str]:
    """Give all of it as the template is now, a line for each; `project` gives one with that target and a frontend."""
    files = {f"file {name} ({condition or 'all'})" for name, condition in template_files()}
    return {*_questions(), *files, *_commands(project), *_workflows(), *_release_files()}


def recorded() -> set[str]:
    return {line for line in LIST.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}


def problems(now: set[str], before: set[str]) -> list[str]:
    """Say what is gone, and what the list does not have yet."""
    gone = [
        f"{line}: is gone, and projects rely on it. Bring it back; or do what {POLICY} asks for before a line of "
        f"docs/reference/{LIST.name} is deleted."
        for line in sorted(before - now)
    ]
    return gone + [f"{line}: is new, {AGAIN}." for line in sorted(now - before)]


def _questions() -> Iterator[str]:
    declared: dict[str, Any] = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    for name, question in declared.items():
        if name.startswith("_") or question.get("when") is False:
            continue
        yield f"question {name}"
        choices = question.get("choices", [])
        for choice in choices.values() if isinstance(choices, dict) else choices:
            yield f"answer {name}={choice}"


def _commands(project: Callable[[str], Path]) -> Iterator[str]:
    """Give the commands of `make`, with the targets that have them."""
    found: dict[str, list[str]] = {}
    for target in TARGETS:
        text = (project(target) / "Makefile").read_text(encoding="utf-8")
        for name in re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE):
            found.setdefault(name, []).append(target)
    for name, targets in found.items():
        yield f"command make {name} ({'all' if len(targets) == len(TARGETS) else ', '.join(targets)})"


def _workflows() -> Iterator[str]:
    """Give the secrets and variables of the workflows, and what they ask for when they are started by hand."""
    for path in TEMPLATE.glob(".gitea*/*"):
        text = re.sub(r"^\{%.*%\}\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        yield from (f"secret {name}" for name in re.findall(r"\bsecrets\.(\w+)", text))
        yield from (f"variable {name}" for name in re.findall(r"\bvars\.(\w+)", text))
        workflow = re.sub(r"\{%.*?%\}", "", path.name).removesuffix(".jinja")
        inputs = re.search(r"^    inputs:\n((?:      .*\n)+)", text, re.MULTILINE)
        if inputs:
            yield from (f"input {workflow} {name}" for name in re.findall(r"^      (\w+):", inputs[1], re.MULTILINE))


def _release_files() -> Iterator[str]:
    (path,) = TEMPLATE.glob("scripts/*artifacts.py*")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ENDINGS":
            yield from (f"release SLUG-vVERSION-{ending}" for ending in ast.literal_eval(node.value).values())
    yield from (f"release {name}" for name in ("SHA256SUMS", "update.json", "update.json.sig"))


def main() -> int:
    before = recorded() if LIST.exists() else set()
    with tempfile.TemporaryDirectory() as folder:
        now = current(lambda target: render(Path(folder, target), targets=[target], frontend=True))
    LIST.write_text(HEAD + "".join(f"{line}\n" for line in sorted(before | now)), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
