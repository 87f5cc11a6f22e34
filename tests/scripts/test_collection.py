"""Does `make test-all` run every test there is, and each series whole? What does the workflow run?"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from tests.answers import all_combinations
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


def collected(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", *arguments]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY, env=own)
    assert result.returncode == 0, result.stdout + result.stderr
    return [line for line in result.stdout.splitlines() if "::" in line]


def test_every_file_of_tests_is_collected() -> None:
    found = {line.partition("::")[0] for line in collected("--series=all")}  # some files have long tests only
    assert {str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("tests/**/test_*.py")} <= found


def test_all_means_every_combination() -> None:
    rendered = [line for line in collected("--series=all") if "test_every_combination_is_whole" in line]
    assert len(set(rendered)) == len(list(all_combinations()))


def test_the_workflow_runs_everything_and_measures_alone() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".gitea/workflows/test.yml").read_text(encoding="utf-8"))
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    found = [re.fullmatch(r'make test PYTEST_ARGS="(.*)"', command.replace("$TARGETS", "")) for command in commands]
    runs = [shlex.split(match[1]) for match in found if match]
    tests = [set(collected(*arguments)) for arguments in runs]
    assert set.union(*tests) == set(collected())
    measures = {test for test in set.union(*tests) if test.startswith("tests/bench/")}
    (alone,) = (number for number, each in enumerate(tests) if each & measures)
    assert tests[alone] == measures
    assert runs[alone][:2] == ["-n", "0"]  # one process, whatever the Makefile says before
