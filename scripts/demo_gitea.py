"""Show the workflows at work: start a Gitea and a runner, push a project with every target, and say where to look.

It is the Gitea of the tests, of which the first start takes minutes: it is built from source. It ends with Ctrl-C, or
after DEMO_SECONDS, and then nothing of it is left.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import copier

from tests.support import docker, windows_pythons
from tests.support.gitea import Owner, Repository, serve
from tests.support.gitea_runner import run_jobs
from tests.support.projects import Project, newcomer

TEMPLATE = Path(__file__).resolve().parents[1]
NAME, PASSWORD = "ada", "harbour-weather"  # of a server that is here only, and ends with this program
IDENTITY = {
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Ada Harbourmaster"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ada@example.com"),
}


def say(text: str) -> None:
    print(f"demo-gitea: {text}", flush=True)


def make_project(root: Path, url: str, environment: dict[str, str]) -> Project:
    """Render a project with every target, whose answers name the server, with its lock files and a first commit."""
    answers = {
        "project_name": "Harbour Weather",
        "description": "Wind and water levels of the harbour, minute by minute",
        "gitea_url": url,
        "repo_owner": NAME,
        "targets": ["docker", "desktop", "library"],
        "frontend": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the template may have changes that are not committed yet
        copier.run_copy(str(TEMPLATE), root, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    project = Project(root, environment | IDENTITY)
    project.make("setup")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--no-verify", "--message", "First")
    return project


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Give what jobs see: Pythons that can be had here, and the tests' Docker where it may be started."""
    with tempfile.TemporaryDirectory() as links, ExitStack() as stack:
        found = newcomer(Path(links)) | windows_pythons.environment()
        if os.geteuid() == 0:
            found = stack.enter_context(docker.private_docker()).extend(found)
        elif not shutil.which("docker"):
            say("left out: the image; that job needs docker")
        yield found


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seconds = float(os.environ.get("DEMO_SECONDS") or "inf")
    say("starting Gitea (the first time it is built: some minutes)")
    try:
        with environment() as variables, serve() as server, tempfile.TemporaryDirectory() as folder:
            owner: Owner = server.owner(NAME, PASSWORD)
            with run_jobs(server, variables):
                say("making a project with every target")
                project = make_project(Path(folder, "harbour-weather"), server.url, variables)
                repository: Repository = owner.repository(project.slug)
                repository.push(project.root)
                repository.dispatch("build.yml", version="v0.1.0")
                say(f"two workflows run: {repository.url}/actions")
                say(f"log in at {server.url}/user/login as {NAME}, password {PASSWORD}; pages have no style")
                say("Ctrl-C ends it")
                time.sleep(min(seconds, 1e8))
    except KeyboardInterrupt:
        say("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
