#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Check that scripts for Windows are plain ASCII with the line ends that Windows needs.

cmd.exe loses labels in files with LF, reads a byte order mark as the first command, and like wscript takes every
other byte as a character of the machine's own code page. makensis reads LF and CRLF, but one file has one of them.
"""

import argparse
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CRLF_SUFFIXES = frozenset({".vbs", ".bat", ".cmd"})
NSIS_SUFFIXES = frozenset({".nsi", ".nsh"})
SKIPPED_FOLDERS = frozenset({".git", ".venv", "node_modules"})

# Longest first: UTF-32-LE begins with the mark of UTF-16-LE.
BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32-le",
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}

LINE_END = re.compile(r"\r*\n|\r+")
END_NAMES = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}

# What word processors and web pages put in the place of ASCII. Everything else is left to a person.
SINGLE_QUOTES = "\u2018\u2019\u201a\u201b\u2032"
DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u2033"
REPLACEMENTS = (
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " ")
    | dict.fromkeys("\u00ad\u200b\u2060\ufeff", "")
    | {"\u2026": "..."}
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; `fixable` says whether --fix knows the right form."""

    line: int
    message: str
    fixable: bool
    column: int | None = None

    def where(self, path: Path) -> str:
        """Return the place as editors and CI logs understand it."""
        column = "" if self.column is None else f":{self.column}"
        return f"{path}:{self.line}{column}"


def check(data: bytes, suffix: str) -> tuple[list[Problem], bytes]:
    """Find what is wrong in a script's bytes; the second value is the script with all fixable problems gone."""
    problems: list[Problem] = []
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    if encoding:
        problems.append(Problem(1, f"begins with a byte order mark ({encoding.upper()})", fixable=True))
    # Bytes that are no UTF-8 pass through as they are: without the code page nobody can say which character was meant.
    errors = "surrogateescape" if encoding in (None, "utf-8") else "replace"
    text = data.decode(encoding or "utf-8", errors).removeprefix("\ufeff")

    ends = [match.group() for match in LINE_END.finditer(text)]
    wanted = _wanted_end(ends, suffix)
    problems += _line_end_problems(ends, wanted, suffix)

    lines: list[str] = []
    for number, line in enumerate(LINE_END.split(text), start=1):
        replaced, found = _ascii_line(line, number, suffix)
        problems += found
        lines.append(replaced)
    problems.sort(key=lambda problem: (problem.line, problem.column or 0))
    return problems, wanted.join(lines).encode("utf-8", "surrogateescape")


def _wanted_end(ends: Sequence[str], suffix: str) -> str:
    if suffix in CRLF_SUFFIXES:
        return "\r\n"
    counts = Counter(ends)
    return "\r\n" if counts["\r\n"] > counts["\n"] else "\n"


def _line_end_problems(ends: Sequence[str], wanted: str, suffix: str) -> Iterator[Problem]:
    """One problem per kind of wrong line end: a file that is wrong throughout does not need a line for each line."""
    first: dict[str, int] = {}
    for number, end in enumerate(ends, start=1):
        if end != wanted:
            first.setdefault(end, number)
    rest = "other lines end in" if suffix in NSIS_SUFFIXES else "must be"
    for end, number in first.items():
        name = END_NAMES.get(end) or " ".join(END_NAMES.get(char, "LF") for char in end)
        count = ends.count(end)
        others = f", as do {count - 1} more" if count > 1 else ""
        yield Problem(number, f"line ends in {name}{others}; {rest} {END_NAMES[wanted]}", fixable=True)


def _ascii_line(line: str, number: int, suffix: str) -> tuple[str, list[Problem]]:
    problems: list[Problem] = []
    result: list[str] = []
    for column, char in enumerate(line, start=1):
        if " " <= char <= "~" or char in "\t\f":
            result.append(char)
            continue
        replacement = _replacement(char, line[: column - 1], line, suffix)
        problems.append(Problem(number, _complaint(char), fixable=replacement is not None, column=column))
        result.append(char if replacement is None else replacement)
    return "".join(result), problems


def _complaint(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"byte 0x{ord(char) - 0xDC00:02X} is neither ASCII nor part of a UTF-8 character"
    name = unicodedata.name(char, "control character" if ord(char) < 0xA0 else "unnamed character")
    return f"U+{ord(char):04X} {name} {'may not stand in a script' if char.isascii() else 'is not ASCII'}"


def _replacement(char: str, before: str, line: str, suffix: str) -> str | None:
    """Return the ASCII for a typographic character, or None where it would change what the script does."""
    if char in DOUBLE_QUOTES:
        # Inside a string an ASCII double quote would end it.
        return "'" if before.count('"') % 2 else '"'
    if char in SINGLE_QUOTES:
        # NSIS has strings in single quotes; one more of them would end the string.
        return None if suffix in NSIS_SUFFIXES and "'" in line else "'"
    return REPLACEMENTS.get(char)


def find_scripts(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files among `paths`, and the scripts below the folders among them, in a stable order."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, names, files in os.walk(path):
            names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS)
            yield from (Path(folder, file) for file in sorted(files) if _is_script(Path(file)))


def _is_script(path: Path) -> bool:
    return path.suffix.lower() in CRLF_SUFFIXES | NSIS_SUFFIXES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program: 0 when all scripts are right, 1 when something was wrong (or was fixed), 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="windows-scripts",
        description="Check that .vbs, .bat and .cmd files are ASCII with CRLF line ends and no byte order mark; "
        ".nsi and .nsh files are ASCII with one kind of line end.",
        epilog="Exit status: 0 all scripts are right, 1 something was wrong or was fixed, 2 wrong usage.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a script, or a folder to search")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="correct line ends, byte order marks and typographic characters (curly quotes, dashes, special spaces)",
    )
    options = parser.parse_args(arguments)

    failed = False
    for path in find_scripts(options.paths):
        if not _is_script(path):
            known = " ".join(sorted(CRLF_SUFFIXES | NSIS_SUFFIXES))
            parser.error(f"{path}: not a script for Windows ({known})")
        try:
            data = path.read_bytes()
            problems, fixed = check(data, path.suffix.lower())
            if options.fix and fixed != data:
                path.write_bytes(fixed)
        except OSError as error:
            parser.error(f"{path}: {error.strerror or error}")
        for problem in problems:
            outcome = " (fixed)" if options.fix and problem.fixable else ""
            print(f"{problem.where(path)}: {problem.message}{outcome}")
        failed = failed or bool(problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
