"""What does an update cost an installed app: its start, a check, a download, the pause between two versions?"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import copier

from bench.bundles import first_answer
from bench.measure import Row, Table, Times, amount_row, commit, row
from tests.answers import answers_for
from tests.support.projects import newcomer
from tests.support.releases import Key, Releases, describe, signed
from tests.support.tools import run, uv
from tests.support.updates import Installed

APP_BYTES = 100_000  # to be kept: of the archive that an update of the app alone loads
OUTAGE = 1.0  # seconds without an answer, besides the app's own start
REQUESTS, CHECK = 2, 0.020  # of a check that finds nothing new, and its seconds of the processor
MEMORY = 30_000_000  # bytes above an idle app, while ...
DOWNLOAD = 200_000_000  # ... a file of this size comes
IMPORT = 0.030  # seconds of the processor that the start takes longer

FROM, TO = "1.0.0", "1.1.0"

# The app's own modules and all that they import, before the clock runs; settings.py imports the updates itself.
IMPORTING = """
import importlib, pkgutil, sys, time
name = sys.argv[1]
others = "fastapi fastapi.staticfiles pydantic_settings structlog uvicorn platformdirs tomllib difflib tempfile"
for module in others.split():
    importlib.import_module(module)
for module in pkgutil.iter_modules(importlib.import_module(name).__path__):
    if module.name not in {"__main__", "app", "settings", "system", "update"}:
        importlib.import_module(f"{name}.{module.name}")
start = time.process_time()
importlib.import_module(f"{name}.update")
print(time.process_time() - start)
"""

# Checks until nothing is new, then again; afterwards a download, as an update does it.
CHECKING = """
import asyncio, importlib, json, pathlib, re, sys, time
name, data, url, size, sha256 = sys.argv[1:]
app, settings = (importlib.import_module(f"{name}.{part}") for part in ("app", "settings"))
update = importlib.import_module(f"{name}.update")
chosen = settings.load_settings(data_dir=data)
app.create_app(chosen)

def memory(what):
    return int(re.search(rf"{what}:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) * 1024

async def main():
    service = update.Updates(chosen, chosen.data_dir).service
    idle, times = memory("VmRSS"), []
    for _ in range(12):
        start = time.process_time()
        service.check(force=True)
        while service.status().state == "checking":
            await asyncio.sleep(0.005)
        times.append(time.process_time() - start)
        problem = service.status().error or service.status().reason
        if problem or service.status().confirmed_at is None:
            raise SystemExit(f"the check failed: {problem}")
    download = importlib.import_module(f"{name}.update.download")
    artifact = importlib.import_module(f"{name}.update.manifest").Artifact("large", int(size), sha256)
    providers = importlib.import_module(f"{name}.update.providers")
    provider = providers.make_provider(chosen)
    asset = providers.AssetInfo("large", int(size), url)
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    await download.download(
        lambda artifact, start: provider.stream(asset, start), artifact, pathlib.Path(data),
        progress=lambda received, total: None, cancelled=asyncio.Event(),
    )
    await provider.aclose()
    print(json.dumps({"checks": times[2:], "idle": idle, "peak": memory("VmHWM")}))

asyncio.run(main())
"""


@dataclass(frozen=True)
class Built:
    """Two versions of an app whose runtime is the same, and the first of them installed."""

    installed: Installed
    package: str
    archives: Mapping[str, Mapping[str, Path]]  # "full" and "app" of each version
    environment: Mapping[str, str]

    @property
    def folder(self) -> Path:
        return self.installed.root / "versions" / FROM

    def python(self, program: str, *words: object, **variables: str) -> str:
        """Run a program with the interpreter of the installed version, in an environment of its own."""
        own = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
        return run([self.folder / "python/bin/python3", "-c", program, *map(str, words)], env=own).stdout


def compare_updates(template: Path, scratch: Path, runs: int) -> Table:
    """Measure everything that an update of the default app costs."""
    built = build(template, scratch / "updates")
    releases = Releases("bench/sample")
    with releases.serve():
        key = Key(scratch / "key")
        (keys,) = built.folder.glob("app/**/update_keys.txt")
        keys.write_text(f"{key.public}\n", encoding="utf-8")
        publish(releases, built, FROM, key)
        rows = [import_row(built, runs), *check_rows(releases, built, scratch)]
        publish(releases, built, TO, key)
        rows += update_rows(releases, built, runs)
    notes = [
        f"Version {FROM} of the default app for Linux becomes {TO}, where only the app itself differs; the server is "
        f"on the same computer. Imports: the least of {runs}; checks: the least of 10."
    ]
    return Table("An update", rows, notes)


def import_row(built: Built, runs: int) -> Row:
    seconds = [float(built.python(IMPORTING, built.package)) for _ in range(max(runs, 5))]
    return row("import of the module", Times(seconds, seconds), bound=IMPORT)


def check_rows(releases: Releases, built: Built, scratch: Path) -> list[Row]:
    """Check where nothing is new, and load a large file."""
    large = scratch / "large"
    with large.open("wb") as file:
        file.truncate(DOWNLOAD)
    with large.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    path = f"/{releases.repository}/releases/download/large/large"
    releases.files[path] = large
    before = len(releases.requests)
    data = scratch / "data"
    data.mkdir()
    answer = built.python(
        CHECKING, built.package, data, f"{releases.url}{path}", DOWNLOAD, sha256, **variables(releases, built.installed)
    )
    found = json.loads(answer.splitlines()[-1])
    # Twelve checks, of which the first asks for the signature, too; and the download.
    requests = (len(releases.requests) - before - 2) / 12
    above = found["peak"] - found["idle"]
    return [
        row("check, nothing new", Times(found["checks"], found["checks"]), bound=CHECK),
        amount_row("requests of that check", requests, "", REQUESTS),
        amount_row(f"memory above idle while {DOWNLOAD / 1e6:.0f} MB come", above / 1e6, " MB", MEMORY / 1e6),
    ]


def update_rows(releases: Releases, built: Built, runs: int) -> list[Row]:
    """Update the app while somebody asks for its health all the time."""
    installed = built.installed
    with installed.run(**variables(releases, installed)):
        installed.wait(FROM)
        status = installed.check()
        installed.ask("/system/update/apply", {"version": TO, "when": "now"})
        end, last = time.monotonic() + 60, time.perf_counter()
        while True:
            version, now = installed.version(), time.perf_counter()
            if version == TO:
                break
            last = now if version else last
            if time.monotonic() > end:
                raise RuntimeError(f"{TO} does not answer: {installed.log()[-2000:]}")
            time.sleep(0.002)
        gap = now - last
        installed.wait(TO)
    own = Times()
    for _ in range(max(min(runs, 5), 3)):
        own.add(first_answer([installed.root / "run.sh"], built.environment))
    size = status["release"]["size"]
    return [
        amount_row("loaded where only the app differs", size / 1e3, " kB", APP_BYTES / 1e3),
        row("without an answer, besides the app's own start", Times([max(gap - own.median, 0.0)]), bound=OUTAGE),
        row("without an answer", Times([gap])),
        row("the app's own start", own),
    ]


def variables(releases: Releases, installed: Installed) -> dict[str, str]:
    prefix = f"{installed.prefix}_UPDATE_"
    return {f"{prefix}URL": releases.url, f"{prefix}REPOSITORY": releases.repository}


def publish(releases: Releases, built: Built, version: str, key: Key) -> None:
    """Put a version on the server with its signed manifest."""
    archives = built.archives[version]
    manifest = signed(describe(built.installed.slug, version, archives), key)
    releases.add(f"v{version}", {**{path.name: path for path in archives.values()}, **manifest})


def build(template: Path, folder: Path) -> Built:
    """Build two versions of the default app, and install the first."""
    project, links = folder / "project", folder / "links"
    environment = newcomer(links)
    answers = answers_for(["desktop"], auto_update=True)
    copier.run_copy(str(template), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    run([uv(), "lock", "--quiet"], cwd=project, env=environment)
    run([project / "scripts/npm.sh", "install"], cwd=project, env=environment)
    commit(project)
    archives = {}
    for version in (FROM, TO):
        output = folder / version
        options = ["--version", f"v{version}", "--output", str(output), "--no-self-test"]
        run([project / "scripts/build-dist.sh", *options], cwd=project, env=environment, timeout=600)
        (app,) = output.glob("*-linux-x64-app.tar.gz")
        archives[version] = {"full": app.with_name(app.name.replace("-app", "")), "app": app}
    installed = Installed.unpack(archives[FROM]["full"], folder / "installed")
    (package,) = project.glob("src/*/update/service.py")
    return Built(installed, package.parents[1].name, archives, environment)
