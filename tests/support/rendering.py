"""Many projects from one template in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType
from typing import Any
from unittest import mock

import copier._template
from copier._main import Worker
from jinja2 import Environment

_compile = Environment.compile
_compiled: dict[tuple[object, ...], CodeType | str] = {}


@contextmanager
def compiled_once() -> Iterator[None]:
    """Keep what Jinja compiles for as long as the process lives.

    Copier makes an environment for each project and compiles every file, every part of every path and every question
    anew. That is most of its time, and the texts are the same ones for all combinations of answers.
    """
    with mock.patch.object(Environment, "compile", _compile_once):
        yield


@contextmanager
def read_in_place() -> Iterator[None]:
    """Spare Copier its git: for a template that is checked out at its only tag, and projects in no repository.

    It would clone the template for each project, and ask for each file whether git looks at executable bits.
    """
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(copier._template, "clone", lambda url, *_, **__: url))
        stack.enter_context(mock.patch.object(Worker, "_sync_git_index_executable_bit", lambda *_: None))
        yield


def _compile_once(
    self: Environment, source: str, name: str | None = None, *args: Any, **options: Any
) -> CodeType | str:
    # The lexer stands for the delimiters: environments of the same ones share it. The file's name, which may be that
    # of a clone, is for tracebacks only.
    key = (type(self), self.lexer, self.optimized, tuple(self.extensions), source, name, *args[1:], *options)
    if key not in _compiled:
        _compiled[key] = _compile(self, source, name, *args, **options)
    return _compiled[key]
