#!/usr/bin/env python3
"""Show what the template makes: copy it with every target, set up, check and build the project, serve its app.

It needs Python 3.11, git and make; uv and Node.js come from PyPI where they are missing. It ends with Ctrl-C.
Two environment variables are settings: DEMO_DIR, the folder for the project (default: build/demo/harbour-weather),
and DEMO_SECONDS, after which it ends by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import math
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

TEMPLATE = Path(__file__).resolve().parents[1]
UV = TEMPLATE / "template" / "scripts" / "uv.sh"
NAME = "harbour-weather"
LOG = Path(".git") / "demo.log"  # in a project of a demo, where no tool looks; also the sign that it may be made anew
NEWEST = 14  # minor version of Python that the template offers
DEFAULT_PORT = 8765
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TAIL = 12  # lines of the log that a failure shows
LEFT_OUT = "left out: "
RUN_SH = Path("build") / NAME / "run.sh"  # of the unpacked desktop app
THIS_MACHINE = "this-machine"  # as build-dist.sh calls the Python that is here
NO_PYTHON = "cannot be fetched"  # what the build says when uv gets none
NO_PYTHON_HERE = "on this machine:"
STARTS_WITHIN = 60.0
STOPS_WITHIN = 10.0
OFFLINE = re.compile(
    r"could not be had|connection refused|failed to (fetch|connect)|dns error|timed out|network timeout"
    r"|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT",
    re.I,
)
NO_BASE_IMAGE = re.compile(
    r"pull access denied|failed to resolve|manifest unknown|toomanyrequests|error pulling|https://[^ ]+/v2/", re.I
)
TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)+", re.M)
ANSWERS: dict[str, Any] = {
    "project_name": "Harbour Weather",
    "description": "Wind and water levels of the harbour, minute by minute",
    "author_name": "Ada Harbourmaster",
    "author_email": "ada@example.com",
    "project_slug": NAME,
    "gitea_url": "https://gitea.example.com",
    "repo_owner": "harbour",
    "targets": ["docker", "desktop", "library"],
    "source_dir": "server",
    "port": str(DEFAULT_PORT),
    "frontend": True,
}


class DemoError(Exception):
    """A step failed; the message says what to do."""

    def __init__(self, message: str, tail: str = "") -> None:
        super().__init__(message)
        self.tail = tail


class Stopped(BaseException):
    """Somebody asked the demo to end: Ctrl-C, a signal, a closed terminal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class Screen:
    """A line per step: while it runs what is done, afterwards how long it took and what came of it."""

    live: bool = field(default_factory=sys.stdout.isatty)

    def __post_init__(self) -> None:
        encodes = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.done, self.failed, self.left_out, self.runs = "✓✗·…" if encodes else "+x-."
        self.colours = self.live and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def paint(self, code: int, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Time a step; what it calls with is shown behind the time."""
        notes: list[str] = []
        start = time.monotonic()
        if self.live:
            print(f"  {self.runs} {title}", end="", flush=True)
        try:
            yield notes.append
        except BaseException:
            self._line(31, self.failed, title, start, "")
            raise
        note = ", ".join(notes)
        left_out = note.startswith(LEFT_OUT)
        self._line(33 if left_out else 32, self.left_out if left_out else self.done, title, start, note)

    def _line(self, colour: int, mark: str, title: str, start: float, note: str) -> None:
        spent = f"{time.monotonic() - start:.1f} s"
        clear = "\r\033[K" if self.live else ""
        self.say(f"{clear}  {self.paint(colour, mark)} {title:<26}{spent:>8}   {note}".rstrip())


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Let nobody end the demo before it knows the process that it is starting: that one would stay."""
    came: list[int] = []
    before = [(number, signal.signal(number, lambda number, _: came.append(number))) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    if came:
        os.kill(os.getpid(), came[0])


class Project:
    """The folder of a demo, its log, and the commands that run in it; at the end of the `with` none of them runs."""

    def __init__(self, folder: Path, lock: int, env: dict[str, str]) -> None:
        self.folder = folder
        self.log = folder / LOG
        self.env = env
        self._lock = lock  # held as long as the file is open: until the end
        self._written = 0  # where the last command's output starts in the log
        self._last: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last is not None:
            stop(self._last)

    @property
    def shown(self) -> str:
        """The folder as a person would type it."""
        here = Path(os.path.relpath(self.folder))
        return str(self.folder if here.parts[:2] == ("..", "..") else here)

    def run(self, *command: str | Path, called: str = "", **environment: str) -> str:
        """Run a command to its end and give what it wrote."""
        if self.start(*command, **environment).wait() != 0:
            raise self.failure(f"`{called or ' '.join(map(str, command))}` failed.")
        return self.output()

    def start(self, *command: str | Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own, so that Ctrl-C reaches it through this program only."""
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            self._written = log.tell()
            try:
                with signals_wait():
                    self._last = subprocess.Popen(
                        [str(word) for word in command],
                        cwd=self.folder,
                        env=self.env | environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
            except OSError as error:
                raise DemoError(f"{command[0]} cannot be run ({error.strerror}); install it.") from None
            return self._last

    def output(self) -> str:
        """Give what the last command wrote, as a person would have seen it."""
        lines = self.log.read_bytes()[self._written :].decode(errors="replace").splitlines()
        return "".join(f"{plain(line)}\n" for line in lines)

    def failure(self, what: str) -> DemoError:
        """Give the error for a command that failed: what it wrote last, and what to do."""
        output = self.output()
        advice = f"The whole log: {self.log}"
        if OFFLINE.search(output):
            advice = (
                "Are PyPI and npm reachable from here? Behind a mirror set PIP_INDEX_URL, UV_DEFAULT_INDEX and "
                f"npm_config_registry, then run `make demo` again. {advice}"
            )
        lines = [line for line in TRACEBACK.sub("", output).splitlines() if line.strip()]
        return DemoError(f"{what} {advice}", "\n".join(lines[-TAIL:]))


def plain(text: str) -> str:
    """Leave out colours and what a progress bar wrote over."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).rpartition("\r")[2]


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, if it still runs, and what it started: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOPS_WITHIN)


def environment() -> dict[str, str]:
    """Give the environment without what the `make`, the venv or the git hook around this put there."""
    ours = (
        "MAKE",
        "MFLAGS",
        "GIT_DIR",
        "GIT_INDEX",
        "GIT_WORK_TREE",
        "GIT_PREFIX",
        "VIRTUAL_ENV",
        "UV_PROJECT",
        "DEMO_",
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**env, "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never", "PYTHONUNBUFFERED": "1"}


def claim(folder: Path) -> int | None:
    """Make the folder or take over one of an earlier demo, emptied; `None` while another demo is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if any(folder.iterdir()) and not (folder / LOG).is_file():
        raise DemoError(
            f"{folder} holds something that no demo made; empty it, or name another folder: make demo DEMO_DIR=..."
        )
    git = folder / ".git"
    for entry in [entry for entry in folder.iterdir() if entry != git] + ([git] if git.exists() else []):
        # .git last: as long as the log is in it, an interrupted removal can be taken up again
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return lock


def make_project() -> Project:
    """Find a folder for the project: the one that was asked for, or the first that no other demo works in."""
    if wanted := os.environ.get("DEMO_DIR"):
        folder = Path(wanted).expanduser().resolve()
        if (lock := claim(folder)) is None:
            raise DemoError(f"Another demo works in {folder}; name another folder: make demo DEMO_DIR=...")
        return Project(folder, lock, environment())
    number = 1
    while True:
        folder = TEMPLATE / "build" / "demo" / (NAME if number == 1 else f"{NAME}-{number}")
        if (lock := claim(folder)) is not None:
            return Project(folder, lock, environment())
        number += 1


def seconds_to_serve() -> float | None:
    text = os.environ.get("DEMO_SECONDS", "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise DemoError(f"DEMO_SECONDS={text} is no number of seconds; write for example DEMO_SECONDS=30.")
    return seconds


def copier_version() -> str:
    groups = tomllib.loads((TEMPLATE / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return next(str(line) for line in groups["dev"] if line.startswith("copier=="))


def copy_template(project: Project) -> str:
    """Copy the template as it is here, with what is not committed yet."""
    python = f"3.{min(sys.version_info.minor, NEWEST)}"  # the one that is here: none has to be fetched
    answers = {**ANSWERS, "python_version": python}
    data = [f"--data={key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in answers.items()]
    copier: list[str | Path] = [
        UV,
        "tool",
        "run",
        "--quiet",
        "--from",
        copier_version(),
        "copier",
        "copy",
        "--vcs-ref=HEAD",
    ]
    project.run(*copier, "--defaults", "--quiet", *data, TEMPLATE, project.folder, called="copier copy")
    return f"{len(files(project.folder))} files"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts]


def tests_passed(output: str) -> str:
    """Add up what pytest ("12 passed") and vitest ("Tests  12 passed") say."""
    counts = re.findall(r"^(?:=.*?|\s*Tests\s+)(\d+) passed|^(\d+) passed", output, re.M)
    return f"{sum(int(first or second) for first, second in counts)} tests passed"


def make_image(project: Project) -> str:
    """Build the image, or say why none can be built here."""
    if shutil.which("docker") is None:
        return f"{LEFT_OUT}docker is not installed"
    try:
        answer = subprocess.run(["docker", "version"], check=False, capture_output=True, timeout=15, env=project.env)
    except (OSError, subprocess.TimeoutExpired):
        return f"{LEFT_OUT}docker does not answer"
    if answer.returncode != 0:  # the client alone is there
        return f"{LEFT_OUT}no Docker daemon answers"
    try:
        project.run("make", "image")
    except DemoError:
        if NO_BASE_IMAGE.search(project.output()):
            return f"{LEFT_OUT}its base images cannot be pulled from here"
        raise
    return f"{NAME}:dev"


def make_bundle(project: Project) -> str:
    """Build and unpack the desktop app, with a Python from uv or this machine; or say why none can be built here."""
    if (here := f"{sys.platform} {platform.machine()}") != "linux x86_64":
        return f"{LEFT_OUT}it is for linux x86_64, and this is {here}"
    try:
        project.run("make", "bundle", UV_PYTHON_DOWNLOADS="manual", UV_HTTP_RETRIES="1")
        note = "with a Python of its own"
    except DemoError:
        if NO_PYTHON not in project.output():
            raise
        try:
            project.run("make", "bundle", f"BUNDLE_FLAGS=--python {THIS_MACHINE}")
        except DemoError:
            if NO_PYTHON_HERE not in project.output():
                raise
            return f"{LEFT_OUT}there is no Python for it, here or to fetch"
        note = "stays here: Python could not be fetched, so it uses this machine's"
    (archive,) = (project.folder / "dist").glob("*-linux-x64.tar.gz")
    project.run("tar", "-xzf", archive, "-C", project.folder / "build")
    return f"{archive.stat().st_size / 1e6:.1f} MB, {note}"


def start_app(project: Project, port: int) -> tuple[str, subprocess.Popen[bytes]]:
    """Start the app: as a user of the desktop app does, or from the source where there is none."""
    if (project.folder / RUN_SH).is_file():
        return str(RUN_SH), project.start(project.folder / RUN_SH, "--port", str(port))
    return "make run", project.start("make", "run", f"ARGUMENTS=--port {port}")


def free_port() -> int:
    """Give the port of the answers, or any free one where that is taken."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise DemoError("No port is free on 127.0.0.1; end a program that listens there.")


@contextlib.contextmanager
def only_one_chooses_a_port() -> Iterator[None]:
    """Keep other demos of this user from taking the port between the choice and the start of the app."""
    lock = os.open(
        Path(tempfile.gettempdir()) / f"gitea-py-template-demo-{os.getuid()}.lock", os.O_RDWR | os.O_CREAT, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def ask(url: str) -> dict[str, Any]:
    """Ask the app itself, past any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def wait_for_health(project: Project, app: subprocess.Popen[bytes], url: str) -> str:
    """Wait until the app says that it is ready, and that it is this project; give its version."""
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until:
        if app.poll() is not None:
            raise project.failure("The app ended right after its start.")
        with contextlib.suppress(OSError, ValueError):
            if ask(f"{url}/health").get("ready"):
                if (name := ask(f"{url}/system/info").get("name")) != ANSWERS["project_name"]:
                    raise DemoError(f"{name!r} answers at {url} and not the demo; end it, then run `make demo` again.")
                return str(ask(f"{url}/health")["version"])
        time.sleep(0.1)
    raise project.failure(f"{url}/health did not answer within {STARTS_WITHIN:.0f} s.")


def built_wheel(project: Project) -> Path:
    for wheel in (project.folder / "dist").glob("*.whl"):
        return wheel
    raise project.failure("`make wheel` left no wheel in dist/.")


def demo(screen: Screen) -> None:
    """Go all the way from the template to an app that serves."""
    start = time.monotonic()
    seconds = seconds_to_serve()
    for program in ("git", "make"):
        if shutil.which(program) is None:
            raise DemoError(f"{program} is missing; install it (apt install {program}).")
    with make_project() as project:
        screen.say(f"\n  {screen.paint(1, 'A project with every target, from nothing')}\n")
        wheel = build(screen, project)
        with screen.step("start") as note, only_one_chooses_a_port():
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            command, app = start_app(project, port)
            note(f"{command}: healthy, version {wait_for_health(project, app, url)}")
        screen.say(f"\n  Page     {screen.paint(36, url)}")
        screen.say(f"  API      {url}/openapi.json")
        screen.say(f"  Project  {project.shown}")
        screen.say(f"  Wheel    {os.path.relpath(wheel, project.folder)}")
        screen.say(f"  Total    {time.monotonic() - start:.0f} s\n")
        until = "until Ctrl-C" if seconds is None else f"for {seconds:g} s"
        screen.say(f"  Serving {until}; later: cd {shlex.quote(project.shown)} && {command}")
        serve(project, app, seconds)
    screen.say("  Stopped.")


def build(screen: Screen, project: Project) -> Path:
    """Make all there is to make, and give the wheel."""
    (project.folder / ".git").mkdir()  # before the repository: the log is in it
    with screen.step("uv") as note:
        note(project.run(UV, "--version", called="uv --version").split()[1])
    with screen.step("copier copy") as note:
        project.run("git", "init", "--quiet", "--initial-branch=main")
        note(copy_template(project))
        note(" + ".join(ANSWERS["targets"]))
    with screen.step("make setup") as note:
        project.run("make", "setup")
        note(f"Python {platform.python_version()}")
    with screen.step("make check") as note:
        note(tests_passed(project.run("make", "check")))
    with screen.step("make wheel") as note:
        project.run("make", "wheel")
        wheel = built_wheel(project)
        note(f"{wheel.name}, {wheel.stat().st_size / 1000:.0f} kB")
    with screen.step("make image") as note:
        note(make_image(project))
    with screen.step("make bundle") as note:
        note(make_bundle(project))
    return wheel


def serve(project: Project, app: subprocess.Popen[bytes], seconds: float | None) -> None:
    """Wait until the time is over or somebody presses Ctrl-C."""
    try:
        app.wait(seconds)
    except subprocess.TimeoutExpired:
        return
    except Stopped as stopped:
        if stopped.number != signal.SIGINT:
            raise
        return
    raise project.failure("The app ended by itself.")


def on_signal(number: int, _frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # once is enough; the rest is tidying up
    raise Stopped(number)


@contextlib.contextmanager
def terminal_of_its_own() -> Iterator[None]:
    """Take the terminal's Ctrl-C from the `make` above, which would report the wanted end of the demo as an error."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:  # none here: a pipe, a service
        yield
        return
    group = os.getpgrp()
    try:
        if os.tcgetpgrp(terminal) != group or os.getpid() == group:  # in the background, or not below a make
            yield
            return
        for number in (signal.SIGTTOU, signal.SIGTSTP):  # Ctrl-Z would stop the demo and leave make waiting
            signal.signal(number, signal.SIG_IGN)
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpid())
        try:
            yield
        finally:
            os.tcsetpgrp(terminal, group)
    finally:
        os.close(terminal)


def main() -> int:
    if len(sys.argv) > 1:
        print(__doc__)
        return 0 if sys.argv[1] in {"-h", "--help"} else 2
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a letter is no reason to stop
    screen = Screen()
    for number in SIGNALS:
        signal.signal(number, on_signal)
    try:
        with terminal_of_its_own():
            demo(screen)
    except DemoError as trouble:
        if trouble.tail:
            print("\n" + "\n".join(f"    {line}" for line in trouble.tail.splitlines()) + "\n", file=sys.stderr)
        print(f"demo: {trouble}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print("  Stopped.", flush=True)
        return 0 if stopped.number == signal.SIGINT else 128 + stopped.number
    except BrokenPipeError:  # `make demo | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"demo: {where}{error.strerror or error}. Another folder: make demo DEMO_DIR=folder", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
