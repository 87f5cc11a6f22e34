"""Are the pictures drawn by scripts, and are those in motion well-formed, small and of today's commands?"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from pyte.screens import Char

from scripts import every_picture, installer_picture, page_picture, session_picture
from scripts.session_picture import COLUMNS, COMMANDS, SHOWN, Line, draw, schedule
from tests.docs.markdown import REPOSITORY

SVG = "{http://www.w3.org/2000/svg}"
LARGEST = 150_000  # bytes


def line(text: str, at: float) -> Line:
    return Line([Char(character) for character in text.ljust(COLUMNS)], at)


def texts(picture: str) -> str:
    """Give the lines of a picture as a person reads them."""
    groups = ElementTree.fromstring(picture).iter(f"{SVG}g")  # noqa: S314  (our own)
    shown = [
        [text.text or "" for text in group.findall(f"{SVG}text")] for group in groups if group.get("class") == "line"
    ]
    return "\n".join(" ".join(" ".join(parts).split()) for parts in shown)


def test_a_session_is_drawn_in_its_order_with_short_waits() -> None:
    lines = [line("$ make setup", 0), *(line(f"line {n} <&>", 50 + n / 100) for n in range(40)), line("$", 100)]
    times = schedule(lines)
    assert times == sorted(times)
    assert times[1] - times[0] == session_picture.LONGEST
    assert times[-1] - times[-2] == session_picture.READING
    picture = draw(lines)
    assert texts(picture).startswith("$ make setup\nline 0 <&>\n")
    assert f"translateY(-{(len(lines) - SHOWN) * 21}px)" in picture


def test_the_session_is_of_todays_commands() -> None:
    picture = session_picture.PICTURE.read_text(encoding="utf-8")
    shown = texts(picture)
    assert len(picture.encode()) < LARGEST
    for command in COMMANDS:
        assert f"$ {command.splitlines()[0]}" in shown
    assert "Home Server is ready. Next:" in shown
    assert re.search(r"= \d+ passed in ", shown)
    assert not re.search(r"/tmp|/root|/home/", shown), "a folder of the machine that drew it"


def test_each_picture_has_a_script() -> None:
    scripts = [REPOSITORY / "scripts" / f"{name}.py" for name in every_picture.SCRIPTS]
    own = {path for path in REPOSITORY.glob("scripts/*_picture.py") if "def main" in path.read_text(encoding="utf-8")}
    assert set(scripts) == own - {Path(every_picture.__file__)}
    drawn = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    for picture in page_picture.IMAGES.iterdir():
        stem = re.sub(r"-(light|dark)$", "", picture.stem)
        assert picture.name in {*installer_picture.SHOWN} or re.search(rf"\b{stem}\b", drawn), picture.name
