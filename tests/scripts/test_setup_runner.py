"""Does scripts/setup-runner.sh give a runner what the project needs, once, and say what it may not install?"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.answers import answers_for
from tests.conftest import Render

TOOLS = ("bash", "sed", "grep", "dirname", "python3", "make", "git", "mkdir", "cat", "sort", "head", "env", "tail")
NOBODY = 65534
# It resets the environment, and keeps what it is asked to.
SUDO = """\
kept=("PATH=$PATH")
while [[ $1 == -* ]]; do
  if [[ $1 == --preserve-env=* ]]; then
    names=${1#*=}
    for name in ${names//,/ }; do [[ -z ${!name-} ]] || kept+=("$name=${!name}"); done
  fi
  shift
done
exec env -i "${kept[@]}" "$@"
"""


class Runner:
    """A machine of a few commands: apt-get and dpkg-query only write down and read what is installed."""

    def __init__(self, folder: Path, project: Path) -> None:
        self.bin, self.installed, self.project = folder / "bin", folder / "installed", project
        self.bin.mkdir()
        self.installed.write_text("")
        self.user: int | None = None
        for tool in TOOLS:
            self.tool(tool)
        self.program("uv", "echo 'uv 0.13.8'")
        self.program("sudo", SUDO)  # for whoever is not root
        self.program("dpkg-query", f'grep -qx "${{@: -1}}" {self.installed} && printf installed')
        self.program(
            "apt-get",
            f'for word; do case $word in -*|install|update) ;; *) echo "$word" >>{self.installed} ;; esac; done',
        )

    def tool(self, name: str) -> None:
        found = shutil.which(name)
        assert found, f"{name} is missing on this machine"
        (self.bin / name).symlink_to(Path(found).resolve() if name != "python3" else found)

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.project / "scripts" / "setup-runner.sh", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": str(self.bin), "HOME": str(self.project.parent), **environment},
            user=self.user,
        )


@pytest.fixture
def runner(project: Render, tmp_path: Path) -> Runner:
    return Runner(tmp_path, project(answers_for(["docker", "desktop"])))


@pytest.fixture
def unprivileged(render: Render) -> Iterator[Runner]:
    """A runner whose jobs are not root's: in a folder where other users may look."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        runner = Runner(folder, shutil.copytree(render(answers_for(["desktop"])), folder / "project", symlinks=True))
        runner.tool("true")
        if os.geteuid() == 0:
            runner.user = NOBODY
            runner.installed.chmod(0o666)
        yield runner


def test_nothing_missing_installs_nothing(runner: Runner) -> None:
    result = runner.run()
    assert result.returncode == 0, result.stderr
    assert runner.installed.read_text() == ""


def test_packages_of_the_list_are_installed_once(runner: Runner) -> None:
    runner.installed.write_text("libone\n")
    (runner.project / "system-packages.txt").write_text("# a comment\nlibone\nlibtwo  # why\n\nlibthree libfour\n")
    for _ in range(2):
        result = runner.run()
        assert result.returncode == 0, result.stderr
        assert runner.installed.read_text().split() == ["libone", "libtwo", "libthree", "libfour"]


def test_packages_of_one_job_are_installed_too(runner: Runner) -> None:
    (runner.project / "system-packages.txt").write_text("libone\n")
    assert runner.run("nsis", "osslsigncode").returncode == 0
    assert runner.installed.read_text().split() == ["nsis", "osslsigncode", "libone"]


def test_make_is_installed_where_it_is_missing(runner: Runner) -> None:
    (runner.bin / "make").unlink()
    assert runner.run().returncode == 0
    assert runner.installed.read_text().split() == ["make"]


def test_runner_without_apt_says_what_it_lacks(runner: Runner) -> None:
    (runner.bin / "apt-get").unlink()
    (runner.project / "system-packages.txt").write_text("libone\n")
    result = runner.run()
    assert result.returncode == 1
    assert "lacks libone" in result.stderr
    assert result.stderr.count("\n") == 1


def test_other_systems_than_debian_are_taken_as_they_are(runner: Runner) -> None:
    for program in ("apt-get", "dpkg-query"):
        (runner.bin / program).unlink()
    (runner.project / "system-packages.txt").write_text("libone\n")
    result = runner.run("nsis")
    assert result.returncode == 0
    assert result.stderr == (
        "setup-runner: without dpkg-query nobody knows whether nsis libone is installed here; going on.\n"
    )
    (runner.bin / "make").unlink()
    assert runner.run().returncode == 1


def test_jobs_of_one_host_take_turns(runner: Runner, tmp_path: Path) -> None:
    """As apt-get, which gives up where another has its lock."""
    for tool in ("flock", "sleep", "rmdir"):
        runner.tool(tool)
    runner.program("apt-get", f"mkdir {tmp_path}/lock && sleep 0.2 && rmdir {tmp_path}/lock")
    with ThreadPoolExecutor(3) as jobs:
        results = list(jobs.map(runner.run, ["nsis"] * 3))
    assert [result.returncode for result in results] == [0, 0, 0], results[0].stderr


@pytest.mark.parametrize(
    ("sudo", "seen"),
    [
        (SUDO, "http://proxy:3128 noninteractive"),
        (f'[[ "$*" != *--preserve-env=* ]] || exit 1\n{SUDO}', " "),  # its rules do not allow that
    ],
    ids=["kept", "not kept"],
)
def test_apt_get_has_the_proxy_also_by_sudo(unprivileged: Runner, sudo: str, seen: str) -> None:
    unprivileged.program("sudo", sudo)
    unprivileged.program("apt-get", f'echo "$1 ${{http_proxy-}} ${{DEBIAN_FRONTEND-}}" >>{unprivileged.installed}')
    result = unprivileged.run("nsis", http_proxy="http://proxy:3128")
    assert result.returncode == 0, result.stderr
    assert unprivileged.installed.read_text().splitlines() == [f"update {seen}", f"install {seen}"]


def test_what_was_fetched_goes_to_the_tool_cache(runner: Runner, tmp_path: Path) -> None:
    exported, tools = tmp_path / "exported", tmp_path / "tools"
    assert runner.run(GITHUB_ENV=str(exported), RUNNER_TOOL_CACHE=str(tools)).returncode == 0
    assert exported.read_text().splitlines() == [f"XDG_CACHE_HOME={tools}/cache", f"npm_config_cache={tools}/cache/npm"]
    assert (tools / "cache").is_dir()


def test_runner_without_a_cache_loses_nothing(runner: Runner, tmp_path: Path) -> None:
    exported, blocked = tmp_path / "exported", tmp_path / "blocked"
    blocked.write_text("a file where the folder would be")
    assert runner.run(GITHUB_ENV=str(exported), RUNNER_TOOL_CACHE=str(blocked)).returncode == 0
    assert not exported.exists()


def test_help_installs_nothing(runner: Runner) -> None:
    result = runner.run("--help")
    assert result.stdout.startswith("Prepares a runner of Gitea Actions")
    assert runner.run("--yes").stderr == "setup-runner: '--yes' is no package; name packages of Debian, or nothing.\n"
    assert runner.installed.read_text() == ""
