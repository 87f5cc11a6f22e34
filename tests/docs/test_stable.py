"""Is everything still there that projects rely on, and is the list of it whole?"""

from __future__ import annotations

from scripts import stable
from tests.answers import answers_for
from tests.conftest import REPOSITORY, Render


def test_nothing_that_projects_rely_on_is_gone(render: Render) -> None:
    now = stable.current(lambda target: render(answers_for([target], frontend=True)))
    problems = stable.problems(now, stable.recorded())
    assert not problems, "\n".join(problems)


def test_what_is_gone_points_to_the_policy() -> None:
    before = stable.recorded()
    renamed = {line.replace("make check-image", "make try-image") for line in before}
    gone, new = stable.problems(renamed, before)
    assert gone.startswith("command make check-image (docker): is gone, and projects rely on it.")
    assert stable.POLICY in gone
    assert (REPOSITORY / stable.POLICY).is_file()
    assert new.startswith("command make try-image (docker): is new")


def test_the_list_knows_each_kind() -> None:
    kinds = {line.split()[0] for line in stable.recorded()}
    assert kinds == {"answer", "command", "file", "input", "question", "release", "secret", "variable"}
