"""A bundle for Linux that the tests of this folder share, and what can be made of it in a moment."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.answers import Answers
from tests.conftest import Render
from tests.support.projects import Project, newcomer
from tests.support.releases import Key
from tests.support.tools import run
from tests.support.updates import Installed

ANSWERS: Answers = {"project_name": "Sample", "targets": ["desktop"], "frontend": False, "auto_update": True}
VERSION = "1.0.0"
Member = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Bundle:
    """What a project's own build has made."""

    slug: str
    full: Path
    app: Path
    key: Key  # that the app trusts

    def install(self, root: Path) -> Installed:
        """Unpack it, as a user does."""
        return Installed.unpack(self.full, root)

    def members(self, version: str) -> list[Member]:
        """Give what is in the app's archive, as it would be in that of another version."""
        named = []
        for entry, content in read_tar(self.app):
            if entry.name.endswith(("/VERSION", ".dist-info/METADATA", ".dist-info/RECORD")):
                content = content.replace(VERSION.encode(), version.encode())
            named.append(member(entry.name.replace(VERSION, version), content=content, mode=entry.mode))
        return named

    def archives(self, version: str, folder: Path, members: Sequence[Member] | None = None) -> dict[str, Path]:
        """Write the archives of another version; nobody needs the full one, which is only there."""
        stem = f"{self.slug}-v{version}-linux-x64"
        found = {"full": folder / f"{stem}.tar.gz", "app": folder / f"{stem}-app.tar.gz"}
        found["full"].write_bytes(b"not needed")
        found["app"].write_bytes(write_tar(self.members(version) if members is None else members))
        return found


def build(render: Render, folder: Path) -> Bundle:
    """Build a desktop app for Linux in a folder, once: the tests' processes share it."""
    with FileLock(f"{folder}.lock"):
        project, output = folder / "project", folder / "output"
        key = Key(folder / "key")
        if not output.exists():
            shutil.copytree(render(ANSWERS), project, symlinks=True)
            made = Project(project, newcomer(folder / "links"))
            with (made.package / "update_keys.txt").open("a", encoding="utf-8") as keys:
                keys.write(f"{key.public}\n")
            run([project / "scripts/uv.sh", "lock", "--quiet"], cwd=made.source, env=made.environment)
            options = ["--version", VERSION, "--output", str(folder / "partial"), "--no-self-test"]
            run([project / "scripts/build-dist.sh", *options], cwd=project, env=made.environment)
            (folder / "partial").rename(output)
    (app,) = output.glob("*-linux-x64-app.tar.gz")
    slug = app.name.removesuffix(f"-v{VERSION}-linux-x64-app.tar.gz")
    return Bundle(slug, app.with_name(app.name.replace("-app", "")), app, key)


def member(name: str, *, content: bytes = b"", **attributes: Any) -> Member:
    """Make an entry of a tar archive; a file, where the attributes say nothing else."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry, content


def read_tar(archive: Path) -> list[Member]:
    with tarfile.open(archive) as packed:
        return [(entry, file.read() if (file := packed.extractfile(entry)) else b"") for entry in packed]


def write_tar(members: Sequence[Member]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as packed:
        for entry, content in members:
            packed.addfile(entry, io.BytesIO(content))
    return target.getvalue()
