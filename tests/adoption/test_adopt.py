"""The program and its report: six kinds of projects, what is in the way, and what it refuses."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml

from adoption import existing
from adoption.plan import with_own_files
from tests.adoption.conftest import Adopt
from tests.adoption.samples import FLAT, SAMPLES, SCRIPT, write
from tests.conftest import git
from tests.support.tools import run

Sample = Callable[[str], Path]

# What the report finds out by itself: answers; what is kept; the steps, by how they begin.
EXPECTED: dict[str, tuple[dict[str, object], list[str], list[str]]] = {
    "setup.cfg": (
        {
            "project_name": "unit-lengths",
            "package_name": "unit_lengths",
            "targets": ["library"],
            "license": "BSD-3-Clause",
            "description": "Lengths in metres, feet and furlongs",
            "author_name": "Ada Lovelace",
            "gitea_url": "https://git.example.org",
            "repo_owner": "birds",
            "repo_name": "sample",
            "default_branch": "main",
        },
        ["/.gitignore", "/CHANGELOG.md", "/LICENSE", "/README.md"],
        [
            "`pyproject.toml` is new",
            "The package is expected below src/",
            "Let git leave out",
            "A release candidate writes",
            "The rules for the code",
            "Nothing that was added reads these",
        ],
    ),
    "poetry": (
        {"project_slug": "paste-board", "targets": ["docker"], "license": "MIT", "port": "9000"},
        [
            *("/.dockerignore", "/.gitignore", "/.pre-commit-config.yaml", "/Dockerfile", "/Makefile"),
            *("/compose.yaml", "/pyproject.toml"),
        ],
        [
            "`pyproject.toml` is in Poetry's own form",
            "Let git leave out",
            "From `make setup` on commits run",
            "`Makefile` is yours",
            "`.dockerignore` was not added",
            "Compare these of yours",
            "The image sets",
            "Nothing that was added reads these",
        ],
    ),
    "server": (
        {"source_dir": "server", "package_name": "bird_feeder", "targets": ["docker"], "port": "8080"},
        ["/.editorconfig", "/.gitattributes"],
        [
            "`server/pyproject.toml` is new",
            "The package is expected below src/",
            "Compare these of yours",
            "`make check` looks at all of scripts/",
            "The rules for the code",
        ],
    ),
    "flat": (
        {"project_slug": "tide-tables", "package_name": "tide_tables", "license": "Proprietary"},
        ["/pyproject.toml"],
        [
            "`pyproject.toml`: Write `version = ",
            "`pyproject.toml`: Write `requires-python = ",
            "Add to `pyproject.toml`",
            "The package is expected below src/",
            "`scripts/check-wheel.sh` runs `tide-tables --version`",
            "Nothing that was added reads these",
        ],
    ),
    "src": (
        {"project_slug": "star-charts", "license": "Apache-2.0", "author_email": "vera@example.com"},
        ["/.gitea/workflows/release.yml", "/Makefile", "/docs", "/pyproject.toml", "/scripts/release.py"],
        [
            "`pyproject.toml`: Put into `[dependency-groups]`: `tools = ",
            "`pyproject.toml`: Put into its group `dev`",
            "Add to `pyproject.toml`",
            "`docs` is in the way of `docs/releasing.md`",
            "`.gitea/workflows/release.yml` is yours",
            "`makefile` is yours",
            "`scripts/release.py` is yours",
        ],
    ),
    "requirements": (
        {"project_slug": "sample", "package_name": "weather", "targets": ["library"], "source_dir": "."},
        [],
        [
            "`pyproject.toml` is new",
            "The code is expected in a package below src/",
            "`make check` finds no tests",
            "`scripts/check-wheel.sh` runs",
            "The rules for the code",
            "Nothing that was added reads these",
        ],
    ),
}


OURS = "project_name: x\nproject_slug: x\npackage_name: x\nsource_dir: .\ntargets: [library]\nlicense: MIT\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def steps(report: str) -> list[str]:
    unfolded = re.sub(r"\n   (?=\S)", " ", report)
    return re.findall(r"^\d+\. (.*)", unfolded, re.MULTILINE)


@pytest.mark.parametrize("kind", EXPECTED)
def test_what_is_there_stays_and_the_report_says_what_to_do(
    kind: str, sample: Sample, adopt: Adopt, template: Path
) -> None:
    answers, kept, begins = EXPECTED[kind]
    root = sample(kind)
    before = contents(root)

    announced = adopt(root, "--dry-run", "--defaults", str(template)).stdout
    assert contents(root) == before, "--dry-run wrote something"
    report = adopt(root).stdout

    after = contents(root)
    assert {name: after[name] for name in before} == before
    added = {name for name in after.keys() - before.keys() if not name.startswith("build/adoption/")}
    assert not [name for name in added if re.match(r"(server/)?(src|tests|frontend)/", name)], "starter code"
    assert {".copier-answers.yml", "scripts/uv.sh", ".gitea/workflows/test.yml"} <= added
    assert set(git(root, "ls-files", "--others", "--exclude-standard").splitlines()) <= added
    listed = {name for name in added if Path(name).name in report}
    assert listed == added, "the report names every file"

    found = yaml.safe_load(after[".copier-answers.yml"])
    assert {name: found[name] for name in answers} == answers
    assert found.get("own_files", []) == kept
    assert [
        (step, begin) for step, begin in zip(steps(report), begins, strict=True) if not step.startswith(begin)
    ] == []
    assert steps(announced) == steps(report)
    assert (root / "build/adoption/report.md").read_text(encoding="utf-8").strip() == report.strip()


def test_a_second_run_adds_nothing_and_says_what_is_left(sample: Sample, adopt: Adopt) -> None:
    root = sample("src")
    adopt(root)
    before = contents(root)
    assert len(steps(adopt(root).stdout)) == 7
    report = "build/adoption/report.md"
    assert contents(root) == {**before, report: (root / report).read_bytes()}

    git(root, "mv", "makefile", "GNUmakefile")
    shutil.copy(root / "build/adoption/template/Makefile", root)
    (root / "docs").unlink()
    shutil.copytree(root / "build/adoption/template/docs", root / "docs")
    shutil.copy(root / "build/adoption/template/scripts/release.py", root / "scripts")
    report = adopt(root).stdout
    assert len(steps(report)) == 4
    assert "The template's by now" in report
    own = yaml.safe_load((root / ".copier-answers.yml").read_text(encoding="utf-8"))["own_files"]
    assert own == ["/.gitea/workflows/release.yml", "/pyproject.toml"]


def test_a_folder_that_is_listed_by_hand_stays_on_the_list(tmp_path: Path, adopt: Adopt) -> None:
    root = write({**SCRIPT, "docs/releasing.md": "mine\n"}, tmp_path / "project")
    adopt(root)
    answers = root / ".copier-answers.yml"
    answers.write_text(with_own_files(answers.read_text(encoding="utf-8"), ["/docs/"]), encoding="utf-8")
    adopt(root)
    assert yaml.safe_load(answers.read_text(encoding="utf-8"))["own_files"] == ["/docs/"]


@pytest.mark.parametrize(
    "listed",
    [
        "own_files:\n- /Makefile\n- '*.lock'\n- '!/x'\n",
        "own_files:\n  - /Makefile\n  - '*.lock'\n  - '!/x'\n",
        "own_files:\n- /Makefile\n# made by a tool\n- '*.lock'\n- '!/x'\n",
        "own_files: [/Makefile, '*.lock', '!/x']\n",
    ],
    ids=["Copier's", "indented", "with a comment", "in one line"],
)
def test_the_list_of_own_files_may_be_written_by_hand_in_any_form(listed: str) -> None:
    before, after = "# Of Copier\n_commit: v1\nlicense: MIT\n", "package_name: one\npython_version: '3.13'\n"
    left = "own_files:\n- '*.lock'\n- '!/x'\n"
    assert with_own_files(f"{before}{listed}{after}", ["*.lock", "!/x"]) == f"{before}{left}{after}"
    assert with_own_files(f"{before}{listed}{after}", []) == f"{before}{after}"


def test_the_new_pyproject_has_what_the_old_packaging_said(sample: Sample, adopt: Adopt) -> None:
    root = sample("setup.cfg")
    adopt(root)
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    for expected in (
        'name = "unit-lengths"\nversion = "1.4.2"',
        'dependencies = [\n    "packaging>=21",\n]',
        'test = [\n    "hypothesis>=6",\n]',
        'unit-lengths = "unit_lengths.command:main"',
        'readme = "README.rst"',
        'license-files = ["LICENSE.txt"]',
        'tests = { extras = ["test"], groups = ["dev"] }',
    ):
        assert expected in text
    requirements = sample("server")
    adopt(requirements)
    text = (requirements / "server/pyproject.toml").read_text(encoding="utf-8")
    assert 'dependencies = [\n    "fastapi>=0.115",\n    "uvicorn[standard]>=0.30",\n]' in text
    assert "[project.scripts]" not in text, "no command of the starter code"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_requirements_are_taken_over_or_named(encoding: str, tmp_path: Path, adopt: Adopt) -> None:
    root = write(SCRIPT, tmp_path / "project", commit=False)
    listed = f"six==1.17.0 \\\n    --hash=sha256:{'0' * 64}  # old\n{SCRIPT['requirements.txt']}"
    (root / "requirements.txt").write_text(listed, encoding=encoding)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "As it was")
    report = adopt(root).stdout
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == ["six==1.17.0", "rich==13.9.4"]
    assert "Not taken over: `-r base.txt`, `git+https://example.com/x.git`." in steps(report)[0]


def test_a_setup_py_is_read_and_not_run(tmp_path: Path, adopt: Adopt) -> None:
    setup = """\
        import os
        from setuptools import setup
        os.makedirs("pwned")
        setup(name="Old.Thing", version="3.1", license="MIT", packages=["old_thing"], description=open("x").read(),
              install_requires=["six", "tomli; python_version < '3.11'", "-r more.txt"],
              entry_points={"console_scripts": ["old = old_thing:main"]})
        """
    root = write({"setup.py": setup, "old_thing/__init__.py": ""}, tmp_path / "old")
    adopt(root)
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert 'name = "old-thing"\nversion = "3.1"' in text
    assert tomllib.loads(text)["project"]["dependencies"] == ["six", "tomli; python_version < '3.11'"]
    assert 'old = "old_thing:main"' in text
    assert not (root / "pwned").exists()


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("setup.py", "setup(name='one', author='Zoë')\n", "utf-8-sig"),
        ("setup.py", "# coding: latin-1\nsetup(name='one', author='Zoë')\n", "latin-1"),
        ("setup.cfg", "[metadata]\nname = one\nauthor = Zoë\n", "utf-8-sig"),
        ("pyproject.toml", "[project]\nname = 'one'\nauthors = [{ name = 'Zoë' }]\n", "utf-8-sig"),
    ],
)
def test_packaging_may_begin_with_a_byte_order_mark_or_name_its_encoding(
    name: str, text: str, encoding: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding=encoding)
    answers = existing.answers(existing.read(tmp_path, None))
    assert (answers["project_name"], answers["author_name"]) == ("one", "Zoë")


def test_a_long_description_is_cut_to_one_that_is_taken(tmp_path: Path, adopt: Adopt) -> None:
    root = write({"setup.py": f"setup(description='{'a' * 199} b')\n"}, tmp_path / "project")
    adopt(root)
    answers = yaml.safe_load((root / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["description"] == "a" * 199


@pytest.mark.parametrize(
    ("said", "text", "expected"),
    [
        ("MIT License", "", "MIT"),
        ("", "The MIT License (MIT)\n\nCopyright (c) 2020 Ada\n", "MIT"),
        ("", "Nutzung nur mit Genehmigung.\n", "Proprietary"),
        ("", "NUTZUNG NUR MIT GENEHMIGUNG.\n", "Proprietary"),
        ("GPLv3", "", "GPL-3.0-or-later"),
        ("GPL-3.0+", "", "GPL-3.0-or-later"),
        ("GPL-3.0-only", "GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007\n", "Proprietary"),
        ("AGPL-3.0-or-later", "", "Proprietary"),
        ("LGPL-3.0", "", "Proprietary"),
        ("AGPLv3", "", "Proprietary"),
        ("MIT OR Apache-2.0", "", "Proprietary"),
        ("apache-2.0", "", "Apache-2.0"),
    ],
)
def test_a_licence_is_one_of_the_choices_or_all_rights_stay_reserved(
    said: str, text: str, expected: str, tmp_path: Path
) -> None:
    write({"setup.py": f"from setuptools import setup\nsetup(license={said!r})\n", "LICENSE": text}, tmp_path)
    assert existing.answers(existing.read(tmp_path, None))["license"] == expected


def test_a_pyproject_for_tools_only_gets_the_rest(tmp_path: Path, adopt: Adopt) -> None:
    pyproject = """\
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"

        [tool.black]
        line-length = 99

        [tool.mypy]
        files = ["old_thing"]
        """
    setup = """\
        from setuptools import setup
        setup(name='old-thing', version='1.0', install_requires=['six; "x" != "y"'])
        """
    files = {"setup.py": setup, "pyproject.toml": pyproject, "old_thing/__init__.py": ""}
    root = write(files, tmp_path / "old")
    report = adopt(root).stdout
    assert steps(report)[0].startswith("`pyproject.toml` has no `[project]`")
    with (root / "pyproject.toml").open("a", encoding="utf-8") as stream:
        stream.write((root / "build/adoption/lines/pyproject.toml").read_text(encoding="utf-8"))
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert content["project"]["version"] == "1.0"
    assert content["project"]["dependencies"] == ['six; "x" != "y"']
    assert content["build-system"]["build-backend"] == "setuptools.build_meta"
    assert content["tool"]["mypy"] == {"files": ["old_thing"]}
    assert "tests" in content["tool"]["old-thing"]["targets"]
    assert "tools" in content["dependency-groups"]
    assert "lines/pyproject.toml" not in adopt(root).stdout


@pytest.mark.parametrize("folder", ["", "server/"])
def test_ruff_leaves_the_scripts_to_the_template(folder: str, tmp_path: Path, adopt: Adopt) -> None:
    root = write({f"{folder}{name}": text for name, text in FLAT.items()}, tmp_path / "project")
    adopt(root)
    for name in ("scripts/ugly.py", "scripts/releasing/ugly.py"):
        (root / name).write_text("import os\nx = {  }\n", encoding="utf-8")
    source = root / folder
    with (source / "pyproject.toml").open("a", encoding="utf-8") as stream:
        stream.write((root / "build/adoption/lines/pyproject.toml").read_text(encoding="utf-8"))
    (command,) = re.findall(r"ruff check (--config .*)", (root / "Makefile").read_text(encoding="utf-8"))
    for kind in (["check"], ["format", "--check"]):
        run([Path(sys.executable).parent / "ruff", *kind, "--no-cache", *command.split()], cwd=source)


def test_what_was_interrupted_is_finished(sample: Sample, adopt: Adopt, monkeypatch: pytest.MonkeyPatch) -> None:
    root = sample("flat")
    with monkeypatch.context() as patch:
        patch.setattr("adoption.plan.shutil.copymode", _interrupted(20))
        adopt(root, returncode=130)
    assert not (root / ".copier-answers.yml").exists()
    assert "not committed" in _refused(adopt, root)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Half of it")
    adopt(root)
    assert yaml.safe_load((root / ".copier-answers.yml").read_text(encoding="utf-8"))["own_files"] == [
        "/pyproject.toml"
    ]


def test_ctrl_c_at_a_question_stops_it(
    sample: Sample, adopt: Adopt, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sample("flat")
    before = contents(root)
    monkeypatch.setattr("copier._main.unsafe_prompt", Mock(side_effect=KeyboardInterrupt))
    said = adopt(root, str(template), returncode=130).stderr
    assert said == "adopt-project: stopped; git status says whether something was added.\n"
    assert contents(root) == before


def _interrupted(after: int) -> Callable[[Path, Path], None]:
    """Copy modes that many times, then be interrupted."""
    real, left = shutil.copymode, iter(range(after))

    def copy(source: Path, target: Path) -> None:
        real(source, target)
        if next(left, None) is None:
            raise KeyboardInterrupt

    return copy


def _refused(adopt: Adopt, folder: Path, *options: str) -> str:
    before = contents(folder)
    result = adopt(folder, *options, returncode=1)
    assert contents(folder) == before
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_what_is_not_committed_stops_it(sample: Sample, adopt: Adopt) -> None:
    root = sample("flat")
    (root / "mine.py").write_text("", encoding="utf-8")
    assert _refused(adopt, root) == (
        "adopt-project: 1 file is not committed: commit first, so that you see what is added."
    )


def test_bad_input_gets_one_line(sample: Sample, adopt: Adopt, tmp_path: Path, template: Path) -> None:
    root = sample("flat")
    plain = tmp_path / "plain"
    plain.mkdir()
    lines = {
        _refused(adopt, plain): f"{plain} is no git repository: git init, and commit what you have.",
        _refused(adopt, root, str(template), "nowhere"): "nowhere is no folder.",
        _refused(adopt, root, str(template), "tests"): "tests is not the top of its git repository: go there.",
        _refused(adopt, root, "-d", "port", str(template)): (
            "-d port: write NAME=ANSWER, for example -d targets=[docker]."
        ),
        _refused(adopt, root, "--defaults", "-d", "project_slug=Not A Slug", str(template)): (
            "Validation error for question 'project_slug': Use a-z, 0-9 and -, like my-app. (say it with -d NAME=VALUE)"
        ),
        _refused(adopt, root, "-d", "source_dir=nowhere", str(template)): "source_dir: there is no folder nowhere.",
        _refused(adopt, root, "--defaults"): (
            "Say which template: adopt-project https://gitea.example.com/org/gitea-py-template.git"
        ),
    }
    assert list(lines) == [f"adopt-project: {line}" for line in lines.values()]
    assert "template" in _refused(adopt, root, "--defaults", str(tmp_path / "no-template"))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("pyproject.toml", "[project\n", "pyproject.toml cannot be read"),
        ("setup.py", "setup(", "setup.py cannot be read"),
        (
            ".copier-answers.yml",
            "_src_path: gh:x/y\n_commit: v1\n",
            ".copier-answers.yml is of another template (gh:x/y)",
        ),
        (".copier-answers.yml", "- 1\n", ".copier-answers.yml does not say where its template is"),
        (
            ".copier-answers.yml",
            f"_src_path: gh:x/y\n_commit: v1\n{OURS}own_files: Makefile\n",
            "own_files in .copier-answers.yml is a list",
        ),
        (
            ".copier-answers.yml",
            "own_files:\n- *.lock\n",
            ".copier-answers.yml cannot be read, patterns with * or ! need quotes: while scanning an alias",
        ),
        ("build", "a file\n", "build/adoption is there already"),
    ],
)
def test_what_cannot_be_read_or_is_in_the_way_is_said(
    name: str, text: str, line: str, tmp_path: Path, adopt: Adopt
) -> None:
    root = write({**SCRIPT, name: text}, tmp_path / "project")
    assert _refused(adopt, root).startswith(f"adopt-project: {line}")


@pytest.mark.parametrize("name", ["server/setup.py", "server/setup.cfg", "server/pyproject.toml"])
def test_what_cannot_be_read_is_named_with_its_folder(name: str, tmp_path: Path, adopt: Adopt) -> None:
    root = write({name: "(\n"}, tmp_path / "project")
    assert _refused(adopt, root).startswith(f"adopt-project: {name} cannot be read: ")


def test_two_projects_in_one_repository(tmp_path: Path, adopt: Adopt) -> None:
    root = write({f"{name}/setup.py": "" for name in ("client", "server")}, tmp_path / "project")
    assert _refused(adopt, root) == (
        "adopt-project: There is Python code in client and server: say which one it is about, -d source_dir=client."
    )


def test_packaging_in_a_folder_with_a_hyphen_is_found(tmp_path: Path, adopt: Adopt) -> None:
    root = write({"back-end/setup.py": "setup(name='one')\n", "back-end/one/__init__.py": ""}, tmp_path / "project")
    adopt(root)
    assert (root / "back-end/pyproject.toml").exists()


@pytest.mark.parametrize(
    ("name", "readme"),
    [("README.md", "README.md"), ("README", {"file": "README", "content-type": "text/plain"})],
)
def test_code_and_notes_stand_for_no_text_of_the_template(
    name: str, readme: object, tmp_path: Path, adopt: Adopt
) -> None:
    names = ("newsletter.py", "history.py", "licence.py", "README-dev.md", name)
    root = write({"setup.py": "", **dict.fromkeys(names, "")}, tmp_path / "project")
    adopt(root)
    assert {"CHANGELOG.md", "LICENSE"} <= contents(root).keys()
    assert tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["readme"] == readme


def test_many_files_of_ones_own(tmp_path: Path, adopt: Adopt) -> None:
    scripts = "build-wheel.sh check-wheel.sh release.py release.toml setup-runner.sh targets.py uv.sh version.py"
    others = ".gitignore .gitattributes .editorconfig .pre-commit-config.yaml Makefile"
    names = [*(f"scripts/{name}" for name in scripts.split()), *others.split()]
    root = write({**SCRIPT, **dict.fromkeys(names, "mine\n")}, tmp_path / "project")
    adopt(root)
    answers = yaml.safe_load((root / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert {f"/{name}" for name in names} <= set(answers["own_files"])


def test_files_of_ones_own_may_be_in_any_encoding(tmp_path: Path, adopt: Adopt) -> None:
    names = (".gitignore", "Makefile", "LICENSE", "README.md", "scripts/check-wheel.sh")
    root = write({**SCRIPT, **dict.fromkeys(names, "")}, tmp_path / "project", commit=False)
    for name in names:
        (root / name).write_bytes("# für später\n".encode("latin-1"))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "As it was")
    assert "Let git leave out what the commands make:" in adopt(root).stdout
    assert adopt(root).stdout


@pytest.mark.parametrize("code", ["MyApp/__init__.py", "src/MyApp/__init__.py", "MyApp.py"])
def test_a_name_with_capitals_changes_and_that_is_said(code: str, tmp_path: Path, adopt: Adopt) -> None:
    root = write({"setup.py": "", code: ""}, tmp_path / "project")
    report = adopt(root).stdout
    assert "`MyApp` is called `myapp` then: change imports, entry points, and what else names it." in steps(report)
    for command in re.findall(r"^ +((?:mkdir|git mv) .*)$", report, re.MULTILINE):
        run(command.split(), cwd=root)
    assert (root / "src/myapp/__init__.py").exists()
    assert "MyApp" not in adopt(root).stdout


def test_nothing_is_written_through_a_link_out_of_the_project(tmp_path: Path, adopt: Adopt) -> None:
    root, elsewhere = write(SCRIPT, tmp_path / "project", commit=False), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / "docs").symlink_to(elsewhere)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "As it was")
    for _ in range(2):
        assert "`docs` is in the way of `docs/releasing.md`. Move it, then:" in steps(adopt(root).stdout)
        answers = yaml.safe_load((root / ".copier-answers.yml").read_text(encoding="utf-8"))
        assert answers["own_files"] == ["/docs"]
    assert list(elsewhere.iterdir()) == []


def test_files_that_git_would_not_see_are_named(tmp_path: Path, adopt: Adopt) -> None:
    root = write({**SCRIPT, ".gitignore": "version.py\n*.yml\n!/.gitea/**\n"}, tmp_path / "project")
    report = adopt(root).stdout
    assert adopt(root).stdout.count("git add --force") == 1, "it is not done yet"
    (command,) = re.findall(r"git add --force .*", report)
    assert command.split()[3:] == ["scripts/version.py", ".copier-answers.yml"]
    run(command.split(), cwd=root)
    git(root, "add", "--all")
    assert {"scripts/version.py", ".copier-answers.yml"} <= set(git(root, "ls-files").splitlines())
    assert "git add --force" not in adopt(root).stdout


def test_kinds_are_all_there() -> None:
    assert EXPECTED.keys() == SAMPLES.keys()
