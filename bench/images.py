"""What does an image cost that is built again after a change, compared with one that is built from nothing?"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import copier

from bench.measure import Table, Times, row, run
from tests.answers import answers_for
from tests.support.docker import Docker, private_docker

REBUILD = 0.5  # to be kept: a build after a change, compared with one from nothing


def compare_builds(template: Path, scratch: Path, runs: int) -> Table:
    """Build the image of a docker service from nothing, then after a change of version, and of the app's code."""
    project = scratch / "image"
    copier.run_copy(str(template), project, data=answers_for(["docker"]), defaults=True, quiet=True, vcs_ref="HEAD")
    (app,) = project.glob("src/*/app.py")
    run([project / "scripts/uv.sh", "lock", "--quiet"], cwd=project)
    with private_docker() as docker:
        names = ("from nothing", "again, nothing changed", "another version", "the app's code changed")
        times = {name: Times() for name in names}
        layers: dict[str, list[str]] = {}
        steps: dict[str, Callable[[], object]] = {names[3]: lambda: edit(app)}
        for number in range(runs):
            for name in names:
                steps.get(name, lambda: None)()
                version = f"1.{number}.{int(name in names[2:])}"
                times[name].add(_build(docker, project, version, "--no-cache" if name == names[0] else ""))
                layers[name] = _layers(docker)
        docker.run("image", "rm", "--force", IMAGE)
        docker.run("builder", "prune", "--all", "--force")  # two layers of the same recipe: a later build takes either
    shutil.rmtree(project)
    cold = times[names[0]]
    return Table(
        "An image, built again",
        [row(name, times[name], others=cold, bound=None if name == names[0] else REBUILD) for name in names],
        [f"{runs} runs each, BuildKit, network included.", _compared(layers, names)],
    )


IMAGE = "bench-of-the-template"


def _build(docker: Docker, project: Path, version: str, flags: str) -> Times:
    env = docker.extend(os.environ) | {"DOCKER_BUILDKIT": "1", "DOCKER_BUILD_FLAGS": flags}
    command: list[str | Path] = [project / "scripts/build-image.sh", "--version", version, "--tag", IMAGE]
    return Times(run(command, cwd=project, env=env).clock)  # the daemon's processor time is not ours to see


def edit(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")


def _layers(docker: Docker) -> list[str]:
    found: list[str] = json.loads(docker.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", IMAGE))
    return found


def _compared(layers: dict[str, list[str]], names: tuple[str, ...]) -> str:
    """Say which layers the last builds share with the one from nothing."""
    cold = layers[names[0]]
    lines = ["| layers, from the last | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for number in range(1, 4):
        ids = [layers[name][-number].removeprefix("sha256:")[:12] for name in names]
        what = {1: "app", 2: "dependencies"}.get(number, "user and folders")
        same = [f"`{each}`" + (" same" if each == ids[0] and place else "") for place, each in enumerate(ids)]
        lines.append(f"| {what} | " + " | ".join(same) + " |")
    return "\n".join([*lines, "", f"The {len(cold) - 3} before them are the base image and system-packages.txt."])
