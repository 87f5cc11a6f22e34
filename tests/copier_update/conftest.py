"""Projects that came from an older version of the template, and what the documentation says of their files."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

import copier
import pytest
from filelock import FileLock

from tests.answers import SUBSETS, Answers, answers_for, subset_id
from tests.conftest import REPOSITORY, git
from tests.copier_update.history import SYNTHETIC, make_history, newest, released
from tests.support.rendering import compiled_once

Origin = tuple[str, Answers]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for an `origin` run for each older version and subset of targets, or one of each version."""
    if "origin" in metafunc.fixturenames:
        # Each subset with both places of the source in turn, and of both kinds of page.
        whole = [
            (version, answers_for(targets, package_name="sample", source_dir=(".", "server")[(row + column) % 2]))
            for row, version in enumerate([*SYNTHETIC, *released()])
            for column, targets in enumerate(SUBSETS)
        ]
        last = len(SUBSETS) - 1
        sample = [whole[0], *whole[len(SUBSETS) + last :: len(SUBSETS)]]  # from the others: all targets
        chosen = whole if metafunc.config.getoption("--series") == "all" else sample
        names = [f"{version}-{subset_id(answers['targets'])}" for version, answers in chosen]
        metafunc.parametrize("origin", chosen, ids=names)


class Living:
    """A project in git, made by some version of the template."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        return self.root / name

    def text(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.path(name).write_text(text, encoding="utf-8", newline="")

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.text(name)
        assert old in text, f"{name} has no {old!r}"
        self.write(name, text.replace(old, new, 1))

    def files(self) -> dict[str, bytes]:
        names = git(self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        return {name: self.path(name).read_bytes() for name in names if name and self.path(name).is_file()}

    def commit(self, message: str = "Mine") -> None:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "--message", message)

    def update(self, **answers: Any) -> None:
        """Do what `copier update --defaults` does, with `-d` for each answer."""
        with compiled_once():
            copier.run_update(self.root, data=answers, defaults=True, overwrite=True, quiet=True)

    def status(self) -> str:
        return git(self.root, "--no-optional-locks", "status", "--porcelain")  # also while an update runs

    def conflicts(self) -> set[str]:
        """Give the files that git calls unmerged; Copier may leave no other trace of a conflict."""
        assert not [*self.root.rglob("*.rej")]
        return {line.split("\t")[1] for line in git(self.root, "ls-files", "--unmerged").splitlines()}

    def check_settled(self) -> None:
        """A commit, and one more update changes nothing."""
        assert self.conflicts() == set()
        self.commit("Update")
        self.update()
        assert self.status() == ""


MakeLiving = Callable[[str, Answers], Living]


@pytest.fixture(scope="session")
def history(session_folder: Path) -> Path:
    """The template's repository, with older versions and the work tree as the newest."""
    folder = session_folder / "history"
    with FileLock(session_folder / "history.lock"):
        if not folder.exists():
            make_history(folder)
    return folder


@pytest.fixture
def living(history: Path, session_folder: Path, tmp_path: Path) -> MakeLiving:
    """Make projects with one commit; each version and set of answers is rendered once per session."""

    def make(version: str, answers: Answers) -> Living:
        key = sha256(json.dumps([version, answers], sort_keys=True).encode()).hexdigest()[:16]
        kept = session_folder / "living" / key
        with FileLock(session_folder / f"living-{key}.lock"):
            if not kept.exists():
                partial = session_folder / f"living-{key}.partial"
                with warnings.catch_warnings(), compiled_once():
                    warnings.simplefilter("error")
                    copier.run_copy(str(history), partial, data=answers, defaults=True, quiet=True, vcs_ref=version)
                git(partial, "init", "--quiet", "--initial-branch", "main")
                Living(partial).commit("First")
                kept.parent.mkdir(exist_ok=True)
                partial.rename(kept)
        root = tmp_path / f"living{len(list(tmp_path.iterdir()))}"
        shutil.copytree(kept, root, symlinks=True)
        return Living(root)

    return make


@pytest.fixture
def fresh(living: MakeLiving) -> Callable[[Answers], Living]:
    """Make a project from the work tree, to compare with."""
    return lambda answers: living(newest(), answers)


def owner(name: str, answers: Answers) -> str:
    """Give whose a file is, as docs/reference/files.md says: you, template or both."""
    source = answers.get("source_dir", ".")
    place = "" if source == "." else f"{source}/"
    table = (REPOSITORY / "docs/reference/files.md").read_text(encoding="utf-8")
    for pattern, whose in re.findall(r"^\| `(.+?)` \| .*? \| (\w+) \|", table, re.MULTILINE):
        if fnmatch(name, pattern.replace("SOURCE/", place).replace("PACKAGE", answers["package_name"])):
            return str(whose)
    raise AssertionError(f"docs/reference/files.md has no {name}")
