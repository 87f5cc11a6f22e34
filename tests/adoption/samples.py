"""Projects as people have them before they know of the template. Each is a table: path, and what the file holds."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from tests.conftest import git

Files = dict[str, str]

MIT = "MIT License\n\nCopyright (c) 2019 Ada\n\nPermission is hereby granted, free of charge, to any person ...\n"
BSD = "Copyright (c) 2014, Ada\n\nNeither the name of the copyright holder nor ... may be used to endorse ...\n"

# A library from the time of setup.cfg: the package at the root, unittest, tox, Travis.
SETUP_CFG: Files = {
    "setup.py": "from setuptools import setup\n\nsetup()\n",
    "setup.cfg": """\
        [metadata]
        name = unit-lengths
        version = 1.4.2
        author = Ada Lovelace
        author_email = ada@example.com
        description = Lengths in metres, feet and furlongs
        long_description = file: README.rst
        license = BSD

        [options]
        packages = find:
        install_requires =
            packaging>=21

        [options.extras_require]
        test =
            hypothesis>=6

        [options.entry_points]
        console_scripts =
            unit-lengths = unit_lengths.command:main

        [flake8]
        max-line-length = 100
        """,
    "unit_lengths/__init__.py": """\
        from .convert import to_metres
        from .convert import UNITS

        __version__ = '1.4.2'
        """,
    "unit_lengths/convert.py": """\
        UNITS = {'m': 1.0, 'ft': 0.3048, 'furlong': 201.168}


        def to_metres(value, unit):
            'value of a unit, in metres'
            if not unit in UNITS:
                raise ValueError('unknown unit: %s' % unit)
            return value*UNITS[unit]
        """,
    "unit_lengths/command.py": """\
        import argparse, sys
        from importlib.metadata import version

        from unit_lengths import to_metres


        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument('value', type=float)
            parser.add_argument('unit')
            parser.add_argument('--version', action='version', version=version('unit-lengths'))
            options = parser.parse_args()
            print(to_metres(options.value, options.unit))
            return 0


        if __name__ == '__main__':
            sys.exit(main())
        """,
    "tests/__init__.py": "",
    "tests/test_convert.py": """\
        import unittest

        from unit_lengths import to_metres


        class TestConvert(unittest.TestCase):
            def test_feet(self):
                self.assertAlmostEqual(to_metres(10, 'ft'), 3.048)

            def test_unknown(self):
                with self.assertRaises(ValueError):
                    to_metres(1, 'mile')
        """,
    "tox.ini": "[tox]\nenvlist = py36,py37\n\n[testenv]\ncommands = python -m unittest\n",
    ".travis.yml": "language: python\nscript: tox\n",
    "README.rst": "unit-lengths\n============\n\nLengths in metres, feet and furlongs.\n",
    "CHANGES.rst": "1.4.2\n-----\n\n- Furlongs\n",
    "LICENSE.txt": BSD,
    "MANIFEST.in": "include README.rst LICENSE.txt\n",
    ".gitignore": "*.pyc\n*.egg-info\n",
}

# A service made with Poetry: src layout, an image and a Makefile of its own, workflows for GitHub.
POETRY: Files = {
    "pyproject.toml": """\
        [tool.poetry]
        name = "paste-board"
        version = "0.3.0"
        description = "Notes that vanish"
        authors = ["Grace Hopper <grace@example.com>"]
        license = "MIT"
        readme = "README.md"
        packages = [{ include = "paste_board", from = "src" }]

        [tool.poetry.dependencies]
        python = "^3.11"
        fastapi = ">=0.115"
        uvicorn = ">=0.30"

        [tool.poetry.group.dev.dependencies]
        pytest = ">=8"
        httpx2 = ">=2"

        [tool.poetry.scripts]
        paste-board = "paste_board.main:run"

        [build-system]
        requires = ["poetry-core"]
        build-backend = "poetry.core.masonry.api"

        [tool.ruff]
        line-length = 88

        [tool.ruff.lint]
        select = ["E", "F", "I"]

        [tool.mypy]
        python_version = "3.11"
        """,
    "src/paste_board/__init__.py": "",
    "src/paste_board/main.py": """\
        import uvicorn
        from fastapi import FastAPI

        app = FastAPI()
        notes: dict[str, str] = {}


        @app.get("/notes/{name}")
        def read(name: str) -> str:
            return notes.pop(name)


        @app.put("/notes/{name}")
        def write(name: str, text: str) -> None:
            notes[name] = text


        def run() -> None:
            uvicorn.run(app, host="0.0.0.0", port=9000)
        """,
    "tests/test_notes.py": """\
        from paste_board.main import read, write


        def test_a_note_is_read_once() -> None:
            write("shopping", "milk")
            assert read("shopping") == "milk"
        """,
    "Dockerfile": """\
        FROM python:3.11-slim
        WORKDIR /app
        COPY . .
        RUN pip install --no-cache-dir .
        EXPOSE 9000
        CMD ["paste-board"]
        """,
    "docker-compose.yml": "services:\n  app:\n    build: .\n    ports: ['9000:9000']\n",
    "Makefile": """\
        test:
        \tpoetry run pytest

        deploy: test
        \tssh host docker compose up -d
        """,
    ".github/workflows/ci.yml": "on: push\njobs: { test: { runs-on: ubuntu-latest, steps: [{ run: make test }] } }\n",
    ".pre-commit-config.yaml": "repos: [{ repo: https://github.com/psf/black, rev: v1, hooks: [{ id: black }] }]\n",
    ".gitignore": ".venv/\n__pycache__/\n",
    "poetry.lock": "# This file is automatically @generated by Poetry\n",
    "README.md": "# Paste board\n\nNotes that vanish.\n",
    "LICENSE": MIT,
}

# A server in a folder beside other things, with a list of requirements and no packaging.
SERVER: Files = {
    "server/requirements.txt": """\
        # what it runs with
        fastapi>=0.115  # the web
        uvicorn[standard]>=0.30
        --extra-index-url https://packages.example.com/simple
        """,
    "server/bird_feeder/__init__.py": "",
    "server/bird_feeder/__main__.py": """\
        import os

        import uvicorn

        from bird_feeder.web import app

        if __name__ == "__main__":
            uvicorn.run(app, host=os.environ["BIRD_FEEDER_HOST"], port=int(os.environ["BIRD_FEEDER_PORT"]))
        """,
    "server/bird_feeder/web.py": """\
        from fastapi import FastAPI

        app = FastAPI()


        @app.get("/health")
        def health():
            return {"status": "ok"}


        @app.get("/seeds")
        def seeds(birds: int):
            return birds * 20
        """,
    "server/tests/test_web.py": """\
        from bird_feeder.web import health, seeds

        def test_health():
            assert health() == {"status": "ok"}

        def test_seeds():
            assert seeds(3) == 60
        """,
    "server/Dockerfile": "FROM python:3.12\nCOPY . .\nRUN pip install -r requirements.txt\nEXPOSE 8080\n",
    "hardware/feeder.scad": "cube(10);\n",
    "scripts/flash.sh": "#!/bin/bash\nset -eu\nesptool write-flash 0 feeder.bin\n",
    "README.md": "# Bird feeder\n",
    ".editorconfig": "root = true\n\n[*]\nindent_style = tab\n",
    ".gitattributes": "*.scad text\n",
}

# In the standard form, package at the root, hatchling; the version comes from the tag already.
FLAT: Files = {
    "pyproject.toml": """\
        [project]
        name = "tide_tables"
        dynamic = ["version"]
        requires-python = ">=3.9"
        dependencies = []

        [project.optional-dependencies]
        test = ["pytest"]

        [build-system]
        requires = ["hatchling", "hatch-vcs"]
        build-backend = "hatchling.build"

        [tool.hatch.version]
        source = "vcs"
        """,
    "tide_tables/__init__.py": "def high(day: int) -> int:\n    return day % 12\n",
    "tests/test_tides.py": "from tide_tables import high\n\n\ndef test_high() -> None:\n    assert high(13) == 1\n",
    "ruff.toml": "line-length = 99\n",
    "README.md": "# Tides\n",
}

# In the standard form, src layout, with groups of its own and files where the template has some.
SRC: Files = {
    "pyproject.toml": """\
        [project]
        name = "star-charts"
        version = "2.0.0"
        requires-python = ">=3.11"
        license = "Apache-2.0"
        authors = [{ name = "Vera", email = "vera@example.com" }]
        dependencies = []

        [project.scripts]
        star-charts = "star_charts:main"

        [dependency-groups]
        dev = ["pytest>=9.0", "ruff>=0.17"]
        test = ["hypothesis"]

        [build-system]
        requires = ["setuptools>=77"]
        build-backend = "setuptools.build_meta"

        [tool.ruff]
        extend-exclude = ["scripts/*"]
        """,
    "src/star_charts/__init__.py": "def main() -> int:\n    return 0\n",
    "tests/test_stars.py": "from star_charts import main\n\n\ndef test_main() -> None:\n    assert main() == 0\n",
    ".gitea/workflows/release.yml": "on: push\njobs: {}\n",
    "scripts/release.py": "print('mine')\n",
    "docs": "not a folder\n",
    "makefile": "all:\n\ttrue\n",
    "README.md": "# Stars\n",
}

# A script and its requirements.
SCRIPT: Files = {
    "requirements.txt": "-r base.txt\nrich==13.9.4\ngit+https://example.com/x.git\n",
    "weather.py": "def main():\n    print('sun')\n\n\nif __name__ == '__main__':\n    main()\n",
}

SAMPLES = {
    "setup.cfg": SETUP_CFG,
    "poetry": POETRY,
    "server": SERVER,
    "flat": FLAT,
    "src": SRC,
    "requirements": SCRIPT,
}


def write(files: Files, folder: Path, *, commit: bool = True) -> Path:
    """Make a repository at `folder` that holds these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "remote", "add", "origin", "git@git.example.org:birds/sample.git")
    if commit:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "As it was")
    return folder
