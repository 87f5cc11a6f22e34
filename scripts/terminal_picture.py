"""Draw what a terminal shows as SVG, character by character in their columns, so that it fits whatever the font is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from pyte.screens import Char

COLUMN, LINE, MARGIN, BAR = 8.4, 21, 20, 34
BACKGROUND, FOREGROUND, EDGE = "#16181d", "#d8dee9", "#343a46"
NAMED = {"default": FOREGROUND, "brown": "#e5c07b", "cyan": "#56b6c2", "green": "#98c379", "red": "#e06c75"}
# Not every machine has a font with this sign.
MICROPHONE = (
    '<symbol id="ask" viewBox="0 0 16 16"><rect x="5.5" y="1" width="5" height="8.5" rx="2.5" fill="#7fb2c9"/>'
    '<path d="M3 7.5a5 5 0 0 0 10 0M8 12.5V15M5 15h6" fill="none" stroke="#7fb2c9" stroke-width="1.4"/></symbol>'
)


def frame(title: str, columns: int, lines: int, content: Iterable[str], *definitions: str) -> str:
    """Give the picture of a terminal with so many lines, in which `content` is drawn."""
    width, height = round(columns * COLUMN + 2 * MARGIN), BAR + lines * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img">',
        f"<title>{escape(title)}</title>",
        *definitions,
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9" fill="{BACKGROUND}" stroke="{EDGE}"/>',
        *(f'<circle cx="{20 + 20 * n}" cy="20" r="6" fill="{EDGE}"/>' for n in range(3)),
        '<g font-family="ui-monospace, \'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="14"'
        f' fill="{FOREGROUND}" style="white-space: pre">',
    ]
    return "\n".join([*parts, *content, "</g>", "</svg>", ""])


def draw_line(number: int, line: Sequence[Char]) -> Iterator[str]:
    """Each run of one style is placed by itself and stretched to its columns."""
    column = 0
    for style, run in groupby(line, key=_style):
        characters = list(run)
        text = "".join(character.data for character in characters)
        if text.startswith("🎤"):
            yield f'<use href="#ask" x="{MARGIN}" y="{y_of(number) - 13}" width="16" height="16"/>'
            text = text.replace("🎤", "  ", 1)
        for words in re.finditer(r"\S+(?: \S+)*", text):  # of several blanks, pictures keep one
            yield draw_text(number, column + words.start(), words[0], style)
        column += len(characters)


def _style(character: Char) -> str:
    colour = NAMED.get(character.fg) or f"#{character.fg}"
    return (f' fill="{colour}"' if colour != FOREGROUND else "") + (' font-weight="bold"' if character.bold else "")


def draw_text(line: int, column: int, text: str, style: str = "") -> str:
    x, width = MARGIN + column * COLUMN, len(text) * COLUMN
    return f'<text x="{x:.1f}" y="{y_of(line)}" textLength="{width:.1f}"{style}>{escape(text)}</text>'


def y_of(line: int) -> int:
    return BAR + MARGIN + line * LINE
