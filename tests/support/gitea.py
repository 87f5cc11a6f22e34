"""A real Gitea on this machine: the server as a process of the tests' own, and its API as tests ask it.

    with serve() as server:
        owner = server.owner()
        repository = owner.repository("app")
        repository.push(folder)
        run = repository.run(event="push").wait()
        assert run.conclusions == {"tests": "success"}

Each test takes an owner of its own: one server is then enough for all. Nothing of it outlives the block.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx2

from tests.support import golang
from tests.support.projects import free_port
from tests.support.tools import cache, made_once, program, run

RECIPE = "1"  # of the prepared data folder; another one makes it anew
ADMIN = "admin-of-tests"
JOB_MINUTES = 20  # the longest that a test waits for a run, on a machine that others use as well
POLL = 0.5  # seconds; the server looks a run up in its database each time

SETTINGS = """
WORK_PATH = {folder}
RUN_MODE = prod
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}{sub_path}/
LOCAL_ROOT_URL = http://127.0.0.1:{port}{sub_path}/
USE_SUB_URL_PATH = {uses_sub_path}
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[security]
INSTALL_LOCK = true
SECRET_KEY = only-for-tests
[service]
DISABLE_REGISTRATION = true
[actions]
ENABLED = true
DEFAULT_ACTIONS_URL = self
[repository]
DEFAULT_BRANCH = main
[webhook]
ALLOWED_HOST_LIST = loopback
[cron.update_checker]
ENABLED = false
[log]
LEVEL = Warn
"""


class GiteaError(AssertionError):
    """The server answered with a status that was not expected."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        request = response.request
        super().__init__(f"{request.method} {request.url.path}: {self.status} {response.text[:500]}")


class Api:
    """The API, asked with a token."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"Authorization": f"token {token}"} if token else {}
        # trust_env: a proxy of this machine has no way to a server on its loopback.
        self.http = httpx2.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=60, trust_env=False)

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Ask, and raise a GiteaError for what is no success."""
        response = self.http.request(method, path, **options)
        if not response.is_success:
            raise GiteaError(response)
        return response

    def get(self, path: str, **params: Any) -> Any:
        return self.request("GET", path, params=params).json()

    def post(self, path: str, **body: Any) -> Any:
        return self._send("POST", path, body)

    def put(self, path: str, **body: Any) -> Any:
        return self._send("PUT", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        return self._send("PATCH", path, body)

    def delete(self, path: str) -> None:
        self.request("DELETE", path)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        response = self.request(method, path, json=body)
        return response.json() if response.content else None

    def pages(self, path: str, **params: Any) -> list[Any]:
        """Give the entries of all pages of a list."""
        found: list[Any] = []
        for page in itertools.count(1):
            response = self.request("GET", path, params={**params, "page": page, "limit": 50})
            found += response.json()
            if 'rel="next"' not in response.headers.get("Link", ""):
                return found
        raise AssertionError


@dataclass(frozen=True)
class Server:
    """A running Gitea."""

    url: str  # as ROOT_URL, without the last slash
    folder: Path
    series: str
    api: Api  # an administrator's
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def host(self) -> str:
        """Host and port, as `docker login` wants them."""
        return self.url.split("/")[2]

    def owner(self, name: str | None = None, password: str | None = None) -> Owner:
        """Make a user of that name or of a new one, whose password and token may do everything that is theirs."""
        name = name or f"owner-{next(self._count)}-{secrets.token_hex(3)}"
        password = password or secrets.token_urlsafe(16)
        self.api.post(
            "admin/users",
            username=name,
            password=password,
            email=f"{name.lower()}@example.com",
            must_change_password=False,
        )
        return Owner(self, name, password)

    def registration_token(self) -> str:
        """Give a token with which a runner for all repositories registers."""
        if self.series == "1.23":
            return str(self.api.get("admin/runners/registration-token")["token"])
        return str(self.api.post("admin/actions/runners/registration-token")["token"])

    def log(self) -> str:
        """What the server wrote about trouble."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Owner:
    """A user, for whom a test works."""

    server: Server
    name: str
    password: str

    @cached_property
    def token(self) -> str:
        return self.new_token("all")

    @cached_property
    def api(self) -> Api:
        return Api(self.server.url, self.token)

    def new_token(self, *scopes: str) -> str:
        """Make a personal token with these scopes only, such as "write:package"."""
        answer = self.server.api.http.post(
            f"users/{self.name}/tokens",
            json={"name": secrets.token_hex(4), "scopes": list(scopes)},
            auth=(self.name, self.password),
            headers={"Authorization": ""},
        )
        if not answer.is_success:
            raise GiteaError(answer)
        return str(answer.json()["sha1"])

    def repository(self, name: str = "app", **options: Any) -> Repository:
        """Make an empty repository; `options` as the API has them (private, default_branch …)."""
        self.api.post("user/repos", name=name, **options)
        return Repository(self, name)

    def packages(self, kind: str | None = None) -> set[tuple[str, str, str]]:
        """Give kind, name and version of each package, of images and of Python's among others."""
        listed = self.api.pages(f"packages/{self.name}", **({"type": kind} if kind else {}))
        return {(entry["type"], entry["name"], entry["version"]) for entry in listed}

    @cached_property
    def browser(self) -> httpx2.Client:
        """Log in to the pages, for what the API does not offer."""
        browser = httpx2.Client(base_url=f"{self.server.url}/", timeout=60, trust_env=False)
        form = {"user_name": self.name, "password": self.password}
        if self.server.series == "1.23":  # later ones look at where a request comes from instead
            browser.get("user/login")
            form["_csrf"] = browser.cookies["_csrf"]
        answer = browser.post("user/login", data=form)
        assert answer.status_code == 303, f"login as {self.name}: {answer.status_code}"
        return browser


@dataclass(frozen=True)
class Repository:
    """A repository on the server."""

    owner: Owner
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.owner.name}/{self.name}"

    @property
    def url(self) -> str:
        return f"{self.owner.server.url}/{self.full_name}"

    @property
    def api(self) -> Api:
        return self.owner.api

    @property
    def path(self) -> str:
        """The beginning of the paths that the API has for this repository."""
        return f"repos/{self.full_name}"

    @property
    def remote(self) -> str:
        """Address with credentials, for git."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{self.owner.name}:{self.owner.token}@{rest}.git"

    def push(self, folder: Path, *refs: str) -> str:
        """Push refs (HEAD's branch) of a local repository as they are; gives the commit of the first."""
        git: list[str | Path] = ["git", "-C", folder]
        # A hook of the folder (pre-commit's) is not what the tests ask here.
        run([*git, "-c", "core.hooksPath=/dev/null", "push", "--quiet", self.remote, *(refs or ["HEAD"])])
        # Until the server has worked the first push off, it says 500 to a dispatch.
        deadline = time.monotonic() + 20
        while self.api.get(self.path)["empty"]:
            assert time.monotonic() < deadline, f"{self.full_name} is empty after a push"
            time.sleep(POLL)
        first = (refs[0] if refs else "HEAD").lstrip("+").partition(":")[0]
        return run([*git, "rev-parse", "--verify", f"{first}^{{commit}}"]).stdout.strip()

    def secret(self, name: str, value: str) -> None:
        """Set a secret of Actions."""
        self.api.put(f"{self.path}/actions/secrets/{name}", data=value)

    def variable(self, name: str, value: str) -> None:
        """Set a new variable of Actions."""
        self.api.post(f"{self.path}/actions/variables/{name}", value=value)

    def releases(self, **params: Any) -> list[dict[str, Any]]:
        """Give all releases, drafts as well."""
        return self.api.pages(f"{self.path}/releases", **params)

    def release(self, tag: str) -> dict[str, Any]:
        """Give the release of a tag; drafts have one as well."""
        (found,) = (release for release in self.releases() if release["tag_name"] == tag)
        result: dict[str, Any] = found
        return result

    def assets(self, tag: str) -> dict[str, bytes]:
        """Download what is attached to a release; a name that is there twice is an error."""
        found = {}
        for asset in self.release(tag)["assets"]:
            assert asset["name"] not in found, f"{asset['name']} is there twice"
            found[asset["name"]] = self.api.request("GET", asset["browser_download_url"]).content
        return found

    def pull_request(self, head: str, base: str = "main", title: str = "Change") -> dict[str, Any]:
        """Open a pull request between two branches."""
        opened: dict[str, Any] = self.api.post(f"{self.path}/pulls", head=head, base=base, title=title)
        return opened

    def dispatch(self, workflow: str, ref: str = "main", **inputs: str) -> Run:
        """Start a workflow by hand."""
        path = f"{self.path}/actions/workflows/{workflow}/dispatches?return_run_details=true"
        return Run(self, self.api.post(path, ref=ref, inputs=inputs)["workflow_run_id"])

    def runs(self, **wanted: str) -> list[Run]:
        """Give the runs, newest first; `wanted` are the API's filters (event, head_sha …), or `workflow="test.yml"`."""
        workflow = wanted.pop("workflow", None)
        entries = self.api.get(f"{self.path}/actions/runs", limit=50, **wanted).get("workflow_runs") or []
        chosen = (entry for entry in entries if workflow in {None, entry["path"].partition("@")[0]})
        return [Run(self, entry["id"]) for entry in chosen]

    def cancel_runs(self) -> None:
        """Cancel all runs that are not done."""
        entries = self.api.get(f"{self.path}/actions/runs", limit=50).get("workflow_runs") or []
        for entry in entries:
            if entry["status"] != "completed":
                Run(self, entry["id"]).cancel()

    def run(self, within: float = 20, **wanted: str) -> Run:
        """Give the newest such run, and wait for it to be there."""
        deadline = time.monotonic() + within
        while not (found := self.runs(**wanted)):
            assert time.monotonic() < deadline, f"no run of {self.full_name} with {wanted}"
            time.sleep(POLL)
        return found[0]


@dataclass(frozen=True)
class Run:
    """A run of a workflow."""

    repository: Repository
    id: int

    @property
    def path(self) -> str:
        return f"{self.repository.path}/actions/runs/{self.id}"

    @property
    def url(self) -> str:
        return f"{self.repository.url}/actions/runs/{self.id}"

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.repository.api.get(f"{self.path}/jobs", limit=50)["jobs"]
        return found

    def wait(self, minutes: float = JOB_MINUTES) -> Self:
        """Wait for every job: a run says completed while jobs that need a failed one still wait for their end."""
        deadline = time.monotonic() + minutes * 60
        while True:
            jobs = self.jobs()
            if jobs and all(job["status"] == "completed" for job in jobs):
                return self
            if time.monotonic() > deadline:
                self.cancel()
                states = {job["name"]: job["status"] for job in jobs}
                raise AssertionError(f"{self.url} is not done after {minutes} minutes: {states}\n{self.logs()[-3000:]}")
            time.sleep(POLL)

    @property
    def conclusions(self) -> dict[str, str]:
        """Give the conclusion of each job by its name."""
        return {job["name"]: job["conclusion"] for job in self.jobs()}

    def check(self, minutes: float = JOB_MINUTES) -> Self:
        """Wait for the run, and expect success of each of its jobs."""
        bad = {name: result for name, result in self.wait(minutes).conclusions.items() if result != "success"}
        assert not bad, f"{bad}\n" + "\n".join(f"--- {name}\n{self.log(name)[-3000:]}" for name in bad)
        return self

    def wait_for_job(self, name: str, minutes: float = JOB_MINUTES) -> str:
        """Wait for one job, and give its conclusion."""
        deadline = time.monotonic() + minutes * 60
        while not (found := [job for job in self.jobs() if job["name"] == name and job["status"] == "completed"]):
            assert time.monotonic() < deadline, f"{name} of {self.url} is not done after {minutes} minutes"
            time.sleep(POLL)
        return str(found[0]["conclusion"])

    def log(self, name: str) -> str:
        """Give the log of a job, without the times; a job that never ran has none."""
        (job,) = (job for job in self.jobs() if job["name"] == name)
        path = f"{self.repository.path}/actions/jobs/{job['id']}/logs"
        answer = self.repository.api.http.get(path)
        if answer.status_code == 404:
            return ""
        if not answer.is_success:
            raise GiteaError(answer)
        return "\n".join(line.partition(" ")[2] for line in answer.text.splitlines())

    def logs(self) -> str:
        """Give the logs of all jobs."""
        return "\n".join(self.log(job["name"]) for job in self.jobs())

    def cancel(self) -> None:
        answer = self.repository.owner.browser.post(f"{self.repository.full_name}/actions/runs/{self.id}/cancel")
        assert answer.is_success, f"cancel {self.url}: {answer.status_code}"

    def artifact(self, name: str) -> dict[str, bytes]:
        """Download an artifact as a person does, from the run's page, and give its files."""
        path = f"{self.repository.full_name}/actions/runs/{self.id}/artifacts/{quote(name)}"
        answer = self.repository.owner.browser.get(path)
        if not answer.is_success:
            raise GiteaError(answer)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return {entry: archive.read(entry) for entry in archive.namelist()}


@contextmanager
def serve(series: str = "1.26", sub_path: str = "") -> Iterator[Server]:
    """Run a Gitea of a series (1.26, 1.23) on a free port; `sub_path`, such as "/git", is where ROOT_URL has it."""
    built = golang.gitea(series)
    key = f"{built.name}-data-{RECIPE}"
    prepared = made_once(cache("gitea", key), lambda folder: _prepare(built, folder))
    with tempfile.TemporaryDirectory(prefix="gitea-") as scratch:
        folder = Path(scratch, "gitea")
        shutil.copytree(prepared, folder)
        token = (folder / "token").read_text(encoding="utf-8")
        process, url = _start(built, folder, sub_path)
        try:
            yield Server(url, folder, series, Api(url, token))
        finally:
            stop(process)


def stop(process: subprocess.Popen[Any], seconds: float = 30) -> None:
    """End a process in order, and if that takes too long, at once."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start(command: list[str | Path], *, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that ends with this one, even if this one is killed."""
    guard = [program("setpriv", "apt-get install util-linux"), "--pdeathsig", "TERM", "--"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*guard, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            start_new_session=True,  # Ctrl-C is for pytest, which then ends it in order
        )


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ", "TMPDIR") if name in os.environ}
    as_root = {"GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true"}  # a container's only user may be root
    return {**kept, **as_root, "HOME": str(folder), "GITEA_WORK_DIR": str(folder)}


def _write_settings(built: Path, folder: Path, port: int, sub_path: str) -> Path:
    path = folder / "app.ini"
    text = SETTINGS.format(
        folder=folder,
        port=port,
        sub_path=sub_path,
        uses_sub_path=json.dumps(bool(sub_path)),
        static=built / "static",
    )
    path.write_text(text, encoding="utf-8")
    return path


def _prepare(built: Path, folder: Path) -> None:
    """Make a data folder with an administrator and a token of theirs."""
    folder.mkdir()
    settings = _write_settings(built, folder, 3000, "")

    def gitea(*arguments: str) -> str:
        command: list[str | Path] = [built / "gitea", "--config", settings, *arguments]
        return run(command, env=_environment(folder), cwd=folder).stdout

    gitea("migrate")
    account = ["--username", ADMIN, "--email", "admin@example.com", "--random-password", "--must-change-password=false"]
    gitea("admin", "user", "create", "--admin", *account)
    said = gitea("admin", "user", "generate-access-token", "--username", ADMIN, "--scopes", "all", "--raw")
    (folder / "token").write_text(said.split()[-1], encoding="utf-8")  # warnings come before it


def _start(built: Path, folder: Path, sub_path: str) -> tuple[subprocess.Popen[bytes], str]:
    log = folder / "log"
    for _ in range(5):  # somebody else may have taken the port that was free a moment ago
        port = free_port()
        settings = _write_settings(built, folder, port, sub_path)
        process = start([built / "gitea", "--config", settings, "web"], env=_environment(folder), log=log)
        url = f"http://127.0.0.1:{port}{sub_path}"
        if _is_up(process, url):
            return process, url
        stop(process)
    raise AssertionError("Gitea does not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-4000:])


def _is_up(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + 60
    with httpx2.Client(timeout=5, trust_env=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get(f"{url}/api/healthz").is_success:
                    return process.poll() is None
            except httpx2.TransportError:
                time.sleep(0.05)
    return False
