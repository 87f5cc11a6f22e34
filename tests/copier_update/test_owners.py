"""Does `copier update` bring the template's fixes, and leave alone what is the user's?"""

from __future__ import annotations

import shutil
from pathlib import Path

import copier
import pytest

from tests.answers import answers_for
from tests.conftest import Render, git
from tests.support.rendering import compiled_once

FIX = "\n# a fix\n"
STARTER = "template/{=package_dir=}"
SEP = "{=_copier_conf.sep=}"
UPDATE = f"template/{{% if has_update %}}{{=package_dir=}}{SEP}update"
PAGE = f"template/{{% if has_frontend %}}frontend{SEP}src{{% endif %}}"
UPDATE_PAGE = f"template/{{% if has_frontend and has_update %}}frontend{SEP}src{SEP}update{{% endif %}}"


def release(template: Path, folder: Path, *files: str) -> Path:
    """Make a next version of the template, v0.2.0, with a line more in each of `files`."""
    shutil.copytree(template, folder, symlinks=True)
    for name in files:
        with (folder / name).open("a", encoding="utf-8") as stream:
            stream.write(FIX)
    git(folder, "commit", "--quiet", "--all", "--message", "Fixes")
    git(folder, "tag", "v0.2.0")
    return folder


def committed(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.mark.parametrize("source_dir", [".", "server"])
def test_fixes_of_what_installed_apps_rely_on_arrive(
    source_dir: str, template: Path, project: Render, tmp_path: Path
) -> None:
    """It stands in the user's folders, but is the template's: the single instance, and the updates."""
    root = project(answers_for(["desktop"], package_name="sample", source_dir=source_dir))
    git(root, "init", "--quiet")
    package, tests = root / source_dir / "src/sample", root / source_dir / "tests"
    for edited in (package / "server.py", tests / "test_server.py"):
        edited.write_text(edited.read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
    (package / "page.py").unlink()
    (package / "mine.py").write_text("# mine\n", encoding="utf-8")
    committed(root, "Mine")
    newer = release(
        template,
        tmp_path / "newer",
        f"{STARTER}/{{% if has_desktop %}}instance.py{{% endif %}}",
        f"{STARTER}/{{% if has_web %}}app.py{{% endif %}}.jinja",
        f"{STARTER}/{{% if has_web %}}page.py{{% endif %}}.jinja",
        f"{STARTER}/{{% if has_web %}}server.py{{% endif %}}.jinja",
        "template/{=tests_dir=}/{% if has_desktop %}test_instance.py{% endif %}.jinja",
        f"{UPDATE}{{% endif %}}/store.py",
        f"{UPDATE}{SEP}providers{{% endif %}}/gitea.py",
        "template/{=tests_dir=}/{% if has_web %}test_server.py{% endif %}.jinja",
        "template/{% if has_update %}{=tests_dir=}{=_copier_conf.sep=}update{% endif %}/test_store.py.jinja",
        f"{PAGE}/page.ts",
        f"{UPDATE_PAGE}/live.ts",
    )
    answers = root / ".copier-answers.yml"
    text = answers.read_text(encoding="utf-8")
    answers.write_text(text.replace(str(template), str(newer)), encoding="utf-8")
    committed(root, "The template has moved")

    with compiled_once():
        copier.run_update(root, defaults=True, overwrite=True, quiet=True, vcs_ref="v0.2.0")

    changed = set(git(root, "status", "--porcelain").replace(" M ", "").splitlines())
    prefix = "" if source_dir == "." else f"{source_dir}/"
    assert changed == {
        ".copier-answers.yml",
        f"{prefix}src/sample/instance.py",
        f"{prefix}src/sample/update/providers/gitea.py",
        f"{prefix}src/sample/update/store.py",
        f"{prefix}tests/test_instance.py",
        f"{prefix}tests/update/test_store.py",
        "frontend/src/update/live.ts",
    }
    assert (package / "instance.py").read_text(encoding="utf-8").endswith(FIX)
    assert (tests / "test_instance.py").read_text(encoding="utf-8").endswith(FIX)


def test_a_project_without_it_gets_nothing(template: Path, project: Render, tmp_path: Path) -> None:
    root = project(answers_for(["docker", "library"]))
    git(root, "init", "--quiet")
    committed(root, "First")
    with compiled_once():
        copier.run_update(root, defaults=True, overwrite=True, quiet=True, vcs_ref="v0.1.0")
    assert git(root, "status", "--porcelain") == ""
