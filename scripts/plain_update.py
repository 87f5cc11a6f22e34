"""Make update.js of the plain page from the TypeScript of the other: both pages do the same.

Run it as `python -m scripts.plain_update` after changing frontend/src/update. It needs npm's packages.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import Any

import copier

from tests.support.tools import run

REPOSITORY = Path(__file__).parents[1]
FILE = REPOSITORY.joinpath(
    "template/{% if has_web and not has_frontend %}{=package_dir=}{=_copier_conf.sep=}static{% endif %}",
    "{% if has_update %}update.js{% endif %}",
)
ANSWERS: dict[str, Any] = {"targets": ["docker"], "frontend": True, "auto_update": True}
HEADER = "// Updates on the page: badge, banner, the tab for them, and what is seen while the server restarts.\n"


def make(project: Path) -> str:
    """Give the file, made in a project with a frontend whose packages are installed."""
    npm = project / "scripts/npm.sh"
    build = project / "frontend/dist-update"
    entry = "src/update/index.ts"
    run([npm, "exec", "--", "rolldown", entry, "--format", "esm", "--external", "./update.css", "--dir", build])
    script = build / "update.js"
    text = (build / "index.js").read_text(encoding="utf-8")
    text = re.sub(r'^(import "\./update\.css";|//#(end)?region.*|// src/update/.*)\n', "", text, flags=re.MULTILINE)
    script.write_text(HEADER + text, encoding="utf-8")
    run([npm, "exec", "--", "prettier", "--log-level", "warn", "--ignore-path", "/dev/null", "--write", script])
    return script.read_text(encoding="utf-8")


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "project"
        copier.run_copy(str(REPOSITORY), project, data=ANSWERS, defaults=True, quiet=True, vcs_ref="HEAD")
        run([project / "scripts/npm.sh", "install"])
        FILE.write_text(make(project), encoding="utf-8")


if __name__ == "__main__":
    main()
