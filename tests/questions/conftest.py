"""The questions without the files: what Copier makes of a set of answers, some thirty times a second."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from tests.conftest import REPOSITORY

Values = Callable[..., dict[str, Any]]
Validate = Callable[[str, Any], str]


@pytest.fixture(scope="session", autouse=True)
def _no_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep away the defaults that this person has set for all templates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COPIER_SETTINGS_PATH", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    """Read copier.yml."""
    content: dict[str, Any] = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def questions(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All questions of copier.yml, hidden values included, without Copier's settings."""
    return {name: details for name, details in config.items() if not name.startswith("_")}


@pytest.fixture(scope="session")
def environment(config: dict[str, Any]) -> SandboxedEnvironment:
    """Jinja as Copier sets it up: the delimiters of copier.yml, Ansible's filters, the includes."""
    return SandboxedEnvironment(
        loader=FileSystemLoader(REPOSITORY),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        **config["_envops"] | {"undefined": StrictUndefined},
    )


@pytest.fixture(scope="session")
def validate(questions: dict[str, dict[str, Any]], environment: SandboxedEnvironment) -> Validate:
    """Ask a question's validator alone, a thousand times a second; an empty string means that the answer is right."""
    validators = {name: environment.from_string(details.get("validator", "")) for name, details in questions.items()}
    return lambda question, answer: validators[question].render({question: answer}).strip()


@pytest.fixture(scope="session")
def questionnaire(questions: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """copier.yml and its includes as they are, and in place of the template one file that holds every value."""
    folder = tmp_path_factory.mktemp("questionnaire")
    shutil.copy2(REPOSITORY / "copier.yml", folder)
    shutil.copytree(REPOSITORY / "includes", folder / "includes")
    (folder / "template").mkdir()
    pairs = ", ".join(f"'{name}': {name}" for name in questions)
    (folder / "template/values.json.jinja").write_text(f"{{= {{{pairs}}} | to_json =}}", encoding="utf-8")
    return folder


@pytest.fixture
def values(questionnaire: Path, tmp_path: Path) -> Values:
    """Answer as `copier copy --defaults --data` does, without trust; give the value of every question."""

    def answer(**answers: Any) -> dict[str, Any]:
        folder = tmp_path / "answered"
        copier.run_copy(str(questionnaire), folder, data=answers, defaults=True, overwrite=True, quiet=True)
        found: dict[str, Any] = json.loads((folder / "values.json").read_text(encoding="utf-8"))
        return found

    return answer
