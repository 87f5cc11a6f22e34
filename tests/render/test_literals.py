"""Does free text stay the text that it is, in TOML and in Python, whatever it holds?"""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).parents[2]
TEXTS = [
    "plain",
    "",
    "😀 日本語 Ünïcödé",
    """both " and '""",
    'only "double"',
    "O'Neil",
    '"""',
    "'''",
    "\\",
    '\\"',
    "ends with \\",
    "\\u0041 \\n \\N{BULLET}",
    "{= 7*7 =} {% x %} {## y ##} {{ z }} ${HOME} $(id) `id`",
    "</script> & <b>",
]


@pytest.fixture(scope="module")
def literals() -> jinja2.environment.TemplateModule:
    environment = jinja2.Environment(  # noqa: S701  (nothing here is HTML)
        loader=jinja2.FileSystemLoader(ROOT),
        block_start_string="{%",
        block_end_string="%}",
        variable_start_string="{=",
        variable_end_string="=}",
        comment_start_string="{##",
        comment_end_string="##}",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("includes/literals.jinja").module


@pytest.mark.parametrize("text", TEXTS)
def test_toml(literals: jinja2.environment.TemplateModule, text: str) -> None:
    literal = literals.toml(text)  # type: ignore[attr-defined]
    assert tomllib.loads(f"value = {literal}") == {"value": text}
    assert json.loads(literal) == text


@pytest.mark.parametrize("text", TEXTS)
def test_python(literals: jinja2.environment.TemplateModule, text: str) -> None:
    assert ast.literal_eval(literals.python(text)) == text  # type: ignore[attr-defined]
