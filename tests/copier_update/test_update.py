"""From older versions of the template to the work tree: is all that the user wrote still there, and all that is new?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.answers import Answers
from tests.copier_update.conftest import Living, MakeLiving, Origin, owner
from tests.copier_update.history import ADDED, AGED, DROPPED, RENAMED, SYNTHETIC

pytestmark = pytest.mark.slow

MINE = b"mine"
Fresh = Callable[[Answers], Living]


def aged_lines(project: Living, answers: Answers) -> dict[str, int]:
    """Give the files of the template in which a line has changed since, and the line's index."""
    found = {}
    for name, content in project.files().items():
        lines = [index for index, line in enumerate(content.splitlines()) if line.startswith(AGED.encode())]
        if lines and name != RENAMED[0] and owner(name, answers) != "you":
            found[name] = lines[0]
    return found


def with_line(content: bytes, index: int, *, instead: bool = False) -> bytes:
    """Insert the user's line before that one, or put it in its place; it ends as the others do."""
    lines = content.splitlines(keepends=True)
    end = b"\r\n" if b"\r\n" in content else b"\n"
    lines[index : index + instead] = [MINE + end]
    return b"".join(lines)


def test_an_untouched_project_gets_all_that_is_the_templates(origin: Origin, living: MakeLiving, fresh: Fresh) -> None:
    version, answers = origin
    project = living(version, answers)
    before = project.files()
    project.update()
    after, new = project.files(), fresh(answers).files()
    for name in {*new, *after}:
        kept = name in before and owner(name, answers) == "you"
        assert after.get(name) == (before if kept else new).get(name), name
    if version == SYNTHETIC[0]:
        assert {RENAMED[1], ADDED} <= {*after}
        assert not {RENAMED[0], DROPPED} & {*after}
    project.check_settled()


def test_lines_of_the_user_stay_where_they_do_not_meet_those_of_the_template(
    origin: Origin, living: MakeLiving, fresh: Fresh
) -> None:
    """One more line at each file's end, and one with a single line between it and the one that has changed."""
    version, answers = origin
    project = living(version, answers)
    new = fresh(answers).files()
    expected = {}
    for name, index in aged_lines(project, answers).items():
        for files in (old := project.files(), new):
            content = files[name]
            near = index + 2 if index + 2 <= len(content.splitlines()) else index - 1
            files[name] = with_line(content, near)
            if near + 4 < len(files[name].splitlines()):
                files[name] = with_line(files[name], len(files[name].splitlines()))
        project.path(name).write_bytes(old[name])
        expected[name] = new[name]
    theirs = {}
    for name, content in project.files().items():
        if name not in {DROPPED, RENAMED[0]} and owner(name, answers) == "you":
            project.path(name).write_bytes(content + MINE)
            theirs[name] = content + MINE
    for name in (".gitea/workflows/nightly.yml", "scripts/build-local.sh", "src/sample/mine.py", "docs/mine.md"):
        project.write(name, "mine\n")
        theirs[name] = b"mine\n"
    project.commit()

    project.update()

    assert project.conflicts() == set()
    after = project.files()
    for name, content in {**expected, **theirs}.items():
        assert after[name] == content, name
    project.check_settled()


def test_where_lines_meet_both_are_there(
    origin: Origin, living: MakeLiving, fresh: Fresh, pytestconfig: pytest.Config
) -> None:
    version, answers = origin
    project = living(version, answers)
    new = fresh(answers).files()
    edited = aged_lines(project, answers)
    if pytestconfig.getoption("--series") != "all":  # each takes Copier a dozen calls of git
        edited = dict([*edited.items()][::6])
    for name, index in edited.items():
        project.path(name).write_bytes(with_line(project.path(name).read_bytes(), index, instead=True))
    project.commit()

    project.update()

    assert project.conflicts() == {*edited}
    after = project.files()
    for name, index in edited.items():
        lines = new[name].splitlines()
        shown = after[name].splitlines()
        marked = [b"<<<<<<< before updating", MINE, b"=======", lines[index], b">>>>>>> after updating"]
        assert shown == [*lines[:index], *marked, *lines[index + 1 :]], name
        project.path(name).write_bytes(new[name])
    project.commit("The template's")
    project.check_settled()
