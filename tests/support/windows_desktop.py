"""A person at the screen of a Windows: looks, clicks, types.

A small program in that Windows tells what is on the screen. Clicks and keys come from the X server: they go the whole
way that those of a mouse and a keyboard go.
"""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from tests.support import windows_pythons
from tests.support.packages import require_apt
from tests.support.tools import run
from tests.support.wine import Windows, screen, wait_until, windows

PATIENCE = 60  # seconds until something must be on the screen
EYES = PureWindowsPath(r"C:\eyes")
# What Wine starts in place of Windows' own choice of a browser.
BROWSER = PureWindowsPath(r"C:\browser")
PAGES = PureWindowsPath(r"C:\pages.txt")
# Answers each line with all that is visible: a window with its controls, the foremost window first.
LOOK = r"""
import ctypes, json, re, sys
from ctypes.wintypes import BOOL, HWND, LPARAM, RECT

user = ctypes.WinDLL("user32")
style = user.GetWindowLongW
CALLBACK = ctypes.WINFUNCTYPE(BOOL, HWND, LPARAM)
GET_TEXT, GET_CHECK, GET_ROW_HEIGHT = 0x000D, 0x00F0, 0x111C
NO_PREFIX = 0x80  # of a static text that shows each & as it is
PATIENCE = 2000  # milliseconds for a window that does not answer


def ask(window, message, first=0, second=0):
    answer = ctypes.c_size_t()
    arguments = ctypes.c_size_t(first), ctypes.c_void_p(second), 2, PATIENCE, ctypes.byref(answer)
    user.SendMessageTimeoutW(window, message, *arguments)
    return answer.value


def describe(window):
    kind, text, box = ctypes.create_unicode_buffer(256), ctypes.create_unicode_buffer(4096), RECT()
    user.GetClassNameW(window, kind, len(kind))
    ask(window, GET_TEXT, len(text), ctypes.addressof(text))
    user.GetWindowRect(window, ctypes.byref(box))
    shown = text.value
    if kind.value in ("Button", "Static") and not (kind.value == "Static" and style(window, -16) & NO_PREFIX):
        shown = re.sub("&(.?)", r"\1", shown)
    return {
        "kind": kind.value,
        "text": shown,
        "box": [box.left, box.top, box.right, box.bottom],
        "is_enabled": bool(user.IsWindowEnabled(window)),
        "is_checked": kind.value == "Button" and ask(window, GET_CHECK) == 1,
        "row_height": ask(window, GET_ROW_HEIGHT) if kind.value == "SysTreeView32" else 0,
    }


def visible(list_windows, *parent):
    found = []

    def note(window, _):
        if user.IsWindowVisible(HWND(window)):
            found.append(HWND(window))
        return True

    list_windows(*parent, CALLBACK(note), LPARAM(0))
    return found


for line in sys.stdin:
    fronts = [(describe(front), visible(user.EnumChildWindows, front)) for front in visible(user.EnumWindows)]
    print(json.dumps([[front, *map(describe, controls)] for front, controls in fronts]), flush=True)
"""


@dataclass(frozen=True)
class Control:
    """A window, or what is in one: buttons, texts, fields."""

    kind: str
    text: str  # as it is shown: without an & that marks a letter
    box: tuple[int, int, int, int]  # left, top, right, bottom
    is_enabled: bool
    is_checked: bool
    row_height: int  # of a tree

    @property
    def middle(self) -> tuple[int, int]:
        left, top, right, bottom = self.box
        return (left + right) // 2, (top + bottom) // 2


@dataclass(frozen=True)
class Desktop:
    """A Windows with a screen, and the person who sits there."""

    windows: Windows
    eyes: subprocess.Popen[str]

    def look(self) -> list[list[Control]]:
        """Give the visible windows, the foremost first: each with what is in it."""
        assert self.eyes.stdin and self.eyes.stdout
        print(file=self.eyes.stdin, flush=True)
        seen = json.loads(self.eyes.stdout.readline())
        return [[_control(found) for found in front] for front in seen]

    def find(self, text: str, kind: str = "") -> Control:
        """Wait for a control of the foremost window that can be used."""
        return self._wait(
            lambda one: one.is_enabled and text in ("", one.text) and kind in ("", one.kind), f"{kind} {text!r}"
        )

    def reads(self, text: str) -> None:
        """Wait until a text of the foremost window holds this."""
        self._wait(lambda one: text in one.text, repr(text))

    def _wait(self, wanted: Callable[[Control], bool], what: str) -> Control:
        found: list[Control] = []

        def is_there() -> bool:
            found.extend(filter(wanted, next(iter(self.look()), [])))
            return bool(found)

        try:
            wait_until(is_there, f"{what} is on the screen", PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is: {self.look()}") from None
        return found[0]

    def click(self, text: str, kind: str = "Button") -> None:
        self.click_at(*self.find(text, kind).middle)

    def click_at(self, x: int, y: int) -> None:
        self._do("mousemove", str(x), str(y), "click", "1")

    def click_row(self, number: int) -> None:
        """Click into the box before a row of a tree, counted from 0."""
        tree = self.find("", "SysTreeView32")
        left, top, *_ = tree.box
        self.click_at(left + 12, top + number * tree.row_height + tree.row_height // 2)

    def walk_to_folder_page(self, setup: str, name: str) -> None:
        """Start an installer in C: and go on to its third page."""
        self.windows.start(f"C:\\{setup}")
        self.reads(f"Welcome to {name} Setup")
        self.click("Next >")
        self.reads("License Agreement")
        self.click("I Agree")
        self.reads("Choose Install Location")

    def press(self, *keys: str) -> None:
        self._do("key", *keys)

    def write(self, text: str) -> None:
        self._do("type", text)

    def pages(self) -> list[str]:
        """Give the addresses that the browser was asked for."""
        path = self.windows.path(PAGES)
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def picture(self, name: str) -> None:
        """Save the foremost window as a small PNG where SCREENSHOTS names a folder: for docs/, and for people."""
        if folder := os.environ.get("SCREENSHOTS"):
            require_apt("imagemagick")
            left, top, right, bottom = self.look()[0][0].box
            crop = ["-crop", f"{right - left}x{bottom - top}+{left}+{top}", "+repage"]
            crop += ["-trim", "+repage", "-strip", "+dither", "-colors", "32"]  # the title is black: nobody draws it
            run(["import", "-window", "root", *crop, Path(folder) / f"{name}.png"], env=self._environment)

    def _do(self, *words: str) -> None:
        run(["xdotool", *words], env=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.windows.display or ""}


def _control(found: dict[str, object]) -> Control:
    return Control(**{**found, "box": tuple(found["box"])})  # type: ignore[arg-type]


@contextmanager
def desktop(root: Path) -> Iterator[Desktop]:
    """Start a Windows of one's own with a screen of its own."""
    require_apt("xdotool")
    with screen() as display, windows(root, display=display) as one:
        with zipfile.ZipFile(windows_pythons.embeddable_zip()) as archive:
            archive.extractall(one.path(EYES))
        (one.path(EYES) / "look.py").write_text(LOOK, encoding="ascii")
        drive = f"{one.prefix}/drive_c"
        one.path(BROWSER).write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>{drive}/{PAGES.name}\n', encoding="ascii")
        one.path(BROWSER).chmod(0o755)
        setting = [r"HKCU\Software\Wine\WineBrowser", "/v", "Browsers", "/d", f"{drive}/{BROWSER.name}"]
        one.run("reg", "add", *setting, "/f")
        with subprocess.Popen(
            one.wine_command(str(EYES / "python.exe"), "-B", str(EYES / "look.py")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as eyes:
            yield Desktop(one, eyes)
