"""Does an installed app for Linux find a release, update itself, and come back whole whatever happens?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker import Docker
from tests.support.machine import Machine, machine
from tests.support.updates import BAD, Installed, Source, changed

pytestmark = pytest.mark.slow

APP_ONLY_BYTES = 100_000  # at most, for the default app
BACK_SECONDS = 30  # after which the version before runs again, whatever the new one does
SEED = 20261121


@pytest.fixture(scope="module")
def second(source: Source, first: Path) -> Iterator[Path]:
    """1.1.0: other code, the same runtime."""
    yield source.publish("1.1.0")
    source.withdraw("1.1.0")


@pytest.fixture(scope="module")
def third(source: Source, first: Path) -> Iterator[Path]:
    """1.2.0rc1: another runtime, offered to those who want pre-releases."""
    yield source.publish("1.2.0rc1", lambda source: source.require("colorama"))
    source.withdraw("1.2.0rc1")


def fresh(source: Source, version: str, root: Path) -> Installed:
    """Unpack what was built."""
    slug = source.project.slug
    return Installed.unpack(source.project.root / f"build/released/{version}/{slug}-v{version}-linux-x64.tar.gz", root)


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
        assert installed.outcome("1.1.0") == ("updated", "1.0.0")
    assert installed.current == "1.1.0"
    assert note.read_text(encoding="utf-8") == "mine"
    assert installed.digests("1.0.0") == before, "the version to go back to is no longer as it was"
    built = fresh(source, "1.1.0", installed.root.parent / "fresh").digests("1.1.0")
    assert changed(installed.digests("1.1.0"), built) == set(), "not what a fresh one holds"
    assert not list(installed.root.glob("versions/.*partial"))


@pytest.mark.usefixtures("third")
def test_another_runtime_comes_as_a_whole(installed: Installed) -> None:
    with installed.run():
        installed.wait("1.0.0")
        installed.include_prereleases()
        apply(installed, "1.2.0rc1")
        installed.wait("1.2.0rc1", 90)
    assert list(installed.root.glob("versions/1.2.0rc1/python/lib/python3*/site-packages/colorama/__init__.py"))


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
            assert installed.outcome(bad) == ("rolled_back", "1.0.0")
            offer = installed.check()["release"]
            assert offer is None or offer["version"] != bad, "it is offered again"
        assert bad in (installed.root / "failed").read_text(encoding="utf-8")
    finally:
        source.withdraw(bad)


class Service(Installed):
    """The app as a service of a machine with systemd, which has the network of this one."""

    PLACE = "/opt/my app"

    def __init__(self, app: Installed, debian: Machine) -> None:
        super().__init__(app.root, app.slug)
        self.debian = debian

    def install(self) -> None:
        self.debian.run(f"{self.PLACE}/install-service.sh", "--port", str(self.port))

    def show(self, *names: str) -> list[str]:
        """Tell what systemd knows of it."""
        properties = [f"--property={name}" for name in names]
        return self.debian.run("systemctl", "show", "--value", *properties, self.slug).stdout.split()

    def log(self) -> str:
        return self.debian.run("journalctl", "--no-pager", "--unit", self.slug).stdout


@pytest.mark.usefixtures("second")
def test_a_service_updates_itself_and_goes_back(source: Source, installed: Installed, docker: Docker) -> None:
    mount = f"--mount=type=bind,source={installed.root},target={Service.PLACE}"
    with machine(docker, "--network=host", mount) as debian:
        service = Service(installed, debian)
        service.install()
        service.wait("1.0.0")
        (main,) = service.show("MainPID")
        assert service.status()["install_type"] == "portable"
        apply(service, "1.1.0")
        service.wait("1.1.0")
        assert service.outcome("1.1.0") == ("updated", "1.0.0")
        source.publish("1.3.9", lambda source: source.change("__main__.py", "\n", f"\n{BAD['crash']}\n"))
        try:
            apply(service, "1.3.9")
            assert service.outcome("1.3.9") == ("rolled_back", "1.1.0")
            service.wait("1.1.0")
            assert service.check()["release"] is None, "it is offered again"
        finally:
            source.withdraw("1.3.9")
        source.publish("1.3.10", lambda source: source.change("__main__.py", "\n", f"\n{BAD['hang']}\n"))
        try:
            service.begin_check()  # within a minute after the last one
            apply(service, "1.3.10")
            service.wait_for_current("1.3.10")
            service.wait_for_end()
            start = time.monotonic()
            service.wait("1.1.0")  # with the seconds that users have, not those of tests
            assert time.monotonic() - start <= BACK_SECONDS
            assert service.outcome("1.3.10") == ("rolled_back", "1.1.0")
        finally:
            source.withdraw("1.3.10")
        # systemd has seen none of that: no restart was its own, and it may start the app as often as before.
        assert service.show("MainPID", "NRestarts", "ActiveState") == [main, "0", "active"]
        debian.restart()
        service.wait("1.1.0")
        assert service.outcome("1.3.10") == ("rolled_back", "1.1.0")
