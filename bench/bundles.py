"""How soon does the app of a Linux bundle answer, and what does a second build cost?"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import copier

from bench.measure import Table, Times, commit, row, run
from tests.answers import answers_for
from tests.support.projects import free_port, newcomer
from tests.support.tools import uv

START = 0.9  # to be kept: of the time that PyInstaller's folder of the same app takes to the first answer
REBUILD = 0.5  # and of the time of the first build
PYINSTALLER = "pyinstaller==6.22.3"
ENTRY = "import sys\nfrom sample_desktop.server import main\nsys.exit(main())\n"
ANSWERS_WITHIN = 60.0


def compare_starts(template: Path, scratch: Path, runs: int) -> Table:
    """Compare run.sh of the bundle with what PyInstaller makes of the same app, locked dependencies and Python."""
    environment = newcomer(scratch / "start-path")
    project = make_project(template, scratch / "start", environment)
    build(project, environment)
    (ours,) = project.glob("build/linux/*/run.sh")
    commands: dict[str, list[Path]] = {"bundle": [ours], "other": [pyinstaller(project, environment)]}
    times = {name: Times() for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            measured = first_answer(command, environment)
            if number:  # the first start fills the caches
                times[name].add(measured)
    shutil.rmtree(project)
    return Table(
        "A Linux bundle, started",
        [
            row("run.sh to the first answer of /health", times["bundle"], others=times["other"], bound=START),
            row("PyInstaller, one folder", times["other"]),
        ],
        [f"{runs} starts each, in turns, after one that filled the caches; {PYINSTALLER.replace('==', ' ')}."],
    )


def pyinstaller(project: Path, environment: Mapping[str, str]) -> Path:
    """Make PyInstaller's folder as its manual has it, with the bundle's Python; gives the program."""
    folder = project / "pyinstaller"
    venv, entry = folder / "venv", folder / "entry.py"
    env = {**environment, "UV_PROJECT_ENVIRONMENT": str(venv)}
    run([uv(), "sync", "--quiet", "--locked", "--no-default-groups", "--no-editable"], cwd=project, env=env)
    run([uv(), "pip", "install", "--quiet", "--python", venv, PYINSTALLER], cwd=project, env=env)
    entry.write_text(ENTRY, encoding="utf-8")
    options = ["--onedir", "--noconfirm", "--name", "app", "--collect-data", "sample_desktop"]
    options += ["--copy-metadata", "sample-desktop", "--distpath", "dist", "--workpath", "work"]
    run([venv / "bin/pyinstaller", *options, entry], cwd=folder, env=env)
    return folder / "dist/app/app"


def first_answer(command: Sequence[Path], environment: Mapping[str, str]) -> Times:
    """Start the app with a new data folder, and time it until /health answers 200."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        words = [*map(str, command), "--port", str(port), "--data-dir", data]
        quiet = subprocess.DEVNULL
        start = time.perf_counter()
        app = subprocess.Popen(words, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            while not answers(port):
                if app.poll() is not None or time.perf_counter() - start > ANSWERS_WITHIN:
                    raise RuntimeError(f"{command[0]} does not answer")
                time.sleep(0.002)
            times = Times([time.perf_counter() - start], [processor_seconds(app.pid)])
        finally:
            app.terminate()
            app.wait()
    return times


def processor_seconds(process: int) -> float:
    """Add up what a process has had of the processor so far, with its threads, its children and theirs."""
    ticks = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[13:15]
    seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")  # of the children that have ended
    for task in Path(f"/proc/{process}/task").iterdir():
        seconds += int((task / "schedstat").read_text(encoding="utf-8").split()[0]) / 1e9
        seconds += sum(processor_seconds(int(child)) for child in (task / "children").read_text().split())
    return seconds


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def compare_builds(template: Path, scratch: Path, runs: int) -> Table:
    """Compare a build where nothing has changed with the first one of a checkout; what uv has loaded stays in both."""
    environment = newcomer(scratch / "rebuild-path")
    project = make_project(template, scratch / "rebuild", environment)
    build(project, environment)
    first, again = Times(), Times()
    for _ in range(runs):
        shutil.rmtree(project / "build")
        first.add(build(project, environment))
        again.add(build(project, environment))
    shutil.rmtree(project)
    return Table(
        "A Linux bundle, built again",
        [row("again, nothing changed", again, others=first, bound=REBUILD), row("first of a checkout", first)],
        [f"{runs} runs each, self-test included, after one that filled uv's cache."],
    )


def build(project: Path, environment: Mapping[str, str]) -> Times:
    return run([project / "scripts/build-dist.sh", "--version", "1.0"], cwd=project, env=environment)


def make_project(template: Path, project: Path, environment: Mapping[str, str]) -> Path:
    answers = answers_for(["desktop"], frontend=False)
    copier.run_copy(str(template), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    run([uv(), "lock", "--quiet"], cwd=project, env=environment)
    commit(project)
    return project
