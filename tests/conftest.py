"""The template as a user meets it: committed, tagged, rendered once per session and copied per test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Generator, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import copier
import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.answers import Answers, all_combinations, answers_id, pairwise, sampled_combinations, subsets
from tests.support.rendering import compiled_once, read_in_place
from tests.support.tools import MissingError

REPOSITORY = Path(__file__).parents[1]
GIT_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,  # nobody's hooks, templates or signing keys
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}

# Files whose tests share what takes a minute or more to make: a worker of pytest-xdist gets such a file whole.
TOGETHER = {
    *("tests/build/test_bundle_linux.py", "tests/build/test_bundle_windows.py", "tests/build/test_installer.py"),
    *("tests/build/test_linux_service.py", "tests/build/test_windows_instance.py"),
    *("tests/gitea/test_release.py", "tests/gitea/test_release_jobs.py", "tests/gitea/test_workflows.py"),
    *("tests/updating/test_linux.py", "tests/updating/test_windows.py"),
    *("tests/updating/test_attacks.py", "tests/updating/test_browser.py"),
}

Render = Callable[[Answers], Path]


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each worker the next test when it has time, or the next of the files in TOGETHER; those come first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Choose the scheduling; the marks of xdist's own `loadgroup` are lost with pytest 9.2 (xdist 3.8)."""
    return Scheduling(config, log)


def git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **GIT_ENVIRONMENT},
    )
    assert result.returncode == 0, f"git {' '.join(arguments)}: {result.stderr}"
    return result.stdout


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--series", choices=["sample", "all"], default="sample", help="run long series sampled or whole")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks for the fixture `long`, unless series are to run whole."""
    if config.getoption("--series") != "all":
        left_out = [item for item in items if "long" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def long() -> None:
    """Mark a test of many minutes."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for `combination` run for every set of answers in the series chosen by --series."""
    if "combination" in metafunc.fixturenames:
        whole = metafunc.config.getoption("--series") == "all"
        sets: Iterable[Answers]
        sets = all_combinations() if whole else [*subsets(), *pairwise(), *sampled_combinations()]
        metafunc.parametrize("combination", list(sets), ids=answers_id)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test stays out where the machine lacks what it needs. Not under CI: there a skipped test is a failure."""
    report = yield
    if call.excinfo and isinstance(missing := call.excinfo.value, MissingError):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {missing}")
        report.user_properties.append(("missing", [missing.what, *missing.packages]))
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped under CI=true: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line how many tests stayed out, and what to install for them."""
    reports = [report for kind in ("skipped", "failed", "error") for report in terminalreporter.stats.get(kind, [])]
    # What cannot be collected has no properties.
    lacking: list[list[str]] = [
        value for report in reports for name, value in getattr(report, "user_properties", []) if name == "missing"
    ]
    if lacking:
        packages = sorted({package for _, *packages in lacking for package in packages})
        others = sorted({what for what, *packages in lacking if not packages})
        install = [f"apt-get install --no-install-recommends {' '.join(packages)}"] if packages else []
        terminalreporter.write_line(f"{len(lacking)} tests stayed out. They need: {'; '.join([*install, *others])}")


@pytest.fixture(scope="session", autouse=True)
def _git_identity() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT_ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all of pytest's workers share for the length of the session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def template(session_folder: Path) -> Path:
    """A clean copy of the work tree, committed and tagged: Copier then records a version that can be found again."""
    copy = session_folder / "gitea-py-template"
    with FileLock(session_folder / "template.lock"):
        if not copy.exists():
            commit_work_tree(partial := session_folder / "template.partial")
            partial.rename(copy)
    return copy


def commit_work_tree(copy: Path) -> None:
    """Make a repository at `copy` with one commit, tagged v0.1.0, that holds the work tree as it is."""
    listed = git(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_symlink() or source.exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy / name, follow_symlinks=False)
    git(copy, "init", "-q", "-b", "main")
    git(copy, "add", "--all")
    git(copy, "commit", "-q", "-m", "The work tree")
    git(copy, "tag", "v0.1.0")


@pytest.fixture(scope="session")
def render(template: Path, session_folder: Path) -> Render:
    """Render a set of answers, once per session; the result is for reading only (`project` gives a copy)."""

    def render_once(answers: Answers) -> Path:
        key = sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:16]
        folder = session_folder / "rendered" / key
        with FileLock(session_folder / f"{key}.lock"):
            if not folder.exists():
                partial = session_folder / f"{key}.partial"
                with warnings.catch_warnings(), compiled_once(), read_in_place():
                    warnings.simplefilter("error")  # such as: a dirty template, of which no version can be found again
                    copier.run_copy(str(template), partial, data=answers, defaults=True, quiet=True, vcs_ref="v0.1.0")
                folder.parent.mkdir(exist_ok=True)
                partial.rename(folder)
        return folder

    return render_once


@pytest.fixture
def project(render: Render, tmp_path: Path) -> Render:
    """A copy of a rendered project that the test may change."""

    def copy(answers: Answers) -> Path:
        folder = tmp_path / f"project{len(list(tmp_path.iterdir()))}"
        shutil.copytree(render(answers), folder, symlinks=True)
        return folder

    return copy
