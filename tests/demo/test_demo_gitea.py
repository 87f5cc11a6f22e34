"""Does `make demo-gitea` end in a public release that a person can look at, and leave nothing behind?"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from scripts import demo_gitea
from tests.conftest import REPOSITORY
from tests.support.tools import MissingError, run

# What every target adds to a release.
FILES = re.compile(
    r"SHA256SUMS|update\.json(\.sig)?|harbour_weather-0\.1\.0(-py3-none-any\.whl|\.tar\.gz)"
    r"|harbour-weather-v0\.1\.0-(setup\.exe|(linux|win)-x64(-app)?\.(tar\.gz|zip)|(linux|win)-x64\.cdx\.json)"
)
NUMBER = 12


@pytest.mark.slow
@pytest.mark.usefixtures("long")
def test_it_releases_and_serves_until_its_time_is_over(tmp_path: Path) -> None:
    # As somebody types it: below a make that runs these tests, this one would also speak of folders.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment["DEMO_SECONDS"] = "20"
    errors = tmp_path / "errors"
    with (
        errors.open("wb") as log,
        subprocess.Popen(
            ["make", "demo-gitea"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C ends it" in line:
                break
        found = re.search(r"v0\.1\.0 is public: (http\S+)/(\w+/[\w-]+)/releases/tag/v0\.1\.0", said)
        assert found, f"{said}\n{errors.read_text()}"
        server, repository = found.groups()
        client = httpx2.Client(trust_env=False)
        assert client.get(f"{server}/{repository}/releases/tag/v0.1.0").is_success
        release = client.get(f"{server}/api/v1/repos/{repository}/releases/tags/v0.1.0").json()
        names = [asset["name"] for asset in release["assets"]]
        assert all(FILES.fullmatch(name) for name in names) and len(names) == NUMBER, names
        rest, _ = process.communicate(timeout=180)
    assert rest == "demo-gitea: ended\n"
    assert process.returncode == 0
    with pytest.raises(httpx2.ConnectError):
        client.get(server)


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan"])
def test_a_time_that_is_none_is_one_clear_line(seconds: str) -> None:
    command = [sys.executable, "-m", "scripts.demo_gitea"]
    result = run(command, cwd=REPOSITORY, env={**os.environ, "DEMO_SECONDS": seconds}, returncode=1)
    assert result.stderr == (
        f"demo-gitea: DEMO_SECONDS={seconds} is no number of seconds; write for example DEMO_SECONDS=30.\n"
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            MissingError("maven gcc (names of Debian's packages)", ["maven", "gcc"]),
            "this machine lacks something, and may not be given it: apt-get install --no-install-recommends maven gcc",
        ),
        (
            AssertionError(
                "uv pip install go: returned 2\nResolving\nerror: Failed to fetch: `https://index.example.com/go/`\n"
                "  Caused by: dns error\n" + "and so on\n" * 60
            ),
            "uv pip install go: returned 2\nerror: Failed to fetch: `https://index.example.com/go/`\n"
            "  Caused by: dns error",
        ),
        (
            AssertionError("Gitea does not start:\n" + "1\n" * 60 + "no disk"),
            "Gitea does not start:\n1\n1\n1\n1\nno disk",
        ),
        (AssertionError(), "AssertionError()"),
    ],
)
def test_what_stops_it_is_a_clear_message(
    error: AssertionError, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    @contextmanager
    def environment() -> Iterator[tuple[dict[str, str], list[str]]]:
        try:
            yield {}, []
        finally:
            cleaned.append(True)

    def serve() -> None:
        raise error

    monkeypatch.setattr(demo_gitea, "environment", environment)
    monkeypatch.setattr(demo_gitea, "serve", serve)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # it is for a program of its own
    monkeypatch.setattr(sys, "argv", ["demo_gitea"])
    assert demo_gitea.main() == 1
    assert capsys.readouterr().err == f"demo-gitea: {message}\n"
    assert cleaned
