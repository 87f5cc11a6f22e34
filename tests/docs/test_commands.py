"""Is each command that the documentation names one that exists, with the options that it is given?

All of them are looked up here; RUN_BY says which tests run them besides.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.docs.markdown import REPOSITORY, Fence, documents, fences, without_fences

# Programs of others, which tests cannot ask for their options: those that are commands of a system, or are not here.
OTHERS = {
    *(
        "apt",
        "base64",
        "cd",
        "convert",
        "cp",
        "cscript",
        "curl",
        "diff",
        "docker",
        "echo",
        "export",
        "file",
        "fsutil",
        "git",
    ),
    *("journalctl", "jsign", "loginctl", "mkdir", "openssl", "osslsigncode", "pip", "powershell", "printf", "python3"),
    *("read", "rm", "setup.exe", "sh", "systemctl", "tail", "tar", "usermod", "winget", "migrate-to-uv", "mv"),
}
TOOLS = {"copier": ["-m", "copier"], "ruff": ["-m", "ruff"]}  # that are installed beside these tests
HOOKS = {"gitea-workflows": "hooks/gitea_workflows.py", "windows-scripts": "hooks/windows_scripts.py"}
SHELL = {"bash", "console"}
PROMPT = re.compile(r"^\$ ", re.MULTILINE)
BESIDE = re.compile(r"<\(([^()]*)\)")  # what a command reads of another: <(echo …)
BUILT_IN = {"cd", "echo", "export", "printf", "read"}  # of the shell: nobody sees what they are called with
SECRET = re.compile(r"\$\{?\w*(TOKEN|PASSWORD|SECRET|KEY)\b|(TOKEN|PASSWORD|SECRET|KEY)=")
ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
BEGINS = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:sudo )?(?:make|uvx?|copier|ruff|scripts/\S+|\./\S+|[\w-]+\.sh|[\w-]+-scripts|adopt-project) "
)
OPTION = re.compile(r"--?[a-z][\w-]*")
# Pages with commands in blocks: the tests that run those, or the same with other names. After it, what no test runs.
RUN_BY = {
    "README.md": ["tests/questions/test_trust.py", "tests/demo"],
    "docs/how-to/add-dependencies.md": [
        "tests/build/test_bundle_windows.py"
    ],  # with other packages; not targets.py image
    "docs/how-to/adopt-an-existing-project.md": ["tests/adoption/test_command.py", "tests/adoption/test_projects.py"],
    "docs/how-to/build-bundles.md": ["tests/build/test_bundle_linux.py"],  # not the export of mirrors
    "docs/how-to/build-for-windows.md": ["tests/build/test_bundle_windows.py"],  # not winget
    "docs/how-to/choose-targets.md": ["tests/docs/test_docs.py"],
    "docs/how-to/format.md": ["tests/project/test_projects.py"],
    "docs/how-to/many-repositories.md": ["tests/gitea/test_fleet.py"],
    "docs/how-to/runners.md": [],  # an official image
    "docs/how-to/run-as-a-service.md": ["tests/build/test_linux_service.py"],  # not loginctl
    "docs/how-to/sign-installers.md": ["tests/scripts/test_windows_installer.py"],  # not the base64 of a person's own
    "docs/how-to/update-a-project.md": ["tests/copier_update/test_cases.py", "tests/copier_update/test_green.py"],
    "docs/how-to/update-installed-apps.md": ["tests/updating/conftest.py", "tests/docs/test_self_updating_app.py"],
    "docs/reference/hooks.md": ["tests/hooks/test_gitea_workflows.py"],
    "docs/tutorial/first-project.md": ["tests/docs/test_tutorial.py"],
    "docs/tutorial/self-updating-app.md": ["tests/docs/test_self_updating_app.py"],  # not docker run of the runner
    "README.md of a project": ["tests/project/test_projects.py", "tests/build/test_image.py"],
    "docs/releasing.md of a project": ["tests/gitea/test_release.py"],
}


@dataclass
class Text:
    """A document, and the folders in which its commands are typed."""

    path: Path
    name: str
    roots: list[Path]

    @property
    def content(self) -> str:
        return self.path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def texts(projects: list[Path]) -> list[Text]:
    """Give what is written for people: here, and in projects."""
    ours = [Text(path, str(path.relative_to(REPOSITORY)), [*projects, REPOSITORY]) for path in documents()]
    theirs = [
        Text(project / name, f"{name} of a project", [project])
        for project in projects
        for name in ("README.md", "docs/releasing.md")
    ]
    return [*ours, *theirs]


def simple_commands(code: str) -> Iterator[list[str]]:
    """Split shell code into commands of one program each, as words; variables that are set for one stay before it."""
    for inner in BESIDE.findall(code):
        yield from simple_commands(inner)
    code = re.sub(r"<([^<>\n]+)>", "X", BESIDE.sub("X", code))
    lexer = shlex.shlex(code, posix=True, punctuation_chars=";|&()<>\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if word and set(word) <= set(";|&()\n"):
            if words:
                yield words
            words = []
        elif word != "\\\n":
            words.append(word)


def commands(text: str) -> Iterator[list[str]]:
    """Give the commands of all blocks of shell, and those in the text that begin with a program that is known here."""
    for fence in fences(text):
        if is_shell(fence) and "() {" not in fence.code:
            yield from simple_commands(PROMPT.sub("", fence.code).replace("\\\n", " "))
    for span in re.findall(r"`([^`\n]+)`", without_fences(text)):
        if BEGINS.match(span) and "…" not in span:
            yield from simple_commands(span)


@cache
def help_of(*command: str) -> str:
    """Ask one of the tools what it takes."""
    asked = [sys.executable, *TOOLS[command[0]], *command[1:], "--help"]
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "200"}
    answer = subprocess.run(asked, check=False, capture_output=True, text=True, env=environment)
    assert answer.returncode == 0, f"there is no {' '.join(command)}: {answer.stderr}"
    return answer.stdout


@cache
def read_all(folder: Path, pattern: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob(pattern)) if path.is_file())


def lacking(options: list[str], known: str) -> list[str]:
    """Give the options of which a text knows nothing."""
    wanted = [found[0] for option in options if (found := OPTION.match(option))]
    return [option for option in wanted if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", known)]


def without_prefix(words: list[str]) -> list[str]:
    """Leave out what stands before the program: variables that are set for it, and words of the shell."""
    while words and (ASSIGNED.match(words[0]) or words[0] in {"sudo", "env", "while", "do", "done"}):
        words = words[1:]
    return words


def problem(words: list[str], roots: list[Path]) -> str | None:
    """Say what is wrong with a command, if anything is."""
    words = without_prefix(words)
    if not words or words[0] == "for":
        return None
    program, *rest = words
    if program in {"uvx", "scripts/uv.sh", "uv", "tools/bin/copier"}:
        return problem_of_uv(program, rest, roots)
    if program == "make":
        return problem_of_make(rest, roots)
    if program in TOOLS:
        subcommand = next((word for word in rest if not word.startswith("-")), "")
        return say("options", lacking(rest, help_of(program, subcommand)))
    if program in HOOKS or program == "adopt-project":
        own = REPOSITORY / HOOKS.get(program, "adoption/cli.py")
        return say("options", lacking(rest, own.read_text(encoding="utf-8")))
    if program.endswith((".sh", ".py")):
        return problem_of_script(program, rest, roots)
    if program == "python" and rest[:1] == ["-m"]:
        is_there = (REPOSITORY / rest[1].replace(".", "/")).with_suffix(".py").exists()
        return None if is_there or rest[1].startswith("my_") else "no such module"
    return None if Path(program).name in OTHERS else "a program that nobody has looked at"


def problem_of_uv(program: str, words: list[str], roots: list[Path]) -> str | None:
    """Look at what uv or uvx runs; the words of uv itself are few."""
    if program == "tools/bin/copier":
        return problem(["copier", *words], roots)
    if program == "uvx":
        while words and words[0].startswith("-"):
            words = words[2:]  # --from and what it is from
        return problem([words[0].partition("@")[0], *words[1:]], roots)
    subcommand, *rest = words
    if subcommand != "run":
        return None if subcommand in {"add", "lock", "sync", "venv", "pip"} else f"uv {subcommand}"
    while rest and rest[0].startswith("-"):
        rest = rest[1:]
    return None if rest[0] == "pytest" else problem(rest, roots)


def problem_of_make(words: list[str], roots: list[Path]) -> str | None:
    makefiles = [(root / "Makefile").read_text(encoding="utf-8") for root in roots]
    for word in words:
        name, is_variable, _ = word.partition("=")
        if word == "…":
            continue
        pattern = rf"\b{name}\b" if is_variable else rf"^{re.escape(name)}:"
        if not any(re.search(pattern, makefile, re.MULTILINE) for makefile in makefiles):
            return f"no {'variable' if is_variable else 'target'} {name}"
    return None


def problem_of_script(program: str, words: list[str], roots: list[Path]) -> str | None:
    """A script is there, and it or what it is made of knows its options and its first word."""
    name = Path(program).name
    found = [path for root in roots for path in root.rglob(name) if ".venv" not in path.parts]
    if not found:
        return "no such script"
    path = found[0]
    if name == "run.sh":  # hands its options on to the app
        known = read_all(path.parents[2], "*.py")
    elif name == "release.py":
        known = read_all(path.parent / "releasing", "*.py") + path.read_text(encoding="utf-8")
        if not words[0].startswith("-") and not re.search(rf'add_command\(\s*commands,\s*"{words[0]}"', known):
            return f"no command {words[0]}"
    else:
        known = path.read_text(encoding="utf-8") + read_all(path.parent, "build-common.sh")
        if name == "install-service.sh":  # hands what is not its own on to the app
            known += read_all(path.parents[2], "server.py") + read_all(path.parents[2], "settings.py")
            words = [word for word in words if word not in {"--host", "--port"}]
    return say("options", lacking(words, known + "--help"))


def say(what: str, names: list[str]) -> str | None:
    return f"no {what} {', '.join(names)}" if names else None


def is_shell(fence: Fence) -> bool:
    return fence.language in SHELL or (not fence.language and bool(BEGINS.match(fence.code.replace("\n", " "))))


def test_it_is_said_which_tests_run_the_blocks(texts: list[Text]) -> None:
    pages = {text.name for text in texts if any(is_shell(fence) for fence in fences(text.content))}
    assert pages <= RUN_BY.keys()
    missing = [name for names in RUN_BY.values() for name in names if not (REPOSITORY / name).exists()]
    assert missing == []


def test_commands_and_their_options_exist(texts: list[Text]) -> None:
    wrong = []
    count = 0
    for text in texts:
        for words in commands(text.content):
            count += 1
            if reason := problem(words, text.roots):
                wrong.append(f"{text.name}: {shlex.join(words)}: {reason}")
    assert not wrong, "\n".join(wrong)
    assert count > 150, "the commands are not found any more"


@pytest.mark.parametrize(
    "wrong",
    [
        "make nonsense",
        "make setup NONSENSE=1",
        "scripts/uv.sh run scripts/release.py nonsense",
        "scripts/uv.sh run --quiet scripts/release.py publish --nonsense",
        "scripts/nonsense.sh",
        "sudo ./install-service.sh --nonsense",
        "uvx copier copy --nonsense here there",
        "VERSION=1 nonsense",
        "windows-scripts --nonsense",
    ],
)
def test_wrong_commands_are_found(wrong: str, projects: list[Path]) -> None:
    (words,) = simple_commands(wrong)
    assert problem(words, projects)


def shows_a_secret(words: list[str]) -> bool:
    """Say whether a program is called with a token or the like, which everybody on the machine can read then."""
    program, *rest = without_prefix(words) or [""]
    return program not in BUILT_IN and any(SECRET.search(word) for word in rest)


def test_no_secret_is_on_a_command_line(texts: list[Text]) -> None:
    wrong = [
        f"{text.name}: {shlex.join(words)}: hand it over in a variable, a file or @<(echo …)"
        for text in texts
        for words in commands(text.content)
        if shows_a_secret(words)
    ]
    assert not wrong, "\n".join(wrong)
    assert shows_a_secret(["curl", "--header", "Authorization: token $GITEA_TOKEN"])
    assert shows_a_secret(["docker", "run", "--env", "GITEA_RUNNER_REGISTRATION_TOKEN=TOKEN"])
    assert not shows_a_secret(["GITEA_TOKEN=…", "scripts/uv.sh", "run"])


def parse_ini(code: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(code)


PARSERS: dict[str, Callable[[str], object]] = {
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "ini": parse_ini,
    "python": ast.parse,
    "json": yaml.safe_load,
}
LANGUAGES = {*PARSERS, *SHELL, "bat", "diff", "text", ""}  # Windows' own are run by tests/build/test_old_layout.py


def test_blocks_of_code_can_be_read(texts: list[Text]) -> None:
    wrong = []
    for text in texts:
        for fence in fences(text.content):
            if fence.language not in LANGUAGES:
                wrong.append(f"{text.name}: nobody looks at ```{fence.language}")
            elif fence.language in PARSERS:
                try:
                    PARSERS[fence.language](fence.code)
                except Exception as error:
                    wrong.append(f"{text.name}: {fence.language}: {error}")
    assert wrong == []


def test_workflows_that_are_pressed_exist(texts: list[Text]) -> None:
    """As in: *Actions*, *release.yml*, *Run Workflow*; Gitea lists them by the names of their files."""
    pages = {"Secrets", "Variables", "Runners", "renovate.yml"}
    wrong = []
    for text in texts:
        names = {path.name for root in text.roots for path in root.glob(".gitea/workflows/*.yml")}
        pressed = re.findall(r"\*Actions\*,\s+\*([^*]+)\*", text.content)
        wrong += [f"{text.name}: {name}" for name in pressed if name not in names | pages]
    assert wrong == []


def test_links_of_a_project_lead_somewhere(projects: list[Path]) -> None:
    broken = []
    for project in projects:
        for document in (project / "README.md", project / "docs/releasing.md"):
            text = without_fences(document.read_text(encoding="utf-8"))
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                path = link.partition("#")[0]
                if not link.startswith("http") and path and not (document.parent / path).exists():
                    broken.append(f"{document.name}: {link}")
    assert broken == []
