"""Draw docs/images/prompts.svg: the real questions, asked by Copier in a terminal.

Run it as `python -m scripts.prompts_picture`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from pyte.screens import Char

from scripts.terminal_picture import MICROPHONE, draw_line, draw_text, frame
from tests.support.terminal import CLEAR_LINE, DOWN, ENTER, SPACE, Terminal

REPOSITORY = Path(__file__).parents[1]
PICTURE = REPOSITORY / "docs/images/prompts.svg"
COMMAND = "copier copy gitea-py-template home-server"
# What the line says, and the keys that are pressed then.
KEYS = {
    "What is the project called?": (CLEAR_LINE, "Home Server", ENTER),
    "What does it do?": (CLEAR_LINE, "Heating and lights of a house, on one page", ENTER),
    "Who writes it?": (CLEAR_LINE, "Ada Lovelace", ENTER),
    "Which e-mail address": ("ada@example.com", ENTER),
    "Which licence?": (ENTER,),
    "Its short name": (ENTER,),
    "Its name in Python": (ENTER,),
    "Where is the Gitea server?": (ENTER,),
    "Who owns the repository": (CLEAR_LINE, "ada", ENTER),
    "What is the repository called": (ENTER,),
    "Which is its default branch?": (ENTER,),
    "What should it become?": (DOWN, SPACE, DOWN, SPACE),
}
DONE = "» ● Library"

COLUMNS = 80


def ask() -> list[list[Char]]:
    """Answer up to the targets; give the screen's lines, each one a list of 80 characters."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "gitea-py-template"
        shutil.copytree(REPOSITORY / "includes", template / "includes")
        shutil.copy2(REPOSITORY / "copier.yml", template)
        copier = [sys.executable, "-m", *COMMAND.split()]
        with Terminal(copier, cwd=Path(folder), columns=COLUMNS) as terminal:
            for line, keys in KEYS.items():
                terminal.wait_for(line)
                terminal.press(*keys)
            terminal.wait_for(DONE)
            rows = terminal.screen.buffer
            return [[rows[y][x] for x in range(COLUMNS)] for y in range(len(terminal.lines))]


def draw(lines: list[list[Char]]) -> str:
    """Give the lines as an SVG picture of a terminal."""
    content = [draw_text(0, 0, f"$ {COMMAND}")]
    for number, line in enumerate(lines, start=1):
        content += draw_line(number, line)
    return frame("The questions of gitea-py-template in a terminal", COLUMNS, len(lines) + 1, content, MICROPHONE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the picture is not the current one"
    )
    arguments = parser.parse_args()
    picture = draw(ask())
    if arguments.check:
        if PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == picture:
            return 0
        print("docs/images/prompts.svg is out of date: run python -m scripts.prompts_picture", file=sys.stderr)
        return 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
