"""Show a release: start a Gitea and a runner, push a project with every target and a tag, and say where the release is.

It is the Gitea of the tests, of which the first start takes minutes: it is built from source. It ends with Ctrl-C, or
DEMO_SECONDS after the release, and then nothing of it is left.
"""

from __future__ import annotations

import argparse
import os
import re
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
from tests.support.gitea import POLL, Owner, Repository, Run, serve
from tests.support.gitea_runner import run_jobs
from tests.support.projects import Project, newcomer
from tests.support.tools import MissingError, run, uv

TEMPLATE = Path(__file__).resolve().parents[1]
NAME, PASSWORD = "ada", "harbour-weather"  # of a server that is here only, and ends with this program
TAG = "v0.1.0"
LINES = 5  # of a log that a failure shows
IDENTITY = {
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Ada Harbourmaster"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "ada@example.com"),
}


class DemoError(Exception):
    """There is no release; the message is one line that says why."""


def say(text: str) -> None:
    print(f"demo-gitea: {text}", flush=True)


def fail(text: str) -> int:
    print(f"demo-gitea: {text}", file=sys.stderr)
    return 1


def gist(report: str) -> str:
    """Give what failed, and the lines of its log that say why: those that speak of it, else the last."""
    what, *log = report.splitlines()
    telling = [line for line in log if re.search(r"error|fail|caused by", line, re.IGNORECASE)]
    return "\n".join([what, *(telling[:LINES] or log[-LINES:])])


def make_project(root: Path, url: str, targets: list[str], environment: dict[str, str]) -> Project:
    """Render a project whose answers name the server, with its lock files and a first commit."""
    answers = {
        "project_name": "Harbour Weather",
        "description": "Wind and water levels of the harbour, minute by minute",
        "gitea_url": url,
        "repo_owner": NAME,
        "targets": targets,
        "frontend": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the template may have changes that are not committed yet
        copier.run_copy(str(TEMPLATE), root, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    project = Project(root, environment | IDENTITY)
    project.make("setup")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--no-verify", "--message", "First [skip ci]")
    return project


@contextmanager
def environment() -> Iterator[tuple[dict[str, str], list[str]]]:
    """Give what jobs see, which is Pythons and a Docker that can be had here, and the targets that they can build."""
    with tempfile.TemporaryDirectory() as links, ExitStack() as stack:
        found = newcomer(Path(links)) | windows_pythons.environment()
        targets = ["docker", "desktop", "library"]
        if os.geteuid() == 0:
            found = stack.enter_context(docker.private_docker()).extend(found)
        else:
            if not shutil.which("docker"):
                say("left out: the image; that job needs docker")
                targets.remove("docker")
            if not shutil.which("makensis") or not shutil.which("osslsigncode"):
                say("left out: the desktop app; its jobs need nsis and osslsigncode")
                targets.remove("desktop")
        yield found, targets


def set_secrets(repository: Repository, project: Project) -> None:
    """Set what docs/releasing.md of the project asks for."""
    token = repository.owner.new_token("write:package", "write:repository", "read:user")
    repository.secret("DEPLOY_TOKEN", token)
    if (project.root / "scripts/bundle.py").exists():
        key = project.root / "update-signing-key"
        script: list[str | Path] = [uv(), "run", "--quiet", "--script", "scripts/release.py"]
        run([*script, "keygen", "--output", key], cwd=project.root, env=project.environment)
        repository.secret("UPDATE_SIGNING_KEY", key.read_text(encoding="utf-8"))
        key.unlink()
        repository.variable("WINDOWS_PYTHON_URL", project.environment["WINDOWS_PYTHON_URL"])


def release(repository: Repository, project: Project) -> str:
    """Push the tag, tell of each job that has ended, and give the page of the public release."""
    project.git("commit", "--quiet", "--no-verify", "--allow-empty", "--message", "feat: the first version")
    project.git("tag", "--annotate", "--message", TAG, TAG)
    commit = repository.push(project.root, TAG)
    started = repository.run(event="push", workflow="release.yml", head_sha=commit)
    say(f"the workflow Release runs, for some minutes: {started.url}")
    follow(started)
    found = repository.release(TAG)
    if found["draft"]:
        raise DemoError(f"{TAG} is still a draft: {found['html_url']}")
    return str(found["html_url"])


def follow(started: Run) -> None:
    """Wait for a run, and say which of its jobs have ended; one that fails ends the demo with the end of its log."""
    begin = time.monotonic()
    told: set[str] = set()
    while True:
        jobs = started.jobs()
        for job in jobs:
            if job["status"] == "completed" and job["name"] not in told:
                told.add(job["name"])
                say(f"  {job['name']}: {job['conclusion']}, {time.monotonic() - begin:.0f} s")
                if job["conclusion"] == "failure":
                    print("\n".join(started.log(job["name"]).splitlines()[-20:]), file=sys.stderr)
                    raise DemoError(f"the job {job['name']} failed, as its log above says")
        if jobs and len(told) == len(jobs):
            return
        time.sleep(POLL)


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    text = os.environ.get("DEMO_SECONDS") or "inf"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        return fail(f"DEMO_SECONDS={text} is no number of seconds; write for example DEMO_SECONDS=30.")
    say("starting Gitea (the first time it is built: some minutes)")
    try:
        with environment() as (variables, targets), serve() as server, tempfile.TemporaryDirectory() as folder:
            owner: Owner = server.owner(NAME, PASSWORD)
            with run_jobs(server, variables):
                say(f"making a project with the targets {', '.join(targets)}")
                project = make_project(Path(folder, "harbour-weather"), server.url, targets, variables)
                repository: Repository = owner.repository(project.slug)
                repository.push(project.root)
                set_secrets(repository, project)
                page = release(repository, project)
                repository.push(project.root)  # starts Test, which now holds nothing up
                say(f"{TAG} is public: {page}")
                say(f"log in at {server.url}/user/login as {NAME}, password {PASSWORD}; pages have no style")
                say("Ctrl-C ends it")
                time.sleep(min(seconds, 1e8))
    except DemoError as error:
        return fail(str(error))
    except MissingError as error:
        install = (
            f"apt-get install --no-install-recommends {' '.join(error.packages)}" if error.packages else error.what
        )
        return fail(f"this machine lacks something, and may not be given it: {install}")
    except AssertionError as error:  # what the tests' own tools raise, with much of a program's log
        return fail(gist(str(error) or repr(error)))
    except KeyboardInterrupt:
        pass
    say("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
