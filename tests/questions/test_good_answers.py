"""What people answer becomes names that every part accepts: Python, git, Gitea, a registry, Windows."""

from __future__ import annotations

import keyword
import random
import re
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from jinja2.sandbox import SandboxedEnvironment
from packaging.utils import is_normalized_name

from tests.answers import AWKWARD, answers_for
from tests.conftest import Render
from tests.questions.conftest import Validate, Values
from tests.support.tools import run, uv

# Name of the project → short name, name in Python.
NAMES = {
    "Home Server": ("home-server", "home_server"),
    "Größe": ("grosse", "grosse"),
    "Café Olé!": ("cafe-ole", "cafe_ole"),
    "Cafe\u0301 Ole\u0301": ("cafe-ole", "cafe_ole"),  # accents typed apart, as macOS does
    "Việt Nam": ("viet-nam", "viet_nam"),
    "Łódź Ærø Straße": ("lodz-aero-strasse", "lodz_aero_strasse"),
    "İstanbul": ("istanbul", "istanbul"),
    "Ada's “Tool”": ("adas-tool", "adas_tool"),
    "Ada\u2019s Tool": ("adas-tool", "adas_tool"),
    '"quoted" $(id) `x`': ("quoted-id-x", "quoted_id_x"),
    "  C++ & C#  ".strip(): ("c-c", "c_c"),
    "a_b.c/d\\e": ("a-b-c-d-e", "a_b_c_d_e"),
    "--dash--": ("dash", "dash"),
    "UPPER": ("upper", "upper"),
    "3D Printer": ("3d-printer", "app_3d_printer"),
    "42": ("42", "app_42"),
    "Class": ("class", "class_app"),
    "None": ("none", "none_app"),
    "Match": ("match", "match_app"),
    "Email": ("email", "email_app"),
    "Test": ("test", "test_app"),
    "Tkinter": ("tkinter", "tkinter_app"),
    "FastAPI": ("fastapi-app", "fastapi_app"),
    "pre-commit": ("pre-commit-app", "pre_commit_app"),
    "Pydantic Settings": ("pydantic-settings-app", "pydantic_settings_app"),
    "Tests": ("tests-app", "tests_app"),
    "Python": ("python-app", "python_app"),
    "Git": ("git-app", "git_app"),
    "Con": ("con-app", "con_app"),
    "日本語": ("my-app", "my_app"),
    "Ελλάδα": ("my-app", "my_app"),
    "日本語 Notes": ("notes", "notes"),
    "🚀": ("my-app", "my_app"),
    "!": ("my-app", "my_app"),
    "a" * 60: ("a" * 50, "a" * 50),
    "1" * 60: ("1" * 50, "app_" + "1" * 50),
    "ß" * 60: ("s" * 50, "s" * 50),
    "a" * 49 + " b": ("a" * 49, "a" * 49),  # cut at a dash, which goes as well
}
OWNERS = {
    "Your Name": "your-name",
    "Zoë Ñandú 🙂": "zoe-nandu",
    "O'Neil & Sons, <ltd>": "oneil-sons-ltd",
    "日本語": "me",
    "a" * 100: "a" * 40,
    "a" * 39 + " b": "a" * 39,
}
# Repository in the grammar of container images: a host with an optional port, then parts in lower case.
IMAGE_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
IMAGE = re.compile(rf"[a-z0-9.-]+(?::[0-9]+)?(?:/{IMAGE_PART})+")

Default = Callable[[str, str], str]


@pytest.fixture(scope="module")
def default(environment: SandboxedEnvironment) -> Default:
    """Give what a macro of includes/names.jinja makes of an answer."""
    names = environment.get_template("includes/names.jinja").module
    return lambda macro, answer: str(getattr(names, macro)(answer))


@pytest.fixture(scope="module")
def reserved(environment: SandboxedEnvironment) -> dict[str, set[str]]:
    names: Any = environment.get_template("includes/names.jinja").module
    return {"python": set(names.python_names), "project": set(names.taken_names)}


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=[ascii(name)[:30] for name in NAMES])
def test_names_come_from_the_projects_name(
    name: str, expected: tuple[str, str], default: Default, validate: Validate
) -> None:
    slug = default("default_slug", name)
    package = default("default_package", slug)

    assert (slug, package) == expected
    assert validate("project_name", name) == ""


@pytest.mark.parametrize(("name", "owner"), OWNERS.items(), ids=[ascii(name)[:30] for name in OWNERS])
def test_the_owner_comes_from_the_author(name: str, owner: str, default: Default, validate: Validate) -> None:
    assert default("default_owner", name) == owner
    assert validate("author_name", name) == ""


def test_every_latin_letter_with_marks_becomes_the_letter_without(default: Default) -> None:
    """The table of letters against Unicode's own."""
    wrong = {}
    for letter in map(chr, [*range(0xC0, 0x250), *range(0x1E00, 0x1F00)]):
        plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
        if plain != letter and plain.isascii() and plain.isalpha() and default("slugify", letter) != plain.lower():
            wrong[letter] = default("slugify", letter)
    assert wrong == {}


def test_no_name_that_is_accepted_leads_to_a_default_that_is_refused(default: Default, validate: Validate) -> None:
    """Otherwise Copier ends in a traceback in the middle of the questions."""
    chance = random.Random(20261121)  # noqa: S311
    alphabet = "aAbz09 -_.'\"$\\/äßéłñệŉǆ日Ω🚀\u0301"
    names = ["".join(chance.choices(alphabet, k=chance.randint(1, 60))).strip() for _ in range(400)]
    for name in filter(None, names):
        slug = default("default_slug", name)
        package = default("default_package", slug)
        assert validate("project_name", name) == ""
        assert validate("description", f"{name}, self-hosted") == ""
        assert validate("project_slug", slug) == "", name
        assert validate("package_name", package) == "", name
        assert validate("repo_owner", default("default_owner", name)) == "", name
        assert validate("repo_name", slug) == "", name
        assert is_normalized_name(slug), name
        assert package.isidentifier(), name


def test_reserved_names_cover_the_running_python(reserved: dict[str, set[str]]) -> None:
    names = {name.lower() for name in [*keyword.kwlist, *keyword.softkwlist, *sys.stdlib_module_names]}

    assert {name for name in names if not name.startswith("_")} - reserved["python"] == set()


def test_reserved_names_cover_every_supported_python(reserved: dict[str, set[str]]) -> None:
    """By typeshed's list, which says from which Python to which one each module is there."""
    listed = resources.files("mypy").joinpath("typeshed/stdlib/VERSIONS").read_text(encoding="utf-8")
    lines = re.findall(r"^([A-Za-z]\w*): *3\.\d+-(?:3\.(\d+))?", listed, re.MULTILINE)
    assert len(lines) > 150
    modules = {name.lower() for name, last in lines if int(last or 99) >= 11}
    assert modules - reserved["python"] == {"typing_extensions"}, "which comes from PyPI"


@pytest.mark.slow
def test_taken_names_cover_all_that_a_project_installs(project: Render, reserved: dict[str, set[str]]) -> None:
    """Distributions for every platform, by the lock file; imports and commands, by what is installed here."""
    folder = project(answers_for(("docker", "desktop", "library"), project_name="Own Name"))
    run([uv(), "sync", "--quiet", "--all-extras", "--all-groups", "--python", sys.executable], cwd=folder)
    lock = tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))
    program = """
from importlib.metadata import entry_points, packages_distributions
print(*packages_distributions(), *(script.name for script in entry_points(group="console_scripts")))
"""
    installed = run([folder / ".venv/bin/python", "-c", program]).stdout.split()

    found = [*(package["name"] for package in lock["package"]), *installed]
    names = {name.lower().replace("-", "_") for name in found if not name.endswith("-stubs")}
    possible = {name for name in names if re.fullmatch(r"[a-z][a-z0-9_]*", name) and not name.startswith("own_name")}
    assert len(possible) > 80
    assert possible - reserved["project"] - reserved["python"] == set()


def test_every_reserved_name_leads_to_a_default_that_is_free(
    reserved: dict[str, set[str]], default: Default, validate: Validate
) -> None:
    for name in sorted(reserved["python"] | reserved["project"]):
        slug = default("default_slug", name)
        assert validate("project_slug", slug) == "", name
        assert validate("package_name", default("default_package", slug)) == "", name


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("author_email", ["", "ada@example.com", "ada+gitea@mail.example.co.uk", "a@b"]),
        (
            "gitea_url",
            ["https://gitea.example.com", "http://127.0.0.1:3000", "http://nas:65535", "https://example.com/gitea"],
        ),
        ("repo_owner", ["ada", "Ada-Lovelace", "acme.tools", "x_1", "a" * 40]),
        ("repo_name", ["home-server", "Home.Server", "x__y", "v1.0", "a" * 100]),
        ("default_branch", ["main", "release/1.x", "1.0", "a.b-c_d/e"]),
        ("source_dir", [".", "server", "backend_2", "py-code"]),
        ("port", ["1024", "8765", "65535"]),
        ("project_name", ["3", "Größe Ελλάδα 🚀", "👩\u200d💻", "ب\u200cخ", "a" * 60]),
    ],
)
def test_right_answers_are_taken(question: str, answers: list[str], validate: Validate) -> None:
    assert {answer: validate(question, answer) for answer in answers} == dict.fromkeys(answers, "")


def test_awkward_answers_are_taken(validate: Validate) -> None:
    for answers in AWKWARD.values():
        for question, answer in answers.items():
            assert validate(question, answer) == "", (question, answer)


def test_git_takes_every_branch_that_is_taken(validate: Validate) -> None:
    """Ask git itself, with a hundred names that are made of what can go wrong."""
    chance = random.Random(20261121)  # noqa: S311
    parts = ["a", "1", ".", "..", "-", "_", "/", "lock", ".lock", "HEAD", "@", "x"]
    names = {"".join(chance.choices(parts, k=chance.randint(1, 5))) for _ in range(1500)}
    taken = [name for name in sorted(names) if not validate("default_branch", name)]
    assert len(taken) > 100
    for name in chance.sample(taken, 100):
        judged = subprocess.run(["git", "check-ref-format", "--branch", name], check=False, capture_output=True)
        assert judged.returncode == 0, name


def test_values_are_derived_from_the_answers(values: Values) -> None:
    found = values(
        project_name="Home Server",
        gitea_url="http://Nas.Local:3000/gitea",
        repo_owner="Ada.L",
        repo_name="House",
        targets=["library", "desktop"],
        source_dir="server",
        tkinter=True,
    )

    assert found["targets"] == ["desktop", "library"], "in the order of copier.yml"
    assert found["env_prefix"] == "HOME_SERVER_"
    assert found["repository_url"] == "http://Nas.Local:3000/gitea/Ada.L/House"
    assert found["image_name"] == "nas.local:3000/ada.l/home-server"
    assert (found["source_prefix"], found["root_from_source"]) == ("server/", "..")
    assert {name: value for name, value in found.items() if name.startswith("has_")} == {
        "has_docker": False,
        "has_desktop": True,
        "has_library": True,
        "has_web": True,
        "has_frontend": True,
        "has_tkinter": True,
        "has_update": True,
    }


def test_a_library_has_nothing_of_an_application(values: Values) -> None:
    """Answers to questions that are not asked must not come through: Copier takes them with --data."""
    found = values(targets=["library"], frontend=True, tkinter=True, auto_update=True)

    assert [name for name, value in found.items() if name.startswith("has_") and value] == ["has_library"]


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_answers_arrive_as_they_were_written(name: str, values: Values) -> None:
    found = values(**AWKWARD[name])

    assert {question: found[question] for question in AWKWARD[name]} == AWKWARD[name]
    assert IMAGE.fullmatch(found["image_name"])
    assert found["description"] == AWKWARD[name].get("description", f"{found['project_name']}, self-hosted")
