"""scripts/linux/run.sh and scripts/start.py: which version is started, and which not again."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render
from tests.support.launcher import Installation, post
from tests.support.tools import run

pytestmark = pytest.mark.slow

Install = Callable[..., Installation]


@pytest.fixture(scope="module")
def rendered(render: Render) -> Path:
    return render(answers_for(["desktop"], project_slug="sample", frontend=False))


@pytest.fixture
def installation(rendered: Path, tmp_path: Path) -> Installation:
    return Installation(tmp_path / "Größe, 100 % $HOME 'q'", rendered)


@pytest.fixture
def install(installation: Installation) -> Install:
    """Give 1.0.0 and a newer version that is current and on trial."""

    def install(behaviour: str, *trial: str) -> Installation:
        installation.add("1.0.0")
        installation.add("1.1.0", behaviour)
        installation.write("current", "1.1.0")
        installation.write("trial", *(trial or ("1.1.0", "1.0.0")))
        return installation

    return install


def tree(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def went_back(installation: Installation) -> bool:
    state = [installation.lines(name) for name in ("current", "trial", "failed")]
    return state == [["1.0.0"], None, ["1.1.0"]]


def proved_itself(installation: Installation) -> bool:
    state = [installation.lines(name) for name in ("current", "trial", "failed")]
    return state == [["1.1.0"], None, None]


def test_starts_the_current_version_and_writes_nothing_into_it(installation: Installation) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        installation.add(version)
    installation.write("current", "1.1.0")
    before = tree(installation.root / "versions")
    with installation.run("--port", "0", "two words", "*") as launcher:
        app = launcher.serves("1.1.0")
        assert app["cwd"] == str(installation.root)
        assert "isolated=1" in app["flags"] and "dont_write_bytecode=1" in app["flags"]
    assert installation.starts == ["1.1.0 --port 0 two words *"]
    assert tree(installation.root / "versions") == before


@pytest.mark.parametrize(
    "how", ["in its folder", "from beside it", "by a link", "by a link to the folder", "by a name in PATH"]
)
def test_is_found_from_everywhere(how: str, installation: Installation, tmp_path: Path) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    folder = installation.root.name
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "sample").symlink_to(installation.root / "run.sh")
    (tmp_path / "elsewhere" / folder).mkdir(parents=True)  # where `cd` would go with this CDPATH
    environment = {
        **os.environ,
        "CDPATH": str(tmp_path / "elsewhere"),
        "PATH": f"{installation.root}:{os.environ['PATH']}",
    }
    command, cwd = {
        "in its folder": ("bash run.sh", installation.root),
        "from beside it": (f"bash {shlex.quote(folder)}/run.sh", tmp_path),
        "by a link": ("./sample", tmp_path),
        "by a link to the folder": ("link/run.sh", tmp_path),
        "by a name in PATH": ("run.sh", tmp_path),
    }[how]
    assert run(["bash", "-c", f"{command} --version"], cwd=cwd, env=environment).stdout == "sample 1.0.0\n"


@pytest.mark.parametrize(
    "current", [None, b"", b"\n", b"2.0.0\n", b"../versions/1.0.0\n", b".\n", b"1.0.0/\n", b"\xff\0", b"-v\n", b"$(id)"]
)
def test_a_damaged_current_starts_the_newest_version(current: bytes | None, installation: Installation) -> None:
    for version in ("1.9.0", "1.10.0.dev1", "1.10.0", "1.10.0rc2", "1.8.0.r2"):
        installation.add(version)
    (installation.root / "versions/1.11.0").mkdir()
    (installation.root / "versions/.1.12.0.partial/python/bin").mkdir(parents=True)
    if current is not None:
        (installation.root / "current").write_bytes(current)
    result = run([installation.root / "run.sh", "--version"])
    assert result.stdout == "sample 1.10.0\n"
    (line,) = result.stderr.splitlines()
    assert line == "sample: the file current names no version that can be started; starting 1.10.0"


def test_a_damaged_current_does_not_start_what_failed(installation: Installation) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        installation.add(version)
    installation.write("failed", "1.1.0", "1.2.0")
    assert run([installation.root / "run.sh", "--version"]).stdout == "sample 1.0.0\n"
    installation.write("failed", "1.0.0", "1.1.0", "1.2.0")
    assert run([installation.root / "run.sh", "--version"]).stdout == "sample 1.2.0\n"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_line_is_a_line(ending: str, installation: Installation) -> None:
    installation.add("1.0.0")
    (installation.root / "current").write_bytes(f"1.0.0{ending}".encode())
    result = run([installation.root / "run.sh", "--version"])
    assert (result.stdout, result.stderr) == ("sample 1.0.0\n", "")


def test_nothing_to_start(installation: Installation) -> None:
    result = run([installation.root / "run.sh"], returncode=1)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"sample: there is no version in {installation.root}/versions that can be started; install")


def test_an_app_that_is_not_there(installation: Installation) -> None:
    folder = installation.add("1.0.0")
    installation.write("current", "1.0.0")
    (folder / "app/sample/__main__.py").unlink()
    (folder / "app/sample").rmdir()
    result = run([installation.root / "run.sh", "--version"], returncode=1)
    assert result.stderr == f"sample is missing in {folder / 'app'}: install the app again.\n"


def test_a_good_version_proves_itself(install: Install) -> None:
    installation = install("slow")
    with installation.run() as launcher:
        launcher.wait_for(lambda: installation.lines("trial") == ["1.1.0", "1.0.0", "started"])
        pid = launcher.serves("1.1.0")["pid"]
        launcher.wait_for(lambda: proved_itself(installation))
        assert installation.app()["pid"] == pid
        assert launcher.end(signal.SIGTERM) == 0
    assert installation.starts == ["1.1.0"]


def test_it_proves_itself_with_another_data_folder(install: Install, tmp_path: Path) -> None:
    installation = install("good")
    with installation.run("--data-dir", str(tmp_path / "other")) as launcher:
        launcher.wait_for(lambda: proved_itself(installation))
    assert not installation.data.exists()


def test_it_goes_on_after_the_time_of_its_trial(install: Install) -> None:
    installation = install("good")
    with installation.run(SAMPLE_TRIAL_SECONDS="1") as launcher:
        launcher.wait_for(lambda: proved_itself(installation))
        pid = installation.app()["pid"]
        time.sleep(2)
        assert installation.app()["pid"] == pid


@pytest.mark.parametrize("behaviour", ["crash", "hang", "wrong"])
def test_a_bad_version_is_gone_back_from(behaviour: str, install: Install) -> None:
    installation = install(behaviour)
    with installation.run("--port", "0", SAMPLE_TRIAL_SECONDS="1") as launcher:
        launcher.serves("1.0.0", seconds=10)
        assert went_back(installation)
        assert launcher.end(signal.SIGTERM) == 0
    assert installation.starts == ["1.1.0 --port 0", "1.0.0 --port 0"]
    assert "sample: version 1.1.0 did not prove itself; going back to 1.0.0" in installation.log.read_text()


def test_an_interpreter_that_does_not_start_is_gone_back_from(install: Install) -> None:
    installation = install("good")
    python = installation.root / "versions/1.1.0/python/bin/python3"
    python.unlink()
    python.write_text("#!/bin/sh\nexec sleep 600\n")
    python.chmod(0o755)
    with installation.run(SAMPLE_TRIAL_SECONDS="0") as launcher:
        launcher.serves("1.0.0", seconds=20)
        assert went_back(installation)


def test_a_killed_trial_is_gone_back_from(install: Install) -> None:
    installation = install("hang")
    with installation.run() as launcher:
        launcher.wait_for(lambda: installation.starts == ["1.1.0"])
        children = Path(f"/proc/{launcher.process.pid}/task/{launcher.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        launcher.serves("1.0.0")
        assert went_back(installation)


def test_a_trial_that_was_cut_off_is_gone_back_from(install: Install) -> None:
    """Everything was killed, or the power went."""
    installation = install("good", "1.1.0", "1.0.0", "started")
    with installation.run() as launcher:
        launcher.serves("1.0.0")
        assert went_back(installation)
    assert installation.starts == ["1.0.0"]


def test_a_trial_of_another_version_is_nothing(install: Install) -> None:
    """The power went between the two files."""
    installation = install("crash", "1.1.0", "1.0.0")
    installation.write("current", "1.0.0")
    with installation.run() as launcher:
        launcher.serves("1.0.0")
    assert (installation.lines("trial"), installation.lines("failed")) == (None, None)


@pytest.mark.parametrize("previous", ["0.9.0", "../x", ""])
def test_the_version_to_go_back_to_is_gone(previous: str, install: Install) -> None:
    installation = install("crash", "1.1.0", previous)
    with installation.run() as launcher:
        launcher.serves("1.0.0")
        assert went_back(installation)


def test_nothing_to_go_back_to(installation: Installation) -> None:
    installation.add("1.1.0", "crash")
    installation.write("current", "1.1.0")
    installation.write("trial", "1.1.0", "1.0.0")
    with installation.run() as launcher:
        assert launcher.process.wait(timeout=20) == 3
    assert installation.starts == ["1.1.0", "1.1.0"]
    assert (installation.lines("current"), installation.lines("trial")) == (["1.1.0"], None)
    assert "there is no other to go back to" in installation.log.read_text()


def test_a_stop_is_no_failure(install: Install) -> None:
    """A version that is stopped before it could prove itself, and ends well, is tried again."""
    installation = install("slow")
    with installation.run() as launcher:
        launcher.wait_for(lambda: installation.starts)
        assert launcher.end(signal.SIGTERM) == 0
    assert installation.lines("trial") == ["1.1.0", "1.0.0"]
    with installation.run() as launcher:
        launcher.wait_for(lambda: proved_itself(installation))


def test_a_hanging_version_that_is_stopped_by_force_is_gone_back_from(install: Install) -> None:
    installation = install("hang")
    with installation.run() as launcher:
        launcher.wait_for(lambda: installation.starts)
        os.killpg(launcher.process.pid, signal.SIGKILL)
    with installation.run() as launcher:
        launcher.serves("1.0.0")
        assert went_back(installation)


def test_what_starts_no_server_is_no_trial(install: Install) -> None:
    installation = install("good")
    assert run([installation.root / "run.sh", "--version"]).stdout == "sample 1.1.0\n"
    assert installation.lines("trial") == ["1.1.0", "1.0.0"]


def test_a_second_start_does_not_end_the_trial_of_the_first(install: Install) -> None:
    installation = install("slow")
    with installation.run() as first:
        first.wait_for(lambda: installation.starts)
        with installation.run("--open") as second:
            second.wait_for(lambda: installation.starts == ["1.1.0", "1.1.0 --open"])
            assert installation.lines("trial") == ["1.1.0", "1.0.0", "started"]
        first.wait_for(lambda: proved_itself(installation))


def test_an_app_can_start_itself_again(installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    with installation.run("--port", "0", "--open") as launcher:
        first = launcher.serves("1.0.0")
        post(first, "/75")
        second = launcher.serves("1.0.0", besides=first["pid"])
        assert launcher.process.poll() is None
        installation.add("1.1.0")  # an update: the new version beside the old one, then `trial`, then `current`
        installation.write("trial", "1.1.0", "1.0.0")
        installation.write("current", "1.1.0")
        post(second, "/75")
        third = launcher.serves("1.1.0")
        launcher.wait_for(lambda: proved_itself(installation))
        installation.add("1.2.0", "crash")
        installation.write("trial", "1.2.0", "1.1.0")
        installation.write("current", "1.2.0")
        post(third, "/75")
        launcher.serves("1.1.0", besides=third["pid"])
        assert launcher.end(signal.SIGTERM) == 0
    again = [f"{version} --port 0" for version in ("1.0.0", "1.1.0", "1.2.0", "1.1.0")]  # the page is open
    assert installation.starts == ["1.0.0 --port 0 --open", *again]
    assert installation.lines("failed") == ["1.2.0"]


def test_a_new_launcher_takes_over_at_a_restart(installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    with installation.run() as launcher:
        app = launcher.serves("1.0.0")
        partial = installation.root / "run.sh.partial"
        partial.write_text("#!/usr/bin/env bash\necho another launcher >took-over\n")
        partial.chmod(0o755)
        partial.replace(installation.root / "run.sh")
        post(app, "/75")
        assert launcher.process.wait(timeout=10) == 0
    assert installation.lines("took-over") == ["another launcher"]


@pytest.mark.parametrize(("path", "code"), [("/0", 0), ("/3", 3)])
def test_ends_with_the_code_of_the_app(path: str, code: int, installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    with installation.run() as launcher:
        post(launcher.serves("1.0.0"), path)
        assert launcher.process.wait(timeout=10) == code


def test_an_app_that_is_killed_is_an_error(installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    with installation.run() as launcher:
        os.kill(launcher.serves("1.0.0")["pid"], signal.SIGKILL)
        assert launcher.process.wait(timeout=10) == 137


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_app_well(number: int, installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    with installation.run() as launcher:
        launcher.serves("1.0.0")
        start = time.monotonic()
        assert launcher.end(number) == 0
        assert time.monotonic() - start < 2
    assert installation.log.read_text() == "serving 1.0.0\nstopped by a signal\n"


def test_ctrl_c_in_a_terminal_ends_the_app_once(installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(installation.root / "run.sh", ["run.sh"])  # noqa: S606
    try:
        output = b""
        while b"serving 1.0.0\r\n" not in output:
            output += os.read(terminal, 1000)
        os.write(terminal, b"\x03")
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        output += os.read(terminal, 1000)
    finally:
        os.close(terminal)
    assert code == 0
    assert output == b"serving 1.0.0\r\n^Cstopped by a signal\r\n"
    assert not installation.log.exists()


def test_output_goes_to_the_journal(installation: Installation, tmp_path: Path) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    with (tmp_path / "journal").open("w") as journal:
        stat = os.fstat(journal.fileno())
        with installation.run(output=journal, JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}") as launcher:
            launcher.serves("1.0.0")
    assert (tmp_path / "journal").read_text() == "serving 1.0.0\n"
    assert not installation.log.exists()


def test_a_long_log_is_put_aside(installation: Installation) -> None:
    installation.add("1.0.0")
    installation.write("current", "1.0.0")
    for old in ("short\n", "long" * 300_000, "longer" * 300_000):
        installation.log.parent.mkdir(exist_ok=True)
        installation.log.write_text(old)
        with installation.run() as launcher:
            launcher.serves("1.0.0")
        if old == "short\n":
            assert installation.log.read_text() == "short\nserving 1.0.0\n"
        else:
            assert installation.log.read_text() == "serving 1.0.0\n"
            assert installation.log.with_suffix(".log.1").read_text() == old


def test_waiting_costs_nothing(install: Install) -> None:
    """Also while the app is stopped, as a debugger or Ctrl-Z stop it."""
    installation = install("good")
    with installation.run() as launcher:
        pid = launcher.serves("1.1.0")["pid"]
        launcher.wait_for(lambda: proved_itself(installation))
        os.kill(pid, signal.SIGSTOP)
        before = cpu_seconds(launcher.process)
        time.sleep(1)
        assert cpu_seconds(launcher.process) - before < 0.1
        os.kill(pid, signal.SIGCONT)
        assert launcher.end(signal.SIGTERM) == 0


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    ticks: int = sum(int(fields[number]) for number in (11, 12, 13, 14))
    return ticks / os.sysconf("SC_CLK_TCK")
