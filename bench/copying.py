"""How long do a copy of the template and a copy of `cookiecutter-uv` take, and each combination of answers?"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import copier
from plumbum import local

from bench.measure import Table, Times, commit, files, row, run, timed
from tests.answers import TARGETS, Answers, answers_id
from tests.support.rendering import compiled_once
from tests.support.tools import cache, check_sha256, made_once, uv

BIN = Path(sys.executable).parent
LOCK = Path(__file__).resolve().parents[1] / "uv.lock"
OTHER = "cookiecutter-uv"
RATIO, IN_ALL, EACH = 0.8, 1.0, 0.4  # to be kept: per file, compared; seconds for a copy; seconds for a combination
AGAIN = 8  # times that a combination above its bound gets another chance


def committed(repository: Path, folder: Path) -> Path:
    """Clone what is committed, packed as from a server."""
    run(["git", "clone", "--quiet", "--no-local", repository, folder])
    return folder


def other_template() -> Path:
    """Give the template of cookiecutter-uv as a repository; the sdist on PyPI has it, the wheel only the command."""
    name = f"{OTHER.replace('-', '_')}-{metadata.version(OTHER)}"

    def unpack(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as downloads:
            sdist: list[str | Path] = ["--no-deps", "--no-binary", ":all:", "--dest", downloads]
            command = [uv(), "tool", "run", "--python", sys.executable, "pip", "download", *sdist]
            run([*command, f"{OTHER}=={metadata.version(OTHER)}"])
            packages = tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"]
            (expected,) = (package["sdist"]["hash"] for package in packages if package["name"] == OTHER)
            packed = check_sha256(Path(downloads) / f"{name}.tar.gz", expected.removeprefix("sha256:"))
            folder.mkdir()
            run(["tar", "--no-same-owner", "-xzf", packed, "-C", folder])
        commit(folder / name, force=True)

    return made_once(cache("bench", name), unpack) / name


def bare_template(folder: Path, count: int) -> Path:
    """Make a template of `count` empty files that asks nothing: what Copier itself takes, whatever a template does."""
    (folder / "template").mkdir(parents=True)
    (folder / "copier.yml").write_text("_subdirectory: template\n")
    for number in range(count):
        (folder / f"template/{number}").touch()
    commit(folder, force=True)
    return folder


def compare_copies(template: Path, scratch: Path, runs: int) -> Table:
    """Copy both templates in turns as a user does: in a process of its own, from a repository, which is cloned."""
    folders = {name: scratch / name for name in ("default", "all", "bare", "other", "cookiecutters", "replay")}
    config = scratch / "cookiecutter.yml"  # so that it clones each time, and leaves this user's folders alone
    config.write_text(f"cookiecutters_dir: {folders['cookiecutters']}\nreplay_dir: {folders['replay']}\n")
    copy: list[str | Path] = [BIN / "copier", "copy", "--defaults", "--quiet", "--vcs-ref=HEAD"]
    cookiecutter: list[str | Path] = [
        BIN / "cookiecutter",
        "--no-input",
        "--config-file",
        config,
        "--output-dir",
        folders["other"],
    ]
    # Installed programs have their bytecode; where writing it is off, each run would compile all of them.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    run([*copy, template, folders["default"]], env=env)
    bare = bare_template(scratch / "bare-template", files(folders["default"]))
    commands: dict[str, list[str | Path]] = {
        "default": [*copy, template, folders["default"]],
        "all": [*copy, f"--data=targets=[{', '.join(TARGETS)}]", template, folders["all"]],
        "bare": [*copy, bare, folders["bare"]],
        "other": [*cookiecutter, f"git+file://{other_template()}"],
    }
    times = {name: Times() for name in commands}
    for number in range(runs + 1):
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        for name, command in commands.items():
            measured = run(command, env=env)
            if number:  # the first one fills the caches
                times[name].add(measured)
    counts = {name: files(folders[name]) for name in commands}
    shown = {
        "default": "`copier copy --defaults`",
        "all": "the same with all targets",
        "bare": "Copier with a template of empty files and no question",
        "other": OTHER,
    }
    whole = [
        row(f"{shown[name]}, {counts[name]} files", times[name], bound=IN_ALL if name == "default" else None)
        for name in commands
    ]
    per_file = {name: times[name].divided(counts[name]) for name in commands}
    each = [
        row(
            f"{shown[name]}, per file",
            per_file[name],
            others=per_file["other"],
            bound=RATIO if name in {"default", "all"} else None,
        )
        for name in commands
    ]
    return Table(
        "A copy with all defaults",
        [*whole, *each],
        [f"{runs} runs each, in turns. {OTHER}'s defaults are all that it has, as are all targets."],
    )


def compare_combinations(template: Path, scratch: Path, combinations: Iterable[Answers]) -> Table:
    """Render one combination after the other in this process, as tests/render does: what is compiled is kept.

    Rendering is what the template can make slow or fast. Therefore it is a folder here and git stays out: with it
    Copier clones the template and calls git for each file that it writes, which the last row shows.
    """
    plain = scratch / "plain"
    shutil.copytree(template, plain, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    sets = {answers_id(answers): answers for answers in combinations}
    folder = scratch / "rendered"
    times: dict[str, Times] = {}
    counts: dict[str, int] = {}
    alone, whole = Times(), Times()
    gc.collect()
    gc.freeze()  # what pytest holds is not Copier's: a process of its own need not look through it again and again
    with tempfile.TemporaryDirectory() as empty, local.env(PATH=empty):  # where Copier looks for git
        with compiled_once():
            for name, answers in sets.items():
                times[name] = _render(plain, folder, answers)
                counts[name] = files(folder)
            for _ in range(AGAIN):  # was it the template, or something else on the machine?
                for name in [name for name in sets if times[name].compared > EACH]:
                    times[name].add(_render(plain, folder, sets[name]))
        largest = max(counts, key=lambda name: counts[name])
        for _ in range(3):
            alone.add(_render(plain, folder, sets[largest]))
    for _ in range(3):
        whole.add(_render(template, folder, sets[largest]))
    gc.unfreeze()
    slowest = max(times, key=lambda name: times[name].compared)
    every = Times()
    for each in times.values():
        every.add(each)
    return Table(
        f"{len(sets)} combinations, one after the other in one process",
        [
            row("a combination", every),
            row("the slowest one", times[slowest], bound=EACH),
            row("the largest one, compiled anew", alone),
            row("the same with git: clone, and a call for each file", whole),
        ],
        [f"The slowest is {slowest}. The largest has {counts[largest]} files: {largest}."],
    )


def _render(template: Path, folder: Path, answers: Answers) -> Times:
    shutil.rmtree(folder, ignore_errors=True)
    return timed(
        lambda: copier.run_copy(str(template), folder, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    )
