"""Draw docs/images/prompts.svg: the real questions, asked by Copier in a terminal.

Run it as `python -m scripts.prompts_picture`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from pyte.screens import Char

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

COLUMNS, COLUMN, LINE, MARGIN, BAR = 80, 8.4, 21, 20, 34
BACKGROUND, FOREGROUND, EDGE = "#16181d", "#d8dee9", "#343a46"
NAMED = {"default": FOREGROUND, "brown": "#e5c07b", "cyan": "#56b6c2", "green": "#98c379", "red": "#e06c75"}
# Not every machine has a font with this sign.
MICROPHONE = (
    '<symbol id="ask" viewBox="0 0 16 16"><rect x="5.5" y="1" width="5" height="8.5" rx="2.5" fill="#7fb2c9"/>'
    '<path d="M3 7.5a5 5 0 0 0 10 0M8 12.5V15M5 15h6" fill="none" stroke="#7fb2c9" stroke-width="1.4"/></symbol>'
)


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
    width, height = round(COLUMNS * COLUMN + 2 * MARGIN), BAR + (len(lines) + 1) * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img">',
        "<title>The questions of gitea-py-template in a terminal</title>",
        MICROPHONE,
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9" fill="{BACKGROUND}" stroke="{EDGE}"/>',
        *(f'<circle cx="{20 + 20 * n}" cy="20" r="6" fill="{EDGE}"/>' for n in range(3)),
        '<g font-family="ui-monospace, \'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="14"'
        f' fill="{FOREGROUND}" style="white-space: pre">',
        _text(0, 0, f"$ {COMMAND}", ""),
    ]
    for number, line in enumerate(lines, start=1):
        parts += _draw_line(number, line)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _draw_line(number: int, line: list[Char]) -> Iterator[str]:
    """Each run of one style is placed by itself and stretched to its columns: so it fits whatever the font is."""
    column = 0
    for style, run in groupby(line, key=_style):
        characters = list(run)
        text = "".join(character.data for character in characters)
        if text.startswith("🎤"):
            yield f'<use href="#ask" x="{MARGIN}" y="{_y(number) - 13}" width="16" height="16"/>'
            text = text.replace("🎤", "  ", 1)
        begin = len(text) - len(text.lstrip())
        if text.strip():
            yield _text(number, column + begin, text.strip(), style)
        column += len(characters)


def _style(character: Char) -> str:
    colour = NAMED.get(character.fg) or f"#{character.fg}"
    return (f' fill="{colour}"' if colour != FOREGROUND else "") + (' font-weight="bold"' if character.bold else "")


def _text(line: int, column: int, text: str, style: str) -> str:
    x, width = MARGIN + column * COLUMN, len(text) * COLUMN
    return f'<text x="{x:.1f}" y="{_y(line)}" textLength="{width:.1f}"{style}>{escape(text)}</text>'


def _y(line: int) -> int:
    return BAR + MARGIN + line * LINE


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
