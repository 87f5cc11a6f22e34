"""Does `make demo` keep its word: with little on the machine, twice, side by side, stopped, without a network?"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from scripts import demo
from tests.conftest import REPOSITORY
from tests.support.tools import MissingError, run

HIDDEN = {
    "uv",
    "uvx",
    "node",
    "npm",
    "npx",
    "docker",
    "python3",
}  # the newcomer's machine has not got them, or only ours
STEPS = ("uv", "copier copy", "make setup", "make check", "make wheel", "make image", "make bundle", "start")


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """An environment that finds Debian's programs and this Python only, and whose home is new."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in map(Path, ("/usr/bin", "/bin", "/usr/sbin", "/sbin")):
        for program in folder.iterdir():
            if program.name not in HIDDEN and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    home = tmp_path / "home"
    home.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "NODE_EXTRA_"))}
    return {
        **inherited,
        "PATH": str(programs),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "UV_CACHE_DIR": run([shutil.which("uv") or os.environ["UV"], "cache", "dir"]).stdout.strip(),  # downloads only
    }


@pytest.fixture
def made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A place for demos that is not this checkout's build/demo."""
    monkeypatch.setattr(demo, "TEMPLATE", tmp_path)
    monkeypatch.delenv("DEMO_DIR", raising=False)
    yield tmp_path / "build" / "demo"


def finish(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / demo.LOG).write_text("a demo was here")


@pytest.mark.slow
def test_from_nothing(bare_machine: dict[str, str], template: Path, tmp_path: Path) -> None:
    env = {**bare_machine, "DEMO_DIR": str(tmp_path / "shown")}
    shell = pexpect.spawn(
        "make", ["demo"], cwd=str(template), env=env, encoding="utf-8", timeout=900, dimensions=(40, 160)
    )
    shell.expect("Serving until Ctrl-C")
    screen = re.sub(r"\x1b\[[0-9;]*[mK]", "", str(shell.before))
    for step in STEPS:
        assert re.search(rf"[✓·] {step} +\d+\.\d s", screen), screen
    assert "left out: docker is not installed" in screen
    url = re.search(r"Page +(http://127\.0\.0\.1:\d+)", screen)
    assert url, screen
    assert healthy(url[1])
    shell.sendintr()
    shell.expect(pexpect.EOF)
    shell.close()
    assert "***" not in str(shell.before), "make calls the wanted end an error"
    assert shell.exitstatus == 0
    assert not listens(url[1])


@pytest.mark.slow
@pytest.mark.usefixtures("long")
def test_by_somebody_without_rights_and_once_more(bare_machine: dict[str, str], template: Path) -> None:
    """Debian's account nobody, with Debian's programs only, and a home that is made for this."""
    python = Path("/usr/bin/python3")
    version = run([python, "-c", "import sys; print(sys.version_info[:2] >= (3, 11))"]).stdout.strip()
    if os.geteuid() != 0 or version != "True":
        raise MissingError("root, to become nobody, and a Debian with Python 3.11 or newer")
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:  # pytest's folders are for its user only
        shutil.copytree(template, Path(home, "template"), symlinks=True)
        run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", home])
        env = {name: value for name, value in bare_machine.items() if name != "UV_CACHE_DIR"}
        for _ in range(2):  # the second one takes the place of the first
            result = subprocess.run(
                ["make", "demo", "DEMO_SECONDS=0.5"],
                check=False,
                capture_output=True,
                text=True,
                cwd=f"{home}/template",
                env=env | {"PATH": "/usr/bin:/bin", "HOME": home},
                timeout=900,
                user=nobody.pw_uid,
                group=nobody.pw_gid,
                extra_groups=[],
            )
            assert result.returncode == 0, result.stdout + result.stderr
            for step in STEPS:
                assert re.search(rf"[✓·] {step} +\d+\.\d s", result.stdout), result.stdout
            assert result.stdout.endswith("  Stopped.\n")
    assert result.stderr == ""


def healthy(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/health", timeout=10) as answer:
        return bool(json.load(answer)["status"] == "ok")


def listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


@pytest.mark.slow
def test_no_network_is_one_clear_line(bare_machine: dict[str, str], template: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in bare_machine.items() if not name.startswith("PIP_")}
    env |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "DEMO_DIR": str(tmp_path / "shown")}
    result = subprocess.run(
        ["make", "demo"], check=False, capture_output=True, text=True, cwd=template, env=env, timeout=120
    )
    assert result.returncode != 0
    assert "✗ uv " in result.stdout
    lines = [line for line in result.stderr.splitlines() if line.startswith("demo: ")]
    assert len(lines) == 1
    assert "Are PyPI and npm reachable from here?" in lines[0]
    assert "Traceback" not in result.stdout + result.stderr


def test_an_older_python_is_one_clear_line(template: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = run(["make", "demo", f"PYTHON={old}"], cwd=template, returncode=None)
    assert result.returncode != 0
    assert result.stderr.splitlines()[0] == (
        f"Python 3.11 or newer is needed and {old} is not: install one, or name it: make PYTHON=python3.13 ..."
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_the_middle(number: signal.Signals, template: Path, tmp_path: Path) -> None:
    """Also a step that does not end by itself is ended, and nothing of it is left."""
    (template.parent / f"hanging-{number}").mkdir()
    copy = shutil.copytree(template, template.parent / f"hanging-{number}" / "template", symlinks=True)
    uv = copy / "template" / "scripts" / "uv.sh"
    uv.write_text('#!/bin/bash\necho "$$" >&2\nexec sleep 1000\n')
    env = {**os.environ, "DEMO_DIR": str(tmp_path / "shown")}
    process = subprocess.Popen(
        [sys.executable, "scripts/demo.py"], cwd=copy, env=env, stdout=subprocess.PIPE, text=True
    )
    log = tmp_path / "shown" / demo.LOG
    while process.poll() is None and not re.search(r"^\d+$", log.read_text() if log.exists() else "", re.M):
        pass
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == (0 if number == signal.SIGINT else 128 + number)
    assert output.endswith("  Stopped.\n")
    started = re.search(r"^\d+$", log.read_text(), re.M)
    assert started
    with pytest.raises(ProcessLookupError):
        os.killpg(int(started[0]), 0)


@pytest.mark.parametrize("seconds", ["soon", "-1", "inf", "nan"])
def test_a_time_that_is_none_is_one_clear_line(seconds: str) -> None:
    result = run(
        [sys.executable, REPOSITORY / "scripts" / "demo.py"], env={**os.environ, "DEMO_SECONDS": seconds}, returncode=1
    )
    assert (
        result.stderr == f"demo: DEMO_SECONDS={seconds} is no number of seconds; write for example DEMO_SECONDS=30.\n"
    )


def test_side_by_side_each_has_its_folder(made_anew: Path) -> None:
    first, second = demo.make_project(), demo.make_project()
    assert [first.folder, second.folder] == [made_anew / "harbour-weather", made_anew / "harbour-weather-2"]


def test_a_folder_in_use_is_not_taken(made_anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_anew / "mine"
    monkeypatch.setenv("DEMO_DIR", str(folder))
    first = demo.make_project()
    with pytest.raises(demo.DemoError, match="Another demo works in"):
        demo.make_project()
    assert first.folder == folder


def test_what_a_demo_made_is_made_anew(made_anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_anew / "mine"
    finish_in = folder / "sub"
    finish_in.mkdir(parents=True)
    finish(folder)
    monkeypatch.setenv("DEMO_DIR", str(folder))
    demo.make_project()
    assert list(folder.iterdir()) == []


def test_what_no_demo_made_is_kept(made_anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made_anew / "mine"
    folder.mkdir(parents=True)
    (folder / "thesis.odt").write_text("years of work")
    monkeypatch.setenv("DEMO_DIR", str(folder))
    with pytest.raises(demo.DemoError, match="holds something that no demo made"):
        demo.make_project()
    assert (folder / "thesis.odt").read_text() == "years of work"


def test_a_port_in_use_is_left_alone() -> None:
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # somebody else has it: as good
            other.bind(("127.0.0.1", demo.DEFAULT_PORT))
        other.listen()
        assert demo.free_port() not in {0, demo.DEFAULT_PORT}


def test_what_make_and_git_set_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKEFLAGS", "MAKELEVEL", "GIT_INDEX_FILE", "VIRTUAL_ENV", "DEMO_SECONDS"):
        monkeypatch.setenv(name, "x")
    assert not [name for name, value in demo.environment().items() if value == "x"]


def test_counts_tests_of_both_languages() -> None:
    output = "===== 12 passed, 1 skipped in 0.5s =====\n      Tests  30 passed (30)\n Test Files  4 passed (4)\n"
    assert demo.tests_passed(output) == "42 tests passed"


@pytest.mark.parametrize(
    ("output", "offline"),
    [
        ("error: Request failed after 3 retries\n  Caused by: operation timed out", True),
        ("npm error network timeout at: https://npm.example.com/vite", True),
        ("npm error code ENOTFOUND", True),
        ("-    run(command, timeout=TIMEOUT)\n1 file would be reformatted", False),
    ],
)
def test_only_what_failed_on_the_network_is_put_down_to_it(output: str, offline: bool) -> None:
    assert bool(demo.OFFLINE.search(output)) is offline
