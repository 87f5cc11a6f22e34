"""What a project says about itself, however it is packaged: the answers that the template would ask for."""

from __future__ import annotations

import ast
import codecs
import configparser
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement

from adoption import AdoptionError

# Folders that hold Python and are not what the project is about.
NOT_CODE = frozenset(
    {
        *("bench", "benchmarks", "build", "ci", "data", "deploy", "dist", "doc", "docs", "env", "example", "examples"),
        *("frontend", "migrations", "node_modules", "notebooks", "requirements", "scripts", "site", "src", "test"),
        *("testing", "tests", "tools", "venv", "web"),
    }
)
NOT_CODE_MODULES = frozenset(
    {"setup", "conftest", "noxfile", "tasks", "fabfile", "manage", "versioneer", "wsgi", "asgi"}
)
REQUIREMENTS = "requirements.txt"
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like that of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# How free texts name a licence; "mit" is a word of German.
LICENSES = {
    "MIT": r"(?-i:\bMIT\b)(?=[ -]licen[sc]e|\W*$)|Permission is hereby granted, free of charge",
    "Apache-2.0": r"Apache[ -](Software )?(Licen[sc]e)?,?[ -]*(Version )?2",
    "GPL-3.0-or-later": r"(?<![a-z])GPL-?v?3(?!(\.0)?[ -]only)|GNU GENERAL PUBLIC LICENSE\s+Version 3",
    "BSD-3-Clause": r"BSD-3|BSD 3|Neither the name of",
}


class UnreadableError(Exception):
    """A file is not in its format."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(str(error).splitlines()[0])
        self.path = path


@dataclass(frozen=True)
class Existing:
    """A project as it is. `kind` says what its packaging is: standard, poetry, setup, requirements or none."""

    root: Path
    source: Path
    kind: str
    pyproject: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)  # in the names of [project]

    @property
    def prefix(self) -> str:
        """The source folder as it begins a path: nothing, or `server/`."""
        return "" if self.source == self.root else f"{self.source.name}/"

    @property
    def packages(self) -> list[Path]:
        """Where the code is: packages below src/, else beside it, else single modules."""
        below = _packages(self.source / "src")
        beside = [path for path in _packages(self.source) if path.name not in NOT_CODE]
        single = [path for path in sorted(self.source.glob("*.py")) if path.stem not in NOT_CODE_MODULES]
        return below or beside or [path for path in single if path.stem.isidentifier()]

    @property
    def package(self) -> Path | None:
        """The one that is called like the project, else the only one."""
        found = self.packages
        wanted = re.sub(r"[-.]+", "_", str(self.metadata.get("name", self.root.name))).lower()
        named = [path for path in found if path.stem.lower() == wanted]
        return named[0] if named else found[0] if len(found) == 1 else None


def read(root: Path, source_dir: str | None) -> Existing:
    """Read the project below `root`; `source_dir` is where its code is, if the caller knows it."""
    try:
        source = find_source(root) if source_dir is None else root / source_dir
        if not source.is_dir():
            raise AdoptionError(f"source_dir: there is no folder {source_dir}.")
        pyproject = _read_toml(source / "pyproject.toml")
        kind, metadata = _metadata(source, pyproject)
    except UnreadableError as error:
        raise AdoptionError(f"{error.path.relative_to(root).as_posix()} cannot be read: {error}") from None
    return Existing(root, source.resolve(), kind, pyproject, metadata)


def find_source(root: Path) -> Path:
    """Find the folder with the packaging: the root, or the one folder below it that has some."""
    if _is_packaged(root) or (root / REQUIREMENTS).exists():
        return root
    below = [path for path in _folders(root) if _is_packaged(path)]
    below = below or [path for path in _folders(root) if (path / REQUIREMENTS).exists() and path.name not in NOT_CODE]
    if len(below) > 1:
        names = " and ".join(path.name for path in below)
        raise AdoptionError(
            f"There is Python code in {names}: say which one it is about, -d source_dir={below[0].name}."
        )
    return below[0] if below else root


def answers(existing: Existing) -> dict[str, Any]:
    """Give what the project says in answer to the template's questions."""
    metadata, remote = existing.metadata, _remote(existing.root)
    name = str(metadata.get("name") or remote.get("repo_name") or existing.root.name)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    has_image = any((existing.root / file).exists() for file in ("Dockerfile", f"{existing.prefix}Dockerfile"))
    found: dict[str, Any] = {
        "project_name": name,
        "project_slug": slug,
        "package_name": existing.package.stem.lower() if existing.package else slug.replace("-", "_"),
        "source_dir": existing.prefix.rstrip("/") or ".",
        "targets": ["docker"] if has_image else ["library"],
        "frontend": (existing.root / "frontend/package.json").exists(),
        "license": _license(existing),
        **remote,
    }
    if description := str(metadata.get("description", "")).strip():
        found["description"] = " ".join(description.split())[:200].rstrip()
    for author in metadata.get("authors", [])[:1]:
        found |= {f"author_{key}": value for key, value in author.items() if key in {"name", "email"} and value}
    version = existing.source / ".python-version"
    if version.exists() and (minor := re.match(r"3\.1[1-4]\b", version.read_text(encoding="utf-8", errors="replace"))):
        found["python_version"] = minor[0]
    if has_image and (port := _exposed_port(existing)):
        found["port"] = port
    return found


def run_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, language = ["git", "-C", str(root), *arguments], {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, check=False, capture_output=True, encoding="utf-8", errors="replace", env=language
        )
    except FileNotFoundError:
        raise AdoptionError("There is no git: install it.") from None


def git(root: Path, *arguments: str) -> str:
    """Give what git prints, or nothing where it fails."""
    result = run_git(root, *arguments)
    return result.stdout.strip() if result.returncode == 0 else ""


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and re.fullmatch(r"[A-Za-z][\w-]*", path.name))


def _packages(parent: Path) -> list[Path]:
    return [path for path in _folders(parent) if path.name.isidentifier() and any(path.glob("*.py"))]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UnreadableError(path, error) from None


def _read_setup_cfg(source: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(source / "setup.cfg", encoding="utf-8-sig")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UnreadableError(source / "setup.cfg", error) from None
    return parser


def _is_packaged(folder: Path) -> bool:
    return _kind(folder, _read_toml(folder / "pyproject.toml")) in {"standard", "poetry", "setup"}


def _kind(source: Path, pyproject: dict[str, Any]) -> str:
    if "project" in pyproject:
        return "standard"
    if "poetry" in pyproject.get("tool", {}):
        return "poetry"
    if (source / "setup.py").exists() or _read_setup_cfg(source).has_section("metadata"):
        return "setup"
    return "requirements" if (source / REQUIREMENTS).exists() else "none"


def _metadata(source: Path, pyproject: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = _kind(source, pyproject)
    if kind == "standard":
        return kind, pyproject["project"]
    if kind == "poetry":
        poetry = pyproject["tool"]["poetry"]
        people = [re.fullmatch(r"\s*(.*?)\s*(?:<(.*)>)?\s*", str(text)) for text in poetry.get("authors", [])]
        authors = [{"name": match[1], "email": match[2] or ""} for match in people if match]
        return kind, {**poetry, "authors": authors}
    if kind == "setup":
        return kind, _setup_metadata(source)
    if kind == "requirements":
        return kind, {"dependencies": _valid(requirement_lines(source / REQUIREMENTS))}
    return kind, {}


def _setup_metadata(source: Path) -> dict[str, Any]:
    """Give what setup.cfg says, and in its place what setup.py says in so many words; code is not run."""
    parser = _read_setup_cfg(source)
    given = _setup_arguments(source / "setup.py")

    def text(key: str) -> str:
        return parser.get("metadata", key, fallback="") or str(given.get(key) or "")

    extras: dict[str, Any] = {
        name: parser.get("options.extras_require", name) for name in _options(parser, "options.extras_require")
    }
    points = given.get("entry_points")
    commands = parser.get("options.entry_points", "console_scripts", fallback="")
    commands = commands or (points.get("console_scripts", "") if isinstance(points, dict) else "")
    scripts = [re.split(r"\s*=\s*", line, maxsplit=1) for line in _lines(commands) if "=" in line]
    return {
        "name": text("name"),
        "description": text("description"),
        "license": text("license"),
        "authors": [{"name": text("author"), "email": text("author_email")}],
        "version": text("version") if re.match(r"\d", text("version")) else "",
        "dependencies": _valid(
            parser.get("options", "install_requires", fallback="") or given.get("install_requires", "")
        ),
        "optional-dependencies": {
            name: _valid(needed) for name, needed in (extras or given.get("extras_require") or {}).items()
        },
        "scripts": {name: place.partition("[")[0].strip() for name, place in scripts},
    }


def _lines(value: object) -> list[str]:
    """Give the lines of a text or the items of a list."""
    listed = value.splitlines() if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    return [line for line in (str(item).strip() for item in listed) if line and not line.startswith("#")]


def _valid(value: object) -> list[str]:
    """Give those of the lines that are requirements; includes and addresses are left to a person."""
    return [line for line in _lines(value) if is_requirement(line)]


def is_requirement(text: str) -> bool:
    try:
        return Requirement(text).url is None
    except InvalidRequirement:
        return False


def _options(parser: configparser.ConfigParser, section: str) -> list[str]:
    return parser.options(section) if parser.has_section(section) else []


def _setup_arguments(path: Path) -> dict[str, Any]:
    """Read the literal arguments of setup(...)."""
    try:
        tree = ast.parse(path.read_bytes())  # in the encoding that it names
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadableError(path, error) from None
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "setup":
            for keyword in node.keywords:
                try:
                    found[str(keyword.arg)] = ast.literal_eval(keyword.value)
                except ValueError:  # made by code: a person will see it
                    continue
    return found


def requirement_lines(path: Path) -> list[str]:
    """Give the lines without hashes and comments, in whichever Unicode: PowerShell writes UTF-16."""
    content = path.read_bytes()
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    text = re.sub(r"\\\r?\n", " ", content.decode(encoding, errors="replace"))
    lines = [re.split(r"\s--hash\b", re.sub(r"(^|\s)#.*", "", line))[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]


def _license(existing: Existing) -> str:
    """Give the licence among the choices of the template; for any other, or none, all rights stay reserved."""
    said = existing.metadata.get("license", "")
    said = str(said.get("text", "") if isinstance(said, dict) else said)
    try:
        identifier = canonicalize_license_expression(said).replace("GPL-3.0+", "GPL-3.0-or-later")
    except InvalidLicenseExpression:  # free text, or none
        pass
    else:
        return identifier if identifier in LICENSES else "Proprietary"
    texts = [said]
    texts += [path.read_text(encoding="utf-8", errors="replace") for path in license_files(existing.root)]
    for text in texts:
        for name, pattern in LICENSES.items():
            if re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
                return name
    return "Proprietary"


def readme_files(folder: Path) -> list[Path]:
    """Give the READMEs, the one that the template would write first."""
    readme = re.compile(r"readme(\.md|\.rst|\.txt)?", re.IGNORECASE)
    found = [path for path in folder.iterdir() if readme.fullmatch(path.name) and path.is_file()]
    return sorted(found, key=lambda path: (path.name != "README.md", path.name))


def license_files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob("[LlCc][IiOo]*"))
        if re.match(r"(?i)(licen[sc]e|copying)(?!.*\.py$)", path.name) and path.is_file()
    ]


def _remote(root: Path) -> dict[str, str]:
    """Give what git knows of the server: https://host/owner/name.git, git@host:owner/name.git, ssh://git@host:22/owner/name."""
    found = {}
    branch = git(root, "symbolic-ref", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    local = git(root, "branch", "--format=%(refname:short)").splitlines()
    usual: list[str] = [
        name for name in ("main", "master", "trunk") if name in local
    ]  # adoption has a branch of its own
    if branch := branch or (usual or [git(root, "branch", "--show-current")])[0]:
        found["default_branch"] = branch
    url = git(root, "remote", "get-url", "origin").removesuffix("/").removesuffix(".git")
    match = re.fullmatch(
        r"(?:(?P<scheme>https?|ssh)://)?(?:[^@/]*@)?(?P<host>[^:/]+)(?P<port>:\d+)?[:/](?P<path>.+)", url
    )
    if match and "/" in match["path"]:
        *folders, owner, name = match["path"].strip("/").split("/")
        found |= {"repo_owner": owner, "repo_name": name}
        if match["host"] != "github.com" and (match["scheme"] or "@" in url):
            web = match["scheme"] in {"http", "https"}
            found["gitea_url"] = "/".join(
                [
                    f"{match['scheme'] if web else 'https'}://{match['host']}{match['port'] or '' if web else ''}",
                    *folders,
                ]
            )
    return found


def _exposed_port(existing: Existing) -> str:
    for folder in (existing.root, existing.source):
        path = folder / "Dockerfile"
        if path.exists() and (
            match := re.search(
                r"^EXPOSE\s+(\d{4,5})\b", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
            )
        ):
            return match[1]
    return ""
