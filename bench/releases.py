"""How long a release takes from the tag on, and what an upload costs, on a Gitea and a runner of this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import copier

from bench.measure import Row, Table, Times, row, size_row
from tests.gitea.releases import Workplace, peak_of_upload, requests_of_upload
from tests.support.gitea import Run, Server, serve
from tests.support.gitea_runner import run_jobs
from tests.support.projects import Project, newcomer
from tests.support.tools import run

SECONDS = 60  # from the pushed tag to the public release, beside the checks
CALLS = 1  # of the API for each file, beside listing
MEMORY = 80_000_000  # at most, while 100 MB are uploaded
BIG = 100_000_000
CHECKS = {"python", "tests", "scripts"}


@contextmanager
def library(template: Path, scratch: Path, server: Server) -> Iterator[Workplace]:
    """Give a library with its repository."""
    owner = server.owner()
    root = scratch / f"library-{owner.name}"
    answers = {"project_name": "Sample", "targets": ["library"], "gitea_url": server.url, "repo_owner": owner.name}
    copier.run_copy(str(template), root, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    with tempfile.TemporaryDirectory() as links:
        identity = {
            f"GIT_{role}_{what}": "bench@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        project = Project(root, newcomer(Path(links)) | identity)
        run([root / "scripts/uv.sh", "lock", "--quiet"], cwd=root, env=project.environment)
        project.git("init", "--quiet", "--initial-branch", "main")
        place = Workplace(project, owner.repository(project.slug))
        place.repository.secret("DEPLOY_TOKEN", place.token)
        place.commit("First [skip ci]")
        place.push()
        yield place


def measure_releases(template: Path, scratch: Path, runs: int) -> Table:
    """Measure releases of the library from the pushed tag on, after one that filled the caches."""
    whole, checks, rest = Times(), Times(), Times()
    with (
        serve() as server,
        library(template, scratch, server) as place,
        run_jobs(server, place.project.environment),
    ):
        for number in range(runs + 1):
            commit = place.tag_here(f"v1.{number}.0")
            begin = time.time()
            place.repository.push(place.root, f"v1.{number}.0")
            started = place.repository.run(event="push", workflow="release.yml", head_sha=commit)
            public = when_public(place, f"v1.{number}.0", started) - begin
            checked = seconds_of_checks(started.check())
            if number:
                whole.add(Times([public]))
                checks.add(Times([checked]))
                rest.add(Times([public - checked]))
    return Table(
        "A release of the library",
        [
            row("from the pushed tag to the public release, without its checks", rest, bound=SECONDS),
            row("its checks", checks),
            row("both", whole),
        ],
        [f"{runs} releases after one that filled the caches; the runner works on this machine, two jobs at a time."],
    )


def when_public(place: Workplace, tag: str, started: Run) -> float:
    """Wait until the release is public, as anybody sees it, and give the time."""
    deadline = time.monotonic() + 900
    while not any(release["tag_name"] == tag and not release["draft"] for release in place.repository.releases()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{tag} is not public after 15 minutes: {started.conclusions}")
        time.sleep(0.1)
    return time.time()


def seconds_of_checks(ended: Run) -> float:
    """Give the time from the begin of the first check to the end of the last."""
    jobs = [job for job in ended.jobs() if job["name"] in CHECKS]
    begin = min(datetime.fromisoformat(job["started_at"]) for job in jobs)
    return (max(datetime.fromisoformat(job["completed_at"]) for job in jobs) - begin).total_seconds()


def measure_calls(template: Path, scratch: Path) -> Table:
    """Count what an upload of ten files asks of the API."""
    with serve() as server, library(template, scratch, server) as place:
        place.tag("v1.0.0")
        place.command("create")
        names = [f"file-{number}.bin" for number in range(10)]
        for name in names:
            (place.root / name).write_text(name)
        begin = time.monotonic()
        requests = requests_of_upload(place, *names)
        seconds = time.monotonic() - begin
    calls = sum(method != "GET" for method, _ in requests) / len(names)
    listing = sum(method == "GET" for method, _ in requests)
    return Table(
        "An upload of ten files",
        [Row("calls of the API for each", seconds, None, calls, f"≤ {CALLS}x", calls <= CALLS)],
        [f"Beside {listing} that list what is there."],
    )


def measure_memory(template: Path, scratch: Path) -> Table:
    """Measure the memory of an upload of 100 MB."""
    with serve() as server, library(template, scratch, server) as place:
        place.tag("v1.0.0")
        place.command("create")
        peak = peak_of_upload(place, BIG)
        if [asset["size"] for asset in place.repository.release("v1.0.0")["assets"]] != [BIG]:
            raise RuntimeError("not all of it came")
    return Table(
        "An upload of 100 MB",
        [
            size_row("memory at its peak", peak, others=MEMORY, bound=1),
            size_row("what it may be", MEMORY),
        ],
    )
