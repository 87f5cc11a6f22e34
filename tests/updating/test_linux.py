"""Does an installed app for Linux find a release, update itself, and come back whole whatever happens?"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.updates import BAD, TRIAL_SECONDS, Installed, Source, changed

pytestmark = pytest.mark.slow

APP_ONLY_BYTES = 100_000  # at most, for the default app
BACK_SECONDS = 30  # after which the version before runs again, whatever the new one does
SEED = 20261121


@pytest.fixture(scope="module")
def second(source: Source, first: Path) -> Iterator[Path]:
    """1.1.0: other code, the same runtime."""
    yield source.publish("1.1.0")
    source.withdraw("1.1.0")


def offered(app: Installed, version: str) -> None:
    app.check()
    status = app.until(lambda status: status["state"] == "update_available")
    assert status["release"]["version"] == version
    assert status["can_auto_update"], status["reason"]


def apply(app: Installed, version: str, when: str = "now") -> None:
    offered(app, version)
    app.ask("/system/update/apply", {"version": version, "when": when})


@pytest.mark.usefixtures("second")
def test_only_the_app_is_downloaded_where_the_runtime_is_the_same(source: Source, installed: Installed) -> None:
    before = installed.digests("1.0.0")
    with installed.run():
        installed.wait("1.0.0")
        note = installed.root / "data" / "note.txt"
        note.write_text("mine", encoding="utf-8")
        offered(installed, "1.1.0")
        assert installed.status()["release"]["size"] <= APP_ONLY_BYTES
        assert installed.status()["install_type"] == "portable"
        installed.ask("/system/update/apply", {"version": "1.1.0", "when": "now"})
        installed.wait("1.1.0")
        last = installed.until(lambda status: status["last"])["last"]
        assert (last["outcome"], last["from_version"], last["version"]) == ("updated", "1.0.0", "1.1.0")
    assert installed.current == "1.1.0"
    assert note.read_text(encoding="utf-8") == "mine"
    assert installed.digests("1.0.0") == before, "the version to go back to is no longer as it was"
    built = Installed.unpack(
        source.project.root / f"build/released/1.1.0/{installed.slug}-v1.1.0-linux-x64.tar.gz",
        installed.root.parent / "fresh",
    )
    assert changed(installed.digests("1.1.0"), built.digests("1.1.0")) == set(), "not what a fresh one holds"
    assert not list(installed.root.glob("versions/.*partial"))


def test_another_runtime_comes_as_a_whole(source: Source, installed: Installed) -> None:
    source.publish("1.2.0", lambda source: source.require("colorama"))
    try:
        with installed.run():
            installed.wait("1.0.0")
            apply(installed, "1.2.0")
            installed.wait("1.2.0", 90)
        assert list(installed.root.glob("versions/1.2.0/python/lib/python3*/site-packages/colorama/__init__.py"))
    finally:
        source.withdraw("1.2.0")


@pytest.mark.usefixtures("second")
def test_on_the_next_start(installed: Installed) -> None:
    with installed.run():
        installed.wait("1.0.0")
        apply(installed, "1.1.0", "next_start")
        installed.until(lambda status: status["on_next_start"] == "1.1.0")
        assert installed.version() == "1.0.0"
    with installed.run():
        installed.wait("1.1.0")


@pytest.mark.parametrize("behaviour", [*BAD, "wrong"])
def test_a_version_that_does_not_prove_itself_is_gone_back_from(
    behaviour: str, source: Source, installed: Installed
) -> None:
    number = [*BAD, "wrong"].index(behaviour)
    bad = f"1.3.{number}"

    def spoil(source: Source) -> None:
        if behaviour == "wrong":
            dev = '__version__ = "0.0.0.dev0"\n'
            source.change("__init__.py", dev, f'{dev}\n__version__ = "9.9.9"\n')
        else:
            source.change("__main__.py", "\n", f"\n{BAD[behaviour]}\n")

    source.publish(bad, spoil)
    try:
        with installed.run():
            installed.wait("1.0.0")
            apply(installed, bad)
            installed.until(lambda status: status["state"] == "applying", 60)
            start = time.monotonic()
            while installed.version() == "1.0.0" and time.monotonic() < start + 5:
                time.sleep(0.05)
            installed.wait("1.0.0", BACK_SECONDS)
            last = installed.until(lambda status: status["last"])["last"]
            assert (last["outcome"], last["version"]) == ("rolled_back", bad)
            offer = installed.check()["release"]
            assert offer is None or offer["version"] != bad, "it is offered again"
        assert bad in (installed.root / "failed").read_text(encoding="utf-8")
    finally:
        source.withdraw(bad)


@pytest.mark.usefixtures("second")
def test_killed_at_any_point_it_starts_and_updates(source: Source, installed: Installed, tmp_path: Path) -> None:
    """Kill all processes of the app at a random point of an update: what starts then is one of both versions, whole."""
    chance = random.Random(SEED)  # noqa: S311  (the same points each time)
    fresh = installed.digests("1.0.0")
    built = Installed.unpack(
        source.project.root / f"build/released/1.1.0/{installed.slug}-v1.1.0-linux-x64.tar.gz", tmp_path / "fresh"
    ).digests("1.1.0")
    with installed.run():  # its data folder is made, its page was asked once
        installed.wait("1.0.0")
    seen = set()
    for number in range(20):
        app = installed.copy(tmp_path / f"app {number}")
        with app.run() as launcher:
            app.wait("1.0.0")
            apply(app, "1.1.0")
            time.sleep(chance.uniform(0, 2.5))
            app.kill(launcher)
        with app.run():
            start = time.monotonic()
            while (version := app.version()) is None or (app.root / "trial").exists():
                assert time.monotonic() < start + TRIAL_SECONDS + 20, (
                    f"nothing starts after kill {number}:\n{app.log()}"
                )
                time.sleep(0.05)
            seen.add(version)
            assert version in {"1.0.0", "1.1.0"}
            assert changed(app.digests("1.0.0"), fresh) == set()
            if version == "1.1.0":
                assert changed(app.digests("1.1.0"), built) == set()
            else:
                with suppress(OSError):
                    apply(app, "1.1.0")
                app.wait("1.1.0")
    assert seen == {"1.0.0", "1.1.0"}, "the kills were all too early or too late: choose other points"
