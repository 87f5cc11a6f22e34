from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from tests.answers import answers_for
from tests.conftest import Render


@pytest.fixture
def desktop_script(render: Render, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of a desktop project's scripts/, with those that it imports, for one test."""
    scripts = render(answers_for(["desktop"])) / "scripts"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # what is rendered is for reading
    monkeypatch.syspath_prepend(scripts)
    for path in scripts.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)

    def load(name: str) -> ModuleType:
        before = set(sys.modules)
        module = importlib.import_module(name)
        for path in scripts.glob("*.py"):
            if path.stem in set(sys.modules) - before:
                monkeypatch.setitem(sys.modules, path.stem, sys.modules.pop(path.stem))
        return module

    return load
