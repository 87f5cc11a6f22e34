"""A program in a terminal, and what a person sees on its screen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pexpect
import pyte

ENTER = "\r"
CTRL_C = "\x03"
CLEAR_LINE = "\x15"  # Ctrl-U
DOWN = "\x1b[B"
SPACE = " "


class _Screen(pyte.Screen):
    """A screen that answers the program, which asks for instance where its cursor is."""

    answer: Callable[[str], object]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """Run a command in a terminal of its own; use as a context manager, which ends the command."""

    def __init__(self, command: Sequence[str], cwd: Path, columns: int = 80, lines: int = 50) -> None:
        unwanted = {"NO_COLOR", "COPIER_SETTINGS_PATH"}
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        environment |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PROMPT_TOOLKIT_COLOR_DEPTH": "DEPTH_24_BIT"}
        environment |= {"XDG_CONFIG_HOME": str(cwd)}  # no settings of this person's own
        self.screen = _Screen(columns, lines)
        self._stream = pyte.Stream(self.screen)
        self._program = pexpect.spawn(
            command[0],
            list(command[1:]),
            cwd=str(cwd),
            dimensions=(lines, columns),
            encoding="utf-8",
            env=environment,
        )
        self._program.delaybeforesend = None  # what is typed ahead is kept
        self._ended = False
        self.screen.answer = self._program.send

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.close(force=True)

    @property
    def lines(self) -> list[str]:
        """The screen's lines down to the last one that is not empty."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def press(self, *keys: str) -> None:
        """Type text, or one of the keys above."""
        self._program.send("".join(keys))

    def wait_for(self, text: str, seconds: float = 20, *, after: str = "") -> None:
        """Read until the screen shows the text, somewhere after another one if that is given."""

        def is_shown() -> bool:
            shown = "\n".join(self.lines)
            return text in (shown.partition(after)[2] if after else shown)

        self._read(is_shown, f"never shows {text!r}", seconds)

    def wait_for_end(self, seconds: float = 60) -> int:
        """Read until the command ends; give its exit status."""
        self._read(lambda: self._ended, "does not end", seconds)
        self._program.close()
        return -1 if self._program.exitstatus is None else int(self._program.exitstatus)

    def _read(self, done: Callable[[], bool], otherwise: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert not self._ended and time.monotonic() < end, "\n".join([f"the command {otherwise}:", *self.lines])
            try:
                self._stream.feed(self._program.read_nonblocking(4096, timeout=0.5))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                self._ended = True
