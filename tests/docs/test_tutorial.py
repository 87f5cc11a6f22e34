"""The tutorial, followed word for word: its commands are typed, its files written, its output compared."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import git
from tests.docs.markdown import REPOSITORY, TUTORIAL, Fence, fences, table
from tests.support.projects import newcomer
from tests.support.terminal import CLEAR_LINE, ENTER, Terminal

TEMPLATE_URL = "https://gitea.example.com/tools/gitea-py-template.git"
PROJECT_URL = "https://gitea.example.com/ada/home-server.git"
PORT = "8765"  # of the tutorial: here it may be taken
SERVES = re.compile(r"^(make run|\S+/run\.sh)\n", re.MULTILINE)
ASKS = "bin/copier copy http"


class Reader:
    """Somebody who does what the tutorial says, in a folder of their own."""

    def __init__(self, folder: Path, environment: dict[str, str], own: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.state = folder.with_suffix(".state")
        self.environment = environment
        self.own = own or {}  # what this reader writes in place of the page's names
        self.pasted = ""  # where a command asks
        self.output = ""  # of the last commands
        self.app: subprocess.Popen[str] | None = None

    def follow(self, fence: Fence) -> None:
        match fence.language:
            case "bash" if ASKS in fence.code:
                self.answer(fence.code)
            case "bash":
                self.type(fence.code)
            case "text":
                assert_shown(fence.code, self.output)
            case "python":
                path = self.file_of(fence)
                assert not path.exists()
                path.write_text(fence.code, encoding="utf-8")
            case "diff":
                self.change(fence)
            case _:
                raise AssertionError(f"nobody knows what to do with ```{fence.language}")

    def type(self, code: str) -> None:
        """Type the commands into a shell; the app that they start goes on until the next ones have run."""
        for name, own in self.own.items():
            code = code.replace(name, own)
        command, serves, _ = SERVES.split(code, maxsplit=1) if SERVES.search(code) else (code, "", "")
        result = subprocess.run(
            ["bash", "-c", f"set -e\n{command}\nenv --null >'{self.state}'"],
            check=False,
            cwd=self.folder,
            env=self.environment,
            input=self.pasted,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = result.stdout
        assert result.returncode == 0, f"{code}\n{self.output}"
        state = dict(line.split("=", 1) for line in self.state.read_text(encoding="utf-8").split("\0") if line)
        self.folder = Path(state["PWD"])
        self.environment |= {name: state[name] for name in state.keys() - {"PWD", "OLDPWD", "SHLVL", "_"}}
        if self.app:
            self.stop()
        if serves:
            self.start(serves)

    def start(self, command: str) -> None:
        self.app = subprocess.Popen(
            command.split(),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.app.stdout
        self.output = ""
        for line in self.app.stdout:
            self.output += line
            if "listening" in line:
                return
        raise AssertionError(f"the app ended: {self.output}")

    def stop(self) -> None:
        """Press Ctrl-C: the whole foreground group gets it, make as well."""
        assert self.app
        app, self.app = self.app, None
        subprocess.run(["kill", "-INT", "--", f"-{app.pid}"], check=True)
        app.communicate(timeout=15)

    def answer(self, code: str) -> None:
        """Answer the questions, in their order, as the table says."""
        text = TUTORIAL.read_text(encoding="utf-8")
        answers = table(text, "| Question | Answer |")
        command = ["bash", "-c", code]
        with Terminal(command, cwd=self.folder, lines=60) as terminal:
            for asked in questions():
                terminal.wait_for(asked)
                answer = next((answers.pop(question) for question in list(answers) if asked.startswith(question)), None)
                terminal.press(*([CLEAR_LINE, answer] if answer else []), ENTER)
            assert terminal.wait_for_end() == 0
            self.output = "\n".join(terminal.lines)
        assert not answers, f"nobody asks {list(answers)}"

    def change(self, fence: Fence) -> None:
        """Replace the lines of a diff without line numbers: they must be there once."""
        path = self.file_of(fence)
        lines = fence.code.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path.name} has {text.count(old)} times:\n{old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def file_of(self, fence: Fence) -> Path:
        """Give the file that the text names; a second change is to the same file."""
        if match := re.search(r"`([\w./-]+\.(?:py|html))`:$", fence.before):
            self.file = self.folder / match[1]
        return self.file


def questions() -> Iterator[str]:
    """Give the text of each question that is asked when all is as offered."""
    declared: dict[str, Any] = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    for name, question in declared.items():
        if name.startswith("_") or question.get("when") is False:
            continue
        if "'docker' in targets" in str(question.get("when", "'docker' in targets")):
            yield question["help"].partition("{")[0].strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_shown(expected: str, output: str) -> None:
    """Each line is there, in this order."""
    shown = iter(line.strip() for line in output.splitlines())
    for line in filter(None, map(str.strip, expected.splitlines())):
        assert any(line in other for other in shown), f"not shown: {line}\n\n{output}"


@pytest.mark.slow
def test_is_followed_word_for_word(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    substitutes = {f"url.{template}.insteadOf": TEMPLATE_URL, f"url.{remote}.insteadOf": PROJECT_URL}
    environment = newcomer(tmp_path) | {"HOME_SERVER_PORT": str(free_port())}
    environment["GIT_CONFIG_COUNT"] = str(len(substitutes))
    for number, (key, value) in enumerate(substitutes.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)  # for the terminal

    (tmp_path / "home").mkdir()
    reader = Reader(tmp_path / "home", environment, {PORT: environment["HOME_SERVER_PORT"]})
    for fence in fences(TUTORIAL.read_text(encoding="utf-8")):
        reader.follow(fence)

    assert git(remote, "log", "--format=%s", "main").splitlines() == ["Lights"]
    assert "src/home_server/lights.py" in git(remote, "ls-tree", "-r", "--name-only", "main").splitlines()
