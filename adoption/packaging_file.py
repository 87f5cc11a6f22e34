"""pyproject.toml: what the template's says of a project that has none, and what one that is there lacks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from adoption.existing import Existing, license_files, readme_files

TEST_NAMES = ("test", "tests", "testing", "dev")  # extras and groups that tests want


@dataclass(frozen=True)
class Lacks:
    """What the commands need and pyproject.toml has not: lines for its end, and what must stand inside."""

    lines: str
    steps: tuple[str, ...]


def fitted(text: str, existing: Existing) -> str:
    """Put what the project is packaged with in the place of what only the starter code needs."""
    metadata = existing.metadata
    needed = _list("dependencies", metadata.get("dependencies", []))
    listed = re.compile(r"^dependencies = \[(?:\]|\n(?:.*\n)*?\])$", re.MULTILINE)
    text = listed.sub(lambda _: needed, text, count=1)
    extras = "".join(_list(name, needed) + "\n" for name, needed in metadata.get("optional-dependencies", {}).items())
    text = re.sub(rf"{_table('project.optional-dependencies')}", "", text)
    scripts = "".join(f"{_key(name)} = {json.dumps(place)}\n" for name, place in metadata.get("scripts", {}).items())
    tables = (f"[project.optional-dependencies]\n{extras}\n" if extras else "") + (
        f"[project.scripts]\n{scripts}\n" if scripts else ""
    )
    text = re.sub(_table("project.scripts"), lambda _: tables, text)
    text = _with_extras(text, metadata.get("optional-dependencies", {}))
    if version := metadata.get("version"):
        text = _replaced(text, "version", json.dumps(version))
    if readme := readme_files(existing.source):
        name = json.dumps(readme[0].name)
        text = _replaced(
            text, "readme", name if readme[0].suffix else f'{{ file = {name}, content-type = "text/plain" }}'
        )
    if licenses := license_files(existing.source):
        text = _replaced(text, "license-files", json.dumps([path.name for path in licenses]))
    return text


def appended(text: str, existing: Existing) -> str:
    """Give the tables of `fitted` that a pyproject.toml without [project] lacks; what it says of tools stays."""
    mine = existing.pyproject
    has = {name for name in mine if name != "tool"} | {f"tool.{name}" for name in mine.get("tool", {})}
    has |= {"tool.uv.build-backend"} if "build-system" in mine else set()
    text = re.sub(r"^# .*#####\n\n?", "", fitted(text, existing), flags=re.MULTILINE)
    tables = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    kept = []
    for table in tables[1:]:
        name = table.split("]")[0].strip("[")
        if not any(name == one or name.startswith(f"{one}.") for one in has):
            kept.append(table)
    return "".join(kept)


def _replaced(text: str, key: str, value: str) -> str:
    return re.sub(rf"^{key} = .*$", lambda _: f"{key} = {value}", text, count=1, flags=re.MULTILINE)


def lacks(rendered: str, existing: Existing, answers: Mapping[str, Any]) -> Lacks:
    """Compare the project's own pyproject.toml, which has [project], with what Makefile and scripts read there."""
    mine, project = existing.pyproject, existing.pyproject["project"]
    tools, slug, name = mine.get("tool", {}), answers["project_slug"], str(project.get("name", ""))
    steps: list[str] = []
    parts: list[str] = []

    if canonicalize_name(name) != slug:
        steps.append(f"`name` is `{name}`, and the answer project_slug is `{slug}`: make them the same.")
    if "version" in project.get("dynamic", []) or "version" not in project:
        steps.append('Write `version = "0.0.0"` (from the tag) into `[project]`, and take `version` out of `dynamic`.')
    if not _modern(str(project.get("requires-python", ""))):
        steps.append('Write `requires-python = ">=3.11"` into `[project]`: the tools need it.')

    if not isinstance(tools.get(name, {}).get("targets"), dict):
        targets = re.search(_table(f"tool.{slug}.targets"), rendered)
        parts.append(
            _with_extras(targets[0], project.get("optional-dependencies", {}), mine.get("dependency-groups", {}))
            if targets
            else ""
        )
    if "desktop" in answers["targets"] and "desktop" not in tools.get(name, {}):
        parts += re.findall(f"({_table(f'tool.{slug}.desktop')})", rendered)
    parts = [part.replace(f"[tool.{slug}.", f"[tool.{_key(name)}.") for part in parts]

    groups, wanted = mine.get("dependency-groups"), _tools(rendered)
    if groups is None:
        listed = "".join(f"    {json.dumps(one)},\n" for one in wanted)
        parts.append(f'[dependency-groups]\ndev = [{{ include-group = "tools" }}]\ntools = [\n{listed}]\n')
    else:
        has = {
            canonicalize_name(re.split(r"[^\w.-]", one)[0])
            for group in groups.values()
            for one in group
            if isinstance(one, str)
        }
        if new := [one for one in wanted if canonicalize_name(re.split(r"[^\w.-]", one)[0]) not in has]:
            steps.append(f"Put into `[dependency-groups]`: `tools = {json.dumps(new)}`.")
        if {"include-group": "tools"} not in groups.get("dev", []):
            steps.append('Put into its group `dev` (make one if there is none): `{ include-group = "tools" }`.')

    if "build-system" not in mine:
        parts += [
            match[0] for match in re.finditer(f"{_table('build-system')}|{_table('tool.uv.build-backend')}", rendered)
        ]
    if "[[tool.uv.index]]" in rendered and not any(
        one.get("name") == "gitea" for one in tools.get("uv", {}).get("index", [])
    ):
        parts += re.findall(r"^\[\[tool\.uv\.index\]\]\n(?:(?!\[).*\n)*", rendered, re.MULTILINE)
    own_mypy = (existing.source / "mypy.ini").exists() or (existing.source / ".mypy.ini").exists()
    if "mypy" not in tools and not own_mypy:
        parts.append('[tool.mypy]\nfiles = ["src"]\n')
    elif not own_mypy and not {"files", "packages", "modules"} & tools["mypy"].keys():
        steps.append('Write `files = ["src"]` into `[tool.mypy]`.')
    scripts = f'["{"../" if existing.prefix else ""}scripts/*"]'
    ruff = tools.get("ruff")
    if ruff is None:
        parts.append(f"[tool.ruff]\nextend-exclude = {scripts} # the template's\n")
    elif ruff.get("line-length") != 120 and not any(
        "scripts" in one for key in ("extend-exclude", "exclude") for one in ruff.get(key, [])
    ):
        steps.append(f"Write `extend-exclude = {scripts}` into `[tool.ruff]`: the scripts are in the template's style.")
    return Lacks("\n".join(part.strip("\n") + "\n" for part in parts if part), tuple(steps))


def _modern(requires: str) -> bool:
    try:
        return bool(requires) and not any(SpecifierSet(requires).contains(f"3.{minor}.99") for minor in range(6, 11))
    except InvalidSpecifier:
        return False


def _tools(rendered: str) -> list[str]:
    """Give the packages of the template's group `tools`."""
    group = re.search(r"^tools = \[\n((?:.*\n)*?)\]", rendered, re.MULTILINE)
    return re.findall(r'^ +"([^"]+)"', group[1], re.MULTILINE) if group else []


def _table(name: str) -> str:
    """Give the pattern of one table, up to the next."""
    return rf"(?m:^\[{re.escape(name)}\]\n(?:(?!\[|# [A-Z].*####).*\n)*)"


def _with_extras(text: str, extras: Iterable[str], groups: Iterable[str] = ()) -> str:
    """Name the project's own extras and groups for tests in place of the starter code's extra `app`."""
    text = text.replace('extras = ["app"]', "extras = []")
    wanted = json.dumps([name for name in TEST_NAMES if name in extras])
    also = json.dumps(["dev", *(name for name in TEST_NAMES[:-1] if name in groups)])
    return text.replace(
        'tests = { extras = [], groups = ["dev"] }', f"tests = {{ extras = {wanted}, groups = {also} }}"
    )


def _list(name: str, values: Iterable[str]) -> str:
    listed = "".join(f"    {json.dumps(value, ensure_ascii=False)},\n" for value in values)
    return f"{_key(name)} = [\n{listed}]" if listed else f"{_key(name)} = []"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
