"""Draw docs/images/session.svg: a project is copied, set up and checked in a terminal, as it really went.

Run it as `python -m scripts.session_picture`, on a machine that does nothing else: it shows how long the tests took.
Lines appear in the order and, but for waits, at the pace in which they came; a wait of more than a second is cut to
that. The folder in which it happened is shown as ~.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyte
from pyte.screens import Char

from scripts.terminal_picture import BAR, LINE, MARGIN, draw_line, frame
from tests.conftest import commit_work_tree
from tests.support.projects import newcomer
from tests.support.terminal import ENTER, Terminal

PICTURE = Path(__file__).parents[1] / "docs/images/session.svg"
ADDRESS = "https://gitea.example.com/tools/gitea-py-template.git"
COMMANDS = (
    f'copier copy --defaults --data project_name="Home Server" \\\n    {ADDRESS} home-server',
    "cd home-server",
    "make setup",
    "make check",
)
COLUMNS, SHOWN = 90, 26  # of the terminal, and lines of the picture
LONGEST = 1.0  # seconds that nothing happens in the picture
READING = 1.5  # seconds before each command: time to read what came before
# Who wants no motion, and programs that draw SVG without it, see the end.
STYLE = """<style>
@media (prefers-reduced-motion: no-preference) {
g.line { visibility: hidden; animation: line 0s linear forwards }
g.all { animation: all %.1fs step-end forwards }
}
g.all { transform: translateY(%dpx) }
@keyframes line { to { visibility: visible } }
@keyframes all { %s }
</style>"""


class Recorder(Terminal):
    """A terminal that notes when each line of its screen last changed."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        super().__init__(command, cwd=cwd, columns=COLUMNS, lines=400)
        self.changed: dict[int, float] = {}
        self._stream = _Noting(self.screen, self.changed)

    def type(self, command: str) -> None:
        """Type a command, and wait until the prompt is there again."""
        for number, line in enumerate(command.split("\n")):
            self.press(line)
            self.wait_for(f"{'> ' if number else '$ '}{line}")
            self.press(ENTER)
        self._read(lambda: self.lines[-1] == "$", "does not end", 600)


class _Noting(pyte.Stream):
    def __init__(self, screen: pyte.Screen, changed: dict[int, float]) -> None:
        super().__init__(screen)
        self.screen, self.changed = screen, changed

    def feed(self, data: str) -> None:
        before = {number: self.screen.display[number] for number in self.screen.dirty}
        self.screen.dirty.clear()
        super().feed(data)
        now = time.monotonic()
        for number in self.screen.dirty:
            if before.get(number) != self.screen.display[number]:
                self.changed[number] = now


@dataclass(frozen=True)
class Line:
    """What stands in a line at the end, and when that came."""

    characters: list[Char]
    at: float


def record() -> list[Line]:
    """Type the commands into a shell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home, programs = folder / "home", folder / "programs"
        home.mkdir()
        programs.mkdir()
        commit_work_tree(folder / "template")
        copier = programs / "copier"
        copier.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m copier "$@"\n', encoding="utf-8")
        copier.chmod(0o755)
        os.environ |= newcomer(folder / "links")
        os.environ |= {"PATH": f"{programs}:{os.environ['PATH']}", "GIT_CONFIG_COUNT": "1", "PS1": "$ "}
        os.environ |= {"GIT_CONFIG_KEY_0": f"url.{folder / 'template'}.insteadOf", "GIT_CONFIG_VALUE_0": ADDRESS}
        with Recorder(["bash", "--norc", "--noprofile", "-i"], home) as terminal:
            terminal.wait_for("$")
            for command in COMMANDS:
                terminal.type(command)
            rows = terminal.screen.buffer
            lines = [[rows[y][x] for x in range(COLUMNS)] for y in range(len(terminal.lines))]
            times = terminal.changed
    last = 0.0
    recorded = []
    for number, line in enumerate(lines):
        last = max(last, times.get(number, 0.0))
        recorded.append(Line(_at_home(line, str(home)), last))
    return recorded


def _at_home(line: list[Char], home: str) -> list[Char]:
    """Write ~ in place of the folder."""
    text = "".join(character.data for character in line)
    begin = text.find(home)
    if begin < 0:
        return line
    return [*line[:begin], line[begin]._replace(data="~"), *line[begin + len(home) :]]


def schedule(lines: list[Line]) -> list[float]:
    """Give the second at which each line appears in the picture."""
    shown: list[float] = []
    for number, line in enumerate(lines):
        if not number:
            shown.append(0.3)
            continue
        text = "".join(character.data for character in lines[number - 1].characters)
        waited = min(line.at - lines[number - 1].at, LONGEST)
        is_command = "".join(character.data for character in line.characters).startswith("$ ") and text.strip() != ""
        shown.append(shown[-1] + max(waited, READING if is_command else 0.03))
    return shown


def draw(lines: list[Line]) -> str:
    """Give the session as an SVG picture that moves."""
    times = schedule(lines)
    duration = times[-1]
    scrolled = len(lines) - SHOWN
    steps = ["0% { transform: translateY(0) }"]
    for number in range(SHOWN, len(lines)):
        up = (number - SHOWN + 1) * LINE
        steps.append(f"{100 * times[number] / duration:.2f}% {{ transform: translateY(-{up}px) }}")
    style = STYLE % (duration, -scrolled * LINE, " ".join(steps))
    top, height = BAR + MARGIN - LINE + 4, SHOWN * LINE + 8
    clip = f'<clipPath id="screen"><rect x="0" y="{top}" width="100%" height="{height}"/></clipPath>'
    return frame("A project is copied, set up and checked", COLUMNS, SHOWN, _content(lines, times), style, clip)


def _content(lines: list[Line], times: list[float]) -> Iterator[str]:
    yield '<g clip-path="url(#screen)"><g class="all">'
    for number, (line, at) in enumerate(zip(lines, times, strict=True)):
        if parts := list(draw_line(number, line.characters)):
            yield f'<g class="line" style="animation-delay:{at:.2f}s">{"".join(parts)}</g>'
    yield "</g></g>"


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PICTURE.write_text(draw(record()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
