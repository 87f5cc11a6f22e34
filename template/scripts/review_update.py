# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.18", "pyyaml>=6"]
# ///
"""Say what the last `copier update` did not keep of what is yours; it changes nothing.

Copier ends without a word where it removes a file in which you wrote (a target is switched off, a file has another name), replaces a
file that is no text, or brings back what you deleted. So this looks at all that the project had of its own before the update: what git
has in HEAD, without what the template wrote into it. It also names modules of the template's that went and that code of yours imports.
After a commit: --since HEAD~1. The status is 1 where something is missing.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import yaml

ROOT = Path(__file__).parents[1]
ANSWERS = ".copier-answers.yml"


class ReviewError(Exception):
    """The review cannot be made; the message is one line."""


def not_kept(tree: Path, since: str = "HEAD") -> list[str]:
    """Give a line for each file of which something is missing in `tree` that `since` had and no template wrote."""
    with _checked_out(tree, since) as before, tempfile.TemporaryDirectory() as folder:
        template = _rendered(before, Path(folder, "template"))
        names = _git(before, "ls-files", "-z").split("\0")
        had = {name for name in names if name and name != ANSWERS and (before / name).is_file()}
        lines = [
            line
            for name in sorted(had)
            if (line := _missing(name, _read(template / name), _read(before / name) or b"", _read(tree / name)))
        ]
        wrote = {path.relative_to(template).as_posix() for path in template.rglob("*") if path.is_file()}
        lines += [
            f"{name}: there again, you had deleted it"
            for name in sorted(wrote - had - {ANSWERS})
            if (tree / name).exists()
        ]
    return lines + _still_imported(tree, {name for name in had if not (tree / name).exists()})


def _still_imported(tree: Path, gone: set[str]) -> list[str]:
    """Give a line for each module that went while Python code that is there imports it."""
    modules = {module: name for name in gone if (module := _module(name))}
    if not modules:
        return []
    users: dict[str, list[str]] = {}
    for name in sorted(set(_git(tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"))):
        path = tree / name
        if name.endswith(".py") and path.is_file():
            for module in modules.keys() & set(_imports(path, _module(name))):
                users.setdefault(modules[module], []).append(name)
    return [f"{name}: gone, and still imported by {', '.join(users[name])}" for name in sorted(users)]


def _module(name: str) -> str:
    """Say how a file is imported: src/app/page.py is app.page; nothing where it is no module of the project's."""
    path = PurePosixPath(name)
    if path.suffix != ".py" or "src" not in path.parts:
        return ""
    parts = path.with_suffix("").parts[path.parts.index("src") + 1 :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, module: str) -> Iterator[str]:
    """Give the names of all modules that a file may mean in its imports."""
    try:
        parsed = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # with marks of a conflict, which other checks tell of
        return
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _missing(name: str, template: bytes | None, before: bytes, now: bytes | None) -> str:
    """Say what of one file is missing: nothing where it is as it was, or as the template made it."""
    if before in (template, now):
        return ""
    if b"\0" in before:
        return f"{name}: {'gone' if now is None else 'replaced'}, it was a file of yours"
    own = Counter(before.splitlines()) - Counter((template or b"").splitlines())
    missing = [line for line in own - Counter((now or b"").splitlines()) if line.strip()]
    if not missing:
        return f"{name}: gone, you had shortened it" if now is None else ""
    first = missing[0].decode(errors="replace").strip()[:60]
    which = "gone, with" if now is None else "without"
    return f"{name}: {which} {len(missing)} line{'s' if len(missing) > 1 else ''} of yours, such as `{first}`"


def _rendered(before: Path, folder: Path) -> Path:
    """Render the version of the template that the project had, with the answers that it had."""
    try:
        content = yaml.safe_load((before / ANSWERS).read_text(encoding="utf-8"))
        source, version = str(content["_src_path"]), str(content["_commit"])
        answers = {name: value for name, value in content.items() if not name.startswith("_")}
    except (OSError, KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError):
        raise ReviewError(f"{ANSWERS} did not say where the template is.") from None
    data = folder.with_name("answers.yml")
    data.write_text(yaml.safe_dump(answers), encoding="utf-8")
    # As a process of its own: git then has the environment as it is now, with a token for the template where there is one.
    command = [sys.executable, "-m", "copier", "copy", "--defaults", "--quiet", "--vcs-ref", version]
    command += ["--data-file", str(data), source, str(folder)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)  # noqa: S603
    if result.returncode != 0:
        raise ReviewError(f"{version} of the template cannot be had: {' '.join(result.stderr.split())[-300:]}")
    return folder


def _read(path: Path) -> bytes | None:
    """Give a file's content, line ends apart; git keeps those."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")


@contextmanager
def _checked_out(tree: Path, commit: str) -> Iterator[Path]:
    if not shutil.which("git"):
        raise ReviewError("git is missing; install it (apt install git).")
    try:
        _git(tree, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    except ReviewError:
        raise ReviewError(f"{commit!r} is no commit of this project: write for example HEAD~1.") from None
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "before")
        _git(tree, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(before), commit)
        try:
            yield before
        finally:
            _git(tree, "worktree", "remove", "--force", str(before))


def _git(tree: Path, *arguments: str) -> str:
    command = ["git", "-C", str(tree), *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True, errors="surrogateescape")  # noqa: S603
    if result.returncode != 0:
        raise ReviewError(f"git: {' '.join(result.stderr.split())[-300:]}")
    return result.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--since", metavar="COMMIT", default="HEAD", help="the project before the update (HEAD)")
    options = parser.parse_args()
    try:
        lines = not_kept(ROOT, options.since)
    except ReviewError as error:
        print(f"review-update: {error}", file=sys.stderr)
        return 2
    if not lines:
        print("All that is yours is still there.")
        return 0
    print("\n".join(["Not kept:", *(f"  {line}" for line in lines)]))
    print(f"Take a file back with: git restore --source={options.since} FILE")
    return 1


if __name__ == "__main__":
    sys.exit(main())
