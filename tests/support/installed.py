"""An installed app for Linux: what a project's own build makes, unpacked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.support.projects import Project
from tests.support.tools import run


def install(project: Project, root: Path, *versions: str) -> None:
    """Build the versions and unpack them into one installation at `root`; the last one is the current."""
    root.mkdir(parents=True, exist_ok=True)
    run([project.root / "scripts/uv.sh", "lock", "--quiet"], cwd=project.source, env=project.environment)
    for version in versions:
        with tempfile.TemporaryDirectory() as output:
            options = ["--version", version, "--output", output, "--no-self-test"]
            run([project.root / "scripts/build-dist.sh", *options], cwd=project.root, env=project.environment)
            archive = Path(output, f"{project.slug}-v{version}-linux-x64.tar.gz")
            run(["tar", "-xzf", archive, "--strip-components=1", "-C", root])
