"""The command: adopt-project [OPTIONS] [TEMPLATE] [FOLDER]."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from adoption import AdoptionError, existing, packaging_file, steps
from adoption.existing import Existing
from adoption.plan import (
    ANSWERS,
    Copy,
    Plan,
    add,
    fresh_copy,
    is_ours,
    is_settled,
    make_plan,
    uncommitted,
    with_own_files,
)

DISTRIBUTION = "gitea-py-template"
MARK = "*\n# Made by adopt-project; of no use once the steps in report.md are done.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        run(options)
    except AdoptionError as error:
        print(f"adopt-project: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("adopt-project: stopped; git status says whether something was added.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="adopt-project",
        description="Give a project that exists what the template puts around its code: workflows, scripts, Makefile. "
        "What is there stays as it is. A second run says what is left to do by hand.",
    )
    parser.add_argument("template", nargs="?", help="its address; otherwise the one that this program came from")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="the project (otherwise this folder)")
    parser.add_argument("-d", "--data", action="append", default=[], metavar="NAME=ANSWER", help="answer a question")
    parser.add_argument("--defaults", action="store_true", help="ask nothing: take what the project says, and defaults")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be added, and what is to be done")
    parser.add_argument("--vcs-ref", metavar="REF", help="the version of the template (otherwise the newest)")
    return parser


def run(options: argparse.Namespace) -> None:
    root = options.folder.resolve()
    if not root.is_dir():
        raise AdoptionError(f"{options.folder} is no folder.")
    changes = uncommitted(root)
    if Path(existing.git(root, "rev-parse", "--show-toplevel")).resolve() != root:
        raise AdoptionError(f"{options.folder} is not the top of its git repository: go there.")
    with tempfile.TemporaryDirectory(prefix="adopt-project-") as folder:
        if (root / ANSWERS).exists():
            look_again(root, Path(folder), dry_run=options.dry_run)
            return
        if changes and not options.dry_run:
            files = "1 file is" if changes == 1 else f"{changes} files are"
            raise AdoptionError(f"{files} not committed: commit first, so that you see what is added.")
        data = _data(options.data)
        found = existing.read(root, data.get("source_dir"))
        template, version = _template(options.template)
        copy = fresh_copy(
            template,
            Path(folder, "fresh"),
            data,
            offered=existing.answers(found),
            ask=not options.defaults,
            ref=options.vcs_ref or version,
        )
        if unknown := [name for name in data if name not in copy.questions]:
            raise AdoptionError(f"-d {unknown[0]}: there is no such question; there are {', '.join(copy.questions)}.")
        found = existing.read(root, copy.answers["source_dir"])
        plan = make_plan(copy, root)
        changed = {ANSWERS: with_own_files((copy.folder / ANSWERS).read_text(encoding="utf-8"), plan.own_files(copy))}
        if (name := f"{found.prefix}pyproject.toml") in plan.added:
            changed[name] = packaging_file.fitted((copy.folder / name).read_text(encoding="utf-8"), found)
        text, lines = report(found, copy, plan, dry_run=options.dry_run), steps.lines(found, copy, plan)
        if not options.dry_run:
            keep_aside(root, copy, text, lines)
            add(plan, copy, root, changed)
        print(text)


def look_again(root: Path, folder: Path, *, dry_run: bool) -> None:
    """Say what is left of the steps. Adds nothing; files that have become the template's are taken off `own_files`."""
    try:
        content = yaml.safe_load((root / ANSWERS).read_text(encoding="utf-8"))
        template, version = str(content["_src_path"]), str(content["_commit"])
        answers = {name: value for name, value in content.items() if name[0] != "_"}
        own = answers.pop("own_files", None) or []
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise AdoptionError(f"{ANSWERS} cannot be read, patterns with * or ! need quotes: {said}") from None
    except (OSError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise AdoptionError(f"{ANSWERS} does not say where its template is ({str(error).splitlines()[0]}).") from None
    if not is_ours(answers):
        raise AdoptionError(f"{ANSWERS} is of another template ({template}): the project can have one of them only.")
    if not isinstance(own, list):
        raise AdoptionError(f"own_files in {ANSWERS} is a list, one pattern a line: - /Makefile")
    own = [str(pattern) for pattern in own]
    copy = fresh_copy(template, folder / "fresh", answers, ref=version)
    plan = make_plan(copy, root)
    settled = [pattern for pattern in own if is_settled(pattern.removeprefix("/"), copy, root)]
    own = [pattern for pattern in own if pattern not in settled]
    kept = {name: there for name, there in plan.kept.items() if f"/{name}" in own}
    plan = Plan((), plan.same, kept, plan.blocked)
    found = existing.read(root, copy.answers["source_dir"])
    text, lines = report(found, copy, plan, dry_run=dry_run, settled=settled), steps.lines(found, copy, plan)
    changed = with_own_files((root / ANSWERS).read_text(encoding="utf-8"), own) if settled else ""
    if not dry_run:
        keep_aside(root, copy, text, lines)
        if changed:
            (root / ANSWERS).write_text(changed, encoding="utf-8")
    print(text)


def keep_aside(root: Path, copy: Copy, text: str, lines: Mapping[str, str]) -> None:
    """Keep the fresh copy and the report below build/, where neither git nor a tool looks, for comparing."""
    aside = root / steps.ASIDE
    if (aside.exists() and not (aside / ".gitignore").exists()) or (root / "build").is_file():
        raise AdoptionError(f"{steps.ASIDE} is there already, and not this program's: move it away.")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    (aside / ".gitignore").write_text(MARK, encoding="utf-8")
    shutil.copytree(copy.folder, root / steps.FRESH)
    (aside / "report.md").write_text(text, encoding="utf-8")
    (root / steps.LINES).mkdir()
    for name, added in lines.items():
        (root / steps.LINES / name).write_text(added, encoding="utf-8")


def report(found: Existing, copy: Copy, plan: Plan, *, dry_run: bool, settled: Sequence[str] | None = None) -> str:
    """Give the report as Markdown; `settled`, in a second look, are files that are the template's by now."""
    lines = [f"# {copy.answers['project_name']} and its template, {copy.answers['_commit']}", ""]
    if settled is None:
        said = [
            f"{name}={_short(copy.answers[name])}"
            for name in ("project_slug", "package_name", "source_dir", "targets", "license")
        ]
        lines += [_filled(f"Answers, among others: {', '.join(said)}."), ""]
        lines += [
            f"## {'Would be added' if dry_run else 'Added'}: {len(plan.added) + 1} files",
            "",
            *_listed([*plan.added, ANSWERS]),
            "",
        ]
        if plan.same:
            lines += ["## There already, and the same", "", *_listed(plan.same), ""]
    if settled:
        what = "can be taken off `own_files`" if dry_run else "are off `own_files`: updates bring changes into them"
        lines += [f"## The template's by now, and {what}", "", *_listed([name[1:] for name in settled]), ""]
    if plan.kept:
        lines += ["## Yours, kept as they are", ""]
        lines += [
            f"- {there}" + (f", in place of {name}" if there != name else "") for name, there in plan.kept.items()
        ]
        lines += [
            "",
            _filled(
                f"`own_files` in {ANSWERS} names those that updates never touch. Take one off that list, and"
                " updates bring the template's changes into it."
            ),
            "",
        ]
    todo = list(steps.steps(found, copy, plan))
    lines += ["## To do by hand, in this order" if todo else "## Nothing is left to do by hand", ""]
    for number, step in enumerate(todo, start=1):
        first_part, *others = step.split("\n\n")
        lines.append(
            textwrap.fill(
                first_part,
                110,
                initial_indent=f"{number}. ",
                subsequent_indent="   ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
        for part in others:
            lines += [
                "",
                textwrap.indent(part, "   ") if part.startswith("    ") else textwrap.indent(_filled(part), "   "),
            ]
        lines.append("")
    lines += ["Then:", "", "    make setup", "    make check", ""]
    if not dry_run:
        lines += [
            _filled(
                f"The template's version of everything is in {steps.FRESH}/, this report in {steps.ASIDE}/report.md."
                f" Run adopt-project again to see what is left; in the end delete {steps.ASIDE}/."
            )
        ]
    return "\n".join(lines)


def _filled(text: str) -> str:
    return textwrap.fill(text, 110, break_long_words=False, break_on_hyphens=False)


def _listed(names: Sequence[str]) -> list[str]:
    """Give files, those of one folder in one line."""
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(str(Path(name).parent), []).append(Path(name).name)
    return [
        textwrap.fill(
            ("" if folder == "." else f"{folder}/: ") + " ".join(sorted(files)),
            110,
            initial_indent="- ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        for folder, files in sorted(folders.items())
    ]


def _short(value: object) -> str:
    return json.dumps(value) if isinstance(value, list) else str(value)


def _data(given: Sequence[str]) -> dict[str, Any]:
    """Read NAME=ANSWER as Copier does."""
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise AdoptionError(f"-d {text}: write NAME=ANSWER, for example -d targets=[docker].")
        try:
            found[name] = yaml.safe_load(value) if value.startswith("[") else value
        except yaml.YAMLError:
            raise AdoptionError(f"-d {text}: a list looks like [docker, library].") from None
    return found


def _template(given: str | None) -> tuple[str, str | None]:
    """Give the template's address and version: the given address, or from where this program was installed."""
    if given is not None:
        return (str(Path(given).resolve()) if Path(given).is_dir() else given), None
    try:
        origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        origin = {}
    if "vcs_info" not in origin:
        raise AdoptionError("Say which template: adopt-project https://gitea.example.com/org/gitea-py-template.git")
    url = str(origin["url"])
    return url if url.endswith(".git") else f"git+{url}", origin["vcs_info"].get("requested_revision")
