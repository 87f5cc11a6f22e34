"""What a person does by hand, in the order to do it; what is done is not said again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from adoption import packaging_file
from adoption.existing import REQUIREMENTS, Existing, git, requirement_lines
from adoption.plan import ANSWERS, Copy, Plan

ASIDE = "build/adoption"
FRESH = f"{ASIDE}/template"
LINES = f"{ASIDE}/lines"  # what can be added to the end of files
STRICT = 'set `strict = false` in `[tool.mypy]`, take `filterwarnings = ["error"]` out where old code warns'

# What nobody reads any more, and why.
IDLE = {
    ".github/workflows": "Gitea reads it only where there is no .gitea/workflows; move there what is missing there",
    ".gitlab-ci.yml": "the workflows",
    ".travis.yml": "the workflows",
    "tox.ini": "make check and the workflows; it may hold settings of other tools",
    "noxfile.py": "make check and the workflows",
    REQUIREMENTS: "uv.lock",
    "poetry.lock": "uv.lock",
    "Pipfile": "pyproject.toml",
    "Pipfile.lock": "uv.lock",
    ".flake8": "[tool.ruff]",
    "ruff.toml": "[tool.ruff] in pyproject.toml, which make check reads in its place: move it there",
    ".ruff.toml": "[tool.ruff] in pyproject.toml, which make check reads in its place: move it there",
    "MANIFEST.in": "what uv_build takes into the sdist",
}
# What one may want to compare, and what for.
MATTERS = {
    "compose.yaml": "its image, its port, the health check",
    "Dockerfile": "`make image` hands it APP_VERSION, `make check` lints it, `make check-image` runs it read-only",
    ".gitattributes": "line ends",
    ".python-version": "it must be 3.11 or newer",
    "docs/releasing.md": "how a release is made with what was added",
}


def steps(existing: Existing, copy: Copy, plan: Plan) -> Iterator[str]:
    """Give each step as a paragraph of Markdown, commands below it."""
    yield from _packaging(existing, copy, plan)
    yield from _code(existing, copy)
    yield from _files(existing, copy, plan)
    yield from _targets(existing, copy)
    yield from _git(existing, copy, plan)
    yield from _rules(existing, plan)
    found = [f"{name}: {IDLE[name]}" for name in IDLE if (existing.root / name).exists()]
    if found:
        yield _with("Nothing that was added reads these. After the colon is what does their work now:", *found)


def lines(existing: Existing, copy: Copy, plan: Plan) -> dict[str, str]:
    """Give what can be added to the end of files that are the project's own."""
    found = {}
    if existing.kind == "standard":
        found["pyproject.toml"] = _lacks(existing, copy).lines
    elif existing.kind != "poetry" and f"{existing.prefix}pyproject.toml" not in plan.added:
        found["pyproject.toml"] = packaging_file.appended(_rendered(existing, copy), existing)
    if ".gitignore" in plan.kept:
        found[".gitignore"] = "".join(f"{line}\n" for line in _not_ignored(existing, copy))
    return {name: f"\n{text}" for name, text in found.items() if text}


def _lacks(existing: Existing, copy: Copy) -> packaging_file.Lacks:
    return packaging_file.lacks(_rendered(existing, copy), existing, copy.answers)


def _rendered(existing: Existing, copy: Copy) -> str:
    return (copy.folder / f"{existing.prefix}pyproject.toml").read_text(encoding="utf-8")


def _packaging(existing: Existing, copy: Copy, plan: Plan) -> Iterator[str]:
    prefix, name = existing.prefix, f"{existing.prefix}pyproject.toml"
    old = [f"{prefix}{file}" for file in ("setup.py", "setup.cfg") if (existing.source / file).exists()]
    add = f"cat {LINES}/pyproject.toml >>{name}"
    if existing.kind == "poetry":
        convert = "uvx migrate-to-uv --skip-lock" + (f" {prefix}" if prefix else "")
        yield _with(f"`{name}` is in Poetry's own form. Turn it into the standard one, and look again:", convert)
    elif name in plan.added or existing.kind != "standard":
        new = name in plan.added
        listed = [existing.source / REQUIREMENTS] if (existing.source / REQUIREMENTS).exists() else []
        read = [*old, *(f"{prefix}{path.name}" for path in listed)]
        of = f" What it is called and needs is taken from {_named(read)}, as far as no code must run." if read else ""
        taken = existing.metadata.get("dependencies", [])
        if left := [line for path in listed for line in requirement_lines(path) if line not in taken]:
            of += f" Not taken over: {_named(left)}."
        text = (
            f"`{name}` is new.{of}"
            if new
            else f"`{name}` has no `[project]`. Add that, and what the commands read.{of}"
        )
        text += f" Look through it, and take over what is missing{'; then:' if read else '.'}"
        yield _with(text, *([] if new else [add]), *([f"git rm {' '.join(read)}"] if read else []))
    else:
        found = _lacks(existing, copy)
        yield from (f"`{name}`: {step}" for step in found.steps)
        if found.lines:
            yield _with(f"Add to `{name}` what the commands read there:", add)
        if old:
            yield _with(f"Take over into `{name}` what it lacks of {_named(old)}, then:", f"git rm {' '.join(old)}")


def _code(existing: Existing, copy: Copy) -> Iterator[str]:
    package = str(copy.answers["package_name"])
    source, wanted = f"{existing.prefix}src", f"{existing.prefix}src/{package}"
    found = existing.package
    if (existing.source / "src" / package).is_dir():
        found = existing.source / "src" / package
    elif found is None:
        yield f"The code is expected in `{wanted}/`, one package; here is {_named(p.name for p in existing.packages)}."
    elif found.is_file():
        move = f"git mv {found.relative_to(existing.root).as_posix()} {wanted}/__init__.py"
        yield _with("The code is expected in a package below src/:", f"mkdir -p {wanted}", move)
    else:
        move = f"git mv {found.relative_to(existing.root).as_posix()} {wanted}"
        yield _with(f"The package is expected below src/, as `{package}`:", f"mkdir -p {source}", move)
    if found and found.stem != package:
        yield f"`{found.stem}` is called `{package}` then: change imports, entry points, and what else names it."
    if found and found.is_dir() and not (found / "__init__.py").exists():
        path = (found / "__init__.py").relative_to(existing.root)
        yield f"A package has an `__init__.py`: make `{path}`; it may be empty."

    if not any(re.search(r"(^|/)test_[^/]*\.py$|_test\.py$", name) for name in _tracked(existing)):
        example = f"{FRESH}/{existing.prefix}tests/test_package.py"
        yield f"`make check` finds no tests: begin with one in `{existing.prefix}tests/`, such as `{example}`."
    slug, has_web = copy.answers["project_slug"], bool({"docker", "desktop"} & set(copy.answers["targets"]))
    command = f"{slug}-duration" if has_web else slug
    check = existing.root / "scripts/check-wheel.sh"
    check = check if check.exists() else copy.folder / "scripts/check-wheel.sh"
    text = check.read_text(encoding="utf-8", errors="replace") if "library" in copy.answers["targets"] else ""
    if f'/bin/{command}"' in text and command not in existing.metadata.get("scripts", {}):
        yield f"`scripts/check-wheel.sh` runs `{command} --version`, and there is no such command: change that line."


def _files(existing: Existing, copy: Copy, plan: Plan) -> Iterator[str]:
    for name, obstacle in plan.blocked.items():
        yield _with(f"`{obstacle}` is in the way of `{name}`. Move it, then:", *_take(name))
    compare = []
    for name, there in plan.kept.items():
        if name.startswith(("scripts/", ".gitea/workflows/")):
            yield _with(
                f"`{there}` is yours, and what was added counts on the template's. Rename yours, then:", *_take(name)
            )
        elif name == "Makefile":
            yield _makefile(copy, existing.root / there, there)
        elif name == ".gitignore":
            if _not_ignored(existing, copy):
                yield _with("Let git leave out what the commands make:", f"cat {LINES}/{name} >>{name}")
        elif name == ".pre-commit-config.yaml":
            text = f"From `make setup` on commits run `{there}`, which is yours. To run what `make check` runs:"
            yield _with(text, *_take(name))
        elif name == ".dockerignore" and there == "Dockerfile":
            yield "`.dockerignore` was not added, for it leaves out what your Dockerfile may copy."
        elif name in (f"{existing.prefix}README.md", f"{existing.prefix}LICENSE") and there != name:
            if "docker" in copy.answers["targets"] and "Dockerfile" not in plan.kept:
                yield f"The Dockerfile copies `{name}`, and yours is `{there}`: rename it, also in pyproject.toml."
        elif name == "CHANGELOG.md" and there != name:
            yield f"A release candidate writes `CHANGELOG.md`, and yours is `{there}`: rename it if you want that."
        elif name in MATTERS:
            compare.append(f"diff {there} {FRESH}/{name}  # {MATTERS[name]}")
    if compare:
        yield _with("Compare these of yours with the template's:", *compare)
    added = {path.name for path in (copy.folder / "scripts").rglob("*")}
    own = [path for path in sorted((existing.root / "scripts").glob("*")) if path.suffix in {".sh", ".py"}]
    if more := [f"scripts/{path.name}" for path in own if path.name not in added]:
        yield f"`make check` looks at all of scripts/ (shellcheck, mypy), also at {_named(more)}."


def _makefile(copy: Copy, path: Path, name: str) -> str:
    goals = re.compile(r"^([A-Za-z][\w-]*)\s*:(?!=)", re.MULTILINE)
    own = set(goals.findall(path.read_text(encoding="utf-8", errors="replace")))
    both = sorted(own & set(goals.findall((copy.folder / "Makefile").read_text(encoding="utf-8"))))
    clash = f" What both have is the template's then, with a warning: {_named(both)}." if both else ""
    text = (
        f"`{name}` is yours, and the workflows call the template's. Have both, for make reads GNUmakefile first.{clash}"
    )
    move = [f"git mv {name} GNUmakefile"] if name != "GNUmakefile" else []
    return _with(text, *move, *_take("Makefile"), "echo 'include Makefile' >>GNUmakefile")


def _targets(existing: Existing, copy: Copy) -> Iterator[str]:
    targets, package = set(copy.answers["targets"]), str(copy.answers["package_name"])
    folder, prefix = f"{existing.prefix}src/{package}", f"{package.upper()}_"
    before = existing.package if existing.package and existing.package.is_dir() else existing.root / folder
    if "docker" in targets and not (before / "__main__.py").exists():
        variables = _named(f"{prefix}{name}" for name in ("HOST", "PORT", "DATA_DIR"))
        yield (
            f"The image sets {variables}, starts `python -m {package}`, and asks `/health` on that port."
            f" Write `{folder}/__main__.py` to suit, or change `CMD` and `HEALTHCHECK`."
        )
    if "desktop" in targets and not (before / "instance.py").exists():
        yield (
            "Launchers and updates talk to the app as the starter code does: take over `instance.py`, and what of"
            f" `server.py` uses it, from `{FRESH}/{folder}/`."
        )
    if copy.answers.get("frontend"):
        path = existing.root / "frontend/package.json"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if missing := [name for name in ("build", "check", "format", "lint") if f'"{name}":' not in text]:
            yield (
                f"The Makefile runs npm scripts that `frontend/package.json` lacks: {_named(missing)}."
                f" `build` writes into `{folder}/static/`."
            )


def _git(existing: Existing, copy: Copy, plan: Plan) -> Iterator[str]:
    if ".gitattributes" in plan.added and "i/crlf" in git(existing.root, "ls-files", "--eol"):
        yield _with("Files with CRLF become LF now, in a commit of their own:", "git add --renormalize .")
    if ".gitignore" in plan.added:
        excluded = git(
            existing.root, "ls-files", "--cached", "--ignored", f"--exclude-from={copy.folder / '.gitignore'}"
        )
        if names := excluded.splitlines():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"The new `.gitignore` matches files of the repository: {_named(names[:3])}{more}. Change it."
    if hidden := _hidden(existing.root, [*plan.added, *plan.same, ANSWERS]):
        text = "What git is told to ignore here hides files of the template. To have them in the repository:"
        yield _with(text, f"git add --force {' '.join(hidden)}")


def _hidden(root: Path, names: Iterable[str]) -> list[str]:
    """Give what git ignores and does not have yet; it looks at no path through a symbolic link."""
    paths = [((root / name).parent.resolve() / Path(name).name).relative_to(root).as_posix() for name in names]
    return git(root, "check-ignore", "--", *paths).splitlines()


def _rules(existing: Existing, plan: Plan) -> Iterator[str]:
    prefix = existing.prefix
    if f"{prefix}pyproject.toml" in plan.added:
        ruff = "scripts/uv.sh run --no-sync ruff check --add-noqa --exit-zero --config pyproject.toml src tests"
        yield _with(
            f"The rules for the code in `{prefix}pyproject.toml` are strict. To be strict with what comes and leave the"
            f" rest as it is, {STRICT}, and after `make setup`:",
            "make format",
            f"(cd {prefix.rstrip('/')} && ../{ruff})" if prefix else ruff,
            "make format",
        )


def _tracked(existing: Existing) -> list[str]:
    return git(existing.root, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()


def _take(name: str) -> list[str]:
    return [f"cp {FRESH}/{name} {name}"]


def _not_ignored(existing: Existing, copy: Copy) -> list[str]:
    """Give the template's lines of .gitignore that the project's own lacks."""
    fresh, own = (
        folder.joinpath(".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
        for folder in (copy.folder, existing.root)
    )
    return [line for line in fresh if line not in own]


def _named(names: Iterable[Any]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _with(text: str, *commands: str) -> str:
    return "\n\n".join([text, "\n".join(f"    {command}" for command in commands)]) if commands else text
