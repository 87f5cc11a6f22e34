"""What scripts/release.py does, one module for each part of a release; parts of targets that the project has not are not there."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path


class ReleaseError(Exception):
    """A command cannot do what was asked; the message is one line that says what to do next."""


# Whose values are never printed, whatever an answer or a program says.
SECRET = re.compile(r".*(TOKEN|PASSWORD|SECRET|SIGNING_KEY|WEBHOOK_URL)")


def mask(text: str) -> str:
    """Replace the values of secrets in the environment, and what a terminal would take for a command."""
    values = [value for name, value in os.environ.items() if SECRET.fullmatch(name) and len(value) >= 4]
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


def say(text: str) -> None:
    print(mask(text), flush=True)


def warn(text: str) -> None:
    """Say what went wrong and stops nothing; a workflow's page shows it apart."""
    print(mask(f"::warning::{text}" if in_workflow() else f"warning: {text}"), flush=True)


def one_line(text: str, limit: int = 200) -> str:
    """Give the beginning of what a program or a server said, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def in_workflow() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def output(**values: str | bool) -> None:
    """Hand values on to later steps and jobs of a workflow."""
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        lines = [
            f"{name}={str(value).lower() if isinstance(value, bool) else value}\n" for name, value in values.items()
        ]
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(lines)


def secret(name: str) -> str:
    """Read a secret from the environment; empty where it is not set, as a workflow hands on what nobody has set."""
    value = os.environ.get(name, "").strip()
    if any(not character.isprintable() for character in value):
        raise ReleaseError(f"{name} holds line ends or other control characters: set the secret again, without them.")
    return value


def setting(name: str, default: str) -> str:
    """Read a variable of Actions from the environment; an empty one is as good as none."""
    return os.environ.get(name, "").strip() or default


def fail(error: object, program: str = "release") -> int:
    print(f"{program}: {mask(one_line(str(error), 600))}", file=sys.stderr)
    return 1


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    text: str,
    run: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    """Add a command with the options that all of them have."""
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
    command.add_argument(
        "--tag", help="the release, for example v1.2.3 (otherwise RELEASE_TAG, or the tag of this commit)"
    )
    command.add_argument("--dry-run", action="store_true", help="look, and say what would be done; change nothing")
    command.set_defaults(run=run)
    return command
