"""adopt-project as a person runs it, on projects of a test's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from adoption.cli import main
from tests.adoption.samples import SAMPLES, write
from tests.support.rendering import compiled_once

Adopt = Callable[..., CompletedProcess[str]]


@pytest.fixture
def sample(tmp_path: Path) -> Callable[[str], Path]:
    """Give a project of this kind, committed."""
    return lambda kind: write(SAMPLES[kind], tmp_path / kind)


@pytest.fixture
def adopt(template: Path) -> Adopt:
    """Run the program in a project; the first time, unless options say otherwise, with the template as it is here."""

    def run_in(folder: Path, *options: str, returncode: int = 0) -> CompletedProcess[str]:
        first = () if (folder / ".copier-answers.yml").exists() else ("--defaults", str(template))
        out, err = StringIO(), StringIO()
        with chdir(folder), redirect_stdout(out), redirect_stderr(err), compiled_once():
            result = main(options or first)
        assert result == returncode, out.getvalue() + err.getvalue()
        return CompletedProcess(options, result, out.getvalue(), err.getvalue())

    return run_in
