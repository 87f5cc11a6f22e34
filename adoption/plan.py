"""What of the template goes where: a fresh copy, compared with a project, file by file."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier
import yaml
from copier.errors import CopierError

from adoption import AdoptionError
from adoption.existing import run_git

ANSWERS = ".copier-answers.yml"
# What Copier says of an answer, and what to do about it.
HINTS = {
    r"(?i)question|invalid choice": "(say it with -d NAME=VALUE)",
    r"Not a YAML list": "(a list looks like [docker, library])",
    r"Local template must be a directory": "(give its address, or the folder of a clone)",
    r"Unknown revision": "(--vcs-ref takes a tag, a branch or a commit of the template)",
}
# What stands for a file of the template under another name, in whichever letters.
INSTEAD = {
    "LICENSE": r"(licen[sc]e|copying)(?!.*\.py$).*",
    "README.md": r"readme(\.md|\.rst|\.txt)?",
    "CHANGELOG.md": r"(changelog|changes|history|news)(\.md|\.rst|\.txt)?",
    "Makefile": r"(gnu)?makefile",
    "compose.yaml": r"(docker-)?compose\.ya?ml",
}


@dataclass(frozen=True)
class Copy:
    """A fresh copy of the template, and what Copier knows of it."""

    folder: Path
    answers: dict[str, Any]
    once: tuple[str, ...]  # what an update leaves alone where it exists
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Where each file of a fresh copy goes. `kept` and `blocked` name what is there instead."""

    added: tuple[str, ...]
    same: tuple[str, ...]
    kept: Mapping[str, str]
    blocked: Mapping[str, str]

    def own_files(self, copy: Copy) -> list[str]:
        """Give the patterns of what updates must leave alone; what the template writes only once is safe anyway."""
        kept = [name for name, there in self.kept.items() if name != there or Path(name).name not in copy.once]
        paths = sorted({*kept, *self.blocked.values()})
        return [f"/{path}" for path in paths]


def fresh_copy(
    template: str,
    folder: Path,
    data: Mapping[str, Any],
    *,
    offered: Mapping[str, Any] | None = None,
    ask: bool = False,
    ref: str | None = None,
) -> Copy:
    """Let Copier copy the template, without trust in it; `offered` are the answers to take, or to be asked about."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Copier's own of Python
            worker = copier.run_copy(
                template,
                folder,
                data=dict(data),
                user_defaults=dict(offered or {}),
                defaults=not ask,
                quiet=True,
                vcs_ref=ref,
            )
    except KeyboardInterrupt:  # at a question it is an error of Copier's as well
        raise
    except (CopierError, ValueError, TypeError) as error:
        said = _last_line(error)
        hints = [hint for pattern, hint in HINTS.items() if re.search(pattern, said)]
        raise AdoptionError(" ".join([said, *hints])) from None
    except Exception as error:  # what git says goes through plumbum, whose errors Copier hands on
        if type(error).__module__.partition(".")[0] != "plumbum":
            raise
        raise AdoptionError(f"{template} cannot be copied: {_last_line(error)}") from None
    path = folder / ANSWERS
    if not path.exists():
        raise AdoptionError(f"{template} is no template that can be updated: it writes no {ANSWERS}.")
    asked = worker.template.questions_data.items()
    questions = tuple(name for name, question in asked if question.get("when") is not False)
    if not questions:  # what a template has made, for example
        raise AdoptionError(f"{template} is no template: it has no questions.")
    answers = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not is_ours(answers or ()):
        raise AdoptionError(f"{template} is another template: adopt-project is for gitea-py-template.")
    return Copy(folder, answers, tuple(worker.template.skip_if_exists), questions)


def is_ours(answers: Iterable[str]) -> bool:
    """Say whether the answers are to this template's questions, of which these are read here."""
    return {"project_name", "project_slug", "package_name", "source_dir", "targets", "license"} <= set(answers)


def make_plan(copy: Copy, root: Path) -> Plan:
    """Compare the fresh copy with the project below `root`."""
    added, same, kept, blocked = [], [], {}, {}
    for path in sorted(copy.folder.rglob("*")):
        name = path.relative_to(copy.folder).as_posix()
        if path.is_dir() or name == ANSWERS or is_starter(name, copy.answers):
            continue
        target = root / name
        if obstacle := _obstacle(root, name):
            blocked[name] = obstacle
        elif instead := _instead(target):
            kept[name] = instead.relative_to(root).as_posix()
        elif not target.exists():
            added.append(name)
        elif target.read_bytes() == path.read_bytes():
            same.append(name)
        else:
            kept[name] = name
    if "Dockerfile" in kept and ".dockerignore" in added:  # the template's leaves out all that its Dockerfile needs not
        added.remove(".dockerignore")
        kept[".dockerignore"] = "Dockerfile"
    return Plan(tuple(added), tuple(same), kept, blocked)


def is_starter(name: str, answers: Mapping[str, Any]) -> bool:
    """Say whether this is code to begin with, of which an existing project has its own."""
    prefix = "" if answers["source_dir"] == "." else f"{answers['source_dir']}/"
    return name.startswith((f"{prefix}src/", f"{prefix}tests/", "frontend/"))


def is_settled(name: str, copy: Copy, root: Path) -> bool:
    """Say whether a file is the template's by now, with lines of the project's below it or without."""
    mine, fresh = root / name, copy.folder / name
    if fresh.is_dir():  # a file was in the way of the folder, or the pattern was written by hand
        below = [path.relative_to(copy.folder).as_posix() for path in fresh.rglob("*") if path.is_file()]
        return not _leaves(root, mine) and all(is_settled(path, copy, root) for path in below)
    return mine.is_file() and fresh.is_file() and mine.read_bytes().startswith(fresh.read_bytes())


def add(plan: Plan, copy: Copy, root: Path, changed: Mapping[str, str]) -> None:
    """Write what is not there, some of it changed. The answers come last: a project that has them has everything."""
    for name in [*plan.added, ANSWERS]:
        source, target = copy.folder / name, root / name
        content = changed[name].encode() if name in changed else source.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:  # whoever made it in the meantime keeps it
            stream.write(content)
        shutil.copymode(source, target)


def with_own_files(text: str, own: Sequence[str]) -> str:
    """Put the list into a file of answers, in the form in which Copier writes it; the comment at its top stays."""
    answers = {name: value for name, value in yaml.safe_load(text).items() if name != "own_files"}
    if own:
        answers["own_files"] = list(own)
    (comment,) = re.findall(r"\A(?:#.*\n)*", text)
    written: str = comment + yaml.safe_dump(answers, indent=4, allow_unicode=True, default_flow_style=False)
    if yaml.safe_load(written) != answers:
        raise AdoptionError(f"own_files in {ANSWERS} cannot be changed: write {json.dumps(list(own))} there.")
    return written


def _obstacle(root: Path, name: str) -> str:
    """Give what is in the way: no folder of the project where one is needed, or a folder where a file is."""
    parents = [root.joinpath(*Path(name).parts[:depth]) for depth in range(1, len(Path(name).parts))]
    found = [
        path for path in parents if ((path.exists() or path.is_symlink()) and not path.is_dir()) or _leaves(root, path)
    ]
    if not found and ((root / name).is_dir() or ((root / name).is_symlink() and not (root / name).exists())):
        found = [root / name]
    return found[0].relative_to(root).as_posix() if found else ""


def _leaves(root: Path, path: Path) -> bool:
    """Say whether a symbolic link leads out of the project."""
    return not path.resolve().is_relative_to(root.resolve())


def _instead(target: Path) -> Path | None:
    """Give the file that stands for `target` under another name, or in other letters."""
    if not target.parent.is_dir() or (
        target.exists() and target.name in {path.name for path in target.parent.iterdir()}
    ):
        return None
    there = [path for path in sorted(target.parent.iterdir()) if path.is_file()]
    same = [path for path in there if path.name.lower() == target.name.lower()]
    found = [path for path in there if re.fullmatch(INSTEAD.get(target.name, ""), path.name.lower())]
    return next(iter([*same, *found]), None)


def _last_line(error: Exception) -> str:
    said = str(getattr(error, "stderr", "") or error).strip().splitlines()
    return said[-1].strip() if said else type(error).__name__


def uncommitted(root: Path) -> int:
    """Count what is not committed below `root`, files that git does not know among it."""
    result = run_git(root, "status", "--porcelain")
    if "not a git repository" in result.stderr:
        raise AdoptionError(f"{root} is no git repository: git init, and commit what you have.")
    if result.returncode != 0:
        raise AdoptionError(f"{root} cannot be read by git: {' '.join(result.stderr.split())}")
    return len(result.stdout.splitlines())
