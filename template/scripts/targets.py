"""Print the flags of uv for one target: which extras and dependency groups [tool.<name>.targets] in pyproject.toml gives it.

`targets.py image` prints for example `--extra app --group plugins`.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class TargetError(Exception):
    """The table cannot be read; the message says what would be right."""


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise TargetError(f"{path.name}: {error}") from None


def find_pyproject() -> Path:
    """Find the one with a project in it: another may have settings of tools only."""
    found = [*ROOT.glob("pyproject.toml"), *sorted(ROOT.glob("*/pyproject.toml"))]
    if not found:
        raise TargetError("pyproject.toml is missing.")
    return next((path for path in found if "project" in read_toml(path)), found[0])


def read_pyproject(pyproject: Path) -> tuple[str, dict[str, Any]]:
    """Read what the project is called, and all that stands beside it."""
    content = read_toml(pyproject)
    name = content.get("project", {}).get("name")
    if not isinstance(name, str):
        raise TargetError(f'{pyproject.name}: [project] has no name; write for example name = "my-app".')
    return name, content


def find_tables(pyproject: Path) -> dict[str, Any]:
    """Read the table of targets, whatever the project is called."""
    name, content = read_pyproject(pyproject)
    targets = content.get("tool", {}).get(name, {}).get("targets")
    if not isinstance(targets, dict):
        raise TargetError(f"{pyproject.name}: the table [tool.{name}.targets] is missing.")
    return targets


def flags(targets: dict[str, Any], target: str) -> list[str]:
    """Give uv's flags for `target`; the group `dev` is in only where it is named."""
    table = targets.get(target)
    if not isinstance(table, dict):
        raise TargetError(f"There is no target {target!r}; pyproject.toml has {', '.join(targets)}.")
    result: list[str] = []
    for key, flag in (("extras", "--extra"), ("groups", "--group")):
        names = table.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TargetError(
                f'The target {target!r} in pyproject.toml: {key} must be a list of names, for example ["app"].'
            )
        for name in names:
            result += [flag, name]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="tests, image or bundles, as pyproject.toml has them")
    parser.add_argument("--pyproject", type=Path, help="the file to read (otherwise the project's)")
    arguments = parser.parse_args()
    try:
        print(" ".join(flags(find_tables(arguments.pyproject or find_pyproject()), arguments.target)))
    except TargetError as error:
        print(f"targets: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
